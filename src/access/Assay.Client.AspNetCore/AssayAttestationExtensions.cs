using Microsoft.AspNetCore.Authentication;

namespace Assay.Client.AspNetCore;

/// <summary>Authentication by attested channels.</summary>
public static class AssayAttestationExtensions
{
    /// <summary>The scheme's name where none is given.</summary>
    public const string Scheme = "AssayAttestation";

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
