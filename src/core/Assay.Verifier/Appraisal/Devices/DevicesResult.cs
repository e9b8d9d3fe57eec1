using System.Collections.Immutable;
using Assay.Checks;
using Assay.Trust;

namespace Assay.Appraisal.Devices;

/// <summary>Something that was needed and could not be had.</summary>
/// <param name="Kind"><c>rim</c>, <c>corim</c> or <c>ocsp</c>.</param>
/// <param name="Id">The RIM id; for OCSP the device's model and ueid, or the RIM whose signers are meant; for CoRIM chip and role.</param>
/// <param name="Reason">Why it could not be had, and what to do.</param>
/// <param name="DeviceIndex">The first device that needs it.</param>
public sealed record MissingItem(string Kind, string Id, string Reason, int DeviceIndex)
{
    /// <summary>The whole address at which NVIDIA serves it (OCSP is asked by POST); null for simulated devices, and where there is none.</summary>
    public string? Url { get; init; }

    /// <summary>The option of <c>assay verify</c> that has the manufacturer asked for it; null where there is no address.</summary>
    public string? FetchOption => Url is null ? null : Kind is "rim" ? "--rim-url nvidia" : "--ocsp-url nvidia";

    /// <summary>Of a RIM: the ids nearest to it that the source does have for the same chip and board; empty where it has none or cannot list.</summary>
    public ImmutableArray<string> Nearest { get; init; } = [];
}

/// <summary>The answers about a set of devices. It states no verdict: the Policy room does.</summary>
public sealed record DevicesResult
{
    /// <summary>In the order of the evidence.</summary>
    public required ImmutableArray<DeviceResult> Devices { get; init; }

    /// <summary>Findings about the set as a whole.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>What could not be had.</summary>
    public required ImmutableArray<MissingItem> Missing { get; init; }

    /// <summary>By which clock, under whose anchors.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>Whether every report answers the nonce that the relying party gave.</summary>
    public required bool FreshnessProven { get; init; }

    /// <summary>What was waived, by permanent names, sorted.</summary>
    public required ImmutableArray<string> Weakened { get; init; }

    /// <summary>Where no device is shown.</summary>
    internal static DevicesResult None(TrustBasis basis) => new() { Devices = [], Findings = [], Missing = [], Basis = basis, FreshnessProven = false, Weakened = [] };

    /// <summary>All findings: the set's, then each device's.</summary>
    public IEnumerable<Finding> AllFindings => Findings.Concat(Devices.SelectMany(device => device.Findings));

    /// <summary>Whether some evidence could not even be read.</summary>
    public bool Unparsable => Devices.Any(device => device.Unparsable);
}
