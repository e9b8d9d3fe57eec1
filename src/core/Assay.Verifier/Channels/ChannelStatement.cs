using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Channels;

/// <summary>
/// The evidence that a channel's certificate carries, as JSON in an OCTET STRING of an extension that is not critical:
/// <c>{"v":1,"purpose","epoch","tee","quote","devices","log"}</c>. The evidence of devices and the boot log are named by their digests, <c>sha384:</c> and hexadecimal, or the empty
/// string if the machine has none; the client asks for them in the exchange. The processor's report covers the same text in place of the device evidence (S-23).
/// </summary>
public sealed record ChannelStatement
{
    /// <summary>The extension's object identifier, made from a UUID (ITU-T X.667).</summary>
    public const string Oid = "2.25.209614583920471650238419575036281947563";

    /// <summary>Bytes of the largest extension value.</summary>
    public const int MaximumSize = 32 * 1024;

    private const string Prefix = "sha384:";

    /// <summary>What the channel is for.</summary>
    public required string Purpose { get; init; }

    /// <summary>16 bytes, random for each boot of the VM.</summary>
    public required ReadOnlyMemory<byte> Epoch { get; init; }

    /// <summary>The kind of the processor's evidence, as in a bundle.</summary>
    public required string Tee { get; init; }

    /// <summary>The processor's evidence.</summary>
    public required ReadOnlyMemory<byte> Quote { get; init; }

    /// <summary>Digest of the device evidence (<see cref="AdditionalEvidence"/>); empty where there is no device.</summary>
    public required string Devices { get; init; }

    /// <summary>Digest of the boot log; empty where there is none.</summary>
    public required string Log { get; init; }

    /// <summary>The digest of a part, as statements and messages name it.</summary>
    public static string DigestOf(ReadOnlySpan<byte> part) => Prefix + Digest.Sha384(part);

    /// <summary>What the processor's report of a certificate covers in place of the device evidence.</summary>
    /// <param name="devices">In the order of the evidence.</param>
    /// <returns>The digest; empty where there is no device.</returns>
    public static string DigestOf(IReadOnlyCollection<DeviceEvidence> devices) =>
        AdditionalEvidence.Of(devices) is { Length: > 0 } text ? DigestOf(Encoding.UTF8.GetBytes(text)) : "";

    /// <summary>The extension's content, without the OCTET STRING around it.</summary>
    public byte[] ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v", 1);
            writer.WriteString("purpose", Purpose);
            writer.WriteString("epoch", Base64Url.EncodeToString(Epoch.Span));
            writer.WriteString("tee", Tee);
            writer.WriteBase64String("quote", Quote.Span);
            writer.WriteString("devices", Devices);
            writer.WriteString("log", Log);
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>Reads the extension's content.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out ChannelStatement? statement, [NotNullWhen(false)] out ParseFault? fault)
    {
        statement = null;
        fault = json.Length > MaximumSize ? new ParseFault("extension", 0, $"larger than {MaximumSize} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("extension", 0, "empty");
            return false;
        }

        var (fields, root) = (new JsonFields(), document.RootElement);
        ChannelMessage.Only(fields, root, "extension", "v", "purpose", "epoch", "tee", "quote", "devices", "log");
        fields.Require(fields.Number(root, "v") == 1, "v", "1 is expected");
        var (purpose, epoch, tee) = (fields.Name(root, "purpose"), ChannelMessage.Bytes(fields, root, "epoch", Binding.ChannelBinding.EpochSize), fields.Name(root, "tee"));
        fields.Require(Binding.ChannelBinding.IsPurpose(purpose), "purpose", "1 to 64 small letters, digits, dots and hyphens are expected");
        fields.Require(StrictBase64.TryDecode(Encoding.UTF8.GetBytes(fields.Text(root, "quote")), out var quote) && quote.Length > 0, "quote", "canonical base64 is expected");
        var (devices, log) = (Part(fields, root, "devices"), Part(fields, root, "log"));
        fault = fields.Fault;
        statement = fault is null ? new ChannelStatement { Purpose = purpose, Epoch = epoch, Tee = tee, Quote = quote, Devices = devices, Log = log } : null;
        return statement is not null;
    }

    /// <summary>Whether a digest names exactly these bytes.</summary>
    internal static bool Names(string digest, ReadOnlySpan<byte> part) =>
        System.Security.Cryptography.CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(digest), Encoding.ASCII.GetBytes(DigestOf(part)));

    private static string Part(JsonFields fields, JsonElement root, string name)
    {
        const int digits = 96;
        var text = fields.Text(root, name);
        fields.Require(text.Length == 0 || (text.Length == Prefix.Length + digits && text.StartsWith(Prefix, StringComparison.Ordinal) && text[Prefix.Length..].All(char.IsAsciiHexDigitLower)), name, $"{Prefix} and {digits} small hexadecimal digits are expected, or the empty string");
        return text;
    }
}
