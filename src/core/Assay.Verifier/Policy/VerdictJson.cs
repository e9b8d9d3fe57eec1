using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>The verdict as JSON: the form that <c>assay verify --format json</c> prints (docs/reference/verdict.md).</summary>
public static partial class VerdictJson
{
    /// <summary>UTF-8, indented, one object.</summary>
    public static byte[] Write(Verdict verdict, ClaimsVersion version)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        return HarmlessJson.Write(writer => Write(writer, verdict, version));
    }

    private static void Write(Utf8JsonWriter writer, Verdict verdict, ClaimsVersion version)
    {
        var appraisal = verdict.Appraisal;
        writer.WriteStartObject();
        writer.WriteString("verdict", verdict.Word);
        writer.WriteString("freshness", verdict.Freshness);
        writer.WriteString("binding", verdict.Binding);
        writer.WriteString("platform", verdict.Platform);
        WriteStrings(writer, "weakened", verdict.Weakened);
        writer.WriteString("anchors", verdict.Anchors);
        writer.WriteString("evaluatedAt", Utc.Text(appraisal.Basis.Time.Instant));
        writer.WriteString("timeSource", verdict.TimeSource);
        WriteConfiguration(writer, verdict.Configuration);
        WritePolicy(writer, verdict);
        writer.WriteBoolean("x-nvidia-overall-att-result", verdict.NvidiaOverallResult);
        WriteMachine(writer, verdict.Machine);
        writer.WriteStartArray("devices");
        foreach (var device in appraisal.Devices)
        {
            WriteDevice(writer, device, version);
        }

        writer.WriteEndArray();
        WriteFindings(writer, appraisal.Findings.Concat(verdict.Machine?.Findings ?? []).Concat(verdict.PolicyFindings));
        writer.WriteStartArray("missing");
        foreach (var item in appraisal.Missing)
        {
            writer.WriteStartObject();
            writer.WriteString("kind", item.Kind);
            writer.WriteString("id", item.Id);
            writer.WriteString("reason", item.Reason);
            writer.WriteNumber("device", item.DeviceIndex);
            if (item.Url is not null)
            {
                writer.WriteString("url", item.Url);
                writer.WriteString("fetch", $"assay verify {item.FetchOption}");
            }

            if (!item.Nearest.IsEmpty)
            {
                WriteStrings(writer, "nearest", item.Nearest);
            }

            writer.WriteEndObject();
        }

        WriteMissing(writer, verdict.Machine);
        writer.WriteEndArray();
        writer.WriteStartObject("assurance");
        WriteStrings(writer, "proven", verdict.Proven);
        WriteStrings(writer, "notProven", verdict.NotProven);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteConfiguration(Utf8JsonWriter writer, VerdictConfiguration? configuration)
    {
        if (configuration is not null)
        {
            writer.WriteStartObject("config");
            writer.WriteString("path", configuration.Path);
            writer.WriteString("sha384", configuration.Sha384.ToString());
            WriteStrings(writer, "departures", configuration.Departures);
            writer.WriteEndObject();
        }
    }

    private static void WritePolicy(Utf8JsonWriter writer, Verdict verdict)
    {
        writer.WriteStartObject("policy");
        writer.WriteString("id", verdict.Policy.Id);
        writer.WriteString("digest", verdict.Policy.Digest?.ToString());
        if (!verdict.Policy.Files.IsDefaultOrEmpty)
        {
            writer.WriteStartArray("files");
            foreach (var (path, sha384) in verdict.Policy.Files)
            {
                writer.WriteStartObject();
                writer.WriteString("path", path);
                writer.WriteString("sha384", sha384.ToString());
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
        writer.WriteStartArray("allowedAlthough");
        foreach (var item in verdict.AllowedAlthough)
        {
            writer.WriteStartObject();
            writer.WriteNumber("device", item.DeviceIndex);
            writer.WriteString("id", item.Finding.Id);
            writer.WriteString("reason", item.Finding.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteDevice(Utf8JsonWriter writer, DeviceResult device, ClaimsVersion version)
    {
        writer.WriteStartObject();
        writer.WriteNumber("index", device.Index);
        writer.WriteString("type", device.Kind switch { DeviceKind.Gpu => "gpu", DeviceKind.Switch => "nvswitch", _ => "unknown" });
        writer.WriteString("source", device.Source);
        writer.WritePropertyName("claims");
        if (device.Device is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            NvidiaClaims.Write(writer, device, version);
        }

        if (device.Measurements is { } match)
        {
            writer.WriteStartObject("measurements");
            writer.WriteNumber("compared", match.Compared);
            writer.WriteNumber("matched", match.Matched);
            WriteNumbers(writer, "skipped", match.Skipped);
            WriteNumbers(writer, "unreferenced", match.Unreferenced);
            writer.WriteEndObject();
        }

        WriteFindings(writer, device.Findings);
        writer.WriteEndObject();
    }

    private static void WriteFindings(Utf8JsonWriter writer, IEnumerable<Finding> findings)
    {
        writer.WriteStartArray("findings");
        foreach (var finding in findings)
        {
            writer.WriteStartObject();
            writer.WriteString("id", finding.Id);
            writer.WriteString("state", StateWord(finding.State));
            writer.WriteString("reason", finding.Reason);
            if (finding.Found is not null)
            {
                writer.WriteString("found", finding.Found);
            }

            if (finding.Expected is not null)
            {
                writer.WriteString("expected", finding.Expected);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary><c>held</c>, <c>failed</c>, <c>not-applicable</c> or <c>not-checked</c>.</summary>
    public static string StateWord(CheckState state) => state switch
    {
        CheckState.Held => "held",
        CheckState.Failed => "failed",
        CheckState.NotApplicable => "not-applicable",
        _ => "not-checked",
    };

    private static void WriteStrings(Utf8JsonWriter writer, string name, IEnumerable<string> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, IEnumerable<int> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
        {
            writer.WriteNumberValue(value);
        }

        writer.WriteEndArray();
    }
}
