using System.Globalization;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Tests.Reference;

public class RecordedRimTests
{
    public static TheoryData<string> Genuine => Recorded.Present
        ? [.. Directory.EnumerateFiles(Recorded.PathOf("nvidia/rims"), "*.xml", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Recorded.Root!, file)).Order(StringComparer.Ordinal)]
        : [RimText.DriverFile];

    [Theory]
    [MemberData(nameof(Genuine))]
    public void A_recorded_RIM_is_authentic(string file)
    {
        var cache = new VerifierCache();
        var outcome = AuthenticRim.Authenticate(Parse(Recorded.Bytes(file)), TrustSet.Nvidia, cache);

        Assert.Null(outcome.ChainFault);
        Assert.Null(outcome.SignatureFault);
        Assert.NotNull(outcome.Rim);
        Assert.Equal(4, outcome.Rim.Path.Certificates.Length);
        Assert.Equal(4, cache.Meter.SignatureVerifications);
        Assert.Equal("NVIDIA CoRIM signing Root CA", outcome.Rim.Path.Anchor.Label);
        Assert.Equal("5703", outcome.Rim.Document.FirmwareManufacturerId);
        Assert.Equal(64, outcome.Rim.Document.Measurements.Length);
    }

    [Theory]
    [MemberData(nameof(Genuine))]
    public void Xmlsec_believes_the_RIMs_that_we_believe(string file)
    {
        var (exitCode, output) = Xmlsec(Recorded.PathOf(file));

        Assert.True(exitCode == 0, output);
    }

    [Theory]
    [InlineData("incorrect_signature_driver_rim.xml", false, "ds:SignatureValue does not verify under the key of certificate 0")]
    [InlineData("NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml", true, "the digest of the document differs")]
    [InlineData("NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml", true, "the digest of the document differs")]
    [InlineData("NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml", true, "the digest of the document differs")]
    public void A_doctored_RIM_is_refused_for_its_defect(string file, bool digestDiffers, string reason)
    {
        var path = "nvidia/negative/rims/" + file;
        var outcome = AuthenticRim.Authenticate(Parse(Recorded.Bytes(path)), TrustSet.Nvidia, new VerifierCache());

        Assert.Null(outcome.Rim);
        Assert.Null(outcome.ChainFault);
        Assert.StartsWith(reason, outcome.SignatureFault, StringComparison.Ordinal);
        Assert.Equal(digestDiffers, outcome.DocumentDigestDiffers);
        Assert.NotEqual(0, Xmlsec(Recorded.PathOf(path)).ExitCode);
    }

    [Fact]
    public void The_VBIOS_RIM_with_another_measurement_is_validly_signed()
    {
        const string file = "nvidia/negative/rims/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml";
        var outcome = AuthenticRim.Authenticate(Parse(Recorded.Bytes(file)), TrustSet.Nvidia, new VerifierCache());

        Assert.NotNull(outcome.Rim);
        Assert.Equal("2025-12-12", outcome.Rim.Path.EarliestNotAfter.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        Assert.Equal(0, Xmlsec(Recorded.PathOf(file)).ExitCode);
    }

    [Fact]
    public void A_RIM_signer_is_not_believed_under_another_root()
    {
        var otherRoot = Recorded.Text("nvidia/roots/nvidia-corim-root-ca001.pem");
        var device = Recorded.Text("nvidia/roots/verifier_device_root.pem");
        var json = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { version = 1, kind = "custom", name = "other", device = new[] { device + "\n" }, rim = new[] { otherRoot + "\n" } });
        Assert.True(TrustSet.TryParse(json, out var other, out var fault), fault?.ToString());

        var outcome = AuthenticRim.Authenticate(Parse(Recorded.Bytes(RimText.DriverFile)), other, new VerifierCache());

        Assert.Null(outcome.Rim);
        Assert.Contains("is not a trusted root", outcome.ChainFault, StringComparison.Ordinal);
        Assert.Null(outcome.SignatureFault);
    }

    [Fact]
    public void The_driver_RIM_says_what_the_SDK_reads_in_it()
    {
        var rim = Parse(Recorded.Bytes(RimText.DriverFile));

        Assert.Equal(("550.144.03", "GPU", "GH100", "r1"), (rim.ColloquialVersion, rim.Edition, rim.Product, rim.Revision));
        var active = rim.Measurements.Where(golden => golden.Active).ToArray();
        Assert.Equal([7, .. Enumerable.Range(21, 20)], active.Select(golden => golden.Index));
        Assert.Equal("4a5e4b3d501fe31f91bd8b6f2921b58437704a504dbedba971440e840c938c805612689ae3ac04b1009515a179063d49", active[0].Alternatives[0].ToString());
        Assert.Empty(rim.MinimumSvns);
    }

    [Fact]
    public void A_second_look_costs_one_hash_and_no_signature()
    {
        var bytes = Recorded.Bytes(RimText.DriverFile);
        var cache = new VerifierCache();
        Assert.False(AuthenticRim.TryFromCache(bytes, TrustSet.Nvidia, cache, out _));
        var first = AuthenticRim.Authenticate(Parse(bytes), TrustSet.Nvidia, cache).Rim;

        Assert.True(AuthenticRim.TryFromCache(bytes, TrustSet.Nvidia, cache, out var second));
        Assert.Same(first, second);
        Assert.Same(first, AuthenticRim.Authenticate(Parse(bytes), TrustSet.Nvidia, cache).Rim);
        Assert.Equal(4, cache.Meter.SignatureVerifications);
    }

    [Fact]
    public void RIMs_of_one_signer_share_the_work_on_its_chain()
    {
        var cache = new VerifierCache();
        foreach (var file in new[] { RimText.DriverFile, "nvidia/negative/rims/incorrect_signature_driver_rim.xml" })
        {
            AuthenticRim.Authenticate(Parse(Recorded.Bytes(file)), TrustSet.Nvidia, cache);
        }

        Assert.Equal(5, cache.Meter.SignatureVerifications);
    }

    internal static RimDocument Parse(byte[] xml)
    {
        Assert.True(RimDocument.TryParse(xml, out var document, out var fault), fault?.ToString());
        return document;
    }

    // xmlsec judges time, and we leave that to a check of its own: an hour after the last certificate began suits every RIM.
    private static PeerAnswer Xmlsec(string file)
    {
        var path = AuthenticRim.Authenticate(Parse(File.ReadAllBytes(file)), TrustSet.Nvidia, new VerifierCache()).Path!;
        var time = path.LatestNotBefore.AddHours(1).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        var roots = Directory.EnumerateFiles(Recorded.PathOf("nvidia/roots"), "*.pem").SelectMany(pem => new[] { "--trusted-pem", pem });
        return Peer.Require("xmlsec1").Run(["--verify", .. roots, "--verification-time", time, "--enabled-key-data", "x509", file]);
    }
}
