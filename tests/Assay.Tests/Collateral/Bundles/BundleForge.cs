using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Endorsements;
using Assay.Trust.Jose;

namespace Assay.Tests.Collateral;

/// <summary>A P-384 (or other) key under the name that a key set gives it.</summary>
internal sealed record ForgeKey(string Name, ECDsa Key)
{
    public static ForgeKey New(string? name = null, ECCurve? curve = null)
    {
        var key = ECDsa.Create(curve ?? ECCurve.NamedCurves.nistP384);
        return new ForgeKey(name ?? SigningKeyOf(key).PublicKey.KeyId, key);
    }

    /// <summary>The same key under another name.</summary>
    public ForgeKey As(string name) => this with { Name = name };

    public SigningKey ToSigningKey() => SigningKeyOf(Key);

    public static JsonWebKeySet SetOf(params ForgeKey[] keys)
    {
        var list = string.Join(',', keys.Select(key =>
        {
            var point = key.Key.ExportParameters(false);
            return $$"""{"kty":"EC","crv":"{{(key.Key.KeySize == 384 ? "P-384" : "P-256")}}","x":"{{Base64Url.EncodeToString(point.Q.X)}}","y":"{{Base64Url.EncodeToString(point.Q.Y)}}","kid":"{{key.Name}}"}""";
        }));
        Assert.True(JsonWebKeySet.TryParse(Encoding.ASCII.GetBytes($"{{\"keys\":[{list}]}}"), out var set, out var fault), fault?.ToString());
        return set;
    }

    private static SigningKey SigningKeyOf(ECDsa key)
    {
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()), out var signing, out var fault), fault?.ToString());
        return signing;
    }
}

/// <summary>Whoever has the site's keys and can write any file: an encoder of the format from its description, which checks nothing.</summary>
internal sealed record BundleForge
{
    public required List<(CollateralKey Key, byte[] Chain, byte[] Body)> Items { get; init; }
    public required DateTimeOffset Created { get; init; }
    public required DateTimeOffset GoodUntil { get; init; }
    public long Sequence { get; init; } = 7;
    public (string Name, string Rank)[] Marks { get; init; } = [];
    public Func<string, string> Manifest { get; init; } = manifest => manifest;
    public string Purpose { get; init; } = "assay collateral bundle 1\n";

    public static BundleForge Of(IEnumerable<VerifiedItem> items, DateTimeOffset created)
    {
        VerifiedItem[] all = [.. items];
        return new BundleForge { Items = [.. all.Select(item => (item.Key, item.Chain.ToArray(), item.Body.ToArray()))], Created = created, GoodUntil = all.Min(item => item.ValidUntil) };
    }

    /// <summary>With another body in the place of that of a key.</summary>
    public BundleForge With(CollateralKey key, byte[] body) => this with { Items = [.. Items.Select(item => item.Key == key ? (item.Key, item.Chain, body) : item)] };

    public byte[] Write(params ForgeKey[] keys)
    {
        var sorted = Items.OrderBy(item => $"{(int)item.Key.Kind:D3} {item.Key.Id}", StringComparer.Ordinal).ToArray();
        var manifest = Encoding.UTF8.GetBytes(Manifest(string.Create(CultureInfo.InvariantCulture,
            $$"""{"created":"{{Text(Created)}}","goodUntil":"{{Text(GoodUntil)}}","items":[{{string.Join(',', sorted.Select(Entry))}}],"marks":[{{string.Join(',', Marks.OrderBy(mark => mark.Name, StringComparer.Ordinal).Select(mark => $"[\"{mark.Name}\",\"{mark.Rank}\"]"))}}],"sequence":{{Sequence}},"version":1}""")));
        byte[] signed = [.. Encoding.ASCII.GetBytes(Purpose), .. manifest];
        var signatures = keys.OrderBy(key => key.Name, StringComparer.Ordinal)
            .Select(key => $"[\"{key.Name}\",\"{Base64Url.EncodeToString(key.Key.SignData(signed, key.Key.KeySize == 384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256))}\"]");
        var list = Encoding.ASCII.GetBytes($"[{string.Join(',', signatures)}]");
        return [.. "ASSAYBUNDLE1\n"u8, .. Length(manifest), .. manifest, .. Length(list), .. list, .. sorted.SelectMany(item => item.Chain.Concat(item.Body))];
    }

    private static string Entry((CollateralKey Key, byte[] Chain, byte[] Body) item) => string.Create(CultureInfo.InvariantCulture,
        $$"""{"bodyLength":{{item.Body.Length}},"bodySha256":"{{Hash(item.Body)}}","chainLength":{{item.Chain.Length}},"chainSha256":"{{Hash(item.Chain)}}","id":"{{item.Key.Id}}","kind":"{{CollateralKinds.NameOf(item.Key.Kind)}}"}""");

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static byte[] Length(byte[] bytes)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return length;
    }
}
