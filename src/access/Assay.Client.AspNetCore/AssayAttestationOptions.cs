using Assay.Binding;
using Microsoft.AspNetCore.Authentication;

namespace Assay.Client.AspNetCore;

/// <summary>Which attested peers are users.</summary>
public sealed class AssayAttestationOptions : AuthenticationSchemeOptions
{
    /// <summary>The lowest level at which a client is anybody, whatever level its connection was accepted at.</summary>
    public ChannelLevel MinimumLevel { get; set; } = ChannelLevel.Exporter;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        if (MinimumLevel is not (ChannelLevel.Certificate or ChannelLevel.Challenge or ChannelLevel.Exporter))
        {
            throw new InvalidOperationException($"{nameof(MinimumLevel)}: certificate, challenge or exporter is expected, found {MinimumLevel}");
        }
    }
}
