using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Collateral.Staging;

/// <summary>RIMs that enter and leave a pool together, as of one driver and its VBIOS.</summary>
/// <param name="Name">The site's name for it.</param>
/// <param name="Staged">When it was staged.</param>
/// <param name="Promoted">When it was promoted; null while it is staged.</param>
/// <param name="Rims">Ids.</param>
/// <param name="Lifted">Ids that were denied before its promotion, and are again when that is rolled back.</param>
public sealed record RimSet(string Name, DateTimeOffset Staged, DateTimeOffset? Promoted, ImmutableSortedSet<string> Rims, ImmutableSortedSet<string> Lifted);

/// <summary>
/// Which RIMs the machines of a pool are served: those of its promoted sets. Ids are named and not files, for NVIDIA signs the same id anew
/// (S-19). The pool <see cref="Default"/> serves every RIM until its first set is promoted; others serve none until then.
/// </summary>
public sealed record RimPool
{
    /// <summary>The pool of listeners that name none.</summary>
    public const string Default = "default";

    private const int MostNameCharacters = 64;
    private const int MostSets = 1_000;
    private const int MostRims = 10_000;
    private const int JsonDepth = 6;

    // What is written has whole seconds.
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    /// <summary>The site's name for it.</summary>
    public required string Name { get; init; }

    /// <summary>Its sets, in the order in which they were staged.</summary>
    public ImmutableArray<RimSet> Sets { get; init; } = [];

    /// <summary>Ids of sets that were promoted and removed.</summary>
    public ImmutableSortedSet<string> Denied { get; init; } = Ids([]);

    /// <summary>Whether it says which RIMs are served at all.</summary>
    public bool IsGoverned => Name != Default || !Denied.IsEmpty || Sets.Any(set => set.Promoted is not null);

    /// <summary>Whether this can name a pool or a set: letters, digits and <c>- _ .</c>, not a dot first.</summary>
    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= MostNameCharacters } && name[0] != '.' && name.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.');

    /// <summary>Whether a RIM is served to the pool's machines, or to those that try its staged sets.</summary>
    public bool Serves(string id, bool withStaged) =>
        !IsGoverned || Sets.Any(set => (withStaged || set.Promoted is not null) && set.Rims.Contains(id));

    /// <summary>With a set staged, in place of a staged one of its name.</summary>
    public bool TryStage(string set, IEnumerable<string> rims, DateTimeOffset now, [NotNullWhen(true)] out RimPool? pool, [NotNullWhen(false)] out string? whyNot)
    {
        var others = Sets.RemoveAll(one => one.Name == set);
        var ids = Ids(rims);
        whyNot = Find(set)?.Promoted is not null ? $"set {set} is promoted in pool {Name}: stage another name, and remove this one when no machine needs it"
            : others.Length >= MostSets || ids.Count + others.Sum(one => one.Rims.Count) > MostRims ? $"pool {Name} would have more than {MostSets} sets or {MostRims} RIMs"
            : null;
        pool = whyNot is null ? this with { Sets = others.Add(new RimSet(set, now, null, ids, Ids([]))) } : null;
        return pool is not null;
    }

    /// <summary>With a staged set promoted, beside those that are.</summary>
    public bool TryPromote(string set, DateTimeOffset now, [NotNullWhen(true)] out RimPool? pool, [NotNullWhen(false)] out string? whyNot)
    {
        var found = Find(set);
        whyNot = found is null ? $"pool {Name} has no set {set}: stage it first" : found.Promoted is not null ? $"set {set} is promoted already" : null;
        pool = whyNot is null ? this with
        {
            // Later than every other, whatever the clock says: the last promotion is what a roll-back undoes.
            Sets = Sets.Replace(found!, found! with { Promoted = Later(now, Sets.Max(one => one.Promoted)), Lifted = found.Rims.Intersect(Denied) }),
            Denied = Denied.Except(found.Rims),
        }
        : null;
        return pool is not null;
    }

    /// <summary>With the last promotion undone. A removal never is: what was denied stays so until it is promoted anew.</summary>
    public bool TryRollBack([NotNullWhen(true)] out RimPool? pool, out string? set, [NotNullWhen(false)] out string? whyNot)
    {
        var last = Sets.Where(one => one.Promoted is not null).OrderBy(one => one.Promoted).LastOrDefault();
        (set, whyNot) = (last?.Name, last is null ? $"no set of pool {Name} is promoted" : null);
        pool = last is null ? null : this with { Sets = Sets.Replace(last, last with { Promoted = null, Lifted = Ids([]) }), Denied = Denied.Union(last.Lifted) };
        return pool is not null;
    }

    /// <summary>Without a set. If it was promoted, its RIMs are denied, but for those that another promoted set has too.</summary>
    public bool TryRemove(string set, [NotNullWhen(true)] out RimPool? pool, [NotNullWhen(false)] out string? whyNot)
    {
        var found = Find(set);
        whyNot = found is null ? $"pool {Name} has no set {set}" : null;
        pool = null;
        if (found is not null)
        {
            var others = Sets.Remove(found);
            var kept = others.Where(one => one.Promoted is not null).SelectMany(one => one.Rims);
            // What another promoted set has too is denied when that one is rolled back: a removal is never undone by the way.
            pool = found.Promoted is null ? this with { Sets = others } : this with
            {
                Sets = [.. others.Select(one => one.Promoted is null ? one : one with { Lifted = one.Lifted.Union(found.Rims.Union(found.Lifted).Intersect(one.Rims)) })],
                Denied = Denied.Union(found.Rims.Except(kept)),
            };
        }

        return pool is not null;
    }

    /// <summary>JSON, UTF-8.</summary>
    internal byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.Default }))
        {
            WriteTo(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The same into JSON that is being written.</summary>
    public void WriteTo(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteNumber("assayPool", 1);
        writer.WriteString("name", Name);
        writer.WriteStartArray("sets");
        foreach (var set in Sets)
        {
            writer.WriteStartObject();
            writer.WriteString("name", set.Name);
            writer.WriteString("staged", Utc.Text(set.Staged));
            if (set.Promoted is { } promoted)
            {
                writer.WriteString("promoted", Utc.Text(promoted));
            }

            Write(writer, "rims", set.Rims);
            Write(writer, "lifted", set.Lifted);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        Write(writer, "denied", Denied);
        writer.WriteEndObject();
    }

    internal static bool TryParse(ReadOnlyMemory<byte> json, [NotNullWhen(true)] out RimPool? pool, [NotNullWhen(false)] out ParseFault? fault)
    {
        (pool, fault) = (null, new ParseFault("pool", 0, "not a pool file written by this program"));
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = JsonDepth, AllowDuplicateProperties = false });
            var root = document.RootElement;
            var read = new RimPool
            {
                Name = root.GetProperty("name").GetString()!,
                Sets = [.. root.GetProperty("sets").EnumerateArray().Select(ReadSet)],
                Denied = ReadIds(root, "denied"),
            };
            var isSound = root.GetProperty("assayPool").GetInt32() == 1 && IsName(read.Name) && read.Sets.All(set => IsName(set.Name))
                && read.Sets.Select(set => set.Name).Distinct(StringComparer.Ordinal).Count() == read.Sets.Length;
            pool = isSound ? read : null;
            fault = isSound ? null : fault;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            // A file of one's own that is not as it was written is damaged; which member it is helps nobody.
        }

        return pool is not null;
    }

    private static DateTimeOffset Later(DateTimeOffset now, DateTimeOffset? last) => last is { } other && now - other < s_second ? other + s_second : now;

    private RimSet? Find(string set) => Sets.FirstOrDefault(one => one.Name == set);

    private static RimSet ReadSet(JsonElement set) => new(
        set.GetProperty("name").GetString()!, Time(set, "staged"), set.TryGetProperty("promoted", out _) ? Time(set, "promoted") : null, ReadIds(set, "rims"), ReadIds(set, "lifted"));

    private static ImmutableSortedSet<string> ReadIds(JsonElement element, string name)
    {
        var ids = element.GetProperty(name).EnumerateArray().Select(id => id.GetString() ?? "").ToArray();
        return ids.All(RimIds.IsSafe) ? Ids(ids) : throw new FormatException(name);
    }

    // The last year of the calendar has no later second for the next promotion.
    private static DateTimeOffset Time(JsonElement element, string name) =>
        Utc.TryParse(element.GetProperty(name).GetString(), out var time) && time.Year < 9999 ? time : throw new FormatException(name);

    private static ImmutableSortedSet<string> Ids(IEnumerable<string> ids) => ids.ToImmutableSortedSet(StringComparer.Ordinal);

    private static void Write(Utf8JsonWriter writer, string name, IEnumerable<string> ids)
    {
        writer.WriteStartArray(name);
        foreach (var id in ids)
        {
            writer.WriteStringValue(id);
        }

        writer.WriteEndArray();
    }
}
