using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Wire;

namespace Assay.Channels;

/// <summary>One end asks the other for evidence.</summary>
/// <param name="Challenge">32 random bytes.</param>
/// <param name="Minimum">The lowest level that it accepts: the other end cannot lower it.</param>
/// <param name="Digests">Of the parts that the other end's certificate names and this end does not have, for the level of the certificate.</param>
public sealed record ChannelAsk(ReadOnlyMemory<byte> Challenge, ChannelLevel Minimum, ImmutableArray<string> Digests);

/// <summary>The answer: evidence for the challenge, or the parts that belong to the evidence in the certificate. Nothing of it is believed.</summary>
public sealed record ChannelAnswer
{
    /// <summary>The level at which the evidence is bound.</summary>
    public required ChannelLevel Level { get; init; }

    /// <summary>What the answering end was told that the channel is for.</summary>
    public required string Purpose { get; init; }

    /// <summary>16 bytes.</summary>
    public required ReadOnlyMemory<byte> Epoch { get; init; }

    /// <summary>The evidence as JSON, as <c>MachineEvidence.TryParse</c> reads it; empty at the level of the certificate.</summary>
    public ReadOnlyMemory<byte> Evidence { get; init; }

    /// <summary>Parts by their digests, for the level of the certificate.</summary>
    public ImmutableSortedDictionary<string, ReadOnlyMemory<byte>> Parts { get; init; } = ImmutableSortedDictionary<string, ReadOnlyMemory<byte>>.Empty;
}

/// <summary>Why the other end ends the channel, in its own words, which prove nothing.</summary>
/// <param name="Id">A permanent id.</param>
/// <param name="Reason">In a sentence.</param>
public sealed record ChannelRefusal(string Id, string Reason);

/// <summary>
/// One message of the exchange that follows the TLS handshake (ALPN <c>assay-channel/1</c>; docs/reference/channels.md): a length of 32 bits, big-endian, and that many bytes of
/// JSON, at most 1 MiB. The client asks, the server answers and may ask in turn, the client accepts and answers, the server accepts. Nothing else crosses before.
/// </summary>
public sealed record ChannelMessage
{
    /// <summary>The protocol's name in ALPN (RFC 7301).</summary>
    public const string Protocol = "assay-channel/1";

    /// <summary>Bytes of the largest message, without its length.</summary>
    public const int MaximumSize = 1024 * 1024;

    /// <summary>Bytes of the largest message that carries no evidence: a question, a word that the other end is accepted, or why it is not.</summary>
    public const int MaximumSizeWithoutEvidence = 4 * 1024;

    private const int MostDigests = 2;
    private const int LongestDigest = 7 + 96;
    private const int LongestReason = 512;

    /// <summary>Null where this message asks nothing.</summary>
    public ChannelAsk? Ask { get; init; }

    /// <summary>Null where it answers nothing.</summary>
    public ChannelAnswer? Answer { get; init; }

    /// <summary>Whether the sender has judged the other end and goes on.</summary>
    public bool Accepted { get; init; }

    /// <summary>Null unless the sender ends the channel.</summary>
    public ChannelRefusal? Refused { get; init; }

    /// <summary>The message as JSON, without its length.</summary>
    public byte[] ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v", 1);
            if (Answer is { } answer)
            {
                Write(writer, answer);
            }

            if (Ask is { } ask)
            {
                Write(writer, ask);
            }

            if (Accepted)
            {
                writer.WriteBoolean("accepted", true);
            }

            if (Refused is { } refused)
            {
                writer.WriteStartObject("refused");
                writer.WriteString("id", refused.Id);
                writer.WriteString("reason", refused.Reason.Length > LongestReason ? refused.Reason[..LongestReason] : refused.Reason);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>Reads a message without its length: strictly, an unknown member is a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out ChannelMessage? message, [NotNullWhen(false)] out ParseFault? fault)
    {
        message = null;
        fault = json.Length > MaximumSize ? new ParseFault("message", 0, $"larger than {MaximumSize} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("message", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var root = document.RootElement;
        Only(fields, root, "message", "v", "answer", "ask", "accepted", "refused");
        fields.Require(fields.Number(root, "v") == 1, "v", "1 is expected: this end knows version 1 of the channel alone");
        var read = new ChannelMessage
        {
            Answer = fields.Has(root, "answer") ? ReadAnswer(fields, fields.Object(root, "answer")) : null,
            Ask = fields.Has(root, "ask") ? ReadAsk(fields, fields.Object(root, "ask")) : null,
            Accepted = fields.Has(root, "accepted"),
            Refused = fields.Has(root, "refused") ? ReadRefusal(fields, fields.Object(root, "refused")) : null,
        };
        fields.Require(!read.Accepted || (root.TryGetProperty("accepted", out var accepted) && accepted.ValueKind is JsonValueKind.True), "accepted", "true is expected, or no such member");
        fault = fields.Fault;
        message = fault is null ? read : null;
        return message is not null;
    }

    private static void Write(Utf8JsonWriter writer, ChannelAnswer answer)
    {
        writer.WriteStartObject("answer");
        writer.WriteString("level", ChannelBinding.WordOf(answer.Level));
        writer.WriteString("purpose", answer.Purpose);
        writer.WriteString("epoch", Base64Url.EncodeToString(answer.Epoch.Span));
        if (!answer.Evidence.IsEmpty)
        {
            writer.WritePropertyName("evidence");
            writer.WriteRawValue(answer.Evidence.Span);
        }

        if (!answer.Parts.IsEmpty)
        {
            writer.WriteStartObject("parts");
            foreach (var (digest, part) in answer.Parts)
            {
                writer.WriteBase64String(digest, part.Span);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, ChannelAsk ask)
    {
        writer.WriteStartObject("ask");
        writer.WriteString("challenge", Base64Url.EncodeToString(ask.Challenge.Span));
        writer.WriteString("minimum", ChannelBinding.WordOf(ask.Minimum));
        if (!ask.Digests.IsDefaultOrEmpty)
        {
            writer.WriteStartArray("digests");
            foreach (var digest in ask.Digests)
            {
                writer.WriteStringValue(digest);
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static ChannelAsk ReadAsk(JsonFields fields, JsonElement ask)
    {
        Only(fields, ask, "ask", "challenge", "minimum", "digests");
        var challenge = Bytes(fields, ask, "challenge", ChannelBinding.ChallengeSize);
        var minimum = Level(fields, ask, "minimum");
        ImmutableArray<string> digests = fields.Has(ask, "digests") ? [.. fields.Array(ask, "digests", MostDigests).Select(item => item.ValueKind is JsonValueKind.String ? item.GetString()! : "")] : [];
        fields.Require(digests.All(digest => digest.Length is > 0 and <= LongestDigest), "digests", "digests as the certificate names them are expected");
        fields.Require(digests.Distinct(StringComparer.Ordinal).Count() == digests.Length, "digests", "each is expected once");
        return new ChannelAsk(challenge, minimum, digests);
    }

    private static ChannelAnswer ReadAnswer(JsonFields fields, JsonElement answer)
    {
        Only(fields, answer, "answer", "level", "purpose", "epoch", "evidence", "parts");
        var level = Level(fields, answer, "level");
        var purpose = fields.Name(answer, "purpose");
        fields.Require(ChannelBinding.IsPurpose(purpose), "purpose", "1 to 64 small letters, digits, dots and hyphens are expected");
        var epoch = Bytes(fields, answer, "epoch", ChannelBinding.EpochSize);
        var inCertificate = level is ChannelLevel.Certificate;
        fields.Require(fields.Has(answer, "evidence") != inCertificate || fields.Fault is not null, "evidence", inCertificate ? "absent at the level of the certificate, which carries it" : "missing");
        fields.Require(inCertificate || !fields.Has(answer, "parts"), "parts", "absent above the level of the certificate");
        // What is no object is a fault, and has no text.
        var evidence = !inCertificate && fields.Has(answer, "evidence") && fields.Object(answer, "evidence") is { ValueKind: JsonValueKind.Object } shown ? Encoding.UTF8.GetBytes(shown.GetRawText()) : [];
        var parts = inCertificate && fields.Has(answer, "parts") ? ReadParts(fields, fields.Object(answer, "parts")) : ImmutableSortedDictionary<string, ReadOnlyMemory<byte>>.Empty;
        return new ChannelAnswer { Level = level, Purpose = purpose, Epoch = epoch, Evidence = evidence, Parts = parts };
    }

    private static ImmutableSortedDictionary<string, ReadOnlyMemory<byte>> ReadParts(JsonFields fields, JsonElement parts)
    {
        var read = ImmutableSortedDictionary.CreateBuilder<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var part in parts.ValueKind is JsonValueKind.Object ? parts.EnumerateObject() : default)
        {
            fields.Require(read.Count < MostDigests && part.Name.Length <= LongestDigest, "parts", $"at most {MostDigests} parts by their digests are expected");
            byte[]? bytes = null;
            var sound = fields.Fault is null && part.Value.ValueKind is JsonValueKind.String && StrictBase64.TryDecode(Encoding.UTF8.GetBytes(part.Value.GetString()!), out bytes);
            fields.Require(sound, "parts", "canonical base64 is expected");
            if (!sound)
            {
                break;
            }

            read[part.Name] = bytes!;
        }

        return read.ToImmutable();
    }

    private static ChannelRefusal ReadRefusal(JsonFields fields, JsonElement refused)
    {
        Only(fields, refused, "refused", "id", "reason");
        var (id, reason) = (fields.Name(refused, "id"), fields.Text(refused, "reason"));
        fields.Require(reason.Length <= LongestReason, "reason", $"at most {LongestReason} characters are expected");
        return new ChannelRefusal(id, reason);
    }

    internal static byte[] Bytes(JsonFields fields, JsonElement parent, string name, int size)
    {
        var sound = StrictBase64.TryDecodeUrl(Encoding.UTF8.GetBytes(fields.Text(parent, name)), out var bytes) && bytes.Length == size && bytes.AsSpan().ContainsAnyExcept((byte)0);
        fields.Require(sound, name, $"base64url of {size} bytes is expected, not all of them zero");
        return sound ? bytes! : new byte[size];
    }

    private static ChannelLevel Level(JsonFields fields, JsonElement parent, string name)
    {
        var level = ChannelBinding.LevelOf(fields.Name(parent, name));
        fields.Require(level is not ChannelLevel.None, name, "\"certificate\", \"challenge\" or \"exporter\" is expected");
        return level;
    }

    internal static void Only(JsonFields fields, JsonElement element, string name, params string[] known)
    {
        if (element.ValueKind is JsonValueKind.Object && element.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => !known.Contains(member)) is { } other)
        {
            fields.Require(false, name, $"unknown member \"{Printable.Of(other)}\"");
        }
    }
}
