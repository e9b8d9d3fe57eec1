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
/// of AMD; lists and certificates as DER, PEM, hexadecimal or base64. Files that are none of these, or cannot be read, are passed over, and named. Nothing
/// is believed: of several files of one item all go to the verifier, which takes the latest that verifies, so that a forged one hides none.
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
    private readonly List<string> _amdFiles = [];
    private readonly List<TdxCollateral> _wholes = [];
    private readonly List<string> _wholeFiles = [];
    private string? _tooMany;

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
            if (BoundedFile.TryRead(name, MostBytes, out var bytes, out var unreadable))
            {
                files.Take(name, bytes);
            }
            else
            {
                files._passedOver.Add(unreadable);
            }
        }

        if (files.IsAnything)
        {
            collateral = new ProcessorCollateral { Snp = files.Snp(evidence), Tdx = files.Tdx(evidence) };
            files.PassOverTheOther(evidence);
        }

        passedOver = [.. files._passedOver];
        if (files._tooMany is { } tooMany)
        {
            (collateral, whyNot) = (null, $"{path}: {tooMany}");
            return false;
        }

        whyNot = collateral is not null ? null
            : $"{path}: no processor collateral: it has no Intel statements, AMD certificates or revocation lists{string.Concat(passedOver.Select(other => $"; {other}"))}";
        return collateral is not null;
    }

    // Where all there is is for the other manufacturer's processors, whoever gave it meant something else. A folder may serve both.
    private void PassOverTheOther(ProcessorEvidence evidence)
    {
        if (_amd.Count == 0 && ReportOf(evidence).Length > 0)
        {
            _passedOver.AddRange(_wholeFiles.Concat(_bodies.Select(body => body.File)).Distinct().Select(file => $"{file}: collateral of Intel TDX, and the evidence is of AMD SEV-SNP"));
        }
        else if (_wholes.Count + _bodies.Count == 0 && TryReadIssuers(evidence, out _, out _))
        {
            _passedOver.AddRange(_amdFiles.Distinct().Select(file => $"{file}: certificates of AMD, and the evidence is of Intel TDX"));
        }
    }

    private bool IsAnything => _wholes.Count + _bodies.Count + _lists.Count + _amd.Count > 0;

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

    private void Take(string file, ReadOnlyMemory<byte> bytes)
    {
        var content = FileContent.Of(bytes.Span);
        switch (content.Kind)
        {
            case ContentKind.TdxCollateral:
                TakeWhole(file, content.Bytes);
                break;
            case ContentKind.IntelStatement:
                var kind = content.Bytes.Span.IndexOf("\"tcbInfo\""u8) >= 0 ? IntelStatementKind.TcbInfo : IntelStatementKind.QeIdentity;
                _bodies.Add((kind, content.Bytes.ToArray(), file));
                break;
            case ContentKind.Certificates or ContentKind.RevocationList when content.Bytes.Span is not [0x30, ..]:
                TakePem(file, content.Bytes);
                break;
            case ContentKind.Certificate or ContentKind.RevocationList:
                TakeDer(file, content.Bytes);
                break;
            default:
                _passedOver.Add($"{file}: this is {content.Phrase}");
                break;
        }
    }

    private void TakeWhole(string file, ReadOnlyMemory<byte> bytes)
    {
        if (TdxCollateral.TryParse(bytes.Span, out var whole, out var fault))
        {
            _wholes.Add(whole);
            _wholeFiles.Add(file);
        }
        else
        {
            _passedOver.Add($"{file}: {fault}");
        }
    }

    private void TakePem(string file, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Span.IndexOf(Encoding.ASCII.GetBytes($"-----BEGIN {ListLabel}-----")) >= 0)
        {
            TakeLists(file, bytes.Span);
            return;
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
    }

    // Each list of the file: a newer one that was appended must not be overlooked.
    private void TakeLists(string file, ReadOnlySpan<byte> text)
    {
        var lists = Pem.Find(text, ListLabel, out var isWhole);
        foreach (var list in lists)
        {
            TakeDer(file, list);
        }

        if (!isWhole)
        {
            _passedOver.Add($"{file}: a malformed PEM list");
        }
    }

    private void TakeDer(string file, ReadOnlyMemory<byte> der)
    {
        if (CertificateRevocationList.TryParse(der.Span, out var list, out var fault))
        {
            _lists.Add((list, der));
        }
        else if (Certificate.TryParse(der.Span, out var certificate, out _))
        {
            // Others, Intel's, come as chains in PEM.
            if (IsOfAmd(certificate))
            {
                _amd.Add(der);
                _amdFiles.Add(file);
            }
        }
        else
        {
            _passedOver.Add($"{file}: neither a certificate nor a revocation list: {fault}");
        }
    }

    private static bool IsOfAmd(Certificate certificate) =>
        certificate.Subject.CommonName is { } name && (name.StartsWith("SEV-", StringComparison.Ordinal) || name.StartsWith("ARK-", StringComparison.Ordinal));

    private SnpCollateral Snp(ProcessorEvidence evidence)
    {
        var product = ProductOf(evidence);
        var lists = Newest(issuer => issuer.CommonName is { } name && name.StartsWith("ARK-", StringComparison.Ordinal) && (product is null || name == $"ARK-{product}"));
        return new SnpCollateral { Certificates = [.. _amd], Crl = First(lists), OtherCrls = [.. lists.Skip(1)] };
    }

    /// <summary>The SNP report; empty where the evidence has none.</summary>
    private static ReadOnlyMemory<byte> ReportOf(ProcessorEvidence evidence) => evidence.Kind is ProcessorEvidenceKind.SnpReport ? evidence.Bytes
        : evidence.Kind is ProcessorEvidenceKind.AzureVtpm && AzureVtpmEvidence.TryParse(evidence.Bytes.Span, out var azure, out _) && HclReport.TryParse(azure.HclReport.Span, out var hcl, out _) && hcl.Tee is HclTee.Snp ? hcl.HardwareReport
        : default;

    private static string? ProductOf(ProcessorEvidence evidence) =>
        SnpReport.TryParse(ReportOf(evidence).Span, out var parsed, out _) && parsed.Product is not SnpProduct.None ? parsed.Product.ToString() : null;

    private TdxCollateral Tdx(ProcessorEvidence evidence)
    {
        var (infos, identities) = (_wholes.Select(whole => whole.TcbInfo!).ToList(), _wholes.Select(whole => whole.QeIdentity!).ToList());
        var (pckLists, rootLists) = (_wholes.Select(whole => whole.PckCrl!.Value).ToList(), _wholes.Select(whole => whole.RootCrl!.Value).ToList());
        if (TryReadIssuers(evidence, out var issuer, out var root))
        {
            var fmspc = ProcessorNeeds.TryName(evidence, ProcessorNeeds.StandardChannel, out var keys, out _) ? keys.FirstOrDefault(key => key.Kind is CollateralKind.TcbInfo).Id?.Split('/')[1] : null;
            infos.AddRange(Statements(IntelStatementKind.TcbInfo, "tcb", $"TCB information of the quote's platform (TDX, FMSPC {fmspc})", body => fmspc is null || (Text(body, "fmspc")?.Equals(fmspc, StringComparison.OrdinalIgnoreCase) is true && Text(body, "id") is "TDX")));
            identities.AddRange(Statements(IntelStatementKind.QeIdentity, "qe", "the identity of a quoting enclave for TDX (TD_QE)", body => Text(body, "id") is "TD_QE"));
            pckLists.AddRange(Newest(issuer.Equals));
            rootLists.AddRange(Newest(root.Equals));
        }

        // Whoever takes the first that verifies takes the latest so: of what is authentic the date is true (S-17).
        infos = [.. infos.OrderByDescending(IssueDate, StringComparer.Ordinal)];
        identities = [.. identities.OrderByDescending(IssueDate, StringComparer.Ordinal)];
        pckLists = [.. pckLists.OrderByDescending(ThisUpdate)];
        rootLists = [.. rootLists.OrderByDescending(ThisUpdate)];
        return new TdxCollateral
        {
            TcbInfo = infos.FirstOrDefault(),
            OtherTcbInfo = [.. infos.Skip(1)],
            QeIdentity = identities.FirstOrDefault(),
            OtherQeIdentities = [.. identities.Skip(1)],
            PckCrl = First(pckLists),
            OtherPckCrls = [.. pckLists.Skip(1)],
            RootCrl = First(rootLists),
            OtherRootCrls = [.. rootLists.Skip(1)],
        };
    }

    // Who issued the quote's certificate, and the certificate of that: by them lists are found.
    private static bool TryReadIssuers(ProcessorEvidence evidence, [NotNullWhen(true)] out DistinguishedName? issuer, [NotNullWhen(true)] out DistinguishedName? root)
    {
        (issuer, root) = (null, null);
        var quote = evidence.Kind is ProcessorEvidenceKind.TdxQuote ? evidence.Bytes
            : evidence.Kind is ProcessorEvidenceKind.AzureVtpm && AzureVtpmEvidence.TryParse(evidence.Bytes.Span, out var azure, out _) && azure.TdQuote is { } inside ? inside
            : default;
        // Text after it changes nothing about which collateral fits; whether it is accepted is said elsewhere.
        if (!TdxQuote.TryParse(quote.Span, dangerouslyAcceptTextAfter: true, out var parsed, out _) || !Pem.TryDecode(parsed.PckChain.Span, out var chain, out _) || chain.Length < 2
            || !Certificate.TryParse(chain[0].Span, out var leaf, out _) || !Certificate.TryParse(chain[1].Span, out var authority, out _))
        {
            return false;
        }

        (issuer, root) = (leaf.Issuer, authority.Issuer);
        return true;
    }

    private static string IssueDate(IntelStatement statement)
    {
        try
        {
            using var document = JsonDocument.Parse(statement.Content, new JsonDocumentOptions { MaxDepth = Limits.EvidenceJsonDepth });
            return document.RootElement.TryGetProperty("issueDate", out var date) && date.ValueKind is JsonValueKind.String ? date.GetString()! : "";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return "";
        }
    }

    private static DateTimeOffset ThisUpdate(ReadOnlyMemory<byte> der) => CertificateRevocationList.TryParse(der.Span, out var list, out _) ? list.ThisUpdate : DateTimeOffset.MinValue;

    // No time of theirs is believed: they are tried in this order.
    private ReadOnlyMemory<byte>[] Newest(Func<DistinguishedName, bool> isMeant) =>
        [.. _lists.Where(item => isMeant(item.List.Issuer)).OrderByDescending(item => item.List.ThisUpdate).Select(item => item.Der)];

    private static ReadOnlyMemory<byte>? First(IReadOnlyList<ReadOnlyMemory<byte>> lists) => lists.Count > 0 ? lists[0] : (ReadOnlyMemory<byte>?)null;

    // Of several those of this platform: the quote's certificate names its FMSPC, and the verifier compares it again. One alone is taken as it is,
    // so that what is wrong with it is said.
    private List<IntelStatement> Statements(IntelStatementKind kind, string hint, string meant, Func<ReadOnlyMemory<byte>, bool> fits)
    {
        var bodies = _bodies.Where(body => body.Kind == kind).ToArray();
        if (bodies.Length > 1)
        {
            var fitting = Array.FindAll(bodies, body => fits(body.Body));
            _passedOver.AddRange(fitting.Length > 0 ? [] : [$"{string.Join(", ", bodies.Select(body => body.File))}: none is {meant}"]);
            bodies = fitting;
        }

        // Intel sends the signer's chain in a header; saved, it is a file with the signer and the root.
        ReadOnlyMemory<byte>[] chains = [.. _chains.Where(item => IsSigner(item.Pem)).OrderByDescending(item => Path.GetFileName(item.File).Contains(hint, StringComparison.OrdinalIgnoreCase)).Select(item => item.Pem).DistinctBy(pem => Convert.ToHexString(SHA256.HashData(pem.Span)))];
        var most = Math.Max(1, Limits.CollateralCandidates / Math.Max(1, bodies.Length));
        if (chains.Length > most)
        {
            // One that is left out may be the latest: nothing of such a folder is believed (S-17).
            _tooMany ??= $"{bodies.Length} statements of one kind with {chains.Length} issuer chains are more than can be tried ({Limits.CollateralCandidates} pairs): leave those that belong to this platform";
            return [];
        }

        var statements = new List<IntelStatement>();
        foreach (var (_, body, file) in bodies)
        {
            ParseFault? fault = null;
            if (chains.Length == 0)
            {
                _passedOver.Add($"{file}: its issuer chain is missing: save the response's header, URL-decoded, as a PEM file beside it");
            }

            foreach (var chain in chains)
            {
                if (IntelStatement.TryParseBody(body, chain, kind, out var statement, out fault))
                {
                    statements.Add(statement);
                }
            }

            _passedOver.AddRange(fault is null ? [] : [$"{file}: {fault}"]);
        }

        return statements;
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
