using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Unicode;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// Tells files apart, for every command and option alike: what a file is, and where it is given. It reads first bytes and names of members, and no
/// content: whatever it says, a parser has the last word, and nothing is accepted or believed because of it.
/// </summary>
public sealed partial record FileContent
{
    private static readonly SearchValues<byte> s_nameBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:._-"u8);

    private const int TdReportSize = 1024;
    private const byte TdxType = 0x81;
    private const int SpecIdOffset = 32;
    private const int SgxHeaderSize = 48;
    private const int VendorOffset = 12;
    private const int SnpSignatureAlgorithmOffset = 0x34;
    private const int LongestCutReport = 4096;
    private const int AcpiHeaderSize = 36;
    private const byte DerSequence = 0x30;
    private const byte DerEnumerated = 0x0A;
    private const byte DerInteger = 0x02;
    private const byte DerOctets = 0x04;
    private const byte DerOid = 0x06;
    private const byte DerVersion = 0xA0;

    private FileContent(ContentKind kind, ReadOnlyMemory<byte> bytes, string? about)
    {
        Kind = kind;
        Bytes = bytes;
        About = about;
    }

    /// <summary>What it is.</summary>
    public ContentKind Kind { get; }

    /// <summary>The bytes that a text in hexadecimal or base64 stands for; the file itself otherwise, without a byte order mark.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>What is to be said of this very file, beside its kind; null where nothing is.</summary>
    internal string? About { get; }

    private static ReadOnlySpan<byte> IntelVendor => [0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07];

    /// <summary>Tells a file by its content.</summary>
    public static FileContent Of(ReadOnlySpan<byte> file)
    {
        if (file.IsEmpty)
        {
            return new FileContent(ContentKind.Empty, default, null);
        }

        var bare = FileText.WithoutMark(file);
        var (kind, about) = KindOfBytes(bare);
        if (kind is not ContentKind.Unknown)
        {
            return new FileContent(kind, bare.ToArray(), about);
        }

        var text = bare.Trim(FileText.WhiteSpace);
        kind = KindOfText(text, out about);
        if (kind is ContentKind.Text && bare.Length <= Limits.EvidenceFileBytes && FileText.TryDecode(text, out var decoded) && KindOfBytes(decoded) is { Kind: not ContentKind.Unknown } inside)
        {
            return new FileContent(inside.Kind, decoded, inside.About);
        }

        return new FileContent(kind, bare.ToArray(), about);
    }

    /// <summary>What a file is in words, without a copy of it: it may hold a private key.</summary>
    internal static (ContentKind Kind, string Phrase) Describe(ReadOnlySpan<byte> file)
    {
        var bare = FileText.WithoutMark(file);
        var (kind, about) = KindOfBytes(bare);
        kind = kind is ContentKind.Unknown ? KindOfText(bare.Trim(FileText.WhiteSpace), out about) : kind;
        return (kind, kind is ContentKind.Unknown ? "a file of no known kind" : new FileContent(kind, default, about).Phrase);
    }

    private static (ContentKind Kind, string? About) KindOfBytes(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..] or [(byte)'{' or (byte)'[', 0, ..] or [0, (byte)'{' or (byte)'[', ..] => (ContentKind.WideText, null),
        [0x1F, 0x8B, ..] or [(byte)'P', (byte)'K', 3, 4, ..] or [0x28, 0xB5, 0x2F, 0xFD, ..] => (ContentKind.Archive, null),
        [0x11, 0xE0, ..] => (ContentKind.DeviceReport, null),
        // Before quotes, whose version is 16 bits with a key type behind it: a guest chooses its GUEST_SVN.
        _ when bytes.Length == SnpReport.Size && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is > 0 and < 16 => (ContentKind.SnpReport, null),
        [4 or 5, 0, _, _, TdxType, 0, 0, 0, ..] => (ContentKind.TdxQuote, null),
        [3, 0, ..] when bytes.Length > SgxHeaderSize && bytes[VendorOffset..].StartsWith(IntelVendor) => (ContentKind.SgxQuote, null),
        [TdxType, ..] when bytes.Length == TdReportSize => (ContentKind.TdReport, null),
        _ when IsCutSnpReport(bytes) => (ContentKind.CutSnpReport, string.Create(CultureInfo.InvariantCulture, $"an SNP report of {bytes.Length:N0} bytes, {SnpReport.Size:N0} are expected")),
        _ when bytes.StartsWith("HCLA"u8) => (ContentKind.HclReport, null),
        [0xFF, (byte)'T', (byte)'C', (byte)'G', ..] => (ContentKind.TpmQuote, null),
        _ when bytes.StartsWith("ASSAYBUNDLE"u8) => (ContentKind.CollateralBundle, null),
        _ when IsAcpiTable(bytes) => (ContentKind.AcpiTable, null),
        _ when bytes.Length > SpecIdOffset && bytes[SpecIdOffset..].StartsWith("Spec ID Event"u8) => (ContentKind.EventLog, null),
        // Without a header every record is PCR, type, SHA-1 digest and data: a small number, then a known kind of number.
        _ when bytes.Length > SpecIdOffset && bytes is [< Limits.Pcrs, 0, 0, 0, < 0x20, 0, 0, 0 or 0x80, ..] => (ContentKind.EventLog, null),
        [DerSequence, ..] => (KindOfDer(bytes), null),
        _ when IsDstackAttestation(bytes) => (ContentKind.DstackAttestation, null),
        _ => (ContentKind.Unknown, null),
    };

    // Cut, or with more behind it: version, the one signature algorithm, and the bit of POLICY that is always set.
    private static bool IsCutSnpReport(ReadOnlySpan<byte> bytes) =>
        bytes.Length is > SnpSignatureAlgorithmOffset + 4 and < LongestCutReport && bytes.Length != SnpReport.Size
        && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is > 1 and < 16 && BinaryPrimitives.ReadUInt32LittleEndian(bytes[SnpSignatureAlgorithmOffset..]) == 1 && (bytes[10] & 2) != 0;

    // ACPI 6.5 §5.2.6: signature, then the length of the whole table.
    private static bool IsAcpiTable(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= AcpiHeaderSize && (bytes.StartsWith("CCEL"u8) || bytes.StartsWith("TDEL"u8) || bytes.StartsWith("TPM2"u8)) && BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) == bytes.Length;

    // OCSPResponse begins with an ENUMERATED, a v3 certificate with [0] and a v2 CRL with an INTEGER one level deeper. Keys: PKCS#12 has version 3, PKCS#8 and
    // RSA's own form 0, SEC1 1; what begins with an algorithm is a public key, or encrypted.
    private static ContentKind KindOfDer(ReadOnlySpan<byte> der) => AfterHeader(der) switch
    {
        [DerEnumerated, ..] => ContentKind.OcspResponse,
        [DerInteger, 1, 3, DerSequence, ..] => ContentKind.Pkcs12,
        [DerInteger, 1, 0, DerSequence or DerInteger, ..] or [DerInteger, 1, 1, DerOctets, ..] => ContentKind.PrivateKey,
        [DerSequence, ..] and var inner => AfterHeader(inner) switch
        {
            [DerVersion, ..] => ContentKind.Certificate,
            // PKCS#5 and PKCS#12: encryption by password.
            [DerOid, _, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 5 or 12, ..] => ContentKind.EncryptedPrivateKey,
            [DerOid, ..] => ContentKind.PublicKeyInfo,
            [DerInteger, 1, 0, DerSequence, ..] => ContentKind.CertificateRequest,
            [DerInteger, ..] => ContentKind.RevocationList,
            _ => ContentKind.Unknown,
        },
        _ => ContentKind.Unknown,
    };

    private static ReadOnlySpan<byte> AfterHeader(ReadOnlySpan<byte> element)
    {
        var header = element is [_, > 0x80 and var more, ..] ? 2 + (more & 0x7F) : 2;
        return element.Length > header ? element[header..] : [];
    }

    private static ContentKind KindOfText(ReadOnlySpan<byte> text, out string? about)
    {
        about = null;
        return text switch
        {
            [(byte)'{', ..] or [(byte)'[', ..] => KindOfJson(text, out about),
            [(byte)'<', ..] => KindOfMarkup(text),
            _ when text.StartsWith("-----BEGIN "u8) => KindOfPem(text),
            _ when text.StartsWith("eyJ"u8) && text.Count((byte)'.') == 2 => IsSignedManifest(text) ? ContentKind.SignedReferenceManifest : ContentKind.Token,
            _ when text.StartsWith("package "u8) || text.IndexOf("\npackage "u8) >= 0 => ContentKind.RegoPolicy,
            _ when Utf8.IsValid(text) && text.IndexOfAnyInRange((byte)0, (byte)8) < 0 => ContentKind.Text,
            _ => ContentKind.Unknown,
        };
    }

    private static ContentKind KindOfMarkup(ReadOnlySpan<byte> text) => LocalNameOfRoot(text).SequenceEqual("SoftwareIdentity"u8) ? ContentKind.Rim
        : text.StartsWith("<!DOCTYPE html"u8) || text.StartsWith("<!doctype html"u8) || text.StartsWith("<html"u8) ? ContentKind.Html
        : ContentKind.Xml;

    // The first tag with a name: the declaration, comments and a document type come before it.
    private static ReadOnlySpan<byte> LocalNameOfRoot(ReadOnlySpan<byte> text)
    {
        while (text.IndexOf((byte)'<') is var start and >= 0)
        {
            text = text[(start + 1)..];
            if (text.StartsWith("!--"u8))
            {
                var end = text.IndexOf("-->"u8);
                text = end < 0 ? [] : text[end..];
            }
            else if (text is not [(byte)'?' or (byte)'!', ..])
            {
                var name = text[..(text.IndexOfAnyExcept(s_nameBytes) is var end and >= 0 ? end : text.Length)];
                return name[(name.IndexOf((byte)':') + 1)..];
            }
        }

        return [];
    }

    private static ContentKind KindOfPem(ReadOnlySpan<byte> text)
    {
        var label = text["-----BEGIN "u8.Length..];
        var end = label.IndexOf("-----"u8);
        label = end < 0 ? [] : label[..end];
        return label.SequenceEqual("X509 CRL"u8) ? ContentKind.RevocationList
            : label.SequenceEqual("ENCRYPTED PRIVATE KEY"u8) || (label.EndsWith("PRIVATE KEY"u8) && text.IndexOf("Proc-Type: 4,ENCRYPTED"u8) >= 0) ? ContentKind.EncryptedPrivateKey
            : label.EndsWith("PRIVATE KEY"u8) || label.SequenceEqual("EC PARAMETERS"u8) ? ContentKind.PrivateKey
            : label.EndsWith("PUBLIC KEY"u8) ? ContentKind.PublicKeyInfo
            : label.EndsWith("CERTIFICATE REQUEST"u8) ? ContentKind.CertificateRequest
            : label.EndsWith("CERTIFICATE"u8) ? ContentKind.Certificates
            : ContentKind.Text;
    }

    // By the type in the header: a token begins with the same letters.
    private static bool IsSignedManifest(ReadOnlySpan<byte> text) =>
        StrictBase64.TryDecodeUrl(text[..text.IndexOf((byte)'.')], out var header) && header.AsSpan().IndexOf("\"assay-reference-values"u8) >= 0;

    private static ContentKind KindOfJson(ReadOnlySpan<byte> text, out string? about)
    {
        about = null;
        var copy = text.ToArray();
        try
        {
            using var document = JsonDocument.Parse(copy, new JsonDocumentOptions { MaxDepth = Limits.ContentJsonDepth });
            return document.RootElement.ValueKind is JsonValueKind.Array ? KindOfArray(document.RootElement) : KindOfObject(document.RootElement);
        }
        catch (JsonException exception)
        {
            about = string.Create(CultureInfo.InvariantCulture, $"malformed JSON (line {(exception.LineNumber ?? 0) + 1})");
            return ContentKind.MalformedJson;
        }
        catch (InvalidOperationException)
        {
            // For strings that are no text.
            about = "malformed JSON (text with half a surrogate pair)";
            return ContentKind.MalformedJson;
        }
        finally
        {
            // A file of unknown content may hold a private key.
            CryptographicOperations.ZeroMemory(copy);
        }
    }

    private static ContentKind KindOfArray(JsonElement root)
    {
        var first = root.GetArrayLength() > 0 ? root[0] : default;
        return first.ValueKind is JsonValueKind.Array ? ContentKind.TokenBundle
            : first.ValueKind is not JsonValueKind.Object ? ContentKind.Json
            : Has(first, "imr") || Has(first, "pcr") ? ContentKind.EventLog
            : Has(first, "evidence") ? ContentKind.DeviceEvidence
            : IsClaims(first) ? ContentKind.Claims
            : ContentKind.Json;
    }

    private static ContentKind KindOfObject(JsonElement root) =>
        IsDstackAttestation(root) ? ContentKind.DstackAttestation : IsTpmEvidence(root) ? ContentKind.TpmEvidence : KindByMembers(root);

    private static ContentKind KindByMembers(JsonElement root)
    {
        foreach (var (kind, members) in s_objects)
        {
            if (Array.TrueForAll(members, member => Has(root, member)))
            {
                return kind;
            }
        }

        return IsClaims(root) ? ContentKind.Claims
            : root.TryGetProperty("type", out var type) && type.ValueKind is JsonValueKind.String && type.GetString()!.StartsWith("assay-reference-values", StringComparison.Ordinal) ? ContentKind.ReferenceManifest
            : ContentKind.Json;
    }

    // The first whose members are all there.
    private static readonly (ContentKind Kind, string[] Members)[] s_objects =
    [
        (ContentKind.NvattestResult, ["result_code", "claims"]),
        (ContentKind.NvattestResult, ["result_code", "detached_eat"]),
        (ContentKind.Verdict, ["verdict", "weakened"]),
        (ContentKind.MachineEvidence, ["intel_quote"]),
        (ContentKind.MachineEvidence, ["tee-evidence"]),
        (ContentKind.MachineEvidence, ["primary_evidence"]),
        (ContentKind.MachineEvidence, ["version", "cpu"]),
        (ContentKind.MachineEvidence, ["version", "key"]),
        (ContentKind.DeviceEvidence, ["version", "gpus"]),
        (ContentKind.DeviceEvidence, ["version", "switches"]),
        (ContentKind.DeviceEvidence, ["evidences"]),
        (ContentKind.DeviceEvidence, ["evidence_list"]),
        (ContentKind.DeviceEvidence, ["device_evidence_list"]),
        (ContentKind.DeviceEvidence, ["bundles"]),
        (ContentKind.DeviceEvidence, ["__cmwc_t"]),
        (ContentKind.DeviceEvidence, ["evidence", "certificate"]),
        (ContentKind.ProcessorEvidence, ["platform", "evidence"]),
        (ContentKind.AzureVtpm, ["hcl_report"]),
        (ContentKind.ProcessorEvidence, ["quote"]),
        (ContentKind.ProcessorEvidence, ["attestation_report"]),
        (ContentKind.TdxCollateral, ["tcb_info", "qe_identity"]),
        (ContentKind.TdxCollateral, ["tcb_info", "tcb_info_signature"]),
        (ContentKind.IntelStatement, ["tcbInfo"]),
        (ContentKind.IntelStatement, ["enclaveIdentity"]),
        (ContentKind.UnsignedIntelStatement, ["fmspc", "tcbLevels"]),
        (ContentKind.UnsignedIntelStatement, ["mrsigner", "isvprodid", "tcbLevels"]),
        (ContentKind.DstackTcbInfo, ["mrtd", "rtmr0"]),
        (ContentKind.DstackTcbInfo, ["tcb_info"]),
        (ContentKind.RimServiceAnswer, ["id", "rim"]),
        (ContentKind.RimServiceList, ["ids"]),
        (ContentKind.JsonPolicy, ["authorization-rules"]),
        (ContentKind.KeySet, ["keys"]),
        (ContentKind.PrivateKey, ["kty", "d"]),
        (ContentKind.PublicKey, ["kty"]),
        (ContentKind.Anchors, ["device"]),
        (ContentKind.Anchors, ["rim"]),
        (ContentKind.Anchors, ["intel"]),
        (ContentKind.Anchors, ["amd"]),
    ];

    /// <summary>dstack's versioned attestation in JSON. Beside a quote, which its agent gives for TDX, it is left alone.</summary>
    internal static bool IsDstackAttestation(JsonElement root) =>
        StrictJson.Text(root, "attestation") is { } text && StrictJson.Text(root, "quote") is null or "" && FileText.TryDecode(text, out var bytes) && IsDstackAttestation(bytes);

    /// <summary>The evidence of a TPM outside a TEE, as Trustee's attesters send it.</summary>
    internal static bool IsTpmEvidence(JsonElement root) =>
        (Has(root, "ak_public") && Has(root, "tpm_quote")) || (Has(root, "ak_pubkey") && Has(root, "quote"));

    // By its first bytes: version 0 is SCALE, 0 and then the kind; version 1 is MessagePack, a map that begins with "version".
    private static bool IsDstackAttestation(ReadOnlySpan<byte> bytes) =>
        bytes is [0, < 8, _, _, 4 or 5, 0, _, _, TdxType, 0, 0, 0, ..] or [0, < 8, _, _, > 1 and < 16, 0, 0, 0, ..] or [(>= 0x81 and <= 0x8F), 0xA7, (byte)'v', (byte)'e', (byte)'r', (byte)'s', (byte)'i', (byte)'o', (byte)'n', ..];

    private static bool IsClaims(JsonElement element) =>
        Has(element, "measres") || element.EnumerateObject().Any(member => member.Name.StartsWith("x-nvidia-", StringComparison.Ordinal) || member.Name.StartsWith("x-nv-", StringComparison.Ordinal));

    private static bool Has(JsonElement element, string member) => element.TryGetProperty(member, out _);
}
