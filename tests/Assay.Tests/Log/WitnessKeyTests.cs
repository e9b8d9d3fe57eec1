using System.Text;
using System.Text.Json;
using Assay.Log;

namespace Assay.Tests.Log;

/// <summary>Cosignatures of witnesses, against published vectors and OpenSSL.</summary>
public sealed class WitnessKeyTests
{
    private static JsonElement Witness(JsonDocument document) => document.RootElement.GetProperty("signers").EnumerateArray().Single(signer => signer.GetProperty("type").GetInt32() == 4);

    [Fact]
    public void The_published_cosignature_verifies_and_is_written_byte_for_byte()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        var (witness, text) = (Witness(document), document.RootElement.GetProperty("text").GetString()!);
        var seed = Convert.FromHexString(witness.GetProperty("seed").GetString()!);
        var at = DateTimeOffset.FromUnixTimeSeconds(witness.GetProperty("timestamp").GetInt64());

        Assert.True(WitnessKey.TryParse(witness.GetProperty("vkey").GetString(), out var key, out _));
        Assert.Equal(witness.GetProperty("vkey").GetString(), key.ToString());
        Assert.Equal(key.ToString(), WitnessKey.Of(key.Name, seed).ToString());
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(document.RootElement.GetProperty("note").GetString()!), out var note, out _));
        Assert.Equal(at, note.CosignedAt(key));
        Assert.Equal(witness.GetProperty("line").GetString(), WitnessKey.Sign(text, key.Name, seed, at));
    }

    [Fact]
    public void Another_text_time_name_or_key_and_a_second_signature_that_fails_is_no_cosignature()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        var (witness, text) = (Witness(document), document.RootElement.GetProperty("text").GetString()!);
        Assert.True(WitnessKey.TryParse(witness.GetProperty("vkey").GetString(), out var key, out _));
        var line = witness.GetProperty("line").GetString()!;
        var blob = Convert.FromBase64String(line.Split(' ')[2]);
        string Altered(int at)
        {
            var changed = (byte[])blob.Clone();
            changed[at] ^= 1;
            return $"— {key.Name} {Convert.ToBase64String(changed)}\n";
        }

        DateTimeOffset? At(string body) => SignedNote.TryParse(Encoding.UTF8.GetBytes(body), out var note, out _) ? note.CosignedAt(key) : throw new InvalidOperationException();
        Assert.NotNull(At($"{text}\n{line}"));
        Assert.Null(At($"{text.Replace("300", "301", StringComparison.Ordinal)}\n{line}"));
        Assert.Null(At($"{text}\n{line.Replace("/w1", "/w2", StringComparison.Ordinal)}"));
        // Time, point and scalar; and one that holds beside one that does not.
        Assert.All((int[])[4, 11, 12, 43, 44, 75], at => Assert.Null(At($"{text}\n{Altered(at)}")));
        Assert.Null(At($"{text}\n{line}{Altered(50)}"));
        Assert.Null(At($"{text}\n— {key.Name} {Convert.ToBase64String(blob[..^1])}\n"));
        var other = WitnessKey.Of(key.Name, new byte[32]);
        Assert.Null(SignedNote.TryParse(Encoding.UTF8.GetBytes($"{text}\n{line}"), out var signed, out _) ? signed.CosignedAt(other) : throw new InvalidOperationException());
    }

    [Fact]
    public void Openssl_verifies_what_we_cosign()
    {
        var openssl = Peer.Require("openssl");
        var folder = Directory.CreateTempSubdirectory("assay-witness-");
        try
        {
            var seed = Enumerable.Range(0, 32).Select(number => (byte)number).ToArray();
            var key = WitnessKey.Of("witness.example/w", seed);
            var (checkpoint, at) = ("log.example\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
            var blob = Convert.FromBase64String(WitnessKey.Sign(checkpoint, key.Name, seed, at).TrimEnd().Split(' ')[2]);
            string Save(string name, byte[] bytes)
            {
                var path = Path.Combine(folder.FullName, name);
                File.WriteAllBytes(path, bytes);
                return path;
            }

            // RFC 8410 §4: the SubjectPublicKeyInfo of Ed25519.
            var spki = (byte[])[.. Convert.FromHexString("302a300506032b6570032100"), .. Convert.FromBase64String(key.ToString().Split('+', 3)[2])[1..]];
            var answer = openssl.Run(
                "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", Save("key", spki), "-rawin", "-in", Save("message", Encoding.ASCII.GetBytes($"cosignature/v1\ntime 1800000000\n{checkpoint}")), "-sigfile", Save("signature", blob[12..]));
            Assert.True(answer.Accepted, answer.Output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("witness.example.net/w1")]
    [InlineData("witness.example.net/w1+7a571b28")]
    [InlineData("witness.example.net/w1+7a571b29+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58")]
    [InlineData("witness.example.net/w2+7a571b28+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2r58")]
    [InlineData("witness.example.net/w1+7a571b28+BMqTrBcFGHBx1nuDx/8O/oEI6OxFMFdddyaHkzPb2g==")]
    [InlineData("log.example.org/assay+9f841cdc+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c")]
    public void Malformed_keys_are_refused(string text) => Assert.False(WitnessKey.TryParse(text, out _, out _));

    [Fact]
    public void A_request_is_read_as_it_is_written_and_malformed_ones_are_refused()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        var text = document.RootElement.GetProperty("add_checkpoint_request").GetString()!;

        Assert.True(WitnessRequest.TryParse(Encoding.UTF8.GetBytes(text), out var request, out var fault), fault?.ToString());
        Assert.Equal((256, 1, text), (request.Old, request.Path.Length, request.ToString()));
        Assert.All(
            (string[])["", "old 256", "old 256\n", "old 0256\n\nx", "old -1\n\nx", "old 9007199254740992\n\nx", "old 1\nAAAA\n\nx", "Old 1\n\nx", $"old 1\n{string.Concat(Enumerable.Repeat("y8aWXFlmP1AKTNZ30AikTIncRvaI8pdZc+mKgDHaG44=\n", 64))}\nx"],
            malformed => Assert.False(WitnessRequest.TryParse(Encoding.UTF8.GetBytes(malformed), out _, out _)));
    }
}
