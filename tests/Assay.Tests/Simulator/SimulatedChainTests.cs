using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

public class SimulatedChainTests(SimulatorFixture simulator) : IClassFixture<SimulatorFixture>
{
    public static TheoryData<DeviceFamily> Families => [DeviceFamily.Hopper, DeviceFamily.Blackwell, DeviceFamily.Ls10];

    [Theory]
    [MemberData(nameof(Families))]
    public void Plain_openssl_accepts_a_simulated_device_chain_under_its_own_root(DeviceFamily family) =>
        Assert.True(Verify(Device(family)) is { Accepted: true });

    [Theory]
    [MemberData(nameof(Families))]
    public void Plain_openssl_accepts_a_simulated_rim_signer_under_its_own_root(DeviceFamily family) =>
        Assert.True(Verify(simulator.Authority.IssueRimSigner(family)).Accepted);

    [Theory]
    [MemberData(nameof(Families))]
    public void Plain_openssl_refuses_a_critical_marker(DeviceFamily family)
    {
        using var authority = SimulatedAuthority.Create(SimulatorFixture.Now, criticalMarker: true);
        foreach (var leaf in new[] { authority.IssueDevice(family, RandomNumberGenerator.GetBytes(8), new byte[48]), authority.IssueRimSigner(family) })
        {
            var answer = Verify(leaf);

            Assert.False(answer.Accepted);
            Assert.Contains("unhandled critical extension", answer.Output, StringComparison.Ordinal);
            Assert.True(Verify(leaf, "-ignore_critical").Accepted);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Gnutls_accepts_a_simulated_device_chain_under_its_own_root(DeviceFamily family)
    {
        var leaf = Device(family);

        var answer = Peer.Require("certtool").Run("--verify", "--load-ca-certificate", simulator.Save(leaf.Chain[^1].Pem), "--infile", simulator.Save(leaf.ChainPem));

        Assert.True(answer.Accepted, answer.Output);
        Assert.Contains("The certificate is trusted", answer.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Python_cryptography_reads_each_certificate_and_its_mark(DeviceFamily family)
    {
        const string program = """
            import re, sys
            from cryptography import x509
            text = open(sys.argv[1], "rb").read()
            for pem in re.findall(b"-----BEGIN.*?-----END CERTIFICATE-----", text, re.S):
                certificate = x509.load_pem_x509_certificate(pem)
                marks = [e for e in certificate.extensions if e.oid.dotted_string == "2.999.11.1"]
                print(len(marks), marks[0].critical, b"SIMULATED" in marks[0].value.value)
            """;
        var leaf = Device(family);

        var answer = Peer.RequireModule("/usr/bin/python3", "cryptography", "python3-cryptography").Run("-c", program, simulator.Save(leaf.ChainPem));

        Assert.True(answer.Accepted, answer.Output);
        Assert.Equal(Enumerable.Repeat("1 False True", leaf.Chain.Length), answer.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Openssl_refuses_a_chain_under_another_authority()
    {
        using var stranger = SimulatedAuthority.Create(SimulatorFixture.Now);

        Assert.False(Verify(Device(DeviceFamily.Hopper), stranger.DeviceRoot).Accepted);
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Every_certificate_carries_the_mark_which_is_not_critical(DeviceFamily family)
    {
        var responder = SimulatedAuthority.IssueOcspResponder(simulator.Authority.RimRoot, SimulatorFixture.Now, SimulatorFixture.Now.AddDays(1));
        SimulatedCertificate[] all = [.. Device(family).Chain, .. simulator.Authority.IssueRimSigner(family).Chain, responder];

        foreach (var certificate in all)
        {
            using var parsed = Load(certificate);
            var mark = Assert.Single(parsed.Extensions, extension => extension.Oid?.Value == SimulatedMarker.Oid);
            Assert.False(mark.Critical);
            Assert.Equal(SimulatedMarker.Text, AsnDecoder.ReadCharacterString(mark.RawData, AsnEncodingRules.DER, UniversalTagNumber.UTF8String, out _));
        }
    }

    [Theory]
    [InlineData(DeviceFamily.Hopper, "41", "GH100 A01 GSP FMC LF", "GH100 A01 GSP BROM", "NVIDIA GH100 Provisioner ICA 1", "NVIDIA GH100 Identity")]
    [InlineData(DeviceFamily.Blackwell, "41", "GB100 A01 GSP FMC LF", "GB100 A01 GSP BROM", "NVIDIA GB100 Provisioner ICA 00000", "NVIDIA GB100 Identity")]
    [InlineData(DeviceFamily.Ls10, "50", "LS_10 A01 FSP FMC LF", "LS_10 A01 FSP BROM", "NVIDIA LS_10 Provisioner ICA 1", "NVIDIA GH100 Identity")]
    public void A_device_chain_is_named_like_nvidias_below_a_root_that_is_not(
        DeviceFamily family, string prefix, string leaf, string brom, string provisioner, string identity)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, new() { Family = family, VbiosVersion = "96.00.A5.00.01" });

        Assert.Equal(
            [leaf, brom, provisioner, identity, "Assay Simulated Device Identity CA"],
            device.Certificate.Chain.Select(certificate => certificate.CommonName));
        Assert.Equal(prefix + device.Pdi, device.Certificate.Issuer?.SerialNumber);
        using var parsed = Load(device.Certificate.Chain[1]);
        Assert.Contains($"SERIALNUMBER={prefix}{device.Pdi}", parsed.Subject, StringComparison.Ordinal);
        using var parsedLeaf = Load(device.Certificate);
        Assert.Contains($"SERIALNUMBER={device.Certificate.SerialNumber}", parsedLeaf.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_chain_never_ends()
    {
        foreach (var certificate in Device(DeviceFamily.Ls10).Chain)
        {
            Assert.True(certificate.Der.Span.IndexOf("99991231235959Z"u8) > 0);
        }
    }

    [Fact]
    public void Level_2_and_3_of_a_rim_chain_write_dates_before_2050_as_generalized_time()
    {
        var chain = simulator.Authority.IssueRimSigner(DeviceFamily.Hopper).Chain;

        Assert.Equal([false, true, true, false], chain.Select(certificate => certificate.Der.Span.IndexOf("20241122000000Z"u8) > 0));
    }

    [Theory]
    [InlineData(DeviceFamily.Hopper, "2.23.133.5.4.1", 189)]
    [InlineData(DeviceFamily.Ls10, "2.23.133.5.4.1", 189)]
    [InlineData(DeviceFamily.Blackwell, "2.23.133.5.4.1.1", 180)]
    public void The_leaf_certifies_the_firmware_identity_in_the_extension_of_its_family(DeviceFamily family, string oid, int size)
    {
        var fwid = SHA384.HashData("firmware"u8);
        using var leaf = Load(simulator.Authority.IssueDevice(family, new byte[8], fwid));

        var extension = Assert.Single(leaf.Extensions, extension => extension.Oid?.Value == oid);
        Assert.Equal(size, extension.RawData.Length);
        Assert.True(extension.RawData.AsSpan().IndexOf(fwid) > 0);
    }

    private SimulatedCertificate Device(DeviceFamily family) =>
        simulator.Authority.IssueDevice(family, RandomNumberGenerator.GetBytes(8), new byte[48]);

    private static X509Certificate2 Load(SimulatedCertificate certificate) => X509CertificateLoader.LoadCertificate(certificate.Der.Span);

    private PeerAnswer Verify(SimulatedCertificate leaf, params IEnumerable<string> options) => Verify(leaf, leaf.Chain[^1], options);

    private PeerAnswer Verify(SimulatedCertificate leaf, SimulatedCertificate root, params IEnumerable<string> options) => Peer.Require("openssl").Run([
            "verify", .. options, "-attime", SimulatorFixture.UnixTime, "-CAfile", simulator.Save(root.Pem),
            "-untrusted", simulator.Save(leaf.Chain[1].ChainPem), simulator.Save(leaf.Pem),
        ]);
}
