using System.Text.Json;

namespace Assay.Broker.Keys;

/// <summary>Everything of a key that decides about its release, but for the secrets.</summary>
internal sealed record KeyRecord
{
    /// <summary><c>enabled</c>, <c>disabled</c>, <c>destroying</c> or <c>destroyed</c>.</summary>
    public required string State { get; init; }

    /// <summary>The version that is released, from 1; 0: the key is destroyed.</summary>
    public required long Version { get; init; }

    /// <summary>When a key that is being destroyed loses its secrets, milliseconds since 1970; null in every other state.</summary>
    public long? DestroyAt { get; init; }

    /// <summary>Whether what is released is derived from the secret for the image that asks: <see cref="DerivedKey"/>. It is never changed.</summary>
    public bool IsDerived { get; init; }

    /// <summary><c>data-keys</c>: it encrypts data keys and is itself never released (<see cref="DataKeys.DataKeyBlob"/>). Null: it is released. It is never changed.</summary>
    public string? Use { get; init; }

    /// <summary>Where guests of Confidential Containers find it: <see cref="ResourcePath"/>. Null: nowhere. It is never changed.</summary>
    public string? Resource { get; init; }

    /// <summary>Whether the version that is released was brought along by its owner; null: the record is of before that was kept.</summary>
    public bool? IsImported { get; init; }

    /// <summary>The release policy's text; null until one is set, and until then nothing is released.</summary>
    public string? Policy { get; init; }

    /// <summary>Counts policies, from 1.</summary>
    public long PolicyVersion { get; init; }

    /// <summary><c>two-person</c>: every change but disabling needs a second person. Null: one is enough. It is never changed.</summary>
    public string? Approval { get; init; }

    /// <summary>Counts changes, from 1: it is in the row, too, and both must agree.</summary>
    public required long Revision { get; init; }

    /// <summary>Where the log has its last change: where the log has a later one, this record was put back.</summary>
    public required long Position { get; init; }

    /// <summary>Milliseconds since 1970.</summary>
    public required long CreatedAt { get; init; }

    /// <summary>By whom.</summary>
    public required string CreatedBy { get; init; }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this);

    public static KeyRecord Parse(ReadOnlySpan<byte> bytes) => JsonSerializer.Deserialize<KeyRecord>(bytes) ?? throw new JsonException("a record is expected");
}
