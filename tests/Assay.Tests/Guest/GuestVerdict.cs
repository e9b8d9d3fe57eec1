using System.Collections.Immutable;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>The relying party of a simulated guest: it knows the image and the gate's policy, and judges what the guest shows as <c>assay verify</c> does.</summary>
internal static class GuestVerdict
{
    public static async Task<Verdict> OfAsync(GuestWorld world, ReadOnlyMemory<byte> bundle, string challenge, GateOutcome outcome = GateOutcome.Attested, string? policy = null)
    {
        Assert.True(MachineEvidence.TryParse(bundle.Span, "guest", out var evidence, out var fault), $"{fault}");
        Assert.True(TrustSet.TryParse(world.Hardware.Anchors, out var trust, out fault), $"{fault}");
        Assert.True(TdxCollateral.TryParse(world.Hardware.Collateral.Span, out var tdx, out fault), $"{fault}");
        Assert.True(ServiceAddress.TryParse(world.Url, out var url, out fault), $"{fault}");
        var digest = new Digest(Convert.FromHexString(policy ?? world.Report().GetProperty("gpuPolicy").GetString()!));
        var now = TimeProvider.System.GetUtcNow();
        var time = new EvaluationTime(now, TimeSource.System);
        var references = new ReferenceManifest
        {
            ImageName = "simulated guest",
            ImageVersion = "1",
            Sequence = 1,
            NotBefore = now.AddDays(-1),
            NotAfter = now.AddDays(1),
            Tdx = [new TdxReference { Name = "the image", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. world.Hardware.FirmwareRegisters.Select(register => (Digest?)new Digest(register.Span)), null] }],
            GpuPolicies = [digest],
        };
        Assert.True(ReferenceValues.TryRead(references.ToCanonicalJson(), keys: null, time, minimumSequence: 0, out var values, out _));
        using var sources = new CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        var expected = new MachineExpectations
        {
            Challenge = challenge,
            Basis = new TrustBasis(time, trust, RevocationChecking.Required),
            References = values,
            Gpus = outcome is GateOutcome.NoGpu ? 0 : GuestWorld.Gpus,
            Switches = outcome is GateOutcome.NoGpu ? 0 : GuestWorld.Switches,
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = GateRequirement.Rtmr, Policies = [digest], Outcome = outcome, Devices = null },
        };
        var appraiser = new MachineAppraiser(sources, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = tdx } };
        return await appraiser.AppraiseAsync(evidence, expected, cancellation: TestContext.Current.CancellationToken);
    }
}
