using System.Collections.Immutable;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Trust;

public class CertificationPathTests
{
    public static TheoryData<string> DeviceChains =>
    [
        "nvidia/gpu/hopper_535.86.09/hopperCertChain.txt",
        "nvidia/gpu/hopper_545.00_full_offline/gpuAkCertChain.txt",
        "nvidia/gpu/blackwell_575.32/blackwellCertChain.txt",
        "nvidia/switch/ls10_96.10.55.00.01_full_offline/switchCertChain.txt",
        "nvidia/sdk2x/blackwellFspCertChain.txt",
        "nvidia/sdk2x/rubin_chain_derived.pem",
    ];

    [Theory]
    [MemberData(nameof(DeviceChains))]
    public void A_recorded_device_chain_ends_at_the_pinned_device_root(string file)
    {
        var chain = Read(Recorded.Bytes(file));
        var cache = new VerifierCache();

        var certified = CertificationPath.TryCertify(chain, TrustSet.Nvidia, PathPurpose.Device, cache, out var path, out var whyNot);

        Assert.True(certified, whyNot);
        Assert.Equal(5, path!.Certificates.Length);
        Assert.Equal(4, cache.Meter.SignatureVerifications);
        Assert.Equal("NVIDIA Device Identity CA", path.Anchor.Label);
    }

    internal static ImmutableArray<Certificate> Read(byte[] pem)
    {
        Assert.True(Pem.TryDecode(pem, out var blocks, out var fault), fault?.ToString());
        return [.. blocks.Select(block => Certificate.TryParse(block.Span, out var certificate, out var why) ? certificate : throw new InvalidOperationException(why.ToString()))];
    }
}
