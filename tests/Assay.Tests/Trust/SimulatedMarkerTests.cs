using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Simulator;
using Assay.Tests.Simulator;
using Assay.Tests.Trust.Revocation;
using Assay.Trust;

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

    private static string Pem(Certificate certificate) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", certificate.Raw.Span);

    private static byte[] Anchors(string kind, string device, string rim) => Encoding.UTF8.GetBytes(
        new JsonObject { ["version"] = 1, ["kind"] = kind, ["name"] = "test", ["device"] = new JsonArray(device), ["rim"] = new JsonArray(rim) }.ToJsonString());
}
