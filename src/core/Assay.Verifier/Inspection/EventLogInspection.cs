using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>An event log in any of its forms: what replaying it would give, and every event with what it says of itself.</summary>
internal static class EventLogInspection
{
    private const int ShownCharacters = 96;
    private const int GuestRtmr = 3;

    private static readonly Dictionary<uint, string> s_types = new()
    {
        [0x00] = "EV_PREBOOT_CERT",
        [0x01] = "EV_POST_CODE",
        [0x03] = "EV_NO_ACTION",
        [0x04] = "EV_SEPARATOR",
        [0x05] = "EV_ACTION",
        [0x06] = "EV_EVENT_TAG",
        [0x07] = "EV_S_CRTM_CONTENTS",
        [0x08] = "EV_S_CRTM_VERSION",
        [0x09] = "EV_CPU_MICROCODE",
        [0x0A] = "EV_PLATFORM_CONFIG_FLAGS",
        [0x0B] = "EV_TABLE_OF_DEVICES",
        [0x0C] = "EV_COMPACT_HASH",
        [0x0D] = "EV_IPL",
        [0x0E] = "EV_IPL_PARTITION_DATA",
        [0x0F] = "EV_NONHOST_CODE",
        [0x10] = "EV_NONHOST_CONFIG",
        [0x11] = "EV_NONHOST_INFO",
        [0x12] = "EV_OMIT_BOOT_DEVICE_EVENTS",
        [0x13] = "EV_POST_CODE2",
        [0x80000001] = "EV_EFI_VARIABLE_DRIVER_CONFIG",
        [0x80000002] = "EV_EFI_VARIABLE_BOOT",
        [0x80000003] = "EV_EFI_BOOT_SERVICES_APPLICATION",
        [0x80000004] = "EV_EFI_BOOT_SERVICES_DRIVER",
        [0x80000005] = "EV_EFI_RUNTIME_SERVICES_DRIVER",
        [0x80000006] = "EV_EFI_GPT_EVENT",
        [0x80000007] = "EV_EFI_ACTION",
        [0x80000008] = "EV_EFI_PLATFORM_FIRMWARE_BLOB",
        [0x80000009] = "EV_EFI_HANDOFF_TABLES",
        [0x8000000A] = "EV_EFI_PLATFORM_FIRMWARE_BLOB2",
        [0x8000000B] = "EV_EFI_HANDOFF_TABLES2",
        [0x8000000C] = "EV_EFI_VARIABLE_BOOT2",
        [0x80000010] = "EV_EFI_HCRTM_EVENT",
        [0x800000E0] = "EV_EFI_VARIABLE_AUTHORITY",
        [0x800000E1] = "EV_EFI_SPDM_FIRMWARE_BLOB",
        [0x800000E2] = "EV_EFI_SPDM_FIRMWARE_CONFIG",
        [0x800000E3] = "EV_EFI_SPDM_DEVICE_POLICY",
        [0x800000E4] = "EV_EFI_SPDM_DEVICE_AUTHORITY",
        [BootEventType.Runtime] = "runtime event",
    };

    /// <summary>dstack's TCB information: its registers, then its log.</summary>
    public static InspectionNode?[]? ReadTcbInfo(byte[] file, string name, FaultLog faults)
    {
        if (!DstackTcbInfo.TryParse(file, out var info, out var fault))
        {
            faults.Malformed($"{name}: TCB information", fault);
            return null;
        }

        return
        [
            InspectionNode.Hex("mrtd", info.MrTd.Bytes, whole: true),
            .. info.Rtmr.Select((value, register) => InspectionNode.Hex($"rtmr{register}", value.Bytes, whole: true)),
            InspectionNode.Flag("log_gives_registers", info.LogGivesRegisters),
            InspectionNode.Group("event_log", Show(info.Log)),
        ];
    }

    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (EventLog.TryParse(file, out var log, out var fault))
        {
            return Show(log);
        }

        faults.Malformed($"{name}: event log", fault);
        return null;
    }

    private static InspectionNode?[] Show(EventLog log)
    {
        var late = Late(log);
        var unproven = log.Events.Where(item => IsUnproven(item, log)).Select(item => item.Number).ToArray();
        var isKnown = unproven.Length == 0;
        return
        [
            InspectionNode.Text("form", log.Form switch { EventLogForm.LegacyTcg => "tcg-1.2", EventLogForm.Tcg => "tcg-2.0", EventLogForm.Ccel => "ccel", _ => "json" }),
            InspectionNode.Text("registers", log.Registers is RegisterKind.Pcr ? "pcr" : "rtmr", log.Registers is RegisterKind.Pcr ? "PCRs of a TPM" : "RTMRs of a TD"),
            InspectionNode.List("banks", log.Banks.Select(bank => InspectionNode.Text("bank", NameOf(bank)))) with { Shown = string.Join(", ", log.Banks.Select(NameOf)) },
            log.StartupLocality > 0 ? InspectionNode.Number("startup_locality", log.StartupLocality) : null,
            InspectionNode.Number("event_count", log.Events.Length),
            isKnown ? InspectionNode.Flag("has_boundary", log.Events.Any(IsBoundary))
                : InspectionNode.Flag("has_boundary", false) with { Shown = "not known: an unproven event may be the boundary, or come before it" },
            isKnown ? null : InspectionNode.Number("unproven_event_count", unproven.Length),
            InspectionNode.Number("late_event_count", late.Count),
            InspectionNode.Table("replayed", log.Banks.SelectMany(bank => log.Replay(bank).Select(item => InspectionNode.Group(
                "register", InspectionNode.Number("register", item.Key), InspectionNode.Text("bank", NameOf(bank)), InspectionNode.Hex("value", item.Value.Bytes, whole: true))))) with
            {
                Shown = "registers that replaying it gives; a signed quote must show the same",
            },
            InspectionNode.Table("events", log.Events.Select(item => Event(item, log, late.Contains(item.Number), isKnown ? int.MaxValue : unproven[0]))),
        ];
    }

    public static string NameOf(TcgHash bank) => bank switch
    {
        TcgHash.Sha1 => "sha1",
        TcgHash.Sha256 => "sha256",
        TcgHash.Sha384 => "sha384",
        TcgHash.Sha512 => "sha512",
        _ => "none",
    };

    private static bool IsBoundary(BootEvent item) => item is { Name: BootEventName.SystemReady, Version: not RuntimeEventVersion.None };

    // S-10b: in the register that the guest extends, every event must be the digest of its name and payload, whatever type the log gives it.
    private static bool IsUnproven(BootEvent item, EventLog log) =>
        item is { IsExtended: true, Version: RuntimeEventVersion.None } && (item.Type == BootEventType.Runtime || (log.Registers is RegisterKind.Rtmr && item.Register == GuestRtmr));

    // What follows the boundary in the boundary's own register was written by an application.
    private static HashSet<int> Late(EventLog log)
    {
        var boundary = log.Events.FirstOrDefault(IsBoundary);
        return boundary is null ? [] : [.. log.Events.Where(item => item.Number > boundary.Number && item.Register == boundary.Register && item.IsExtended).Select(item => item.Number)];
    }

    private static InspectionNode Event(BootEvent item, EventLog log, bool late, int firstUnproven)
    {
        var unproven = IsUnproven(item, log);
        var afterUnproven = item.IsExtended && item.Register == GuestRtmr && item.Number > firstUnproven;
        var position = log.Banks.IndexOf(log.Banks.FirstOrDefault(bank => bank is TcgHash.Sha256 or TcgHash.Sha384 or TcgHash.Sha512, log.Banks[0]));
        var covered = Covered(item, log.Banks[position], position);
        return InspectionNode.Group(
            "event",
            InspectionNode.Number("number", item.Number),
            InspectionNode.Number("register", item.Register) with { Shown = item.Register == BootEvent.NoRegister ? "none" : null },
            InspectionNode.Text("type", $"0x{item.Type:x8}") with { JsonOnly = true },
            InspectionNode.Text("type_name", s_types.GetValueOrDefault(item.Type, "unknown"), unproven ? "unproven" : item.Name is null ? s_types.GetValueOrDefault(item.Type, $"0x{item.Type:x8}") : $"runtime: {item.Name}"),
            item.Name is { } name ? InspectionNode.Text("name", name) with { JsonOnly = true } : null,
            unproven ? InspectionNode.Flag("unproven", true) with { JsonOnly = true } : null,
            InspectionNode.Flag("late", late) with { Shown = late ? "LATE" : afterUnproven ? "?" : "" },
            InspectionNode.List("digests", item.Digests.Select(digest => InspectionNode.Text("digest", digest.ToString()))) with { JsonOnly = true },
            InspectionNode.Hex("digest", item.Digests[position].Bytes, whole: true) with { Shown = item.IsExtended ? $"{item.Digests[position].ToString()[..16]}…" : "not extended" },
            InspectionNode.Text("data_proven", covered, covered switch { "yes" => "yes", "no" => "no", _ => "" }),
            InspectionNode.Hex("data", unproven ? [] : item.Data.Span) with { JsonOnly = true },
            InspectionNode.Text("meaning", unproven ? "unproven: the digest is not that of the name and payload that the log claims" : Meaning(item)));
    }

    /// <summary>Whether the digest is that of the data: only then a replay proves what they say.</summary>
    private static string Covered(BootEvent item, TcgHash bank, int position)
    {
        if (!item.IsExtended)
        {
            return "no";
        }

        if (item.Type == BootEventType.Runtime)
        {
            return item.Version is RuntimeEventVersion.None ? "no" : "yes";
        }

        byte[]? found = bank switch
        {
            TcgHash.Sha256 => SHA256.HashData(item.Data.Span),
            TcgHash.Sha384 => SHA384.HashData(item.Data.Span),
            TcgHash.Sha512 => SHA512.HashData(item.Data.Span),
            _ => null,
        };
        return found is null ? "unknown" : item.Digests[position].Bytes.SequenceEqual(found) ? "yes" : "no";
    }

    private static string Meaning(BootEvent item) => item.Type switch
    {
        BootEventType.Runtime => RuntimeMeaning(item),
        BootEventType.Separator => InspectionNode.Abbreviate(item.Data.Span),
        BootEventType.EfiVariableDriverConfig or BootEventType.EfiVariableBoot or BootEventType.EfiVariableBoot2 or BootEventType.EfiVariableAuthority =>
            UefiVariable.TryParse(item.Data.Span, out var variable, out _) ? $"{variable.Name} = {(variable.Data.IsEmpty ? "not set" : InspectionNode.Abbreviate(variable.Data.Span))}" : Label(item.Data.Span),
        _ => Label(item.Data.Span),
    };

    // By the name's own type: a payload that is not what its name demands is shown as such; an application may write what it likes after the boundary.
    private static string RuntimeMeaning(BootEvent item)
    {
        var payload = BootEventPayload.Read(item.Name!, item.Data.Span, out var fault);
        if (fault is not null)
        {
            return $"not what the name demands: {fault}";
        }

        return payload switch
        {
            GpuPolicyPayload policy => $"expectation {policy.Expectation}",
            GpuAttestationPayload attested => string.Create(CultureInfo.InvariantCulture,
                $"by assay: {attested.Devices.Length} devices, CC {attested.Cc}, nonce {attested.Nonce}, key {attested.TeePubkeyThumbprint}, evaluated {Utc.Text(attested.EvaluatedAt)} by {attested.TimeSource} clock"),
            DstackGpuAttestationPayload other => string.Create(CultureInfo.InvariantCulture, $"by dstack, version {other.Version}: {other.Devices} devices, none named, CC {other.CcMode}, DevTools {(other.DevTools ? "on" : "off")}"),
            DstackGpuPolicyPayload hash => $"dstack's policy {hash.Policy}",
            ModelPayload model => $"model {model.Digest}",
            WorkloadPayload workload => $"{workload.Kind} {workload.Digest}",
            GpuNonePayload => "no GPU is expected",
            GpuSkippedPayload => "devices were not verified",
            SystemReadyPayload => "the boundary: what comes later is the application's",
            _ => item.Data.IsEmpty ? ""
                : item.Data.Span.ContainsAnyExceptInRange((byte)' ', (byte)'~') || item.Data.Length > ShownCharacters ? InspectionNode.Abbreviate(item.Data.Span)
                : Encoding.ASCII.GetString(item.Data.Span),
        };
    }

    // Text where there is some, in UTF-8 or UTF-16 alike; bytes elsewhere. Anybody may have written it.
    private static string Label(ReadOnlySpan<byte> data)
    {
        const int shortest = 4;
        var text = new StringBuilder();
        foreach (var octet in data)
        {
            if (octet is >= 0x20 and < 0x7F)
            {
                text.Append((char)octet);
            }
        }

        var mostlyText = text.Length >= shortest && 5 * text.Length >= 2 * data.Length;
        return !mostlyText ? InspectionNode.Abbreviate(data) : text.Length <= ShownCharacters ? text.ToString() : $"{text.ToString(0, ShownCharacters)}…";
    }
}
