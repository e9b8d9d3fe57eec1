using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Files;

/// <summary>
/// A processor's collateral out of a file or a folder, each file told apart by its content: the JSON of quote verifiers
/// (<see cref="TdxCollateral.TryParse"/>), bodies of Intel's service beside their issuer chains in PEM, revocation lists, and certificates
/// of AMD; lists and certificates as DER, PEM, hexadecimal or base64. Files that are none of these are passed over, and named. Nothing is believed: the
/// verifier checks each of them.
/// </summary>
public sealed class ProcessorCollateralFiles
{
    private const int MostFiles = 256;
    private const string ListLabel = "X509 CRL";

    // In hexadecimal, in lines.
    private const int MostBytes = 3 * Limits.CrlBytes;

    private readonly List<(IntelStatementKind Kind, byte[] Body, string File)> _bodies = [];
    private readonly List<string> _passedOver = [];
    private readonly List<(ReadOnlyMemory<byte> Pem, string File)> _chains = [];
    private readonly List<(CertificateRevocationList List, ReadOnlyMemory<byte> Der)> _lists = [];
    private readonly List<ReadOnlyMemory<byte>> _amd = [];
    private TdxCollateral? _whole;

    private ProcessorCollateralFiles()
    {
    }

    /// <summary>Reads what is there for this evidence.</summary>
    /// <param name="path">A file or a folder, of which subfolders are not looked into.</param>
    /// <param name="evidence">Which lists and certificates are meant.</param>
    /// <param name="collateral">What was found; what was not is missing to the verifier.</param>
    /// <param name="whyNot">The file, and what is wrong with it.</param>
    public static bool TryRead(string path, ProcessorEvidence evidence, [NotNullWhen(true)] out ProcessorCollateral? collateral, [NotNullWhen(false)] out string? whyNot) =>
        TryRead(path, evidence, out collateral, out _, out whyNot);

    /// <summary>The same, and what was not understood.</summary>
    /// <param name="path">A file or a folder, of which subfolders are not looked into.</param>
    /// <param name="evidence">Which lists and certificates are meant.</param>
    /// <param name="collateral">What was found; what was not is missing to the verifier.</param>
    /// <param name="passedOver">Each file that is no collateral of a processor, and what it is instead.</param>
    /// <param name="whyNot">The file, and what is wrong with it.</param>
    public static bool TryRead(
        string path, ProcessorEvidence evidence, [NotNullWhen(true)] out ProcessorCollateral? collateral, out ImmutableArray<string> passedOver, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        collateral = null;
        passedOver = [];
        var files = new ProcessorCollateralFiles();
        if (!TryList(path, out var names, out whyNot))
        {
            return false;
        }

        foreach (var name in names)
        {
            if (!BoundedFile.TryRead(name, MostBytes, out var bytes, out whyNot) || (whyNot = files.Take(name, bytes)) is not null)
            {
                return false;
            }
        }


        if (files is { _whole: not null, _bodies: [var (_, _, single), ..] })
        {
            whyNot = $"{single}: a single statement next to a complete TDX collateral file: keep one of them";
            return false;
        }

        if (!files.IsAnything)
        {
            passedOver = [.. files._passedOver];
            whyNot = $"{path}: no processor collateral: it has no Intel statements, AMD certificates or revocation lists{string.Concat(passedOver.Select(other => $"; {other}"))}";
            return false;
        }

        var found = new ProcessorCollateral { Snp = files.Snp(evidence, out whyNot) };
        if (whyNot is null)
        {
            found = found with { Tdx = files._whole ?? files.Tdx(evidence, out whyNot) };
        }

        passedOver = [.. files._passedOver];
        collateral = whyNot is null ? found : null;
        return collateral is not null;
    }

    private bool IsAnything => _whole is not null || _bodies.Count + _lists.Count + _amd.Count > 0;

    private static bool TryList(string path, out string[] names, [NotNullWhen(false)] out string? whyNot)
    {
        names = [];
        whyNot = null;
        try
        {
            names = Directory.Exists(path) ? [.. Directory.EnumerateFiles(path).Take(MostFiles + 1).Order(StringComparer.Ordinal)] : [path];
            whyNot = names.Length > MostFiles ? $"{path}: more than {MostFiles} files" : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            whyNot = $"{path} cannot be read: {exception.Message}";
        }

        return whyNot is null;
    }

    private string? Take(string file, ReadOnlyMemory<byte> bytes)
    {
        var content = FileContent.Of(bytes.Span);
        var taken = content.Kind switch
        {
            ContentKind.TdxCollateral => TakeWhole(file, content.Bytes),
            ContentKind.IntelStatement => TakeBody(file, content.Bytes),
            ContentKind.Certificates or ContentKind.RevocationList when content.Bytes.Span is not [0x30, ..] => TakePem(file, content.Bytes),
            ContentKind.Certificate or ContentKind.RevocationList => TakeDer(file, content.Bytes),
            _ => PassOver(file, content),
        };
        return taken;
    }

    private string? PassOver(string file, FileContent content)
    {
        _passedOver.Add($"{file}: this is {content.Phrase}");
        return null;
    }

    private string? TakeWhole(string file, ReadOnlyMemory<byte> bytes)
    {
        if (!TdxCollateral.TryParse(bytes.Span, out var whole, out var fault))
        {
            return $"{file}: {fault}";
        }

        var second = _whole is not null;
        _whole = whole;
        return second ? $"{file}: a second collection of collateral for TDX: give one" : null;
    }

    private string? TakeBody(string file, ReadOnlyMemory<byte> bytes)
    {
        _bodies.Add((bytes.Span.IndexOf("\"tcbInfo\""u8) >= 0 ? IntelStatementKind.TcbInfo : IntelStatementKind.QeIdentity, bytes.ToArray(), file));
        return null;
    }

    private string? TakePem(string file, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Span.IndexOf(Encoding.ASCII.GetBytes($"-----BEGIN {ListLabel}-----")) >= 0)
        {
            var text = Encoding.Latin1.GetString(bytes.Span);
            var found = PemEncoding.TryFind(text, out var fields) && text[fields.Label] == ListLabel;
            return found ? TakeDer(file, Convert.FromBase64String(text[fields.Base64Data])) : $"{file}: a malformed PEM list";
        }

        // Other PEM is not ours to judge: a key, say, that stands beside.
        if (Pem.TryDecode(bytes.Span, out var blocks, out _))
        {
            _chains.Add((bytes, file));
            foreach (var block in blocks)
            {
                TakeDer(file, block);
            }
        }

        return null;
    }

    private string? TakeDer(string file, ReadOnlyMemory<byte> der)
    {
        if (CertificateRevocationList.TryParse(der.Span, out var list, out var fault))
        {
            _lists.Add((list, der));
        }
        else if (Certificate.TryParse(der.Span, out var certificate, out _))
        {
            // Others, Intel's, come as chains in PEM.
            _amd.AddRange(IsOfAmd(certificate) ? [der] : []);
        }
        else
        {
            _passedOver.Add($"{file}: neither a certificate nor a revocation list: {fault}");
        }

        return null;
    }

    private static bool IsOfAmd(Certificate certificate) =>
        certificate.Subject.CommonName is { } name && (name.StartsWith("SEV-", StringComparison.Ordinal) || name.StartsWith("ARK-", StringComparison.Ordinal));

    private SnpCollateral Snp(ProcessorEvidence evidence, out string? whyNot)
    {
        whyNot = null;
        var lists = _lists.Where(item => item.List.Issuer.CommonName?.StartsWith("ARK-", StringComparison.Ordinal) is true).ToArray();
        if (lists.Length > 1 && ProductOf(evidence) is { } product)
        {
            lists = [.. lists.Where(item => item.List.Issuer.CommonName == $"ARK-{product}")];
        }

        // Two lists of one issuer, or of which product is not told: choosing would be guessing.
        if (lists.Length > 1 && evidence.Kind is not ProcessorEvidenceKind.TdxQuote)
        {
            whyNot = $"{lists.Length} revocation lists of AMD's: {string.Join(", ", lists.Select(item => item.List.Issuer.CommonName))}; keep the right one";
        }

        return new SnpCollateral { Certificates = [.. _amd], Crl = lists.Length == 1 ? lists[0].Der : (ReadOnlyMemory<byte>?)null };
    }

    private static string? ProductOf(ProcessorEvidence evidence)
    {
        var report = evidence.Kind is ProcessorEvidenceKind.SnpReport ? evidence.Bytes
            : evidence.Kind is ProcessorEvidenceKind.AzureVtpm && AzureVtpmEvidence.TryParse(evidence.Bytes.Span, out var azure, out _) && HclReport.TryParse(azure.HclReport.Span, out var hcl, out _) && hcl.Tee is HclTee.Snp ? hcl.HardwareReport
            : default;
        return SnpReport.TryParse(report.Span, out var parsed, out _) && parsed.Product is not SnpProduct.None ? parsed.Product.ToString() : null;
    }

    private TdxCollateral Tdx(ProcessorEvidence evidence, out string? whyNot)
    {
        whyNot = null;
        var quote = evidence.Kind is ProcessorEvidenceKind.TdxQuote ? evidence.Bytes
            : evidence.Kind is ProcessorEvidenceKind.AzureVtpm && AzureVtpmEvidence.TryParse(evidence.Bytes.Span, out var azure, out _) && azure.TdQuote is { } inside ? inside
            : default;
        if (!TdxQuote.TryParse(quote.Span, out var parsed, out _) || !Pem.TryDecode(parsed.PckChain.Span, out var chain, out _) || chain.Length < 2
            || !Certificate.TryParse(chain[0].Span, out var leaf, out _) || !Certificate.TryParse(chain[1].Span, out var authority, out _))
        {
            return TdxCollateral.Empty;
        }

        var fmspc = ProcessorNeeds.TryName(evidence, ProcessorNeeds.StandardChannel, out var keys, out _) ? keys.FirstOrDefault(key => key.Kind is CollateralKind.TcbInfo).Id?.Split('/')[1] : null;
        var info = Statement(IntelStatementKind.TcbInfo, "tcb", $"TCB information of the quote's platform (TDX, FMSPC {fmspc})", body => fmspc is null || (Text(body, "fmspc")?.Equals(fmspc, StringComparison.OrdinalIgnoreCase) is true && Text(body, "id") is "TDX"), ref whyNot);
        var identity = Statement(IntelStatementKind.QeIdentity, "qe", "the identity of a quoting enclave for TDX (TD_QE)", body => Text(body, "id") is "TD_QE", ref whyNot);
        return new TdxCollateral { TcbInfo = info, QeIdentity = identity, PckCrl = ListOf(leaf.Issuer, ref whyNot), RootCrl = ListOf(authority.Issuer, ref whyNot) };
    }

    // Of several lists of one issuer the newest. Of two that are equally new and differ one may revoke what the other does not: choosing would be
    // guessing.
    private ReadOnlyMemory<byte>? ListOf(DistinguishedName issuer, ref string? whyNot)
    {
        var lists = _lists.Where(item => item.List.Issuer.Equals(issuer)).OrderByDescending(item => item.List.ThisUpdate).ToArray();
        if (lists is [var newest, var next, ..] && next.List.ThisUpdate == newest.List.ThisUpdate && lists.Any(item => item.List.ThisUpdate == newest.List.ThisUpdate && !item.Der.Span.SequenceEqual(newest.Der.Span)))
        {
            whyNot ??= $"revocation lists of {issuer.CommonName} of one thisUpdate ({Utc.Text(newest.List.ThisUpdate)}) that differ: keep the right one";
        }

        return lists is [var first, ..] ? first.Der : (ReadOnlyMemory<byte>?)null;
    }

    // Of several the one of this platform: the quote's certificate names its FMSPC, and the verifier compares it again. One alone is taken as it is,
    // so that what is wrong with it is said.
    private IntelStatement? Statement(IntelStatementKind kind, string hint, string meant, Func<ReadOnlyMemory<byte>, bool> fits, ref string? whyNot)
    {
        var bodies = _bodies.Where(body => body.Kind == kind).ToArray();
        if (bodies.Length > 1)
        {
            var fitting = Array.FindAll(bodies, body => fits(body.Body));
            _passedOver.AddRange(fitting.Length > 0 ? [] : [$"{string.Join(", ", bodies.Select(body => body.File))}: none is {meant}"]);
            bodies = fitting;
        }

        if (bodies.Length != 1)
        {
            whyNot ??= bodies.Length > 1 ? $"{string.Join(" and ", bodies.Select(body => body.File))} are both {meant}: keep the right one" : null;
            return null;
        }

        // Intel sends the signer's chain in a header; saved, it is a file with the signer and the root.
        var chains = _chains.Where(item => IsSigner(item.Pem)).ToArray();
        var chain = chains.FirstOrDefault(item => Path.GetFileName(item.File).Contains(hint, StringComparison.OrdinalIgnoreCase), chains.FirstOrDefault());
        if (chains.Length == 0)
        {
            whyNot ??= $"{bodies[0].File}: its issuer chain is missing: save the response's header, URL-decoded, as a PEM file beside it";
            return null;
        }

        if (!IntelStatement.TryParseBody(bodies[0].Body, chain.Pem, kind, out var statement, out var fault))
        {
            whyNot ??= $"{bodies[0].File}: {fault}";
        }

        return statement;
    }

    // A member of what Intel signed, to choose by; the verifier reads it again, strictly.
    private static string? Text(ReadOnlyMemory<byte> body, string member)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = Limits.EvidenceJsonDepth });
            return document.RootElement.EnumerateObject().Where(outer => outer.Value.ValueKind is JsonValueKind.Object)
                .Select(outer => outer.Value.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null).FirstOrDefault(text => text is not null);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsSigner(ReadOnlyMemory<byte> pem) =>
        Pem.TryDecode(pem.Span, out var blocks, out _) && blocks.Length == 2 && Certificate.TryParse(blocks[0].Span, out var leaf, out _) && leaf.BasicConstraints is not { CertificateAuthority: true } && !IsOfAmd(leaf);
}
