using Assay.Client.Service;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Client.AspNetCore;

/// <summary>Authentication by attested channels, and by tokens of an attestation service.</summary>
public static class AssayAttestationExtensions
{
    /// <summary>The scheme's name where none is given.</summary>
    public const string Scheme = "AssayAttestation";

    /// <summary>The name of the scheme of tokens where none is given.</summary>
    public const string TokenScheme = "AssayToken";

    /// <summary>
    /// The user of a request is the machine that its bearer token is about: an EAT of the service <see cref="AssayTokenOptions.Issuer"/>, for this audience, verified under keys that
    /// are found by the issuer's name. The holder of such a token is the user.
    /// </summary>
    /// <param name="builder">Of <c>AddAuthentication</c>.</param>
    /// <param name="configure">Names issuer and audience.</param>
    /// <param name="scheme">The scheme's name.</param>
    public static AuthenticationBuilder AddAssayToken(this AuthenticationBuilder builder, Action<AssayTokenOptions> configure, string scheme = TokenScheme)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.PostConfigure<AssayTokenOptions>(scheme, options => options.Keys ??= options.Issuer.Length == 0 ? null : new IssuerKeySource(options.Issuer, options.TimeProvider ?? TimeProvider.System));
        return builder.AddScheme<AssayTokenOptions, TokenHandler>(scheme, configure);
    }

    /// <summary>
    /// The user of a request is the attested client of its connection, with <see cref="AssayClaimTypes"/>. On a connection without one there is no user: a server of one-sided channels,
    /// and one that also listens elsewhere, answers 401 where a user is required.
    /// </summary>
    /// <param name="builder">Of <c>AddAuthentication</c>.</param>
    /// <param name="configure">Changes the options; null: a client counts at the level exporter alone.</param>
    /// <param name="scheme">The scheme's name.</param>
    public static AuthenticationBuilder AddAssayAttestation(this AuthenticationBuilder builder, Action<AssayAttestationOptions>? configure = null, string scheme = Scheme)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddScheme<AssayAttestationOptions, AttestationHandler>(scheme, configure);
    }
}
