using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Endorsements;
using Assay.Wire;

namespace Assay.Collateral.Items;

/// <summary>
/// What stands before an item in its file: hints for whoever has not read it. Nothing in it is believed: before an item is served its bytes
/// are verified again, and these values are taken from them.
/// </summary>
internal sealed record ItemHeader
{
    /// <summary>A header longer than this is damaged.</summary>
    public const int MostBytes = 8 * 1024;

    private const int JsonDepth = 4;
    private const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'";

    public required CollateralKey Key { get; init; }
    public required string Sha256 { get; init; }
    public required int ChainLength { get; init; }
    public required int BodyLength { get; init; }
    public required string Source { get; init; }
    public required DateTimeOffset ValidUntil { get; init; }
    public required DateTimeOffset SignersUntil { get; init; }
    public required ItemTimes Times { get; init; }

    public static ItemHeader Of(KeptItem item, string source, ItemTimes times) => new()
    {
        Key = item.Key,
        Sha256 = DigestOf(item.Chain.Span, item.Body.Span),
        ChainLength = item.Chain.Length,
        BodyLength = item.Body.Length,
        Source = source,
        ValidUntil = item.ValidUntil,
        SignersUntil = item.SignersUntil,
        Times = times,
    };

    public static string DigestOf(ReadOnlySpan<byte> chain, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(chain);
        hash.AppendData(body);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>One line of JSON.</summary>
    public byte[] ToLine()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteNumber("assayCollateral", 1);
            writer.WriteString("kind", CollateralKinds.NameOf(Key.Kind));
            writer.WriteString("id", Key.Id);
            writer.WriteString("sha256", Sha256);
            writer.WriteNumber("chain", ChainLength);
            writer.WriteNumber("body", BodyLength);
            writer.WriteString("source", Source);
            Write(writer, "validUntil", ValidUntil);
            Write(writer, "signersUntil", SignersUntil);
            Write(writer, "fetched", Times.Fetched);
            Write(writer, "refresh", Times.Refresh);
            Write(writer, "fresh", Times.Fresh);
            Write(writer, "servable", Times.Servable);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    public static bool TryParse(ReadOnlyMemory<byte> line, [NotNullWhen(true)] out ItemHeader? header, [NotNullWhen(false)] out ParseFault? fault)
    {
        header = null;
        fault = new ParseFault("header", 0, "not the header of an item");
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = JsonDepth, AllowDuplicateProperties = false });
            header = Read(document.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            // A file of one's own that is not as it was written is damaged; which member it is helps nobody.
            return false;
        }

        fault = header is null ? fault : null;
        return header is not null;
    }

    private static ItemHeader? Read(JsonElement root)
    {
        string Text(string name) => root.GetProperty(name).GetString() ?? "";
        int Length(string name) => root.GetProperty(name).GetInt32();
        DateTimeOffset Time(string name) => DateTimeOffset.ParseExact(Text(name), TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

        var key = new CollateralKey(CollateralKinds.Of(Text("kind")), Text("id"));
        return root.GetProperty("assayCollateral").GetInt32() != 1 || !key.IsSound || Length("chain") < 0 || Length("body") < 0 ? null : new ItemHeader
        {
            Key = key,
            Sha256 = Text("sha256"),
            ChainLength = Length("chain"),
            BodyLength = Length("body"),
            Source = Text("source"),
            ValidUntil = Time("validUntil"),
            SignersUntil = Time("signersUntil"),
            Times = new ItemTimes(Time("fetched"), Time("refresh"), Time("fresh"), Time("servable")),
        };
    }

    private static void Write(Utf8JsonWriter writer, string name, DateTimeOffset time) =>
        writer.WriteString(name, time.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture));
}
