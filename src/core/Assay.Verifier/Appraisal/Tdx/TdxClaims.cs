using System.Collections.Immutable;
using System.Text.Json;
using Assay.Appraisal.Processors;
using Assay.Authentication;
using Assay.Evidence.Tdx;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Appraisal.Tdx;

/// <summary>What may be said about one authentic TD.</summary>
internal sealed record TdxClaims : TeeClaims
{
    /// <summary>Version of the quote.</summary>
    public required int QuoteVersion { get; init; }

    /// <summary>What the TDX module reported.</summary>
    public required TdReportBody Body { get; init; }

    /// <summary>FMSPC of the platform.</summary>
    public required Fmspc Fmspc { get; init; }

    /// <summary>SHA-256 of the PPID: names the platform without giving away what Intel's services take for it.</summary>
    public required Digest PlatformId { get; init; }

    /// <summary>Whether hyper-threading is on; null where the PCK certificate does not say.</summary>
    public required bool? SmtEnabled { get; init; }

    /// <summary>The worst status of platform, module and quoting enclave; None where it is not known.</summary>
    public required TcbStatus TcbStatus { get; init; }

    /// <summary>tcbDate of the platform's level; null where it is not known.</summary>
    public required DateTimeOffset? TcbDate { get; init; }

    /// <summary>tcbEvaluationDataNumber; null where it is not known.</summary>
    public required int? EvaluationDataNumber { get; init; }

    /// <summary>Advisories of all three.</summary>
    public required ImmutableArray<string> AdvisoryIds { get; init; }

    internal static TdxClaims Of(AuthenticTdxQuote quote, TdxTcb tcb) => new()
    {
        QuoteVersion = quote.Quote.Version,
        Body = quote.Quote.Body,
        Fmspc = quote.Platform.Fmspc,
        PlatformId = Digest.Sha256(quote.Platform.Ppid.Span),
        SmtEnabled = quote.Platform.SmtEnabled,
        TcbStatus = tcb.Status,
        TcbDate = tcb.Platform?.Date,
        EvaluationDataNumber = tcb.EvaluationDataNumber,
        AdvisoryIds = tcb.AdvisoryIds,
    };

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteString("x-assay-tee", "tdx");
        writer.WriteString("x-assay-tcb-status", TcbStatus is TcbStatus.None ? null : TcbStatus.ToString());
        writer.WriteString("x-assay-tcb-date", TcbDate is { } date ? Utc.Text(date) : null);
        writer.WriteStartArray("x-assay-advisory-ids");
        foreach (var advisory in AdvisoryIds)
        {
            writer.WriteStringValue(advisory);
        }

        writer.WriteEndArray();
        writer.WriteNumber("x-assay-tdx-quote-version", QuoteVersion);
        writer.WriteString("x-assay-tdx-fmspc", Fmspc.ToString());
        writer.WriteString("x-assay-tdx-platform-id", PlatformId.ToString());
        WriteOptional(writer, "x-assay-tdx-smt", SmtEnabled);
        if (EvaluationDataNumber is { } number)
        {
            writer.WriteNumber("x-assay-tdx-tcb-evaluation-data-number", number);
        }

        WriteBody(writer, Body);
        writer.WriteEndObject();
    }

    private static void WriteBody(Utf8JsonWriter writer, TdReportBody body)
    {
        writer.WriteString("x-assay-tdx-version", body.Kind is TdReportKind.Td15 ? "1.5" : "1.0");
        writer.WriteString("x-assay-tdx-tee-tcb-svn", Convert.ToHexStringLower(body.TeeTcbSvn.AsSpan()));
        writer.WriteString("x-assay-tdx-mrseam", body.MrSeam.ToString());
        writer.WriteString("x-assay-tdx-mrtd", body.MrTd.ToString());
        writer.WriteString("x-assay-tdx-mrconfigid", body.MrConfigId.ToString());
        writer.WriteString("x-assay-tdx-mrowner", body.MrOwner.ToString());
        writer.WriteString("x-assay-tdx-mrownerconfig", body.MrOwnerConfig.ToString());
        for (var index = 0; index < body.Rtmr.Length; index++)
        {
            writer.WriteString($"x-assay-tdx-rtmr{index}", body.Rtmr[index].ToString());
        }

        writer.WriteString("x-assay-report-data", body.ReportData.ToString());
        writer.WriteStartObject("x-assay-tdx-attributes");
        writer.WriteBoolean("debug", body.Attributes.Debug);
        writer.WriteBoolean("sept-ve-disable", body.Attributes.SeptVeDisable);
        writer.WriteBoolean("migratable", body.Attributes.Migratable);
        writer.WriteBoolean("pks", body.Attributes.ProtectionKeys);
        writer.WriteBoolean("key-locker", body.Attributes.KeyLocker);
        writer.WriteBoolean("perfmon", body.Attributes.PerformanceMonitoring);
        writer.WriteBoolean("service-td", body.HasServiceTd);
        writer.WriteEndObject();
        writer.WriteString("x-assay-tdx-xfam", body.Xfam.Value.ToString("x16", System.Globalization.CultureInfo.InvariantCulture));
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, bool? value)
    {
        if (value is { } known)
        {
            writer.WriteBoolean(name, known);
        }
    }
}
