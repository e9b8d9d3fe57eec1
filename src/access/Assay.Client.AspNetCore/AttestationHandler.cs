using System.Globalization;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Assay.Binding;
using Assay.Client.Channels;
using Assay.Evidence.Files;
using Assay.Policy;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Assay.Client.AspNetCore;

/// <summary>The user is the attested client of the connection. Nothing of the request itself is looked at: no header makes a user, and none takes one away.</summary>
internal sealed class AttestationHandler(IOptionsMonitor<AssayAttestationOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AssayAttestationOptions>(options, logger, encoder)
{
    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(Authenticate());

    private AuthenticateResult Authenticate()
    {
        if (Context.Features.Get<AssayChannelFeature>()?.Peer is not { } peer)
        {
            return AuthenticateResult.NoResult();
        }

        if (peer.Level < Options.MinimumLevel || peer.Verdict.Kind is not VerdictKind.Pass)
        {
            return AuthenticateResult.Fail($"the client is attested at the level \"{ChannelBinding.WordOf(peer.Level)}\" with the verdict \"{peer.Verdict.Word}\", at least \"{ChannelBinding.WordOf(Options.MinimumLevel)}\" and \"pass\" are expected");
        }

        // A connection can outlive what was judged when it opened.
        if (TimeProvider.GetUtcNow() > peer.NotAfter)
        {
            return AuthenticateResult.Fail($"the client's certificate ended at {peer.NotAfter:u}: a new connection has to be opened");
        }

        // Named by the key that it proved to have: all else is what its software says, or is the same for many.
        var identity = new ClaimsIdentity(ClaimsOf(peer), Scheme.Name, AssayClaimTypes.Leaf, ClaimsIdentity.DefaultRoleClaimType);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name));
    }

    private IEnumerable<Claim> ClaimsOf(ChannelResult peer)
    {
        var gpus = peer.Verdict.Appraisal.Devices.Where(device => device.Kind is DeviceKind.Gpu && device.Device is not null).Select(device => device.Device!.Identity.Ueid).ToArray();
        (string Type, string Value)[] claims =
        [
            (AssayClaimTypes.Level, ChannelBinding.WordOf(peer.Level)),
            (AssayClaimTypes.Purpose, peer.Purpose),
            (AssayClaimTypes.Operator, peer.Operator),
            (AssayClaimTypes.Epoch, Convert.ToHexStringLower(peer.Epoch.Span)),
            (AssayClaimTypes.Leaf, Convert.ToHexStringLower(peer.Leaf.Span)),
            (AssayClaimTypes.Binding, peer.Verdict.Binding),
            (AssayClaimTypes.Platform, peer.Verdict.Platform),
            (AssayClaimTypes.Gpus, gpus.Length.ToString(CultureInfo.InvariantCulture)),
            .. gpus.Select(ueid => (AssayClaimTypes.GpuUeid, ueid)),
            .. peer.Weakened.Select(name => (AssayClaimTypes.Weakened, name)),
        ];
        return claims.Select(claim => new Claim(claim.Type, claim.Value, ClaimValueTypes.String, ClaimsIssuer));
    }
}
