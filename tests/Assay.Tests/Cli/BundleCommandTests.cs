using System.Diagnostics;
using System.Text.Json;

namespace Assay.Tests.Cli;

/// <summary><c>assay bundle</c> and what takes bundles, as people run them: a simulated machine of 8 GPUs, 4 switches and a TDX guest.</summary>
public sealed class BundleCommandTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private const string Challenge = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=";
    private static readonly AssayCommand s_assay = new();

    /// <summary>One machine, one site with two keys, one bundle.</summary>
    public sealed class Site : IDisposable
    {
        private int _last;
        private readonly string _parent = Directory.CreateTempSubdirectory("assay-bundle-").FullName;

        public Site()
        {
            Assert.Equal(0, s_assay.Run("demo", "--out", Machine).ExitCode);
            foreach (var name in new[] { "one", "two" })
            {
                s_assay.Says(0, "token", "keygen", "--out", In($"{name}.pem"));
                File.WriteAllText(In($"{name}.jwks"), s_assay.Says(0, "token", "jwks", "--signing-key", In($"{name}.pem")));
            }

            Bundle = In("rack.bundle");
            s_assay.Says(0, Create(Bundle, "--key", In("one.pem"), "--sequence", "7"));
        }

        public string Machine => In("machine");

        public string Evidence => Path.Combine(Machine, "machine.json");

        public string[] Anchors => ["--anchors", Path.Combine(Machine, "machine_anchors.json")];

        public string Bundle { get; }

        public string[] Trusting => ["--bundle-keys", In("one.jwks")];

        public string In(string name) => Path.Combine(_parent, name);

        public string Fresh() => In($"{Interlocked.Increment(ref _last)}");

        public string[] Create(string path, params string[] more) =>
        [
            "bundle", "create", "--for", Evidence, "--offline", "--rim-store", Path.Combine(Machine, "rims"), "--ocsp-store", Path.Combine(Machine, "ocsp"),
            "--cpu-collateral", Path.Combine(Machine, "tdx_collateral.json"), .. Anchors, "--out", path, .. more,
        ];

        public string[] Verify(params string[] more) =>
        [
            "verify", "--evidence", Evidence, "--nonce", Challenge, "--reference-values", Path.Combine(Machine, "reference_values.json"), .. Anchors, "--expect", "gpus=8,switches=4", .. more,
        ];

        public void Dispose() => Directory.Delete(_parent, recursive: true);
    }

    [Fact]
    public void In_a_network_namespace_without_routes_a_whole_machine_is_verified_from_a_bundle()
    {
        // No peer but a tool of every Linux: without it nothing would be proven, so that its absence fails.
        Assert.True(File.Exists("/usr/bin/unshare"), "unshare (util-linux) is needed");
        var arguments = site.Verify(["--bundle", site.Bundle, .. site.Trusting, "--format", "json"]);
        var command = string.Join(' ', arguments.Prepend(Path.Combine(AppContext.BaseDirectory, "assay.dll")).Select(argument => $"'{argument}'"));

        // The only interface is a loopback that is down, and the table of routes has its heading alone.
        var answer = Peer.Require("unshare").Run(Environment.IsPrivilegedProcess ? "-n" : "-rn", "sh", "-c", $"test $(wc -l < /proc/net/route) -le 1 && test $(tail -n +3 /proc/net/dev | wc -l) -eq 1 && exec dotnet {command}");

        Assert.True(answer.Accepted, answer.Output);
        using var json = JsonDocument.Parse(answer.Output[answer.Output.IndexOf('{', StringComparison.Ordinal)..]);
        Assert.Equal("boot-event", json.RootElement.GetProperty("binding").GetString());
        Assert.Equal(12, json.RootElement.GetProperty("devices").GetArrayLength());
        Assert.Equal(["reference-values-unsigned"], json.RootElement.GetProperty("weakened").EnumerateArray().Select(item => item.GetString()));
    }

    [Fact]
    public void A_bundle_says_what_it_is_and_who_verifies_it_says_until_when_it_is_good()
    {
        var inspected = s_assay.Says(0, "bundle", "inspect", site.Bundle);
        var verified = s_assay.Says(0, ["bundle", "verify", site.Bundle, .. site.Trusting, .. site.Anchors]);

        Assert.Contains("Nothing was verified", inspected, StringComparison.Ordinal);
        Assert.Contains("sequence    7", verified, StringComparison.Ordinal);
        Assert.Matches("good until  [0-9T:Z-]+, when the OCSP answer about .* ends", verified);
        Assert.Contains("Verified: signed by", verified, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_inputs_and_instant_give_the_same_digest()
    {
        string Digest(string path)
        {
            s_assay.Says(0, site.Create(path, "--key", site.In("one.pem"), "--created", "2026-11-22T00:00:00Z"));
            using var json = JsonDocument.Parse(s_assay.Says(0, "bundle", "inspect", path, "--format", "json"));
            Assert.Equal(1795305600, json.RootElement.GetProperty("sequence").GetInt64());
            return json.RootElement.GetProperty("digest").GetString()!;
        }

        Assert.Equal(Digest(site.Fresh()), Digest(site.Fresh()));
    }

    [Fact]
    public void Bundles_are_refused_by_name_and_never_without_keys()
    {
        Assert.Contains("cli.bundle", s_assay.Says(2, site.Verify("--bundle", site.Bundle)), StringComparison.Ordinal);
        Assert.Contains("cli.bundle", s_assay.Says(2, site.Verify("--bundle-keys", site.In("one.jwks"))), StringComparison.Ordinal);
        Assert.Contains("bundle.signed", s_assay.Says(2, site.Verify("--bundle", site.Bundle, "--bundle-keys", site.In("two.jwks"))), StringComparison.Ordinal);
        Assert.Contains("bundle.sequence.met", s_assay.Says(2, site.Verify(["--bundle", site.Bundle, .. site.Trusting, "--minimum-bundle-sequence", "8"])), StringComparison.Ordinal);
        Assert.Contains("bundle.current", s_assay.Says(2, site.Verify(["--bundle", site.Bundle, .. site.Trusting, "--at", "2027-11-01T00:00:00Z"])), StringComparison.Ordinal);
        Assert.Contains("bundle.current", s_assay.Says(1, ["bundle", "verify", site.Bundle, .. site.Trusting, .. site.Anchors, "--at", "2027-11-01T00:00:00Z", "--format", "json"]), StringComparison.Ordinal);
        Assert.Contains("bundle.items.authentic", s_assay.Says(1, ["bundle", "verify", site.Bundle, .. site.Trusting]), StringComparison.Ordinal);
        Assert.Contains("bundle.wellformed", s_assay.Says(2, ["bundle", "verify", site.Evidence, .. site.Trusting]), StringComparison.Ordinal);
    }

    [Fact]
    public void Two_keys_sign_and_two_are_demanded()
    {
        var both = site.Fresh();
        s_assay.Says(0, site.Create(both, "--key", site.In("one.pem"), site.In("two.pem")));
        string[] demanding = ["--bundle-keys", site.In("one.jwks"), site.In("two.jwks"), "--bundle-threshold", "2", .. site.Anchors];

        s_assay.Says(0, ["bundle", "verify", both, .. demanding]);
        Assert.Contains("bundle.signed", s_assay.Says(1, ["bundle", "verify", site.Bundle, .. demanding]), StringComparison.Ordinal);
        Assert.Contains("--bundle-threshold", s_assay.Says(2, ["bundle", "verify", both, .. site.Trusting, "--bundle-threshold", "2"]), StringComparison.Ordinal);
        Assert.Contains("twice", s_assay.Says(2, site.Create(site.Fresh(), "--key", site.In("one.pem"), site.In("one.pem"))), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_is_named_and_then_nothing_is_written()
    {
        var path = site.Fresh();
        var empty = Directory.CreateDirectory(site.Fresh()).FullName;

        var said = s_assay.Says(3, ["bundle", "create", "--for", site.Evidence, "--offline", "--rim-store", empty, .. site.Anchors, "--key", site.In("one.pem"), "--out", path]);

        Assert.Contains("bundle.missing: rim NV_GPU_DRIVER_GH100_", said, StringComparison.Ordinal);
        Assert.Contains("bundle.missing: tcb-info tdx/", said, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
        Assert.Contains("cli.out", s_assay.Says(2, site.Create(site.Bundle, "--key", site.In("one.pem"))), StringComparison.Ordinal);
        Assert.Contains("in the future", s_assay.Says(2, site.Create(path, "--key", site.In("one.pem"), "--created", "2099-01-01T00:00:00Z")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_names_what_a_bundle_lacks_and_its_list_makes_one_that_does_not()
    {
        Assert.StartsWith("0 missing", s_assay.Says(0, ["bundle", "plan", "--for", site.Evidence, "--bundle", site.Bundle, .. site.Anchors]), StringComparison.Ordinal);

        var ids = site.Fresh();
        var said = s_assay.Says(3, ["bundle", "plan", "--for", site.Evidence, "--ids-out", ids, .. site.Anchors]);
        Assert.Contains("missing  rim NV_SWITCH_BIOS_", said, StringComparison.Ordinal);
        Assert.Contains("missing  pck-crl platform: needed", said, StringComparison.Ordinal);

        // The RIMs of the list alone: their signers prove themselves, and nothing else is at hand there.
        var rims = site.Fresh();
        File.WriteAllLines(rims, File.ReadAllLines(ids).Where(line => line.StartsWith("rim ", StringComparison.Ordinal)).Prepend("# after an upgrade"));
        var path = site.Fresh();
        s_assay.Says(0, ["bundle", "create", "--ids", rims, "--offline", "--rim-store", Path.Combine(site.Machine, "rims"), .. site.Anchors, "--key", site.In("one.pem"), "--out", path]);
        var left = s_assay.Says(3, ["bundle", "plan", "--for", site.Evidence, "--bundle", path, .. site.Anchors]);
        Assert.DoesNotContain("missing  rim ", left, StringComparison.Ordinal);
        Assert.Contains("missing  ocsp ", left, StringComparison.Ordinal);
        File.WriteAllText(rims, "rim ../../etc/passwd and more\n");
        Assert.Contains("cli.ids", s_assay.Says(2, ["bundle", "create", "--ids", rims, "--offline", .. site.Anchors, "--key", site.In("one.pem"), "--out", site.Fresh()]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_was_made_under_other_anchors_is_not_opened_and_keeps_what_it_has()
    {
        var cache = site.Fresh();
        s_assay.Says(0, ["bundle", "import", site.Bundle, "--cache", cache, .. site.Trusting, .. site.Anchors]);
        var files = Directory.EnumerateFiles(cache, "*", SearchOption.AllDirectories).Order().ToArray();

        var refused = s_assay.Says(2, "collateral", "serve", "--offline", "--cache", cache, "--listen", "127.0.0.1:0");

        Assert.Contains("under the anchors", refused, StringComparison.Ordinal);
        Assert.Equal(files, Directory.EnumerateFiles(cache, "*", SearchOption.AllDirectories).Order());
        Assert.Contains("no such folder", s_assay.Says(2, "collateral", "list", "--cache", site.Fresh()), StringComparison.Ordinal);
    }

    [Fact]
    public void An_imported_bundle_serves_through_the_proxy_and_an_older_one_is_refused_afterwards()
    {
        var cache = site.Fresh();
        Assert.Contains("sequence 7", s_assay.Says(0, ["bundle", "import", site.Bundle, "--cache", cache, .. site.Trusting, .. site.Anchors]), StringComparison.Ordinal);
        var older = site.Fresh();
        s_assay.Says(0, site.Create(older, "--key", site.In("one.pem"), "--sequence", "6"));
        Assert.Contains("bundle.sequence.met", s_assay.Says(1, ["bundle", "import", older, "--cache", cache, .. site.Trusting, .. site.Anchors]), StringComparison.Ordinal);

        using var proxy = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "collateral", "serve", "--listen", "127.0.0.1:0", "--offline", "--cache", cache, .. site.Anchors]) { RedirectStandardOutput = true })!;
        try
        {
            var address = proxy.StandardOutput.ReadLine()!.Split(' ')[^1];
            s_assay.Says(0, site.Verify("--rim-url", address, "--ocsp-url", address, "--cpu-collateral", Path.Combine(site.Machine, "tdx_collateral.json")));
            // The folder is the proxy's while it runs: marks that another process wrote would be lost to it.
            Assert.Contains("collateral.in-use", s_assay.Says(2, ["bundle", "import", site.Bundle, "--cache", cache, .. site.Trusting, .. site.Anchors]), StringComparison.Ordinal);
        }
        finally
        {
            proxy.Kill();
            proxy.WaitForExit();
        }
    }

    [Fact]
    public void A_proxy_takes_bundles_at_its_start_or_does_not_start()
    {
        var answer = s_assay.Says(1, ["collateral", "serve", "--listen", "127.0.0.1:0", "--offline", "--bundle", site.Bundle, "--bundle-keys", site.In("two.jwks"), .. site.Anchors]);

        Assert.Contains("bundle.signed", answer, StringComparison.Ordinal);
        Assert.Contains("--offline asks no service", s_assay.Says(2, ["collateral", "serve", "--listen", "127.0.0.1:0", "--offline", "--rim-url", "nvidia", .. site.Anchors]), StringComparison.Ordinal);
    }
}
