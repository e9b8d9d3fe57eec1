using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.AspNetCore;
using Assay.Client.Service;
using Assay.Trust;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>A relying party on ASP.NET Core that knows an issuer and its own name.</summary>
public sealed class TokenHandlerTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_machine_of_a_token_is_the_user_and_nothing_else_is()
    {
        await using var world = await ServiceWorld.StartAsync(machine, policy: policy => policy["audiences"] = new JsonArray(ServiceWorld.Audience, "https://other.example"));
        await using var party = await StartAsync(world);
        using var client = ClientOf(party);
        var token = (await world.AttestAsync()).Body.GetProperty("token").GetString()!;

        var (status, body) = await AskAsync(client, token);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(("boot-event", 2), (body.GetProperty("assay:binding").EnumerateArray().Single().GetString(), body.GetProperty("assay:gpu-ueid").GetArrayLength()));

        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(client, null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(client, world.Key)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(client, token[..^2] + (token[^2] == 'A' ? "BA" : "AA"))).Status);
        // A token that the service wrote for another relying party.
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(client, (await world.AttestAsync("https://other.example")).Body.GetProperty("token").GetString())).Status);
    }

    [Fact]
    public async Task Weakenings_and_simulated_roots_are_accepted_by_name_alone()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        await using var strict = await StartAsync(world, options => options.DangerouslyAcceptedWeakenings = []);
        await using var real = await StartAsync(world, options => options.OtherAnchors = []);
        var token = (await world.AttestAsync()).Body.GetProperty("token").GetString()!;

        foreach (var party in (WebApplication[])[strict, real])
        {
            using var client = ClientOf(party);
            Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(client, token)).Status);
        }
    }

    [Fact]
    public async Task Keys_of_an_issuer_are_asked_for_again_where_a_new_one_is_named_and_believed_for_an_hour_while_it_is_away()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var clock = new Later();
        using var source = new IssuerKeySource(world.Issuer, clock);
        // A stranger who hangs up ends his own wait and not the asking: otherwise he would keep every one from the keys.
        using var gone = new CancellationTokenSource();
        var asked = source.GetAsync(null, gone.Token);
        await gone.CancelAsync();
        await asked.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        var before = (await source.GetAsync(null, Cancellation)).Keys!.Keys.Length;
        var rotated = await world.PostAsync("/v1/signing-keys/rotate", """{"algorithm":"ES384"}""", world.OperatorKey);
        Assert.InRange(rotated.Status, 200, 201);
        var id = (await world.GetAsync("/.well-known/jwks.json", "")).Body.GetProperty("keys").EnumerateArray().Select(key => key.GetProperty("kid").GetString()!).Single(kid => source.GetAsync(null, Cancellation).Result.Keys!.Keys.All(known => known.KeyId != kid));

        // A stranger who names keys of his own makes it ask twice a minute, and no more often.
        Assert.Equal(before, (await source.GetAsync(id, Cancellation)).Keys!.Keys.Length);
        clock.Ahead += TimeSpan.FromSeconds(31);
        Assert.Equal(before + 1, (await source.GetAsync(id, Cancellation)).Keys!.Keys.Length);

        await world.StopAsync();
        clock.Ahead += TimeSpan.FromMinutes(59);
        Assert.NotNull((await source.GetAsync(id, Cancellation)).Keys);
        clock.Ahead += TimeSpan.FromMinutes(2);
        var (keys, whyNot) = await source.GetAsync(id, Cancellation);
        Assert.Null(keys);
        Assert.Contains(world.Issuer, whyNot, StringComparison.Ordinal);
        await world.StartAsync();
    }

    [Fact]
    public void Without_issuer_or_audience_there_is_no_scheme()
    {
        var options = new AssayTokenOptions { Issuer = "https://attest.example" };

        Assert.Contains("Audience", Assert.Throws<InvalidOperationException>(options.Validate).Message, StringComparison.Ordinal);
    }

    private static HttpClient ClientOf(WebApplication party) => new() { BaseAddress = new Uri(party.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()) };

    private static async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(HttpClient client, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        using var answer = await client.SendAsync(request, Cancellation);
        var body = await answer.Content.ReadAsByteArrayAsync(Cancellation);
        return (answer.StatusCode, body.Length == 0 ? default : JsonElement.Parse(body));
    }

    private static async Task<WebApplication> StartAsync(ServiceWorld world, Action<AssayTokenOptions>? change = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddRouting().AddAuthorization().AddAuthentication(AssayAttestationExtensions.TokenScheme).AddAssayToken(options =>
        {
            options.Issuer = world.Issuer;
            options.Audience = ServiceWorld.Audience;
            options.DangerouslyAcceptedWeakenings = ["reference-values-unsigned"];
            options.OtherAnchors = [TrustSetKind.Simulated];
            change?.Invoke(options);
        });
        var application = builder.Build();
        application.UseRouting();
        application.UseAuthentication();
        application.UseAuthorization();
        application.MapGet("/", (HttpContext context) => context.User.Claims.GroupBy(claim => claim.Type).ToDictionary(group => group.Key, group => group.Select(claim => claim.Value).ToArray())).RequireAuthorization();
        await application.StartAsync(Cancellation);
        return application;
    }

    /// <summary>The system's clock, but later.</summary>
    private sealed class Later : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long GetTimestamp() => System.GetTimestamp() + (long)(Ahead.TotalSeconds * TimestampFrequency);
    }
}
