using System.Collections.Immutable;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Composite;

/// <summary>
/// A simulated cloud guest behind a paravisor, or a guest that poses as one, with the devices of <see cref="SimulatedCvm"/>; and a relying
/// party whose reference values name a bare-metal image, a paravisor, and what boots behind the latter.
/// </summary>
internal sealed class AzureWorld : IDisposable
{
    public const string Paravisor = "the cloud's paravisor";

    private readonly SimulatedCvm _cvm = new();
    private readonly SimulatedBoot _boot;

    public AzureWorld() => _boot = _cvm.Boot();

    public void Dispose() => _cvm.Dispose();

    public static TdxReference TdParavisor { get; } = new() { Name = Paravisor, MrTd = new Digest(SimulatedAzure.ParavisorMrTd), Rtmr = [null, null, null, null], IsParavisor = true };

    public static SnpReference SnpParavisor { get; } = new() { Name = Paravisor, Measurement = new Digest(SimulatedAzure.ParavisorMeasurement), IsParavisor = true };

    // Of an ordinary guest that the relying party knows, on bare metal.
    private TdxReference BareTd => new() { Name = "bare metal", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. _boot.Rtmrs.Take(3).Select(register => (Digest?)new Digest(register.Span)), null] };

    private static SnpReference BareSnp => new() { Name = "bare metal", Measurement = new Digest(SimulatedSnp.GoodMeasurement) };

    /// <summary>The PCRs of the guest's boot, as a manifest names them.</summary>
    public TpmReference Pcrs(string? paravisor = Paravisor, params int[] registers) => new()
    {
        Name = "boot",
        Bank = TcgHash.Sha256,
        Values = (registers.Length == 0 ? [4, 7, 9] : registers).ToImmutableSortedDictionary(register => register, register => new Digest(_boot.Pcrs[register].Span)),
        Paravisor = paravisor,
    };

    public Verdict Judge(bool isTdx, bool poses, Func<ProcessorExpectations, ProcessorExpectations>? with = null, Func<SimulatedAzureOptions, SimulatedAzureOptions>? options = null, bool withGate = true)
    {
        var (key, devices) = (_cvm.Binding, _cvm.Evidence(_cvm.Binding));
        var additional = AdditionalEvidence.Of(devices);
        var chosen = poses ? SimulatedAzureOptions.Poser with { Tdx = TdxGuest.BareMetal with { Rtmr = _boot.Rtmrs } } : new SimulatedAzureOptions();
        chosen = options is null ? chosen : options(chosen);
        var made = isTdx
            ? SimulatedAzure.OnTdx(SimulatedCpu.Intel, _boot, key.QualifyingData(additional), chosen)
            : SimulatedAzure.OnSnp(SimulatedCpu.Amd, SnpLine.Milan, _boot, key.QualifyingData(additional), chosen);
        Assert.True(ProcessorEvidence.TryParse(made.Evidence, "azure", out var cpu, out var fault), fault?.ToString());
        var collateral = new ProcessorCollateral
        {
            Tdx = made.Tdx is { } tdx && TdxCollateral.TryParse(tdx.Collateral, out var statements, out _) ? statements : TdxCollateral.Empty,
            Snp = made.Snp is { } snp ? new SnpCollateral { Certificates = [.. snp.Certificates.Select(der => (ReadOnlyMemory<byte>)der)], Crl = snp.Crl } : SnpCollateral.Empty,
        };
        var expected = new ProcessorExpectations
        {
            Key = key,
            AdditionalEvidence = additional,
            ReportData = null,
            TdxReferences = [BareTd, TdParavisor],
            SnpReferences = [BareSnp, SnpParavisor],
            SnpMinimumTcb = ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty.Add(SnpProduct.Milan, new SnpTcbParts(0, 4, 1, 24, 213)),
            TpmReferences = [Pcrs()],
            Registers = [SimulatedBoot.GatePcr],
            Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), SimulatedCvm.Trust, RevocationChecking.Required),
        };
        var boot = new BootExpectations { RequireSecureBoot = withGate, Gate = withGate ? SimulatedCvm.Gate(SimulatedBoot.GatePcr, null) : null };
        ImmutableArray<ReadOnlyMemory<byte>> logs = withGate ? [_boot.TcgLog(), _boot.JsonPcrLog()] : [];
        var parts = MachineAppraisal.Join(SimulatedCvm.Judge(devices, key), cpu, logs, collateral, with is null ? expected : with(expected), boot, new VerifierCache());
        return Verdict.Of(parts, SimulatedCvm.Expected with { DangerouslyAcceptedBinding = withGate ? GpuBinding.BootEvent : GpuBinding.None }, RelyingPartyPolicy.Default, ClaimsVersion.V4);
    }

    public static string[] Failed(Verdict verdict) =>
        [.. verdict.Machine!.Parts.ProcessorFindings.Concat(verdict.Machine.Parts.Boot?.Findings ?? []).Concat(verdict.Machine.Findings).Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
}
