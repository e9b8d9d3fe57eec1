using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Tests.Collateral;
using Assay.Tests.Tokens;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>
/// The AWS SDK for JavaScript exchanges a token of the service for credentials, configured by files and environment alone. Its STS is a stand-in on loopback, which checks
/// what AWS documents; nothing was asked of AWS.
/// </summary>
public sealed class AwsSdkTests(AttestedMachine machine) : IClassFixture<AttestedMachine>, IDisposable
{
    private const string Audience = "sts.amazonaws.com";
    private const string Subject = $"gpu:GH100:policy:{ServiceWorld.PolicyId}:pass";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-aws-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string TokenFile => Path.Combine(_folder, "token");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("ES384")]
    [InlineData("RS256")]
    public async Task A_workload_with_the_SDK_gets_a_session_for_the_token_that_its_machine_opened(string algorithm)
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => Cloud(policy, Audience, algorithm));
        await using var sts = await StandInSts.StartAsync(world.Issuer, Subject, Audience);
        await using var workload = Workload(sts);
        File.WriteAllText(TokenFile, await OpenedAsync(world));

        var identity = await AskAsync(workload, "identity");

        Assert.True(identity.TryGetProperty("arn", out var arn), identity.ToString());
        Assert.Equal($"arn:aws:sts::{StandInSts.Account}:assumed-role/model-keys/assay", arn.GetString());
        var session = Assert.Single(sts.Sessions);
        Assert.Equal((Audience, Subject, "GH100", "success"), (session.Audience, session.Subject, session.Tags["gpu-model"], session.Tags["measres"]));
        // By the provider's own name, and with the file read again.
        File.WriteAllText(TokenFile, await OpenedAsync(world));
        var credentials = await AskAsync(workload, "credentials");
        Assert.Contains(sts.Sessions, issued => issued.SessionToken == credentials.GetProperty("sessionToken").GetString());
    }

    [Fact]
    public async Task A_token_that_is_expired_altered_for_another_audience_or_of_another_policy_gets_none()
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => Cloud(policy, Audience, "ES384"));
        await world.ActivateAsync("other-cloud", "https://vault.example", policy => Cloud(policy, "https://vault.example", "ES384"));
        await world.ActivateAsync("other-policy", "other-client", policy => Cloud(policy, "other-client", "ES384"));
        await using var sts = await StandInSts.StartAsync(world.Issuer, Subject, Audience, "other-client");
        await using var workload = Workload(sts);
        var token = await OpenedAsync(world);

        Assert.Equal("InvalidIdentityTokenException", await RefusedAsync(workload, $"{token[..^20]}{(token[^20] == 'A' ? 'B' : 'A')}{token[^19..]}"));
        Assert.Equal("InvalidIdentityTokenException", await RefusedAsync(workload, await OpenedAsync(world, "https://vault.example")));
        // Of the right provider and for one of its clients, but not what the role's trust policy names.
        Assert.Equal("AccessDenied", await RefusedAsync(workload, await OpenedAsync(world, "other-client")));
        // As it is handed over, it is of no use.
        Assert.Equal("InvalidIdentityTokenException", await RefusedAsync(workload, await SealedAsync(world, Audience)));
        sts.Ahead = TimeSpan.FromSeconds(301);
        Assert.Equal("ExpiredTokenException", await RefusedAsync(workload, token));
        sts.Ahead = TimeSpan.Zero;
        Assert.Empty(sts.Sessions);
        Assert.StartsWith("accepted", await RefusedAsync(workload, token), StringComparison.Ordinal);
    }

    /// <summary>What the stand-in takes and refuses, so that its yes means something.</summary>
    [Fact]
    public async Task The_stand_in_refuses_what_AWS_documents_that_it_refuses()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()), out var signing, out _));
        await using var provider = await Loopback.StartAsync(context => context.Response.Body.WriteAsync(context.Request.Path == "/keys" ? JsonWebKeySet.Of(signing.PublicKey).ToJson()
            : Encoding.UTF8.GetBytes($$"""{"issuer":"http://{{context.Request.Host}}","jwks_uri":"http://{{context.Request.Host}}/keys"}""")).AsTask());
        await using var sts = await StandInSts.StartAsync(provider.Text, Subject, Audience);
        Task<string> TokenAsync(string text) => AssumeAsync(sts, text);
        string With(Action<JsonObject>? change = null, SigningKey? other = null) => Token(other ?? signing, provider.Text, change);
        string Tagged(int count, int keyLength = 2, int valueLength = 1) => With(claims => claims["https://aws.amazon.com/tags"] = new JsonObject
        {
            ["principal_tags"] = new JsonObject([.. Enumerable.Range(0, count).Select(number => KeyValuePair.Create(number.ToString(CultureInfo.InvariantCulture).PadLeft(keyLength, 'k'), (JsonNode?)new JsonArray(new string('v', valueLength))))]),
        });

        Assert.Equal("", await TokenAsync(With()));
        Assert.Equal(("", "ValidationError"), (await TokenAsync(Tagged(50)), await TokenAsync(Tagged(51))));
        Assert.Equal(("", "ValidationError"), (await TokenAsync(Tagged(1, keyLength: 128)), await TokenAsync(Tagged(1, keyLength: 129))));
        Assert.Equal(("", "ValidationError"), (await TokenAsync(Tagged(1, valueLength: 256)), await TokenAsync(Tagged(1, valueLength: 257))));
        Assert.Equal("ValidationError", await TokenAsync(With(claims => claims["long"] = new string('x', 16_000))));
        Assert.Equal("InvalidIdentityToken", await TokenAsync(With(claims => claims["iss"] = "http://127.0.0.1:1")));
        Assert.Equal("InvalidIdentityToken", await TokenAsync(With(claims => claims["aud"] = "other")));
        Assert.Equal("InvalidIdentityToken", await TokenAsync(With(claims => claims.Remove("exp"))));
        Assert.Equal("ExpiredTokenException", await TokenAsync(With(claims => claims["exp"] = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 1)));
        Assert.Equal("AccessDenied", await TokenAsync(With(claims => claims["sub"] = "gpu:GB100:policy:other:pass")));
        Assert.Equal("InvalidIdentityToken", await TokenAsync(With(other: TokenFixture.NewKey(ECCurve.NamedCurves.nistP384))));
        Assert.Equal("InvalidIdentityToken", await TokenAsync($"{Encoded("""{"alg":"none"}""")}.{With().Split('.')[1]}."));
        Assert.Equal("ValidationError", await AssumeAsync(sts, With(), name: "a"));
        Assert.Equal("ValidationError", await AssumeAsync(sts, With(), name: "a b"));
        Assert.Equal("ValidationError", await AssumeAsync(sts, With(), name: new string('a', 65)));
        Assert.Equal("ValidationError", await AssumeAsync(sts, With(), role: "model-keys"));
        Assert.Equal("InvalidAction", await AssumeAsync(sts, With(), version: "2010-05-08"));
        Assert.Equal("InvalidAction", await AssumeAsync(sts, With(), action: "AssumeRole"));
    }

    private static void Cloud(JsonObject policy, string audience, string algorithm)
    {
        policy["audiences"] = new JsonArray(audience);
        var attributes = new JsonArray(new JsonObject { ["name"] = "gpu-model", ["claim"] = "gpu_model", ["transitive"] = true }, new JsonObject { ["name"] = "measres", ["claim"] = "measres" });
        policy["token"] = new JsonObject { ["form"] = "cloud", ["algorithm"] = algorithm, ["cloud"] = new JsonObject { ["kind"] = "aws", ["attributes"] = attributes } };
    }

    // Variables as "assay cloud-profile aws" names them, an address for STS, and no file of a user's own.
    private NodeProcess Workload(StandInSts sts) => NodeProcess.Start("sts_client.mjs", new Dictionary<string, string>
    {
        ["HOME"] = _folder,
        ["AWS_ROLE_ARN"] = StandInSts.Role,
        ["AWS_WEB_IDENTITY_TOKEN_FILE"] = TokenFile,
        ["AWS_ROLE_SESSION_NAME"] = "assay",
        ["AWS_REGION"] = "eu-central-1",
        ["AWS_ENDPOINT_URL_STS"] = sts.Address,
        ["AWS_EC2_METADATA_DISABLED"] = "true",
    });

    private static Task<JsonElement> AskAsync(NodeProcess workload, string what) => workload.AskAsync(new JsonObject { ["what"] = what });

    private async Task<string> RefusedAsync(NodeProcess workload, string token)
    {
        File.WriteAllText(TokenFile, token);
        var answer = await AskAsync(workload, "credentials");
        return answer.TryGetProperty("refused", out var name) ? name.GetString()! : $"accepted: {answer}";
    }

    private static async Task<string> SealedAsync(ServiceWorld world, string audience)
    {
        var answer = await world.AttestAsync(audience);
        Assert.True(answer.Status == 200, answer.Body.ToString());
        return answer.Body.GetProperty("token").GetString()!;
    }

    // In the VM: the agent opens what was sealed to its release key.
    private async Task<string> OpenedAsync(ServiceWorld world, string audience = Audience)
    {
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        using var token = await agent.UnwrapKeyAsync("release", await SealedAsync(world, audience), Cancellation);
        return token.Use(lease => Encoding.ASCII.GetString(lease.Bytes));
    }

    private static string Token(SigningKey key, string issuer, Action<JsonObject>? change)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = issuer, ["aud"] = Audience, ["sub"] = Subject, ["iat"] = now, ["exp"] = now + 300 };
        change?.Invoke(claims);
        return CompactJws.Write(key, Encoding.UTF8.GetBytes(claims.ToJsonString()));
    }

    private static string Encoded(string json) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    // The code of a refusal; empty where a session was issued.
    private static async Task<string> AssumeAsync(StandInSts sts, string token, string role = StandInSts.Role, string name = "assay", string version = "2011-06-15", string action = "AssumeRoleWithWebIdentity")
    {
        using var http = new HttpClient();
        using var form = new FormUrlEncodedContent([new("Action", action), new("Version", version), new("RoleArn", role), new("RoleSessionName", name), new("WebIdentityToken", token)]);
        form.Headers.ContentType = new MediaTypeHeaderValue("application/x-www-form-urlencoded");
        using var answer = await http.PostAsync(new Uri(sts.Address), form, Cancellation);
        var xml = System.Xml.Linq.XElement.Parse(await answer.Content.ReadAsStringAsync(Cancellation));
        return answer.IsSuccessStatusCode ? "" : xml.Descendants().Single(element => element.Name.LocalName == "Code").Value;
    }
}
