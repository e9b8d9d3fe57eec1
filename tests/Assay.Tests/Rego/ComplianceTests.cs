using System.Globalization;
using System.Text;

namespace Assay.Tests.Rego;

/// <summary>OPA's own suite. What fails on purpose stands in ledger.txt with its reason; anything else that fails, and anything there that passes, fails the build.</summary>
public class ComplianceTests(ITestOutputHelper output)
{
    [Fact]
    public void OPAs_suite_passes_but_for_the_ledger()
    {
        var ledger = Ledger();
        var (failures, groups) = (new List<(string Note, string Why)>(), new SortedDictionary<string, (int Passed, int All)>(StringComparer.Ordinal));
        var passed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in ComplianceSuite.Cases())
        {
            string? why;
            try
            {
                why = ComplianceSuite.WhyNot(item);
            }
            catch (Exception thrown) when (thrown is not OutOfMemoryException)
            {
                why = $"threw {thrown}";
            }

            var (good, all) = groups.GetValueOrDefault(item.Group);
            groups[item.Group] = (good + (why is null ? 1 : 0), all + 1);
            var id = item.Note;
            if (why is null)
            {
                passed.Add(id);
            }
            else
            {
                failures.Add((id, why));
            }
        }

        var report = new StringBuilder();
        foreach (var (group, (good, all)) in groups.Where(group => group.Value.Passed < group.Value.All))
        {
            report.Append(CultureInfo.InvariantCulture, $"{group}: {good} of {all}\n");
        }

        report.Append(CultureInfo.InvariantCulture, $"all: {groups.Values.Sum(group => group.Passed)} of {groups.Values.Sum(group => group.All)}\n");
        output.WriteLine(report.ToString());
        if (Environment.GetEnvironmentVariable("ASSAY_REGO_REPORT") is { Length: > 0 } file)
        {
            File.WriteAllText(file, report + string.Join("\n", failures.Select(failure => $"## {failure.Note}\n{failure.Why}\n")));
        }

        var unexpected = failures.Where(failure => !ledger.ContainsKey(failure.Note)).Select(failure => $"{failure.Note}: {failure.Why}").ToArray();
        var mended = ledger.Keys.Where(id => passed.Contains(id) && !failures.Any(failure => failure.Note == id)).ToArray();
        Assert.True(mended.Length == 0, $"these pass and stand in the ledger: {string.Join(", ", mended)}");
        Assert.True(unexpected.Length == 0, $"{unexpected.Length} cases fail and stand not in the ledger:\n{string.Join("\n", unexpected.Take(20))}");
    }

    private static Dictionary<string, string> Ledger()
    {
        var path = Path.Combine(Repository.Root, "tests", "Assay.Tests", "Rego", "ledger.txt");
        var ledger = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in File.ReadLines(path).Where(line => line.Length > 0 && line[0] != '#'))
        {
            var cut = line.IndexOf('\t', StringComparison.Ordinal);
            Assert.True(cut > 0 && line.Length > cut + 1, $"a line of the ledger is an id, a tab and a reason: {line}");
            Assert.True(ledger.TryAdd(line[..cut], line[(cut + 1)..]), $"repeated in the ledger: {line[..cut]}");
        }

        return ledger;
    }
}
