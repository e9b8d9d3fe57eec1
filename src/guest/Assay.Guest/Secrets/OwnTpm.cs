using System.Security.Cryptography;
using Assay.Binding;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Sources;

namespace Assay.Guest.Secrets;

/// <summary>
/// One conversation with the TPM of the TEE: the one whose quotes are this VM's evidence, and no other that the host may have plugged in. A key counts only where
/// the attestation key that the HCL report names states that it was made in the same TPM.
/// </summary>
internal sealed class OwnTpm : IDisposable
{
    private readonly ITpmTransport _transport;

    private OwnTpm(ITpmTransport transport, VtpmReport report) => (_transport, Report, Keys) = (transport, report, new TpmKeys(transport));

    /// <summary>The quote of all PCRs with which the conversation began.</summary>
    public VtpmReport Report { get; }

    public TpmKeys Keys { get; }

    /// <exception cref="GuestException"><c>key.tpm</c>: the VM has no TPM inside the TEE; or as <see cref="OwnVtpmReport.Require"/>.</exception>
    public static OwnTpm Open(GuestConfiguration configuration, GuestSources sources)
    {
        if (configuration.Pcr is not { } pcr || sources.Tpm is not { } open)
        {
            throw new GuestException("key.tpm", "this VM has no TPM inside the TEE", "on machines with RTMRs, keep keys in the agent's memory and have them released at each boot");
        }

        var transport = open();
        try
        {
            var data = RandomNumberGenerator.GetBytes(KeyBinding.ReportDataSize);
            var report = new AzureVtpm(transport, new AzureMetadata(), sources.Cpu).TryReport(data)
                ?? throw new GuestException("key.tpm", "the TPM has no HCL report: nothing says that it is inside the TEE", "on such machines, keep keys in the agent's memory and have them released at each boot");
            OwnVtpmReport.Require(report, data, pcr, sources.Register(pcr).Read());
            return new OwnTpm(transport, report);
        }
        catch
        {
            transport.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a key of another TPM.</summary>
    /// <exception cref="GuestException"><c>gate.report.key</c>.</exception>
    public void RequireMadeHere(TpmCreatedKey key)
    {
        var data = RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes);
        OwnVtpmReport.RequireMadeHere(Report, key, data, Keys.Certify(key, AzureVtpm.KeyHandle, data));
    }

    public void Dispose() => _transport.Dispose();
}
