using System.Collections.Immutable;
using System.Text.Json;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Policy;

/// <content>Processor and boot.</content>
public static partial class VerdictJson
{
    private static void WriteMachine(Utf8JsonWriter writer, MachineResult? machine)
    {
        if (machine?.Parts.Cpu is { } cpu)
        {
            WriteCpu(writer, cpu);
        }

        if (machine?.Parts.Boot is { } boot)
        {
            WriteBoot(writer, boot);
        }

        if (machine?.Parts.Key is { } key)
        {
            writer.WriteString("teePubkeyThumbprint", key.Thumbprint);
        }
    }

    private static void WriteMissing(Utf8JsonWriter writer, MachineResult? machine)
    {
        foreach (var item in machine?.Parts.Cpu?.Missing ?? [])
        {
            writer.WriteStartObject();
            writer.WriteString("kind", "cpu");
            writer.WriteString("id", item);
            writer.WriteString("reason", machine!.Parts.Cpu!.WhyNotFetched(item) ?? "not given: --cpu-collateral");
            if (machine.Parts.Cpu.AddressesOf(item) is [var url, .. var further])
            {
                writer.WriteString("url", url);
                if (!further.IsEmpty)
                {
                    WriteStrings(writer, "furtherUrls", further);
                }

                writer.WriteString("fetch", $"assay verify {machine.Parts.Cpu.FetchOption}");
            }

            writer.WriteEndObject();
        }
    }

    private static void WriteCpu(Utf8JsonWriter writer, ProcessorResult cpu)
    {
        var status = cpu.Tee?.TcbStatus ?? TcbStatus.None;
        writer.WriteStartObject("cpu");
        writer.WriteString("source", cpu.Evidence.Source);
        writer.WriteString("evidence", cpu.Evidence.Kind switch { ProcessorEvidenceKind.TdxQuote => "tdx-quote", ProcessorEvidenceKind.SnpReport => "snp-report", _ => "azure-vtpm" });
        writer.WriteString("tee", cpu.Tee?.Word);
        writer.WriteString("tcbStatus", status is TcbStatus.None ? null : status.ToString());
        WriteStrings(writer, "advisoryIds", cpu.Tee?.AdvisoryIds ?? []);
        WriteLevels(writer, cpu.Tee?.TcbParts ?? []);
        writer.WritePropertyName("claims");
        WriteCpuClaims(writer, cpu);
        if (cpu.Tpm is { } tpm)
        {
            writer.WriteString("tpmRoot", tpm.Quote?.Key.RootWord ?? "none");
        }

        WriteFindings(writer, cpu.Findings);
        writer.WriteEndObject();
    }

    private static void WriteLevels(Utf8JsonWriter writer, ImmutableArray<TcbPart> parts)
    {
        writer.WriteStartArray("tcbLevels");
        foreach (var part in parts)
        {
            writer.WriteStartObject();
            writer.WriteString("of", part.Name);
            writer.WriteString("status", part.Judgement.Status.ToString());
            writer.WriteString("date", Utc.Text(part.Judgement.Date));
            WriteStrings(writer, "advisoryIds", part.Judgement.AdvisoryIds);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>What may be said about the processor, as one object; null where it is not authentic.</summary>
    internal static void WriteCpuClaims(Utf8JsonWriter writer, ProcessorResult cpu)
    {
        if (cpu.Tee?.Claims is { } claims)
        {
            claims.Write(writer);
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private static void WriteBoot(Utf8JsonWriter writer, BootResult boot)
    {
        writer.WriteStartObject("boot");
        if (boot.Log is { } log)
        {
            var prefix = log.Quoted.Kind is RegisterKind.Rtmr ? "rtmr" : "pcr";
            WriteStrings(writer, "replayed", log.Replayed.Select(register => $"{prefix}{register}"));
            WriteStrings(writer, "differs", log.Mismatches.Select(item => $"{prefix}{item.Register}"));
            writer.WriteString("secureBoot", boot.Facts?.SecureBoot switch { SecureBootState.On => "on", SecureBootState.Off => "off", _ => "not-told" });
            WriteMeasurements(writer, boot, prefix);
            WriteEvents(writer, boot, prefix);
        }

        writer.WriteBoolean("carriesBootEvent", boot.CarriesBootEvent);
        WriteFindings(writer, boot.Findings);
        writer.WriteEndObject();
    }

    private static void WriteMeasurements(Utf8JsonWriter writer, BootResult boot, string prefix)
    {
        writer.WriteStartArray("measurements");
        foreach (var item in boot.Facts?.Measurements ?? [])
        {
            writer.WriteStartObject();
            writer.WriteString("what", item.Role switch
            {
                BootRole.BootApplication => "boot-application",
                BootRole.CommandLine => "command-line",
                BootRole.Initrd => "initrd",
                _ => "kernel",
            });
            writer.WriteString("whatFrom", "log");
            writer.WriteString("register", $"{prefix}{item.Register}");
            writer.WriteString("digest", item.Digest.ToString());
            writer.WriteString("label", item.Label);
            if (item.Text is not null)
            {
                writer.WriteString("text", item.Text);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    // What comes after the boundary is shown, and believed in nothing. Past an unproven event the boundary itself is not known.
    private static void WriteEvents(Utf8JsonWriter writer, BootResult boot, string prefix)
    {
        var record = boot.Shown;
        writer.WriteStartArray("events");
        foreach (var item in record?.Events ?? [])
        {
            writer.WriteStartObject();
            writer.WriteNumber("number", item.Event.Number);
            writer.WriteString("register", $"{prefix}{item.Event.Register}");
            writer.WriteString("name", item.IsUnproven ? null : item.Event.Name);
            if (item.IsUnproven)
            {
                writer.WriteBoolean("unproven", true);
            }

            writer.WriteString("digest", boot.Log!.DigestOf(item.Event).ToString());
            WriteKnown(writer, "afterBoundary", item.IsLate);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        WriteKnown(writer, "boundary", record is { UnprovenEvents.IsEmpty: false } ? null : record is { HasBoundary: true });
    }

    private static void WriteKnown(Utf8JsonWriter writer, string name, bool? value)
    {
        writer.WritePropertyName(name);
        if (value is { } known)
        {
            writer.WriteBooleanValue(known);
        }
        else
        {
            writer.WriteNullValue();
        }
    }
}
