using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>One item of a bundle: its key, and the digests of what stands for it.</summary>
/// <param name="Key">Which one.</param>
/// <param name="Chain">SHA-256 of its chain.</param>
/// <param name="ChainLength">Bytes of its chain; 0 for kinds without.</param>
/// <param name="Body">SHA-256 of its body.</param>
/// <param name="BodyLength">Bytes of its body.</param>
public sealed record BundleItem(CollateralKey Key, Digest Chain, int ChainLength, Digest Body, int BodyLength);

/// <summary>The newest that was seen of something (S-17), by the name of its high-water mark.</summary>
/// <param name="Name">Kind and id of the mark.</param>
/// <param name="Rank">How new it was.</param>
public readonly record struct BundleMark(string Name, ItemRank Rank);

/// <summary>
/// What a site signs when it sends collateral to where there is no network: JSON in canonical form (RFC 8785), so that the same content has
/// the same bytes.
/// </summary>
public sealed record BundleManifest
{
    private const int Version = 1;
    private const int Sha256Size = 32;
    private const int MarkCharacters = CollateralKey.MostCharacters + 16;

    /// <summary>When it was made: no honest clock of its readers is earlier (S-13).</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The earliest end of validity among the items (S-16).</summary>
    public required DateTimeOffset GoodUntil { get; init; }

    /// <summary>Rises with every bundle of the site; a reader refuses one below what it has seen.</summary>
    public required long Sequence { get; init; }

    /// <summary>Sorted by kind and id, each once.</summary>
    public required ImmutableArray<BundleItem> Items { get; init; }

    /// <summary>Sorted by name, each once.</summary>
    public required ImmutableArray<BundleMark> Marks { get; init; }

    /// <summary>The manifest of these items. What is finer than a second is cut.</summary>
    public static BundleManifest Of(IEnumerable<VerifiedItem> items, IEnumerable<BundleMark> marks, DateTimeOffset created, long sequence)
    {
        VerifiedItem[] all = [.. items.DistinctBy(item => item.Key).OrderBy(item => NameOf(item.Key), StringComparer.Ordinal)];
        ArgumentOutOfRangeException.ThrowIfZero(all.Length, nameof(items));
        return new BundleManifest
        {
            Created = WholeSecond(created),
            GoodUntil = WholeSecond(all.Min(item => item.ValidUntil)),
            Sequence = sequence,
            Items = [.. all.Select(item => new BundleItem(item.Key, Digest.Sha256(item.Chain.Span), item.Chain.Length, Digest.Sha256(item.Body.Span), item.Body.Length))],
            Marks = [.. marks.DistinctBy(mark => mark.Name).OrderBy(mark => mark.Name, StringComparer.Ordinal)],
        };
    }

    /// <summary>The bytes that are signed.</summary>
    public byte[] ToBytes() => Encoding.UTF8.GetBytes(new CanonicalObject()
        .Text("created", Utc.Text(Created))
        .Text("goodUntil", Utc.Text(GoodUntil))
        .List("items", Items.Select(ToJson))
        .List("marks", Marks.Select(mark => $"[{CanonicalObject.Quoted(mark.Name)},{CanonicalObject.Quoted(mark.Rank.ToString())}]"))
        .Number("sequence", Sequence)
        .Number("version", Version)
        .ToString());

    /// <summary>Reads them: in the one spelling that <see cref="ToBytes"/> writes, sorted, without repeats.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out BundleManifest? manifest, [NotNullWhen(false)] out ParseFault? fault)
    {
        manifest = null;
        fault = json.Length > Limits.BundleManifestBytes ? new ParseFault("manifest", 0, $"larger than {Limits.BundleManifestBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("manifest", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var read = Read(fields, document.RootElement);
        fault = fields.Fault;
        if (fault is null)
        {
            // Members that nobody knows, other orders and other spellings all end here.
            var written = read.ToBytes();
            fault = json.SequenceEqual(written) ? null : new ParseFault("manifest", json.CommonPrefixLength(written), "not in canonical form (RFC 8785), or with unknown members");
        }

        manifest = fault is null ? read : null;
        return manifest is not null;
    }

    private static BundleManifest Read(JsonFields fields, JsonElement root)
    {
        fields.Require(fields.Number(root, "version") == Version, "version", $"{Version} is expected: try a newer Assay");
        var items = fields.Array(root, "items", Limits.BundleItems).Select(item => ReadItem(fields, item)).ToImmutableArray();
        var marks = fields.Array(root, "marks", Limits.BundleMarks).Select(mark => ReadMark(fields, mark)).ToImmutableArray();
        fields.Require(items.Length > 0, "items", "none: an empty bundle would never expire and prove nothing");
        fields.Require(IsSorted(items.Select(item => NameOf(item.Key))), "items", "not sorted, or with a duplicate");
        fields.Require(IsSorted(marks.Select(mark => mark.Name)), "marks", "not sorted, or with a duplicate");
        return new BundleManifest
        {
            Created = fields.Time(root, "created"),
            GoodUntil = fields.Time(root, "goodUntil"),
            Sequence = fields.LongNumber(root, "sequence", 1, Limits.LargestSequence),
            Items = items,
            Marks = marks,
        };
    }

    private static BundleItem ReadItem(JsonFields fields, JsonElement item)
    {
        var key = new CollateralKey(CollateralKinds.Of(fields.Name(item, "kind")), fields.Text(item, "id"));
        fields.Require(key.IsSound, "id", "no kind, or no id that one could have");
        var (chain, body) = (fields.Number(item, "chainLength", Limits.ChainTextBytes), fields.Number(item, "bodyLength", Limits.CrlBytes));
        return new BundleItem(key, new Digest(fields.Hex(item, "chainSha256", Sha256Size)), chain, new Digest(fields.Hex(item, "bodySha256", Sha256Size)), body);
    }

    private static BundleMark ReadMark(JsonFields fields, JsonElement mark)
    {
        var isPair = mark.ValueKind is JsonValueKind.Array && mark.GetArrayLength() == 2 && mark.EnumerateArray().All(part => part.ValueKind is JsonValueKind.String);
        var name = isPair ? mark[0].GetString()! : "";
        ItemRank rank = default;
        var sound = name.Length is > 0 and <= MarkCharacters && !name.AsSpan().ContainsAnyExceptInRange('!', '~') && ItemRank.TryParse(mark[1].GetString(), out rank, out _);
        fields.Require(sound, "marks", "a name and number|seconds|revoked are expected");
        return new BundleMark(name, rank);
    }

    private static string ToJson(BundleItem item) => new CanonicalObject()
        .Number("bodyLength", item.BodyLength)
        .Text("bodySha256", item.Body.ToString())
        .Number("chainLength", item.ChainLength)
        .Text("chainSha256", item.Chain.ToString())
        .Text("id", item.Key.Id)
        .Text("kind", CollateralKinds.NameOf(item.Key.Kind))
        .ToString();

    // By the order of kinds, in which what judges comes before what it judges.
    private static string NameOf(CollateralKey key) => string.Create(CultureInfo.InvariantCulture, $"{(int)key.Kind:D3} {key.Id}");

    private static bool IsSorted(IEnumerable<string> names)
    {
        string? last = null;
        foreach (var name in names)
        {
            if (last is not null && string.CompareOrdinal(last, name) >= 0)
            {
                return false;
            }

            last = name;
        }

        return true;
    }

    private static DateTimeOffset WholeSecond(DateTimeOffset time) => new(time.UtcTicks - time.UtcTicks % TimeSpan.TicksPerSecond, TimeSpan.Zero);
}
