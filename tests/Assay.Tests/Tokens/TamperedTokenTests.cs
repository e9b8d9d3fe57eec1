using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Checks;

namespace Assay.Tests.Tokens;

/// <summary>Each alteration is refused by the check that is about it, and by no other.</summary>
public sealed class TamperedTokenTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("nOnE")]
    public void An_unsigned_token_is_refused_by_name(string algorithm)
    {
        var bundle = Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (_, header) => header["alg"] = algorithm, (_, token) => token[..(token.LastIndexOf('.') + 1)]);

        Assert.Contains("not signed", Fails(bundle, "token.algorithm.allowed", "token.key.algorithm").Reason);
    }

    [Theory]
    [InlineData("HS256")]
    [InlineData("HS384")]
    public void A_MAC_under_the_public_key_is_refused_by_name(string algorithm)
    {
        var secret = fixture.Keys.ToJson();
        var bundle = Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (_, header) => header["alg"] = algorithm, (_, token) =>
        {
            var content = token[..token.LastIndexOf('.')];
            return $"{content}.{System.Buffers.Text.Base64Url.EncodeToString(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(content)))}";
        });

        Assert.Contains("symmetric", Fails(bundle, "token.algorithm.allowed", "token.key.algorithm").Reason);
    }

    [Fact]
    public void The_algorithm_is_the_keys_and_not_the_headers() =>
        fixture.Refused("token.key.algorithm", Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (_, header) => header["alg"] = "ES256"));

    [Fact]
    public void Another_key_of_the_set_is_not_the_one_that_signed() =>
        fixture.Refused("token.signature.valid", Reforged.Of(fixture.Bundle(), fixture.Stranger, _ => { }, (_, header) => header["kid"] = fixture.Key.PublicKey.KeyId));

    [Fact]
    public void A_key_that_is_not_in_the_set_is_refused() => fixture.Refused("token.key.known", fixture.Bundle(key: fixture.Stranger));

    [Theory]
    [InlineData("jwk")]
    [InlineData("jku")]
    [InlineData("x5c")]
    [InlineData("b64")]
    [InlineData("zip")]
    public void A_header_that_brings_more_than_the_keys_name_is_refused(string member) =>
        fixture.Refused("token.header.known", Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (name, header) => _ = name == "GPU-1" && header.TryAdd(member, "x")));

    [Fact]
    public void A_critical_header_is_refused() => Assert.Contains("critical",
        fixture.Refused("token.header.known", Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (_, header) => header["crit"] = new JsonArray("exp"))).Reason);

    [Fact]
    public void Another_type_is_refused() =>
        fixture.Refused("token.header.known", Reforged.Of(fixture.Bundle(), fixture.Key, _ => { }, (_, header) => header["typ"] = "at+jwt"));

    [Fact]
    public void A_submodule_that_is_taken_away_is_missed() =>
        fixture.Refused("token.submodules.complete", Raw(fixture.Bundle(), root => root[1]!.AsObject().Remove("GPU-1")));

    [Fact]
    public void A_submodule_that_is_put_in_is_refused() =>
        fixture.Refused("token.submodules.complete", Raw(fixture.Bundle(), root => root[1]!["GPU-2"] = root[1]!["GPU-1"]!.GetValue<string>()));

    [Fact]
    public void Submodules_that_change_places_are_refused() =>
        fixture.Refused("token.submodules.digest", Raw(fixture.Bundle(), root =>
            (root[1]!["GPU-0"], root[1]!["GPU-1"]) = (root[1]!["GPU-1"]!.GetValue<string>(), root[1]!["GPU-0"]!.GetValue<string>())));

    [Fact]
    public void A_submodule_of_another_bundle_is_refused()
    {
        var other = JsonNode.Parse(fixture.Bundle())!;

        fixture.Refused("token.submodules.digest", Raw(fixture.Bundle(), root => root[1]!["GPU-0"] = other[1]!["GPU-0"]!.GetValue<string>()));
    }

    [Fact]
    public void A_submodule_that_stands_twice_is_refused()
    {
        var text = Encoding.UTF8.GetString(fixture.Bundle());
        var token = JsonNode.Parse(text)![1]!["GPU-1"]!.GetValue<string>();

        fixture.Refused("token.wellformed", Encoding.UTF8.GetBytes(text.Replace("\"GPU-1\":", $"\"GPU-1\":\"{token}\",\"GPU-1\":", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_token_about_no_device_is_refused() => fixture.Refused("token.submodules.complete", Reforged.Of(fixture.Bundle(), fixture.Key, open =>
    {
        open.Submodules.Clear();
        open.Overall["submods"] = new JsonObject();
    }));

    [Fact]
    public void A_token_that_lists_no_submodules_is_refused() =>
        fixture.Refused("token.submodules.complete", Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall.Remove("submods")));

    [Theory]
    [InlineData("SHA-1")]
    [InlineData("sha-256")]
    public void A_digest_of_another_algorithm_is_refused(string algorithm) =>
        fixture.Refused("token.submodules.complete", Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall["submods"]!["GPU-0"]![1]![0] = algorithm));

    [Fact]
    public void A_digest_that_is_altered_is_refused()
    {
        var bundle = Raw(fixture.Bundle(), root =>
        {
            var parts = root[0]![1]!.GetValue<string>().Split('.');
            var payload = JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(parts[1]))!;
            payload["submods"]!["GPU-0"]![1]![1] = new string('0', 64);
            root[0]![1] = Reforged.Sign(fixture.Key, JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(parts[0]))!.AsObject(), payload.ToJsonString());
        });

        fixture.Refused("token.submodules.digest", bundle);
    }

    [Theory]
    [InlineData("overall")]
    [InlineData("SWITCH-0")]
    public void One_altered_character_of_the_payload_breaks_the_signature(string name)
    {
        var bundle = Raw(fixture.Bundle(), root =>
        {
            var holder = name == "overall" ? root[0]! : root[1]!;
            var token = (name == "overall" ? holder[1] : holder[name])!.GetValue<string>();
            var payload = System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]);
            var altered = Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(payload).Replace("127.0.0.1", "127.0.0.2", StringComparison.Ordinal));
            var again = string.Join('.', token.Split('.')[0], System.Buffers.Text.Base64Url.EncodeToString(altered), token.Split('.')[2]);
            if (name == "overall")
            {
                holder[1] = again;
            }
            else
            {
                holder[name] = again;
            }
        });

        var (accepted, findings) = fixture.Verify(bundle);
        Assert.False(accepted);
        Assert.Contains(findings, finding => finding is { Id: "token.signature.valid", State: CheckState.Failed } && finding.Reason!.StartsWith(name, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_character_of_a_signature_counts()
    {
        var bundle = fixture.Bundle();
        var token = JsonNode.Parse(bundle)![0]![1]!.GetValue<string>();
        for (var index = token.LastIndexOf('.') + 1; index < token.Length; index += 9)
        {
            var altered = token[..index] + (token[index] == 'A' ? 'B' : 'A') + token[(index + 1)..];
            fixture.Refused("token.signature.valid", Raw(bundle, root => root[0]![1] = altered));
        }
    }

    [Fact]
    public void A_nonce_that_differs_in_one_submodule_is_refused() =>
        fixture.Refused("token.nonce.same", Altered("GPU-1", "eat_nonce", new string('a', 64)), TokenFixture.Expected with { Nonce = null });

    [Fact]
    public void A_nonce_that_is_not_the_readers_is_refused()
    {
        Assert.True(Wire.Nonce.TryParse(new string('a', 64), out var other, out _));

        fixture.Refused("token.nonce.match", fixture.Bundle(), TokenFixture.Expected with { Nonce = other });
    }

    [Fact]
    public void An_issuer_that_differs_in_one_submodule_is_refused() =>
        fixture.Refused("token.issuer.same", Altered("GPU-1", "iss", "http://127.0.0.1:8444"));

    [Theory]
    [InlineData("http://127.0.0.1:8444")]
    [InlineData("http://127.0.0.1:8443/")]
    [InlineData("HTTP://127.0.0.1:8443")]
    public void An_issuer_that_is_not_the_expected_one_to_the_letter_is_refused(string issuer) =>
        fixture.Refused("token.issuer.match", fixture.Bundle(), TokenFixture.Expected with { Issuer = issuer });

    [Fact]
    public void An_audience_that_is_missing_in_one_submodule_is_refused() => fixture.Refused(
        "token.audience.match",
        Reforged.Of(fixture.Bundle(terms: TokenFixture.Terms with { Audience = "broker" }), fixture.Key, open => open.Submodules[2].Value.Remove("aud")),
        TokenFixture.Expected with { Audience = "broker" });

    [Theory]
    [InlineData(-61, "token.time.begun")]
    [InlineData(-60, null)]
    [InlineData(0, null)]
    [InlineData(3659, null)]
    [InlineData(3660, "token.time.not-ended")]
    public void Time_is_kept_to_the_minute(int seconds, string? finding)
    {
        var expected = TokenFixture.Expected with { Time = new EvaluationTime(TokenFixture.Now.AddSeconds(seconds), TimeSource.System) };

        if (finding is null)
        {
            Assert.True(fixture.Verify(fixture.Bundle(), expected).Accepted);
        }
        else
        {
            fixture.Refused(finding, fixture.Bundle(), expected);
        }
    }

    [Theory]
    [InlineData("nbf", 3600, "token.time.begun")]
    [InlineData("iat", 600, "token.time.begun")]
    [InlineData("exp", -3600, "token.time.not-ended", "token.lifetime.limited")]
    [InlineData("exp", 86401, "token.lifetime.limited")]
    public void A_submodule_has_times_of_its_own(string claim, int seconds, params string[] findings)
    {
        var (accepted, all) = fixture.Verify(Altered("SWITCH-0", claim, TokenFixture.Now.AddSeconds(seconds).ToUnixTimeSeconds()));

        Assert.False(accepted);
        Assert.Equal(findings, all.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Theory]
    [InlineData("exp", "\"1795352400\"")]
    [InlineData("exp", "1795352400.5")]
    [InlineData("exp", "1.7953524e9")]
    [InlineData("exp", "-1")]
    [InlineData("exp", "9223372036854775807")]
    [InlineData("iat", "null")]
    [InlineData("nbf", "true")]
    [InlineData("aud", "1")]
    [InlineData("aud", "[]")]
    [InlineData("jti", "7")]
    [InlineData("eat_nonce", "\"abc\"")]
    public void A_claim_of_another_type_is_refused(string claim, string json)
    {
        var (accepted, findings) = fixture.Verify(Altered("GPU-0", claim, JsonNode.Parse(json)));

        Assert.False(accepted);
        Assert.Contains(findings, finding => finding is { Id: "token.claims.wellformed", State: CheckState.Failed });
    }

    [Fact]
    public void The_token_of_a_device_does_not_stand_for_all() =>
        fixture.Refused("token.submodules.complete", Raw(fixture.Bundle(), root => root[0]![1] = root[1]!["GPU-0"]!.GetValue<string>()));

    [Theory]
    [InlineData("7")]
    [InlineData("\"\"")]
    [InlineData("null")]
    public void A_subject_that_is_no_name_is_refused(string json) =>
        fixture.Refused("token.claims.wellformed", Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall["sub"] = JsonNode.Parse(json)));

    [Fact]
    public void A_token_without_our_claims_has_the_subject_that_NVIDIA_writes() =>
        Assert.Contains("NVIDIA-PLATFORM-ATTESTATION", fixture.Refused("token.claims.wellformed", Reforged.Of(fixture.Bundle(), fixture.Key, open =>
        {
            open.Overall["sub"] = "gpu-host-7";
            foreach (var name in open.Overall.Select(claim => claim.Key).Where(name => name.StartsWith("x-assay-", StringComparison.Ordinal)).ToArray())
            {
                open.Overall.Remove(name);
            }

            open.Overall["x-nvidia-overall-att-result"] = true;
        })).Reason);

    [Theory]
    [InlineData("x-assay-verdict")]
    [InlineData("x-assay-freshness")]
    [InlineData("x-assay-weakened")]
    [InlineData("x-assay-anchors")]
    public void Our_claims_are_there_together_or_not_at_all(string claim)
    {
        var (accepted, findings) = fixture.Verify(Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall.Remove(claim)));

        Assert.False(accepted);
        Assert.Contains(findings, finding => finding is { Id: "token.claims.wellformed", State: CheckState.Failed });
    }

    [Theory]
    [InlineData("fail")]
    [InlineData("incomplete")]
    [InlineData("PASS")]
    public void Another_verdict_than_pass_is_refused(string verdict) =>
        fixture.Refused("token.result.pass", Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall["x-assay-verdict"] = verdict));

    [Fact]
    public void Anchors_that_are_not_known_are_refused() =>
        fixture.Refused("token.anchors.accepted", Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Overall["x-assay-anchors"] = "other"));

    [Theory]
    [InlineData("x")]
    [InlineData("[]")]
    [InlineData("\0")]
    public void Bytes_behind_the_bundle_are_refused(string behind) =>
        fixture.Refused("token.wellformed", [.. fixture.Bundle(), .. Encoding.ASCII.GetBytes(behind)]);

    [Fact]
    public void A_token_with_a_member_that_stands_twice_is_refused()
    {
        var bundle = Raw(fixture.Bundle(), root =>
        {
            var parts = root[0]![1]!.GetValue<string>().Split('.');
            var payload = Encoding.ASCII.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(parts[1]));
            root[0]![1] = Reforged.Sign(
                fixture.Key, JsonNode.Parse(System.Buffers.Text.Base64Url.DecodeFromChars(parts[0]))!.AsObject(), "{\"x-assay-verdict\":\"fail\"," + payload[1..]);
        });

        fixture.Refused("token.wellformed", bundle);
    }

    [Theory]
    [InlineData("=")]
    [InlineData(".")]
    [InlineData("\n")]
    [InlineData(" ")]
    [InlineData(".AA")]
    public void A_token_with_something_behind_it_is_refused(string behind) =>
        fixture.Refused("token.wellformed", Raw(fixture.Bundle(), root => root[0]![1] = root[0]![1]!.GetValue<string>() + behind));

    [Fact]
    public void Base64url_with_stray_bits_is_refused()
    {
        // 96 bytes of signature have no stray bits; a header of other length may.
        var bundle = Raw(fixture.Bundle(), root =>
        {
            var parts = root[0]![1]!.GetValue<string>().Split('.');
            var header = Reforged.Url($$"""{"alg":"ES384","kid":"{{fixture.Key.PublicKey.KeyId}}"}""");
            header = header.Length % 4 == 0 ? Reforged.Url($$"""{"alg":"ES384","kid":"{{fixture.Key.PublicKey.KeyId}}" }""") : header;
            Assert.NotEqual(0, header.Length % 4);
            const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            var last = alphabet[alphabet.IndexOf(header[^1], StringComparison.Ordinal) + 1];
            var content = $"{header[..^1]}{last}.{parts[1]}";
            root[0]![1] = $"{content}.{System.Buffers.Text.Base64Url.EncodeToString(fixture.Key.Sign(Encoding.ASCII.GetBytes(content)))}";
        });

        fixture.Refused("token.wellformed", bundle);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("[[\"JWT\",\"a.b.c\"]]")]
    [InlineData("[[\"JWT\",\"a.b.c\"],{},{}]")]
    [InlineData("[[\"jwt\",\"e30.e30.\"],{}]")]
    [InlineData("[[\"JWT\",\"W10.e30.\"],{}]")]
    [InlineData("[[\"JWT\",\"e30.W10.\"],{}]")]
    [InlineData("[[\"JWT\",\"e30.e30.\"],[]]")]
    [InlineData("[[\"JWT\",\"e30.e30.\"],{\"a b\":\"e30.e30.\"}]")]
    [InlineData("[[\"JWT\",\"e30.e30.\"],{\"\":\"e30.e30.\"}]")]
    [InlineData("[[\"JWT\",\"e30.e30.\"],{\"GPU-0\":7}]")]
    public void Another_shape_is_refused(string json) => fixture.Refused("token.wellformed", Encoding.UTF8.GetBytes(json));

    private byte[] Altered(string submodule, string claim, JsonNode? value) =>
        Reforged.Of(fixture.Bundle(), fixture.Key, open => open.Submodules.Single(entry => entry.Key == submodule).Value[claim] = value);

    private Finding Fails(byte[] bundle, params string[] ids)
    {
        var (accepted, findings) = fixture.Verify(bundle);
        Assert.False(accepted);
        var failed = findings.Where(finding => finding.State is CheckState.Failed).ToArray();
        Assert.Equal(ids, failed.Select(finding => finding.Id));
        return failed[0];
    }

    // Altered by somebody without the key.
    private static byte[] Raw(byte[] bundle, Action<JsonNode> alter)
    {
        var root = JsonNode.Parse(bundle)!;
        alter(root);
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }
}
