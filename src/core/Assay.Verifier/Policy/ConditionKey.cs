using System.Collections.Immutable;
using System.Globalization;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Binding;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>How values of a condition key compare. The default is not chosen.</summary>
public enum ConditionKeyType
{
    /// <summary>Not chosen.</summary>
    None,

    /// <summary>ASCII text, compared byte for byte.</summary>
    Text,

    /// <summary>A whole number from 0.</summary>
    Number,

    /// <summary>Decimal numbers with dots, compared number by number.</summary>
    Version,

    /// <summary>Hexadecimal numbers with dots, compared number by number.</summary>
    HexVersion,

    /// <summary>An instant in UTC, as <see cref="Utc"/> writes it.</summary>
    Date,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Bool,
}

/// <summary>
/// What a policy can put a condition on: something that a verdict which passed says of its machine. A key has no value where the evidence does not carry it, and
/// a condition on it then does not hold. No key names one device, platform, key or challenge: known platforms are in the reference values.
/// </summary>
public sealed class ConditionKey
{
    private readonly Func<Verdict, IEnumerable<string?>> _of;

    private ConditionKey(string name, ConditionKeyType type, string meaning, Func<Verdict, IEnumerable<string?>> of, bool ofEachDevice = false) =>
        (Name, Type, Meaning, _of, IsOfEachDevice) = (name, type, meaning, of, ofEachDevice);

    /// <summary>All of them: docs/reference/broker.md lists them. Names are permanent.</summary>
    public static ImmutableArray<ConditionKey> All { get; } =
    [
        One("assay:binding", ConditionKeyType.Text, "how the GPUs are bound to the VM: `boot-event`, `evidence-hash` or `none`", verdict => verdict.Binding),
        One("assay:anchors", ConditionKeyType.Text, "whose anchors: `built-in`, `custom` or `simulated`", verdict => verdict.Anchors),
        One("assay:platform", ConditionKeyType.Text, "whether the machine is on the list of known platforms: `known`, `unknown` or `not-asked`", verdict => verdict.Platform),
        One("assay:evaluated-at", ConditionKeyType.Date, "when the broker judged the evidence, by its own clock", verdict => Utc.Text(verdict.Appraisal.Basis.Time.Instant)),
        One("assay:gpu:count", ConditionKeyType.Number, "how many GPUs", verdict => Count(verdict, DeviceKind.Gpu)),
        One("assay:switch:count", ConditionKeyType.Number, "how many switches", verdict => Count(verdict, DeviceKind.Switch)),
        Each("assay:gpu:model", DeviceKind.Gpu, ConditionKeyType.Text, "the chip that the certificates name", device => device.Device!.Identity.Chip),
        Each("assay:gpu:hwmodel", DeviceKind.Gpu, ConditionKeyType.Text, "NVIDIA's claim `hwmodel`", device => device.Device!.Identity.HardwareModel),
        Each("assay:gpu:project", DeviceKind.Gpu, ConditionKeyType.Text, "the board's project, for example `G520`", device => device.Device!.Fields.Project),
        Each("assay:gpu:project-sku", DeviceKind.Gpu, ConditionKeyType.Text, "the board's SKU, for example `0200`", device => device.Device!.Fields.ProjectSku),
        Each("assay:gpu:chip-sku", DeviceKind.Gpu, ConditionKeyType.Text, "the chip's SKU, for example `885`", device => device.Device!.Fields.ChipSku),
        Each("assay:gpu:driver-version", DeviceKind.Gpu, ConditionKeyType.Version, "the driver, for example `550.90.07`", device => device.Device!.Fields.DriverVersion),
        Each("assay:gpu:vbios-version", DeviceKind.Gpu, ConditionKeyType.HexVersion, "the VBIOS, for example `96.00.9F.00.01`", device => device.Device!.Fields.VbiosVersion),
        Each("assay:gpu:fwid", DeviceKind.Gpu, ConditionKeyType.Text, "SHA-384 of the firmware that the device started, in hexadecimal; drivers before 550 report none", device => device.Device!.Fields.Fwid?.ToString()),
        Each("assay:gpu:measurements", DeviceKind.Gpu, ConditionKeyType.Text, "NVIDIA's `measres`: `success` if all measurements match the reference manifests; else `fail` or `not-run`", MeasurementResult),
        One("assay:gpu:cc-mode", ConditionKeyType.Text, "`on` or `ppcie`, as the measured guest states it; needs `boot-event`", verdict => Gate(verdict)?.Attestation?.Cc switch { BootCcMode.On => "on", BootCcMode.Ppcie => "ppcie", _ => null }),
        Each("assay:switch:model", DeviceKind.Switch, ConditionKeyType.Text, "the chip that the certificates name", device => device.Device!.Identity.Chip),
        Each("assay:switch:bios-version", DeviceKind.Switch, ConditionKeyType.HexVersion, "the switch's BIOS, for example `96.10.55.00.01`", device => device.Device!.Fields.VbiosVersion),
        One("assay:cpu:tee", ConditionKeyType.Text, "`tdx` or `snp`", verdict => verdict.Machine?.Parts.Cpu?.Tee is { Passed: true } tee ? tee.Word : null),
        One("assay:cpu:tcb-status", ConditionKeyType.Text, "Intel's status, for example `UpToDate`; for SNP `UpToDate` or `OutOfDate` by the minimum TCB of the reference values", verdict => Status(verdict)),
        One("assay:cpu:measurement", ConditionKeyType.Text, "MRTD or MEASUREMENT: the firmware with TDX, the paravisor on Azure", verdict => verdict.Machine?.Parts.Cpu?.Tee?.LaunchMeasurement?.ToString()),
        One("assay:image:name", ConditionKeyType.Text, "the name of the reference value that the VM's image matches", Image),
        One("assay:tdx:rtmr0", ConditionKeyType.Text, "RTMR0: the configuration of the firmware", verdict => Tdx(verdict)?.Body.Rtmr[0].ToString()),
        One("assay:tdx:rtmr1", ConditionKeyType.Text, "RTMR1: what the firmware started", verdict => Tdx(verdict)?.Body.Rtmr[1].ToString()),
        One("assay:tdx:rtmr2", ConditionKeyType.Text, "RTMR2: kernel, command line and initrd", verdict => Tdx(verdict)?.Body.Rtmr[2].ToString()),
        One("assay:tdx:mrseam", ConditionKeyType.Text, "MRSEAM: the TDX module", verdict => Tdx(verdict)?.Body.MrSeam.ToString()),
        One("assay:tdx:mrconfigid", ConditionKeyType.Text, "MRCONFIGID: what the launch committed to", verdict => Tdx(verdict)?.Body.MrConfigId.ToString()),
        One("assay:tdx:mrowner", ConditionKeyType.Text, "MROWNER", verdict => Tdx(verdict)?.Body.MrOwner.ToString()),
        One("assay:tdx:mrownerconfig", ConditionKeyType.Text, "MROWNERCONFIG", verdict => Tdx(verdict)?.Body.MrOwnerConfig.ToString()),
        One("assay:tdx:tcb-date", ConditionKeyType.Date, "the tcbDate of the platform's TCB level", verdict => Tdx(verdict)?.TcbDate is { } date ? Utc.Text(date) : null),
        One("assay:tdx:tcb-evaluation-data-number", ConditionKeyType.Number, "the number of Intel's TCB information", verdict => Text(Tdx(verdict)?.EvaluationDataNumber)),
        One("assay:snp:product", ConditionKeyType.Text, "the processor's generation: `Milan`, `Genoa` or `Turin`", verdict => Snp(verdict)?.Authentic.Endorsement.Product.ToString()),
        One("assay:snp:bootloader-svn", ConditionKeyType.Number, "REPORTED_TCB, boot loader", verdict => Text(Tcb(verdict)?.BootLoader)),
        One("assay:snp:tee-svn", ConditionKeyType.Number, "REPORTED_TCB, TEE", verdict => Text(Tcb(verdict)?.Tee)),
        One("assay:snp:snp-svn", ConditionKeyType.Number, "REPORTED_TCB, SNP firmware", verdict => Text(Tcb(verdict)?.Snp)),
        One("assay:snp:microcode-svn", ConditionKeyType.Number, "REPORTED_TCB, microcode", verdict => Text(Tcb(verdict)?.Microcode)),
        One("assay:snp:host-data", ConditionKeyType.Text, "HOST_DATA: what the launch committed to", verdict => Snp(verdict)?.Authentic.Report.HostData.ToString()),
        One("assay:snp:id-key-digest", ConditionKeyType.Text, "ID_KEY_DIGEST", verdict => Snp(verdict)?.Authentic.Report.IdKeyDigest.ToString()),
        One("assay:snp:author-key-digest", ConditionKeyType.Text, "AUTHOR_KEY_DIGEST", verdict => Snp(verdict)?.Authentic.Report.AuthorKeyDigest.ToString()),
        One("assay:snp:guest-svn", ConditionKeyType.Number, "GUEST_SVN", verdict => Text(Snp(verdict)?.Authentic.Report.GuestSvn)),
        One("assay:boot:secure-boot", ConditionKeyType.Bool, "whether firmware verified what it booted; no value where the log does not tell", verdict => SecureBoot(verdict)),
        One("assay:gate:policy", ConditionKeyType.Text, "the digest of what the boot gate expected (`gpu-policy`); needs `boot-event`", verdict => Gate(verdict)?.Policy?.Expectation.ToString()),
        One("assay:gate:bundle-sequence", ConditionKeyType.Number, "the sequence of the collateral bundle that the gate used; needs `boot-event`", verdict => Text(Gate(verdict)?.Attestation?.Bundle?.Sequence)),
        One("assay:model", ConditionKeyType.Text, "the digest of the model that was opened before the boundary; needs `boot-event`", verdict => Gate(verdict)?.Model?.Digest.ToString()),
        One("assay:workload", ConditionKeyType.Text, "the digest of the workload that was named before the boundary; needs `boot-event`", verdict => Gate(verdict)?.Workload?.Digest.ToString()),
    ];

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>How its values compare.</summary>
    public ConditionKeyType Type { get; }

    /// <summary>What it says.</summary>
    public string Meaning { get; }

    /// <summary>Whether each device has a value of its own, so that there may be several. If one has none, there is no value at all.</summary>
    public bool IsOfEachDevice { get; }

    /// <summary>The key of this name, exactly as it is written; null if no key has it.</summary>
    public static ConditionKey? Find(string name) => All.FirstOrDefault(key => key.Name == name);

    /// <summary>Its values: different ones, sorted. None of a verdict that did not pass.</summary>
    public ImmutableArray<string> Of(Verdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        if (!verdict.Passed || verdict.Appraisal.Devices.Any(device => device.Device is null))
        {
            return [];
        }

        string?[] values = [.. _of(verdict)];
        // One device that reports nothing must not hide behind the others.
        return values.Any(string.IsNullOrEmpty) ? [] : [.. values.OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }

    private static ConditionKey One(string name, ConditionKeyType type, string meaning, Func<Verdict, string?> of) => new(name, type, meaning, verdict => [of(verdict)]);

    private static ConditionKey Each(string name, DeviceKind kind, ConditionKeyType type, string meaning, Func<DeviceResult, string?> of) =>
        new(name, type, meaning, verdict => verdict.Appraisal.Devices.Where(device => device.Kind == kind).Select(of), ofEachDevice: true);

    private static string Count(Verdict verdict, DeviceKind kind) => verdict.Appraisal.Devices.Count(device => device.Kind == kind).ToString(CultureInfo.InvariantCulture);

    private static string? Text(long? number) => number?.ToString(CultureInfo.InvariantCulture);

    private static string MeasurementResult(DeviceResult device) => !device.AllRimsUsable ? "not-run" : device.MeasurementsMatch ? "success" : "fail";

    // What the gate wrote counts only where it binds these very devices to this VM.
    private static BootRecord? Gate(Verdict verdict) => verdict is { Binding: "boot-event", Machine.Parts.Boot: { CarriesBootEvent: true, Record: { } record } } ? record : null;

    private static TdxClaims? Tdx(Verdict verdict) => verdict.Machine?.Parts.Cpu?.Tee?.Claims as TdxClaims;

    private static SnpClaims? Snp(Verdict verdict) => verdict.Machine?.Parts.Cpu?.Tee?.Claims as SnpClaims;

    private static SnpTcbParts? Tcb(Verdict verdict) => Snp(verdict)?.Authentic is { } authentic ? authentic.Report.ReportedTcb.Parts(authentic.Endorsement.Product) : null;

    private static string? Status(Verdict verdict) => verdict.Machine?.Parts.Cpu?.Tee?.TcbStatus is { } status and not Reference.Intel.TcbStatus.None ? status.ToString() : null;

    // Behind a paravisor the image is what the TPM measured, and the hardware measured the paravisor.
    private static string? Image(Verdict verdict) => verdict.Machine?.Parts.Cpu is { } cpu ? cpu.Tpm is { } tpm ? tpm.Boot?.Name : cpu.Tee?.Known?.Name : null;

    private static string? SecureBoot(Verdict verdict) => verdict.Machine?.Parts.Boot?.Facts?.SecureBoot switch { SecureBootState.On => "true", SecureBootState.Off => "false", _ => null };
}
