using System.Text;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

public class SimulatedRimTests(SimulatorFixture simulator) : IClassFixture<SimulatorFixture>
{
    public static TheoryData<string> Ids => [.. s_drafts.Select(draft => draft.Id)];

    private static readonly RimDraft[] s_drafts =
    [
        .. RimDraft.For(DeviceProfile.HopperEarly),
        .. RimDraft.For(DeviceProfile.HopperNvdaod).Select(draft => draft with { MinimumSvns = [new(37, "FSP_UCODE_MIN_SVN", 3, true)] }),
        .. RimDraft.For(DeviceProfile.Blackwell),
        .. RimDraft.For(DeviceProfile.Ls10),
    ];

    [Theory]
    [MemberData(nameof(Ids))]
    public void Xmlsec_accepts_a_simulated_rim_under_the_signers_key(string id)
    {
        var rim = Signed(id);

        Assert.True(Verify(rim.Xml, rim.Signer) is { Accepted: true });
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Xmlsec_refuses_a_rim_in_which_one_character_changed(string id)
    {
        var rim = Signed(id);
        var tampered = Encoding.UTF8.GetString(rim.Xml.Span).Replace("name=\"Measurement_63\"", "name=\"Measurement_64\"", StringComparison.Ordinal);

        var answer = Verify(Encoding.UTF8.GetBytes(tampered), rim.Signer);

        Assert.False(answer.Accepted);
        Assert.Contains("digest do not match", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Xmlsec_refuses_a_rim_under_another_signers_key()
    {
        var rim = Signed(s_drafts[0].Id);

        Assert.False(Verify(rim.Xml, simulator.Authority.IssueRimSigner(DeviceFamily.Hopper)).Accepted);
    }

    [Fact]
    public void Xmlsec_follows_the_marked_chain_to_the_simulators_root()
    {
        var rim = Signed(s_drafts[0].Id);

        var answer = Peer.Require("xmlsec1").Run("--verify", "--verification-time", "2026-11-22 12:00:00", "--trusted-pem", simulator.Save(simulator.Authority.RimRoot.Pem), simulator.Save(rim.Xml));

        Assert.True(answer.Accepted, answer.Output);
    }

    [Fact]
    public void Xmlsec_finds_no_trusted_key_when_it_has_to_follow_a_critically_marked_chain()
    {
        using var authority = SimulatedAuthority.Create(SimulatorFixture.Now, criticalMarker: true);
        var rim = SimulatedRim.Sign(s_drafts[0], authority.IssueRimSigner(DeviceFamily.Hopper));

        var answer = Peer.Require("xmlsec1").Run("--verify", "--verification-time", "2026-11-22 12:00:00", "--trusted-pem", simulator.Save(authority.RimRoot.Pem), simulator.Save(rim.Xml));

        Assert.False(answer.Accepted);
        Assert.Contains("unhandled critical extension", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_are_those_that_verifiers_ask_for() => Assert.Equal(
        [
            "NV_GPU_DRIVER_GH100_545.00", "NV_GPU_VBIOS_1010_0200_882_96005E0001",
            "NV_GPU_DRIVER_GH100_620.12", "NV_GPU_VBIOS_G520_0201_884_9600D9000F",
            "NV_GPU_CC_DRIVER_GB100_580.95.05", "NV_GPU_VBIOS_G525_0220_886_970088000F",
            "NV_SWITCH_BIOS_5612_0002_890_9610550001",
        ],
        s_drafts.Select(draft => draft.Id));

    [Fact]
    public void No_index_is_active_in_both_rims_of_a_gpu()
    {
        foreach (var profile in new[] { DeviceProfile.Hopper580, DeviceProfile.Blackwell })
        {
            var active = RimDraft.For(profile).SelectMany(draft => draft.Measurements).Where(measurement => measurement.Active).ToList();

            Assert.Equal(active.Count, active.DistinctBy(measurement => measurement.Index).Count());
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void A_device_reports_one_of_the_values_that_its_rim_allows(string id)
    {
        var (profile, draft) = new[] { DeviceProfile.HopperEarly, DeviceProfile.HopperNvdaod, DeviceProfile.Blackwell, DeviceProfile.Ls10 }
            .SelectMany(profile => RimDraft.For(profile), (profile, draft) => (profile, draft)).Single(pair => pair.draft.Id == id);
        using var device = SimulatedDevice.Create(simulator.Authority, profile);
        var report = device.Report(SimulatorFixture.Nonce);

        foreach (var measurement in draft.Measurements.Where(measurement => measurement.Active))
        {
            var reported = report.AsMemory(37 + 8 + measurement.Index * 55 + 7, 48);
            Assert.Contains(measurement.Values, value => value.Span.SequenceEqual(reported.Span));
        }
    }

    [Fact]
    public void A_rim_embeds_its_signers_four_certificates_in_lines_of_64()
    {
        var rim = Signed(s_drafts[0].Id);
        var text = Encoding.UTF8.GetString(rim.Xml.Span);
        var parts = text.Split("<ds:X509Certificate>")[1..].Select(part => part[..part.IndexOf('<', StringComparison.Ordinal)]).ToList();

        Assert.Equal(rim.Signer.Chain.Select(certificate => Convert.ToHexString(certificate.Der.Span)), parts.Select(part => Convert.ToHexString(Convert.FromBase64String(part))));
        Assert.All(parts, part => Assert.All(part.Split('\n'), line => Assert.InRange(line.Length, 0, 64)));
        Assert.StartsWith("<SoftwareIdentity xmlns=\"http://standards.iso.org/iso/19770/-2/2015/schema.xsd\" xmlns:ns0=", text, StringComparison.Ordinal);
        Assert.EndsWith("</ds:Signature></SoftwareIdentity>\n", text, StringComparison.Ordinal);
    }

    private SimulatedRim Signed(string id)
    {
        var draft = s_drafts.Single(draft => draft.Id == id);
        var family = draft.Product switch { "GH100" => DeviceFamily.Hopper, "GB100" => DeviceFamily.Blackwell, _ => DeviceFamily.Ls10 };
        return SimulatedRim.Sign(draft, simulator.Authority.IssueRimSigner(family));
    }

    /// <summary>With the key given and KeyInfo's certificates left alone, since their mark would be refused.</summary>
    private PeerAnswer Verify(ReadOnlyMemory<byte> xml, SimulatedCertificate signer) => Peer.Require("xmlsec1").Run("--verify", "--enabled-key-data", "key-name", "--pubkey-cert-pem", simulator.Save(signer.Pem), simulator.Save(xml));
}
