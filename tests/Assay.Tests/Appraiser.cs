using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Collateral;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Tests;

/// <summary>The one road for tests that look at the answers about devices alone.</summary>
internal sealed class Appraiser(ICollateralSource? rims, ICollateralSource? ocsp, VerifierCache cache)
{
    public async Task<DevicesResult> AppraiseAsync(IReadOnlyList<DeviceEvidence> evidence, DeviceExpectations expected, IProgress<AppraisalProgress>? progress, CancellationToken cancellation)
    {
        var appraiser = new MachineAppraiser(new CollateralSources { Rims = rims, Ocsp = ocsp }, cache);
        return (await appraiser.AppraiseAsync(new MachineEvidence { Devices = [.. evidence] }, Of(expected), progress: progress, cancellation: cancellation)).Appraisal;
    }

    private static MachineExpectations Of(DeviceExpectations expected) => new()
    {
        Nonce = expected.Nonce,
        Basis = expected.Basis,
        DangerouslyAcceptHeldRimSigner = expected.DangerouslyAcceptHeldRimSigner,
        RequireFwid = expected.RequireFwid,
        MaximumCollateralAge = expected.MaximumOcspAge,
    };
}
