using System.Globalization;
using Assay.Evidence.Snp;

namespace Assay.Endorsements;

/// <summary>
/// The whole address at which a manufacturer serves an item, for people who fetch it themselves. Made of keys alone, which hold letters and digits;
/// nothing here asks for anything.
/// </summary>
public static class ManufacturerAddress
{
    /// <summary>Of NVIDIA's OCSP responder, which is asked by POST.</summary>
    public const string NvidiaOcsp = "https://ocsp.ndis.nvidia.com/";

    /// <summary>Azure's copy of a VM's own certificates: answered inside the VM alone, with the header Metadata: true.</summary>
    public const string AzureThim = "http://169.254.169.254/metadata/THIM/amd/certification";

    private const string Intel = "https://api.trustedservices.intel.com";
    private const string Amd = "https://kdsintf.amd.com";
    private const int TurinChipDigits = 16;

    /// <summary>Where it is; null for kinds that are not fetched by a plain address.</summary>
    /// <param name="key">The item.</param>
    public static string? Of(CollateralKey key) => (key.Kind, key.Id.Split('/')) switch
    {
        (CollateralKind.Rim, [var id]) => $"https://rim.attestation.nvidia.com/v1/rim/{id}",
        (CollateralKind.TcbInfo, [var technology, var fmspc, var update]) => $"{Intel}/{technology}/certification/v4/tcb?fmspc={fmspc}&update={update}",
        (CollateralKind.QeIdentity, [var technology, var update]) => $"{Intel}/{technology}/certification/v4/qe/identity?update={update}",
        (CollateralKind.PckCrl, [var authority]) => $"{Intel}/sgx/certification/v4/pckcrl?ca={authority}&encoding=der",
        (CollateralKind.RootCrl, _) => "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        (CollateralKind.AmdChain, [var leaf, var product]) => $"{Amd}/{leaf}/v1/{product}/cert_chain",
        (CollateralKind.AmdCrl, [var leaf, var product]) => $"{Amd}/{leaf}/v1/{product}/crl",
        (CollateralKind.Vcek, [var name, var chip, var tcb]) when Enum.TryParse<SnpProduct>(name, out var product) && ulong.TryParse(tcb, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var levels) =>
            $"{Amd}/vcek/v1/{name}/{(product is SnpProduct.Turin && chip.Length > TurinChipDigits ? chip[..TurinChipDigits] : chip)}?{ItemVerification.EndorsementQuery(product, new SnpTcb(levels))}",
        _ => null,
    };
}
