using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;

namespace Assay.Tests.Appraisal;

/// <summary>The table of technologies: what a row names exists, and no two rows can be taken for one another.</summary>
public class TeeTechnologyTests
{
    private static readonly HashSet<string> s_checks = [.. typeof(CheckIds).GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public)
        .Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!)];

    [Fact]
    public void Every_row_has_a_kind_and_a_word_of_its_own()
    {
        Assert.NotEmpty(TeeTechnology.All);
        Assert.Equal(TeeTechnology.All.Length, TeeTechnology.All.Select(row => row.Kind).Distinct().Count());
        Assert.Equal(TeeTechnology.All.Length, TeeTechnology.All.Select(row => row.Word).Distinct().Count());
        Assert.Equal(TeeTechnology.All.Length, TeeTechnology.All.Select(row => row.Name).Distinct().Count());
        // Azure's container holds evidence of one of them; every other kind is a row.
        Assert.Equal(Enum.GetValues<ProcessorEvidenceKind>().Except([ProcessorEvidenceKind.AzureVtpm, default]), TeeTechnology.All.Select(row => row.Kind).Except([default]).Order());
    }

    [Fact]
    public void The_checks_that_a_row_names_exist_and_are_its_own()
    {
        foreach (var row in TeeTechnology.All)
        {
            string[] named = [row.ReportDataCheck, row.MeasurementCheck, row.RevocationCheck];
            Assert.Subset(s_checks, named.ToHashSet());
            Assert.Equal(named.Length, named.Distinct().Count());
            Assert.All(named, id => Assert.StartsWith(row.Word + ".", id, StringComparison.Ordinal));
            Assert.NotEqual(row.WithoutReferences, row.WithoutRevocation);
        }
    }

    [Fact]
    public void What_a_check_lacks_has_a_name_that_is_permanent()
    {
        foreach (var row in TeeTechnology.All)
        {
            var lacking = s_checks.Where(id => !row.Lacks(id).IsEmpty).ToArray();
            Assert.NotEmpty(lacking);
            Assert.All(lacking, id => Assert.StartsWith(row.Word + ".", id, StringComparison.Ordinal));
            Assert.All(lacking.SelectMany(id => row.Lacks(id)), kind => Assert.NotEqual(CollateralKind.None, kind));
            Assert.Contains(lacking, id => row.Lacks(id).Select(row.MissingName).All(name => name.Length > 0));
        }
    }

    [Fact]
    public void The_recipe_for_a_further_one_names_every_member_of_a_row()
    {
        var recipe = File.ReadAllText(Path.Combine(Repository.Root, "docs", "development", "adding-a-processor.md"));
        var members = typeof(TeeTechnology).GetMembers(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.DeclaredOnly)
            .Where(member => member is System.Reflection.PropertyInfo or System.Reflection.MethodInfo { IsSpecialName: false }).Select(member => member.Name);

        Assert.All(members, member => Assert.Contains($"`{member}`", recipe, StringComparison.Ordinal));
    }
}
