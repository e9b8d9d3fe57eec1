using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Client.Channels;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>
/// The relying party of a simulated guest: it knows the image by its measurements and the gate by the digest of its policy, and judges what a guest shows
/// as <c>assay verify</c> does.
/// </summary>
internal sealed class RelyingParty
{
    /// <summary>Where collateral of devices comes from. Stays the caller's.</summary>
    public required CollateralSources Sources { get; init; }

    /// <summary>What <c>assay-guest digest</c> prints of the image's configuration.</summary>
    public required string Policy { get; init; }

    /// <summary>How the gate must have ended.</summary>
    public GateOutcome Outcome { get; init; } = GateOutcome.Attested;

    /// <summary>How many GPUs it must have.</summary>
    public required int Gpus { get; init; }

    /// <summary>How many switches it must have.</summary>
    public required int Switches { get; init; }

    /// <summary>The machines that it knows; null: it accepts any.</summary>
    public KnownPlatforms? Platforms { get; init; }

    /// <summary>The verdict over a bundle.</summary>
    /// <param name="hardware">Whose maker's anchors and collateral of the processor count.</param>
    /// <param name="bundle">What the guest showed.</param>
    /// <param name="challenge">What it was asked.</param>
    /// <param name="cancellation">Ends the wait for collateral.</param>
    /// <exception cref="InvalidOperationException">The bundle, or what the simulator makes, cannot be read at all.</exception>
    public async Task<Verdict> JudgeAsync(SimulatedGuest hardware, ReadOnlyMemory<byte> bundle, string challenge, CancellationToken cancellation) =>
        MachineEvidence.TryParse(bundle.Span, "the guest's evidence", out var evidence, out var fault)
            ? await Appraiser(hardware).AppraiseAsync(evidence, Expected(hardware) with { Challenge = challenge }, cancellation: cancellation).ConfigureAwait(false)
            : throw new InvalidOperationException($"the guest's evidence cannot be read: {fault}");

    /// <summary>The same party, judging the other end of channels. Remembers what verified.</summary>
    public IChannelAppraiser OfChannels(SimulatedGuest hardware) => new MachineChannelAppraiser(Appraiser(hardware), () => Expected(hardware));

    /// <summary>The reference values of the image, as a file.</summary>
    public byte[] ReferenceFile(SimulatedGuest hardware) =>
        ReferencesOf(hardware, new Digest(Convert.FromHexString(Policy)), new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System)).Manifest.ToCanonicalJson();

    private MachineAppraiser Appraiser(SimulatedGuest hardware) =>
        TdxCollateral.TryParse(hardware.Collateral.Span, out var tdx, out var fault) ? new MachineAppraiser(Sources, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = tdx } }
            : throw new InvalidOperationException($"the simulator's collateral cannot be read: {fault}");

    private MachineExpectations Expected(SimulatedGuest hardware)
    {
        if (!TrustSet.TryParse(hardware.Anchors, out var trust, out var fault))
        {
            throw new InvalidOperationException($"the simulator's anchors cannot be read: {fault}");
        }

        var policy = new Digest(Convert.FromHexString(Policy));
        var time = new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System);
        return new MachineExpectations
        {
            Basis = new TrustBasis(time, trust, RevocationChecking.Required),
            References = ReferencesOf(hardware, policy, time),
            Gpus = Gpus,
            Switches = Switches,
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = GateRequirement.Rtmr, Policies = [policy], Outcome = Outcome, Devices = null },
        };
    }

    // What an image builder publishes. RTMR3 is the boot's own: its events are judged one by one.
    private ReferenceValues ReferencesOf(SimulatedGuest hardware, Digest policy, EvaluationTime time)
    {
        var references = new ReferenceManifest
        {
            Version = Platforms is null ? 1 : 3,
            Platforms = Platforms,
            ImageName = "simulated guest",
            ImageVersion = "1",
            Sequence = 1,
            NotBefore = time.Instant.AddDays(-1),
            NotAfter = time.Instant.AddDays(1),
            Tdx = [new TdxReference { Name = "the image", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. hardware.FirmwareRegisters.Select(register => (Digest?)new Digest(register.Span)), null] }],
            GpuPolicies = [policy],
        };
        return ReferenceValues.TryRead(references.ToCanonicalJson(), keys: null, time, minimumSequence: 0, out var values, out _) ? values
            : throw new InvalidOperationException("the reference values of the simulated guest cannot be read");
    }
}
