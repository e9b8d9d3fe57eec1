using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Checks;
using Assay.Policy;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>The token of a machine: what we write is accepted, and each alteration is refused by the check that is about it, and by no other.</summary>
public sealed class EatReaderTests(TokenFixture fixture, TokenTermsTests.Machine machine) : IClassFixture<TokenFixture>, IClassFixture<TokenTermsTests.Machine>
{
    [Fact]
    public void What_we_write_is_accepted()
    {
        Assert.True(EatReader.TryVerify(Write(), fixture.Keys, TokenFixture.Expected, out var verified, out var findings), Texts(findings));

        Assert.Equal(TokenFixture.Nonce, verified.Nonce);
        Assert.Equal("http://127.0.0.1:8443", verified.Issuer);
        Assert.Equal((TokenFixture.Now, TokenFixture.Now.AddHours(1)), (verified.IssuedAt, verified.ExpiresAt));
        Assert.Equal("pass", verified.Claims.GetProperty("x-assay-verdict").GetString());
        Assert.Equal(["GPU-0", "GPU-1", "SWITCH-0"], verified.Devices.Select(device => device.Key));
        Assert.All(verified.Devices, device => Assert.Equal("success", device.Value.GetProperty("measres").GetString()));
        Assert.All(findings, finding => Assert.Equal(finding.Id is "token.tee-pubkey.match" or "token.binding.met" ? CheckState.NotApplicable : finding.Id is "token.weakened.none" ? CheckState.NotChecked : CheckState.Held, finding.State));
    }

    [Fact]
    public void Its_ids_are_those_of_the_other_forms() => Assert.Empty(EatReader.CheckIds.Except(EatBundleReader.CheckIds.Union(EarReader.CheckIds)));

    [Fact]
    public void A_bound_machine_is_accepted_for_its_key_and_for_no_other()
    {
        var token = Write(machine.Pass, TokenFixture.Terms with { IssuedAt = SimulatedCpu.Now });
        var expected = TokenFixture.Expected with
        {
            Nonce = null,
            Key = machine.Key,
            Time = new EvaluationTime(SimulatedCpu.Now.AddMinutes(1), TimeSource.System),
            RequiredBinding = Assay.Appraisal.Machine.GpuBinding.BootEvent,
            DangerouslyAcceptWeakened = true,
        };

        Assert.True(EatReader.TryVerify(token, fixture.Keys, expected, out var verified, out var findings), Texts(findings));
        Assert.Equal(["GPU-0", "GPU-1", "SWITCH-0", "SWITCH-1", "CPU-0", "BOOT-0"], verified.Devices.Select(device => device.Key));
        using var other = new SimulatedCvm();
        Refused(token, expected with { Key = other.Binding }, "token.nonce.match", "token.tee-pubkey.match");
        Refused(Reforge(machine.Pass, TokenFixture.Terms with { IssuedAt = SimulatedCpu.Now }, claims => claims.Remove("tee-pubkey")), expected, "token.tee-pubkey.match");
        Refused(Reforge(machine.Pass, TokenFixture.Terms with { IssuedAt = SimulatedCpu.Now }, claims => claims["x-assay-gpu-binding"] = "evidence-hash"), expected, "token.binding.met");
        Refused(Reforge(machine.Pass, TokenFixture.Terms with { IssuedAt = SimulatedCpu.Now }, claims => claims["submods"]!["CPU-0"]!["eat_nonce"] = new string('a', 64)), expected, "token.nonce.same", "token.nonce.match");
    }

    [Fact]
    public void Tokens_of_the_other_forms_are_not_the_token_of_a_machine_nor_is_it_one_of_them()
    {
        Assert.True(TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var trustee, out _));
        Assert.True(NvidiaEar.TryWrite(fixture.Pass, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var nvidia, out _));
        var bundle = JsonNode.Parse(fixture.Bundle())!;
        string[] others = [trustee, nvidia, bundle[0]![1]!.GetValue<string>(), bundle[1]!["GPU-0"]!.GetValue<string>()];

        foreach (var other in others)
        {
            Assert.False(EatReader.IsFor(Parsed(other)));
            Assert.Equal("token.profile.known", Refused(other, TokenFixture.Expected, Submodules(other)).Id);
        }

        var token = Write();
        Assert.True(EatReader.IsFor(Parsed(token)));
        Assert.False(EarReader.TryVerify(token, fixture.Keys, TokenFixture.Expected, out _, out var findings));
        Assert.Contains(findings, finding => finding is { Id: "token.profile.known", State: CheckState.Failed });
        bundle[0]![1] = token;
        fixture.Refused("token.submodules.complete", Encoding.UTF8.GetBytes(bundle.ToJsonString()));

        static string[] Submodules(string token) =>
            Payload(token)["submods"] is { } submodules && submodules.AsObject().All(member => member.Value is JsonObject value && value.ContainsKey("eat_nonce"))
            && Payload(token)["eat_profile"]?.GetValue<string>().Contains("nvidia", StringComparison.Ordinal) is not true
                ? ["token.profile.known"] : ["token.profile.known", "token.submodules.wellformed"];
    }

    [Theory]
    [InlineData("none", "not signed")]
    [InlineData("HS384", "symmetric")]
    [InlineData("PS256", "PS256")]
    public void Another_algorithm_than_that_of_the_key_is_refused_by_name(string algorithm, string reason) =>
        Assert.Contains(reason, Fails(Reforge(header: header => header["alg"] = algorithm), "token.algorithm.allowed", "token.key.algorithm").Reason, StringComparison.Ordinal);

    [Fact]
    public void Who_signed_is_asked_as_of_every_token()
    {
        Fails(Write(key: fixture.Stranger), "token.key.known");
        Fails(Reforge(header: header => header["alg"] = "ES256"), "token.key.algorithm");
        Fails(Reforge(key: fixture.Stranger, header: header => header["kid"] = fixture.Key.PublicKey.KeyId), "token.signature.valid");
        Fails(Reforge(header: header => header["jku"] = "https://verifier.example"), "token.header.known");
        Fails(Write() + "=", "token.wellformed");
        var parts = Write().Split('.');
        var altered = Encoding.ASCII.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(parts[1])).Replace("\"pass\"", "\"PASS\"", StringComparison.Ordinal);
        Fails($"{parts[0]}.{Reforged.Url(altered)}.{parts[2]}", "token.signature.valid");
    }

    [Fact]
    public void Submodules_of_another_shape_are_refused()
    {
        Action<JsonObject>[] alterations =
        [
            claims => claims.Remove("submods"),
            claims => claims["submods"] = new JsonArray(),
            claims => claims["submods"] = new JsonObject(),
            claims => claims["submods"]!["a b"] = new JsonObject(),
            claims => claims["submods"]!["GPU-1"] = "eyJ",
            claims => claims["submods"]!["GPU-1"]!.AsObject().Remove("eat_nonce"),
            claims => claims["submods"]!["GPU-1"]!["eat_nonce"] = 7,
            claims => claims["submods"] = new JsonObject([.. Enumerable.Range(0, Wire.Limits.Devices + 1).Select(index => KeyValuePair.Create($"GPU-{index}", (JsonNode?)new JsonObject()))]),
        ];

        foreach (var (index, alter) in alterations.Index())
        {
            var (accepted, findings) = Verify(Reforge(alter: alter));
            Assert.False(accepted, $"alteration {index}");
            Assert.Equal(["token.submodules.wellformed"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
        }
    }

    [Theory]
    [InlineData("sub", null, "token.claims.wellformed")]
    [InlineData("sub", "\"\"", "token.claims.wellformed")]
    [InlineData("jti", null, "token.claims.wellformed")]
    [InlineData("aud", "7", "token.claims.wellformed", "token.audience.match")]
    [InlineData("iss", "\"http://127.0.0.1:8444\"", "token.issuer.match")]
    [InlineData("aud", "\"broker\"", "token.audience.match")]
    [InlineData("eat_nonce", null, "token.claims.wellformed", "token.nonce.same", "token.nonce.match")]
    [InlineData("exp", "1", "token.time.not-ended", "token.lifetime.limited")]
    [InlineData("nbf", "4000000000", "token.time.begun")]
    [InlineData("x-assay-verdict", "\"fail\"", "token.result.pass")]
    [InlineData("x-assay-verdict", "\"PASS\"", "token.result.pass")]
    [InlineData("x-assay-verdict", null, "token.claims.wellformed", "token.result.pass")]
    [InlineData("x-assay-weakened", "[\"revocation-skipped\"]", "token.weakened.none")]
    [InlineData("x-assay-freshness", "\"not-proven\"", "token.weakened.none")]
    [InlineData("x-assay-freshness", "\"caller\"", "token.weakened.none")]
    [InlineData("x-assay-freshness", "\"Proven\"", "token.weakened.none")]
    [InlineData("x-assay-anchors", "\"other\"", "token.anchors.accepted")]
    public void A_claim_that_is_not_as_it_must_be_is_refused_by_its_check(string claim, string? json, params string[] failed) =>
        Refused(
            Reforge(alter: claims =>
            {
                if (json is null)
                {
                    claims.Remove(claim);
                }
                else
                {
                    claims[claim] = JsonNode.Parse(json);
                }
            }),
            TokenFixture.Expected, failed);

    [Fact]
    public void Without_our_claims_nothing_is_accepted()
    {
        var (accepted, findings) = Verify(Reforge(alter: claims =>
        {
            foreach (var name in claims.Select(claim => claim.Key).Where(name => name.StartsWith("x-assay-", StringComparison.Ordinal)).ToArray())
            {
                claims.Remove(name);
            }
        }));

        Assert.False(accepted);
        Assert.Equal(["token.claims.wellformed", "token.result.pass"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Fact]
    public void A_nonce_that_the_caller_chose_is_refused() =>
        Assert.Equal("freshness-not-proven", Fails(Write(terms: TokenFixture.Terms with { IsCallersNonce = true }), "token.weakened.none").Found);

    [Fact]
    public void Simulated_devices_are_refused_unless_named() => Refused(Write(), TokenFixture.Expected with { OtherAnchors = [] }, "token.anchors.accepted");

    [Fact]
    public void A_token_that_no_reader_accepts_is_not_written()
    {
        var many = fixture.Pass with { Appraisal = fixture.Pass.Appraisal with { Devices = [.. Enumerable.Repeat(fixture.Pass.Appraisal.Devices[0], 250)] } };

        Assert.False(EatWriter.TryWrite(many, TokenFixture.Terms, fixture.Key, RandomNumberGenerator.Fill, out var token, out var fault));
        Assert.Null(token);
        Assert.Contains("bundle", fault.Problem, StringComparison.Ordinal);
    }

    /// <summary>The issuer itself writes nonsense: every member at the top in turn is lost or becomes something else, and the reader only ever answers.</summary>
    [Fact]
    public void Whatever_a_member_becomes_the_reader_answers()
    {
        var genuine = Payload(Write());
        var (accepted, refused) = (0, 0);
        foreach (var name in genuine.Select(claim => claim.Key))
        {
            foreach (var value in (string?[])["null", "true", "-1", "1e400", "\"\"", "[]", "{}", "[{}]", null])
            {
                var altered = genuine.DeepClone().AsObject();
                altered.Remove(name);
                if (value is not null)
                {
                    altered[name] = JsonNode.Parse(value);
                }

                _ = Verify(Sign(altered.ToJsonString())).Accepted ? accepted++ : refused++;
            }
        }

        // What is shown and decides nothing: findings, policy, platform, NVIDIA's two claims; and without an audience none is asked for.
        Assert.InRange(refused, 100, 10_000);
        Assert.InRange(accepted, 30, 100);
    }

    private string Write(Verdict? verdict = null, TokenTerms? terms = null, SigningKey? key = null)
    {
        Assert.True(EatWriter.TryWrite(verdict ?? fixture.Pass, terms ?? TokenFixture.Terms, key ?? fixture.Key, RandomNumberGenerator.Fill, out var token, out var fault), fault?.ToString());
        return token;
    }

    private string Reforge(Verdict? verdict = null, TokenTerms? terms = null, Action<JsonObject>? alter = null, SigningKey? key = null, Action<JsonObject>? header = null)
    {
        var claims = Payload(Write(verdict, terms));
        alter?.Invoke(claims);
        return Sign(claims.ToJsonString(), key, header);
    }

    private string Sign(string payload, SigningKey? key = null, Action<JsonObject>? header = null)
    {
        key ??= fixture.Key;
        var head = new JsonObject { ["alg"] = key.PublicKey.AlgorithmName, ["kid"] = key.PublicKey.KeyId, ["typ"] = "JWT" };
        header?.Invoke(head);
        return Reforged.Sign(key, head, payload);
    }

    private static JsonObject Payload(string token) => JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]))!.AsObject();

    private static CompactJws Parsed(string token) => CompactJws.TryParse(token, out var jws, out var fault) ? jws : throw new InvalidOperationException($"{fault}");

    private (bool Accepted, ImmutableArray<Finding> Findings) Verify(string token, EatExpectations? expected = null)
    {
        var accepted = EatReader.TryVerify(token, fixture.Keys, expected ?? TokenFixture.Expected, out var verified, out var findings);
        Assert.Equal(accepted, verified is not null);
        Assert.Equal(EatReader.CheckIds, findings.Select(finding => finding.Id));
        return (accepted, findings);
    }

    private Finding Fails(string token, params string[] ids) => Refused(token, TokenFixture.Expected, ids);

    private Finding Refused(string token, EatExpectations expected, params string[] ids)
    {
        var (accepted, findings) = Verify(token, expected);
        Assert.False(accepted);
        var failed = findings.Where(finding => finding.State is CheckState.Failed).ToArray();
        Assert.Equal(ids, failed.Select(finding => finding.Id));
        return failed[0];
    }

    private static string Texts(IEnumerable<Finding> findings) => string.Join("; ", findings.Select(finding => $"{finding.Id} {finding.State} {finding.Reason}"));
}
