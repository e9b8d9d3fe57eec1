using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary>The folders of <c>--rim-store</c> and <c>--ocsp-store</c>: one that is not there, or that holds what the other takes, is a slip of the pen.</summary>
internal static class StoreFolders
{
    private const int MostLookedAt = 64;
    private static readonly (string Option, ContentKind Kind, string What)[] s_stores =
    [
        ("--rim-store", ContentKind.Rim, "RIMs (<id>.xml)"),
        ("--ocsp-store", ContentKind.OcspResponse, "OCSP responses"),
    ];

    /// <summary>Why a folder cannot be meant; null where it can. An empty one, and one with other files, may be filled later.</summary>
    public static string? WhyNot(string option, string folder)
    {
        if (!Directory.Exists(folder))
        {
            return File.Exists(folder) ? $"{option}: {folder} is a file, a folder is expected" : $"{option}: the folder {folder} does not exist";
        }

        var kinds = KindsIn(folder);
        var own = s_stores.Single(store => store.Option == option);
        var other = s_stores.Single(store => store.Option != option);
        return kinds.Contains(other.Kind) && !kinds.Contains(own.Kind) ? $"{option}: {folder} has {other.What} and no {own.What}: give it as {other.Option}" : null;
    }

    // A few of its files tell what a folder is for. What cannot be read tells nothing, and is told by whoever needs it.
    private static HashSet<ContentKind> KindsIn(string folder)
    {
        var kinds = new HashSet<ContentKind>();
        try
        {
            foreach (var file in Directory.EnumerateFiles(folder).Take(MostLookedAt))
            {
                if (BoundedFile.TryRead(file, Limits.RimBytes, out var bytes, out _))
                {
                    kinds.Add(FileContent.Of(bytes.Span).Kind);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            kinds.Clear();
        }

        return kinds;
    }
}
