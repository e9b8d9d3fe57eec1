using System.Formats.Asn1;

namespace Assay.Sealing.Cms;

/// <summary>
/// EnvelopedData taken apart, of the one form that <see cref="EnvelopedKey"/> reads and writes (RFC 5652 §6.1). Read as BER, which KMS sends with
/// indefinite lengths; written as DER.
/// </summary>
/// <param name="EncryptedKey">For the one recipient.</param>
/// <param name="Iv">16 bytes.</param>
/// <param name="Text">Whole blocks.</param>
internal sealed record EnvelopedMessage(byte[] EncryptedKey, byte[] Iv, byte[] Text)
{
    public const int BlockBytes = 16;

    private const string EnvelopedData = "1.2.840.113549.1.7.3";
    private const string Data = "1.2.840.113549.1.7.1";
    private const string Aes256Cbc = "2.16.840.1.101.3.4.1.42";

    private static readonly Asn1Tag s_context = new(TagClass.ContextSpecific, 0);

    /// <summary>One of both.</summary>
    public static (EnvelopedMessage? Message, SealingFault? Fault) Of(ReadOnlySpan<byte> message)
    {
        if (message.Length > Limits.CmsBytes)
        {
            return (null, Malformed($"longer than {Limits.CmsBytes} bytes"));
        }

        try
        {
            return Read(message);
        }
        catch (AsnContentException)
        {
            return (null, Malformed("its structure is broken, or another one"));
        }
    }

    /// <summary>As DER, for a recipient of this key identifier.</summary>
    public byte[] ToDer(byte[] identifier)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(EnvelopedData);
            using (writer.PushSequence(s_context))
            using (writer.PushSequence())
            {
                writer.WriteInteger(2);
                using (writer.PushSetOf())
                using (writer.PushSequence())
                {
                    writer.WriteInteger(2);
                    writer.WriteOctetString(identifier, s_context);
                    OaepAlgorithm.Write(writer);
                    writer.WriteOctetString(EncryptedKey);
                }

                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Data);
                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Aes256Cbc);
                        writer.WriteOctetString(Iv);
                    }

                    writer.WriteOctetString(Text, s_context);
                }
            }
        }

        return writer.Encode();
    }

    private static SealingFault Malformed(string problem) =>
        new(SealingFaults.CmsForm, $"not CMS EnvelopedData of the form that is read: {problem}", "expected: one recipient by key identifier, RSAES-OAEP with SHA-256, AES-256-CBC");

    private static SealingFault Refused(string problem) => new(SealingFaults.CmsAlgorithm, problem, "ask for RSAES-OAEP with SHA-256 and AES-256-CBC");

    private static (EnvelopedMessage? Message, SealingFault? Fault) Read(ReadOnlySpan<byte> message)
    {
        var whole = new AsnReader(message.ToArray(), AsnEncodingRules.BER);
        var info = whole.ReadSequence();
        whole.ThrowIfNotEmpty();
        if (info.ReadObjectIdentifier() != EnvelopedData)
        {
            return (null, Malformed("another content type"));
        }

        var wrapped = info.ReadSequence(s_context);
        info.ThrowIfNotEmpty();
        var data = wrapped.ReadSequence();
        wrapped.ThrowIfNotEmpty();
        if (!data.TryReadInt32(out var version) || version != 2)
        {
            return (null, Malformed("the version is not 2"));
        }

        var recipients = data.ReadSetOf(skipSortOrderValidation: true);
        var recipient = recipients.ReadSequence();
        recipients.ThrowIfNotEmpty();
        if (ReadRecipient(recipient, out var encryptedKey) is { } refused)
        {
            return (null, refused);
        }

        var read = ReadContent(data.ReadSequence(), encryptedKey);
        // What follows a content that is refused was not read, and is not said to be wrong.
        if (read.Fault is null)
        {
            data.ThrowIfNotEmpty();
        }

        return read;
    }

    private static SealingFault? ReadRecipient(AsnReader recipient, out byte[] encryptedKey)
    {
        encryptedKey = [];
        if (!recipient.TryReadInt32(out var version) || version != 2)
        {
            return Malformed("the recipient is not named by its key identifier");
        }

        recipient.ReadOctetString(s_context);
        if (OaepAlgorithm.WhyNot(recipient.ReadSequence()) is { } problem)
        {
            return Refused(problem);
        }

        encryptedKey = recipient.ReadOctetString();
        recipient.ThrowIfNotEmpty();
        return null;
    }

    private static (EnvelopedMessage? Message, SealingFault? Fault) ReadContent(AsnReader content, byte[] encryptedKey)
    {
        if (content.ReadObjectIdentifier() != Data)
        {
            return (null, Malformed("the content is of another type than data"));
        }

        var algorithm = content.ReadSequence();
        if (algorithm.ReadObjectIdentifier() != Aes256Cbc)
        {
            return (null, Refused("the content is not encrypted with AES-256-CBC"));
        }

        var iv = algorithm.ReadOctetString();
        algorithm.ThrowIfNotEmpty();
        var text = ReadText(content);
        content.ThrowIfNotEmpty();
        if (iv.Length != BlockBytes || text.Length == 0 || text.Length % BlockBytes != 0)
        {
            return (null, Malformed("iv or content of a length that AES-CBC does not have"));
        }

        return (new EnvelopedMessage(encryptedKey, iv, text), null);
    }

    // Primitive, or segments one behind the other; segments in segments are refused.
    private static byte[] ReadText(AsnReader content)
    {
        if (!content.PeekTag().IsConstructed)
        {
            return content.ReadOctetString(s_context);
        }

        var segments = content.ReadSequence(s_context);
        var text = new List<byte>();
        for (var count = 0; segments.HasData; count++)
        {
            if (count == Limits.CmsSegments || segments.PeekTag().IsConstructed)
            {
                throw new AsnContentException("segments");
            }

            text.AddRange(segments.ReadOctetString());
        }

        return [.. text];
    }
}
