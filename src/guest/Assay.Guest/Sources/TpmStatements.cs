using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// What every TPMS_ATTEST begins with (TPM 2.0 Library, part 2 §10.12.12; big-endian):
/// <code>magic FF544347 · type 2 · signer TPM2B · extraData TPM2B · clock 8 · resets 4 · restarts 4 · safe 1 · firmware 8</code>
/// </summary>
internal static class TpmStatement
{
    private const uint Magic = 0xFF544347;
    private const int ClockSize = 8 + 4 + 4 + 1 + 8;

    /// <summary>Reads it, and leaves the reader at what the type has.</summary>
    /// <returns>extraData.</returns>
    /// <exception cref="GuestException"><c>source.tpm.failed</c>: it is of another type.</exception>
    public static byte[] ReadHead(ref TpmReader wire, ushort type, string what)
    {
        if (wire.U32() != Magic || wire.U16() != type)
        {
            throw TpmConversation.Failed($"what it signed is no {what}", "replace the TPM");
        }

        wire.Sized();
        var data = wire.Sized().ToArray();
        wire.Bytes(ClockSize);
        return data;
    }
}

/// <summary>A statement of type quote (part 2 §10.12.1): which PCRs have which values.</summary>
/// <param name="ExtraData">What the quote is over.</param>
/// <param name="Bank">TPM_ALG_ID of the selection.</param>
/// <param name="Bitmap">Its PCRs: bit n is PCR n.</param>
/// <param name="PcrDigest">SHA-256 of their values in ascending order.</param>
internal sealed record QuotedStatement(byte[] ExtraData, ushort Bank, uint Bitmap, byte[] PcrDigest)
{
    private const ushort TypeQuote = 0x8018;

    /// <exception cref="GuestException"><c>source.tpm.failed</c>: it is no quote.</exception>
    public static QuotedStatement Read(ReadOnlySpan<byte> message)
    {
        var wire = new TpmReader(message, "TPMS_ATTEST");
        var data = TpmStatement.ReadHead(ref wire, TypeQuote, "quote");
        var (bank, bitmap) = wire.Selection() ?? (0, 0);
        var digest = wire.Sized().ToArray();
        wire.End();
        return new QuotedStatement(data, bank, bitmap, digest);
    }

    /// <summary>Whether it is about exactly these values, of PCR 0 to 23 in the SHA-256 bank.</summary>
    public bool Covers(ImmutableArray<Digest> values)
    {
        byte[] all = [.. values.SelectMany(value => value.Bytes.ToArray())];
        return Bank == (ushort)TcgHash.Sha256 && Bitmap == (1u << values.Length) - 1 && CryptographicOperations.FixedTimeEquals(SHA256.HashData(all), PcrDigest);
    }
}

/// <summary>A statement of type creation (part 2 §10.12.8): this TPM made a key of this name.</summary>
/// <param name="ExtraData">What it is over.</param>
/// <param name="Name">The key's.</param>
/// <param name="CreationHash">Of its creation data.</param>
internal sealed record CreationStatement(byte[] ExtraData, byte[] Name, byte[] CreationHash)
{
    private const ushort TypeCreation = 0x801A;

    /// <exception cref="GuestException"><c>source.tpm.failed</c>: it is no such statement.</exception>
    public static CreationStatement Read(ReadOnlySpan<byte> message)
    {
        var wire = new TpmReader(message, "TPMS_ATTEST");
        var statement = new CreationStatement(TpmStatement.ReadHead(ref wire, TypeCreation, "statement about a created key"), wire.Sized().ToArray(), wire.Sized().ToArray());
        wire.End();
        return statement;
    }
}
