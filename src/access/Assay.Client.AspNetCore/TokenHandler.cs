using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Checks;
using Assay.Tokens;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Assay.Client.AspNetCore;

/// <summary>
/// The user is the machine that a bearer token of an attestation service is about. A bearer token proves that its holder was given it: where that is not
/// enough, take an attested channel, whose peer proves its key on the connection.
/// </summary>
internal sealed class TokenHandler(IOptionsMonitor<AssayTokenOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AssayTokenOptions>(options, logger, encoder)
{
    private const string Bearer = "Bearer";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Headers.Authorization.Count != 1 || !AuthenticationHeaderValue.TryParse(Request.Headers.Authorization, out var header)
            || !Bearer.Equals(header.Scheme, StringComparison.OrdinalIgnoreCase) || header.Parameter is not { Length: > 0 } text)
        {
            return AuthenticateResult.NoResult();
        }

        // Another scheme's, perhaps: what is no token of this form is left to it.
        if (!CompactJws.TryParse(text, out var jws, out _) || !EatReader.IsFor(jws))
        {
            return AuthenticateResult.NoResult();
        }

        var kid = jws.Header.TryGetProperty("kid", out var named) && named.ValueKind is JsonValueKind.String ? named.GetString() : null;
        var (keys, whyNot) = await Options.Keys!.GetAsync(kid, Context.RequestAborted).ConfigureAwait(false);
        return keys is null ? AuthenticateResult.Fail($"no key of {Options.Issuer}: {whyNot}") : Authenticate(text, keys);
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = 401;
        Response.Headers.WWWAuthenticate = Bearer;
        return Task.CompletedTask;
    }

    private AuthenticateResult Authenticate(string text, JsonWebKeySet keys)
    {
        var expected = new EatExpectations
        {
            Nonce = null,
            Issuer = Options.Issuer,
            Audience = Options.Audience,
            Time = new EvaluationTime(TimeProvider.GetUtcNow(), TimeSource.System),
            RequiredBinding = Options.RequiredBinding,
            DangerouslyAcceptedWeakenings = Options.DangerouslyAcceptedWeakenings,
            OtherAnchors = Options.OtherAnchors,
        };
        if (!EatReader.TryVerify(text, keys, expected, out var verified, out var findings))
        {
            // The ids alone: what was found is what somebody sent.
            return AuthenticateResult.Fail($"the token does not hold: {string.Join(", ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id))}");
        }

        var identity = new ClaimsIdentity(ClaimsOf(verified), Scheme.Name, AssayClaimTypes.Subject, ClaimsIdentity.DefaultRoleClaimType);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), new AuthenticationProperties { ExpiresUtc = verified.ExpiresAt }, Scheme.Name));
    }

    private static IEnumerable<Claim> ClaimsOf(VerifiedEat token)
    {
        var gpus = token.Devices.Where(device => Text(device.Value, "x-nvidia-device-type") is "gpu").Select(device => Text(device.Value, "ueid")).OfType<string>();
        (string Type, string? Value)[] claims =
        [
            (AssayClaimTypes.Subject, Text(token.Claims, "sub")),
            (AssayClaimTypes.Token, Text(token.Claims, "jti")),
            (AssayClaimTypes.Binding, Text(token.Claims, "x-assay-gpu-binding")),
            (AssayClaimTypes.Anchors, Text(token.Claims, "x-assay-anchors")),
            (AssayClaimTypes.TimeSource, Text(token.Claims, "x-assay-time-source")),
            (AssayClaimTypes.Policy, token.Claims.TryGetProperty("x-assay-policy", out var policy) && policy.ValueKind is JsonValueKind.Object ? Text(policy, "id") : null),
            .. token.Claims.GetProperty("x-assay-weakened").EnumerateArray().Select(name => (AssayClaimTypes.Weakened, name.GetString())),
            .. gpus.Select(ueid => (AssayClaimTypes.GpuUeid, (string?)ueid)),
        ];
        return claims.Where(claim => claim.Value is not null).Select(claim => new Claim(claim.Type, claim.Value!, ClaimValueTypes.String, token.Issuer));
    }

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
}
