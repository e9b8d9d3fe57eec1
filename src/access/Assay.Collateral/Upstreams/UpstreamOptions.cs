using System.Collections.Immutable;
using Assay.Collateral.Http;

namespace Assay.Collateral.Upstreams;

/// <summary>The services that are asked, one for each family of items. What is null is not asked at all.</summary>
public sealed record UpstreamOptions
{
    /// <summary>NVIDIA's RIM service; <c>/v1/rim/{id}</c> is asked below it.</summary>
    public ServiceAddress? Rim { get; init; }

    /// <summary>NVIDIA's OCSP responder, asked by POST at exactly this address.</summary>
    public ServiceAddress? Ocsp { get; init; }

    /// <summary>NVIDIA's revocation lists, asked for by name below it. They are signed: plain http is what their certificates name.</summary>
    public ServiceAddress? Crl { get; init; }

    /// <summary>Intel's Provisioning Certification Service, or a PCCS.</summary>
    public ServiceAddress? Intel { get; init; }

    /// <summary>The revocation list of Intel's root, which Intel serves at an address of its own; null: <c>/sgx/certification/v4/rootcacrl</c> of <see cref="Intel"/>, as a PCCS has it.</summary>
    public ServiceAddress? IntelRootCrl { get; init; }

    /// <summary>No service at all is asked for that list.</summary>
    public bool OmitIntelRootCrl { get; init; }

    /// <summary>AMD's Key Distribution Service.</summary>
    public ServiceAddress? Amd { get; init; }

    /// <summary>Key sets of token issuers that the site trusts, by the name under which they are served.</summary>
    public ImmutableDictionary<string, ServiceAddress> KeySets { get; init; } = ImmutableDictionary<string, ServiceAddress>.Empty;

    /// <summary>How all of them are asked. Its key goes to NVIDIA's services alone.</summary>
    public CollateralHttpOptions Http { get; init; } = new() { BreakAfter = 10 };

    /// <summary>Intel's key for PCK certificates; null for none.</summary>
    public SecretText? IntelKey { get; init; }

    /// <summary>What to say about an item whose service is not asked: how a user of the program has it asked.</summary>
    public string WhyNotConfigured { get; init; } = "no upstream is configured for it";

    /// <summary>The manufacturers' own addresses.</summary>
    public static UpstreamOptions Manufacturers { get; } = new()
    {
        Rim = RimServiceClient.NvidiaBaseAddress,
        Ocsp = OcspClient.NvidiaAddress,
        Crl = ServiceAddress.Known("https://crl.ndis.nvidia.com/crl"),
        Intel = ServiceAddress.Known("https://api.trustedservices.intel.com"),
        IntelRootCrl = ServiceAddress.Known("https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"),
        Amd = ServiceAddress.Known("https://kdsintf.amd.com"),
    };
}
