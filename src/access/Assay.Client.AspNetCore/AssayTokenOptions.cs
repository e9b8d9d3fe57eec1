using System.Collections.Immutable;
using Assay.Appraisal.Machine;
using Assay.Client.Service;
using Assay.Trust;
using Microsoft.AspNetCore.Authentication;

namespace Assay.Client.AspNetCore;

/// <summary>Whose tokens make a user, and what they must say.</summary>
public sealed class AssayTokenOptions : AuthenticationSchemeOptions
{
    /// <summary>The attestation service: the <c>iss</c> of its tokens, under which it publishes its keys.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The name under which this server is the tokens' audience. A token for another one makes no user.</summary>
    public string Audience { get; set; } = "";

    /// <summary>How the devices must be bound to the VM, at the least.</summary>
    public GpuBinding RequiredBinding { get; set; } = GpuBinding.BootEvent;

    /// <summary>Accepts these weakenings, by their permanent names, and no others.</summary>
    public ImmutableArray<string> DangerouslyAcceptedWeakenings { get; set; } = [];

    /// <summary>Anchors that are accepted in addition to the manufacturers': <c>Custom</c>, <c>Simulated</c> or both.</summary>
    public ImmutableArray<TrustSetKind> OtherAnchors { get; set; } = [];

    /// <summary>The issuer's keys; null: they are found by its name.</summary>
    public IssuerKeySource? Keys { get; set; }

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        if (Issuer.Length == 0 || Audience.Length == 0)
        {
            throw new InvalidOperationException($"{nameof(Issuer)} and {nameof(Audience)} are expected: a token of any issuer, or for any audience, proves nothing here");
        }
    }
}
