using System.Collections.Immutable;
using System.Globalization;
using Assay.Reference;
using Assay.Simulator;
using Assay.Tests.Properties;
using Assay.Tests.Simulator;
using Assay.Trust;
using Assay.Wire;
using static Assay.Tests.Trust.ForgedChain;

namespace Assay.Tests.Trust;

/// <summary>
/// <c>openssl verify</c> judges the same chains. What it refuses we refuse; where we are stricter stands in the ledger below, and
/// nowhere else. It fails both ways.
/// </summary>
public sealed class OpensslAgreesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-openssl-").FullName;
    private int _files;

    /// <summary>Chains that OpenSSL accepts and we refuse, and why we do.</summary>
    private static readonly Dictionary<string, string> s_stricter = new(StringComparer.Ordinal)
    {
        ["swapped order"] = "names the issuer", // the order of a chain is part of evidence: OpenSSL sorts
        ["root missing"] = "is not a trusted root", // evidence brings its root, whose fingerprint is then named
        ["superfluous certificate"] = "authorityKeyIdentifier is not", // OpenSSL ignores what it does not need
        ["doubled certificate"] = "names the issuer",
        ["false root of the same name"] = "is not a trusted root", // OpenSSL takes its own root instead of the one that was sent
        ["leaf with extKeyUsage"] = "extKeyUsage", // an OCSP responder signs no reports and no RIMs
        ["leaf without digitalSignature"] = "digitalSignature",
        ["leaf is a CA"] = "the leaf is a CA certificate",
        ["signed with SHA-256"] = "ecdsa-with-SHA384 alone", // NVIDIA's chains have one algorithm
        ["issuer's name in capitals"] = "names the issuer", // OpenSSL folds case as RFC 5280 §7.1 allows; NVIDIA's names are byte for byte equal
    };

    public static TheoryData<string> Cases =>
    [
        "sound", "swapped order", "root missing", "superfluous certificate", "doubled certificate", "leaf alone", "middle missing", "leaf of another chain",
        "false root of the same name", "whole chain of a false root", "intermediate is not a CA", "intermediate without basicConstraints", "intermediate without keyCertSign",
        "device is not a CA", "path length exceeded", "unknown critical extension in the leaf", "unknown critical extension in a CA",
        "leaf with extKeyUsage", "leaf without digitalSignature", "leaf is a CA", "wrong issuer name", "issuer's name in capitals",
        "wrong authorityKeyIdentifier", "signed by another key", "CA signed by another key", "signed with SHA-256",
    ];

    public static TheoryData<string> Recordings => CertificationPathTests.DeviceChains;

    [Theory]
    [MemberData(nameof(Recordings))]
    public void Openssl_believes_the_recorded_device_chains_that_we_believe(string file)
    {
        var chain = CertificationPathTests.Read(Recorded.Bytes(file));
        Assert.True(CertificationPath.TryCertify(chain, TrustSet.Nvidia, PathPurpose.Device, new VerifierCache(), out var path, out var why), why);
        var root = Recorded.PathOf("nvidia/roots/verifier_device_root.pem");

        var verdict = Verify([.. chain.Select(Pem)], root, path.LatestNotBefore.AddHours(1));

        Assert.True(verdict.Accepted, verdict.Output);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Openssl_and_we_agree_about_a_chain_or_the_ledger_says_why_not(string name)
    {
        var (chain, root) = Make(name);
        var theirs = Verify([.. chain.Select(ForgedChain.Pem)], Save(ForgedChain.Pem(root)), Begin.AddDays(1));
        var ours = CertificationPath.TryCertify(CertificationPathTests.Read(ForgedChain.Pem(chain)), Trusting(root), PathPurpose.Device, new VerifierCache(), out _, out var whyNot);

        if (s_stricter.TryGetValue(name, out var reason))
        {
            Assert.True(theirs.Accepted, $"the ledger is out of date, OpenSSL refuses too: {theirs.Output}");
            Assert.False(ours);
            Assert.Contains(reason, whyNot, StringComparison.Ordinal);
        }
        else
        {
            Assert.True(theirs.Accepted == ours, $"OpenSSL says {theirs.Accepted} ({theirs.Output}), we say {ours} ({whyNot})");
            Assert.Equal(name == "sound", ours);
        }
    }

    [Fact]
    public void Every_entry_of_the_ledger_is_a_case() => Assert.Empty(s_stricter.Keys.Except(Cases.Select(row => row.Data)));

    [Theory]
    [InlineData("nvidia/rims/NV_SWITCH_BIOS_5612_0002_890_9610550001.xml", "nvidia/roots/verifier_device_root.pem")]
    [InlineData("nvidia/rims/NV_GPU_DRIVER_GH100_550.144.03.xml", "nvidia/roots/verifier_device_root.pem")]
    public void A_RIM_signers_chain_is_no_device_chain(string file, string deviceRoot)
    {
        Assert.True(RimDocument.TryParse(Recorded.Bytes(file), out var rim, out var fault), fault?.ToString());
        var signer = AuthenticRim.Authenticate(rim, TrustSet.Nvidia, new VerifierCache()).Path!;

        Assert.False(CertificationPath.TryCertify(signer.Certificates, TrustSet.Nvidia, PathPurpose.Device, new VerifierCache(), out _, out var why));
        Assert.Contains("is not a trusted root", why, StringComparison.Ordinal);
        var theirs = Verify([.. signer.Certificates[..^1].Select(Pem)], Recorded.PathOf(deviceRoot), signer.LatestNotBefore.AddHours(1));
        Assert.False(theirs.Accepted, theirs.Output);
    }

    [Theory]
    [MemberData(nameof(Recordings))]
    public void A_device_chain_is_no_RIM_signers_chain(string file)
    {
        var chain = CertificationPathTests.Read(Recorded.Bytes(file));

        Assert.False(CertificationPath.TryCertify(chain, TrustSet.Nvidia, PathPurpose.RimSigner, new VerifierCache(), out _, out var why));
        Assert.Contains("is not a trusted root", why, StringComparison.Ordinal);
        Assert.False(CertificationPath.TryCertify(chain, TrustSet.Nvidia, PathPurpose.None, new VerifierCache(), out _, out _));
        var theirs = Verify([.. chain[..^1].Select(Pem)], Recorded.PathOf("nvidia/roots/verifier_RIM_root.pem"), Begin.AddDays(600));
        Assert.False(theirs.Accepted, theirs.Output);
    }

    [Fact]
    public void An_OCSP_responder_signs_no_RIMs_although_OpenSSL_would_let_its_certificate_pass()
    {
        var signer = Simulated.Authority.IssueRimSigner(DeviceFamily.Hopper);
        var responder = SimulatedAuthority.IssueOcspResponder(signer.Issuer!, SimulatorFixture.Now.AddDays(-1), SimulatorFixture.Now.AddDays(1));
        var chain = CertificationPathTests.Read(System.Text.Encoding.ASCII.GetBytes(responder.ChainPem));

        Assert.False(CertificationPath.TryCertify(chain, Simulated.Trust, PathPurpose.RimSigner, new VerifierCache(), out _, out var why));
        Assert.Contains("extKeyUsage", why, StringComparison.Ordinal);
        var theirs = Verify([.. responder.Chain.Select(certificate => certificate.Pem)], Save(Simulated.Authority.RimRoot.Pem), SimulatorFixture.Now);
        Assert.True(theirs.Accepted, theirs.Output);
        var sound = CertificationPathTests.Read(System.Text.Encoding.ASCII.GetBytes(signer.ChainPem));
        Assert.True(CertificationPath.TryCertify(sound, Simulated.Trust, PathPurpose.RimSigner, new VerifierCache(), out _, out why), why);
    }

    [Fact]
    public void Chains_with_too_few_or_too_many_certificates_are_refused()
    {
        var chain = new ForgedChain().Issue();
        var trust = Trusting(chain[4]);

        Assert.False(CertificationPath.TryCertify([], trust, PathPurpose.Device, new VerifierCache(), out _, out _));
        Assert.False(CertificationPath.TryCertify(default, trust, PathPurpose.Device, new VerifierCache(), out _, out _));
        Assert.False(CertificationPath.TryCertify(CertificationPathTests.Read(ForgedChain.Pem([chain[4]])), trust, PathPurpose.Device, new VerifierCache(), out _, out _));
        Assert.False(Assay.Wire.Pem.TryDecode(ForgedChain.Pem(Enumerable.Repeat(chain[0], Limits.ChainCertificates + 1)), out _, out var fault));
        Assert.Contains($"more than {Limits.ChainCertificates}", fault.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_chain_costs_no_signature_unless_only_a_signature_is_wrong()
    {
        foreach (var row in Cases.Where(row => row.Data is not ("sound" or "signed by another key" or "CA signed by another key")))
        {
            var (chain, root) = Make(row.Data);
            var cache = new VerifierCache();

            Assert.False(CertificationPath.TryCertify(CertificationPathTests.Read(ForgedChain.Pem(chain)), Trusting(root), PathPurpose.Device, cache, out _, out _));
            Assert.True(cache.Meter.SignatureVerifications == 0, row.Data);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static (ImmutableArray<System.Security.Cryptography.X509Certificates.X509Certificate2> Chain, System.Security.Cryptography.X509Certificates.X509Certificate2 Root) Make(string name)
    {
        var forge = new ForgedChain();
        var sound = forge.Issue();
        var chain = name switch
        {
            "sound" => sound,
            "swapped order" => [sound[0], sound[2], sound[1], sound[3], sound[4]],
            "root missing" => sound[..4],
            "superfluous certificate" => sound.Insert(2, new ForgedChain().Issue()[2]),
            "doubled certificate" => sound.Insert(2, sound[2]),
            "leaf alone" => sound[..1],
            "middle missing" => sound.RemoveAt(2),
            "leaf of another chain" => sound.SetItem(0, new ForgedChain().Issue()[0]),
            "false root of the same name" => sound.SetItem(4, FalseRoot()),
            "whole chain of a false root" => new ForgedChain().Issue(),
            "intermediate is not a CA" => forge.Issue(Defect.NotAuthority, 2),
            "intermediate without basicConstraints" => forge.Issue(Defect.NoBasicConstraints, 2),
            "intermediate without keyCertSign" => forge.Issue(Defect.NoKeyCertSign, 2),
            "device is not a CA" => forge.Issue(Defect.NotAuthority, 1),
            "path length exceeded" => forge.Issue(Defect.PathLengthZero, 3),
            "unknown critical extension in the leaf" => forge.Issue(Defect.UnknownCriticalExtension, 0),
            "unknown critical extension in a CA" => forge.Issue(Defect.UnknownCriticalExtension, 2),
            "leaf with extKeyUsage" => forge.Issue(Defect.ExtendedKeyUsage, 0),
            "leaf without digitalSignature" => forge.Issue(Defect.LeafWithoutDigitalSignature, 0),
            "leaf is a CA" => forge.Issue(Defect.LeafIsAuthority, 0),
            "wrong issuer name" => forge.Issue(Defect.WrongIssuerName, 1),
            "issuer's name in capitals" => forge.Issue(Defect.OtherIssuerCase, 1),
            "wrong authorityKeyIdentifier" => forge.Issue(Defect.WrongAuthorityKey, 1),
            "signed by another key" => forge.Issue(Defect.SignedByAnotherKey, 0),
            "CA signed by another key" => forge.Issue(Defect.SignedByAnotherKey, 2),
            "signed with SHA-256" => forge.Issue(Defect.Sha256, 1),
            _ => throw new InvalidOperationException(name),
        };
        // The genuine root stays the anchor, except where a new one was issued along with the chain.
        var reissued = chain.Length == 5 && chain[4].Thumbprint != sound[4].Thumbprint && !name.Contains("false root", StringComparison.Ordinal);
        return (chain, reissued ? chain[4] : sound[4]);
    }

    private static string Pem(Certificate certificate) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", certificate.Raw.Span) + "\n";

    private PeerAnswer Verify(string[] chain, string rootFile, DateTimeOffset at, params string[] options) => Peer.Require("openssl").Run(
    [
        "verify", .. options, "-attime", at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture), "-CAfile", rootFile,
        .. chain.Length > 1 ? new[] { "-untrusted", Save(string.Concat(chain[1..])) } : [], Save(chain[0]),
    ]);

    private string Save(string text)
    {
        var path = Path.Combine(_folder, $"{++_files}.pem");
        File.WriteAllText(path, text);
        return path;
    }
}
