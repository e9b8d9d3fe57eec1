using System.Data.Common;
using Assay.Log;
using Assay.Service.Audit;

namespace Assay.Service.Log;

/// <summary>What was logged.</summary>
/// <param name="Position">Where the entry is; -1: nothing was written, because it repeats another.</param>
/// <param name="Entry">Its bytes, JSON; empty if nothing was written.</param>
/// <param name="Note">The signed checkpoint under which it was acknowledged.</param>
/// <param name="Head">The same, read.</param>
/// <param name="Decided">What the transaction decided.</param>
public sealed record LogReceipt(long Position, ReadOnlyMemory<byte> Entry, string Note, Checkpoint Head, AuditEvent Decided);

/// <summary>What is logged, decided in the transaction that logs it.</summary>
/// <param name="Event">What happened.</param>
/// <param name="Subject">What it changes, if later decisions depend on it; otherwise empty. It is part of the entry. See <see cref="LogTurn.Last"/>.</param>
public sealed record LogDecision(AuditEvent Event, string Subject = "")
{
    /// <summary>A second subject that it changes, where two are decided by one entry; otherwise empty.</summary>
    public string Also { get; init; } = "";

    /// <summary>Writes no entry: for a denial that repeats one which the log has. Nothing may have been changed, and what is no denial is written all the same.</summary>
    public bool IsRepeated { get; init; }
}

/// <summary>A decision's place in the log: a transaction behind the lock, and the position that its entry will have.</summary>
public sealed class LogTurn
{
    private readonly Func<(string Tenant, string Subject), long?> _last;

    internal LogTurn(long position, DbConnection connection, DbTransaction transaction, Func<(string, string), long?> last) =>
        (Position, Connection, Transaction, _last) = (position, connection, transaction, last);

    /// <summary>Where the entry will be.</summary>
    public long Position { get; }

    /// <summary>To read and write with.</summary>
    public DbConnection Connection { get; }

    /// <summary>It holds with the entry, or not at all.</summary>
    public DbTransaction Transaction { get; }

    /// <summary>
    /// The position of the last entry that changed a subject; null if no entry did. It comes from entries that were verified under the signed checkpoint. A
    /// row that decides something stores the position of its own last change: if the two differ, an older row was put back.
    /// </summary>
    public long? Last(string tenant, string subject) => _last((tenant, subject));
}
