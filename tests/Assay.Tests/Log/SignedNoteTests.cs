using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Log;
using Assay.Wire;

namespace Assay.Tests.Log;

/// <summary>Signed notes, checkpoints and proofs as files, against published vectors, a checkpoint of Rekor, and OpenSSL.</summary>
public sealed class SignedNoteTests
{
    private const string Origin = "log.example.org/assay";

    [Fact]
    public void The_published_note_verifies_under_its_keys_of_type_02_and_other_types_are_not_read()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        var note = Encoding.UTF8.GetBytes(document.RootElement.GetProperty("note").GetString()!);
        foreach (var signer in document.RootElement.GetProperty("signers").EnumerateArray())
        {
            var text = signer.GetProperty("vkey").GetString();
            if (signer.GetProperty("type").GetInt32() != 2)
            {
                Assert.False(NoteKey.TryParse(text, out _, out var fault));
                Assert.Contains("type 02", fault.Problem, StringComparison.Ordinal);
                continue;
            }

            Assert.True(NoteKey.TryParse(text, out var key, out _));
            using (key)
            {
                Assert.Equal(text, key.ToString());
                Assert.True(Checkpoint.TryVerify(note, key, out var checkpoint, out var fault), fault?.ToString());
                Assert.Equal((Origin, 300, document.RootElement.GetProperty("text").GetString()), (checkpoint.Origin, checkpoint.Size, checkpoint.ToString()));
            }
        }
    }

    [Fact]
    public void A_checkpoint_of_Rekor_is_signed_by_Rekor_s_key()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        var rekor = document.RootElement.GetProperty("rekor_example");
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportSubjectPublicKeyInfo(Convert.FromHexString(rekor.GetProperty("spki").GetString()!), out _);
        using var key = NoteKey.Of(rekor.GetProperty("name").GetString()!, ecdsa);

        Assert.Equal(rekor.GetProperty("key_id").GetString(), key.Id.ToString("x8", System.Globalization.CultureInfo.InvariantCulture));
        Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(rekor.GetProperty("note").GetString()!), out var note, out _));
        Assert.True(note.IsSignedBy(key));
        // Its origin is not the name of its key, which our logs demand.
        Assert.False(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(rekor.GetProperty("note").GetString()!), key, out _, out var fault));
        Assert.Equal("origin", fault.Field);
    }

    [Fact]
    public void Malformed_notes_are_refused()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        Assert.True(NoteKey.TryParse(Signer(document, "P-256"), out var key, out _));
        using (key)
        {
            foreach (var item in document.RootElement.GetProperty("malformed").EnumerateArray())
            {
                Assert.False(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(item.GetProperty("note").GetString()!), key, out _, out _), item.GetProperty("why").GetString());
            }
        }
    }

    [Fact]
    public void The_published_proof_shows_its_entry_and_no_other()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/note.json"));
        using var log = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = NoteKey.Of(Origin, log);
        var file = document.RootElement.GetProperty("tlog_proof").GetString()!;
        Assert.True(LogProof.TryParse(Encoding.UTF8.GetBytes(file), out var proof, out var fault), fault?.ToString());
        Assert.Equal(file, proof.ToString());
        // The vector's own signature is Ed25519, which is not read: the same checkpoint under a key of ours.
        Assert.False(proof.TryVerify("leaf-100"u8, key, out _, out _));
        var signed = proof with { Checkpoint = SignedNote.Sign(document.RootElement.GetProperty("text").GetString()!, Origin, log) };

        Assert.True(signed.TryVerify("leaf-100"u8, key, out var checkpoint, out fault), fault?.ToString());
        Assert.Equal(300, checkpoint.Size);
        Assert.False(signed.TryVerify("leaf-101"u8, key, out _, out fault));
        Assert.Equal("path", fault.Field);
        Assert.False((signed with { Index = 101 }).TryVerify("leaf-100"u8, key, out _, out _));
        Assert.False((signed with { Path = signed.Path.RemoveAt(0) }).TryVerify("leaf-100"u8, key, out _, out _));
    }

    [Fact]
    public void OpenSSL_verifies_what_is_signed_here()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var text = new Checkpoint(Origin, 0, Merkle.Empty).ToString();
        var folder = Directory.CreateTempSubdirectory("assay-note-").FullName;
        string At(string name) => Path.Combine(folder, name);
        File.WriteAllText(At("text"), text);
        File.WriteAllBytes(At("signature"), Convert.FromBase64String(SignedNote.SignatureOf(text, Origin, ecdsa).Split(' ')[2].TrimEnd())[4..]);
        File.WriteAllText(At("key.pem"), ecdsa.ExportSubjectPublicKeyInfoPem());

        Assert.True(Peer.Require("openssl").Run("dgst", "-sha256", "-verify", At("key.pem"), "-signature", At("signature"), At("text")).Accepted);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void A_second_signature_under_the_same_identity_that_does_not_verify_spoils_the_note_and_one_of_a_stranger_does_not()
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = NoteKey.Of(Origin, own);
        var text = new Checkpoint(Origin, 0, Merkle.Empty).ToString();
        var note = SignedNote.Sign(text, Origin, own);
        bool Verifies(string source) => Checkpoint.TryVerify(Encoding.UTF8.GetBytes(source), key, out _, out _);

        Assert.True(Verifies(note));
        Assert.True(Verifies(note + SignedNote.SignatureOf(text, Origin, stranger)));
        Assert.True(Verifies(note + SignedNote.SignatureOf(text, "witness.example", own)));
        Assert.False(Verifies(note + SignedNote.SignatureOf("another\n", Origin, own)));
        Assert.False(Verifies(SignedNote.Sign(text, "witness.example", own)));
        Assert.False(Verifies(SignedNote.Sign(text, Origin, stranger)));
        Assert.False(Verifies(note[..^1]));
        Assert.False(Verifies(note.Replace("\n0\n", "\n1\n", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("log.example.org/assay\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "size")]
    [InlineData("log.example.org/assay\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "size")]
    [InlineData("log.example.org/assay\n9007199254740992\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "size")]
    [InlineData("log.example.org/assay\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n", "root")]
    [InlineData("log.example.org/assay\n1\nAAAA\n", "root")]
    [InlineData("log.example.org/assay\n0\nYIKAzr3eSMKJmenLg58DmAo+Yui5VQqih1jpEnnr1lc=\n", "root")]
    [InlineData("log.example.org/assay\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n", "checkpoint")]
    [InlineData("log.example.org/assay\n1\n", "checkpoint")]
    [InlineData("log.example.org/other\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "origin")]
    public void A_signed_text_that_is_no_checkpoint_of_this_log_is_refused(string text, string field)
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var key = NoteKey.Of(Origin, own);

        Assert.False(Checkpoint.TryVerify(Encoding.UTF8.GetBytes(SignedNote.Sign(text, Origin, own)), key, out var checkpoint, out var fault));

        Assert.Equal(field, fault.Field);
        Assert.Null(checkpoint);
    }

    [Fact]
    public void A_key_whose_identity_encoding_or_curve_is_another_is_refused()
    {
        using var own = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.brainpoolP256r1);
        using var key = NoteKey.Of(Origin, own);
        var parts = key.ToString().Split('+', 3);
        string With(string id, byte[] content) => $"{Origin}+{id}+{Convert.ToBase64String(content)}";
        var content = Convert.FromBase64String(parts[2]);

        Assert.True(NoteKey.TryParse(With(parts[1], content), out var same, out _));
        same.Dispose();
        foreach (var text in (string?[])
        [
            null, "", "x", $"+{parts[1]}+{parts[2]}", $"a b+{parts[1]}+{parts[2]}", With("00000000", content), With(parts[1].ToUpperInvariant(), content), With(parts[1], [.. content, 0]), With(parts[1], content[..^1]), With(parts[1], [1, .. content[1..]]),
            With("00000000", [2, .. other.ExportSubjectPublicKeyInfo()]), $"{parts[0]}+{parts[1]}+{parts[2].TrimEnd('=')}",
        ])
        {
            Assert.False(NoteKey.TryParse(text, out _, out var fault), text);
            Assert.NotNull(fault);
        }

        Assert.Throws<ArgumentException>(() => NoteKey.Of("a+b", own));
        Assert.Throws<ArgumentException>(() => SignedNote.Sign("no line end", Origin, own));
        Assert.Throws<ArgumentException>(() => SignedNote.Sign("bell\a\n", Origin, own));
    }

    private static string Signer(JsonDocument document, string curve) =>
        document.RootElement.GetProperty("signers").EnumerateArray().Single(signer => signer.TryGetProperty("curve", out var name) && name.GetString() == curve).GetProperty("vkey").GetString()!;
}
