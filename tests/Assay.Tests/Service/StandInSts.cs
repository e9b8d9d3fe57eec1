using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Assay.Tests.Collateral;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Assay.Tests.Service;

/// <summary>A session that was issued.</summary>
internal sealed record StsSession(string AccessKeyId, string SessionToken, string Role, string Name, string Subject, string Audience, IReadOnlyDictionary<string, string> Tags);

/// <summary>
/// A stand-in for AWS STS on loopback. It checks what AWS documents of AssumeRoleWithWebIdentity, with Microsoft's reader of tokens and not ours, for one account with
/// one OIDC provider and one role. It is not AWS: it fetches discovery documents by http, the role's trust policy is the subject alone, a request's signature is not verified,
/// and which algorithms AWS takes beside RS256 is not verified (docs/reference/clouds.md).
/// </summary>
internal sealed partial class StandInSts : IAsyncDisposable
{
    public const string Account = "123456789012";
    public const string Role = $"arn:aws:iam::{Account}:role/model-keys";

    private const string Version = "2011-06-15";
    private const string TagsClaim = "https://aws.amazon.com/tags";
    private const int LongestToken = 20_000;
    private const int MostTags = 50;
    private const int LongestKey = 128;
    private const int LongestValue = 256;

    private static readonly string[] s_algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
    private static readonly XNamespace s_xml = $"https://sts.amazonaws.com/doc/{Version}/";

    private readonly ConcurrentDictionary<string, StsSession> _sessions = new(StringComparer.Ordinal);
    private Loopback? _server;

    private StandInSts()
    {
    }

    /// <summary>The provider's URL: <c>iss</c> of its tokens.</summary>
    public required string Provider { get; init; }

    /// <summary>The provider's client IDs.</summary>
    public required IReadOnlyList<string> ClientIds { get; init; }

    /// <summary>What the role's trust policy demands of <c>sub</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>How far its clock is ahead of the system's.</summary>
    public TimeSpan Ahead { get; set; }

    public string Address => _server!.Text;

    public IEnumerable<StsSession> Sessions => _sessions.Values;

    public static async Task<StandInSts> StartAsync(string provider, string subject, params IReadOnlyList<string> clientIds)
    {
        var sts = new StandInSts { Provider = provider, Subject = subject, ClientIds = clientIds };
        sts._server = await Loopback.StartAsync(sts.AnswerAsync);
        return sts;
    }

    public ValueTask DisposeAsync() => _server!.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            Require(form["Version"] == Version, "InvalidAction", $"Version {form["Version"]}");
            var result = form["Action"].ToString() switch
            {
                "AssumeRoleWithWebIdentity" => await AssumeAsync(form, context.RequestAborted),
                "GetCallerIdentity" => Identity(context.Request),
                var action => throw new Refusal("InvalidAction", action),
            };
            await WriteAsync(context, 200, new XElement(s_xml + $"{form["Action"]}Response", result, new XElement(s_xml + "ResponseMetadata", new XElement(s_xml + "RequestId", Guid.CreateVersion7()))));
        }
        catch (Refusal refusal)
        {
            await WriteAsync(context, refusal.Code == "AccessDenied" ? 403 : 400, new XElement(
                s_xml + "ErrorResponse",
                new XElement(s_xml + "Error", new XElement(s_xml + "Type", "Sender"), new XElement(s_xml + "Code", refusal.Code), new XElement(s_xml + "Message", refusal.Message)),
                new XElement(s_xml + "RequestId", Guid.CreateVersion7())));
        }
    }

    private async Task<XElement> AssumeAsync(IFormCollection form, CancellationToken cancellation)
    {
        var (role, name, text) = (form["RoleArn"].ToString(), form["RoleSessionName"].ToString(), form["WebIdentityToken"].ToString());
        Require(role.Length is >= 20 and <= 2048 && Arn().IsMatch(role), "ValidationError", "RoleArn");
        Require(SessionName().IsMatch(name), "ValidationError", "RoleSessionName");
        Require(text.Length is >= 4 and <= LongestToken, "ValidationError", "WebIdentityToken");
        Require(form["DurationSeconds"].Count == 0 || (int.TryParse(form["DurationSeconds"], CultureInfo.InvariantCulture, out var seconds) && seconds is >= 900 and <= 43_200), "ValidationError", "DurationSeconds");
        var token = await VerifiedAsync(text, cancellation);
        Require(role == Role && token.Subject == Subject, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        var session = new StsSession($"ASIA{Random(8)}", Random(32), role, name, token.Subject, token.Audiences.Single(), TagsOf(token));
        _sessions[session.AccessKeyId] = session;
        return new XElement(
            s_xml + "AssumeRoleWithWebIdentityResult",
            new XElement(s_xml + "SubjectFromWebIdentityToken", session.Subject),
            new XElement(s_xml + "Audience", session.Audience),
            new XElement(s_xml + "Provider", Provider),
            new XElement(s_xml + "AssumedRoleUser", new XElement(s_xml + "Arn", ArnOf(session)), new XElement(s_xml + "AssumedRoleId", $"AROAEXAMPLE:{name}")),
            new XElement(
                s_xml + "Credentials",
                new XElement(s_xml + "AccessKeyId", session.AccessKeyId),
                new XElement(s_xml + "SecretAccessKey", Random(20)),
                new XElement(s_xml + "SessionToken", session.SessionToken),
                new XElement(s_xml + "Expiration", TimeProvider.System.GetUtcNow().AddHours(1).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture))));
    }

    // Signature, provider and audience by discovery, and the time.
    private async Task<JsonWebToken> VerifiedAsync(string text, CancellationToken cancellation)
    {
        OpenIdConnectConfiguration configuration;
        try
        {
            configuration = await new ConfigurationManager<OpenIdConnectConfiguration>($"{Provider}/.well-known/openid-configuration", new OpenIdConnectConfigurationRetriever(), new HttpDocumentRetriever { RequireHttps = false }).GetConfigurationAsync(cancellation);
        }
        catch (InvalidOperationException)
        {
            throw new Refusal("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider");
        }

        Require(configuration.Issuer == Provider, "InvalidIdentityToken", "the discovery document names another issuer");
        var now = TimeProvider.System.GetUtcNow().UtcDateTime + Ahead;
        var result = await new JsonWebTokenHandler { MapInboundClaims = false }.ValidateTokenAsync(text, new TokenValidationParameters
        {
            ValidIssuer = Provider,
            ValidAudiences = ClientIds,
            ValidAlgorithms = s_algorithms,
            IssuerSigningKeys = configuration.SigningKeys,
            TryAllIssuerSigningKeys = false,
            LifetimeValidator = (notBefore, expires, _, _) => expires is { } end ? end > now ? notBefore is not { } begin || begin <= now : throw new SecurityTokenExpiredException("Token expired") : throw new SecurityTokenNoExpirationException("exp"),
        });
        return result.Exception switch
        {
            null => (JsonWebToken)result.SecurityToken,
            SecurityTokenExpiredException => throw new Refusal("ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time"),
            SecurityTokenInvalidAudienceException => throw new Refusal("InvalidIdentityToken", "Incorrect token audience"),
            var other => throw new Refusal("InvalidIdentityToken", other.GetType().Name),
        };
    }

    private static Dictionary<string, string> TagsOf(JsonWebToken token)
    {
        var tags = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (!token.TryGetPayloadValue<JsonElement>(TagsClaim, out var claim))
        {
            return tags;
        }

        foreach (var tag in claim.GetProperty("principal_tags").EnumerateObject())
        {
            Require(tag.Value.ValueKind is JsonValueKind.Array && tag.Value.GetArrayLength() == 1, "InvalidIdentityToken", $"{tag.Name}: one value is expected");
            Require(tag.Name.Length is >= 1 and <= LongestKey && Tag().IsMatch(tag.Name) && !tag.Name.StartsWith("aws:", StringComparison.OrdinalIgnoreCase), "ValidationError", "tag key");
            Require(tag.Value[0].GetString() is { Length: <= LongestValue } value && Tag().IsMatch(value), "ValidationError", "tag value");
            Require(tags.TryAdd(tag.Name, tag.Value[0].GetString()!), "InvalidIdentityToken", $"{tag.Name} twice");
        }

        Require(tags.Count <= MostTags, "ValidationError", "tags");
        Require(!claim.TryGetProperty("transitive_tag_keys", out var transitive) || transitive.EnumerateArray().All(key => tags.ContainsKey(key.GetString()!)), "InvalidIdentityToken", "transitive_tag_keys");
        return tags;
    }

    // Signature version 4 names the access key, and carries the token of the session.
    private XElement Identity(HttpRequest request)
    {
        var id = Credential().Match(request.Headers.Authorization.ToString()).Groups[1].Value;
        Require(_sessions.TryGetValue(id, out var session) && session.SessionToken == request.Headers["x-amz-security-token"], "InvalidClientTokenId", "The security token included in the request is invalid");
        return new XElement(s_xml + "GetCallerIdentityResult", new XElement(s_xml + "Arn", ArnOf(session!)), new XElement(s_xml + "UserId", $"AROAEXAMPLE:{session!.Name}"), new XElement(s_xml + "Account", Account));
    }

    private static string ArnOf(StsSession session) => $"arn:aws:sts::{Account}:assumed-role/model-keys/{session.Name}";

    private static string Random(int bytes) => Convert.ToHexString(RandomNumberGenerator.GetBytes(bytes));

    private static void Require(bool holds, string code, string message)
    {
        if (!holds)
        {
            throw new Refusal(code, message);
        }
    }

    private static Task WriteAsync(HttpContext context, int status, XElement body)
    {
        (context.Response.StatusCode, context.Response.ContentType) = (status, "text/xml");
        return context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(body.ToString())).AsTask();
    }

    private sealed class Refusal(string code, string message) : Exception(message)
    {
        public string Code { get; } = code;
    }

    [GeneratedRegex(@"\Aarn:aws:iam::\d{12}:role/[\w+=,.@/-]+\z")]
    private static partial Regex Arn();

    [GeneratedRegex(@"\A[\w+=,.@-]{2,64}\z", RegexOptions.ECMAScript)]
    private static partial Regex SessionName();

    [GeneratedRegex(@"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z")]
    private static partial Regex Tag();

    [GeneratedRegex("Credential=([A-Z0-9]+)/")]
    private static partial Regex Credential();
}
