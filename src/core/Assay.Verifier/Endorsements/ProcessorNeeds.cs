using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Authentication;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Trust.Amd;
using Assay.Trust.Intel;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>Which items a processor's evidence needs, and how they become what judges it. Names follow from unproven bytes, items never do.</summary>
public static class ProcessorNeeds
{
    /// <summary>The channel of TCB recoveries that counts where none is chosen.</summary>
    public const string StandardChannel = "standard";

    /// <summary>The channel in which Intel publishes new TCB levels before they are demanded.</summary>
    public const string EarlyChannel = "early";

    /// <summary>The items, in the order of their kinds.</summary>
    /// <param name="evidence">The evidence.</param>
    /// <param name="channel">Intel's update channel: standard or early.</param>
    /// <param name="keys">What it needs. Certificates that came with it are not among them.</param>
    /// <param name="whyNot">Why that cannot be told.</param>
    public static bool TryName(ProcessorEvidence evidence, string channel, out ImmutableArray<CollateralKey> keys, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        keys = [];
        if (!TryOpen(evidence, out var hardware, out var vcek, out var isTdx, out whyNot))
        {
            return false;
        }

        return isTdx ? TryNameTdx(hardware, channel, out keys, out whyNot) : TryNameSnp(hardware, vcek, out keys, out whyNot);
    }

    /// <summary>What a quote needs whose platform is proven.</summary>
    /// <param name="quote">The quote.</param>
    /// <param name="channel">Intel's update channel.</param>
    /// <param name="revocation">Whether lists are needed too.</param>
    internal static ImmutableArray<CollateralKey> Of(AuthenticTdxQuote quote, string channel, RevocationChecking revocation) =>
        NamesOf(quote.Platform, ItemVerification.PckAuthorityOf(quote.Path.Leaf.Issuer.CommonName) ?? "", channel, revocation);

    /// <summary>
    /// What a report needs, by its own unproven words: only what it needs can prove it. Nothing where it does not tell its product, as before
    /// version 3, and no certificate came along.
    /// </summary>
    /// <param name="report">The report.</param>
    /// <param name="vcek">The certificate that came along; null for none.</param>
    /// <param name="revocation">Whether the list is needed too.</param>
    internal static ImmutableArray<CollateralKey> Of(SnpReport report, ReadOnlyMemory<byte>? vcek, RevocationChecking revocation) =>
        TryNameSnp(report, vcek, out var keys, out _) ? [.. keys.Where(key => key.Kind is not CollateralKind.AmdCrl || revocation is RevocationChecking.Required)] : [];

    /// <summary>The collateral of the evidence out of items. What is not found is missing to the verifier.</summary>
    public static ProcessorCollateral Assemble(ProcessorEvidence evidence, Func<CollateralKey, CollateralItem?> find)
    {
        ArgumentNullException.ThrowIfNull(find);
        return TryName(evidence, StandardChannel, out var keys, out _) ? Assemble(keys, find) : ProcessorCollateral.Empty;
    }

    internal static ProcessorCollateral Assemble(ImmutableArray<CollateralKey> keys, Func<CollateralKey, CollateralItem?> find)
    {
        CollateralItem? Of(CollateralKind kind) => keys.FirstOrDefault(key => key.Kind == kind) is { Kind: not CollateralKind.None } key
            ? find(key) ?? find(key with { Id = key.Id.Replace(StandardChannel, EarlyChannel, StringComparison.Ordinal) })
            : null;

        ImmutableArray<ReadOnlyMemory<byte>> authorities = Of(CollateralKind.AmdChain) is { } chain && SnpCollateral.TryReadCertificates(chain.Body.Span, out var read, out _) ? read : [];
        return new ProcessorCollateral
        {
            Tdx = new TdxCollateral
            {
                TcbInfo = Statement(Of(CollateralKind.TcbInfo), IntelStatementKind.TcbInfo),
                QeIdentity = Statement(Of(CollateralKind.QeIdentity), IntelStatementKind.QeIdentity),
                PckCrl = Of(CollateralKind.PckCrl)?.Body,
                RootCrl = Of(CollateralKind.RootCrl)?.Body,
            },
            Snp = new SnpCollateral
            {
                Certificates = Of(CollateralKind.Vcek) is { } vcek ? [vcek.Body, .. authorities] : authorities,
                Crl = Of(CollateralKind.AmdCrl)?.Body,
            },
        };
    }

    /// <summary>The certificates above a quote's PCK certificate, PEM; null for other evidence.</summary>
    public static ReadOnlyMemory<byte>? PckIssuers(ProcessorEvidence evidence)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        return TryOpen(evidence, out var hardware, out _, out var isTdx, out _) && isTdx && TdxQuote.TryParse(hardware.Span, dangerouslyAcceptTextAfter: true, out var quote, out _) && Pem.TryDecode(quote.PckChain.Span, out var chain, out _)
            ? System.Text.Encoding.ASCII.GetBytes(string.Concat(chain[1..].Select(der => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der.Span) + "\n")))
            : null;
    }

    private static IntelStatement? Statement(CollateralItem? item, IntelStatementKind kind) =>
        item is not null && IntelStatement.TryParseBody(item.Body.Span, item.Chain, kind, out var statement, out _) ? statement : null;

    private static bool TryOpen(ProcessorEvidence evidence, out ReadOnlyMemory<byte> hardware, out ReadOnlyMemory<byte>? vcek, out bool isTdx, [NotNullWhen(false)] out string? whyNot)
    {
        (hardware, vcek, isTdx, whyNot) = (evidence.Bytes, null, evidence.Kind is ProcessorEvidenceKind.TdxQuote, null);
        if (evidence.Kind is not ProcessorEvidenceKind.AzureVtpm)
        {
            return true;
        }

        HclReport? hcl = null;
        if (!AzureVtpmEvidence.TryParse(evidence.Bytes.Span, out var azure, out var fault) || !HclReport.TryParse(azure.HclReport.Span, out hcl, out fault))
        {
            whyNot = fault.ToString();
            return false;
        }

        (hardware, vcek, isTdx) = (azure.TdQuote ?? hcl.HardwareReport, azure.Vcek, azure.TdQuote.HasValue);
        return true;
    }

    private static bool TryNameTdx(ReadOnlyMemory<byte> bytes, string channel, out ImmutableArray<CollateralKey> keys, [NotNullWhen(false)] out string? whyNot)
    {
        keys = [];
        // What a quote needs does not depend on text after it; the verdict does.
        if (!TdxQuote.TryParse(bytes.Span, dangerouslyAcceptTextAfter: true, out var quote, out var fault) || !Pem.TryDecode(quote.PckChain.Span, out var chain, out fault)
            || !Certificate.TryParse(chain[0].Span, out var leaf, out fault))
        {
            whyNot = fault.ToString();
            return false;
        }

        var authority = ItemVerification.PckAuthorityOf(leaf.Issuer.CommonName);
        if (!PckPlatform.TryRead(leaf, out var platform, out whyNot) || authority is null)
        {
            whyNot ??= $"its PCK certificate was issued by \"{leaf.Issuer.CommonName}\", which is not one of Intel's two CAs";
            return false;
        }

        keys = NamesOf(platform, authority, channel, RevocationChecking.Required);
        return true;
    }

    private static ImmutableArray<CollateralKey> NamesOf(PckPlatform platform, string authority, string channel, RevocationChecking revocation) =>
    [
        new(CollateralKind.TcbInfo, $"tdx/{platform.Fmspc.ToString().ToUpperInvariant()}/{channel}"), new(CollateralKind.QeIdentity, $"tdx/{channel}"),
        .. revocation is RevocationChecking.Required ? new CollateralKey[] { new(CollateralKind.PckCrl, authority), ItemVerification.IntelRootCrl } : [],
    ];

    private static bool TryNameSnp(ReadOnlyMemory<byte> bytes, ReadOnlyMemory<byte>? vcek, out ImmutableArray<CollateralKey> keys, [NotNullWhen(false)] out string? whyNot)
    {
        keys = [];
        if (!SnpReport.TryParse(bytes.Span, out var report, out var fault))
        {
            whyNot = fault.ToString();
            return false;
        }

        return TryNameSnp(report, vcek, out keys, out whyNot);
    }

    private static bool TryNameSnp(SnpReport report, ReadOnlyMemory<byte>? vcek, out ImmutableArray<CollateralKey> keys, [NotNullWhen(false)] out string? whyNot)
    {
        keys = [];
        var product = report.Product is SnpProduct.None && vcek is { } own ? ProductOf(own) : report.Product;
        if (product is SnpProduct.None)
        {
            whyNot = "the report does not state the processor's product: name the items yourself (amd-chain vcek/Milan, amd-crl vcek/Milan)";
            return false;
        }

        whyNot = null;
        var leaf = report.SigningKey is SnpSigningKey.Vlek ? "vlek" : "vcek";
        // AMD gives VLEKs to providers alone: they come with the evidence.
        // By its chip id AMD has a VCEK: where the report masks it, there is nothing to ask for.
        var isFetched = report is { SigningKey: SnpSigningKey.Vcek, ChipId.IsMasked: false } && vcek is null;
        keys =
        [
            new(CollateralKind.AmdChain, $"{leaf}/{product}"), new(CollateralKind.AmdCrl, $"{leaf}/{product}"),
            .. isFetched ? new[] { ItemVerification.VcekKey(product, report.ChipId, report.ReportedTcb) } : [],
        ];
        return true;
    }

    private static SnpProduct ProductOf(ReadOnlyMemory<byte> file) =>
        SnpCollateral.TryReadCertificates(file.Span, out var certificates, out _) && Certificate.TryParse(certificates[0].Span, out var leaf, out _) && SnpEndorsement.TryRead(leaf, out var endorsement, out _)
            ? endorsement.Product
            : SnpProduct.None;
}
