using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>
/// A TPMS_ATTEST of type TPM_ST_ATTEST_QUOTE (TPM 2.0 Library, Part 2 §10.12.12), big-endian. Well-formed, but not yet known to come
/// from a TPM.
/// <code>
/// magic 4 (FF 54 43 47) · type 2 (80 18) · qualifiedSigner 2B · extraData 2B · clock 8 · resetCount 4 · restartCount 4 · safe 1
/// · firmwareVersion 8 · TPML_PCR_SELECTION · pcrDigest 2B
/// </code>
/// The magic and the type are part of what makes it a quote: a restricted key signs nothing that begins so but what its TPM wrote.
/// </summary>
internal sealed class TpmQuote
{
    private const uint GeneratedByTpm = 0xFF544347;
    private const ushort AttestQuote = 0x8018;

    private readonly byte[] _bytes;

    private TpmQuote(byte[] bytes) => _bytes = bytes;

    /// <summary>The whole structure: what the key signed.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>The qualified name of the signing key: an algorithm number and a digest, or a handle.</summary>
    public required ReadOnlyMemory<byte> QualifiedSigner { get; init; }

    /// <summary>What the caller asked with: the nonce.</summary>
    public required ReadOnlyMemory<byte> ExtraData { get; init; }

    /// <summary>Milliseconds that the TPM has been powered, and how often it was reset or resumed.</summary>
    public required TpmClock Clock { get; init; }

    /// <summary>The TPM's firmware, first version number high; obfuscated for keys outside the endorsement hierarchy.</summary>
    public required ulong FirmwareVersion { get; init; }

    /// <summary>Which registers were quoted. At least one.</summary>
    public required ImmutableArray<PcrSelection> Selections { get; init; }

    /// <summary>The digest of their values, by the hash of the signature.</summary>
    public required Digest PcrDigest { get; init; }

    /// <summary>Reads a bare TPMS_ATTEST; every byte must have its place.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TpmQuote? quote, [NotNullWhen(false)] out ParseFault? fault)
    {
        quote = null;
        fault = source.Length > Limits.TpmAttestBytes ? new ParseFault("TPMS_ATTEST", 0, $"larger than {Limits.TpmAttestBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var wire = new BigEndianReader(source);
        wire.Require(wire.U32("magic") == GeneratedByTpm, "magic", "not TPM_GENERATED_VALUE (FF544347): no TPM wrote this");
        wire.Require(wire.U16("type") == AttestQuote, "type", "not TPM_ST_ATTEST_QUOTE (8018)");
        var signer = wire.Sized("qualifiedSigner").ToArray();
        var extra = wire.Sized("extraData").ToArray();
        var clock = TpmClock.Read(ref wire);
        var firmware = wire.U64("firmwareVersion");
        var selections = PcrSelection.ReadList(ref wire);
        var digest = wire.Sized("pcrDigest");
        wire.Require(digest.Length is 20 or 32 or 48 or 64, "pcrDigest", "no digest of a known hash");
        wire.End("TPMS_ATTEST");
        fault = wire.Fault;
        quote = fault is not null ? null : new TpmQuote(source.ToArray())
        {
            QualifiedSigner = signer,
            ExtraData = extra,
            Clock = clock,
            FirmwareVersion = firmware,
            Selections = selections,
            PcrDigest = new Digest(digest),
        };
        return quote is not null;
    }
}

/// <summary>TPMS_CLOCK_INFO (TPM 2.0 Library, Part 2 §10.11.1).</summary>
/// <param name="Milliseconds">Time that advances while the TPM has power.</param>
/// <param name="ResetCount">TPM resets: one more for each boot. Obfuscated for keys outside the endorsement and platform hierarchies.</param>
/// <param name="RestartCount">Resumptions since the last reset. Obfuscated likewise.</param>
/// <param name="Safe">Whether the clock is known not to have run backwards.</param>
internal readonly record struct TpmClock(ulong Milliseconds, uint ResetCount, uint RestartCount, bool Safe)
{
    internal static TpmClock Read(ref BigEndianReader wire)
    {
        var clock = wire.U64("clock");
        var (reset, restart) = (wire.U32("resetCount"), wire.U32("restartCount"));
        var safe = wire.U8("safe");
        wire.Require(safe <= 1, "safe", "neither 0 nor 1");
        return new TpmClock(clock, reset, restart, safe == 1);
    }

    /// <summary>
    /// Why <paramref name="later"/> is not of the same boot, after this; null when it is. Only quotes of one key can be compared.
    /// </summary>
    public string? WhyNotContinuedBy(TpmClock later) =>
        later.ResetCount != ResetCount ? $"the TPM was reset in between: resetCount {ResetCount}, then {later.ResetCount}"
        : later.RestartCount < RestartCount ? $"restartCount went back from {RestartCount} to {later.RestartCount}"
        : later.Milliseconds < Milliseconds ? $"the clock went back from {Milliseconds} ms to {later.Milliseconds} ms"
        : null;
}
