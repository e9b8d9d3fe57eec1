using System.Text;

namespace Assay.Simulator;

/// <summary>
/// Intel's Provisioning Certification Service, version 4, for one simulated platform: TCB information and enclave identities of both
/// technologies and update channels, lists, the PCK certificate, each with its chain in the header that Intel uses, escaped as in a URL.
/// </summary>
public sealed class SimulatedPcs
{
    private const string Json = "application/json";
    private const string ListType = "application/pkix-crl";
    private readonly SimulatedTdx _platform;
    private readonly CpuCertificate _processors;
    private readonly byte[] _processorList;

    private SimulatedPcs(SimulatedTdx platform)
    {
        _platform = platform;
        _processors = platform.Intel.NewPckCa(platform.Intel.Root, ofProcessors: true);
        _processorList = _processors.IssueCrl(1, platform.Intel.Now.AddDays(-10), platform.Intel.Now.AddDays(20));
    }

    /// <summary>The service of the platform that a quote is from.</summary>
    public static SimulatedPcs Of(SimulatedTdx platform)
    {
        ArgumentNullException.ThrowIfNull(platform);
        return new SimulatedPcs(platform);
    }

    /// <summary>The early channel of TCB recoveries is one number ahead.</summary>
    public static int NumberOf(string? channel) => channel == "early" ? SimulatedTdx.EvaluationDataNumber + 1 : SimulatedTdx.EvaluationDataNumber;

    /// <summary>The FMSPC that it knows, hexadecimal.</summary>
    public string Fmspc => _platform.Fmspc;

    /// <summary>The PCE-ID that it knows, hexadecimal.</summary>
    public string PceId => _platform.PceId;

    /// <summary>The revocation list of the root in DER, as Intel serves it at an address of its own.</summary>
    public byte[] RootList => _platform.RootCrl();

    /// <summary>What it answers to GET.</summary>
    /// <param name="path">From <c>/sgx</c> or <c>/tdx</c> on.</param>
    /// <param name="query">A value of the query by its name.</param>
    public SimulatedAnswer Get(string path, Func<string, string?> query)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(query);
        return path.Split('/') switch
        {
            ["", ("sgx" or "tdx") and var technology, "certification", "v4", "tcb"] when string.Equals(query("fmspc"), Fmspc, StringComparison.OrdinalIgnoreCase) =>
                SimulatedAnswer.Of(Json, _platform.TcbInfoBody(technology, NumberOf(query("update"))), ("TCB-Info-Issuer-Chain", Escaped(_platform.TcbSigner.ChainPem))),
            ["", ("sgx" or "tdx") and var technology, "certification", "v4", "qe", "identity"] =>
                SimulatedAnswer.Of(Json, _platform.QeIdentityBody(technology, NumberOf(query("update"))), ("SGX-Enclave-Identity-Issuer-Chain", Escaped(_platform.TcbSigner.ChainPem))),
            ["", "sgx", "certification", "v4", "pckcrl"] when query("ca") == "platform" =>
                SimulatedAnswer.Of(ListType, _platform.PckCrl(), ("SGX-PCK-CRL-Issuer-Chain", Escaped(_platform.PckAuthority.ChainPem))),
            // The authority of platforms with one processor. Some clients ask for its list whatever platform they judge.
            ["", "sgx", "certification", "v4", "pckcrl"] when query("ca") == "processor" =>
                SimulatedAnswer.Of(ListType, _processorList, ("SGX-PCK-CRL-Issuer-Chain", Escaped(_processors.ChainPem))),
            // A PCCS has this path, and answers with hexadecimal text.
            ["", "sgx", "certification", "v4", "rootcacrl"] => SimulatedAnswer.Of(ListType, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RootList))),
            ["", "sgx", "certification", "v4", "pckcert"] when string.Equals(query("pceid"), PceId, StringComparison.OrdinalIgnoreCase) =>
                SimulatedAnswer.Of("application/x-pem-file", Encoding.ASCII.GetBytes(_platform.Pck.Pem), ("SGX-PCK-Certificate-Issuer-Chain", Escaped(_platform.PckAuthority.ChainPem))),
            _ => SimulatedAnswer.NotFound,
        };
    }

    private static string Escaped(string pem) => Uri.EscapeDataString(pem);
}
