using System.Security.Cryptography;
using System.Text.Json;
using Assay.Trust;

namespace Assay.Tests.Trust;

/// <summary>Google's vectors of signatures that implementations got wrong, through the one method that verifies here.</summary>
public class WycheproofTests
{
    /// <summary>Signatures that Wycheproof leaves open, by file and test number, and what we say. None in these files: it fails both ways.</summary>
    private static readonly Dictionary<(string File, int Id), bool> s_acceptable = [];

    [Theory]
    [InlineData("ecdsa_secp384r1_sha384_p1363_test.json", DSASignatureFormat.IeeeP1363FixedFieldConcatenation, SignatureAlgorithm.EcdsaSha384)]
    [InlineData("ecdsa_secp384r1_sha384_test.json", DSASignatureFormat.Rfc3279DerSequence, SignatureAlgorithm.EcdsaSha384)]
    [InlineData("ecdsa_secp256r1_sha256_p1363_test.json", DSASignatureFormat.IeeeP1363FixedFieldConcatenation, SignatureAlgorithm.EcdsaSha256)]
    [InlineData("ecdsa_secp256r1_sha256_test.json", DSASignatureFormat.Rfc3279DerSequence, SignatureAlgorithm.EcdsaSha256)]
    public void Valid_signatures_verify_and_invalid_ones_do_not(string file, DSASignatureFormat format, SignatureAlgorithm algorithm)
    {
        using var vectors = JsonDocument.Parse(Recorded.Bytes("wycheproof/" + file));
        var meter = new OperationMeter();
        var wrong = new List<string>();
        var ledger = new List<(string, int)>();
        var asked = 0;

        foreach (var group in vectors.RootElement.GetProperty("testGroups").EnumerateArray())
        {
            var key = VerificationKey.FromSubjectPublicKeyInfo(Convert.FromHexString(group.GetProperty("publicKeyDer").GetString()!));
            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                var id = test.GetProperty("tcId").GetInt32();
                var result = test.GetProperty("result").GetString();
                var verifies = key.Verifies(Hex(test, "msg"), Hex(test, "sig"), algorithm, format, meter);
                if (result == "acceptable")
                {
                    ledger.Add((file, id));
                }

                var expected = result == "acceptable" ? s_acceptable.GetValueOrDefault((file, id)) : result == "valid";
                if (verifies != expected)
                {
                    wrong.Add($"{id} ({test.GetProperty("comment").GetString()}) is {result}, we say {verifies}");
                }

                asked++;
            }
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.Equal(vectors.RootElement.GetProperty("numberOfTests").GetInt32(), asked);
        Assert.Equal(s_acceptable.Keys.Where(entry => entry.File == file), ledger);
    }

    [Theory]
    [InlineData("1.3.36.3.3.2.8.1.1.11", SignatureAlgorithm.EcdsaSha384)]
    [InlineData("1.3.132.0.10", SignatureAlgorithm.EcdsaSha256)]
    public void A_key_of_another_curve_of_the_same_size_verifies_nothing(string curve, SignatureAlgorithm algorithm)
    {
        using var key = ECDsa.Create(ECCurve.CreateFromValue(curve));
        var hash = algorithm is SignatureAlgorithm.EcdsaSha384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
        var signature = key.SignData("content"u8, hash, DSASignatureFormat.Rfc3279DerSequence);
        var ours = VerificationKey.FromSubjectPublicKeyInfo(key.ExportSubjectPublicKeyInfo());

        Assert.False(ours.Verifies("content"u8, signature, algorithm, DSASignatureFormat.Rfc3279DerSequence, new OperationMeter()));
    }

    [Theory]
    [InlineData(SignatureAlgorithm.None)]
    [InlineData(SignatureAlgorithm.EcdsaSha256)]
    public void A_key_verifies_under_no_algorithm_but_its_own(SignatureAlgorithm algorithm)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var signature = key.SignData("content"u8, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        var ours = VerificationKey.FromSubjectPublicKeyInfo(key.ExportSubjectPublicKeyInfo());

        Assert.False(ours.Verifies("content"u8, signature, algorithm, DSASignatureFormat.Rfc3279DerSequence, new OperationMeter()));
    }

    [Fact]
    public void A_point_off_the_curve_and_bytes_behind_the_key_verify_nothing()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var signature = key.SignData("content"u8, HashAlgorithmName.SHA384, DSASignatureFormat.Rfc3279DerSequence);
        var info = key.ExportSubjectPublicKeyInfo();
        var off = (byte[])info.Clone();
        off[^1] ^= 1;

        Assert.True(Verifies(info));
        Assert.False(Verifies(off));
        Assert.False(Verifies([.. info, 0]));
        Assert.False(Verifies([]));

        bool Verifies(byte[] spki) => VerificationKey.FromSubjectPublicKeyInfo(spki)
            .Verifies("content"u8, signature, SignatureAlgorithm.EcdsaSha384, DSASignatureFormat.Rfc3279DerSequence, new OperationMeter());
    }

    private static byte[] Hex(JsonElement test, string member) => Convert.FromHexString(test.GetProperty(member).GetString()!);
}
