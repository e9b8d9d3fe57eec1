using Assay.Tests.Packages;

namespace Assay.Tests.Regressions;

/// <summary>Two packs of one commit differed now and then: the generator of log methods writes several classes in an order that changes from build to build.</summary>
public sealed class Bug0297_PacksThatDifferTests
{
    public static TheoryData<string> Libraries => [.. PackedLibraries.Needs.Keys];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_packed_library_has_at_most_one_class_of_log_methods(string library)
    {
        var sources = Directory.EnumerateFiles(Path.GetDirectoryName(PackedLibraries.ProjectOf(library))!, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && File.ReadAllText(path).Contains("[LoggerMessage(", StringComparison.Ordinal));

        Assert.True(sources.Count() <= 1, string.Join(", ", sources));
    }
}
