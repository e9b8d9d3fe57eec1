using System.Collections.Concurrent;
using System.Data.Common;
using System.Text.Json;
using Assay.Log;
using Dapper;

namespace Assay.Service.Log;

/// <summary>
/// What a process knows of the log: its tree, and for each subject the entry that changed it last. All of it was computed from entries that lead to the root of
/// a signed checkpoint, so that removing or changing rows of the database changes nothing here. One thread changes it; any may look.
/// </summary>
internal sealed class LogReplica
{
    private const string Select = "SELECT entry FROM log_entry WHERE position >= @From AND position < @To ORDER BY position";

    /// <summary>In place of a subject: any entry of the tenant. No subject is empty.</summary>
    public const string Anything = "";

    private readonly ConcurrentDictionary<(string Tenant, string Subject), long> _heads = new();
    private MerkleFrontier _known = new();

    /// <summary>The entry that changed a subject last.</summary>
    public long? Last((string Tenant, string Subject) subject) => _heads.TryGetValue(subject, out var position) ? position : null;

    /// <summary>Reads and verifies what others have appended.</summary>
    /// <param name="state">The tree of the signed checkpoint.</param>
    /// <param name="connection">To read with.</param>
    /// <param name="transaction">Null outside one.</param>
    /// <exception cref="ServiceException">The log is shorter than what this process knows, or its entries do not lead to the checkpoint.</exception>
    public async Task CatchUpAsync(MerkleFrontier state, DbConnection connection, DbTransaction? transaction)
    {
        if (state.Size < _known.Size)
        {
            throw new ServiceException("service.log.rollback", $"the log in the database has {state.Size} entries, and had {_known.Size} before: it was set back, and nothing is done that must be logged. Restart the process if you restored a backup yourself");
        }

        var frontier = MerkleFrontier.Of(_known.Size, _known.Subtrees);
        var heads = new Dictionary<(string, string), long>();
        if (state.Size > _known.Size)
        {
            await foreach (var entry in connection.QueryUnbufferedAsync<byte[]>(Select, new { From = _known.Size, To = state.Size }, transaction).ConfigureAwait(false))
            {
                if (TryRead(entry) is var (tenant, subject, also))
                {
                    heads[(tenant, Anything)] = frontier.Size;
                    heads[(tenant, subject)] = frontier.Size;
                    heads[(tenant, also)] = frontier.Size;
                }

                frontier.Append(Merkle.Leaf(entry));
            }
        }

        if (frontier.Size != state.Size || frontier.Root != state.Root)
        {
            throw new ServiceException("service.log.entries", $"the entries of the log from {_known.Size} on do not lead to its signed checkpoint: one is missing or was changed. Restore the database, or find out who changed it");
        }

        Take(frontier, heads);
    }

    /// <summary>Takes over what this process appended itself.</summary>
    public void Take(MerkleFrontier frontier, IReadOnlyDictionary<(string, string), long> heads)
    {
        _known = frontier;
        foreach (var (subject, position) in heads)
        {
            _heads[subject] = position;
        }
    }

    // Null for bytes that are no entry, which do not lead to the root either.
    private static (string Tenant, string Subject, string Also)? TryRead(byte[] entry)
    {
        try
        {
            var root = JsonElement.Parse(entry);
            return (root.GetProperty("tenant").GetString()!, root.GetProperty("subject").GetString()!, root.TryGetProperty("also", out var also) ? also.GetString()! : Anything);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }
}
