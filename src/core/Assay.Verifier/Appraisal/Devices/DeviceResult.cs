using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Reference;

namespace Assay.Appraisal.Devices;

/// <summary>Everything that was asked about one device, and the answers.</summary>
public sealed record DeviceResult
{
    /// <summary>Its place in the evidence, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Where its evidence came from.</summary>
    public required string Source { get; init; }

    /// <summary>In check order. None of them is ever left out.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes could not even be read.</summary>
    public required bool Unparsable { get; init; }

    /// <summary>The proof; null when the evidence is not authentic, and then nothing below is set.</summary>
    public AuthenticDevice? Device { get; init; }

    /// <summary>What it was authenticated with: nothing else may be asked of it afterwards.</summary>
    internal DeviceExpectations? Asked { get; init; }

    /// <summary>Its own chain at the evaluation time.</summary>
    internal ChainStatus? Chain { get; init; }

    /// <summary>
    /// Why its own certificates are not known to be good: <c>revoked</c>, <c>unknown</c>, <c>not-authentic</c> (the answer) or <c>no-answer</c>; null where
    /// they are, and where it was not asked. Each has a cure of its own.
    /// </summary>
    public string? RevocationFault => Chain?.Fault;

    /// <summary>The RIMs that it needs.</summary>
    internal ImmutableArray<RimResult> Rims { get; init; } = [];

    /// <summary>The comparison of its measurements; null when no RIM was usable.</summary>
    public MeasurementMatch? Measurements { get; init; }

    /// <summary>The comparison of its security version numbers; null when no RIM was usable.</summary>
    internal MinimumSvnMatch? MinimumSvns { get; init; }

    /// <summary>GPU or switch; None when it is not authentic.</summary>
    public DeviceKind Kind => Device?.Identity.Kind ?? DeviceKind.None;

    /// <summary>Whether every RIM that it needs was usable, so that all golden values were compared.</summary>
    public bool AllRimsUsable => !Rims.IsDefaultOrEmpty && Rims.All(rim => rim.IsUsable);

    /// <summary>NVIDIA's <c>measres</c>: whether all golden values of all its RIMs were met.</summary>
    public bool MeasurementsMatch => AllRimsUsable && Measurements is { Holds: true } && MinimumSvns is { Holds: true };

    /// <summary>The RIM of a role; null when the device needs none such.</summary>
    internal RimResult? Rim(RimRole role) => Rims.FirstOrDefault(rim => rim.Requirement.Role == role);
}
