using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Rego.Values;
using Assay.Wire;

namespace Assay.Policies;

/// <summary>A JSON document that policies see: as <c>input</c>, or, when it is an object, as the base documents under <c>data</c>.</summary>
public sealed class PolicyDocument
{
    private PolicyDocument(RegoValue value, Digest digest) => (Value, Digest) = (value, digest);

    /// <summary>Whether it is a JSON object, as base documents are.</summary>
    public bool IsObject => Value is RegoObject;

    /// <summary>Its kind with the article: an array, a string, null.</summary>
    public string Kind => KindOf(Value);

    internal RegoValue Value { get; }

    /// <summary>SHA-256 of what was read.</summary>
    internal Digest Digest { get; }

    /// <summary>Reads UTF-8 JSON. The problem says where and what; the limits are those of the engine: 64 MiB, 400 levels, 5 million values.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out PolicyDocument? document, [NotNullWhen(false)] out string? problem)
    {
        document = RegoJson.TryRead(json, out var value, out problem) ? new PolicyDocument(value, new Digest(SHA256.HashData(json))) : null;
        return document is not null;
    }

    internal static string KindOf(RegoValue value) => value.Kind switch
    {
        RegoKind.Null => "null",
        RegoKind.Array or RegoKind.Object => $"an {value.KindName}",
        _ => $"a {value.KindName}",
    };

    internal static RegoObject? BaseOf(PolicyDocument? data) =>
        data is null ? null : data.Value as RegoObject ?? throw new ArgumentException("base documents are a JSON object", nameof(data));
}
