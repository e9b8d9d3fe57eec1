using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>
/// A challenge and the key that the guest made, and what devices and CPU sign for the two (architecture.md, bindings 1 and 2; KBS
/// protocol 0.4.0). Both are taken as they were received: the nonce's very characters, every member of the key.
/// <code>
/// devices  first 32 bytes of SHA-384(JCS{"nonce","tee-pubkey"})
/// CPU      SHA-384(JCS{"additional-evidence","nonce","tee-pubkey"}), and 16 zero bytes where 64 are signed
/// </code>
/// </summary>
public sealed class KeyBinding
{
    /// <summary>Bytes of REPORTDATA.</summary>
    public const int ReportDataSize = 64;

    /// <summary>Bytes that a TPM signs as qualifying data.</summary>
    public const int QualifyingDataSize = 32;

    private const int LongestNonce = 512;

    private static readonly ImmutableArray<string> s_secrets = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    private readonly string _nonce;
    private readonly string _key;

    private KeyBinding(string nonce, string key, string thumbprint) => (_nonce, _key, Thumbprint) = (nonce, key, thumbprint);

    /// <summary>The key's thumbprint: RFC 7638, SHA-256, base64url.</summary>
    public string Thumbprint { get; }

    /// <summary>The public key as canonical JSON (RFC 8785), with every member that was received.</summary>
    public string Jwk => _key;

    /// <summary>Takes a nonce and a key as received.</summary>
    /// <param name="nonce">The challenge's own characters, for instance its base64.</param>
    /// <param name="key">A public key as JWK: EC or RSA.</param>
    /// <param name="binding">What is signed for them.</param>
    /// <param name="fault">The member, and what is expected.</param>
    public static bool TryCreate(string nonce, ReadOnlySpan<byte> key, [NotNullWhen(true)] out KeyBinding? binding, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(nonce);
        binding = null;
        fault = nonce.Length is 0 or > LongestNonce ? new ParseFault("nonce", 0, $"1 to {LongestNonce} characters are expected")
            : key.Length > Limits.JsonWebKeyBytes ? new ParseFault("tee-pubkey", 0, $"larger than {Limits.JsonWebKeyBytes} bytes")
            : null;
        using var document = fault is null ? StrictJson.Read(key, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("tee-pubkey", 0, "empty");
            return false;
        }

        var root = document.RootElement;
        var required = StrictJson.Text(root, "kty") switch { "EC" => new[] { "crv", "kty", "x", "y" }, "RSA" => ["e", "kty", "n"], _ => [] };
        var secret = root.ValueKind is JsonValueKind.Object && s_secrets.Any(member => root.TryGetProperty(member, out _));
        if (required.Length == 0 || secret || required.Any(member => string.IsNullOrEmpty(StrictJson.Text(root, member))))
        {
            fault = new ParseFault("tee-pubkey", 0, secret ? "a private key" : "an EC key with crv, x and y or an RSA key with n and e is expected");
            return false;
        }

        var thumbprint = new CanonicalObject();
        foreach (var member in required)
        {
            thumbprint.Text(member, StrictJson.Text(root, member)!);
        }

        binding = new KeyBinding(nonce, Encoding.UTF8.GetString(CanonicalJson.Write(root)), Base64Url.EncodeToString(SHA256.HashData(thumbprint.ToBytes())));
        fault = null;
        return true;
    }

    /// <summary>What every GPU and switch signs, so that their reports cover the key.</summary>
    public Nonce DeviceNonce()
    {
        var hash = new CanonicalObject().Text("nonce", _nonce).Raw("tee-pubkey", _key).Sha384();
        return Nonce.TryCreate(hash.AsSpan(..Nonce.Size), out var nonce) ? nonce : throw new InvalidOperationException("32 bytes are a nonce");
    }

    /// <summary>What the CPU's report signs.</summary>
    /// <param name="additionalEvidence">The exact string of device evidence; empty where there is none.</param>
    /// <returns>64 bytes, of which the last 16 are zero.</returns>
    public byte[] ReportData(string additionalEvidence)
    {
        var data = new byte[ReportDataSize];
        Hash(additionalEvidence).CopyTo(data, 0);
        return data;
    }

    /// <summary>What a TPM signs: the first 32 bytes of the same hash.</summary>
    public byte[] QualifyingData(string additionalEvidence) => Hash(additionalEvidence)[..QualifyingDataSize];

    private byte[] Hash(string additionalEvidence)
    {
        ArgumentNullException.ThrowIfNull(additionalEvidence);
        return new CanonicalObject().Text("additional-evidence", additionalEvidence).Text("nonce", _nonce).Raw("tee-pubkey", _key).Sha384();
    }
}
