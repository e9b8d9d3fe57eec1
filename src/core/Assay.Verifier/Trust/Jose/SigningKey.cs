using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// The private key of a token issuer: ES384 on P-384, ES256 on P-256, or RS256 with an RSA key of 2048 to 4096 bits. A handle: it signs, tells its
/// public half, and shows nothing else. Its maker disposes it.
/// </summary>
public sealed class SigningKey : IDisposable
{
    private const string Pkcs8 = "PRIVATE KEY";
    private const string Sec1 = "EC PRIVATE KEY";
    private const string Pkcs1 = "RSA PRIVATE KEY";

    private readonly AsymmetricAlgorithm _key;
    private readonly HashAlgorithmName _hash;

    private SigningKey(AsymmetricAlgorithm key, JsonWebKey publicKey) =>
        (_key, PublicKey, _hash) = (key, publicKey, publicKey.Algorithm is SignatureAlgorithm.EcdsaSha384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256);

    /// <summary>What verifiers need.</summary>
    public JsonWebKey PublicKey { get; }

    /// <summary>
    /// Reads one unencrypted PEM block of a P-384, P-256 or RSA key: PKCS#8, SEC1 or PKCS#1. The caller zeroes <paramref name="pem"/>.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> pem, [NotNullWhen(true)] out SigningKey? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        key = null;
        if (pem.Length > Limits.SigningKeyBytes)
        {
            fault = new ParseFault("PEM", Limits.SigningKeyBytes, $"longer than {Limits.SigningKeyBytes} bytes");
            return false;
        }

        var der = new byte[pem.Length];
        try
        {
            fault = Decode(pem, der, out var length, out var label) ?? Import(der.AsSpan(0, length), label, out key);
            return key is not null && fault is null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(der);
        }
    }

    /// <summary>A statement that is no token, as a compact JWS (RFC 7515 §3.1) with <c>alg</c>, <c>kid</c> and <c>typ</c>.</summary>
    /// <param name="type">Its media type without <c>application/</c>, other than <c>JWT</c> and those of tokens: readers of tokens must not take it for one.</param>
    /// <param name="payload">JSON, UTF-8.</param>
    public string SignStatement(string type, ReadOnlySpan<byte> payload)
    {
        ArgumentException.ThrowIfNullOrEmpty(type);
        ArgumentOutOfRangeException.ThrowIfNotEqual(type.EndsWith("+jws", StringComparison.Ordinal), true, nameof(type));
        return CompactJws.Write(this, payload, type);
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    /// <summary>Signs as JWS does: R‖S in fixed length (RFC 7518 §3.4), or RSASSA-PKCS1-v1_5 (§3.3).</summary>
    internal byte[] Sign(ReadOnlySpan<byte> content) => _key is RSA rsa
        ? rsa.SignData(content, _hash, RSASignaturePadding.Pkcs1)
        : ((ECDsa)_key).SignData(content, _hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    private static ParseFault? Decode(ReadOnlySpan<byte> pem, Span<byte> der, out int length, out string label)
    {
        (length, label) = (0, "");
        var text = pem.Trim("\r\n"u8);
        // Of the older form, which has the labels of an open key.
        if (text.IndexOf("Proc-Type: 4,ENCRYPTED"u8) >= 0)
        {
            return new ParseFault("PEM", 0, WhyNone(text));
        }

        foreach (var candidate in (ReadOnlySpan<string>)[Pkcs8, Sec1, Pkcs1])
        {
            var begin = Encoding.ASCII.GetBytes($"-----BEGIN {candidate}-----");
            var end = Encoding.ASCII.GetBytes($"-----END {candidate}-----");
            if (!text.StartsWith(begin))
            {
                continue;
            }

            if (!text.EndsWith(end) || text.Length < begin.Length + end.Length)
            {
                return new ParseFault("PEM", pem.Length, $"a last line -----END {candidate}----- is expected: one key and nothing else");
            }

            label = candidate;
            var body = text[begin.Length..^end.Length];
            // Base64 is decoded where it ends up, so that no second copy of the key needs zeroing. White space in it is only the line ends.
            return body.IndexOfAny(" \t-"u8) >= 0 || Base64.DecodeFromUtf8(body, der, out _, out length) is not OperationStatus.Done || length == 0
                ? new ParseFault("PEM", begin.Length, "one block of base64 is expected")
                : null;
        }

        return new ParseFault("PEM", 0, WhyNone(text));
    }

    // What the file is instead, and how it becomes what is expected.
    private static string WhyNone(ReadOnlySpan<byte> file)
    {
        if (file.StartsWith("-----BEGIN EC PARAMETERS-----"u8))
        {
            return "curve parameters precede the key: make it with assay token keygen, or openssl ecparam -noout";
        }

        var (kind, phrase) = FileContent.Describe(file);
        var cure = kind switch
        {
            ContentKind.EncryptedPrivateKey => "decrypt it first: openssl pkey -in FILE -out KEY.pem",
            ContentKind.Pkcs12 => "extract the key: openssl pkcs12 -in FILE -nocerts -noenc | openssl pkey -out KEY.pem",
            ContentKind.PrivateKey when file is [DerTag.Sequence, ..] => "it is in DER: openssl pkey -inform DER -in FILE -out KEY.pem",
            ContentKind.PrivateKey when file.StartsWith("-----BEGIN OPENSSH "u8) => "it is in OpenSSH format: ssh-keygen -p -m PKCS8 -f COPY-OF-FILE",
            ContentKind.PrivateKey => "in a format that is not supported",
            ContentKind.Certificate or ContentKind.Certificates or ContentKind.CertificateRequest or ContentKind.PublicKeyInfo or ContentKind.PublicKey or ContentKind.KeySet => "which is only the public half: give the matching private key",
            _ => null,
        };
        var words = kind is ContentKind.PrivateKey ? "a private key" : phrase;
        return $"this is {words}{(cure is null ? "" : $", {cure}")}; one block -----BEGIN {Pkcs8}-----, -----BEGIN {Sec1}----- or -----BEGIN {Pkcs1}----- is expected (assay token keygen makes a key)";
    }

    private static ParseFault? Import(ReadOnlySpan<byte> der, string label, out SigningKey? key)
    {
        key = null;
        var isRsa = label == Pkcs1 || (label == Pkcs8 && IsRsa(der));
        AsymmetricAlgorithm made = isRsa ? RSA.Create() : ECDsa.Create();
        try
        {
            var read = Import(made, der, label);
            if (read != der.Length)
            {
                return new ParseFault("key", read, "bytes follow the key");
            }

            if (JsonWebKey.OfKey(made) is not { } publicKey)
            {
                return new ParseFault("key", 0, isRsa ? "an RSA key of 2048 to 4096 bits, a multiple of 8, with the exponent 65537 is expected" : "a P-384 or P-256 key is expected, by the name of its curve");
            }

            // The file may carry a public half that is not this private one's: tokens under it would never verify.
            var trial = new SigningKey(made, publicKey);
            if (!publicKey.Verifies("trial"u8, trial.Sign("trial"u8)))
            {
                return new ParseFault("key", 0, "the public key in the file belongs to a different key");
            }

            key = trial;
            return null;
        }
        catch (Exception exception) when (exception is CryptographicException or PlatformNotSupportedException)
        {
            // The latter for curves that the platform does not know.
            return new ParseFault("key", 0, $"no {(label == Pkcs8 ? "PKCS#8" : label == Sec1 ? "SEC1" : "PKCS#1")} private key of an elliptic curve or of RSA that is understood");
        }
        finally
        {
            if (key is null)
            {
                made.Dispose();
            }
        }
    }

    private static int Import(AsymmetricAlgorithm made, ReadOnlySpan<byte> der, string label)
    {
        int read;
        if (label == Pkcs8)
        {
            made.ImportPkcs8PrivateKey(der, out read);
        }
        else if (made is RSA rsa)
        {
            rsa.ImportRSAPrivateKey(der, out read);
        }
        else
        {
            ((ECDsa)made).ImportECPrivateKey(der, out read);
        }

        return read;
    }

    // PrivateKeyInfo ::= SEQUENCE { version INTEGER, privateKeyAlgorithm AlgorithmIdentifier, … } (RFC 5208 §5). The import judges the rest.
    private static bool IsRsa(ReadOnlySpan<byte> der)
    {
        var faults = new DerFaults();
        var info = new DerReader(der, faults).Sequence("PrivateKeyInfo");
        info.Integer("version");
        var algorithm = info.Sequence("privateKeyAlgorithm");
        return algorithm.Oid("algorithm").SequenceEqual(Oids.RsaEncryption) && faults.First is null;
    }
}
