using System.Text.Json;
using Assay.Appraisal.Processors;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Wire;

namespace Assay.Appraisal.Snp;

/// <summary>Everything that was asked about one SNP report, and the answers.</summary>
internal sealed record SnpResult : TeeResult
{
    /// <summary>The name under which certificates are missing.</summary>
    internal const string Certificates = "snp-certificates";

    /// <summary>The proof; null when the report is not authentic, and then no claim is set.</summary>
    public required AuthenticSnpReport? Report { get; init; }

    /// <summary>The known-good image that it matches; null where none was given or none matches.</summary>
    public SnpReference? Image { get; init; }

    /// <inheritdoc/>
    public override string Title => Report is { } report ? $"AMD SEV-SNP {report.Endorsement.ProductName}" : Technology.Name;

    /// <summary>UpToDate or OutOfDate by the relying party's minimum TCB; None where it was not judged: AMD states no status.</summary>
    public override TcbStatus TcbStatus => (Claims as SnpClaims)?.TcbStatus ?? TcbStatus.None;

    internal override TeeTechnology Technology { get; } = TeeTechnology.All.OfType<SnpTechnology>().Single();

    // A VLEK names no chip, and the zeros of a masked report no more than the certificate that came with it.
    internal override Outcome PlatformAmong(KnownPlatforms known)
    {
        var chip = Report!.Endorsement.ChipId;
        return known.Snp.IsEmpty ? Outcome.Failed("the list of known platforms has no SNP platforms, so this one cannot be known", "AMD SEV-SNP", "platforms.snp")
            : chip is null ? Outcome.Failed("the report is signed with a VLEK, which names a cloud provider but no chip: it cannot be a known platform", "VLEK", "VCEK of a listed chip")
            : chip.IsMasked || !chip.Equals(Report.Report.ChipId) ? Outcome.Failed("the report masks its CHIP_ID: it cannot be a known platform", "masked", "CHIP_ID of a listed chip")
            : known.Snp.Contains(chip) ? Outcome.Held($"CHIP_ID {chip}")
            : Outcome.Failed("the report's chip is not on the list: its key could be in any machine", $"CHIP_ID {chip}", $"one of {known.Snp.Length} listed");
    }

    internal override ReportData? ReportData => Report?.Report.ReportData;

    internal override Digest? LaunchMeasurement => Report?.Report.Measurement;

    internal override KnownImage? Known => Image is { } image ? new KnownImage(image.Name, image.IsParavisor, NamesKernel: true) : null;
}

/// <summary>What may be said about one authentic guest.</summary>
internal sealed record SnpClaims : TeeClaims
{
    /// <summary>The report and its certificates.</summary>
    public required AuthenticSnpReport Authentic { get; init; }

    /// <summary>UpToDate or OutOfDate, as the expectations have it.</summary>
    public required TcbStatus TcbStatus { get; init; }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer)
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
        writer.WriteBoolean("iommu-write-safe", platform.IommuWriteSafe);
        writer.WriteBoolean("tio", platform.TioEnabled);
        writer.WriteEndObject();
    }
}
