using System.Text;

namespace Assay.Tests;

/// <summary>
/// Recorded hardware evidence, kept outside the repository: in the folder named by ASSAY_VECTORS, or in vectors/recorded.
/// Tests that need it are skipped where it is absent, and counted.
/// </summary>
internal static class Recorded
{
    public static string? Root { get; } = Find();

    public static bool Present => Root is not null;

    public static string PathOf(string relative)
    {
        Assert.SkipUnless(Present, "recorded vectors are absent: set ASSAY_VECTORS or link vectors/recorded (docs/development/vectors.md)");
        return Path.Combine(Root!, relative);
    }

    public static byte[] Bytes(string relative) => File.ReadAllBytes(PathOf(relative));

    public static string Text(string relative) => File.ReadAllText(PathOf(relative), Encoding.UTF8).Trim();

    /// <summary>A report written as hexadecimal text.</summary>
    public static byte[] Hex(string relative) => Convert.FromHexString(Text(relative));

    private static string? Find()
    {
        string?[] candidates = [Environment.GetEnvironmentVariable("ASSAY_VECTORS"), Path.Combine(Repository.Root, "vectors", "recorded")];
        return candidates.FirstOrDefault(candidate => candidate is not null && File.Exists(Path.Combine(candidate, "nvidia", "INDEX.md")));
    }
}
