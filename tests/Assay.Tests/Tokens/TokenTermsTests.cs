using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Policy;
using Assay.Tests.Composite;
using Assay.Tokens;
using Assay.Wire;

namespace Assay.Tests.Tokens;

/// <summary>What a service says in tokens beside the verdict: its policy, the subject, and that the caller chose the nonce (S-20).</summary>
public sealed class TokenTermsTests(TokenFixture fixture, TokenTermsTests.Machine machine) : IClassFixture<TokenFixture>, IClassFixture<TokenTermsTests.Machine>
{
    private static readonly PolicyIdentity s_gold = new("gold", "7", new Digest(SHA384.HashData("the text of the policy"u8)));

    public static TheoryData<string> Forms { get; } = ["eat", "machine", "nvidia-ear", "trustee-ear"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_policy_of_the_service_is_named_whatever_policy_the_relying_party_brought(string form)
    {
        var terms = TokenFixture.Terms with { Policy = s_gold };
        foreach (var verdict in (Verdict[])[fixture.Pass, Lenient()])
        {
            var claims = Claims(form, verdict, terms);

            Assert.Equal($$"""{"id":"gold","version":"7","digest":"sha384:{{s_gold.Digest}}"}""", claims["x-assay-policy"]!.ToJsonString());
            if (form == "trustee-ear")
            {
                Assert.All(claims["submods"]!.AsObject(), submodule => Assert.Equal("gold", submodule.Value!["ear.appraisal-policy-id"]!.GetValue<string>()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Without_a_policy_of_the_service_the_relying_partys_is_named_as_ever(string form)
    {
        Assert.Equal("""{"id":"lenient.rego","version":"1","digest":null}""", Claims(form, Lenient(), TokenFixture.Terms)["x-assay-policy"]!.ToJsonString());
        Assert.Equal("assay-default", Claims(form, fixture.Pass, TokenFixture.Terms)["x-assay-policy"]!["id"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("eat", "NVIDIA-PLATFORM-ATTESTATION")]
    [InlineData("machine", "urn:assay:policy:assay-default")]
    [InlineData("nvidia-ear", null)]
    [InlineData("trustee-ear", null)]
    public void The_subject_is_the_callers_or_what_the_form_has_without_one(string form, string? without)
    {
        Assert.Equal("sha384:ab?", Claims(form, fixture.Pass, TokenFixture.Terms with { Subject = "sha384:ab?" })["sub"]!.GetValue<string>());
        Assert.Equal(without, Claims(form, fixture.Pass, TokenFixture.Terms)["sub"]?.GetValue<string>());
    }

    [Fact]
    public void A_bundle_about_a_subject_of_the_issuers_is_accepted_and_its_submodules_name_none()
    {
        var bundle = fixture.Bundle(terms: TokenFixture.Terms with { Subject = "gpu-host-7" });

        Assert.True(EatBundleReader.TryVerify(bundle, fixture.Keys, TokenFixture.Expected, out var verified, out var findings), string.Join('\n', findings));
        Assert.Equal("gpu-host-7", verified.Claims.GetProperty("sub").GetString());
        Assert.All(verified.Devices, device => Assert.False(device.Value.TryGetProperty("sub", out _)));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_nonce_that_the_caller_chose_is_no_proof_of_freshness(string form)
    {
        var terms = TokenFixture.Terms with { IsCallersNonce = true };

        Assert.Equal("caller", Claims(form, fixture.Pass, terms)["x-assay-freshness"]!.GetValue<string>());
        // What does not even answer it is not called fresh for anybody.
        Assert.Equal("not-proven", Claims(form, fixture.Judge(fixture.Evidence, nonce: false), terms)["x-assay-freshness"]!.GetValue<string>());
        Assert.Equal("proven", Claims(form, fixture.Pass, TokenFixture.Terms)["x-assay-freshness"]!.GetValue<string>());
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_nonce_that_the_caller_chose_names_no_key(string form)
    {
        Assert.Equal("proven", Claims(form, machine.Pass, TokenFixture.Terms)["x-assay-freshness"]!.GetValue<string>());
        Assert.Equal(form is not "nvidia-ear", Claims(form, machine.Pass, TokenFixture.Terms).ContainsKey("tee-pubkey"));

        var claims = Claims(form, machine.Pass, TokenFixture.Terms with { IsCallersNonce = true });

        Assert.Equal("caller", claims["x-assay-freshness"]!.GetValue<string>());
        Assert.False(claims.ContainsKey("tee-pubkey"));
        Assert.False(claims.ContainsKey("cnf"));
    }

    [Fact]
    public void A_bundle_over_a_callers_nonce_is_refused_unless_that_is_accepted_by_name()
    {
        var bundle = fixture.Bundle(terms: TokenFixture.Terms with { IsCallersNonce = true });

        Assert.Equal("freshness-not-proven", fixture.Refused("token.weakened.none", bundle).Found);
        var accepted = TokenFixture.DevicesAlone.Add(Weakening.FreshnessNotProven.Name);
        Assert.True(fixture.Verify(bundle, TokenFixture.Expected with { DangerouslyAcceptedWeakenings = accepted }).Accepted);
    }

    [Theory]
    [InlineData("nvidia-ear", "ear_status", "contraindicated")]
    [InlineData("trustee-ear", "ear.status", "warning")]
    public void An_EAR_over_a_callers_nonce_affirms_nothing_and_is_refused(string form, string name, string status)
    {
        var token = Write(form, fixture.Pass, TokenFixture.Terms with { IsCallersNonce = true });

        Assert.All(Payload(token)["submods"]!.AsObject(), submodule => Assert.Equal(status, submodule.Value![name]!.GetValue<string>()));
        Assert.False(EarReader.TryVerify(token, fixture.Keys, TokenFixture.Expected, out _, out var findings));
        Assert.Equal(["token.status.affirming", "token.weakened.none"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Theory]
    [InlineData("")]
    [InlineData("süd")]
    [InlineData("a\nb")]
    [InlineData("a\u007f")]
    [InlineData(513)]
    public void Names_that_readers_could_misread_are_refused(object given)
    {
        var name = given as string ?? new string('x', (int)given);

        Assert.ThrowsAny<ArgumentException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Subject = name }));
        Assert.ThrowsAny<ArgumentException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Policy = s_gold with { Id = name } }));
        Assert.ThrowsAny<ArgumentException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Policy = s_gold with { Version = name } }));
    }

    [Fact]
    public void A_policy_is_named_by_SHA384_and_nothing_shorter()
    {
        Assert.ThrowsAny<ArgumentException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Policy = s_gold with { Digest = default } }));
        Assert.ThrowsAny<ArgumentException>(() => fixture.Bundle(terms: TokenFixture.Terms with { Policy = s_gold with { Digest = new Digest(SHA256.HashData([])) } }));
        Assert.Equal(512, Claims("eat", fixture.Pass, TokenFixture.Terms with { Subject = new string('x', 512) })["sub"]!.GetValue<string>().Length);
    }

    private Verdict Lenient() =>
        Verdict.Of(fixture.Pass.Appraisal, new RelyingPartyPolicy("lenient.rego", null, _ => new PolicyDecision { Allowed = true, Reason = "why not" }), ClaimsVersion.V3);

    private JsonObject Claims(string form, Verdict verdict, TokenTerms terms) => Payload(form == "eat"
        ? JsonNode.Parse(fixture.Bundle(verdict, terms))![0]![1]!.GetValue<string>()
        : Write(form, verdict, terms));

    private string Write(string form, Verdict verdict, TokenTerms terms)
    {
        string? token;
        ParseFault? fault;
        var written = form switch
        {
            "machine" => EatWriter.TryWrite(verdict, terms, fixture.Key, RandomNumberGenerator.Fill, out token, out fault),
            "nvidia-ear" => NvidiaEar.TryWrite(verdict, terms, fixture.Key, RandomNumberGenerator.Fill, out token, out fault),
            _ => TrusteeEar.TryWrite(verdict, terms, fixture.Key, RandomNumberGenerator.Fill, out token, out fault),
        };
        Assert.True(written, fault?.ToString());
        return token!;
    }

    private static JsonObject Payload(string token) => JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();

    /// <summary>A confidential VM with its devices, judged over its own key.</summary>
    public sealed class Machine : IDisposable
    {
        private readonly SimulatedCvm _cvm = new();

        public Machine()
        {
            Pass = Verdict.Of(_cvm.Parts(), SimulatedCvm.Expected, RelyingPartyPolicy.Default, ClaimsVersion.V3);
            Assert.Equal(VerdictKind.Pass, Pass.Kind);
        }

        public Verdict Pass { get; }

        public KeyBinding Key => _cvm.Binding;

        /// <summary>The same machine with a key that has members of somebody else's.</summary>
        public Verdict With(string jwk)
        {
            var parts = _cvm.Parts();
            var key = KeyBinding.TryCreate(SimulatedCvm.Challenge, System.Text.Encoding.UTF8.GetBytes(jwk), out var made, out var fault) ? made : throw new InvalidOperationException($"{fault}");
            var evidence = _cvm.Evidence(key);
            var additional = AdditionalEvidence.Of(evidence);
            var devices = SimulatedCvm.Judge(evidence, key);
            var boot = _cvm.Boot();
            var quote = SimulatedCvm.Quote(boot, key, additional);
            parts = parts with { Devices = devices, Cpu = SimulatedCvm.Cpu(quote), Boot = SimulatedCvm.JudgeBoot(boot.JsonLog(), quote, devices), Key = key, AdditionalEvidence = additional };
            return Verdict.Of(parts, SimulatedCvm.Expected, RelyingPartyPolicy.Default, ClaimsVersion.V3);
        }

        public void Dispose() => _cvm.Dispose();
    }
}
