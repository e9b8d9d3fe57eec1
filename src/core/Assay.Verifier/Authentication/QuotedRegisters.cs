using System.Collections.Immutable;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>Register values that hardware or a trusted key signed. Only code that verified the signature makes one.</summary>
internal sealed class QuotedRegisters
{
    private QuotedRegisters(RegisterKind kind, TcgHash bank, ImmutableSortedDictionary<int, Digest> values, bool isInTee) =>
        (Kind, Bank, Values, IsInTee) = (kind, bank, values, isInTee);

    /// <summary>RTMRs or PCRs.</summary>
    public RegisterKind Kind { get; }

    /// <summary>SHA-384 for RTMRs; a PCR bank otherwise.</summary>
    public TcgHash Bank { get; }

    /// <summary>By register. What stands not in it was not signed.</summary>
    public ImmutableSortedDictionary<int, Digest> Values { get; }

    /// <summary>Whether they are registers of the confidential VM itself: an event in others binds nothing to it (S-9).</summary>
    public bool IsInTee { get; }

    /// <summary>The four RTMRs of a TD quote that verified.</summary>
    internal static QuotedRegisters OfRtmrs(ReadOnlySpan<Digest> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, EventLog.RtmrCount, nameof(values));
        var builder = ImmutableSortedDictionary.CreateBuilder<int, Digest>();
        for (var register = 0; register < values.Length; register++)
        {
            builder.Add(register, values[register]);
        }

        return new QuotedRegisters(RegisterKind.Rtmr, TcgHash.Sha384, builder.ToImmutable(), isInTee: true);
    }

    /// <summary>The registers of a TPM quote that verified.</summary>
    internal static QuotedRegisters OfPcrs(TcgHash bank, ImmutableSortedDictionary<int, Digest> values, bool isInTee) => new(RegisterKind.Pcr, bank, values, isInTee);
}
