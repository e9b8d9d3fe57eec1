using System.Collections.Concurrent;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Wire;

namespace Assay.Tests.Cli;

/// <summary>Options that name services: the same words for every command, and a remark about those that cannot serve the evidence.</summary>
public sealed class ServiceOptionTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("--rim-url", "nvidia names NVIDIA's, none asks no service")]
    [InlineData("--ocsp-url", "nvidia names NVIDIA's, none asks no service")]
    [InlineData("--intel-url", "intel names Intel's, none asks no service")]
    [InlineData("--amd-url", "amd names AMD's, none asks no service")]
    public void Every_command_has_the_same_words_for_a_service(string option, string words)
    {
        string[][] commands = [["verify", .. Shown(services.Tdx.Quote)], ["collateral", "serve", "--listen", "127.0.0.1:0"], ["bundle", "create", "--for", "evidence.json", "--key", "site.pem", "--out", "bundle"]];

        Assert.All(commands, command => Assert.Contains($"assay: cli.url: {option}: ", s_assay.Says(2, [.. command, option, "ftp://x"]), StringComparison.Ordinal));
        Assert.All(commands, command => Assert.Contains(words, s_assay.Says(2, [.. command, option, "ftp://x"]), StringComparison.Ordinal));
    }

    [Fact]
    public async Task None_keeps_the_proxy_for_all_from_being_asked()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await services.UpstreamAsync((request, answer) =>
        {
            asked.Add(request.Path.Value!);
            return answer;
        });

        var text = s_assay.Says(3, ["verify", .. Shown(services.Tdx.Quote), "--collateral-url", upstream.Text, "--intel-url", "none", "--rim-url", "none"]);

        Assert.Empty(asked);
        Assert.DoesNotContain("cli.unused", text, StringComparison.Ordinal);
    }

    [Fact]
    public void None_does_not_waive_revocation()
    {
        var folder = services.NewFolder();
        Says(0, "demo", "--out", folder);

        var text = Says(3, "verify", "--evidence", Path.Combine(folder, "gpu_evidence.json"), Path.Combine(folder, "switch_evidence.json"), "--anchors", Path.Combine(folder, "anchors.json"), "--rim-store", Path.Combine(folder, "rims"), "--ocsp-url", "none");

        Assert.Contains("no OCSP source was asked", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--amd-url", "http://127.0.0.1:9", "an SNP report")]
    [InlineData("--rim-url", "http://127.0.0.1:9", "evidence of GPUs and switches")]
    [InlineData("--ocsp-store", ".", "evidence of GPUs and switches")]
    [InlineData("--accept-vlek", null, "an SNP report")]
    public void An_option_that_cannot_serve_the_evidence_is_mentioned(string option, string? value, string needed)
    {
        string[] verify = ["verify", .. Shown(services.Tdx.Quote)];
        var silent = s_assay.Says(3, verify);

        var text = s_assay.Says(3, [.. verify, option, .. value is null ? Array.Empty<string>() : [value is "." ? services.NewFolder() : value]]);

        Assert.DoesNotContain("cli.unused", silent, StringComparison.Ordinal);
        Assert.Contains($"assay: cli.unused: {option} is not used: it is for {needed}, and none is given", text, StringComparison.Ordinal);
    }

    private static string Says(int code, params string[] arguments) => s_assay.Says(code, arguments);

    private string[] Shown(byte[] quote)
    {
        var folder = services.NewFolder();
        var (evidence, anchors) = (Path.Combine(folder, "quote.bin"), Path.Combine(folder, "anchors.json"));
        File.WriteAllBytes(evidence, quote);
        File.WriteAllBytes(anchors, CpuAnchors.ToJson("tests", services.Intel, services.Amd));
        return ["--cpu-evidence", evidence, "--anchors", anchors, "--at", Utc.Text(ProcessorServices.Now)];
    }
}
