using System.Text.Json;
using System.Text.RegularExpressions;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

/// <summary>The program <c>assay-sim</c> as people run it, with <c>assay</c> and OpenSSL as its clients.</summary>
public sealed partial class SimulatorCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-sim-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("none", 0, "PASS")]
    [InlineData("replayed-switch", 1, "set.devices.distinct")]
    [InlineData("missing-rim", 3, "rim.driver.available")]
    [InlineData("truncated-report", 2, "report.wellformed")]
    public void What_a_machine_writes_is_judged_by_the_command_that_it_prints(string fault, int code, string found)
    {
        var (made, text) = Run("assay-sim", "machine", "--gpus", "2", "--switches", "2", "--fault", fault, "--out", Path.Combine(_folder, "m"));
        Assert.True(made == 0, text);
        var arguments = QuotedOrBare().Matches(text[text.IndexOf("assay verify ", StringComparison.Ordinal)..].Trim()).Select(match => match.Value.Trim('\'')).Skip(1);

        var (verified, verdict) = Run("assay", [.. arguments]);

        Assert.True(verified == code, verdict);
        Assert.Contains(found, verdict, StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_with_critical_markers_is_judged_alike()
    {
        var (made, text) = Run("assay-sim", "machine", "--gpus", "1", "--switches", "0", "--critical-marker", "--out", Path.Combine(_folder, "m"));
        Assert.True(made == 0, text);
        var arguments = QuotedOrBare().Matches(text[text.IndexOf("assay verify ", StringComparison.Ordinal)..].Trim()).Select(match => match.Value.Trim('\'')).Skip(1);

        var (verified, verdict) = Run("assay", [.. arguments]);

        Assert.True(verified == 0, verdict);
        Assert.Contains("simulated", verdict, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("machine", "--out", "OUT", "--fault", "nonsense", "sim.fault: there is no fault nonsense")]
    [InlineData("machine", "--out", "OUT", "--gpus", "9", "sim.machine: a machine has 1 to 8 GPUs")]
    [InlineData("evidence", "--out", "OUT", "--nonce", "12", "sim.nonce: --nonce is 32 bytes")]
    [InlineData("evidence", "--out", "OUT", "--fault", "missing-switch", "needs GPUs and switches together")]
    [InlineData("evidence", "--out", "/proc/nowhere", "--device", "ls10", "sim.folder")]
    [InlineData("serve", "--port", "70000", "--gpus", "1", "sim.port: --port is 0 to 65535")]
    public void What_cannot_be_meant_is_refused_with_its_reason(string command, string option, string value, string second, string other, string reason)
    {
        var (code, text) = Run("assay-sim", command, option, value == "OUT" ? Path.Combine(_folder, "out") : value, second, other);

        Assert.Equal(2, code);
        Assert.Contains(reason, text, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "out")));
    }

    [Fact]
    public void A_folder_with_something_in_it_is_left_alone()
    {
        File.WriteAllText(Path.Combine(_folder, "mine.txt"), "mine");

        var (code, text) = Run("assay-sim", "evidence", "--out", _folder);

        Assert.Equal(2, code);
        Assert.Contains("exists and is not an empty folder", text, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_folder, "mine.txt")));
    }

    [Fact]
    public void The_list_of_faults_is_the_same_for_people_and_programs()
    {
        using var json = JsonDocument.Parse(Run("assay-sim", "faults", "--format", "json").Text);
        var text = Run("assay-sim", "faults").Text;

        Assert.Equal(SimulatedFaults.All.Select(fault => fault.Name), json.RootElement.EnumerateArray().Select(fault => fault.GetProperty("name").GetString()));
        Assert.All(SimulatedFaults.All, fault => Assert.Contains(fault.Summary, text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_served_machine_answers_the_command_and_openssl_by_post_and_get()
    {
        using var server = ServedSimulator.Start(AssayProgram.Words("assay-sim"), "serve", "--gpus", "1", "--switches", "1", "--fault", "revoked-device");
        using var http = new HttpClient { BaseAddress = new Uri(server.Address), Timeout = Patience.Long };
        var nonce = new string('5', 64);
        var cancellation = TestContext.Current.CancellationToken;
        var evidence = await Save(http, $"/evidence?nonce={nonce}", "evidence.json");
        var anchors = await Save(http, "/anchors.json", "anchors.json");

        var (code, verdict) = Run("assay", "verify", "--evidence", evidence, "--anchors", anchors, "--rim-url", server.Address, "--ocsp-url", server.Address, "--nonce", nonce);

        Assert.True(code == 1, verdict);
        Assert.Single(FailedLine().Matches(verdict));
        Assert.Contains("FAILED      device.chain.not-revoked", verdict, StringComparison.Ordinal);

        var openssl = Peer.Require("openssl");
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(evidence, cancellation));
        var chain = document.RootElement[0].GetProperty("certificate").GetBytesFromBase64();
        string[] certificates = [.. System.Text.Encoding.ASCII.GetString(chain).Split("-----END CERTIFICATE-----\n", StringSplitOptions.RemoveEmptyEntries).Select(part => part + "-----END CERTIFICATE-----\n")];
        var (subject, issuer) = (At("subject.pem"), At("issuer.pem"));
        await File.WriteAllTextAsync(subject, certificates[1], cancellation);
        await File.WriteAllTextAsync(issuer, certificates[2], cancellation);
        var asked = openssl.Run("ocsp", "-issuer", issuer, "-cert", subject, "-url", server.Address, "-noverify", "-reqout", At("request.der"));
        Assert.Contains("subject.pem: revoked", asked.Output, StringComparison.Ordinal);
        Assert.Contains("keyCompromise", asked.Output, StringComparison.Ordinal);

        // The GET form of RFC 6960, appendix A.1.
        var request = Uri.EscapeDataString(Convert.ToBase64String(await File.ReadAllBytesAsync(At("request.der"), cancellation)));
        await Save(http, $"/ocsp/{request}", "answer.der");
        Assert.Contains("Cert Status: revoked", openssl.Run("ocsp", "-respin", At("answer.der"), "-noverify", "-resp_text").Output, StringComparison.Ordinal);

        await Save(http, "/crl/l2-gh100.crl", "l2.crl");
        Assert.Contains("X509v3 CRL Number", openssl.Run("crl", "-inform", "DER", "-in", At("l2.crl"), "-noout", "-text").Output, StringComparison.Ordinal);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await http.GetAsync(new Uri("/v1/rim/NV_GPU_DRIVER_GH100_1", UriKind.Relative), cancellation)).StatusCode);
        Assert.Equal(System.Net.HttpStatusCode.BadRequest, (await http.GetAsync(new Uri("/evidence?nonce=12", UriKind.Relative), cancellation)).StatusCode);
    }

    private string At(string name) => Path.Combine(_folder, name);

    private async Task<string> Save(HttpClient http, string path, string name)
    {
        await File.WriteAllBytesAsync(At(name), await http.GetByteArrayAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken));
        return At(name);
    }

    private static (int Code, string Text) Run(string program, params string[] arguments)
    {
        var words = AssayProgram.Words(program);
        var answer = Peer.Require(words[0]).Run([.. words[1..], .. arguments]);
        return (answer.ExitCode, answer.Output);
    }

    [GeneratedRegex("'[^']*'|[^ \n]+")]
    private static partial Regex QuotedOrBare();

    [GeneratedRegex("FAILED ")]
    private static partial Regex FailedLine();
}
