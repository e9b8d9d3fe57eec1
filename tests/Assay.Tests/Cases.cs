namespace Assay.Tests;

/// <summary>
/// Evidence of public issues and of attacks, kept outside the repository: the folder cases beside the recorded vectors.
/// Tests that need it are skipped where it is absent, and counted.
/// </summary>
internal static class Cases
{
    public static string? Root { get; } = Find();

    public static string PathOf(string relative)
    {
        Assert.SkipUnless(Root is not null, "cases are absent: put them into the folder cases beside the recorded vectors");
        return Path.Combine(Root!, relative);
    }

    public static byte[] Bytes(string relative) => File.ReadAllBytes(PathOf(relative));

    private static string? Find()
    {
        string?[] candidates = [Environment.GetEnvironmentVariable("ASSAY_VECTORS"), Repository.Root];
        return candidates.OfType<string>().Select(folder => Path.GetFullPath(Path.Combine(folder, "..", "cases"))).FirstOrDefault(folder => File.Exists(Path.Combine(folder, "INDEX.md")));
    }
}
