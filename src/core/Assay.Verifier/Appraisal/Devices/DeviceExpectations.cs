using Assay.Authentication;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Devices;

/// <summary>What the relying party expects. All of it is stated: there is no "skip if unset".</summary>
public sealed record DeviceExpectations
{
    /// <summary>The challenge that every report must answer. Null: freshness is not proven, and the verdict says so.</summary>
    public required Nonce? Nonce { get; init; }

    /// <summary>Time, trust set and revocation, as of all parts of the machine.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>
    /// Tolerates certificateHold on RIM signers (never on device chains, S-19), which NVIDIA puts on pre-release drivers. A weakening.
    /// </summary>
    public bool DangerouslyAcceptHeldRimSigner { get; init; }

    /// <summary>Refuses devices whose firmware reports no FWID, instead of showing not-applicable.</summary>
    public bool RequireFwid { get; init; }

    /// <summary>How old an OCSP answer may be even inside its window; null for the window alone.</summary>
    public TimeSpan? MaximumOcspAge { get; init; }

    internal DeviceQuestion Question => new(Nonce, Basis.Trust, RequireFwid);
}
