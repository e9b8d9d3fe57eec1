using System.Text.Json;
using Assay.Cli.Demo;
using Assay.Collateral;
using Assay.Tests.Cli;
using Assay.Tests.Guest;

namespace Assay.Tests.Channels;

/// <summary><c>assay client check</c>: what stands behind an address, and exit codes that scripts may rely on.</summary>
public sealed class ClientCheckTests
{
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public async Task A_good_worker_is_told_whole_and_what_a_policy_does_not_accept_is_refused_by_its_id()
    {
        await using var worker = await ProxiedWorker.StartAsync(ProxiedWorker.FreePort());

        var text = s_assay.Says(0, "client", "check", worker.Url, "--policy", worker.Policy);
        Assert.StartsWith($"ATTESTED · {worker.Url}", text, StringComparison.Ordinal);
        Assert.Matches(@"\n  whose +a certificate of the configured CA for worker\.example\n", text);
        Assert.Matches(@"\n  level +exporter: ", text);
        Assert.Matches(@"\n  key +SHA-384 of its certificate [0-9a-f]{96}\n", text);
        Assert.Matches(@"\n  image +simulated guest 1 \(the image\)\n", text);
        Assert.Matches(@"\n  boot event +a measured gate verified the devices at boot: 4 devices\n", text);
        Assert.Matches(@"\n  device +GPU GH100 .*, mode PPCIE, driver [0-9.]+, VBIOS [0-9A-F.]+\n", text);
        Assert.Contains("\nThis verdict proves\n", text, StringComparison.Ordinal);
        Assert.Contains("\nIt does not prove\n", text, StringComparison.Ordinal);

        var json = Json(s_assay.Says(0, "client", "check", worker.Url, "--policy", worker.Policy, "--format", "json"));
        Assert.True(json.GetProperty("opened").GetBoolean());
        Assert.Equal("exporter", json.GetProperty("level").GetString());
        Assert.Equal("pass", json.GetProperty("verdict").GetProperty("verdict").GetString());
        Assert.Equal(["reference-values-unsigned"], json.GetProperty("weakened").EnumerateArray().Select(name => name.GetString()));
        Assert.False(json.TryGetProperty("refused", out _));

        Refused(worker, 1, "channel.operator.ca", worker.Files.Policy("others.yaml", ProxiedWorker.Others));
        Refused(worker, 1, "channel.purpose", worker.Files.Policy("purpose.yaml", ProxiedWorker.Ours, purpose: "training"));
        var site = File.ReadAllText(Path.Combine(worker.Folder, "site.yaml"));
        Refused(worker, 1, "channel.weakened", Changed(worker, "unsigned", site.Replace("[reference-values-unsigned]", "[]", StringComparison.Ordinal)));
        // Without a word about weakenings none is accepted.
        Refused(worker, 1, "channel.weakened", Changed(worker, "silent", site[..site.IndexOf("accept:", StringComparison.Ordinal)]));
        var counted = Refused(worker, 1, "channel.verdict", Changed(worker, "more", site.Replace("gpus: 2", "gpus: 8", StringComparison.Ordinal)));
        Assert.Equal("fail", counted.GetProperty("verdict").GetProperty("verdict").GetString());
        Refused(worker, 3, "channel.verdict.incomplete", Changed(worker, "nowhere", site.Replace(worker.Guest.Url, "none", StringComparison.Ordinal)));
        Refused(worker, 3, "channel.connection", worker.Policy, $"https://127.0.0.1:{ProxiedWorker.FreePort()}");
        Assert.Contains("composite.gpus.count", s_assay.Says(1, "client", "check", worker.Url, "--policy", Path.Combine(worker.Folder, "more-channel.yaml")), StringComparison.Ordinal);
        Assert.Contains("cli.url", s_assay.Says(2, "client", "check", "http://127.0.0.1:1", "--policy", worker.Policy), StringComparison.Ordinal);
        Assert.Contains("cli.file", s_assay.Says(2, "client", "check", worker.Url, "--policy", Path.Combine(worker.Folder, "gone.yaml")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_level_and_operator_that_weakens_a_channel_says_so()
    {
        await using var worker = await ProxiedWorker.StartAsync(ProxiedWorker.FreePort());
        using var sources = new CollateralSources();
        var party = new RelyingParty { Sources = sources, Policy = worker.Guest.Report().GetProperty("gpuPolicy").GetString()!, Gpus = GuestWorld.Gpus, Switches = GuestWorld.Switches };
        var files = RelyingPartyFiles.Write(Path.Combine(worker.Folder, "weak"), party, worker.Guest.Hardware, worker.Guest.Url, "channel-any-operator", "channel-level-challenge");

        var json = Json(s_assay.Says(0, "client", "check", worker.Url, "--policy", files.Policy("channel.yaml", "{dangerouslyAnyOperator: true}", level: "challenge"), "--format", "json"));
        Assert.Equal(["channel-any-operator", "channel-level-challenge", "reference-values-unsigned"], json.GetProperty("weakened").EnumerateArray().Select(name => name.GetString()));
        Assert.Equal("any operator", json.GetProperty("operator").GetString());
    }

    [Theory]
    [InlineData("--listen", "0.0.0.0:8080", "https://127.0.0.1:1", "--dangerously-listen-beyond-loopback")]
    [InlineData("--listen", "localhost", "https://127.0.0.1:1", "an address and a port are expected")]
    [InlineData("--metrics-listen", "9100", "https://127.0.0.1:1", "an address and a port are expected")]
    [InlineData("--listen", "127.0.0.1:0", "http://127.0.0.1:1", "https://HOST:PORT or tcp://HOST:PORT is expected")]
    [InlineData("--listen", "127.0.0.1:0", "https://127.0.0.1:1/path", "https://HOST:PORT or tcp://HOST:PORT is expected")]
    [InlineData("--listen", "127.0.0.1:0", "tcp://worker", "https://HOST:PORT or tcp://HOST:PORT is expected")]
    public void A_proxy_with_a_faulty_command_line_does_not_start(string option, string value, string upstream, string expected) =>
        Assert.Contains(expected, s_assay.Says(2, "proxy", option, value, "--upstream", upstream, "--policy", "gone.yaml"), StringComparison.Ordinal);

    private static string Changed(ProxiedWorker worker, string name, string site)
    {
        File.WriteAllText(Path.Combine(worker.Folder, $"{name}.yaml"), site);
        var policy = Path.Combine(worker.Folder, $"{name}-channel.yaml");
        File.WriteAllText(policy, File.ReadAllText(worker.Policy).Replace("site.yaml", $"{name}.yaml", StringComparison.Ordinal));
        return policy;
    }

    private static JsonElement Refused(ProxiedWorker worker, int code, string id, string policy, string? url = null)
    {
        var json = Json(s_assay.Says(code, "client", "check", url ?? worker.Url, "--policy", policy, "--format", "json"));
        Assert.False(json.GetProperty("opened").GetBoolean());
        Assert.Equal(id, json.GetProperty("refused").GetProperty("id").GetString());
        return json;
    }

    private static JsonElement Json(string text)
    {
        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
