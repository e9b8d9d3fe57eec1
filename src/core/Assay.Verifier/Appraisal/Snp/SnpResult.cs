using System.Collections.Immutable;
using System.Text.Json;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;

namespace Assay.Appraisal.Snp;

/// <summary>Everything that was asked about one SNP report, and the answers.</summary>
public sealed record SnpResult
{
    /// <summary>The name under which certificates are missing.</summary>
    internal const string Certificates = "snp-certificates";

    /// <summary>In check order. None of them is ever left out.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes could not even be read.</summary>
    public required bool Unparsable { get; init; }

    /// <summary>The proof; null when the report is not authentic, and then no claim is set.</summary>
    public required AuthenticSnpReport? Report { get; init; }

    /// <summary>UpToDate or OutOfDate by the relying party's minimum TCB; None where it was not judged: AMD states no status.</summary>
    public TcbStatus TcbStatus { get; init; }

    /// <summary>The known-good image that it matches; null where none was given or none matches.</summary>
    public SnpReference? Image { get; init; }

    /// <summary>What may be said about the guest; null until it was appraised.</summary>
    public SnpClaims? Claims { get; init; }

    /// <summary>What could not be had, by permanent names: <c>amd-crl</c>, <c>snp-certificates</c>.</summary>
    public required ImmutableArray<string> Missing { get; init; }

    /// <summary>What was waived, by permanent names, sorted.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>Under whose anchors.</summary>
    public required TrustSetKind Anchors { get; init; }

    /// <summary>By which clock, and when.</summary>
    public required EvaluationTime Time { get; init; }

    /// <summary>The latest date of an item that verified: no honest clock is earlier (S-13).</summary>
    public DateTimeOffset LatestStatement { get; init; }

    /// <summary>Whether nothing but missing certificates stands between the report and an answer.</summary>
    internal bool LacksCertificates => Report is null && Findings.Any(finding => finding.Cause is NotCheckedCause.Missing) && !Findings.Any(finding => finding.State is CheckState.Failed);

    /// <summary>Whether every question was answered with yes, does not apply, or was waived by name.</summary>
    public bool Passed => Claims is not null && Findings.IsPassed();
}

/// <summary>What may be said about one authentic guest. Names in JSON are the wire contract: docs/claims.md lists them.</summary>
public sealed record SnpClaims
{
    /// <summary>The report and its certificates.</summary>
    public required AuthenticSnpReport Authentic { get; init; }

    /// <summary>UpToDate or OutOfDate, as the expectations have it.</summary>
    public required TcbStatus TcbStatus { get; init; }

    /// <summary>Writes one JSON object.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        var (report, endorsement) = (Authentic.Report, Authentic.Endorsement);
        writer.WriteStartObject();
        writer.WriteString("x-assay-tee", "snp");
        writer.WriteString("x-assay-tcb-status", TcbStatus is TcbStatus.None ? null : TcbStatus.ToString());
        writer.WriteNumber("x-assay-snp-report-version", report.Version);
        writer.WriteString("x-assay-snp-product", endorsement.ProductName);
        writer.WriteString("x-assay-snp-signing-key", report.SigningKey is SnpSigningKey.Vlek ? "vlek" : "vcek");
        writer.WriteString("x-assay-snp-chip-id", endorsement.ChipId?.ToString());
        writer.WriteString("x-assay-snp-cloud-provider", endorsement.CloudProvider);
        writer.WriteString("x-assay-snp-measurement", report.Measurement.ToString());
        writer.WriteString("x-assay-snp-host-data", report.HostData.ToString());
        writer.WriteString("x-assay-report-data", report.ReportData.ToString());
        writer.WriteString("x-assay-snp-id-key-digest", report.IdKeyDigest.ToString());
        writer.WriteString("x-assay-snp-author-key-digest", report.AuthorKeyDigest.ToString());
        writer.WriteString("x-assay-snp-family-id", Convert.ToHexStringLower(report.FamilyId.Span));
        writer.WriteString("x-assay-snp-image-id", Convert.ToHexStringLower(report.ImageId.Span));
        writer.WriteNumber("x-assay-snp-guest-svn", report.GuestSvn);
        writer.WriteNumber("x-assay-snp-vmpl", report.Vmpl);
        writer.WriteString("x-assay-snp-firmware", report.Current.ToString());
        writer.WriteString("x-assay-snp-committed-firmware", report.Committed.ToString());
        WriteTcb(writer, "x-assay-snp-reported-tcb", report.ReportedTcb.Parts(endorsement.Product), endorsement.Product);
        WriteTcb(writer, "x-assay-snp-committed-tcb", report.CommittedTcb.Parts(endorsement.Product), endorsement.Product);
        WriteTcb(writer, "x-assay-snp-launch-tcb", report.LaunchTcb.Parts(endorsement.Product), endorsement.Product);
        WriteTcb(writer, "x-assay-snp-current-tcb", report.CurrentTcb.Parts(endorsement.Product), endorsement.Product);
        WritePolicy(writer, report.Policy);
        WritePlatform(writer, report.PlatformInfo);
        writer.WriteEndObject();
    }

    private static void WriteTcb(Utf8JsonWriter writer, string name, SnpTcbParts tcb, SnpProduct product)
    {
        writer.WriteStartObject(name);
        if (product is SnpProduct.Turin)
        {
            writer.WriteNumber("fmc", tcb.Fmc);
        }

        writer.WriteNumber("bootloader", tcb.BootLoader);
        writer.WriteNumber("tee", tcb.Tee);
        writer.WriteNumber("snp", tcb.Snp);
        writer.WriteNumber("microcode", tcb.Microcode);
        writer.WriteEndObject();
    }

    private static void WritePolicy(Utf8JsonWriter writer, SnpPolicy policy)
    {
        writer.WriteStartObject("x-assay-snp-policy");
        writer.WriteString("abi", $"{policy.AbiMajor}.{policy.AbiMinor}");
        writer.WriteBoolean("smt", policy.SmtAllowed);
        writer.WriteBoolean("migrate-ma", policy.MigrationAgentAllowed);
        writer.WriteBoolean("debug", policy.Debug);
        writer.WriteBoolean("single-socket", policy.SingleSocket);
        writer.WriteBoolean("cxl", policy.CxlAllowed);
        writer.WriteBoolean("mem-aes-256-xts", policy.Aes256XtsRequired);
        writer.WriteBoolean("rapl-dis", policy.RaplDisabledRequired);
        writer.WriteBoolean("ciphertext-hiding", policy.CiphertextHidingRequired);
        writer.WriteBoolean("page-swap-disable", policy.PageSwapDisabled);
        writer.WriteEndObject();
    }

    private static void WritePlatform(Utf8JsonWriter writer, SnpPlatformInfo platform)
    {
        writer.WriteStartObject("x-assay-snp-platform");
        writer.WriteBoolean("smt", platform.SmtEnabled);
        writer.WriteBoolean("tsme", platform.TsmeEnabled);
        writer.WriteBoolean("ecc", platform.EccEnabled);
        writer.WriteBoolean("rapl-dis", platform.RaplDisabled);
        writer.WriteBoolean("ciphertext-hiding", platform.CiphertextHidingEnabled);
        writer.WriteBoolean("alias-check", platform.AliasCheckComplete);
        writer.WriteBoolean("tio", platform.TioEnabled);
        writer.WriteEndObject();
    }
}
