using System.Text;
using Assay.Checks;
using Assay.Reference.Manifest;
using Assay.Tests.Tokens;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Reference.Manifest;

/// <summary>Attackers' programs against signed reference values, each stopped by a check that is named.</summary>
public class SignedManifestTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Fact]
    public void Signed_values_are_proven_and_say_by_whom()
    {
        Assert.True(AuthenticReferenceManifest.TryAuthenticate(ManifestWorld.Signed, ManifestWorld.Keys, ManifestWorld.Clock, 7, out var authentic, out var findings), ManifestWorld.Failed(findings));
        Assert.Equal(ManifestWorld.Key.PublicKey.KeyId, authentic.Signer.KeyId);
        Assert.Equal(ManifestWorld.Whole.ToCanonicalJson(), authentic.Manifest.ToCanonicalJson());
        Assert.All(findings, finding => Assert.Equal(CheckState.Held, finding.State));

        var small = AuthenticReferenceManifest.Write(ManifestWorld.Whole, ManifestWorld.SmallKey);
        Assert.True(AuthenticReferenceManifest.TryAuthenticate([.. small, (byte)'\n'], ManifestWorld.Keys, ManifestWorld.Clock, 0, out _, out _));
    }

    [Fact]
    public void A_token_is_no_manifest()
    {
        Assert.True(EatBundleWriter.TryWrite(fixture.Pass, TokenFixture.Terms, ManifestWorld.Key, destination => destination.Clear(), out var bundle, out _));
        Assert.Equal("reference.wellformed", ManifestWorld.Refusal(bundle));
        Assert.True(TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, ManifestWorld.Key, destination => destination.Clear(), out var ear, out _));
        Assert.Equal("reference.type.match", ManifestWorld.Refusal(Encoding.ASCII.GetBytes(ear!)));

        // Even one whose claims are a manifest: whoever lets a token service write claims of his choice gets no reference values.
        var claims = ManifestWorld.Jws(ManifestWorld.Header(ManifestWorld.Key, "JWT"), ManifestWorld.Whole.ToCanonicalJson(), ManifestWorld.Key);
        Assert.Equal("reference.type.match", ManifestWorld.Refusal(claims));
        var untyped = ManifestWorld.Jws($$"""{"alg":"ES384","kid":"{{ManifestWorld.Key.PublicKey.KeyId}}"}""", ManifestWorld.Whole.ToCanonicalJson(), ManifestWorld.Key);
        Assert.Equal("reference.type.match", ManifestWorld.Refusal(untyped));
    }

    [Fact]
    public void A_manifest_is_no_token()
    {
        var text = Encoding.ASCII.GetString(ManifestWorld.Signed);
        Assert.False(EarReader.TryVerify(text, ManifestWorld.Keys, TokenFixture.Expected, out _, out var findings));
        Assert.Contains(findings, finding => finding is { Id: "token.header.known", State: CheckState.Failed });

        // Nor is one that carries the claims of a good token: the type stops it before any claim is looked at.
        Assert.True(TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, ManifestWorld.Key, destination => destination.Clear(), out var ear, out _));
        Assert.True(CompactJws.TryParse(ear, out var jws, out _));
        var retyped = ManifestWorld.Jws(ManifestWorld.Header(ManifestWorld.Key), Encoding.UTF8.GetBytes(jws.Payload.GetRawText()), ManifestWorld.Key);
        Assert.False(EarReader.TryVerify(Encoding.ASCII.GetString(retyped), ManifestWorld.Keys, TokenFixture.Expected, out _, out findings));
        Assert.Equal("token.header.known", ManifestWorld.Failed(findings));
    }

    [Fact]
    public void Another_key_and_a_key_that_the_file_brings_are_refused()
    {
        Assert.Equal("reference.key.known", ManifestWorld.Refusal(AuthenticReferenceManifest.Write(ManifestWorld.Whole, ManifestWorld.Stranger)));

        // Under the name of a key that is known.
        var stolen = ManifestWorld.Jws(ManifestWorld.Header(ManifestWorld.Key), ManifestWorld.Whole.ToCanonicalJson(), ManifestWorld.Stranger);
        Assert.Equal("reference.signature.valid", ManifestWorld.Refusal(stolen));

        foreach (var member in new[] { "\"jwk\":{}", "\"jku\":\"https://evil.example/jwks\"", "\"x5c\":[]", "\"crit\":[\"exp\"]" })
        {
            var header = ManifestWorld.Header(ManifestWorld.Key)[..^1] + $",{member}}}";
            Assert.Equal("reference.type.match", ManifestWorld.Refusal(ManifestWorld.Jws(header, ManifestWorld.Whole.ToCanonicalJson(), ManifestWorld.Key)));
        }
    }

    [Theory]
    [InlineData("none", "reference.algorithm.allowed reference.key.known")]
    [InlineData("None", "reference.algorithm.allowed reference.key.known")]
    [InlineData("HS384", "reference.algorithm.allowed reference.key.known")]
    [InlineData("ES256", "reference.key.known")]
    public void Another_algorithm_than_that_of_the_key_is_refused(string algorithm, string failed)
    {
        var file = ManifestWorld.Jws(ManifestWorld.Header(ManifestWorld.Key, algorithm: algorithm), ManifestWorld.Whole.ToCanonicalJson(), algorithm == "ES256" ? ManifestWorld.Key : null);
        Assert.Equal(failed, ManifestWorld.Refusal(file));
    }

    [Fact]
    public void An_older_manifest_than_the_one_that_was_seen_is_refused()
    {
        Assert.Equal("reference.sequence.met", ManifestWorld.Refusal(ManifestWorld.Signed, minimum: 8));
        Assert.True(AuthenticReferenceManifest.TryAuthenticate(ManifestWorld.Signed, ManifestWorld.Keys, ManifestWorld.Clock, 7, out _, out _));
    }

    [Fact]
    public void It_counts_within_its_time_alone()
    {
        Assert.Equal("reference.current", ManifestWorld.Refusal(ManifestWorld.Signed, time: new(ManifestWorld.Whole.NotAfter.AddSeconds(1), TimeSource.System)));
        Assert.Equal("reference.current", ManifestWorld.Refusal(ManifestWorld.Signed, time: new(ManifestWorld.Whole.NotBefore.AddMinutes(-6), TimeSource.Stated)));
        Assert.Equal("reference.clock.plausible", ManifestWorld.Refusal(ManifestWorld.Signed, time: new(ManifestWorld.Now, TimeSource.None)));
        Assert.Contains("reference.clock.plausible", ManifestWorld.Refusal(ManifestWorld.Signed, time: new(EvaluationTime.ReleaseDate.AddDays(-1), TimeSource.System)), StringComparison.Ordinal);
        Assert.True(AuthenticReferenceManifest.TryAuthenticate(ManifestWorld.Signed, ManifestWorld.Keys, new(ManifestWorld.Whole.NotAfter, TimeSource.Stated), 0, out _, out _));
    }

    [Fact]
    public void An_unsigned_file_is_refused_where_keys_were_given_and_marked_where_none_were()
    {
        var plain = ManifestWorld.Whole.ToCanonicalJson();
        Assert.Equal("reference.signature.valid", ManifestWorld.Refusal(plain));
        Assert.False(ReferenceValues.TryRead(plain, ManifestWorld.Keys, ManifestWorld.Clock, 0, out var values, out _));
        Assert.Null(values);

        Assert.True(ReferenceValues.TryRead(plain, null, ManifestWorld.Clock, 0, out values, out var findings), ManifestWorld.Failed(findings));
        Assert.False(values.IsSigned);
        Assert.Null(values.Signer);
        Assert.Equal(NotCheckedCause.Waived, findings.Single(finding => finding.Id == "reference.signature.valid").Cause);

        // Time and sequence count for it too.
        Assert.False(ReferenceValues.TryRead(plain, null, ManifestWorld.Clock, 8, out _, out findings));
        Assert.Equal("reference.sequence.met", ManifestWorld.Failed(findings));
        Assert.False(ReferenceValues.TryRead(plain, null, new(ManifestWorld.Whole.NotAfter.AddSeconds(1), TimeSource.System), 0, out _, out findings));
        Assert.Equal("reference.current", ManifestWorld.Failed(findings));
    }

    [Fact]
    public void A_signed_file_is_not_read_as_if_it_were_unsigned()
    {
        Assert.False(ReferenceValues.TryRead(ManifestWorld.Signed, null, ManifestWorld.Clock, 0, out var values, out var findings));
        Assert.Null(values);
        Assert.Equal("reference.signature.valid", ManifestWorld.Failed(findings));
        Assert.True(ReferenceValues.TryRead(ManifestWorld.Signed, ManifestWorld.Keys, ManifestWorld.Clock, 0, out values, out _));
        Assert.True(values.IsSigned);
    }

    [Fact]
    public void Appraisals_get_lists_that_accept_nothing_of_which_the_manifest_is_silent()
    {
        Assert.True(ReferenceValues.TryRead(ManifestWorld.Signed, ManifestWorld.Keys, ManifestWorld.Clock, 0, out var values, out _));
        Assert.Equal(["trainer 2026.11.1 (8 GPUs)", "trainer 2026.11.1 (1 GPU)"], values.Tdx.Select(reference => reference.Name));
        Assert.Equal("trainer 2026.11.1 (8 vCPUs)", values.Snp.Single().Name);
        Assert.Equal("trainer 2026.11.1 (uefi)", values.Tpm.Single().Name);
        Assert.Equal(2, values.MinimumTcb!.Count);
        Assert.Equal([ManifestWorld.Of(12)], values.GpuPolicies);

        var silent = AuthenticReferenceManifest.Write(ManifestWorld.Whole with { Snp = [], SnpMinimumTcb = null, Pcrs = [], GpuPolicies = [] }, ManifestWorld.Key);
        Assert.True(ReferenceValues.TryRead(silent, ManifestWorld.Keys, ManifestWorld.Clock, 0, out values, out _));
        Assert.False(values.Snp.IsDefault);
        Assert.Empty(values.Snp);
        Assert.Empty(values.Tpm);
        Assert.Empty(values.GpuPolicies);
        Assert.Null(values.MinimumTcb);
    }

    [Fact]
    public void A_signed_payload_has_one_spelling_and_keeps_the_rules()
    {
        var header = ManifestWorld.Header(ManifestWorld.Key);
        var spaced = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(ManifestWorld.Whole.ToCanonicalJson()).Replace("\"sequence\":7", "\"sequence\": 7", StringComparison.Ordinal));
        Assert.True(ReferenceManifest.TryParse(spaced, out _, out _));
        Assert.Equal("reference.content.wellformed", ManifestWorld.Refusal(ManifestWorld.Jws(header, spaced, ManifestWorld.Key)));
        Assert.Equal("reference.content.wellformed", ManifestWorld.Refusal(ManifestWorld.Jws(header, "{}"u8.ToArray(), ManifestWorld.Key)));
        Assert.Throws<ArgumentException>(() => AuthenticReferenceManifest.Write(ManifestWorld.Whole with { ImageName = "" }, ManifestWorld.Key));
        Assert.Throws<ArgumentException>(() => AuthenticReferenceManifest.Write(ManifestWorld.Whole with { Sequence = 0 }, ManifestWorld.Key));
    }

    [Fact]
    public void No_prefix_and_no_flipped_bit_of_a_signed_manifest_is_accepted()
    {
        var signed = AuthenticReferenceManifest.Write(ManifestWorld.Whole with { Tdx = [ManifestWorld.Whole.Tdx[1]], Snp = [], SnpMinimumTcb = null, Pcrs = [] }, ManifestWorld.SmallKey);
        Assert.True(AuthenticReferenceManifest.TryAuthenticate(signed, ManifestWorld.Keys, ManifestWorld.Clock, 0, out _, out _));
        for (var length = 0; length < signed.Length; length++)
        {
            ManifestWorld.Refusal(signed[..length]);
        }

        for (var bit = 0; bit < 8 * signed.Length; bit++)
        {
            var flipped = signed.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            ManifestWorld.Refusal(flipped);
        }
    }
}
