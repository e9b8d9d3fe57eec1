using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Tests.Binding;

/// <summary>What devices, CPUs and gates sign: the published vectors (vectors/binding), and what must not be signable.</summary>
public class KeyBindingTests
{
    private const string Key = """{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","x":"WKn-ZIGevcwGIyyrzFoZNBdaq9_TsqzGl96oc0CWuis","y":"y77t-RvAHRKTsSGdIYUfweuOvwrvDD-Q3Hv5J0fSKbE"}""";

    public static TheoryData<string> Vectors => [.. Published().EnumerateArray().Select(item => item.GetProperty("name").GetString()!)];

    [Fact]
    public void The_hash_is_the_one_that_Trustee_takes()
    {
        // The vector of another implementation (facts: peers.md §2.3).
        using var document = JsonDocument.Parse("""{"b":1,"a":"test","c":{"d":"e"}}""");

        Assert.Equal("e71ce8e70d814ba6639c3612ebee0ff1f76f650f8dbb5e47157e0f3f525cd22c4597480a186427c813ca941da78870c3", Convert.ToHexStringLower(SHA384.HashData(CanonicalJson.Write(document.RootElement))));
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void A_published_vector_is_what_the_code_makes(string name)
    {
        var vector = Published().EnumerateArray().Single(item => item.GetProperty("name").GetString() == name);
        var expected = vector.GetProperty("expect");
        Assert.Equal(expected.GetProperty("hex").GetString(), Convert.ToHexStringLower(Make(vector)));
    }

    [Fact]
    public void The_order_and_white_space_of_the_key_do_not_matter_and_every_member_does()
    {
        var binding = Created("bm9uY2U=", Key);
        var reordered = Created("bm9uY2U=", """{ "y":"y77t-RvAHRKTsSGdIYUfweuOvwrvDD-Q3Hv5J0fSKbE", "x":"WKn-ZIGevcwGIyyrzFoZNBdaq9_TsqzGl96oc0CWuis","alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC"}""");
        var more = Created("bm9uY2U=", Key.Replace("{", "{\"use\":\"enc\",", StringComparison.Ordinal));

        Assert.Equal(binding.DeviceNonce(), reordered.DeviceNonce());
        Assert.Equal(binding.ReportData("x"), reordered.ReportData("x"));
        Assert.NotEqual(binding.DeviceNonce(), more.DeviceNonce());
        // The thumbprint is of the key alone (RFC 7638).
        Assert.Equal(binding.Thumbprint, more.Thumbprint);
        Assert.NotEqual(binding.DeviceNonce(), Created("bm9uY2U", Key).DeviceNonce());
        Assert.NotEqual(binding.ReportData(""), binding.ReportData("x"));
        Assert.Equal(new byte[16], binding.ReportData("x")[48..]);
        Assert.Equal(binding.ReportData("x")[..32], binding.QualifyingData("x"));
        // With and without additional evidence there are two constructions, even where it is empty.
        Assert.NotEqual(binding.DeviceNonce().Bytes.ToArray(), binding.ReportData("")[..32]);
    }

    [Theory]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"AA"}""")]
    [InlineData("""{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}""")]
    [InlineData("""{"kty":"RSA","n":"AA"}""")]
    [InlineData("""{"kty":"oct","k":"AA"}""")]
    [InlineData("""{"kty":"EC","kty":"EC","crv":"P-256","x":"AA","y":"AA"}""")]
    [InlineData("""["kty"]""")]
    [InlineData("")]
    public void What_is_no_public_key_is_refused(string key)
    {
        Assert.False(KeyBinding.TryCreate("nonce", Encoding.UTF8.GetBytes(key), out var binding, out var fault));
        Assert.Null(binding);
        Assert.NotNull(fault);
    }

    [Fact]
    public void An_empty_nonce_is_refused() => Assert.False(KeyBinding.TryCreate("", Encoding.UTF8.GetBytes(Key), out _, out _));

    [Fact]
    public void The_thumbprint_is_that_of_the_goldens()
    {
        using var goldens = JsonDocument.Parse(Recorded.Bytes("formats/jwk-thumbprint.json"));
        var keys = goldens.RootElement.ValueKind is JsonValueKind.Array ? goldens.RootElement : goldens.RootElement.EnumerateObject().First(member => member.Value.ValueKind is JsonValueKind.Array).Value;
        var compared = 0;
        foreach (var item in keys.EnumerateArray())
        {
            var jwk = item.TryGetProperty("jwk", out var found) ? found : item;
            if (KeyBinding.TryCreate("n", Encoding.UTF8.GetBytes(jwk.GetRawText()), out var binding, out _))
            {
                compared++;
                Assert.Contains(binding.Thumbprint, item.GetRawText(), StringComparison.Ordinal);
            }
        }

        Assert.InRange(compared, 2, 100);
    }

    [Fact]
    public void Report_and_chain_are_framed_so_that_no_byte_changes_sides() =>
        Assert.NotEqual(GpuAttestationPayload.EvidenceDigest("ab"u8, "c"u8), GpuAttestationPayload.EvidenceDigest("a"u8, "bc"u8));

    private static byte[] Make(JsonElement vector)
    {
        string Text(string member) => vector.GetProperty("input").GetProperty(member).GetString()!;
        var construction = vector.GetProperty("construction").GetString();
        if (construction is "device-nonce" or "report-data" or "qualifying-data")
        {
            var binding = Created(Text("nonce"), vector.GetProperty("input").GetProperty("tee-pubkey").GetRawText());
            return construction switch
            {
                "device-nonce" => binding.DeviceNonce().Bytes.ToArray(),
                "report-data" => binding.ReportData(Text("additional-evidence")),
                _ => binding.QualifyingData(Text("additional-evidence")),
            };
        }

        return construction switch
        {
            "event-v2-sha384" => new RuntimeEvent(Text("name"), Convert.FromHexString(Text("payload"))).Digest(TcgHash.Sha384).Bytes.ToArray(),
            "event-v2-sha256" => new RuntimeEvent(Text("name"), Convert.FromHexString(Text("payload"))).Digest(TcgHash.Sha256).Bytes.ToArray(),
            "event-v1-sha384" => TcgHash.Sha384.Of(RuntimeEventDigest.Preimage(Text("name"), Convert.FromHexString(Text("payload")), RuntimeEventVersion.V1)).Bytes.ToArray(),
            "evidence-digest" => GpuAttestationPayload.EvidenceDigest(Convert.FromHexString(Text("report")), Convert.FromHexString(Text("chain"))).Bytes.ToArray(),
            "gate-expectation" => new GateExpectation { Gpus = 8, Switches = 4, Architectures = ["HOPPER", "BLACKWELL"], Policy = new Digest(Convert.FromHexString(Text("policy"))), BundleSigner = null, MinimumBundleSequence = 7 }.ToPayload().ToBytes(),
            var other => throw new FormatException($"the construction \"{other}\" is unknown"),
        };
    }

    private static KeyBinding Created(string nonce, string key)
    {
        Assert.True(KeyBinding.TryCreate(nonce, Encoding.UTF8.GetBytes(key), out var binding, out var fault), fault?.ToString());
        return binding;
    }

    private static JsonElement Published()
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "vectors", "binding", "constructions.json")));
        return file.RootElement.GetProperty("vectors").Clone();
    }
}
