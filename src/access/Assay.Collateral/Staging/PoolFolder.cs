using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Collateral.Files;
using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Staging;

/// <summary>
/// The pools of a cache's folder, and the RIMs that were staged for them. Commands write here while a server runs on the folder: the
/// cache's own items and marks they leave alone, so that only one process ever writes those.
/// </summary>
public sealed class PoolFolder
{
    /// <summary>RIMs and names; far beyond what a site has.</summary>
    private const int MostBytes = 8 * 1024 * 1024;
    private const string Extension = ".json";

    private readonly string _folder;
    private readonly ItemFolder _staged;

    /// <param name="cache">The cache's folder.</param>
    /// <exception cref="IOException">Something else is there, or it cannot be made or read.</exception>
    public PoolFolder(string cache)
    {
        StoreFolder.Create(cache);
        _folder = Path.Combine(Path.GetFullPath(cache), "pools");
        _staged = new ItemFolder(StagedIn(cache));
        StoreFolder.Create(_folder);
    }

    /// <summary>All pools that have a file, sorted. Throws <see cref="IOException"/> when one is damaged.</summary>
    public ImmutableArray<RimPool> All() =>
        [.. Directory.EnumerateFiles(_folder, "*" + Extension).Select(Path.GetFileNameWithoutExtension).Where(RimPool.IsName).Order(StringComparer.Ordinal).Select(name => Read(name!))];

    /// <summary>A pool; an empty one when it has no file. Throws <see cref="IOException"/> when that is damaged.</summary>
    public RimPool Read(string name) =>
        TryRead(PathOf(_folder, name), name, out var pool, out var whyNot) ? pool : throw new IOException(whyNot);

    /// <summary>Changes a pool, one at a time. Throws <see cref="IOException"/> when the disk does not take it.</summary>
    /// <param name="name">Which one.</param>
    /// <param name="change">What comes of it; null to leave it as it is.</param>
    public void Change(string name, Func<RimPool, RimPool?> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        using var alone = OwnFile.Open(Path.Combine(_folder, "lock"), FileMode.OpenOrCreate, access: FileAccess.ReadWrite);
        if (change(Read(name)) is not { } changed)
        {
            return;
        }

        var path = PathOf(_folder, name);
        // A name that nobody could have put a link at.
        var unfinished = $"{path}.{Path.GetRandomFileName()}.new";
        using (var stream = OwnFile.Open(unfinished, FileMode.CreateNew))
        {
            stream.Write(changed.ToJson());
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, path, overwrite: true);
    }

    /// <summary>Lays a RIM that verified where a cache on this folder finds it, when it is asked for and holds none.</summary>
    public void Add(VerifiedItem rim, string source, DateTimeOffset now) =>
        _staged.Write(ItemHeader.Of(rim, source, new CachePolicy().TimesOf(rim, now)), rim.Chain, rim.Body);

    internal static string StagedIn(string cache) => Path.Combine(Path.GetFullPath(cache), "staged");

    internal static string PathOf(string folder, string name) => Path.Combine(folder, name + Extension);

    internal static string PoolsIn(string cache) => Path.Combine(Path.GetFullPath(cache), "pools");

    internal static bool TryRead(string path, string name, [NotNullWhen(true)] out RimPool? pool, [NotNullWhen(false)] out string? whyNot)
    {
        (pool, whyNot) = (null, null);
        // A file that is there and cannot be read is damaged: without it the default pool has no rule at all.
        if (BoundedFile.IsAbsent(path))
        {
            pool = new RimPool { Name = name };
            return true;
        }

        if (!BoundedFile.TryRead(path, MostBytes, out var bytes, out whyNot))
        {
            return false;
        }

        whyNot = !RimPool.TryParse(bytes, out pool, out var fault) ? $"{path}: {fault}" : pool.Name != name ? $"{path}: it is of pool {pool.Name}" : null;
        pool = whyNot is null ? pool : null;
        return pool is not null;
    }
}
