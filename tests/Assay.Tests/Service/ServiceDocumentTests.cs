using System.Globalization;
using System.Text.RegularExpressions;
using Assay.Attestation;
using Assay.Broker;
using Assay.Service.Audit;
using Assay.Service.Http;
using Assay.Service.Identity;

namespace Assay.Tests.Service;

/// <summary>What the pages about the service say, against the code.</summary>
public sealed partial class ServiceDocumentTests
{
    private static string Reference { get; } = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "service.md"));

    private static string Broker { get; } = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "broker.md"));

    [Fact]
    public void The_reference_lists_every_kind_of_problem_with_its_status_and_title() => Assert.Equal(
        Problems.All.Concat(AttestationProblems.All).Select(kind => (kind.Type, kind.Status, kind.Title)),
        Problem().Matches(Reference).Select(row => (row.Groups[1].Value, int.Parse(row.Groups[2].Value, CultureInfo.InvariantCulture), row.Groups[3].Value)));

    [Fact]
    public void The_broker_s_reference_lists_every_kind_of_problem_with_its_status_and_title() => Assert.Equal(
        BrokerProblems.All.Select(kind => (kind.Type, kind.Status, kind.Title)),
        Problem().Matches(Broker).Select(row => (row.Groups[1].Value, int.Parse(row.Groups[2].Value, CultureInfo.InvariantCulture), row.Groups[3].Value)));

    [Fact]
    public void The_reference_names_every_scope_role_and_kind_of_audit_entry()
    {
        foreach (var word in Scopes.All.Concat(Scopes.Roles.Keys).Concat(Sources().SelectMany(source => Entry().Matches(source).Select(match => match.Groups[1].Value))).Concat(BrokerEntries.All))
        {
            Assert.Contains($"`{word}`", Reference + Broker, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_kind_of_audit_entry_has_a_class_of_OCSF() =>
        Assert.All(Sources().SelectMany(source => Entry().Matches(source).Select(match => match.Groups[1].Value)), kind => Assert.True(OcsfEvent.Knows(kind), kind));

    [Fact]
    public void Every_fault_at_the_start_has_an_entry_and_every_entry_is_a_fault()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "troubleshooting", "service.md"));
        var documented = Heading().Matches(page).Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal);
        var used = Sources().SelectMany(source => Fault().Matches(source).Select(match => match.Groups[1].Value)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);

        Assert.Equal(used, documented);
    }

    private static IEnumerable<string> Sources() => new[] { "Assay.Service", "Assay.Attestation", "Assay.Broker", "Assay.Server" }
        .SelectMany(project => Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", "services", project), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).Select(File.ReadAllText);

    [GeneratedRegex(@"^\| `(urn:assay:[a-z-]+)` \| ([0-9]+) \| (.+?) \|$", RegexOptions.Multiline)]
    private static partial Regex Problem();

    [GeneratedRegex(@"new AuditEvent\(""([a-z.-]+)""")]
    private static partial Regex Entry();

    [GeneratedRegex(@"[""\s](service\.[a-z]+(?:\.[a-z]+)?)["":]")]
    private static partial Regex Fault();

    [GeneratedRegex(@"^### `(service\.[a-z.]+)`$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
