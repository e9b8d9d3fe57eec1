using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>
/// A log whose replay gives the register values that were signed, register by register. Events of registers where it does not are not
/// in it. The only way to get one is <see cref="TryReplay"/>.
/// </summary>
internal sealed class AuthenticEventLog
{
    private readonly int _position;

    private AuthenticEventLog(EventLog log, QuotedRegisters quoted, ImmutableArray<int> replayed, ImmutableArray<RegisterMismatch> mismatches)
    {
        Log = log;
        Quoted = quoted;
        Replayed = replayed;
        Mismatches = mismatches;
        Events = [.. log.Events.Where(item => item.IsExtended && replayed.Contains(item.Register))];
        _position = log.Banks.IndexOf(quoted.Bank);
    }

    /// <summary>The log as it was given, for people to look at: events of mismatching registers too.</summary>
    public EventLog Log { get; }

    /// <summary>The signed values.</summary>
    public QuotedRegisters Quoted { get; }

    /// <summary>The registers whose value the log explains, ascending.</summary>
    public ImmutableArray<int> Replayed { get; }

    /// <summary>The signed registers whose value it does not explain.</summary>
    internal ImmutableArray<RegisterMismatch> Mismatches { get; }

    /// <summary>What was extended into the explained registers, in order.</summary>
    public ImmutableArray<BootEvent> Events { get; }

    /// <summary>The event's digest in the signed bank.</summary>
    public Digest DigestOf(BootEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        return item.Digests[_position];
    }

    /// <summary>Where the signed bank stands in <see cref="BootEvent.Digests"/>.</summary>
    internal int Position => _position;

    internal TcgHash Bank => Quoted.Bank;

    /// <summary>Replays the log against signed values. False when nothing of it can be compared.</summary>
    internal static bool TryReplay(EventLog log, QuotedRegisters quoted, [NotNullWhen(true)] out AuthenticEventLog? authentic, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(quoted);
        authentic = null;
        whyNot = log.Registers != quoted.Kind ? $"the log is about {Name(log.Registers)}, the quote about {Name(quoted.Kind)}"
            : !log.Banks.Contains(quoted.Bank) ? $"the log has {string.Join(", ", log.Banks.Select(bank => bank.Label))}, the quote is of the {quoted.Bank.Label} bank"
            : null;
        if (whyNot is not null)
        {
            return false;
        }

        var values = log.Replay(quoted.Bank);
        var replayed = ImmutableArray.CreateBuilder<int>();
        var mismatches = ImmutableArray.CreateBuilder<RegisterMismatch>();
        foreach (var (register, quotedValue) in quoted.Values)
        {
            // A register that nothing extends is explained by nothing, whatever it holds.
            if (!values.TryGetValue(register, out var value))
            {
                continue;
            }

            if (value == quotedValue)
            {
                replayed.Add(register);
            }
            else
            {
                mismatches.Add(new RegisterMismatch(register, value, quotedValue));
            }
        }

        authentic = new AuthenticEventLog(log, quoted, replayed.ToImmutable(), mismatches.ToImmutable());
        return true;
    }

    private static string Name(RegisterKind kind) => kind switch { RegisterKind.Pcr => "PCRs", RegisterKind.Rtmr => "RTMRs", _ => "no registers" };
}

/// <summary>A register that the log does not explain.</summary>
/// <param name="Register">Its number.</param>
/// <param name="Replayed">What the log would make of it.</param>
/// <param name="Quoted">What was signed.</param>
internal sealed record RegisterMismatch(int Register, Digest Replayed, Digest Quoted);
