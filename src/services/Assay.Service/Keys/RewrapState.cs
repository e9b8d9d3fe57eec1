using System.Text.Json;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Keys;

/// <summary>A re-wrap that was begun and is not finished: a row of <c>service_state</c>, while which no server starts.</summary>
/// <param name="From">The id of the key encryption key that is left.</param>
/// <param name="To">The id of the one that follows.</param>
internal sealed record RewrapState(string From, string To)
{
    public const string Name = "rewrap";

    public static async Task<RewrapState?> ReadAsync(ServiceDatabase database, CancellationToken cancellation) =>
        await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<byte[]>(new CommandDefinition("SELECT value FROM service_state WHERE name = @Name", new { Name }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) is { } value
            ? JsonSerializer.Deserialize<RewrapState>(value) : null;

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this);
}
