using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>A TPM's quote as bytes, with the register values that it is about. Nothing of it is believed.</summary>
public sealed record TpmQuoteEvidence
{
    /// <summary>The TPMS_ATTEST.</summary>
    public required ReadOnlyMemory<byte> Message { get; init; }

    /// <summary>The signature in the form that <see cref="SignatureForm"/> says.</summary>
    public required ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>Told by the profile that the evidence came in, never guessed from its bytes.</summary>
    public required TpmSignatureForm SignatureForm { get; init; }

    /// <summary>The bank of the values.</summary>
    public required TcgHash Bank { get; init; }

    /// <summary>Claimed values by register.</summary>
    public required ImmutableSortedDictionary<int, Digest> Values { get; init; }
}

/// <summary>How a profile carries the TPM's signature.</summary>
public enum TpmSignatureForm
{
    /// <summary>Not told: nothing verifies.</summary>
    None,

    /// <summary>A TPMT_SIGNATURE.</summary>
    Tpmt,

    /// <summary>The bare bytes of an RSASSA signature with SHA-256: Azure's profile.</summary>
    RawRsaSsaSha256,
}

/// <summary>
/// Evidence of an Azure confidential VM as the confidential-containers attesters write it:
/// <c>{"version":1,"hcl_report":base64url,"tpm_quote":{"message":hex,"signature":hex,"pcrs":[24 × hex]}}</c> with <c>"vcek"</c> (base64url
/// DER) on SEV-SNP or <c>"td_quote"</c> (base64url) on TDX.
/// </summary>
public sealed record AzureVtpmEvidence
{
    /// <summary>The HCL report, binary.</summary>
    public required ReadOnlyMemory<byte> HclReport { get; init; }

    /// <summary>The vTPM's quote over PCRs 0 to 23 of the SHA-256 bank.</summary>
    public required TpmQuoteEvidence Quote { get; init; }

    /// <summary>SEV-SNP: the certificate of the chip's key, DER; null on TDX.</summary>
    public ReadOnlyMemory<byte>? Vcek { get; init; }

    /// <summary>TDX: the TD quote; null on SEV-SNP.</summary>
    public ReadOnlyMemory<byte>? TdQuote { get; init; }

    /// <summary>Reads the JSON. What is inside is not looked into.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out AzureVtpmEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        fault = json.Length > Limits.AzureEvidenceBytes ? new ParseFault("Azure vTPM evidence", 0, $"larger than {Limits.AzureEvidenceBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is not null)
        {
            var reader = new Reader();
            evidence = reader.Read(document.RootElement);
            fault = reader.Fault;
            evidence = fault is null ? evidence : null;
        }

        fault = evidence is null ? fault ?? new ParseFault("Azure vTPM evidence", 0, "unreadable") : null;
        return evidence is not null;
    }

    private sealed class Reader
    {
        public ParseFault? Fault { get; private set; }

        public AzureVtpmEvidence? Read(JsonElement root)
        {
            if (root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty("version", out var version) || version.ValueKind is not JsonValueKind.Number || !version.TryGetInt32(out var number) || number != 1)
            {
                Refuse("version", "1 is expected");
                return null;
            }

            foreach (var member in root.EnumerateObject().Where(member => member.Name is not ("version" or "hcl_report" or "tpm_quote" or "vcek" or "td_quote")))
            {
                Refuse(member.Name, "unknown member");
            }

            var hasVcek = root.TryGetProperty("vcek", out _);
            if (hasVcek == root.TryGetProperty("td_quote", out _))
            {
                Refuse("vcek", "either vcek or td_quote is expected");
            }

            var report = Bytes(root, "hcl_report");
            var vcek = hasVcek ? Bytes(root, "vcek") : null;
            var quote = hasVcek ? null : Bytes(root, "td_quote");
            var tpm = root.TryGetProperty("tpm_quote", out var found) ? ReadQuote(found) : null;
            if (tpm is null)
            {
                Refuse("tpm_quote", "message, signature and pcrs are expected");
            }

            // A conversion of null would yield empty memory, and not null.
            return Fault is not null ? null : new AzureVtpmEvidence
            {
                HclReport = report,
                Quote = tpm!,
                Vcek = vcek is null ? (ReadOnlyMemory<byte>?)null : vcek,
                TdQuote = quote is null ? (ReadOnlyMemory<byte>?)null : quote,
            };
        }

        private TpmQuoteEvidence? ReadQuote(JsonElement element)
        {
            if (element.ValueKind is not JsonValueKind.Object)
            {
                return null;
            }

            foreach (var member in element.EnumerateObject().Where(member => member.Name is not ("message" or "signature" or "pcrs")))
            {
                Refuse($"tpm_quote.{member.Name}", "unknown member");
            }

            var values = ImmutableSortedDictionary.CreateBuilder<int, Digest>();
            if (!element.TryGetProperty("pcrs", out var list) || list.ValueKind is not JsonValueKind.Array || list.GetArrayLength() != Limits.Pcrs)
            {
                Refuse("tpm_quote.pcrs", $"an array of {Limits.Pcrs} values is expected");
                return null;
            }

            foreach (var (register, item) in list.EnumerateArray().Index())
            {
                values.Add(register, new Digest(HexOf(item, $"tpm_quote.pcrs[{register}]", TcgHash.Sha256.Size)));
            }

            return new TpmQuoteEvidence
            {
                Message = HexOf(element.TryGetProperty("message", out var message) ? message : default, "tpm_quote.message", null),
                Signature = HexOf(element.TryGetProperty("signature", out var signature) ? signature : default, "tpm_quote.signature", null),
                SignatureForm = TpmSignatureForm.RawRsaSsaSha256,
                Bank = TcgHash.Sha256,
                Values = values.ToImmutable(),
            };
        }

        private byte[] HexOf(JsonElement element, string field, int? size)
        {
            if (element.ValueKind is JsonValueKind.String && element.GetString() is { } text && !text.AsSpan().ContainsAnyInRange('A', 'F') && Hex.TryDecode(text, out var bytes) && (size ?? bytes.Length) == bytes.Length)
            {
                return bytes;
            }

            Refuse(field, size is null ? "lower-case hexadecimal is expected" : $"lower-case hexadecimal of {size} bytes is expected");
            return [];
        }

        private byte[] Bytes(JsonElement root, string member)
        {
            var text = Encoding.UTF8.GetBytes(StrictJson.Text(root, member) ?? "");
            if (text.Length > 0 && StrictBase64.TryDecodeUrl(text.AsSpan().TrimEnd((byte)'='), out var bytes) && IsPadded(text, bytes))
            {
                return bytes;
            }

            Refuse(member, "base64url is expected");
            return [];
        }

        // The attesters write base64url with padding where it is needed, others without: both have one spelling.
        private static bool IsPadded(ReadOnlySpan<byte> text, byte[] bytes)
        {
            var padding = text.Length - text.TrimEnd((byte)'=').Length;
            return padding == 0 || padding == (3 - (bytes.Length % 3)) % 3;
        }

        private void Refuse(string member, string problem) => Fault ??= new ParseFault(member, 0, problem);
    }
}
