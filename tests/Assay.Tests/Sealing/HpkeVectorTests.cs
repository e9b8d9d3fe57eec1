using System.Text.Json;
using Assay.Sealing.Hpke;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Tests.Sealing;

/// <summary>RFC 9180 against vectors with every intermediate. A build that is wrong in the same way on both sides is caught here alone.</summary>
public sealed class HpkeVectorTests
{
    public static TheoryData<int> Suites => [0, 1, 2];

    [Theory]
    [MemberData(nameof(Suites))]
    public void Every_value_of_a_published_exchange_is_ours(int index)
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/hpke.json"));
        var vector = document.RootElement.GetProperty("vectors")[index];
        var suite = SuiteOf(vector);
        using var recipient = TestKeys.OfScalar(suite.Kind, vector.Hex("skRm"));
        using var ephemeral = TestKeys.OfScalar(suite.Kind, vector.Hex("skEm"));

        Assert.Equal(vector.Text("suite_id_kem"), Convert.ToHexStringLower(suite.KemId));
        Assert.Equal(vector.Text("suite_id_hpke"), Convert.ToHexStringLower(suite.SuiteId));
        Assert.Equal(vector.Text("pkRm"), Convert.ToHexStringLower(recipient.PublicKey.Bytes));
        using var agreement = recipient.Agree(vector.Hex("enc"))!;
        Assert.Equal(vector.Text("dh"), Convert.ToHexStringLower(agreement.Bytes()));
        using var shared = HpkeSchedule.SharedSecret(suite, agreement, vector.Hex("kem_context"), SecretMemory.Locked);
        Assert.Equal(vector.Text("shared_secret"), Convert.ToHexStringLower(shared.Bytes()));
        var (key, nonce, exporter) = HpkeSchedule.Keys(suite, shared, vector.Hex("info"), SecretMemory.Locked);
        Assert.Equal(vector.Text("key"), Convert.ToHexStringLower(key.Bytes()));
        Assert.Equal(vector.Text("base_nonce"), Convert.ToHexStringLower(nonce));
        Assert.Equal(vector.Text("exporter_secret"), Convert.ToHexStringLower(exporter.Bytes()));

        using var sender = HpkeSender.Create(suite, recipient.PublicKey, ephemeral, vector.Hex("info"));
        Assert.Equal(vector.Text("enc"), Convert.ToHexStringLower(sender.Encapsulated.Span));
        Assert.True(HpkeRecipient.TryCreate(suite, recipient, vector.Hex("enc"), vector.Hex("info"), out var receiver, out _));
        using (receiver)
        {
            foreach (var message in vector.GetProperty("encryptions").EnumerateArray())
            {
                Assert.Equal(message.Text("ct"), Convert.ToHexStringLower(sender.Seal(message.Hex("pt"), message.Hex("aad"))));
                // What is refused does not count as a message.
                Assert.False(receiver.TryOpen(message.Hex("ct"), [0], out _, out _));
                Assert.True(receiver.TryOpen(message.Hex("ct"), message.Hex("aad"), out var plaintext, out var fault), fault?.ToString());
                Assert.Equal(message.Text("pt"), Convert.ToHexStringLower(plaintext.Bytes()));
            }

            foreach (var export in vector.GetProperty("exports").EnumerateArray())
            {
                Assert.Equal(export.Text("value"), Convert.ToHexStringLower(receiver.Export(export.Hex("exporter_context"), export.GetProperty("L").GetInt32()).Bytes()));
                Assert.Equal(export.Text("value"), Convert.ToHexStringLower(sender.Export(export.Hex("exporter_context"), export.GetProperty("L").GetInt32()).Bytes()));
            }
        }
    }

    [Fact]
    public void What_is_not_an_uncompressed_point_of_the_curve_is_refused()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var other = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var point = other.PublicKey.Bytes.ToArray();
        byte[] offCurve = [.. point[..^1], (byte)(point[^1] ^ 1)];
        byte[] compressed = [(byte)(2 + (point[^1] & 1)), .. point[1..49]];
        byte[] hybrid = [(byte)(6 + (point[^1] & 1)), .. point[1..]];
        byte[][] wrong = [offCurve, compressed, hybrid, new byte[97], [], [0], [4], [4, .. new byte[96]], [.. point, 0], point[..^1]];

        Assert.True(HpkeRecipient.TryCreate(pair, point, [], out _, out _));
        foreach (var enc in wrong)
        {
            Assert.False(HpkeRecipient.TryCreate(pair, enc, [], out _, out var fault));
            Assert.Equal("sealing.hpke.form", fault.Id);
        }
    }

    [Fact]
    public void Another_key_info_order_or_associated_data_opens_nothing()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var other = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var sender = HpkeSender.Create(pair.PublicKey, "assay/v1"u8);
        var (first, second) = (sender.Seal("one"u8, "a"u8), sender.Seal("two"u8, "a"u8));

        Assert.False(Opens(other, "assay/v1", first, "a"));
        Assert.False(Opens(pair, "assay/v2", first, "a"));
        Assert.False(Opens(pair, "assay/v1", first, "b"));
        Assert.False(Opens(pair, "assay/v1", second, "a"));
        Assert.True(Opens(pair, "assay/v1", first, "a"));

        bool Opens(SealingKeyPair key, string info, byte[] text, string associated)
        {
            Assert.True(HpkeRecipient.TryCreate(key, sender.Encapsulated.Span, System.Text.Encoding.ASCII.GetBytes(info), out var recipient, out _));
            var opened = recipient.TryOpen(text, System.Text.Encoding.ASCII.GetBytes(associated), out _, out var fault);
            Assert.Equal(opened ? null : "sealing.not-opened", fault?.Id);
            return opened;
        }
    }

    private static HpkeSuite SuiteOf(JsonElement vector) => (vector.GetProperty("kem_id").GetInt32(), vector.GetProperty("kdf_id").GetInt32()) switch
    {
        (0x10, 1) => HpkeSuite.P256,
        (0x11, 2) => HpkeSuite.P384,
        (0x11, 1) => HpkeSuite.P384WithSha256,
        (0x12, 3) => HpkeSuite.P521,
        var other => throw new InvalidDataException($"no suite {other}"),
    };
}
