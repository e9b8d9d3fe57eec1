using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>One answer of a simulated service over HTTP.</summary>
/// <param name="Status">200 or 404.</param>
/// <param name="ContentType">Of the body.</param>
/// <param name="Body">Empty with 404.</param>
/// <param name="Headers">What the service says beside its body.</param>
public sealed record SimulatedAnswer(int Status, string ContentType, ReadOnlyMemory<byte> Body, ImmutableArray<(string Name, string Value)> Headers)
{
    /// <summary>There is no such item.</summary>
    public static SimulatedAnswer NotFound { get; } = new(404, "text/plain", ReadOnlyMemory<byte>.Empty, []);

    internal static SimulatedAnswer Of(string contentType, ReadOnlyMemory<byte> body, params ImmutableArray<(string Name, string Value)> headers) => new(200, contentType, body, headers);
}
