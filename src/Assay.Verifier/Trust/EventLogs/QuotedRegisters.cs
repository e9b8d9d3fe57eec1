using System.Collections.Immutable;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Trust.EventLogs;

/// <summary>Register values that hardware or a trusted key signed. Only code that verified the signature makes one.</summary>
public sealed class QuotedRegisters
{
    private QuotedRegisters(RegisterKind kind, TcgHash bank, ImmutableSortedDictionary<int, Digest> values) => (Kind, Bank, Values) = (kind, bank, values);

    /// <summary>RTMRs or PCRs.</summary>
    public RegisterKind Kind { get; }

    /// <summary>SHA-384 for RTMRs; a PCR bank otherwise.</summary>
    public TcgHash Bank { get; }

    /// <summary>By register. What stands not in it was not signed.</summary>
    public ImmutableSortedDictionary<int, Digest> Values { get; }

    /// <summary>The four RTMRs of a TD quote that verified.</summary>
    internal static QuotedRegisters OfRtmrs(ReadOnlySpan<Digest> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, EventLog.RtmrCount, nameof(values));
        var builder = ImmutableSortedDictionary.CreateBuilder<int, Digest>();
        for (var register = 0; register < values.Length; register++)
        {
            builder.Add(register, values[register]);
        }

        return new QuotedRegisters(RegisterKind.Rtmr, TcgHash.Sha384, builder.ToImmutable());
    }

    /// <summary>The registers of a TPM quote that verified.</summary>
    internal static QuotedRegisters OfPcrs(TcgHash bank, ImmutableSortedDictionary<int, Digest> values) => new(RegisterKind.Pcr, bank, values);
}
