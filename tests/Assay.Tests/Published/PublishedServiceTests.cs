using System.Net;
using System.Text.RegularExpressions;
using Assay.Tests.Collateral;
using Assay.Tests.Simulator;

namespace Assay.Tests.Published;

/// <summary>What the native binary serves, and what it fetches.</summary>
public sealed partial class PublishedServiceTests(LiveServices live) : IClassFixture<LiveServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_serves_collateral_over_TLS_to_a_verification_of_its_own_until_it_is_told_to_stop()
    {
        var binary = PublishedBinary.Require();
        var folder = live.NewFolder();
        var (certificate, key) = (Path.Combine(folder, "tls.pem"), Path.Combine(folder, "tls.key"));
        Assert.True(Peer.Require("openssl").Run(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate).Accepted);
        await using var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        using var server = await ServeProcess.StartProgramAsync(
            [binary.Program],
            [
                "--cache", Path.Combine(folder, "cache"), "--anchors", live.Anchors, "--learn", live.Evidence, "--rim-url", upstream.Text, "--ocsp-url", upstream.Text, "--tls-cert", certificate, "--tls-key", key,
                "--crl-url", "none", "--intel-url", "none", "--intel-root-crl-url", "none", "--amd-url", "none",
            ]);
        var address = server.Addresses[0];
        Assert.StartsWith("https://127.0.0.1:", address, StringComparison.Ordinal);

        var verified = Peer.Require("env").Run($"SSL_CERT_FILE={certificate}", binary.Program, "verify", "--evidence", live.Evidence, "--anchors", live.Anchors, "--collateral-url", address, "--nonce", live.Nonce);
        Assert.True(verified.Accepted, verified.Output);
        Assert.StartsWith("PASS", verified.Output, StringComparison.Ordinal);
        // An unknown issuer of the server's certificate is told, and nothing is fetched.
        var refused = binary.Run("verify", "--evidence", live.Evidence, "--anchors", live.Anchors, "--collateral-url", address, "--nonce", live.Nonce);
        Assert.Equal(3, refused.ExitCode);

        Assert.Equal(0, await server.StopAsync("-TERM"));
        Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(folder, "cache"), "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Its_status_pages_metrics_and_log_are_there()
    {
        var binary = PublishedBinary.Require();
        await using var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        using var server = await ServeProcess.StartProgramAsync(
            [binary.Program],
            ["--anchors", live.Anchors, "--learn", live.Evidence, "--rim-url", upstream.Text, "--ocsp-url", upstream.Text, "--crl-url", "none", "--intel-url", "none", "--intel-root-crl-url", "none", "--amd-url", "none"]);

        Assert.Equal("ok\n", await server.Http.GetStringAsync("/healthz", Cancellation));
        Assert.Contains(live.Set.Rims[0].Id, await server.Http.GetStringAsync($"/v1/rim/{live.Set.Rims[0].Id}", Cancellation), StringComparison.Ordinal);
        Assert.Contains("\"kind\"", await server.Http.GetStringAsync("/v1/collateral", Cancellation), StringComparison.Ordinal);
        Assert.Contains("assay_collateral_hits_total", await server.Http.GetStringAsync("/metrics", Cancellation), StringComparison.Ordinal);
        using var missing = await server.Http.GetAsync("/nothing", Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);

        Assert.Equal(0, await server.StopAsync("-INT"));
        Assert.Contains("anchors simulated", server.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_simulator_beside_it_serves_a_machine_that_it_verifies()
    {
        var (binary, simulator) = (PublishedBinary.Require(), PublishedBinary.Require("assay-sim"));
        using var server = ServedSimulator.Start([simulator.Program], "serve", "--gpus", "1", "--switches", "1");
        using var http = new HttpClient { BaseAddress = new Uri(server.Address), Timeout = Patience.Long };
        var (folder, nonce) = (live.NewFolder(), new string('5', 64));
        async Task<string> SaveAsync(string path, string name)
        {
            var file = Path.Combine(folder, name);
            await File.WriteAllBytesAsync(file, await http.GetByteArrayAsync(new Uri(path, UriKind.Relative), Cancellation), Cancellation);
            return file;
        }

        var evidence = await SaveAsync($"/evidence?nonce={nonce}", "evidence.json");
        var anchors = await SaveAsync("/anchors.json", "anchors.json");
        var verified = binary.Run("verify", "--evidence", evidence, "--anchors", anchors, "--rim-url", server.Address, "--ocsp-url", server.Address, "--nonce", nonce);

        Assert.True(verified.ExitCode == 0, verified.Text + verified.Error);
        var (code, said) = server.Stop();
        Assert.Equal(0, code);
        Assert.Contains("\n  assay verify --evidence evidence.json", said, StringComparison.Ordinal);
    }

    // A key that libcrypto makes costs a fraction of one that .NET imports, which has OpenSSL multiply its point by the group's order.
    [Fact]
    public void Keys_are_made_by_libcrypto_itself_in_the_binary_too()
    {
        var binary = PublishedBinary.Require();
        var answer = Peer.Require("gdb").Run(
        [
            "-nx", "-batch", "-readnever", "-ex", "set breakpoint pending on", "-ex", "handle all nostop noprint pass",
            "-ex", "break EVP_PKEY_fromdata", "-ex", "break EC_KEY_check_key", "-ex", "break ECDSA_do_verify", "-ex", "ignore 1 9999", "-ex", "ignore 2 9999", "-ex", "ignore 3 9999", "-ex", "run", "-ex", "info breakpoints",
            "--args", binary.Program, "verify", "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z",
        ]);
        Assert.SkipWhen(answer.Output.Contains("ptrace", StringComparison.OrdinalIgnoreCase), "no process may be traced here");
        int Hits(string function) => Breakpoint().Matches(answer.Output).Where(match => match.Groups[1].Value == function).Select(match => match.Groups[2].Success ? int.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture) : 0).Single();

        // 9 keys, and the key of the check that both use one library, which .NET imports once.
        Assert.Equal(11, Hits("ECDSA_do_verify"));
        Assert.InRange(Hits("EVP_PKEY_fromdata"), 10, 11);
        Assert.Equal(0, Hits("EC_KEY_check_key"));
    }

    [GeneratedRegex(@"<([A-Za-z_]+)(?:\+\d+)?>\n(?:\s+breakpoint already hit (\d+) times?\n)?")]
    private static partial Regex Breakpoint();
}
