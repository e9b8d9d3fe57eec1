using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Checks;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>EARs of both forms: what we write is accepted, and each alteration is refused by the check that is about it, and by no other.</summary>
public sealed class EarReaderTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    private const string Nvidia = "nvidia";
    private const string Trustee = "trustee";

    public static TheoryData<string> Forms => [Nvidia, Trustee];

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_we_write_is_accepted(string form)
    {
        Assert.True(EarReader.TryVerify(Write(form), fixture.Keys, TokenFixture.Expected, out var verified, out var findings), Texts(findings));

        Assert.Equal(form == Nvidia ? EarForm.Nvidia : EarForm.Trustee, verified.Form);
        Assert.Equal(TokenFixture.Nonce, verified.Nonce);
        Assert.Equal("http://127.0.0.1:8443", verified.Issuer);
        Assert.Equal((TokenFixture.Now, TokenFixture.Now.AddHours(1)), (verified.IssuedAt, verified.ExpiresAt));
        Assert.Equal("pass", verified.Claims.GetProperty("x-assay-verdict").GetString());
        Assert.Equal(3, verified.Devices.Count());
        Assert.All(verified.Devices, device => Assert.Equal("success", device.Value.GetProperty("measres").GetString()));
        Assert.Equal(EarReader.CheckIds, findings.Select(finding => finding.Id));
        Assert.All(findings, finding => Assert.Equal(finding.Id is "token.tee-pubkey.match" or "token.binding.met" ? CheckState.NotApplicable : finding.Id is "token.weakened.none" ? CheckState.NotChecked : CheckState.Held, finding.State));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Tokens_under_P256_are_accepted(string form) =>
        Assert.True(EarReader.TryVerify(Write(form, key: fixture.SmallKey), fixture.Keys, TokenFixture.Expected, out _, out _));

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_does_not_affirm_is_written_and_never_accepted(string form)
    {
        Verdict[] verdicts =
        [
            fixture.Judge([fixture.Evidence[0], fixture.Evidence[0]], nonce: true),
            fixture.Judge(fixture.Evidence, nonce: true, rims: false),
            fixture.Judge(fixture.Evidence, nonce: true, revocation: false),
            fixture.Judge(fixture.Evidence, nonce: false),
        ];

        foreach (var verdict in verdicts)
        {
            var (accepted, findings) = Verify(Write(form, verdict), TokenFixture.Expected with { DangerouslyAcceptWeakened = true, Nonce = null });
            Assert.False(accepted);
            Assert.Contains(findings, finding => finding is { Id: "token.status.affirming", State: CheckState.Failed });
            Assert.Contains(findings, finding => finding is { Id: "token.status.consistent", State: CheckState.Held });
        }
    }

    [Theory]
    [InlineData(Nvidia, "none")]
    [InlineData(Nvidia, "nOnE")]
    [InlineData(Trustee, "none")]
    public void An_unsigned_token_is_refused_by_name(string form, string algorithm)
    {
        var token = Reforge(form, header: header => header["alg"] = algorithm);

        Assert.Contains("not signed", Fails(token[..(token.LastIndexOf('.') + 1)], "token.algorithm.allowed", "token.key.algorithm").Reason);
    }

    [Theory]
    [InlineData(Nvidia, "HS256")]
    [InlineData(Trustee, "HS384")]
    public void A_MAC_under_the_public_key_is_refused_by_name(string form, string algorithm)
    {
        var token = Reforge(form, header: header => header["alg"] = algorithm);
        var content = token[..token.LastIndexOf('.')];
        var mac = HMACSHA256.HashData(fixture.Keys.ToJson(), Encoding.ASCII.GetBytes(content));

        Assert.Contains("symmetric", Fails($"{content}.{System.Buffers.Text.Base64Url.EncodeToString(mac)}", "token.algorithm.allowed", "token.key.algorithm").Reason);
    }

    [Theory]
    [InlineData(Nvidia, "jwk")]
    [InlineData(Trustee, "jwk")]
    [InlineData(Trustee, "x5c")]
    [InlineData(Nvidia, "crit")]
    public void A_header_that_brings_more_than_the_keys_name_is_refused(string form, string member) =>
        Fails(Reforge(form, header: header => header[member] = "x"), "token.header.known");

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_token_that_names_no_key_of_the_set_is_refused(string form)
    {
        Fails(Write(form, key: fixture.Stranger), "token.key.known");
        Fails(Reforge(form, key: fixture.Stranger, header: header => header.Remove("kid")), "token.key.known");
        Fails(Reforge(form, header: header => header["alg"] = "ES256"), "token.key.algorithm");
        Fails(Reforge(form, key: fixture.Stranger, header: header => header["kid"] = fixture.Key.PublicKey.KeyId), "token.signature.valid");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_tampered_payload_or_signature_is_refused(string form)
    {
        var parts = Write(form).Split('.');
        var payload = Encoding.ASCII.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(parts[1]));
        Fails($"{parts[0]}.{Reforged.Url(payload.Replace("127.0.0.1", "127.0.0.2", StringComparison.Ordinal))}.{parts[2]}", "token.signature.valid");
        Fails($"{parts[0]}.{Reforged.Url(payload.Replace("\"pass\"", "\"PASS\"", StringComparison.Ordinal))}.{parts[2]}", "token.signature.valid");
        for (var index = 0; index < parts[2].Length; index += 11)
        {
            Fails($"{parts[0]}.{parts[1]}.{parts[2][..index]}{(parts[2][index] == 'A' ? 'B' : 'A')}{parts[2][(index + 1)..]}", "token.signature.valid");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("{}")]
    [InlineData("e30.e30")]
    [InlineData("e30.W10.")]
    [InlineData("e30=.e30.")]
    public void What_is_no_token_is_refused(string token) => Fails(token, "token.wellformed");

    [Theory]
    [MemberData(nameof(Forms))]
    public void Members_that_stand_twice_are_refused(string form)
    {
        var payload = Payload(Write(form)).ToJsonString();
        Fails(Sign("{\"x-assay-verdict\":\"fail\"," + payload[1..]), "token.wellformed");
        var (name, status) = form == Nvidia ? ("gpu_0", "ear_status") : ("gpu0", "ear.status");
        Fails(Sign(payload.Replace($"\"{name}\":{{", $"\"{name}\":{{\"{status}\":\"affirming\",", StringComparison.Ordinal)), "token.wellformed");
        Fails(Sign(payload.Replace($"\"{name}\":{{", $"\"{name}\":{{}},\"{name}\":{{", StringComparison.Ordinal)), "token.wellformed");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_profile_that_is_not_known_is_refused(string form)
    {
        Fails(Reforge(form, claims => claims["eat_profile"] = "tag:nvidia.com,2026:ear/profiles/composite/generic/1.0.0"), "token.profile.known");
        Fails(Reforge(form, claims => claims.Remove("eat_profile")), "token.profile.known");
        Fails(Reforge(form, claims => claims["eat_profile"] = new JsonArray("tag:github.com,2024:confidential-containers/Trustee")), "token.profile.known");
        // Signed by the right issuer, in the words of the other form.
        Fails(Reforge(form, claims => claims["eat_profile"] = Payload(Write(form == Nvidia ? Trustee : Nvidia))["eat_profile"]!.GetValue<string>()), "token.submodules.wellformed");
    }

    [Fact]
    public void The_tokens_of_a_bundle_are_no_attestation_results()
    {
        var bundle = JsonNode.Parse(fixture.Bundle())!;

        Fails(bundle[0]![1]!.GetValue<string>(), "token.profile.known");
        Fails(bundle[1]!["GPU-0"]!.GetValue<string>(), "token.profile.known");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void An_attestation_result_is_no_bundle(string form)
    {
        var bundle = Encoding.UTF8.GetBytes(new JsonArray(new JsonArray("JWT", Write(form)), new JsonObject()).ToJsonString());

        Assert.False(fixture.Verify(bundle).Accepted);
    }

    [Theory]
    [InlineData(Nvidia, "gpu_0")]
    [InlineData(Trustee, "gpu0")]
    public void A_submodule_of_another_shape_is_refused(string form, string name)
    {
        var status = form == Nvidia ? "ear_status" : "ear.status";
        Action<JsonObject>[] alterations =
        [
            claims => claims.Remove("submods"),
            claims => claims["submods"] = new JsonObject(),
            claims => claims["submods"] = new JsonArray(),
            claims => claims["submods"]![name] = "eyJ.eyJ.",
            claims => claims["submods"]!.AsObject()[name] = null,
            claims => claims["submods"]!["a b"] = claims["submods"]![name]!.DeepClone(),
            claims => claims["submods"]![""] = claims["submods"]![name]!.DeepClone(),
            claims => claims["submods"]!["empty"] = new JsonObject(),
            claims => claims["submods"]![name]!.AsObject().Remove(status),
            claims => claims["submods"]![name]![status] = "AFFIRMING",
            claims => claims["submods"]![name]![status] = true,
            // One more than a set may have; small, so that the token itself is not too long.
            claims => claims["submods"] = new JsonObject([.. Enumerable.Range(0, Wire.Limits.Devices + 1).Select(index => KeyValuePair.Create($"gpu{index}", (JsonNode?)new JsonObject()))]),
            .. form == Nvidia ? NvidiaShapes(name) : TrusteeShapes(name),
        ];

        foreach (var (index, alter) in alterations.Index())
        {
            var (accepted, findings) = Verify(Reforge(form, alter));
            Assert.False(accepted, $"alteration {index}");
            Assert.Equal(["token.submodules.wellformed"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
        }
    }

    [Theory]
    [InlineData(Nvidia, "gpu_1")]
    [InlineData(Trustee, "switch0")]
    public void One_device_that_is_not_affirmed_is_enough(string form, string name)
    {
        var status = form == Nvidia ? "ear_status" : "ear.status";
        string[] failed = form == Nvidia ? ["token.status.affirming", "token.status.consistent"] : ["token.status.affirming"];

        foreach (var word in (string[])["warning", "none", "contraindicated"])
        {
            Fails(Reforge(form, claims => claims["submods"]![name]![status] = word), failed);
        }
    }

    [Fact]
    public void The_status_of_the_whole_counts_in_NVIDIAs_form() =>
        Fails(Reforge(Nvidia, claims => claims["ear_status"] = "contraindicated"), "token.status.affirming");

    [Theory]
    [InlineData("hardware", 97)]
    [InlineData("executables", 33)]
    [InlineData("configuration", 96)]
    [InlineData("storage-opaque", -1)]
    [InlineData("sourced-data", 1)]
    public void A_status_that_says_more_than_its_vector_is_refused(string claim, int value) => Assert.Contains(
        "trustworthiness vector",
        Fails(Reforge(Trustee, claims => claims["submods"]!["gpu0"]!["ear.trustworthiness-vector"]![claim] = value), "token.status.consistent").Reason);

    [Fact]
    public void A_vector_without_claims_affirms_nothing() => Fails(
        Reforge(Trustee, claims =>
        {
            var vector = claims["submods"]!["gpu0"]!["ear.trustworthiness-vector"]!.AsObject();
            foreach (var name in vector.Select(claim => claim.Key).ToArray())
            {
                vector[name] = 0;
            }
        }),
        "token.status.consistent");

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_status_that_says_more_than_the_verdict_is_refused(string form)
    {
        Fails(Reforge(form, claims => claims["x-assay-verdict"] = "fail"), "token.status.consistent", "token.result.pass");
        Fails(Reforge(form, claims => claims["x-assay-weakened"] = new JsonArray("revocation-skipped")), "token.status.consistent", "token.weakened.none");
        Fails(Reforge(form, claims => claims["x-assay-freshness"] = "not-proven"), "token.status.consistent", "token.weakened.none");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_nonce_is_asked_of_every_device(string form)
    {
        var other = form == Nvidia ? System.Buffers.Text.Base64Url.EncodeToString(new byte[32]) : new string('0', 64);
        Action<JsonObject> device = form == Nvidia
            ? claims => claims["submods"]!["gpu_1"]!["eat_nonce"] = other
            : claims => claims["submods"]!["gpu1"]!["ear.veraison.annotated-evidence"]!["report_data"] = other;
        Fails(Reforge(form, device), "token.nonce.same", "token.nonce.match");
        Fails(Reforge(form, claims => claims["eat_nonce"] = other), "token.nonce.same", "token.nonce.match");
        Fails(Reforge(form, claims => claims.Remove("eat_nonce")), "token.claims.wellformed", "token.nonce.same", "token.nonce.match");
        // The other form's spelling.
        Fails(Reforge(form, claims => claims["eat_nonce"] = form == Nvidia ? $"{TokenFixture.Nonce}" : System.Buffers.Text.Base64Url.EncodeToString(TokenFixture.Nonce.Bytes)),
            "token.claims.wellformed", "token.nonce.same", "token.nonce.match");
        Assert.True(Wire.Nonce.TryParse(new string('a', 64), out var mine, out _));
        Refused(Write(form), TokenFixture.Expected with { Nonce = mine }, "token.nonce.match");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_issuer_is_compared_to_the_letter(string form)
    {
        foreach (var issuer in (string[])["http://127.0.0.1:8444", "http://127.0.0.1:8443/", "HTTP://127.0.0.1:8443"])
        {
            Refused(Write(form), TokenFixture.Expected with { Issuer = issuer }, "token.issuer.match");
        }

        Fails(Reforge(form, claims => claims["iss"] = "https://verifier.example"), "token.issuer.match", "token.anchors.accepted");
        Fails(Reforge(form, claims => claims.Remove("iss")), "token.claims.wellformed", "token.issuer.match", "token.anchors.accepted");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_audience_is_compared_both_ways(string form)
    {
        var forBroker = Write(form, terms: TokenFixture.Terms with { Audience = "broker" });
        Assert.True(EarReader.TryVerify(forBroker, fixture.Keys, TokenFixture.Expected with { Audience = "broker" }, out _, out _));
        Refused(forBroker, TokenFixture.Expected, "token.audience.match");
        Refused(forBroker, TokenFixture.Expected with { Audience = "other" }, "token.audience.match");
        Refused(Write(form), TokenFixture.Expected with { Audience = "broker" }, "token.audience.match");
    }

    [Theory]
    [InlineData(Nvidia, -61, "token.time.begun")]
    [InlineData(Nvidia, 3660, "token.time.not-ended")]
    [InlineData(Trustee, -61, "token.time.begun")]
    [InlineData(Trustee, 3660, "token.time.not-ended")]
    public void Time_is_kept_to_the_minute(string form, int seconds, string finding)
    {
        var nearly = seconds + (seconds < 0 ? 1 : -1);
        EatExpectations At(int after) => TokenFixture.Expected with { Time = new EvaluationTime(TokenFixture.Now.AddSeconds(after), TimeSource.System) };

        Assert.True(EarReader.TryVerify(Write(form), fixture.Keys, At(nearly), out _, out _));
        Refused(Write(form), At(seconds), finding);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Times_must_be_there_and_end(string form)
    {
        Fails(Reforge(form, claims => claims.Remove("exp")), "token.claims.wellformed", "token.time.not-ended", "token.lifetime.limited");
        Fails(Reforge(form, claims => claims["exp"] = "never"), "token.claims.wellformed", "token.time.not-ended", "token.lifetime.limited");
        Fails(Reforge(form, claims => claims["exp"] = TokenFixture.Now.AddHours(25).ToUnixTimeSeconds()), "token.lifetime.limited");
        Fails(Reforge(form, claims => claims.Remove("iat")), "token.claims.wellformed", "token.time.begun", "token.lifetime.limited");
        Fails(Reforge(form, claims => claims["nbf"] = TokenFixture.Now.AddMinutes(10).ToUnixTimeSeconds()), "token.time.begun");
        Refused(Write(form), TokenFixture.Expected with { Time = new EvaluationTime(default, TimeSource.None) }, "token.clock.plausible", "token.time.begun");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Simulated_devices_are_refused_unless_named(string form)
    {
        Refused(Write(form), TokenFixture.Expected with { OtherAnchors = [] }, "token.anchors.accepted");
        Refused(Write(form), TokenFixture.Expected with { OtherAnchors = [TrustSetKind.Custom] }, "token.anchors.accepted");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Without_our_claims_the_status_decides(string form)
    {
        var token = Reforge(form, claims =>
        {
            foreach (var name in claims.Select(claim => claim.Key).Where(name => name.StartsWith("x-assay-", StringComparison.Ordinal)).ToArray())
            {
                claims.Remove(name);
            }
        });

        var (accepted, findings) = Verify(token);
        Assert.True(accepted, Texts(findings));
        Assert.Equal(["token.tee-pubkey.match", "token.result.pass", "token.binding.met", "token.weakened.none", "token.anchors.accepted"], findings.Where(finding => finding.State is CheckState.NotApplicable).Select(finding => finding.Id));
    }

    [Theory]
    [InlineData("x-assay-verdict")]
    [InlineData("x-assay-anchors")]
    [InlineData("x-assay-weakened")]
    public void Our_claims_are_there_together_or_not_at_all(string claim)
    {
        foreach (var form in Forms)
        {
            var (accepted, findings) = Verify(Reforge(form.Data, claims => claims.Remove(claim)));
            Assert.False(accepted);
            Assert.Contains(findings, finding => finding is { Id: "token.claims.wellformed", State: CheckState.Failed });
        }
    }

    /// <summary>The issuer itself writes nonsense: every member in turn is lost or becomes something else, and the reader only ever answers.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void Whatever_a_member_becomes_the_reader_answers(string form)
    {
        var genuine = Payload(Write(form));
        var (accepted, refused) = (0, 0);
        foreach (var path in Paths(genuine).ToArray())
        {
            foreach (var value in (string?[])["null", "true", "-1", "1e400", "\"\"", "[]", "{}", "[{}]", null])
            {
                var altered = genuine.DeepClone().AsObject();
                Replace(altered, path, value);
                _ = Verify(Sign(altered.ToJsonString())).Accepted ? accepted++ : refused++;
            }
        }

        // Most members are NVIDIA's claims, which are handed on and decide nothing.
        Assert.InRange(refused, 100, 10_000);
        Assert.InRange(accepted, 100, 10_000);
    }

    private static IEnumerable<string[]> Paths(JsonObject node) => node.SelectMany(member => member.Value is JsonObject inner && member.Key is not "submods"
        ? [[member.Key], .. Paths(inner).Select(path => (string[])[member.Key, .. path])]
        : member.Value is JsonObject all ? [[member.Key], .. all.Take(1).SelectMany(device => (string[][])[[member.Key, device.Key], .. Paths(device.Value!.AsObject()).Select(path => (string[])[member.Key, device.Key, .. path])])]
        : (IEnumerable<string[]>)[[member.Key]]);

    private static void Replace(JsonObject root, string[] path, string? value)
    {
        var holder = path[..^1].Aggregate(root, (node, name) => node[name]!.AsObject());
        if (value is null)
        {
            holder.Remove(path[^1]);
        }
        else
        {
            holder[path[^1]] = JsonNode.Parse(value);
        }
    }

    private static Action<JsonObject>[] NvidiaShapes(string name) =>
    [
        claims => claims["submods"]![name]!.AsObject().Remove("eat_nonce"),
        claims => claims["submods"]![name]!["eat_nonce"] = "AAAA",
        claims => claims["submods"]![name]!["eat_profile"] = claims["eat_profile"]!.GetValue<string>(),
        claims => claims["submods"]![name]!["ear_verifier_claims"] = new JsonArray(),
    ];

    private static Action<JsonObject>[] TrusteeShapes(string name) =>
    [
        claims => claims["submods"]![name]!.AsObject().Remove("ear.trustworthiness-vector"),
        claims => claims["submods"]![name]!["ear.trustworthiness-vector"]!.AsObject().Remove("hardware"),
        claims => claims["submods"]![name]!["ear.trustworthiness-vector"]!["more"] = 2,
        claims => claims["submods"]![name]!["ear.trustworthiness-vector"]!["hardware"] = "2",
        claims => claims["submods"]![name]!["ear.trustworthiness-vector"]!["hardware"] = 258,
        claims => claims["submods"]![name]!["ear.trustworthiness-vector"]!["hardware"] = 2.5,
        claims => claims["submods"]![name]!.AsObject().Remove("ear.appraisal-policy-id"),
        claims => claims["submods"]![name]!["ear.veraison.annotated-evidence"] = "x",
        claims => claims["submods"]![name]!["ear.veraison.annotated-evidence"]!.AsObject().Remove("report_data"),
    ];

    private string Write(string form, Verdict? verdict = null, TokenTerms? terms = null, SigningKey? key = null)
    {
        var written = form == Nvidia
            ? NvidiaEar.TryWrite(verdict ?? fixture.Pass, terms ?? TokenFixture.Terms, key ?? fixture.Key, RandomNumberGenerator.Fill, out var token, out var fault)
            : TrusteeEar.TryWrite(verdict ?? fixture.Pass, terms ?? TokenFixture.Terms, key ?? fixture.Key, RandomNumberGenerator.Fill, out token, out fault);
        Assert.True(written, fault?.ToString());
        return token!;
    }

    private string Reforge(string form, Action<JsonObject>? alter = null, SigningKey? key = null, Action<JsonObject>? header = null)
    {
        var claims = Payload(Write(form));
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

    private (bool Accepted, ImmutableArray<Finding> Findings) Verify(string token, EatExpectations? expected = null)
    {
        var accepted = EarReader.TryVerify(token, fixture.Keys, expected ?? TokenFixture.Expected, out var verified, out var findings);
        Assert.Equal(accepted, verified is not null);
        Assert.Equal(EarReader.CheckIds, findings.Select(finding => finding.Id));
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
