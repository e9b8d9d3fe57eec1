using System.Collections.Immutable;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Channels;
using Assay.Checks;
using Assay.Collateral;
using Assay.Policy;

namespace Assay.Client.Channels;

/// <summary>What this end demands of the other: how closely it is bound, for what, and whose it is. What it is, <see cref="Appraiser"/> decides.</summary>
public sealed record ChannelPolicy
{
    /// <summary>The lowest level. The other end cannot lower it, and no fault falls back.</summary>
    public ChannelLevel MinimumLevel { get; init; } = ChannelLevel.Exporter;

    /// <summary>What the channel is for, as the other end is configured too: 1 to 64 small letters, digits, dots and hyphens.</summary>
    public required string Purpose { get; init; }

    /// <summary>Whose.</summary>
    public required ChannelOperator Operator { get; init; }

    /// <summary>What.</summary>
    public required IChannelAppraiser Appraiser { get; init; }

    /// <summary>Weakenings of the verdict (<see cref="Weakening.Names"/>) that do not close the channel. Empty: a weakened verdict is refused, because bytes cross before a person could read it.</summary>
    public ImmutableArray<string> DangerouslyAcceptedWeakenings { get; init; } = [];

    /// <summary>For handshake, evidence and verdict together.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    internal void Require()
    {
        ArgumentNullException.ThrowIfNull(Operator);
        ArgumentNullException.ThrowIfNull(Appraiser);
        if (MinimumLevel is ChannelLevel.None || !ChannelBinding.IsPurpose(Purpose))
        {
            throw new ArgumentException($"a level and a purpose are expected, found {MinimumLevel} and \"{Purpose}\"");
        }
    }
}

/// <summary>Judges the other end's evidence.</summary>
public interface IChannelAppraiser
{
    /// <summary>The verdict over evidence that has to be bound to <see cref="ChannelEvidence.Challenge"/> and <see cref="ChannelEvidence.Key"/>. Whatever is not a pass closes the channel.</summary>
    /// <exception cref="ChannelException">It cannot be judged.</exception>
    Task<Verdict> AppraiseAsync(ChannelEvidence evidence, CancellationToken cancellation);
}

/// <summary>The appraiser of whole machines, for channels. May be used by many connections at once; keep one, for it remembers what verified.</summary>
/// <param name="appraiser">Fetches collateral and judges.</param>
/// <param name="expected">What is expected, asked anew for each connection: time passes, and reference values end. Challenge and key are set here.</param>
/// <param name="terms">The relying party's policy; null: everything must hold.</param>
public sealed class MachineChannelAppraiser(MachineAppraiser appraiser, Func<MachineExpectations> expected, VerdictTerms? terms = null) : IChannelAppraiser
{
    /// <inheritdoc/>
    public async Task<Verdict> AppraiseAsync(ChannelEvidence evidence, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        // Whatever else was stated: the binding to this connection is what makes it this connection's evidence.
        var asked = expected() with { Challenge = evidence.Challenge, Key = evidence.Key, Nonce = null, ReportData = null, RequireProcessor = true };
        try
        {
            return await appraiser.AppraiseAsync(evidence.Evidence, asked, terms ?? new VerdictTerms(), null, cancellation).ConfigureAwait(false);
        }
        catch (ArgumentException exception)
        {
            throw new ChannelException("channel.evidence", $"the evidence cannot be judged: {exception.Message}", exception);
        }
    }
}

/// <summary>What was found of the other end.</summary>
public sealed record ChannelResult
{
    /// <summary>How closely its evidence is bound to this connection.</summary>
    public required ChannelLevel Level { get; init; }

    /// <summary>What it is.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Whose it is, in words.</summary>
    public required string Operator { get; init; }

    /// <summary>What the channel is for.</summary>
    public required string Purpose { get; init; }

    /// <summary>16 bytes that the other VM's software gives for each boot of it. Its evidence is bound to them, and they name no machine: another machine can say the same.</summary>
    public required ReadOnlyMemory<byte> Epoch { get; init; }

    /// <summary>SHA-384 of its leaf.</summary>
    public required ReadOnlyMemory<byte> Leaf { get; init; }

    /// <summary>When its certificate ends.</summary>
    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>What weakens the result, by permanent names, sorted: the verdict's, and the channel's own.</summary>
    public required ImmutableArray<string> Weakened { get; init; }
}
