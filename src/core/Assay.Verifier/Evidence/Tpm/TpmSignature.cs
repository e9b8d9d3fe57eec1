using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>
/// A TPMT_SIGNATURE (TPM 2.0 Library, Part 2 §11.3.4), big-endian:
/// <code>sigAlg 2 · hash 2 · RSA: signature 2B        ECDSA: r 2B · s 2B (leading zeros may be left out)</code>
/// </summary>
internal sealed class TpmSignature
{
    private const int LargestCoordinate = 48;

    private TpmSignature(TpmScheme scheme, ReadOnlyMemory<byte> first, ReadOnlyMemory<byte> second) => (Scheme, First, Second) = (scheme, first, second);

    /// <summary>What the signature says it is; the key's own scheme decides.</summary>
    public TpmScheme Scheme { get; }

    /// <summary>RSA: the signature. ECDSA: r.</summary>
    public ReadOnlyMemory<byte> First { get; }

    /// <summary>ECDSA: s; empty for RSA.</summary>
    public ReadOnlyMemory<byte> Second { get; }

    /// <summary>Reads a whole TPMT_SIGNATURE of an accepted scheme.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TpmSignature? signature, [NotNullWhen(false)] out ParseFault? fault)
    {
        signature = null;
        fault = source.Length > Limits.TpmSignatureBytes ? new ParseFault("TPMT_SIGNATURE", 0, $"larger than {Limits.TpmSignatureBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var wire = new BigEndianReader(source);
        var scheme = new TpmScheme(wire.U16("sigAlg"), (TcgHash)wire.U16("hash"));
        wire.Require(scheme.IsAccepted, "sigAlg", "not RSASSA, RSAPSS or ECDSA with SHA-256, SHA-384 or SHA-512");
        var isEcdsa = scheme.Algorithm is TpmScheme.EcDsa;
        var first = wire.Sized(isEcdsa ? "signatureR" : "signature").ToArray();
        var second = isEcdsa ? wire.Sized("signatureS").ToArray() : [];
        wire.Require(!isEcdsa || (first.Length is > 0 and <= LargestCoordinate && second.Length is > 0 and <= LargestCoordinate), "signatureR", "no number of P-256 or P-384");
        wire.End("TPMT_SIGNATURE");
        fault = wire.Fault;
        signature = fault is null ? new TpmSignature(scheme, first, second) : null;
        return signature is not null;
    }

    /// <summary>
    /// A bare RSASSA signature with SHA-256, as the Azure profile carries it. Which form a profile has is told, never guessed from the bytes.
    /// </summary>
    internal static TpmSignature OfRawRsa(ReadOnlySpan<byte> signature) => new(new TpmScheme(TpmScheme.RsaSsa, TcgHash.Sha256), signature.ToArray(), default);
}
