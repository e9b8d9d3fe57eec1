using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Tpm;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Tests.Tpm;

/// <summary>A real TPM implementation and its own tools: what they write verifies here, what we write verifies there.</summary>
public class SwtpmTests
{
    private const string Nonce = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private const string Extended = "1111111111111111111111111111111111111111111111111111111111111111";

    [Theory]
    [InlineData("rsa", "rsassa", "RSASSA with SHA-256")]
    [InlineData("rsa", "rsapss", "RSAPSS with SHA-256")]
    [InlineData("ecc", "ecdsa", "ECDSA with SHA-256")]
    public void A_quote_of_swtpm_verifies_once_its_key_was_activated(string type, string scheme, string name)
    {
        using var tpm = Swtpm.Start();
        var area = MakeKeys(tpm, type, scheme);
        tpm.Run("pcrextend", $"14:sha256={Extended}");
        Quote(tpm, "sha256:0,7,14", scheme);
        var evidence = Evidence(tpm, [0, 7, 14]);
        var expected = new TpmExpectations { QualifyingData = Convert.FromHexString(Nonce), Bank = TcgHash.Sha256, Registers = [14], References = null };

        var result = TpmAppraisal.Appraise(evidence, Activate(tpm, area), expected, new OperationMeter());

        Assert.True(result.Quote is not null, Failures(result));
        Assert.Equal(name, result.Findings.Single(finding => finding.Id == "tpm.quote.signature.valid").Found);
        // Recomputed from both public areas alone, and in what the TPM signed.
        Assert.Equal(CheckState.Held, result.Findings.Single(finding => finding.Id == "tpm.quote.signer.match").State);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([.. new byte[32], .. Convert.FromHexString(Extended)])), result.Quote.Registers.Values[14].ToString());
        Assert.True(Judges(tpm, scheme).Accepted, Judges(tpm, scheme).Output);

        // Another nonce and a flipped bit, here and there.
        Assert.False(Checks(tpm, Nonce.Replace("0011", "0012", StringComparison.Ordinal)).Accepted);
        Assert.Null(TpmAppraisal.Appraise(evidence, Activate(tpm, area), expected with { QualifyingData = new byte[32] }, new OperationMeter()).Quote);
        var message = tpm.Read("q.msg");
        message[^1] ^= 1;
        File.WriteAllBytes(tpm.At("q.msg"), message);
        Assert.False(Judges(tpm, scheme).Accepted);
        Assert.Null(TpmAppraisal.Appraise(evidence with { Message = message }, Activate(tpm, area), expected, new OperationMeter()).Quote);
    }

    [Theory]
    [InlineData(SimulatedTpmScheme.RsaSsa)]
    [InlineData(SimulatedTpmScheme.RsaPss)]
    [InlineData(SimulatedTpmScheme.EcdsaP256)]
    public void The_peers_accept_the_simulator_s_quotes_and_refuses_altered_ones(SimulatedTpmScheme scheme)
    {
        using var tpm = Swtpm.Start();
        using var simulated = SimulatedTpm.Create(scheme);
        ImmutableArray<ReadOnlyMemory<byte>> values = [.. Enumerable.Range(0, 24).Select(register => (ReadOnlyMemory<byte>)SHA256.HashData([(byte)register]))];
        var attest = simulated.Attest(Convert.FromHexString(Nonce), values, [0, 7, 14]);
        File.WriteAllText(tpm.At("ak.pem"), Pem(simulated));
        File.WriteAllBytes(tpm.At("q.msg"), attest);
        File.WriteAllBytes(tpm.At("q.sig"), simulated.Sign(attest));
        File.WriteAllBytes(tpm.At("q.pcr"), [.. values[0].Span, .. values[7].Span, .. values[14].Span]);

        var word = scheme is SimulatedTpmScheme.RsaPss ? "rsapss" : "other";
        Assert.True(Judges(tpm, word).Accepted, Judges(tpm, word).Output);
        attest[60] ^= 1;
        File.WriteAllBytes(tpm.At("q.msg"), attest);
        Assert.False(Judges(tpm, word).Accepted);
    }

    [Theory]
    [InlineData("rsa", "rsassa")]
    [InlineData("ecc", "ecdsa")]
    public void A_credential_for_another_key_is_not_activated_and_a_wrong_answer_is_refused(string type, string scheme)
    {
        using var tpm = Swtpm.Start();
        var area = MakeKeys(tpm, type, scheme);
        using var stranger = SimulatedTpm.Create(SimulatedTpmScheme.EcdsaP256);
        Assert.True(TpmPublic.TryParse(stranger.PublicArea(), out var other, out _));
        var endorsement = Enrolled(tpm);

        Assert.True(CredentialChallenge.TryMake(endorsement, other, RandomNumberGenerator.Fill, out var foreign, out var whyNot), whyNot);
        Assert.False(Answer(tpm, foreign).Accepted);

        Assert.True(CredentialChallenge.TryMake(endorsement, area, RandomNumberGenerator.Fill, out var challenge, out whyNot), whyNot);
        Assert.False(challenge.TryConfirm(new byte[32], out var key, out whyNot));
        Assert.Null(key);
        // Once: who guessed wrong does not guess again.
        Assert.True(Answer(tpm, challenge).Accepted);
        Assert.False(challenge.TryConfirm(tpm.Read("secret.out"), out _, out whyNot));
        Assert.Equal("the challenge was answered before", whyNot);
    }

    [Theory]
    [InlineData("rsa")]
    [InlineData("ecc")]
    public void A_flipped_bit_of_a_credential_is_not_activated(string type)
    {
        using var tpm = Swtpm.Start();
        var area = MakeKeys(tpm, type, type == "rsa" ? "rsassa" : "ecdsa");
        Assert.True(CredentialChallenge.TryMake(Enrolled(tpm), area, RandomNumberGenerator.Fill, out var challenge, out _));
        var blob = challenge.CredentialBlob.ToArray();

        foreach (var at in new[] { 2, 33, 34, blob.Length - 1 })
        {
            blob[at] ^= 1;
            Assert.False(Answer(tpm, blob, challenge.EncryptedSecret.ToArray()).Accepted, $"byte {at}");
            blob[at] ^= 1;
        }

    }

    [Fact]
    public void An_endorsement_key_of_another_shape_takes_no_part()
    {
        using var attestation = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        Assert.True(TpmPublic.TryParse(attestation.PublicArea(), out var area, out _));

        // An attestation key is no endorsement key: what it decrypts, anybody may have asked for.
        Assert.False(EndorsementKey.TryEnrolled(area, [new Digest(SHA256.HashData(area.Bytes.Span))], out _, out var whyNot));
        Assert.Contains("endorsement key", whyNot, StringComparison.Ordinal);
    }

    [Fact]
    public void The_gate_s_events_in_a_PCR_of_swtpm_are_read_and_bind_no_GPU_to_a_confidential_VM()
    {
        using var tpm = Swtpm.Start();
        var area = MakeKeys(tpm, "ecc", "ecdsa");
        var boot = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [SimulatedBootDevice.Random()], Policy = new byte[48] });
        // What the verifier's own code says is to be extended, into a real TPM.
        foreach (var item in Boot.BootWorld.Read(boot.JsonPcrLog()).Events)
        {
            tpm.Run("pcrextend", $"{SimulatedBoot.GatePcr}:sha256={new RuntimeEvent(item.Name!, item.Data).Digest(TcgHash.Sha256)}");
        }

        Quote(tpm, $"sha256:{SimulatedBoot.GatePcr}", "ecdsa");
        var expected = new TpmExpectations { QualifyingData = Convert.FromHexString(Nonce), Bank = TcgHash.Sha256, Registers = [SimulatedBoot.GatePcr], References = null };
        var quote = TpmAppraisal.Appraise(Evidence(tpm, [SimulatedBoot.GatePcr]), Activate(tpm, area), expected, new OperationMeter());
        Assert.True(quote.Quote is not null, Failures(quote));

        var result = BootAppraisal.Appraise(boot.JsonPcrLog(), quote.Quote.Registers, new BootExpectations
        {
            RequireSecureBoot = false,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = SimulatedBoot.GatePcr, Policies = [new Digest(new byte[48])], Outcome = GateOutcome.Attested, Devices = null },
        });

        Assert.Equal(boot.Pcrs[SimulatedBoot.GatePcr].ToArray(), quote.Quote.Registers.Values[SimulatedBoot.GatePcr].Bytes.ToArray());
        Assert.DoesNotContain(result.Findings, finding => finding.State is CheckState.Failed);
        Assert.NotNull(result.Record!.Attestation);
        // The TPM's own word about a machine, whose host runs the TPM.
        Assert.False(result.CarriesBootEvent);
        Assert.Equal(CheckState.NotApplicable, result.Findings.Single(finding => finding.Id == "boot.register.in-tee").State);
    }

    [Fact]
    public void A_software_endorsement_key_that_nobody_enrolled_is_challenged_with_nothing()
    {
        // The attack: a program holds both keys itself, and could answer every challenge.
        using var tpm = Swtpm.Start();
        MakeKeys(tpm, "ecc", "ecdsa");
        Assert.True(TpmPublic.TryParseSized(tpm.Read("ek.pub"), out var area, out var fault), fault?.ToString());

        Assert.False(EndorsementKey.TryEnrolled(area, [], out var key, out var whyNot));
        Assert.Null(key);
        Assert.Contains("was not enrolled", whyNot, StringComparison.Ordinal);
    }

    private static EndorsementKey Enrolled(Swtpm tpm)
    {
        Assert.True(TpmPublic.TryParseSized(tpm.Read("ek.pub"), out var area, out var fault), fault?.ToString());
        Assert.True(EndorsementKey.TryEnrolled(area, [new Digest(SHA256.HashData(area.Bytes.Span))], out var key, out var whyNot), whyNot);
        return key;
    }

    private static TpmPublic MakeKeys(Swtpm tpm, string type, string scheme)
    {
        tpm.MakeKeys(type, scheme);
        tpm.Run("readpublic", "-c", tpm.At("ak.ctx"), "-f", "pem", "-o", tpm.At("ak.pem"));
        Assert.True(TpmPublic.TryParseSized(tpm.Read("ak.pub"), out var area, out var fault), fault?.ToString());
        Assert.Equal(tpm.Read("ak.name"), area.Name);
        return area;
    }

    private static void Quote(Swtpm tpm, string selection, string scheme) =>
        tpm.Run("quote", "-c", tpm.At("ak.ctx"), "-l", selection, "-q", Nonce, "-m", tpm.At("q.msg"), "-s", tpm.At("q.sig"), "-o", tpm.At("q.pcr"), "-F", "values", "-g", "sha256", "--scheme", scheme);

    // tpm2_checkquote 5.4 refuses RSAPSS, its own TPM's too: there OpenSSL judges the bare signature behind its six-byte head.
    private static PeerAnswer Judges(Swtpm tpm, string scheme)
    {
        if (scheme != "rsapss")
        {
            return Checks(tpm, Nonce);
        }

        File.WriteAllBytes(tpm.At("q.raw"), tpm.Read("q.sig")[6..]);
        return Peer.Require("openssl").Run(
            "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-verify", tpm.At("ak.pem"), "-signature", tpm.At("q.raw"), tpm.At("q.msg"));
    }

    private static PeerAnswer Checks(Swtpm tpm, string nonce) =>
        tpm.Try("checkquote", "-u", tpm.At("ak.pem"), "-m", tpm.At("q.msg"), "-s", tpm.At("q.sig"), "-q", nonce, "-g", "sha256", "-f", tpm.At("q.pcr"), "-l", "sha256:0,7,14");

    private static TpmQuoteEvidence Evidence(Swtpm tpm, ImmutableArray<int> registers)
    {
        var values = tpm.Read("q.pcr");
        Assert.Equal(registers.Length * 32, values.Length);
        return new TpmQuoteEvidence
        {
            Message = tpm.Read("q.msg"),
            Signature = tpm.Read("q.sig"),
            SignatureForm = TpmSignatureForm.Tpmt,
            Bank = TcgHash.Sha256,
            Values = registers.Index().ToImmutableSortedDictionary(item => item.Item, item => new Digest(values.AsSpan(item.Index * 32, 32))),
        };
    }

    private static AttestationKey Activate(Swtpm tpm, TpmPublic area)
    {
        Assert.True(CredentialChallenge.TryMake(Enrolled(tpm), area, RandomNumberGenerator.Fill, out var challenge, out var whyNot), whyNot);
        var answer = Answer(tpm, challenge);
        Assert.True(answer.Accepted, answer.Output);
        Assert.True(challenge.TryConfirm(tpm.Read("secret.out"), out var key, out whyNot), whyNot);
        return key;
    }

    private static PeerAnswer Answer(Swtpm tpm, CredentialChallenge challenge) => Answer(tpm, challenge.CredentialBlob.ToArray(), challenge.EncryptedSecret.ToArray());

    // The file of tpm2_makecredential: a magic, a version, and the two structures with their lengths.
    private static PeerAnswer Answer(Swtpm tpm, byte[] blob, byte[] secret) => tpm.Activate(
        [0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1, (byte)(blob.Length >> 8), (byte)(blob.Length & 0xFF), .. blob, (byte)(secret.Length >> 8), (byte)(secret.Length & 0xFF), .. secret]);

    private static string Pem(SimulatedTpm simulated)
    {
        Assert.True(TpmPublic.TryParse(simulated.PublicArea(), out var area, out _));
        if (area.Type is TpmKeyType.Rsa)
        {
            using var rsa = RSA.Create(new RSAParameters { Modulus = area.First.ToArray(), Exponent = [1, 0, 1] });
            return rsa.ExportSubjectPublicKeyInfoPem();
        }

        using var ecdsa = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = area.First.ToArray(), Y = area.Second.ToArray() } });
        return ecdsa.ExportSubjectPublicKeyInfoPem();
    }

    private static string Failures(TpmResult result) => string.Join("; ", result.Findings.Where(finding => finding.State is not CheckState.Held).Select(finding => $"{finding.Id}: {finding.Reason} {finding.Found} {finding.Expected}"));
}
