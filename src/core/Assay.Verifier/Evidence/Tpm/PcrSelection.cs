using System.Collections.Immutable;
using System.Numerics;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>Registers of one bank (TPMS_PCR_SELECTION, TPM 2.0 Library, Part 2 §10.6.2).</summary>
internal sealed record PcrSelection
{
    private const int LargestBitmap = 4;

    private PcrSelection(ushort algorithm, uint bitmap) => (Algorithm, Bitmap) = (algorithm, bitmap);

    /// <summary>The bank's TPM_ALG_ID, known or not.</summary>
    public ushort Algorithm { get; }

    /// <summary>The bank; <see cref="TcgHash.None"/> when its algorithm is not known here.</summary>
    public TcgHash Bank => ((TcgHash)Algorithm).Size > 0 ? (TcgHash)Algorithm : TcgHash.None;

    /// <summary>Bit n stands for PCR n.</summary>
    public uint Bitmap { get; }

    /// <summary>How many registers.</summary>
    public int Count => BitOperations.PopCount(Bitmap);

    /// <summary>The registers, ascending: the order in which their values are hashed.</summary>
    public ImmutableArray<int> Registers
    {
        get
        {
            var bitmap = Bitmap;
            return [.. Enumerable.Range(0, Limits.Pcrs).Where(register => (bitmap >> register & 1) == 1)];
        }
    }

    /// <summary>Whether this register was quoted.</summary>
    public bool Has(int register) => register is >= 0 and < Limits.Pcrs && (Bitmap >> register & 1) == 1;

    internal static ImmutableArray<PcrSelection> ReadList(ref BigEndianReader wire)
    {
        var count = wire.U32("TPML_PCR_SELECTION.count");
        // An empty list has a digest too, that of nothing, and would prove nothing.
        wire.Require(count is > 0 and <= Limits.PcrSelections, "TPML_PCR_SELECTION.count", $"1 to {Limits.PcrSelections} are expected");
        var list = ImmutableArray.CreateBuilder<PcrSelection>();
        for (var index = 0u; wire.Fault is null && index < count; index++)
        {
            var algorithm = wire.U16("pcrSelections.hash");
            var bytes = wire.Bytes(ReadSize(ref wire), "pcrSelections.pcrSelect");
            var bitmap = 0u;
            for (var octet = 0; octet < bytes.Length; octet++)
            {
                bitmap |= (uint)bytes[octet] << (8 * octet);
            }

            wire.Require(bitmap >> Limits.Pcrs == 0, "pcrSelections.pcrSelect", $"a register above {Limits.Pcrs - 1}");
            wire.Require(list.All(seen => seen.Algorithm != algorithm), "pcrSelections.hash", "repeated");
            list.Add(new PcrSelection(algorithm, bitmap));
        }

        return list.ToImmutable();
    }

    private static int ReadSize(ref BigEndianReader wire)
    {
        var size = wire.U8("pcrSelections.sizeofSelect");
        wire.Require(size is > 0 and <= LargestBitmap, "pcrSelections.sizeofSelect", $"1 to {LargestBitmap} is expected");
        return size;
    }
}
