using System.Security.Cryptography;
using System.Text.Json;
using Assay.Binding;
using Assay.Checks;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;

namespace Assay.Tests.Tokens;

/// <summary>What is written is read, and says what the verdict says.</summary>
public sealed class EatBundleTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Fact]
    public void A_nonce_and_a_key_are_both_asked_about_where_both_are_given()
    {
        Assert.True(KeyBinding.TryCreate("challenge", """{"crv":"P-256","kty":"EC","x":"AA","y":"AA"}"""u8, out var key, out var fault), fault?.ToString());
        var expected = TokenFixture.Expected with { Key = key };

        Assert.False(EatBundleReader.TryVerify(fixture.Bundle(), fixture.Keys, expected, out _, out var findings));

        // The bundle answers the nonce; what the key's challenge makes is another.
        Assert.Equal(["token.nonce.match", "token.tee-pubkey.match"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Fact]
    public void A_token_about_devices_alone_is_accepted_only_by_the_names_of_what_it_leaves_open()
    {
        string[] Failed(EatExpectations expected)
        {
            EatBundleReader.TryVerify(fixture.Bundle(), fixture.Keys, expected, out _, out var findings);
            return [.. findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
        }

        Assert.Empty(Failed(TokenFixture.Expected));
        Assert.Equal(["token.weakened.none"], Failed(TokenFixture.Expected with { DangerouslyAcceptedWeakenings = [] }));
        Assert.Equal(["token.weakened.none"], Failed(TokenFixture.Expected with { DangerouslyAcceptedWeakenings = TokenFixture.DevicesAlone.Remove("no-cpu-tee") }));
        Assert.Equal(["token.binding.met"], Failed(TokenFixture.Expected with { RequiredBinding = Assay.Appraisal.Machine.GpuBinding.EvidenceHash }));
        Assert.Equal(["token.binding.met"], Failed(TokenFixture.Expected with { RequiredBinding = Assay.Appraisal.Machine.GpuBinding.BootEvent }));
    }

    [Fact]
    public void A_bundle_that_was_written_is_accepted()
    {
        var bundle = fixture.Bundle();

        Assert.True(EatBundleReader.TryVerify(bundle, fixture.Keys, TokenFixture.Expected, out var verified, out var findings), string.Join('\n', findings));

        Assert.All(findings, finding => Assert.Equal(finding.Id is "token.tee-pubkey.match" or "token.binding.met" ? CheckState.NotApplicable : finding.Id is "token.weakened.none" ? CheckState.NotChecked : CheckState.Held, finding.State));
        Assert.Equal("http://127.0.0.1:8443", verified.Issuer);
        Assert.Equal(TokenFixture.Nonce, verified.Nonce);
        Assert.Equal(TokenFixture.Now, verified.IssuedAt);
        Assert.Equal(TokenFixture.Now.AddHours(1), verified.ExpiresAt);
        Assert.Equal(["GPU-0", "GPU-1", "SWITCH-0"], verified.Devices.Select(device => device.Key));
    }

    [Fact]
    public void A_key_on_P256_signs_with_ES256()
    {
        var bundle = fixture.Bundle(key: fixture.SmallKey);

        Assert.True(fixture.Verify(bundle).Accepted);
        Assert.True(EatBundle.TryParse(bundle, out var parsed, out _));
        Assert.Equal("ES256", parsed.Overall.Header.GetProperty("alg").GetString());
    }

    [Fact]
    public void The_overall_token_has_NVIDIAs_members_and_ours()
    {
        var claims = Parsed(fixture.Bundle()).Overall.Payload;

        Assert.Equal("NVIDIA-PLATFORM-ATTESTATION", Text(claims, "sub"));
        Assert.Equal("3.0", Text(claims, "x-nvidia-ver"));
        Assert.Equal(TokenFixture.Nonce.ToString(), Text(claims, "eat_nonce"));
        Assert.Equal(fixture.Pass.NvidiaOverallResult, claims.GetProperty("x-nvidia-overall-att-result").GetBoolean());
        Assert.Equal(3600, claims.GetProperty("exp").GetInt64() - claims.GetProperty("iat").GetInt64());
        Assert.Equal(claims.GetProperty("nbf").GetInt64(), claims.GetProperty("iat").GetInt64());
        Assert.Equal(64, Text(claims, "jti")!.Length);
        Assert.Equal("pass", Text(claims, "x-assay-verdict"));
        Assert.Equal(TokenFixture.DevicesAlone, claims.GetProperty("x-assay-weakened").EnumerateArray().Select(item => item.GetString()));
        Assert.Equal("proven", Text(claims, "x-assay-freshness"));
        Assert.Equal("simulated", Text(claims, "x-assay-anchors"));
        Assert.Equal("none", Text(claims, "x-assay-gpu-binding"));
        Assert.Equal("system", Text(claims, "x-assay-time-source"));
        Assert.Equal("assay-default", Text(claims.GetProperty("x-assay-policy"), "id"));
        Assert.Matches("^sha384:[0-9a-f]{96}$", Text(claims.GetProperty("x-assay-policy"), "digest"));
        Assert.False(claims.TryGetProperty("aud", out _));
    }

    [Fact]
    public void Each_device_has_NVIDIAs_claims_and_a_name_of_its_own()
    {
        var bundle = Parsed(fixture.Bundle());

        Assert.Equal(4, bundle.Submodules.Select(submodule => Text(submodule.Value.Payload, "jti")).Append(Text(bundle.Overall.Payload, "jti")).Distinct().Count());
        foreach (var (name, jws) in bundle.Submodules)
        {
            Assert.Equal("success", Text(jws.Payload, "measres"));
            Assert.Equal(name.StartsWith("GPU", StringComparison.Ordinal) ? "gpu" : "nvswitch", Text(jws.Payload, "x-nvidia-device-type"));
            Assert.Equal(0, jws.Payload.GetProperty("x-assay-findings").GetProperty("failed").GetArrayLength());
            Assert.Equal(["alg", "kid", "typ"], jws.Header.EnumerateObject().Select(member => member.Name));
        }
    }

    [Fact]
    public void Tokens_read_the_same_in_both_base64_alphabets()
    {
        // Trustee decodes payloads with the standard alphabet.
        var bundle = Parsed(fixture.Bundle(terms: TokenFixture.Terms with { Audience = "a?b~c>d?~>?~>" }));

        Assert.All(bundle.Submodules.Select(submodule => submodule.Value).Append(bundle.Overall), jws => Assert.DoesNotMatch("[-_]", jws.Text.Split('.')[1]));
    }

    [Fact]
    public void A_failed_verdict_may_be_written_and_is_never_accepted()
    {
        var twice = fixture.Judge([fixture.Evidence[0], fixture.Evidence[0]], nonce: true);
        Assert.Equal(VerdictKind.Fail, twice.Kind);

        fixture.Refused("token.result.pass", fixture.Bundle(twice));
    }

    [Fact]
    public void An_incomplete_verdict_may_be_written_and_is_never_accepted()
    {
        var incomplete = fixture.Judge(fixture.Evidence, nonce: true, rims: false);
        Assert.Equal(VerdictKind.Incomplete, incomplete.Kind);

        fixture.Refused("token.result.pass", fixture.Bundle(incomplete));
    }

    [Fact]
    public void Nothing_is_written_about_devices_that_are_not_authentic()
    {
        var forged = fixture.Evidence[0].Report.ToArray();
        forged[^1] ^= 1;
        var verdict = fixture.Judge([fixture.Evidence[0] with { Report = forged }], nonce: true);

        Assert.False(EatBundleWriter.TryWrite(verdict, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var bundle, out var fault));
        Assert.Null(bundle);
        Assert.Equal("devices", fault.Field);
        Assert.Throws<ArgumentException>(() => EatBundleWriter.TryWrite(verdict with { Kind = VerdictKind.Pass }, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out _, out _));
    }

    [Fact]
    public void Beside_a_forged_device_the_authentic_ones_are_written_and_the_verdict_fails()
    {
        var forged = fixture.Evidence[0].Report.ToArray();
        forged[^1] ^= 1;
        var verdict = fixture.Judge([fixture.Evidence[0] with { Report = forged }, fixture.Evidence[1]], nonce: true);
        var bundle = fixture.Bundle(verdict);

        Assert.Equal(["GPU-0"], Parsed(bundle).Submodules.Select(submodule => submodule.Key));
        // Nor is the set fresh, while one of it says nothing.
        var (accepted, findings) = fixture.Verify(bundle);
        Assert.False(accepted);
        Assert.Equal(["token.result.pass", "token.weakened.none"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Fact]
    public void Weakened_verdicts_are_refused_by_default_and_accepted_by_name()
    {
        var weakened = fixture.Judge(fixture.Evidence, nonce: true, revocation: false);
        Assert.Equal(VerdictKind.Pass, weakened.Kind);
        var bundle = fixture.Bundle(weakened);

        Assert.Contains("revocation-skipped", fixture.Refused("token.weakened.none", bundle).Found);
        Assert.True(fixture.Verify(bundle, TokenFixture.Expected with { DangerouslyAcceptWeakened = true }).Accepted);
    }

    [Fact]
    public void Without_a_nonce_the_verdict_is_weakened()
    {
        var weakened = fixture.Judge(fixture.Evidence, nonce: false);

        Assert.Contains("freshness-not-proven", fixture.Refused("token.weakened.none", fixture.Bundle(weakened)).Found);
    }

    [Fact]
    public void Simulated_devices_are_refused_unless_named()
    {
        fixture.Refused("token.anchors.accepted", fixture.Bundle(), TokenFixture.Expected with { OtherAnchors = [] });
        fixture.Refused("token.anchors.accepted", fixture.Bundle(), TokenFixture.Expected with { OtherAnchors = [TrustSetKind.Custom] });
    }

    [Fact]
    public void Simulated_devices_never_appear_under_a_real_issuer()
    {
        var terms = TokenFixture.Terms with { Issuer = TokenFixture.Issuer("https://verifier.example") };

        Assert.False(EatBundleWriter.TryWrite(fixture.Pass, terms, fixture.Key, RandomNumberGenerator.Fill, out _, out var fault));
        Assert.Equal("issuer", fault.Field);
        // Somebody else's writer may not care.
        var bundle = Reforged.Of(fixture.Bundle(), fixture.Key, open =>
        {
            open.Overall["iss"] = "https://verifier.example";
            open.Submodules.ForEach(submodule => submodule.Value["iss"] = "https://verifier.example");
        });
        fixture.Refused("token.anchors.accepted", bundle, TokenFixture.Expected with { Issuer = "https://verifier.example" });
    }

    [Theory]
    [InlineData("https://nras.attestation.nvidia.com")]
    [InlineData("https://NVIDIA.com")]
    [InlineData("https://nvidia.com.")]
    [InlineData("https://nvidia.com:8443/x")]
    [InlineData("https://n\u0076idia.com%2e")]
    [InlineData("http://verifier.example")]
    [InlineData("https://nvidia.com@verifier.example")]
    [InlineData("https://verifier.example/?q")]
    [InlineData("https://verifier.example/#f")]
    [InlineData("https://Verifier.example")]
    [InlineData("https://verifier.example/a/../b")]
    [InlineData("ftp://verifier.example")]
    [InlineData("verifier")]
    [InlineData("")]
    [InlineData(null)]
    public void An_issuer_that_could_be_taken_for_another_is_refused(string? text) => Assert.False(TokenIssuer.TryParse(text, out _, out _));

    [Theory]
    [InlineData("https://verifier.example", false)]
    [InlineData("https://verifier.example/", false)]
    [InlineData("https://notnvidia.com", false)]
    [InlineData("https://nvidia.com.verifier.example/tenant", false)]
    [InlineData("http://127.0.0.1:8443", true)]
    [InlineData("http://localhost", true)]
    [InlineData("https://[::1]:8443", true)]
    public void An_issuer_is_an_https_URL_or_on_loopback(string text, bool loopback) => Assert.Equal(loopback, TokenFixture.Issuer(text).IsLoopback);

    [Fact]
    public void The_life_of_a_token_is_at_most_a_day()
    {
        Assert.True(fixture.Verify(fixture.Bundle(terms: TokenFixture.Terms with { Lifetime = TimeSpan.FromHours(24) })).Accepted);
        Assert.Throws<ArgumentOutOfRangeException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Lifetime = TimeSpan.FromHours(24) + TimeSpan.FromSeconds(1) }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Lifetime = TimeSpan.Zero }));
    }

    [Fact]
    public void The_audience_is_compared_both_ways()
    {
        var bundle = fixture.Bundle(terms: TokenFixture.Terms with { Audience = "broker" });

        Assert.True(fixture.Verify(bundle, TokenFixture.Expected with { Audience = "broker" }).Accepted);
        fixture.Refused("token.audience.match", bundle, TokenFixture.Expected with { Audience = "other" });
        fixture.Refused("token.audience.match", bundle, TokenFixture.Expected with { Audience = null });
        fixture.Refused("token.audience.match", fixture.Bundle(), TokenFixture.Expected with { Audience = "broker" });
    }

    [Fact]
    public void What_was_not_asked_is_seen_among_the_findings()
    {
        var (accepted, findings) = fixture.Verify(fixture.Bundle(), TokenFixture.Expected with { Nonce = null, Issuer = null });

        Assert.True(accepted);
        Assert.Equal(["token.issuer.match", "token.nonce.match", "token.weakened.none"], findings.Where(finding => finding.Cause is NotCheckedCause.Waived).Select(finding => finding.Id));
    }

    [Fact]
    public void NVIDIAs_sample_passes_the_digest_check_and_fails_for_want_of_a_key()
    {
        var (accepted, findings) = fixture.Verify(Recorded.Bytes("nvidia/claims/switch_detached_eat.json"));

        Assert.False(accepted);
        Assert.Equal(["token.key.known"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
        Assert.All(findings.Where(finding => finding.Id.StartsWith("token.submodules", StringComparison.Ordinal)), finding => Assert.Equal(CheckState.Held, finding.State));
    }

    [Fact]
    public void NVIDIAs_form_is_accepted_when_its_signatures_are_a_known_keys()
    {
        // NVIDIA's sample, payloads unchanged, signed anew: it has no typ, no claims of ours, and digests called SHA-256.
        var bundle = Reforged.Of(Recorded.Bytes("nvidia/claims/switch_detached_eat.json"), fixture.Key, _ => { }, (_, header) => header.Remove("typ"));
        Assert.True(Wire.Nonce.TryParse("931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb", out var nonce, out _));
        var expected = new EatExpectations
        {
            Nonce = nonce,
            Issuer = "https://nras.attestation-stg.nvidia.com",
            Audience = null,
            Time = new EvaluationTime(DateTimeOffset.FromUnixTimeSeconds(1751155060 + 60), TimeSource.Stated),
        };

        Assert.True(fixture.Verify(bundle, expected).Accepted);
        fixture.Refused("token.time.not-ended", bundle, expected with { Time = new EvaluationTime(TokenFixture.Now, TimeSource.System) });
    }

    [Fact]
    public void A_digest_may_be_called_SHA256()
    {
        var bundle = Reforged.Of(fixture.Bundle(), fixture.Key, open =>
        {
            foreach (var (_, entry) in open.Overall["submods"]!.AsObject())
            {
                entry![1]![0] = "SHA256";
            }
        });

        Assert.True(fixture.Verify(bundle).Accepted);
    }

    [Fact]
    public void Every_check_is_documented_and_no_other()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "tokens.md"));
        var documented = System.Text.RegularExpressions.Regex.Matches(text, @"^\| `(token\.[^`]+)` \|", System.Text.RegularExpressions.RegexOptions.Multiline).Select(match => match.Groups[1].Value);

        Assert.Equal(EatBundleReader.CheckIds.Concat(EarReader.CheckIds.Except(EatBundleReader.CheckIds)), documented);
    }

    private static EatBundle Parsed(byte[] bundle) => EatBundle.TryParse(bundle, out var parsed, out var fault) ? parsed : throw new InvalidOperationException(fault.ToString());

    private static string? Text(JsonElement claims, string name) => claims.GetProperty(name).GetString();
}
