using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>A verdict told the digest of a configuration without its byte order mark, which no other tool computes, and none of a policy's files.</summary>
public sealed class Bug0265_DigestsOfOtherBytesTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private const string Hopper = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void A_configuration_with_a_byte_order_mark_is_refused_as_its_page_says()
    {
        var file = site.Fresh();
        File.WriteAllBytes(file, [0xEF, 0xBB, 0xBF, .. "version: 1\n"u8]);

        Assert.Contains("byte order mark", s_assay.Says(2, "verify", "--config", file, "--evidence", Recorded.PathOf(Hopper)), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_file_of_a_policy_is_named_with_the_digest_of_all_its_bytes()
    {
        var folder = Directory.CreateDirectory(site.Fresh()).FullName;
        var (rego, data) = (Path.Combine(folder, "a.rego"), Path.Combine(folder, "b.json"));
        File.WriteAllBytes(rego, [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes("package policy\nimport rego.v1\ndefault allow := false\nallow if data.yes\n")]);
        File.WriteAllText(data, "{\"yes\": true}");

        var policy = JsonNode.Parse(s_assay.Says(3, "verify", "--evidence", Recorded.PathOf(Hopper), "--at", "2024-06-01T00:00:00Z", "--policy", folder, "--format", "json"))!["policy"]!;

        Assert.Equal([(rego, Sha384(rego)), (data, Sha384(data))], policy["files"]!.AsArray().Select(file => ((string)file!["path"]!, (string)file["sha384"]!)));
    }

    private static string Sha384(string file) => Convert.ToHexStringLower(SHA384.HashData(File.ReadAllBytes(file)));
}
