namespace Assay.Tests.Rego;

public class ErrorTests
{
    [Fact]
    public void Wrong_sources_are_refused_with_code_and_place()
    {
        var cases = ErrorCases.Read(Path.Combine(Repository.Root, "vectors", "rego", "errors.txt")).ToArray();
        Assert.True(cases.Length >= 200, $"only {cases.Length} cases were read");
        var wrong = cases.Select(item => (item.Name, Why: ErrorCases.WhyNot(item))).Where(item => item.Why is not null).Select(item => $"{item.Name}: {item.Why}").ToArray();
        Assert.True(wrong.Length == 0, $"{wrong.Length} cases fail:\n{string.Join("\n", wrong)}");
    }
}
