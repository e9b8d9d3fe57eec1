using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Tests.Simulator;
using Assay.Tests.Trust.Revocation;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;

namespace Assay.Tests.Tokens.Clouds;

/// <summary>What S-21 and S-12 allow to be written for a cloud, and what a token for one says.</summary>
public sealed class CloudTokenTests(CloudWorld world) : IClassFixture<CloudWorld>
{
    public static TheoryData<CloudKind> Clouds => [CloudKind.Aws, CloudKind.Gcp, CloudKind.Entra, CloudKind.Vault];

    [Theory]
    [MemberData(nameof(Clouds))]
    public void A_token_has_one_audience_five_minutes_a_name_of_its_own_and_the_verdict(CloudKind cloud)
    {
        var profile = CloudWorld.Profile(cloud);
        var claims = world.Claims(profile);

        Assert.Equal(CloudWorld.Issuer, Text(claims, "iss"));
        Assert.Equal(cloud is CloudKind.Entra ? "api://AzureADTokenExchange" : "models", Text(claims, "aud"));
        Assert.Equal($"gpu:GH100:policy:{CloudWorld.Policy}:pass", Text(claims, "sub"));
        var issued = claims.GetProperty("iat").GetInt64();
        Assert.Equal(SimulatedCpu.Now.ToUnixTimeSeconds(), issued);
        Assert.Equal((issued, issued + 300), (claims.GetProperty("nbf").GetInt64(), claims.GetProperty("exp").GetInt64()));
        Assert.NotEqual(Text(claims, "jti"), Text(world.Claims(profile), "jti"));
        Assert.Equal(64, Text(claims, "jti").Length);
        Assert.Equal(("pass", "proven", "boot-event", "simulated"), (Text(claims, "x-assay-verdict"), Text(claims, "x-assay-freshness"), Text(claims, "x-assay-gpu-binding"), Text(claims, "x-assay-anchors")));
        Assert.Equal(CloudWorld.Policy, Text(claims.GetProperty("x-assay-policy"), "id"));
        Assert.Equal(0, claims.GetProperty("x-assay-weakened").GetArrayLength());
    }

    [Fact]
    public void Conditions_have_flat_claims_that_are_strings()
    {
        var claims = world.Claims(CloudWorld.Profile(CloudKind.Gcp));
        var machine = world.Pass.Machine!.Parts;

        Assert.Equal(
            ["pass", CloudWorld.Policy, $"sha384:{PolicyIdentity.Default.Digest}", "boot-event", "simulated", "not-asked", "success", "GH100", "ppcie", "2", "2", "tdx", "llm-host-1.4", Convert.ToHexStringLower(SimulatedTdx.GoodMrTd),
                Convert.ToHexStringLower(SHA384.HashData("two GPUs and two switches"u8)), Convert.ToHexStringLower(SHA384.HashData("a model"u8))],
            CloudClaim.All.Where(claim => claim.Name != "workload").Select(claim => Text(claims, claim.Name)));
        // No workload was named before the boundary.
        Assert.False(claims.TryGetProperty("workload", out _));
        Assert.Null(machine.Boot!.Record!.Workload);
    }

    [Fact]
    public void Session_tags_are_written_for_AWS_alone_one_value_each()
    {
        var attributes = new[] { new CloudMapping("gpu-model", "gpu_model") { IsTransitive = true }, new CloudMapping("measres", "measres") };
        var tags = world.Claims(CloudWorld.Profile(CloudKind.Aws, attributes: [.. attributes])).GetProperty("https://aws.amazon.com/tags");

        Assert.Equal("""{"principal_tags":{"gpu-model":["GH100"],"measres":["success"]},"transitive_tag_keys":["gpu-model"]}""", tags.GetRawText());
        Assert.False(world.Claims(CloudWorld.Profile(CloudKind.Aws)).TryGetProperty("https://aws.amazon.com/tags", out _));
        Assert.False(world.Claims(CloudWorld.Profile(CloudKind.Vault, attributes: [new CloudMapping("measres", "measres")])).TryGetProperty("https://aws.amazon.com/tags", out _));
    }

    /// <summary>A bearer credential is of no use for finding a machine, and is bound to no key that a reader would have to check.</summary>
    [Theory]
    [MemberData(nameof(Clouds))]
    public void A_token_names_no_device_platform_key_or_challenge(CloudKind cloud)
    {
        var claims = world.Claims(CloudWorld.Profile(cloud)).GetRawText();
        var parts = world.Pass.Machine!.Parts;
        string[] secrets =
        [
            .. parts.Devices!.Devices.SelectMany(device => new[] { device.Device!.Identity.Ueid, device.Device.Identity.Id.ToString(), device.Device.Report.Nonce.ToString() }),
            parts.Key!.Thumbprint, SimulatedCvm.Challenge, $"{((Assay.Appraisal.Tdx.TdxResult)parts.Cpu!.Tee!).Quote!.Platform.Ppid}", parts.Cpu.Tee.ReportData!.ToString()!,
        ];

        Assert.All(secrets, secret => Assert.DoesNotContain(secret, claims, StringComparison.OrdinalIgnoreCase));
        Assert.All(["cnf", "tee-pubkey", "eat_nonce", "ueid", "submods"], name => Assert.DoesNotContain($"\"{name}\"", claims, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(CloudKind.Aws, "ES384")]
    [InlineData(CloudKind.Gcp, "ES256")]
    [InlineData(CloudKind.Entra, "RS256")]
    [InlineData(CloudKind.Vault, "ES384")]
    public void A_token_verifies_under_its_issuers_key(CloudKind cloud, string algorithm)
    {
        Assert.True(CompactJws.TryParse(world.Token(CloudWorld.Profile(cloud)), out var jws, out var fault), fault?.ToString());

        var key = world.KeyOf(cloud).PublicKey;
        Assert.Equal((algorithm, key.KeyId), (Text(jws.Header, "alg"), Text(jws.Header, "kid")));
        Assert.True(key.Verifies(jws.SignedContent, jws.Signature.Span));
        Assert.False(key.Verifies(Encoding.ASCII.GetBytes(jws.Text[..^200]), jws.Signature.Span));
    }

    [Fact]
    public void The_services_policy_names_the_token_whatever_a_relying_party_brought()
    {
        var terms = CloudWorld.Terms with { Policy = new PolicyIdentity("prod", "7", new Assay.Wire.Digest(SHA384.HashData("the text"u8))) };
        var served = world.Claims(CloudWorld.Profile(CloudKind.Vault), world.Under("mine.rego"), terms);

        Assert.Equal(("gpu:GH100:policy:prod:pass", "prod", $"sha384:{Convert.ToHexStringLower(SHA384.HashData("the text"u8))}"), (Text(served, "sub"), Text(served, "policy"), Text(served, "policy_digest")));
    }

    [Fact]
    public void A_policy_of_the_relying_partys_names_the_token_where_the_service_has_none()
    {
        var claims = world.Claims(CloudWorld.Profile(CloudKind.Vault), world.Under("prod.rego"));

        Assert.Equal(("gpu:GH100:policy:prod.rego:pass", "prod.rego"), (Text(claims, "sub"), Text(claims, "policy")));
    }

    [Fact]
    public void A_machine_of_the_boot_phase_gets_no_token()
    {
        var verdict = world.Judge(BootFault.NoBoundary, BootPhase.Boot);

        // The verdict is a good one, for a broker whose policy asks for the boot phase.
        Assert.Equal(("pass", "boot-event", 0), (verdict.Word, verdict.Binding, verdict.Weakened.Length));
        Refused("boot", "a boot-phase log, expected one with exactly one system-ready", verdict);
    }

    [Fact]
    public void An_evidence_hash_gets_no_token_whatever_the_policy_accepts()
    {
        var verdict = world.Judge(withLog: false, accepted: GpuBinding.EvidenceHash);

        Assert.Equal(("pass", "evidence-hash"), (verdict.Word, verdict.Binding));
        Refused("x-assay-gpu-binding", "evidence-hash, expected boot-event", verdict);
    }

    [Fact]
    public void Devices_alone_get_no_token()
    {
        using var fixture = new TokenFixture();

        Refused("x-assay-gpu-binding", "none, expected boot-event", fixture.Pass);
    }

    [Fact]
    public void Evidence_over_somebody_elses_challenge_gets_no_token()
    {
        var verdict = world.Judge(challenged: false);

        Assert.Equal(("pass", "not-proven"), (verdict.Word, verdict.Freshness));
        Refused("x-assay-freshness", "not-proven, expected proven", verdict);
    }

    [Fact]
    public void A_nonce_of_the_callers_gets_no_token() => Refused("x-assay-freshness", "caller, expected proven", world.Pass, terms: CloudWorld.Terms with { IsCallersNonce = true });

    [Theory]
    [InlineData(BootFault.DevTools)]
    [InlineData(BootFault.Skipped)]
    [InlineData(BootFault.OtherPolicy)]
    public void A_failed_verdict_gets_no_token(BootFault fault)
    {
        var verdict = world.Judge(fault);

        Assert.Equal("fail", verdict.Word);
        Refused("x-assay-verdict", "fail, expected pass", verdict);
    }

    [Fact]
    public void A_weakened_verdict_gets_a_token_where_the_profile_names_every_weakening()
    {
        var verdict = world.Judge(revocation: RevocationChecking.DangerouslySkipped);

        Assert.Equal(["revocation-skipped", "tdx-revocation-skipped"], verdict.Weakened);
        Refused("x-assay-weakened", "revocation-skipped, tdx-revocation-skipped: the profile accepts none", verdict);
        Refused("x-assay-weakened", "tdx-revocation-skipped: the profile accepts revocation-skipped", verdict, CloudWorld.Profile(CloudKind.Aws, weakenings: ["revocation-skipped"]));
        var claims = world.Claims(CloudWorld.Profile(CloudKind.Aws, weakenings: ["revocation-skipped", "tdx-revocation-skipped"]), verdict);
        Assert.Equal("""["revocation-skipped","tdx-revocation-skipped"]""", claims.GetProperty("x-assay-weakened").GetRawText());
    }

    [Theory]
    [InlineData("nonce-not-given")]
    [InlineData("freshness-not-proven")]
    [InlineData("gpu-binding-evidence-hash")]
    [InlineData("gpu-binding-none")]
    [InlineData("no-cpu-tee")]
    [InlineData("time-stated")]
    [InlineData("paravisor-not-named")]
    [InlineData("boot-events-unproven")]
    [InlineData("channel-any-operator")]
    public void No_profile_gives_up_what_S21_demands(string weakening)
    {
        Assert.Contains(weakening, Weakening.Names);
        var fault = ProfileFault(terms => terms with { DangerouslyAcceptedWeakenings = [weakening] });

        Assert.Equal(("weakenings", $"{weakening} cannot be accepted for a cloud: its tokens are written about fresh, bound machines alone (S-21)"), (fault.Field, fault.Problem));
    }

    [Fact]
    public void A_profile_accepts_no_weakening_that_there_is_not() => Assert.Contains("not the name of a weakening", ProfileFault(terms => terms with { DangerouslyAcceptedWeakenings = ["everything"] }).Problem, StringComparison.Ordinal);

    [Fact]
    public void Simulated_machines_get_tokens_of_a_loopback_issuer_alone()
    {
        Refused("x-assay-anchors", "simulated under a public issuer", world.Pass, terms: CloudWorld.Terms with { Issuer = TokenFixture.Issuer("https://as.example.org") });
        Assert.Equal("simulated", Text(world.Claims(CloudWorld.Profile(CloudKind.Aws)), "anchors"));
    }

    [Fact]
    public void Roots_of_the_relying_partys_own_get_no_token()
    {
        var basis = world.Pass.Appraisal.Basis;
        var custom = world.Pass with { Appraisal = world.Pass.Appraisal with { Basis = basis with { Trust = Custom() } } };

        Assert.Equal("custom", custom.Anchors);
        Refused("x-assay-anchors", "custom, expected built-in", custom);
        Refused("x-assay-anchors", "custom, expected built-in", custom, terms: CloudWorld.Terms with { Issuer = TokenFixture.Issuer("https://as.example.org") });
    }

    [Fact]
    public void Hardware_gets_tokens_of_a_public_issuer() =>
        Assert.Equal("built-in", Text(world.Claims(CloudWorld.Profile(CloudKind.Aws), world.OfHardware(), CloudWorld.Terms with { Issuer = TokenFixture.Issuer("https://as.example.org") }), "anchors"));

    [Theory]
    [InlineData(300, null)]
    [InlineData(301, "301 seconds before the token, expected -60 to 300")]
    [InlineData(-60, null)]
    [InlineData(-61, "-61 seconds before the token, expected -60 to 300")]
    [InlineData(86400, "86400 seconds before the token, expected -60 to 300")]
    public void A_verdict_of_another_time_is_not_written_down_anew(int seconds, string? problem)
    {
        var fault = world.Fault(CloudWorld.Profile(CloudKind.Aws), terms: CloudWorld.Terms with { IssuedAt = SimulatedCpu.Now.AddSeconds(seconds) });

        Assert.Equal(problem is null ? null : $"x-assay-evaluated-at: {problem} (S-21)", fault is null ? null : $"{fault.Field}: {fault.Problem}");
    }

    [Fact]
    public void A_verdict_at_a_stated_instant_gets_no_token()
    {
        var verdict = world.Judge(time: TimeSource.Stated);

        Assert.Equal("pass", verdict.Word);
        Refused("x-assay-time-source", "stated, expected system", verdict);
    }

    [Fact]
    public void A_machine_without_an_attested_key_gets_no_token_for_nothing_could_carry_it()
    {
        var machine = world.Pass.Machine!;
        var unnamed = world.Pass with { Machine = machine with { Parts = machine.Parts with { Key = null } } };
        var unsigned = world.Pass with { Machine = machine with { Findings = [.. machine.Findings.Select(finding => finding.Id == CheckIds.BindingCpuDevices ? Outcome.NotApplicable("no key").Named(finding.Id) : finding)] } };

        Refused("tee-pubkey", "no attested key", unnamed);
        Refused("tee-pubkey", "no attested key", unsigned);
    }

    [Fact]
    public void Terms_for_another_audience_or_with_a_subject_of_their_own_are_refused()
    {
        Refused("sub", "the terms name a subject", world.Pass, terms: CloudWorld.Terms with { Subject = $"gpu:GH100:policy:{CloudWorld.Policy}:pass" });
        Refused("aud", "the terms name another audience", world.Pass, terms: CloudWorld.Terms with { Audience = "api://AzureADTokenExchange" });
        Assert.Equal("models", Text(world.Claims(CloudWorld.Profile(CloudKind.Aws), terms: CloudWorld.Terms with { Audience = "models" }), "aud"));
    }

    [Theory]
    [InlineData("{policy}:{nonce}", "{nonce} is not a placeholder")]
    [InlineData("{policy}:{ueid}", "{ueid} is not a placeholder")]
    [InlineData("{policy}:{}", "{} is not a placeholder")]
    [InlineData("{policy}:{policy_digest}", "{policy_digest} is not a placeholder")]
    [InlineData("{policy}:{gpu_model}", "{gpu_model} is not a placeholder")]
    [InlineData("{policy}:{{gpu}}", "{{gpu} is not a placeholder")]
    [InlineData("{policy}:{gpu", "a brace is opened and not closed")]
    [InlineData("{policy}:gpu}", "the character U+007D")]
    [InlineData("{policy}:*", "the character U+002A")]
    [InlineData("{policy}:${gpu}", "the character U+0024")]
    [InlineData("{policy} {gpu}", "the character U+0020")]
    [InlineData("{policy}{gpu}", "a colon or a slash is expected between {gpu} and the placeholder before it")]
    [InlineData("{policy}-{gpu}", "a colon or a slash is expected between {gpu} and the placeholder before it")]
    [InlineData("gpu:{gpu}:pass", "{policy} is expected in the template")]
    [InlineData("", "{policy} is expected in the template")]
    public void A_template_of_another_form_is_refused(string template, string problem)
    {
        var fault = ProfileFault(terms => terms with { Subject = template });

        Assert.Equal("sub", fault.Field);
        Assert.StartsWith(problem, fault.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("prod:pass", "U+003A")]
    [InlineData("prod/x", "U+002F")]
    [InlineData("prod x", "U+0020")]
    [InlineData("pröd", "U+00F6")]
    [InlineData("prod*", "U+002A")]
    public void A_value_that_could_be_read_as_another_claims_is_in_no_subject(string policy, string character) =>
        Refused("sub", $"the value of {{policy}} has the character {character}", world.Under(policy));

    [Fact]
    public void A_template_with_a_claim_that_the_machine_does_not_have_is_refused()
    {
        Refused("sub", "the template has {workload}, and the machine has no workload", world.Pass, CloudWorld.Profile(CloudKind.Aws, "{policy}:{workload}"));
        Refused("attribute", "w is to have the claim workload, and the machine has none", world.Pass, CloudWorld.Profile(CloudKind.Aws, attributes: [new CloudMapping("w", "workload")]));
    }

    [Fact]
    public void The_digest_of_the_image_can_stand_in_the_subject()
    {
        var claims = world.Claims(CloudWorld.Profile(CloudKind.Gcp, "{policy}/{measurement}"));

        Assert.Equal($"{CloudWorld.Policy}/{Convert.ToHexStringLower(SimulatedTdx.GoodMrTd)}", Text(claims, "sub"));
    }

    [Fact]
    public void A_session_tag_has_no_character_that_AWS_refuses()
    {
        var profile = CloudWorld.Profile(CloudKind.Aws, attributes: [new CloudMapping("image", "image")]);

        Assert.Equal("attribute value image: AWS takes 0 to 256 characters: letters, digits, space and _.:/=+-@, found the character U+0028", Said(world.Fault(profile, world.WithImage("host (8 GPUs)"))));
        Assert.Null(world.Fault(profile, world.WithImage("host 1.4 _.:/=+-@")));
        // Elsewhere a name is a name.
        Assert.Equal("host (8 GPUs)", Text(world.Claims(CloudWorld.Profile(CloudKind.Vault), world.WithImage("host (8 GPUs)")), "image"));
    }

    [Theory]
    [InlineData("aws:gpu", "aws: are AWS's own")]
    [InlineData("AWS:gpu", "aws: are AWS's own")]
    [InlineData("gpu*", "found the character U+002A")]
    [InlineData("MeasRes", "MeasRes is given twice")]
    public void A_session_tag_has_a_key_that_AWS_takes_once(string key, string problem) =>
        Assert.Contains(problem, ProfileFault(terms => terms with { Attributes = [new CloudMapping("measres", "measres"), new CloudMapping(key, "measres")] }).Problem, StringComparison.Ordinal);

    [Fact]
    public void An_attribute_is_of_a_claim_that_there_is_and_transitive_for_AWS_alone()
    {
        Assert.Contains("\"ueid\" is not a claim", ProfileFault(terms => terms with { Attributes = [new CloudMapping("id", "ueid")] }).Problem, StringComparison.Ordinal);
        Assert.Contains("Google Cloud has no transitive attributes", ProfileFault(terms => terms with { Cloud = CloudKind.Gcp, Attributes = [new CloudMapping("gpu", "gpu_model") { IsTransitive = true }] }).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_of_no_cloud_is_refused()
    {
        Assert.Equal("cloud", ProfileFault(terms => terms with { Cloud = CloudKind.None }).Field);
        Assert.Equal("cloud", ProfileFault(terms => terms with { Cloud = (CloudKind)9 }).Field);
        Assert.Equal("attributes", ProfileFault(terms => terms with { Attributes = default }).Field);
        Assert.Equal("weakenings", ProfileFault(terms => terms with { DangerouslyAcceptedWeakenings = default }).Field);
    }

    [Fact]
    public void An_issuer_that_a_cloud_would_spell_otherwise_is_refused()
    {
        var hardware = world.OfHardware();
        string? With(string issuer, CloudKind cloud) => Said(world.Fault(CloudWorld.Profile(cloud), hardware, CloudWorld.Terms with { Issuer = TokenFixture.Issuer(issuer) }));

        Assert.Equal("iss: found a slash at its end, none is expected: tokens and the discovery document name it in the same characters", With("https://as.example.org/", CloudKind.Vault));
        Assert.Equal("iss: AWS takes no port in an issuer, found 8443", With("https://as.example.org:8443", CloudKind.Aws));
        Assert.Null(With("https://as.example.org:8443", CloudKind.Gcp));
        Assert.Null(With("https://as.example.org/site", CloudKind.Aws));
    }

    /// <summary>On Azure the hardware measures the paravisor, and the TPM the guest.</summary>
    [Theory]
    [InlineData(true, "tdx")]
    [InlineData(false, "snp")]
    public void Behind_a_paravisor_the_image_is_what_the_TPM_measured(bool isTdx, string tee)
    {
        using var azure = new AzureWorld();
        var verdict = azure.Judge(isTdx, poses: false);
        var claims = world.Claims(CloudWorld.Profile(CloudKind.Aws, weakenings: [.. verdict.Weakened]), verdict);

        Assert.Equal((tee, "boot"), (Text(claims, "tee"), Text(claims, "image")));
        Assert.Equal(Convert.ToHexStringLower(isTdx ? SimulatedAzure.ParavisorMrTd : SimulatedAzure.ParavisorMeasurement), Text(claims, "measurement"));
    }

    [Fact]
    public void Different_chips_are_named_together_and_measurements_that_were_not_compared_are_not_a_success()
    {
        using var authority = SimulatedAuthority.Create(TokenFixture.Now);
        using var hopper = SimulatedMachine.Create(authority, DeviceProfile.Hopper580, DeviceProfile.Ls10, gpus: 1, switches: 0);
        using var blackwell = SimulatedMachine.Create(authority, DeviceProfile.Blackwell, DeviceProfile.Ls10, gpus: 1, switches: 0);
        Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(authority, "two chips"), out var trust, out var fault), fault?.ToString());
        var evidence = new[] { hopper, blackwell }.SelectMany(machine => SimulatedSet.Of(authority, machine, SimulatorFixture.Nonce, TokenFixture.Now).Evidence);
        Assert.True(Assay.Evidence.Files.EvidenceFile.TryParse(SimulatedEvidence.ToJson([.. evidence]), "both", out var devices, out fault), fault?.ToString());
        var expected = new DeviceExpectations { Nonce = TokenFixture.Nonce, Basis = new TrustBasis(new EvaluationTime(TokenFixture.Now, TimeSource.System), trust, RevocationChecking.DangerouslySkipped) };
        var cache = new VerifierCache();
        var verdict = DefaultPolicy.Decide(DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(devices, expected, cache), new Assay.Endorsements.MachineCollateral(), expected, cache));

        Assert.Equal(("GB100+GH100", "not-run"), (Claim("gpu_model", verdict), Claim("measres", verdict)));
    }

    private static string? Claim(string name, Verdict verdict) => CloudClaim.Find(name)!.Of(verdict, CloudWorld.Terms);

    private void Refused(string field, string problem, Verdict verdict, CloudProfile? profile = null, TokenTerms? terms = null)
    {
        var fault = world.Fault(profile ?? CloudWorld.Profile(CloudKind.Aws), verdict, terms);

        Assert.Equal(field, fault?.Field);
        Assert.StartsWith(problem, fault!.Problem, StringComparison.Ordinal);
    }

    private static Assay.Wire.ParseFault ProfileFault(Func<CloudProfileTerms, CloudProfileTerms> with)
    {
        Assert.False(CloudProfile.TryCreate(with(CloudWorld.Profile(CloudKind.Aws).Terms), out var profile, out var fault));
        Assert.Null(profile);
        return fault;
    }

    private static TrustSet Custom()
    {
        static JsonArray Pem(string name) => [PemEncoding.WriteString("CERTIFICATE", Identity.Root(name, Identity.Authority, Identity.SignsCertificatesAndLists).Certificate.Raw.Span)];
        var file = new JsonObject { ["version"] = 1, ["kind"] = "custom", ["name"] = "own", ["device"] = Pem("devices"), ["rim"] = Pem("manifests") };
        return TrustSet.TryParse(Encoding.UTF8.GetBytes(file.ToJsonString()), out var trust, out var fault) ? trust : throw new InvalidOperationException($"{fault}");
    }

    private static string? Said(Assay.Wire.ParseFault? fault) => fault is null ? null : $"{fault.Field}: {fault.Problem}";

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
