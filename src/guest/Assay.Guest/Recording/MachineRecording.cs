using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Guest.Sources;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Guest.Recording;

/// <summary>
/// <c>assay-guest record DIR</c>: collects on a real machine what no recording has (S-27), as files that can become vectors, and says in a summary what
/// was collected and what was not. It judges nothing and changes nothing on the machine.
/// </summary>
internal sealed class MachineRecording(GuestSources sources, string folder, bool replacesIdentities, TimeProvider clock)
{
    private const int LargestLog = 16 * 1024 * 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    // The nonce of every recording: known, so that a vector can state it.
    private static readonly Nonce s_nonce = Nonce.TryCreate(SHA256.HashData("assay-guest record 1"u8), out var nonce) ? nonce : throw new InvalidOperationException("32 bytes are a nonce");

    private readonly List<(string Item, bool Had, string Said)> _lines = [];
    private readonly Identities _identities = new();

    /// <summary>Collects everything. The summary can be pasted into a report: it names no serial number.</summary>
    public async Task<string> RunAsync(CancellationToken cancellation)
    {
        Try("NVML: state of the driver", () => sources.Gpus.Read() is var system ? Save("nvml-system.txt", Encoding.UTF8.GetBytes($"{system}\n")) : "");
        Try("NVML: ready state", () => Save("nvml-ready.txt", Encoding.UTF8.GetBytes($"{sources.Gpus.IsReady()}\n")));
        var gpus = Collect("NVML: reports and chains", () => sources.Gpus.Collect(s_nonce));
        Try("NSCQ: TNVL modes", () => Save("nscq-modes.txt", Encoding.UTF8.GetBytes($"{string.Join(' ', sources.Switches.Modes())}\n")));
        var switches = Collect("NSCQ: reports and chains", () => sources.Switches.Collect(s_nonce));
        Save(gpus, "gpu");
        Save(switches, "switch");
        Vm();
        Try("measured register", () => Save("rtmr3.txt", Encoding.UTF8.GetBytes($"{sources.Register(null).Read()}\n")));
        await CollateralAsync([.. gpus, .. switches], cancellation).ConfigureAwait(false);
        var summary = Summary();
        Save("SUMMARY.txt", Encoding.UTF8.GetBytes(summary));
        return summary;
    }

    // Processor, TPM and boot logs name chip, VM and disks in places that only their signers know all of.
    private void Vm()
    {
        if (replacesIdentities)
        {
            _lines.Add(("processor, TPM and boot logs", false, "left out, because they name this machine in many places"));
            return;
        }

        Try("TSM: report of the processor", () => sources.Cpu.Report([.. s_nonce.Bytes, .. new byte[32]]) is var report ? Save($"{report.Tee}.bin", report.Bytes) : "");
        Try("TDREPORT of /dev/tdx_guest", () => Save("tdreport.bin", TdxGuestDevice.Report([.. s_nonce.Bytes, .. new byte[32]])));
        Vtpm();
        Try("firmware's event log (CCEL)", () => sources.Cpu.FirmwareLog() is { Length: > 0 } log ? Save("ccel.bin", log) : throw new GuestException("record.absent", "there is none", "only TDX guests have one"));
        Try("TPM's event log", () => BoundedFile.TryRead("/sys/kernel/security/tpm0/binary_bios_measurements", LargestLog, out var log, out var whyNot) ? Save("tpm-log.bin", log.ToArray()) : throw new GuestException("record.absent", whyNot, "only guests with a TPM have one"));
    }

    // The quote and the HCL report by themselves too: the evidence around them needs what only the cloud's metadata service has.
    private void Vtpm()
    {
        VtpmReport? report = null;
        Try("vTPM: HCL report and quote", () => (report = sources.Vtpm?.Report([.. s_nonce.Bytes, .. new byte[32]]) as VtpmReport) is not null
            ? $"{Save("hcl-report.bin", report.HclReport)}; {Save("tpm-quote.msg", report.Message)}; {Save("tpm-quote.sig", report.Signature)}"
            : throw new GuestException("record.absent", "the TPM has no HCL report", "only guests behind Azure's paravisor have one"));
        if (report is not null)
        {
            Try("vTPM: evidence of the processor", () => Save($"{report.Tee}.json", sources.Vtpm!.Complete(report).Bytes));
        }
    }

    private ImmutableArray<DeviceEvidence> Collect(string item, Func<ImmutableArray<DeviceEvidence>> collect)
    {
        ImmutableArray<DeviceEvidence> all = [];
        Try(item, () =>
        {
            all = collect();
            foreach (var device in all)
            {
                _identities.Learn(device.Chain.Span);
            }

            return string.Create(CultureInfo.InvariantCulture, $"{all.Length} devices");
        });
        return all;
    }

    // After all were learned: devices name one another.
    private void Save(ImmutableArray<DeviceEvidence> devices, string name)
    {
        foreach (var (index, device) in devices.Index())
        {
            Save(string.Create(CultureInfo.InvariantCulture, $"{name}-{index}.report"), Named(device.Report));
            Save(string.Create(CultureInfo.InvariantCulture, $"{name}-{index}.pem"), replacesIdentities ? _identities.ApplyPem(device.Chain.Span) : device.Chain.ToArray());
        }
    }

    private byte[] Named(ReadOnlyMemory<byte> content) => replacesIdentities ? _identities.Apply(content.Span) : content.ToArray();

    // What a verification asks NVIDIA's services for, as they answer it. Nothing is concluded from the verdict.
    private async Task CollateralAsync(ImmutableArray<DeviceEvidence> evidence, CancellationToken cancellation)
    {
        if (evidence.IsEmpty)
        {
            _lines.Add(("RIMs, OCSP answers and lists", false, "no device answered, so nothing is known to ask for"));
            return;
        }

        using var upstream = new HttpUpstream(UpstreamOptions.Manufacturers);
        var saving = new SavingSource(upstream, (name, body) => Save(name, Named(body)));
        var expected = new MachineExpectations { Nonce = s_nonce, Basis = new TrustBasis(new EvaluationTime(clock.GetUtcNow(), TimeSource.System), sources.Trust, RevocationChecking.Required) };
        var appraiser = new MachineAppraiser(new CollateralSources { Rims = saving, Ocsp = saving }, new VerifierCache()) { Patience = s_patience, Time = clock };
        var verdict = await appraiser.AppraiseAsync(new MachineEvidence { Devices = evidence }, expected, cancellation: cancellation).ConfigureAwait(false);
        _lines.Add(("RIMs, OCSP answers and lists", saving.Saved > 0, string.Create(CultureInfo.InvariantCulture, $"{saving.Saved} items, {saving.Missed} could not be fetched; the verdict over all of it: {verdict.Word}")));
    }

    private void Try(string item, Func<string> collect)
    {
        try
        {
            _lines.Add((item, true, collect()));
        }
        catch (GuestException exception)
        {
            _lines.Add((item, false, $"{exception.Fault.Id}: {exception.Fault.Reason}"));
        }
    }

    private string Save(string name, byte[] content)
    {
        try
        {
            // New, and no link: the folder may be another user's.
            using (var file = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(content);
            }

            return string.Create(CultureInfo.InvariantCulture, $"{name}, {content.Length} bytes, SHA-256 {Convert.ToHexStringLower(SHA256.HashData(content))[..16]}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("record.folder", exception.Message, "give an empty folder that can be written");
        }
    }

    private string Summary()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"assay-guest record, {Utc.Text(clock.GetUtcNow())}, nonce {s_nonce}, identities {(replacesIdentities ? "replaced: signatures over them no longer verify; public keys stay, and still tell devices apart" : "as they are")}");
        foreach (var (item, had, said) in _lines)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{(had ? "collected    " : "not collected")}  {item}: {said}");
        }

        return text.ToString();
    }

    private sealed class SavingSource(ICollateralSource source, Func<string, byte[], string> save) : ICollateralSource
    {
        private int _saved;
        private int _missed;

        public int Saved => Volatile.Read(ref _saved);

        public int Missed => Volatile.Read(ref _missed);

        public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            var answer = await source.FetchAsync(question, cancellation).ConfigureAwait(false);
            if (answer.Item is { } item)
            {
                var number = Interlocked.Increment(ref _saved);
                save(string.Create(CultureInfo.InvariantCulture, $"collateral-{number:000}-{question.Key.Kind}.bin"), item.Body.ToArray());
            }
            else
            {
                Interlocked.Increment(ref _missed);
            }

            return answer;
        }
    }
}
