using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text.Json;
using Assay.Broker.Release;
using Assay.Evidence.Files;
using Assay.Service.Http;
using Assay.Wire;

namespace Assay.Broker.Aws;

/// <summary>An attestation document: <c>{"challenge": ID, "evidence": bundle}</c>, the body of a release by our own protocol.</summary>
/// <param name="Challenge">The id of a release challenge.</param>
/// <param name="Evidence">Our bundle over its nonce, with an RSA key that was made in the VM.</param>
/// <param name="Digest">Of the evidence as it was received.</param>
internal sealed record KmsEvidence(string Challenge, MachineEvidence Evidence, Digest Digest)
{
    // An array of four in CBOR, with or without the tag of COSE_Sign1: what /dev/nsm answers.
    private const byte ArrayOfFour = 0x84;
    private const byte Sign1 = 0xD2;

    /// <summary>Reads what a recipient is. The challenge is used up by the caller, whatever comes of it.</summary>
    public static bool TryParse(KmsRecipient recipient, [NotNullWhen(true)] out KmsEvidence? document, [NotNullWhen(false)] out KmsFault? fault)
    {
        document = null;
        var bytes = recipient.AttestationDocument;
        fault = recipient.KeyEncryptionAlgorithm != KmsLimits.KeyEncryption ? KmsFault.Invalid($"Recipient.KeyEncryptionAlgorithm: {KmsLimits.KeyEncryption} is expected")
            : bytes.Length is 0 or > KmsLimits.DocumentBytes ? KmsFault.Invalid($"Recipient.AttestationDocument: 1 to {KmsLimits.DocumentBytes} bytes are expected")
            : bytes[0] is ArrayOfFour or Sign1 ? KmsFault.Invalid("Recipient.AttestationDocument: this is a Nitro attestation document (COSE), which says nothing of GPUs. Expected is {\"challenge\": ID, \"evidence\": EVIDENCE}, with the evidence of assay-guest ctl evidence")
            : null;
        return fault is null && TryParse(bytes, out document, out fault);
    }

    private static bool TryParse(byte[] bytes, [NotNullWhen(true)] out KmsEvidence? document, [NotNullWhen(false)] out KmsFault? fault)
    {
        (document, fault) = (null, null);
        try
        {
            var read = JsonSerializer.Deserialize<Document>(bytes, StrictJsonOptions.Value) ?? throw new JsonException("an object is expected");
            var raw = JsonMarshal.GetRawUtf8Value(read.Evidence).ToArray();
            document = MachineEvidence.TryParse(raw, "evidence", out var evidence, out var malformed) ? new KmsEvidence(read.Challenge, evidence, ReleaseAsk.DigestOf(raw)) : null;
            fault = malformed is null ? null : KmsFault.Invalid($"Recipient.AttestationDocument: {malformed}");
        }
        catch (JsonException exception)
        {
            fault = KmsFault.Invalid($"Recipient.AttestationDocument: {StrictJsonOptions.WhyNot(exception)}");
        }

        return document is not null;
    }

    private sealed record Document(string Challenge, JsonElement Evidence);
}
