using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Reference;
using Assay.Simulator;
using Assay.Tests.Simulator;
using Assay.Tests.Trust.Revocation;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Trust;

/// <summary>Both forms of the simulator's mark keep simulated and real trust apart (S-12).</summary>
public class SimulatedMarkerTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Roots_that_a_simulator_made_make_the_set_simulated_whatever_the_file_says(bool critical)
    {
        using var authority = SimulatedAuthority.Create(SimulatorFixture.Now, critical);

        foreach (var kind in new[] { "simulated", "custom" })
        {
            Assert.True(TrustSet.TryParse(Anchors(kind, authority.DeviceRoot.Pem, authority.RimRoot.Pem), out var set, out var fault), $"{fault}");
            Assert.Equal(TrustSetKind.Simulated, set.Kind);
        }
    }

    [Theory]
    [InlineData("simulated")]
    [InlineData("custom")]
    public void A_set_of_simulated_and_other_roots_is_refused(string kind)
    {
        using var authority = SimulatedAuthority.Create(SimulatorFixture.Now);
        var real = Pem(Identity.Root("real").Certificate);

        Assert.False(TrustSet.TryParse(Anchors(kind, authority.DeviceRoot.Pem, real), out _, out var fault));
        Assert.Equal("rim", fault.Field);
        Assert.False(TrustSet.TryParse(Anchors(kind, real, authority.RimRoot.Pem), out _, out fault));
        Assert.Equal("device", fault.Field);
    }

    [Fact]
    public void A_set_that_calls_itself_simulated_needs_marked_roots() =>
        Assert.False(TrustSet.TryParse(Anchors("simulated", Pem(Identity.Root("a").Certificate), Pem(Identity.Root("b").Certificate)), out _, out _));

    [Theory]
    [InlineData(TrustSetKind.BuiltIn)]
    [InlineData(TrustSetKind.Custom)]
    public void No_other_trust_accepts_either_form(TrustSetKind kind)
    {
        foreach (var marker in new[] { Identity.Marker, Identity.CriticalMarker })
        {
            var root = Identity.Root("root", Identity.Authority, Identity.SignsCertificatesAndLists);
            ImmutableArray<Certificate> path = [root.Issue("leaf", Identity.Signs, marker).Certificate, root.Certificate];

            Assert.Contains("is of a simulator", CertificationPath.WhyNotCertificate(path, 0, 0, kind), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_path_with_both_marked_and_unmarked_certificates_is_refused_under_simulated_trust()
    {
        var root = Identity.Root("root", Identity.Authority, Identity.SignsCertificatesAndLists, Identity.Marker);
        ImmutableArray<Certificate> path = [root.Issue("leaf", Identity.Signs).Certificate, root.Certificate];

        Assert.Contains("lacks the simulator's marker", CertificationPath.WhyNotCertificate(path, 0, 0, TrustSetKind.Simulated), StringComparison.Ordinal);
        Assert.Null(CertificationPath.WhyNotCertificate(path, 1, 0, TrustSetKind.Simulated));
    }

    /// <summary>Each form of the mark, under each kind of trust, with the fault of the one certificate that is not as the others.</summary>
    public static TheoryData<bool, bool, string> Mixtures => new()
    {
        { false, true, "lacks the simulator's marker, and the trust set is simulated" },
        { true, true, "lacks the simulator's marker, and the trust set is simulated" },
        { false, false, "is of a simulator, and the trust set is not" },
        { true, false, "is of a simulator, and the trust set is not" },
    };

    [Fact]
    public void The_verifier_knows_the_identifiers_that_the_simulator_writes_in_both_spellings()
    {
        Assert.Equal((Assay.Simulator.SimulatedMarker.Oid, Assay.Simulator.SimulatedMarker.CriticalOid), (Assay.Trust.SimulatedMarker.OidText, Assay.Trust.SimulatedMarker.CriticalOidText));
        Assert.Equal(Assay.Trust.SimulatedMarker.OidText, Assay.Wire.Oids.ToText(Assay.Trust.SimulatedMarker.Oid));
        Assert.Equal(Assay.Trust.SimulatedMarker.CriticalOidText, Assay.Wire.Oids.ToText(Assay.Trust.SimulatedMarker.CriticalOid));
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void A_device_chain_and_that_of_a_RIM_signer_are_refused_when_their_marks_are_mixed(bool critical, bool simulated, string fault)
    {
        foreach (var purpose in new[] { PathPurpose.Device, PathPurpose.RimSigner })
        {
            var hierarchy = new Hierarchy(critical, simulated);

            // The odd one is the leaf, or stands between the leaf and its root.
            foreach (var (middle, leaf) in new[] { (false, true), (true, false), (true, true) })
            {
                Assert.False(Certify(hierarchy, purpose, middle, leaf, out var whyNot));
                Assert.Contains(fault, whyNot, StringComparison.Ordinal);
            }

            Assert.True(Certify(hierarchy, purpose, oddMiddle: false, oddLeaf: false, out var sound), sound);
        }
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void Authorities_that_sign_lists_are_refused_when_their_marks_are_mixed(bool critical, bool simulated, string fault)
    {
        var hierarchy = new Hierarchy(critical, simulated);
        var (odd, sound) = (hierarchy.Middle(odd: true), hierarchy.Middle(odd: false));

        Assert.False(CertifiedAuthority.TryCertify([odd.Certificate, hierarchy.Root.Certificate], hierarchy.Trust, new VerifierCache(), out _, out var whyNot));
        Assert.Contains(fault, whyNot, StringComparison.Ordinal);
        Assert.True(CertifiedAuthority.TryCertify([sound.Certificate, hierarchy.Root.Certificate], hierarchy.Trust, new VerifierCache(), out _, out whyNot), whyNot);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void A_list_is_refused_when_its_issuer_is_not_of_the_kind_of_the_trust_set(bool critical, bool simulated)
    {
        var hierarchy = new Hierarchy(critical, simulated);

        Assert.Equal("the list's issuer and the trust set disagree on being simulated", Refusal(hierarchy.Middle(odd: true)));
        Assert.Null(Refusal(hierarchy.Middle(odd: false)));

        string? Refusal(Identity issuer)
        {
            var list = CertificateRevocationListTests.Parsed(new RevokedList(issuer).Encode());
            AuthenticCrl.TryAuthenticate(list, issuer.Certificate, hierarchy.Trust.Kind, new VerifierCache(), out _, out var whyNot);
            return whyNot;
        }
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void An_OCSP_answer_is_refused_when_its_responder_is_not_of_the_kind_of_the_trust_set(bool critical, bool simulated, string fault)
    {
        var hierarchy = new Hierarchy(critical, simulated);
        var middle = hierarchy.Middle(odd: false);
        var about = new Revocation.Single(middle.Issue("leaf", hierarchy.With(odd: false, Identity.Signs)).Certificate, middle.Certificate);

        Assert.Equal($"the responder {fault}", Refusal(odd: true));
        Assert.Null(Refusal(odd: false));

        string? Refusal(bool odd)
        {
            var responder = middle.Issue("responder", hierarchy.With(odd, Identity.Signs, Identity.OcspSigning, Identity.NoCheck));
            var response = AuthenticOcspAnswerTests.Parsed(new Answer(responder, about) { Certificates = [responder.Certificate] }.Encode());
            AuthenticOcspAnswer.TryAuthenticate(response, about.Subject, about.Issuer, hierarchy.Trust.Kind, new VerifierCache(), out _, out var whyNot);
            return whyNot;
        }
    }

    [Theory]
    [MemberData(nameof(Mixtures))]
    public void A_RIM_whose_signature_verifies_is_refused_when_the_marks_of_its_signer_are_mixed(bool critical, bool simulated, string fault)
    {
        var hierarchy = new Hierarchy(critical, simulated);

        var refused = Authenticate(odd: true);
        Assert.Null(refused.Rim);
        Assert.Null(refused.SignatureFault);
        Assert.Contains(fault, refused.ChainFault, StringComparison.Ordinal);
        Assert.NotNull(Authenticate(odd: false).Rim);

        RimAuthentication Authenticate(bool odd)
        {
            var middle = hierarchy.Middle(odd: false);
            var signer = middle.Issue("signer", hierarchy.With(odd, Identity.Signs));
            var (content, digest) = ("<SignedInfo/>"u8.ToArray(), Digest.Sha384("RIM"u8));
            var document = new RimDocument
            {
                Certificates = [signer.Certificate.Raw, middle.Certificate.Raw, hierarchy.Root.Certificate.Raw],
                Content = Digest.Sha256([odd ? (byte)1 : (byte)0]),
                DocumentDigest = digest,
                ClaimedDigest = digest,
                SignedInfo = content,
                SignatureValue = signer.Key.SignData(content, HashAlgorithmName.SHA384),
            };
            return AuthenticRim.Authenticate(document, hierarchy.Trust, new VerifierCache());
        }
    }

    private static bool Certify(Hierarchy hierarchy, PathPurpose purpose, bool oddMiddle, bool oddLeaf, out string? whyNot)
    {
        var root = purpose is PathPurpose.Device ? hierarchy.DeviceRoot : hierarchy.Root;
        var middle = hierarchy.Middle(oddMiddle, root);
        var leaf = middle.Issue("leaf", hierarchy.With(oddLeaf, Identity.Signs));
        return CertificationPath.TryCertify([leaf.Certificate, middle.Certificate, root.Certificate], hierarchy.Trust, purpose, new VerifierCache(), out _, out whyNot);
    }

    /// <summary>Roots of one kind with the trust set that they make, and certificates below them of that kind or, where one is odd, of the other.</summary>
    private sealed class Hierarchy
    {
        private readonly X509Extension _marker;
        private readonly bool _simulated;

        public Hierarchy(bool critical, bool simulated)
        {
            (_marker, _simulated) = (critical ? Identity.CriticalMarker : Identity.Marker, simulated);
            (DeviceRoot, Root) = (MakeRoot("device root"), MakeRoot("RIM root"));
            Assert.True(TrustSet.TryParse(Anchors(simulated ? "simulated" : "custom", Pem(DeviceRoot.Certificate), Pem(Root.Certificate)), out var trust, out var fault), $"{fault}");
            Trust = trust;
        }

        public TrustSet Trust { get; }

        public Identity DeviceRoot { get; }

        /// <summary>Of RIM signers.</summary>
        public Identity Root { get; }

        public Identity Middle(bool odd, Identity? root = null) => (root ?? Root).Issue("middle", With(odd, Identity.Authority, Identity.SignsCertificatesAndLists));

        public X509Extension[] With(bool odd, params X509Extension[] extensions) => odd == _simulated ? extensions : [.. extensions, _marker];

        private Identity MakeRoot(string name) => Identity.Root(name, With(odd: false, Identity.Authority, Identity.SignsCertificatesAndLists));
    }

    private static string Pem(Certificate certificate) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", certificate.Raw.Span);

    private static byte[] Anchors(string kind, string device, string rim) => Encoding.UTF8.GetBytes(
        new JsonObject { ["version"] = 1, ["kind"] = kind, ["name"] = "test", ["device"] = new JsonArray(device), ["rim"] = new JsonArray(rim) }.ToJsonString());
}
