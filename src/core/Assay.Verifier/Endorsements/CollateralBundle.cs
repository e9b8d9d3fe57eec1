using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>
/// Collateral in one file, for places without a network. Format version 1, lengths 4 bytes, little-endian:
/// <code>
/// ASSAYBUNDLE1\n
/// length  manifest                         canonical JSON, BundleManifest
/// length  signatures                       canonical JSON, [["kid","base64url"],…] sorted by kid, each kid once
/// chain and body of each item, in the manifest's order, as long as it says
/// </code>
/// Signed (ES384, R‖S) is <c>assay collateral bundle 1\n</c> and the manifest, which names the rest by SHA-256. Well-formed, and believed by
/// nobody yet: that is <see cref="AuthenticBundle"/>, which asks for signatures before anything else is read.
/// </summary>
public sealed class CollateralBundle
{
    private const int LengthSize = 4;

    private readonly BundleParts _parts;
    private readonly ImmutableArray<(ReadOnlyMemory<byte> Chain, ReadOnlyMemory<byte> Body)> _content;

    private CollateralBundle(BundleManifest manifest, BundleParts parts, ImmutableArray<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)> content) =>
        (Manifest, _parts, _content) = (manifest, parts, content);

    /// <summary>What it says it holds.</summary>
    public BundleManifest Manifest { get; }

    /// <summary>SHA-256 of the manifest, which names the content whoever signed it.</summary>
    public Digest Digest => Digest.Sha256(_parts.Manifest.Span);

    /// <summary>The items with their bytes, which have the manifest's digests.</summary>
    public IEnumerable<(CollateralKey Key, ReadOnlyMemory<byte> Chain, ReadOnlyMemory<byte> Body)> Items =>
        Manifest.Items.Select((item, index) => (item.Key, _content[index].Chain, _content[index].Body));

    /// <summary>The names of the keys whose signatures stand in it. Nobody believes them yet.</summary>
    public IEnumerable<string> KeyIds => _parts.Signatures.Select(signature => signature.KeyId);

    private static ReadOnlySpan<byte> Magic => "ASSAYBUNDLE1\n"u8;

    // Says what a signature of the site's key was made for: the same key may sign tokens.
    private static ReadOnlySpan<byte> Purpose => "assay collateral bundle 1\n"u8;

    /// <summary>Writes a bundle. The same manifest and items give the same bytes but for the signatures, which are not deterministic.</summary>
    /// <exception cref="ArgumentException">No key is given, or one that is not on P-384, or a bundle larger than any reader takes. A mistake of the caller.</exception>
    public static byte[] Write(BundleManifest manifest, IReadOnlyDictionary<CollateralKey, VerifiedItem> items, params IEnumerable<SigningKey> keys)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(items);
        var signed = manifest.ToBytes();
        var content = SignedContent(signed);
        var signatures = keys.Select(key => (key.PublicKey.KeyId, Signature: Sign(key, content))).DistinctBy(item => item.KeyId).OrderBy(item => item.KeyId, StringComparer.Ordinal).ToArray();
        if (signatures.Length == 0)
        {
            throw new ArgumentException("a bundle is signed by one key at least", nameof(keys));
        }

        var list = Encoding.UTF8.GetBytes($"[{string.Join(',', signatures.Select(item => $"[{CanonicalObject.Quoted(item.KeyId)},{CanonicalObject.Quoted(item.Signature)}]"))}]");
        using var file = new MemoryStream();
        file.Write(Magic);
        Put(file, signed);
        Put(file, list);
        foreach (var item in manifest.Items.Select(item => items[item.Key]))
        {
            file.Write(item.Chain.Span);
            file.Write(item.Body.Span);
        }

        var bytes = file.ToArray();
        return TryParse(bytes, out _, out var fault) ? bytes : throw new ArgumentException($"{fault}", nameof(manifest));
    }

    /// <summary>
    /// Reads a file whoever signed it. Every byte of it is accounted for: trailing ones are a fault, and so is content that has another digest.
    /// </summary>
    public static bool TryParse(ReadOnlyMemory<byte> file, [NotNullWhen(true)] out CollateralBundle? bundle, [NotNullWhen(false)] out ParseFault? fault)
    {
        bundle = null;
        return TryTakeApart(file, out var parts, out fault) && TryParse(parts, out bundle, out fault);
    }

    internal static bool TryParse(BundleParts parts, [NotNullWhen(true)] out CollateralBundle? bundle, [NotNullWhen(false)] out ParseFault? fault)
    {
        bundle = BundleManifest.TryParse(parts.Manifest.Span, out var manifest, out fault) && TryReadContent(parts, manifest, out var content, out fault)
            ? new CollateralBundle(manifest, parts, content) : null;
        return bundle is not null;
    }

    /// <summary>Where the parts of a file are, and its signatures, which are short. Nothing is read of what only a signer may make us read.</summary>
    internal static bool TryTakeApart(ReadOnlyMemory<byte> file, [NotNullWhen(true)] out BundleParts? parts, [NotNullWhen(false)] out ParseFault? fault)
    {
        fault = file.Length > Limits.BundleBytes ? new ParseFault("bundle", 0, $"larger than {Limits.BundleBytes} bytes")
            : !file.Span.StartsWith(Magic) ? new ParseFault("bundle", 0, "does not begin with ASSAYBUNDLE1: not a bundle, or an unknown version")
            : null;
        var offset = Magic.Length;
        var manifest = fault is null ? Take(file, ref offset, "manifest", Limits.BundleManifestBytes, ref fault) : default;
        var signatureBytes = fault is null ? Take(file, ref offset, "signatures", Limits.KeySetBytes, ref fault) : default;
        ImmutableArray<(string, byte[])> signatures = [];
        parts = fault is null && TryReadSignatures(signatureBytes.Span, out signatures, out fault) ? new BundleParts(file, manifest, signatures, offset) : null;
        return parts is not null;
    }

    /// <summary>What a signature is made over.</summary>
    internal static byte[] SignedContent(ReadOnlySpan<byte> manifest) => [.. Purpose, .. manifest];

    private static bool TryReadContent(
        BundleParts parts, BundleManifest manifest, out ImmutableArray<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)> content, [NotNullWhen(false)] out ParseFault? fault)
    {
        var (file, offset) = (parts.File, parts.Content);
        content = [];
        var read = ImmutableArray.CreateBuilder<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)>();
        foreach (var item in manifest.Items)
        {
            if (item.ChainLength > file.Length - offset || item.BodyLength > file.Length - offset - item.ChainLength)
            {
                fault = new ParseFault($"{item.Key}", offset, "truncated");
                return false;
            }

            var (chain, body) = (file.Slice(offset, item.ChainLength), file.Slice(offset + item.ChainLength, item.BodyLength));
            if (Digest.Sha256(chain.Span) != item.Chain || Digest.Sha256(body.Span) != item.Body)
            {
                fault = new ParseFault($"{item.Key}", offset, "not the content that the manifest names: SHA-256 differs");
                return false;
            }

            offset += item.ChainLength + item.BodyLength;
            read.Add((chain, body));
        }

        fault = offset == file.Length ? null : new ParseFault("bundle", offset, "trailing bytes");
        content = fault is null ? read.ToImmutable() : [];
        return fault is null;
    }

    private static ReadOnlyMemory<byte> Take(ReadOnlyMemory<byte> file, ref int offset, string field, int most, ref ParseFault? fault)
    {
        var length = file.Length - offset >= LengthSize ? BinaryPrimitives.ReadUInt32LittleEndian(file.Span[offset..]) : uint.MaxValue;
        if (length > file.Length - offset - LengthSize)
        {
            fault = new ParseFault(field, offset, "truncated");
            return default;
        }

        if (length > most)
        {
            fault = new ParseFault(field, offset, $"larger than {most} bytes");
            return default;
        }

        var taken = file.Slice(offset + LengthSize, (int)length);
        offset += LengthSize + (int)length;
        return taken;
    }

    private static bool TryReadSignatures(ReadOnlySpan<byte> json, out ImmutableArray<(string KeyId, byte[] Signature)> signatures, [NotNullWhen(false)] out ParseFault? fault)
    {
        signatures = [];
        if (!CanonicalJson.TryRead(json, out var document, out fault))
        {
            return false;
        }

        using (document)
        {
            var root = document.RootElement;
            var read = ImmutableArray.CreateBuilder<(string KeyId, byte[] Signature)>();
            var sound = root.ValueKind is JsonValueKind.Array && root.GetArrayLength() is > 0 and <= Limits.KeySetKeys;
            foreach (var pair in sound ? root.EnumerateArray() : default)
            {
                sound = sound && TryReadSignature(pair, read);
            }

            fault = sound ? null : new ParseFault("signatures", 0, "[[kid, base64url],…] sorted by kid is expected, each kid once");
            signatures = sound ? read.ToImmutable() : [];
        }

        return fault is null;
    }

    private static bool TryReadSignature(JsonElement pair, ImmutableArray<(string KeyId, byte[] Signature)>.Builder read)
    {
        var isPair = pair.ValueKind is JsonValueKind.Array && pair.GetArrayLength() == 2 && pair.EnumerateArray().All(part => part.ValueKind is JsonValueKind.String);
        var name = isPair ? pair[0].GetString()! : "";
        if (name.Length is 0 or > Limits.KeyIdCharacters || (read.Count > 0 && string.CompareOrdinal(read[^1].KeyId, name) >= 0)
            || !StrictBase64.TryDecodeUrl(Encoding.UTF8.GetBytes(pair[1].GetString()!), out var signature))
        {
            return false;
        }

        read.Add((name, signature));
        return true;
    }

    private static string Sign(SigningKey key, byte[] content) => key.PublicKey.Algorithm is Trust.SignatureAlgorithm.EcdsaSha384
        ? Base64Url.EncodeToString(key.Sign(content))
        : throw new ArgumentException($"{key.PublicKey.KeyId}: a bundle is signed with ES384, by a key on P-384", nameof(key));

    private static void Put(MemoryStream file, byte[] bytes)
    {
        Span<byte> length = stackalloc byte[LengthSize];
        BinaryPrimitives.WriteUInt32LittleEndian(length, (uint)bytes.Length);
        file.Write(length);
        file.Write(bytes);
    }
}

/// <summary>A bundle's file, taken apart and not read.</summary>
/// <param name="File">The whole.</param>
/// <param name="Manifest">The bytes that are signed, behind the purpose.</param>
/// <param name="Signatures">Whose they are, they say.</param>
/// <param name="Content">Where the items begin.</param>
internal sealed record BundleParts(ReadOnlyMemory<byte> File, ReadOnlyMemory<byte> Manifest, ImmutableArray<(string KeyId, byte[] Signature)> Signatures, int Content);
