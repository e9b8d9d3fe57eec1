using Assay.Channels;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Client.Channels;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Policy;

namespace Assay.Cli.Channels;

/// <summary>Judges the other end of channels by a verify file that was read once: what it states is the same for each connection, and the time is not.</summary>
/// <param name="request">The verify file, with its files read.</param>
/// <param name="configuration">What verdicts say of it.</param>
/// <param name="clock">The time of each judgement.</param>
internal sealed class PolicyAppraiser(VerifyRequest request, VerdictConfiguration? configuration, TimeProvider clock) : IChannelAppraiser
{
    public async Task<Verdict> AppraiseAsync(ChannelEvidence evidence, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        var now = clock.GetUtcNow();
        RequireCurrent(now);
        var stated = request.Machine.Expected;
        var appraiser = new MachineAppraiser(request.Sources, request.Cache) { Given = Given(evidence), Patience = request.Patience };
        var judge = new MachineChannelAppraiser(
            appraiser,
            () => stated with { Basis = stated.Basis with { Time = new EvaluationTime(now, TimeSource.System) } },
            new VerdictTerms { Policy = request.Policy, Claims = request.Claims });
        return Accepted(await judge.AppraiseAsync(evidence, cancellation).ConfigureAwait(false) with { Configuration = configuration });
    }

    // A channel carries what the machine must be trusted with: a pass that is weaker than was agreed on opens none.
    private Verdict Accepted(Verdict verdict)
    {
        var refused = verdict.Kind is VerdictKind.Pass ? LoadedPolicy.Unaccepted(request, verdict.Weakened) : [];
        return refused.IsEmpty ? verdict
            : throw new ChannelException("channel.weakened", $"the evidence passes, weakened by {string.Join(", ", refused)}, which accept.weakened of the verify file does not name") { Verdict = verdict };
    }

    private ProcessorCollateral? Given(ChannelEvidence evidence)
    {
        if (request.ProcessorCollateral is not { } path || evidence.Evidence.Cpu is not { } cpu)
        {
            return null;
        }

        return ProcessorCollateralFiles.TryRead(path, cpu, out var collateral, out var whyNot) ? collateral
            : throw new ChannelException("cpu.collateral", whyNot);
    }

    // They were judged when the file was read; a proxy outlives some of them.
    private void RequireCurrent(DateTimeOffset now)
    {
        if (request.Machine.Expected.References?.Manifest is { } manifest && now > manifest.NotAfter)
        {
            throw new ChannelException("channel.policy.ended", $"the reference values of {manifest.ImageName} {manifest.ImageVersion} ended at {Instant.Text(manifest.NotAfter)}: get the image's latest manifest");
        }

        if (request.Bundle is { } bundle && now > bundle.Manifest.GoodUntil)
        {
            throw new ChannelException("channel.policy.ended", $"{request.BundleName} was valid until {Instant.Text(bundle.Manifest.GoodUntil)}: get a newer bundle of collateral");
        }
    }
}
