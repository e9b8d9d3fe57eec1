using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Channels;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Guest.Gate;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Wire;

namespace Assay.Guest.Agent;

/// <summary>
/// Everything that this VM can show for a challenge and a key, as the bundle that <c>assay verify --evidence</c> reads: devices that answer the
/// nonce of both, a report over all of it, and the whole boot log (architecture.md, bindings 1 to 3).
/// </summary>
internal static class EvidenceBundle
{
    private const int Attempts = 5;
    private static readonly TimeSpan s_eventPause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// A bundle of devices that may be used, before and after: what they are while they answer. And made once more where an event was written meanwhile, for quote and log must show one register.
    /// </summary>
    /// <param name="challenge">The nonce, as the key is bound to it.</param>
    /// <param name="key">Made in this VM (S-3).</param>
    /// <param name="state">Of the devices.</param>
    /// <param name="sources">The hardware.</param>
    /// <param name="byDigest">Whether the processor's report names the device evidence by its digest, as certificates do (S-23).</param>
    /// <exception cref="GuestException">The devices may not be used, or a source fails.</exception>
    public static byte[] MakeSteady(string challenge, KeyBinding key, AgentState state, GuestSources sources, bool byDigest = false)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                state.RequireUsable();
                var bundle = Make(challenge, key, state.Devices, sources, state.OpenLog(), state.Register, state.Verifies, byDigest);
                state.RequireUsable();
                return bundle;
            }
            catch (GuestException exception) when (attempt < Attempts && exception.Fault.Id is ("gate.log.mismatch" or "gate.report.register"))
            {
                // An event is in the register before it is in the log.
                Thread.Sleep(s_eventPause);
            }
        }
    }

    public static byte[] Make(string challenge, KeyBinding key, DeviceVerification devices, GuestSources sources, MeasuredLog log, IMeasuredRegister register, bool hasDevices, bool byDigest = false)
    {
        ImmutableArray<DeviceEvidence> evidence = hasDevices ? devices.Collect(key.DeviceNonce()) : [];
        var reporter = sources.Reporter(log.IsOfPcrs ? register.Index : null);
        // What the log explains, and not what the register is by now: an event in between would make the two contradict each other.
        var report = reporter.Complete(devices.OwnReport(key.ReportData(byDigest ? ChannelStatement.DigestOf(evidence) : AdditionalEvidence.Of(evidence)), log.Explained));
        // A PCR is signed by a vTPM's quote and by no report else: a log that nothing explains is not shown, for no verdict passes over it.
        var events = EventLogOf(reporter.FirmwareLog(), log.IsOfPcrs && report.Tee is not VtpmReport.Word ? "" : log.ToJson());
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            writer.WriteString("nonce", challenge);
            Write(writer, "gpus", evidence.Where(item => item.DeclaredKind is not DeviceKind.Switch));
            Write(writer, "switches", evidence.Where(item => item.DeclaredKind is DeviceKind.Switch));
            writer.WriteStartObject("cpu");
            writer.WriteString("tee", report.Tee);
            writer.WriteBase64String("quote", report.Bytes);
            if (events.Length > 0)
            {
                writer.WriteBase64String("eventLog", events);
            }

            writer.WriteEndObject();
            writer.WritePropertyName("key");
            writer.WriteRawValue(key.Jwk);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    // Firmware's events and the guest's in one array, as dstack writes them: a verifier replays all registers from one log.
    private static byte[] EventLogOf(byte[] firmware, string ours)
    {
        if (firmware.Length == 0)
        {
            return Encoding.UTF8.GetBytes(ours);
        }

        if (!EventLog.TryParse(firmware, out var read, out var fault) || read.Registers is not RegisterKind.Rtmr)
        {
            throw new GuestException("agent.firmware-log", $"firmware's event log: {fault?.ToString() ?? "not of RTMRs"}", "see that the kernel shows CCEL");
        }

        var bank = read.Banks.IndexOf(TcgHash.Sha384);
        var lines = read.Events.Where(item => item.IsExtended).Select(item => string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"imr\":{item.Register},\"event_type\":{item.Type},\"digest\":\"{item.Digests[bank]}\",\"event\":\"\",\"event_payload\":\"{Convert.ToHexStringLower(item.Data.Span)}\"}}"));
        return Encoding.UTF8.GetBytes($"[{string.Join(',', lines)}{(ours.Length > 0 ? "," + ours[1..^1] : "")}]");
    }

    private static void Write(Utf8JsonWriter writer, string name, IEnumerable<DeviceEvidence> devices)
    {
        writer.WriteStartArray(name);
        foreach (var device in devices)
        {
            writer.WriteStartObject();
            writer.WriteBase64String("evidence", device.Report.Span);
            writer.WriteBase64String("certificate", device.Chain.Span);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
