using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Wire;

namespace Assay.Broker.Approvals;

/// <summary>
/// What is to be done, whole: a person who approves it needs to read nothing else. Its text has the members in the order of their names and no space between them; the
/// approval is over the SHA-384 of that text.
/// </summary>
public sealed record ApprovalAct
{
    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The kind of the log's entry: <c>key.policy</c>, <c>key.state</c>, <c>key.rotate</c> or <c>key.unfreeze</c>.</summary>
    [JsonPropertyOrder(1)]
    public required string Act { get; init; }

    /// <summary>Of a rotation: how many bytes the new version has.</summary>
    [JsonPropertyOrder(2)]
    public int? Bytes { get; init; }

    /// <summary>When it can no longer be approved, milliseconds since 1970.</summary>
    [JsonPropertyOrder(3)]
    public long ExpiresAt { get; init; }

    /// <summary>Which freeze ends.</summary>
    [JsonPropertyOrder(4)]
    public string? Freeze { get; init; }

    /// <summary>32 hexadecimal digits, random.</summary>
    [JsonPropertyOrder(5)]
    public string Id { get; init; } = "";

    /// <summary>Of a rotation: whether the proposer brought the bytes along.</summary>
    [JsonPropertyOrder(6)]
    public bool? Import { get; init; }

    /// <summary>Which key; empty for a freeze of all keys.</summary>
    [JsonPropertyOrder(7)]
    public required string Key { get; init; }

    /// <summary>The whole policy, as text.</summary>
    [JsonPropertyOrder(8)]
    public string? Policy { get; init; }

    /// <summary>Who proposed it.</summary>
    [JsonPropertyOrder(9)]
    public string ProposedBy { get; init; } = "";

    /// <summary>Of a freeze: why it was made.</summary>
    [JsonPropertyOrder(10)]
    public string? Reason { get; init; }

    /// <summary>The revision of the key at which it was proposed, and at which alone it can be done.</summary>
    [JsonPropertyOrder(11)]
    public long? Revision { get; init; }

    /// <summary>The state to come to.</summary>
    [JsonPropertyOrder(12)]
    public string? State { get; init; }

    /// <summary>Whose key.</summary>
    [JsonPropertyOrder(13)]
    public string Tenant { get; init; } = "";

    /// <summary>1.</summary>
    [JsonPropertyOrder(14)]
    public int Version { get; init; } = 1;

    /// <summary>Its text.</summary>
    public string ToText() => JsonSerializer.Serialize(this, s_options);

    /// <summary>What a text says.</summary>
    public static ApprovalAct OfText(string text) => JsonSerializer.Deserialize<ApprovalAct>(text, s_options) ?? throw new JsonException("an act is expected");

    /// <summary>SHA-384 of a text, in lower-case hexadecimal.</summary>
    public static string DigestOf(string text) => new Digest(SHA384.HashData(Encoding.UTF8.GetBytes(text))).ToString();
}
