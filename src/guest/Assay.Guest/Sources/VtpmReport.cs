using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// What a vTPM inside the TEE says of this VM as it is now, and what says whose vTPM it is. Nothing of it is believed:
/// <see cref="Gate.OwnVtpmReport"/> holds its parts against each other.
/// </summary>
internal sealed record VtpmReport : CpuReport
{
    public const string Word = "az-vtpm";

    /// <param name="hclReport">NV index 0x01400001: little-endian, zeros at its end.</param>
    /// <param name="message">The TPMS_ATTEST, big-endian.</param>
    /// <param name="signature">The bare bytes of an RSASSA signature with SHA-256.</param>
    /// <param name="pcrs">The SHA-256 bank, PCR 0 to 23.</param>
    /// <param name="modulus">Of the key that the TPM has at 0x81000003, 256 bytes, big-endian.</param>
    public VtpmReport(byte[] hclReport, byte[] message, byte[] signature, ImmutableArray<Digest> pcrs, byte[] modulus)
        : base(Word, [.. hclReport, .. message, .. signature]) =>
        (HclReport, Message, Signature, Pcrs, Modulus) = (hclReport, message, signature, pcrs, modulus);

    public byte[] HclReport { get; }

    public byte[] Message { get; }

    public byte[] Signature { get; }

    public ImmutableArray<Digest> Pcrs { get; }

    public byte[] Modulus { get; }

    /// <summary>
    /// The JSON of Confidential Containers' attesters, version 1, which <c>assay verify</c> reads:
    /// <c>{"version":1,"hcl_report":base64url,"tpm_quote":{"message":hex,"signature":hex,"pcrs":[24 × hex]},"vcek"|"td_quote":base64url}</c>.
    /// </summary>
    /// <param name="member"><c>vcek</c> or <c>td_quote</c>.</param>
    /// <param name="hardware">The certificate (DER) or the quote.</param>
    public byte[] ToJson(string member, byte[] hardware)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            writer.WriteString("hcl_report", Base64Url.EncodeToString(HclReport));
            writer.WriteStartObject("tpm_quote");
            writer.WriteString("message", Convert.ToHexStringLower(Message));
            writer.WriteString("signature", Convert.ToHexStringLower(Signature));
            writer.WriteStartArray("pcrs");
            foreach (var value in Pcrs)
            {
                writer.WriteStringValue(value.ToString());
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteString(member, Base64Url.EncodeToString(hardware));
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }
}
