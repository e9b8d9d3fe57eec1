using System.Text.Json.Nodes;

namespace Assay.Tests.Cli;

/// <summary>
/// <c>assay verify</c> about whole machines: a simulated confidential VM as the demonstration writes it, which each test spoils in its own
/// way, and recorded processors.
/// </summary>
public sealed class MachineVerifyTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private const string Challenge = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=";
    private static readonly AssayCommand s_assay = new();

    /// <summary>One folder for all tests: making a machine takes seconds.</summary>
    public sealed class Machine : IDisposable
    {
        private int _last;
        private readonly string _parent = Directory.CreateTempSubdirectory("assay-machine-").FullName;

        public Machine()
        {
            Folder = Path.Combine(_parent, "demo");
            var made = s_assay.Run("demo", "--out", Folder);
            Assert.True(made.Accepted, made.Output);
        }

        public string Folder { get; }

        /// <summary>A path at which nothing stands.</summary>
        public string Fresh() => Path.Combine(_parent, $"{Interlocked.Increment(ref _last)}");

        public void Dispose() => Directory.Delete(_parent, recursive: true);
    }

    [Fact]
    public void An_honest_machine_passes_bound_by_its_boot_event_with_processor_and_boot_in_the_result()
    {
        var (code, json) = Judge(Path.Combine(machine.Folder, "machine.json"));

        Assert.Equal(0, code);
        Assert.Equal("boot-event", json["binding"]!.GetValue<string>());
        Assert.Equal("proven", json["freshness"]!.GetValue<string>());
        Assert.Equal(["reference-values-unsigned"], Texts(json["weakened"]!));
        Assert.Equal("tdx", json["cpu"]!["tee"]!.GetValue<string>());
        Assert.Equal("UpToDate", json["cpu"]!["tcbStatus"]!.GetValue<string>());
        Assert.Equal(["rtmr0", "rtmr1", "rtmr2", "rtmr3"], Texts(json["boot"]!["replayed"]!));
        Assert.True(json["boot"]!["boundary"]!.GetValue<bool>());
        Assert.Contains(json["boot"]!["events"]!.AsArray(), item => item!["name"]!.GetValue<string>() == "gpu-attestation");
    }

    [Fact]
    public void A_key_in_the_bundle_that_nobody_vouched_for_is_refused()
    {
        var spoilt = Spoilt(bundle => bundle["key"] = JsonNode.Parse("""{"kty":"EC","crv":"P-256","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"""));

        var (code, json) = Judge(spoilt);

        Assert.Equal(1, code);
        Assert.Contains("tdx.report-data.match", Failed(json["cpu"]!));
        Assert.Contains("binding.key.devices", Failed(json));
    }

    [Fact]
    public void The_challenge_is_the_relying_partys_and_not_the_bundles()
    {
        var (code, json) = Judge(Path.Combine(machine.Folder, "machine.json"), challenge: "another");

        Assert.Equal(1, code);
        Assert.Equal("not-proven", json["freshness"]!.GetValue<string>());
    }

    [Fact]
    public void Without_a_challenge_of_ones_own_nothing_is_fresh()
    {
        var (code, json) = Judge(Path.Combine(machine.Folder, "machine.json"), challenge: null);

        Assert.Equal(0, code);
        Assert.Equal("not-proven", json["freshness"]!.GetValue<string>());
        Assert.Contains("nonce-not-given", Texts(json["weakened"]!));
    }

    [Fact]
    public void A_bundle_without_its_log_is_bound_by_an_evidence_hash_and_refused_unless_that_is_accepted_by_name()
    {
        var spoilt = Spoilt(bundle => bundle["cpu"]!.AsObject().Remove("eventLog"));

        var (code, json) = Judge(spoilt);
        Assert.Equal(1, code);
        Assert.Equal("evidence-hash", json["binding"]!.GetValue<string>());
        Assert.Contains("binding.level.met", Failed(json));

        // The gate in the reference values demands the log, whatever binding is accepted.
        (code, json) = Judge(spoilt, extra: ["--dangerously-accept-binding", "evidence-hash"]);
        Assert.Equal(1, code);
        Assert.Contains("boot.log.replayed", Failed(json["boot"]!));

        var references = machine.Fresh() + ".json";
        var manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(machine.Folder, "reference_values.json")))!.AsObject();
        manifest.Remove("gpuPolicies");
        File.WriteAllText(references, manifest.ToJsonString());
        (code, json) = Judge(spoilt, references: references, extra: ["--dangerously-accept-binding", "evidence-hash"]);
        Assert.Equal(0, code);
        Assert.Contains("boot-not-expected", Texts(json["weakened"]!));
        Assert.Contains("gpu-binding-evidence-hash", Texts(json["weakened"]!));
    }

    [Fact]
    public void A_device_left_out_of_the_bundle_is_missed_by_quote_boot_event_and_count()
    {
        var spoilt = Spoilt(bundle => bundle["gpus"]!.AsArray().RemoveAt(3));

        var (code, json) = Judge(spoilt);

        Assert.Equal(1, code);
        Assert.Contains("tdx.report-data.match", Failed(json["cpu"]!));
        Assert.Contains("composite.gpus.count", Failed(json));
    }

    [Fact]
    public void Reference_values_of_another_image_refuse_it()
    {
        var file = machine.Fresh() + ".json";
        File.WriteAllText(file, File.ReadAllText(Path.Combine(machine.Folder, "reference_values.json")).Replace("\"mrtd\":\"", "\"mrtd\":\"00", StringComparison.Ordinal));
        var text = File.ReadAllText(file);
        var place = text.IndexOf("\"mrtd\":\"00", StringComparison.Ordinal) + "\"mrtd\":\"".Length + 96;
        File.WriteAllText(file, text.Remove(place, 2));

        var (code, json) = Judge(Path.Combine(machine.Folder, "machine.json"), references: file);

        Assert.Equal(1, code);
        Assert.Contains("tdx.measurements.match", Failed(json["cpu"]!));
    }

    [Fact]
    public void Without_the_processors_collateral_the_verdict_is_incomplete_and_names_what_is_missing()
    {
        var answer = s_assay.Run(Arguments(Path.Combine(machine.Folder, "machine.json"), Challenge, collateral: false, Path.Combine(machine.Folder, "reference_values.json")));

        Assert.Equal(3, answer.ExitCode);
        var json = JsonNode.Parse(answer.Output)!;
        Assert.Equal(["pck-crl", "qe-identity", "root-crl", "tcb-info"], json["missing"]!.AsArray().Select(item => item!["id"]!.GetValue<string>()));
    }

    [Fact]
    public void The_token_names_the_key_only_where_the_processor_vouches_for_it()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        var key = Path.Combine(folder, "issuer.pem");
        Assert.True(s_assay.Run("token", "keygen", "--out", key).Accepted);
        string[] issue = ["--signing-key", key, "--issuer", "http://127.0.0.1", "--token-format", "trustee-ear"];

        var whole = Path.Combine(folder, "whole.jwt");
        Judge(Path.Combine(machine.Folder, "machine.json"), extra: [.. issue, "--eat-out", whole]);
        var claims = Claims(File.ReadAllText(whole));
        Assert.Equal("EC", claims["tee-pubkey"]!["kty"]!.GetValue<string>());
        Assert.Equal("ECDH-ES+A256KW", claims["tee-pubkey"]!["alg"]!.GetValue<string>());
        Assert.Equal("boot-event", claims["x-assay-gpu-binding"]!.GetValue<string>());
        Assert.Equal("tdx", claims["submods"]!["cpu0"]!["ear.veraison.annotated-evidence"]!["tdx"]!["x-assay-tee"]!.GetValue<string>());

        // The same GPUs answered the same key; but no processor stands behind it.
        var gpus = Path.Combine(folder, "gpus.jwt");
        var spoilt = Spoilt(bundle => bundle.Remove("cpu"));
        var answer = s_assay.Run([.. Arguments(spoilt, Challenge, collateral: false, references: null), .. issue, "--eat-out", gpus]);
        Assert.True(answer.Accepted, answer.Output);
        Assert.Null(Claims(File.ReadAllText(gpus))["tee-pubkey"]);
        Assert.Contains("no-cpu-tee", Texts(JsonNode.Parse(answer.Output)!["weakened"]!));
    }

    [Fact]
    public void A_bundle_of_tokens_about_a_machine_is_accepted_with_processor_and_boot_as_submodules()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        var (key, keys, eat) = (Path.Combine(folder, "issuer.pem"), Path.Combine(folder, "keys.json"), Path.Combine(folder, "eat.json"));
        Assert.True(s_assay.Run("token", "keygen", "--out", key).Accepted);
        File.WriteAllText(keys, s_assay.Run("token", "jwks", "--signing-key", key).Output);
        Judge(Path.Combine(machine.Folder, "machine.json"), extra: ["--signing-key", key, "--issuer", "http://127.0.0.1", "--eat-out", eat]);

        var answer = s_assay.Run("token", "verify", eat, "--jwks", keys, "--issuer", "http://127.0.0.1", "--dangerously-accept-weakened", "--accept-anchors", "simulated");

        Assert.True(answer.Accepted, answer.Output);
        var bundle = JsonNode.Parse(File.ReadAllText(eat))!.AsArray();
        Assert.Contains("CPU-0", bundle[1]!.AsObject().Select(item => item.Key));
        Assert.Contains("BOOT-0", bundle[1]!.AsObject().Select(item => item.Key));
    }

    [Fact]
    public void A_token_is_accepted_for_the_key_and_challenge_that_it_was_written_about_and_for_no_other()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        var (issuer, keys, eat, own, foreign) = (Path.Combine(folder, "issuer.pem"), Path.Combine(folder, "keys.json"), Path.Combine(folder, "eat.json"), Path.Combine(folder, "own.jwk"), Path.Combine(folder, "foreign.jwk"));
        Assert.True(s_assay.Run("token", "keygen", "--out", issuer).Accepted);
        File.WriteAllText(keys, s_assay.Run("token", "jwks", "--signing-key", issuer).Output);
        var jwk = JsonNode.Parse(File.ReadAllText(Path.Combine(machine.Folder, "machine.json")))!["key"]!.AsObject();
        File.WriteAllText(own, jwk.ToJsonString());
        (jwk["x"], jwk["y"]) = (jwk["y"]!.DeepClone(), jwk["x"]!.DeepClone());
        File.WriteAllText(foreign, jwk.ToJsonString());
        Judge(Path.Combine(machine.Folder, "machine.json"), extra: ["--signing-key", issuer, "--issuer", "http://127.0.0.1", "--eat-out", eat]);
        string Ask(string key, string challenge)
        {
            var answer = s_assay.Run("token", "verify", eat, "--jwks", keys, "--issuer", "http://127.0.0.1", "--tee-pubkey", key, "--nonce", challenge, "--dangerously-accept-weakened", "--accept-anchors", "simulated", "--format", "json");
            return $"{answer.ExitCode} {string.Join(' ', Failed(JsonNode.Parse(answer.Output)!))}";
        }

        Assert.Equal("0 ", Ask(own, Challenge));
        Assert.Equal("1 token.nonce.match", Ask(own, "another"));
        Assert.Equal("1 token.nonce.match token.tee-pubkey.match", Ask(foreign, Challenge));
        var unasked = s_assay.Run("token", "verify", eat, "--jwks", keys, "--tee-pubkey", own);
        Assert.Equal(2, unasked.ExitCode);
        Assert.Contains("cli.nonce", unasked.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_about_devices_alone_is_accepted_for_no_key()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        var (issuer, keys, eat, own) = (Path.Combine(folder, "issuer.pem"), Path.Combine(folder, "keys.json"), Path.Combine(folder, "eat.json"), Path.Combine(folder, "own.jwk"));
        Assert.True(s_assay.Run("token", "keygen", "--out", issuer).Accepted);
        File.WriteAllText(keys, s_assay.Run("token", "jwks", "--signing-key", issuer).Output);
        File.WriteAllText(own, JsonNode.Parse(File.ReadAllText(Path.Combine(machine.Folder, "machine.json")))!["key"]!.ToJsonString());
        Assert.True(s_assay.Run([.. Arguments(Spoilt(bundle => bundle.Remove("cpu")), Challenge, collateral: false, references: null), "--signing-key", issuer, "--issuer", "http://127.0.0.1", "--eat-out", eat]).Accepted);

        var answer = s_assay.Run("token", "verify", eat, "--jwks", keys, "--issuer", "http://127.0.0.1", "--tee-pubkey", own, "--nonce", Challenge, "--dangerously-accept-weakened", "--accept-anchors", "simulated", "--format", "json");

        Assert.False(answer.Accepted);
        Assert.Equal(["token.tee-pubkey.match"], Failed(JsonNode.Parse(answer.Output)!));
    }

    [Fact]
    public void The_whole_bundle_is_inspected_with_challenge_key_processor_log_and_devices()
    {
        var answer = s_assay.Run("inspect", Path.Combine(machine.Folder, "machine.json"), "--format", "json");

        Assert.True(answer.Accepted, answer.Output);
        var json = JsonNode.Parse(answer.Output)!;
        Assert.Equal(("machine_evidence", Challenge), (json["kind"]!.GetValue<string>(), json["stated_nonce"]!.GetValue<string>()));
        Assert.Equal("tdx_quote", json["cpu"]!["kind"]!.GetValue<string>());
        Assert.Equal(12, json["devices"]!.AsArray().Count);
        Assert.NotNull(json["event_log"]);
        // What the bundle's devices signed follows from its challenge and key.
        Assert.Equal(json["devices"]![0]!["report"]!["request"]!["nonce"]!.GetValue<string>(), json["key"]!["device_nonce"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("cpu/tdx/tdx_quote", "cpu/tdx/tdx_quote_collateral.json", "2025-07-01T00:00:00Z", 0)]
    [InlineData("cpu/tdx/tdx_quote", "cpu/tdx/tdx_quote_collateral.json", "2025-07-21T00:00:00Z", 1)]
    [InlineData("cpu/tdx/tdx_quote", "cpu/tdx/tdx_quote_collateral.json", "2025-06-18T00:00:00Z", 1)]
    [InlineData("cpu/tdx/tdx_quote_outdated", "cpu/tdx/tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z", 1)]
    [InlineData("cpu/dstack/quote-report.json", "cpu/tdx/tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z", 0)]
    public void Recorded_quotes_have_their_verdicts_before_inside_and_after_their_windows(string quote, string collateral, string at, int code)
    {
        var answer = s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf(quote), "--cpu-collateral", Recorded.PathOf(collateral), "--at", at, "--format", "json");

        Assert.Equal(code, answer.ExitCode);
        var json = JsonNode.Parse(answer.Output)!;
        Assert.Subset(Texts(json["weakened"]!).ToHashSet(), new HashSet<string> { "tdx-no-reference-values", "tdx-no-report-data" });
    }

    [Fact]
    public void The_late_event_of_a_recorded_dstack_log_is_shown_and_not_believed()
    {
        var answer = s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/dstack/quote-report.json"), "--cpu-collateral", Recorded.PathOf("cpu/tdx/tdx_quote_outdated_collateral.json"), "--at", "2026-03-01T00:00:00Z", "--format", "json");

        var events = JsonNode.Parse(answer.Output)!["boot"]!["events"]!.AsArray();
        Assert.Equal(["LIUM_MINER_HOTKEY"], events.Where(item => item!["afterBoundary"]!.GetValue<bool>()).Select(item => item!["name"]!.GetValue<string>()));
    }

    [Fact]
    public void A_snp_report_needs_a_tcb_that_agrees_or_is_accepted_by_name_and_its_log_has_no_register()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        foreach (var name in new[] { "snp/dstack/vcek.der", "snp/dstack/sev_snp_ask.pem", "roots/ask_ark_milan.pem", "roots/ask_ark_genoa.pem", "snp/trustee/test-vcek.der" })
        {
            File.WriteAllBytes(Path.Combine(folder, Path.GetFileName(name)), Recorded.Bytes("cpu/" + name));
        }

        string[] arguments = ["verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--cpu-collateral", folder, "--at", "2026-07-01T00:00:00Z", "--dangerously-skip-revocation", "--format", "json"];

        Assert.Equal(1, s_assay.Run(arguments).ExitCode);
        Assert.Equal(0, s_assay.Run([.. arguments, "--dangerously-accept-tcb", "OutOfDate"]).ExitCode);
        var withLog = s_assay.Run([.. arguments, "--dangerously-accept-tcb", "OutOfDate", "--event-log", Recorded.PathOf("cpu/dstack/quote-report.eventlog.json")]);
        Assert.Equal(1, withLog.ExitCode);
        Assert.Contains("no register", withLog.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cli.expect", "--expect", "gpus=8,gpus=8")]
    [InlineData("cli.expect", "--expect", "gpus=-1")]
    [InlineData("cli.report-data", "--report-data", "00")]
    [InlineData("cli.gpu-policy", "--gpu-policy", "zz")]
    [InlineData("cli.nonce", "--nonce", "00")]
    [InlineData("cli.gpu-policy", "--gate-register", "14")]
    [InlineData("cli.gpu-policy", "--boot-phase", "boot")]
    [InlineData("cli.file", "--cpu-collateral", "/nowhere")]
    [InlineData("cli.file", "--event-log", "/nowhere")]
    [InlineData("cli.reference-values", "--reference-keys", "keys.json")]
    public void What_cannot_be_meant_is_refused_by_name(string id, params string[] option)
    {
        var answer = s_assay.Run(["verify", "--cpu-evidence", Recorded.PathOf("cpu/tdx/tdx_quote"), .. option]);

        Assert.Equal(2, answer.ExitCode);
        Assert.Contains(id, answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_bundle_whose_processor_is_left_out_does_not_answer_who_demands_one()
    {
        // Whoever writes the bundle leaves out what would betray it; the tier without a CPU TEE is the relying party's choice.
        var spoilt = Spoilt(bundle => bundle.Remove("cpu"));
        string[][] demands =
        [
            ["--reference-values", Path.Combine(machine.Folder, "reference_values.json")],
            ["--gpu-policy", GpuPolicy()],
            ["--require-secure-boot"],
        ];

        foreach (var demand in demands)
        {
            var answer = s_assay.Run([.. Arguments(spoilt, Challenge, collateral: false), .. demand]);

            Assert.Equal(1, answer.ExitCode);
            Assert.Contains("composite.cpu.present", Failed(JsonNode.Parse(answer.Output)!));
        }
    }

    [Fact]
    public void Who_takes_no_less_than_an_evidence_hash_does_not_get_by_without_a_processor()
    {
        var answer = s_assay.Run([.. Arguments(Spoilt(bundle => bundle.Remove("cpu")), Challenge, collateral: false), "--dangerously-accept-binding", "evidence-hash"]);

        Assert.Equal(1, answer.ExitCode);
        Assert.Contains("composite.cpu.present", Failed(JsonNode.Parse(answer.Output)!));
    }

    [Fact]
    public void A_bundle_whose_log_is_left_out_does_not_answer_who_demands_one()
    {
        var spoilt = Spoilt(bundle => bundle["cpu"]!.AsObject().Remove("eventLog"));
        string[][] demands = [["--require-secure-boot"], ["--gpu-policy", GpuPolicy()]];

        foreach (var demand in demands)
        {
            var (code, json) = Judge(spoilt, extra: ["--dangerously-accept-binding", "evidence-hash", .. demand]);

            Assert.Equal(1, code);
            Assert.Contains("boot.log.replayed", Failed(json["boot"]!));
        }
    }

    [Fact]
    public void Without_reference_values_any_image_could_have_written_the_boot_event()
    {
        var answer = s_assay.Run([.. Arguments(Path.Combine(machine.Folder, "machine.json"), Challenge, collateral: true), "--gpu-policy", GpuPolicy()]);

        Assert.Equal(1, answer.ExitCode);
        var json = JsonNode.Parse(answer.Output)!;
        Assert.Equal(["binding.boot.event", "binding.level.met"], Failed(json));
        Assert.Equal("evidence-hash", json["binding"]!.GetValue<string>());
    }

    [Fact]
    public void A_recorded_session_names_no_key_in_a_token()
    {
        var folder = machine.Fresh();
        Directory.CreateDirectory(folder);
        var (key, token) = (Path.Combine(folder, "issuer.pem"), Path.Combine(folder, "token.jwt"));
        Assert.True(s_assay.Run("token", "keygen", "--out", key).Accepted);

        // The challenge is the one that the bundle states: whoever recorded it shows it again.
        var (code, json) = Judge(Path.Combine(machine.Folder, "machine.json"), challenge: null, extra: ["--signing-key", key, "--issuer", "http://127.0.0.1", "--token-format", "trustee-ear", "--eat-out", token]);

        Assert.Equal(0, code);
        Assert.Equal("not-proven", json["freshness"]!.GetValue<string>());
        var claims = Claims(File.ReadAllText(token));
        Assert.Null(claims["tee-pubkey"]);
        Assert.Null(claims["cnf"]);
    }

    private string GpuPolicy() => JsonNode.Parse(File.ReadAllText(Path.Combine(machine.Folder, "reference_values.json")))!["gpuPolicies"]![0]!.GetValue<string>();

    private string Spoilt(Action<JsonObject> spoil)
    {
        var bundle = JsonNode.Parse(File.ReadAllText(Path.Combine(machine.Folder, "machine.json")))!.AsObject();
        spoil(bundle);
        var file = machine.Fresh() + ".json";
        File.WriteAllText(file, bundle.ToJsonString());
        return file;
    }

    private (int Code, JsonNode Json) Judge(string bundle, string? challenge = Challenge, string? references = null, params string[] extra)
    {
        var answer = s_assay.Run([.. Arguments(bundle, challenge, collateral: true, references ?? Path.Combine(machine.Folder, "reference_values.json")), .. extra]);
        return (answer.ExitCode, JsonNode.Parse(answer.Output)!);
    }

    private string[] Arguments(string bundle, string? challenge, bool collateral, string? references = null) =>
    [
        "verify", "--evidence", bundle, "--anchors", Path.Combine(machine.Folder, "machine_anchors.json"), "--rim-store", Path.Combine(machine.Folder, "rims"),
        "--ocsp-store", Path.Combine(machine.Folder, "ocsp"), "--expect", "gpus=8,switches=4", "--format", "json",
        .. challenge is null ? Array.Empty<string>() : ["--nonce", challenge],
        .. collateral ? ["--cpu-collateral", Path.Combine(machine.Folder, "tdx_collateral.json")] : Array.Empty<string>(),
        .. references is null ? Array.Empty<string>() : ["--reference-values", references],
    ];

    private static string[] Failed(JsonNode part) => [.. part["findings"]!.AsArray().Where(item => item!["state"]!.GetValue<string>() == "failed").Select(item => item!["id"]!.GetValue<string>())];

    private static string[] Texts(JsonNode list) => [.. list.AsArray().Select(item => item!.GetValue<string>())];

    private static JsonNode Claims(string token) => JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))!;
}
