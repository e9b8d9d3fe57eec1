using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Broker.Approvals;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Broker.Keys;

/// <summary>Why keys are not released.</summary>
/// <param name="Id">32 hexadecimal digits.</param>
/// <param name="Key">Which key; empty: all of the tenant.</param>
/// <param name="Reason">In words.</param>
/// <param name="FrozenAt">When, milliseconds since 1970.</param>
/// <param name="FrozenBy">By whom.</param>
public sealed record Freeze(string Id, string Key, string Reason, long FrozenAt, string FrozenBy)
{
    /// <summary>Whether a key is not released because of it.</summary>
    public bool Covers(string key) => Key.Length == 0 || Key == key;
}

/// <summary>
/// Freezes. A release reads them in its own turn of the log, and a freeze takes such a turn too: after it was acknowledged nothing that it covers is released.
/// Those that hold are one record for each tenant, which knows its last change in the log: a row that is removed or put back lifts none. Lifting needs two persons.
/// </summary>
public sealed class FreezeStore(ServiceDatabase database, TransparencyLog log, KeyEncryptionKey kek, TimeProvider clock)
{
    internal static SealedColumn Sealed { get; } = new("freezes", "broker_freezes", ["tenant"], "freezes_sealed", values => Context(values[0]));

    private const int Most = 100;
    private const string Subject = "freezes";
    private const string Select = "SELECT freezes_sealed FROM broker_freezes WHERE tenant = @tenant";
    private const string Store = "INSERT INTO broker_freezes (tenant, freezes_sealed) VALUES (@Tenant, @Sealed) ON CONFLICT (tenant) DO UPDATE SET freezes_sealed = excluded.freezes_sealed";

    /// <summary>Why a freeze was not made: the tenant never had such a key.</summary>
    public const string NoSuchKey = "no-such-key";

    /// <summary>Why a freeze was not made: as many hold as can.</summary>
    public const string TooMany = "too-many";

    /// <summary>Freezes. Returns the id, and the size of the log with it, when it holds, or why it was not made. A key in any state can be frozen, also one whose record does not open.</summary>
    public async Task<(string? Id, long Size, string? WhyNot)> FreezeAsync(string tenant, string key, string reason, string actor, CancellationToken cancellation)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        string? whyNot = null;
        var receipt = await log.AppendAsync(
            async turn =>
            {
                var held = await OpenAsync(tenant, turn).ConfigureAwait(false);
                // The log knows every key that was made, whatever became of its row.
                whyNot = key.Length > 0 && turn.Last(tenant, KeyStore.SubjectOf(key)) is null ? NoSuchKey : held.Length >= Most ? TooMany : null;
                var entry = new AuditEvent(BrokerEntries.Freeze, tenant, actor, whyNot is null ? AuditOutcome.Allowed : AuditOutcome.Denied).With("freeze", id).With("key", key).With("reason", reason);
                return whyNot is not null ? new LogDecision(entry.With("why", whyNot)) : await StoreAsync(tenant, held.Add(new Freeze(id, key, reason, clock.GetUtcNow().ToUnixTimeMilliseconds(), actor)), entry, turn).ConfigureAwait(false);
            },
            cancellation).ConfigureAwait(false);
        return (receipt.Decided.Outcome is AuditOutcome.Allowed ? id : null, receipt.Position + 1, whyNot);
    }

    /// <summary>The freezes of a tenant that hold.</summary>
    public async Task<ImmutableArray<Freeze>> ListAsync(string tenant, CancellationToken cancellation) =>
        await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<byte[]>(new CommandDefinition(Select, new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) is { } kept
            ? Open(tenant, kept).Freezes : [];

    /// <summary>Lifts a freeze. False where there is no such freeze, or it is not approved any more.</summary>
    public async Task<bool> LiftAsync(string tenant, string id, string actor, Approved approved, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(approved);
        var receipt = await log.AppendAsync(
            async turn =>
            {
                var held = await OpenAsync(tenant, turn).ConfigureAwait(false);
                var isTaken = await approved.TakeAsync(turn).ConfigureAwait(false);
                var found = held.FirstOrDefault(freeze => freeze.Id == id);
                if (found is null || !isTaken || approved.Act is not { Act: BrokerEntries.Unfreeze } act || act.Freeze != id)
                {
                    return new LogDecision(new AuditEvent(BrokerEntries.Unfreeze, tenant, actor, AuditOutcome.Denied).With("freeze", id).With("why", found is null ? "no such freeze" : "not approved"));
                }

                return await StoreAsync(tenant, held.Remove(found), approved.Tell(new AuditEvent(BrokerEntries.Unfreeze, tenant, actor, AuditOutcome.Allowed).With("freeze", id).With("key", found.Key)), turn).ConfigureAwait(false);
            },
            cancellation).ConfigureAwait(false);
        return receipt.Decided.Outcome is AuditOutcome.Allowed;
    }

    /// <summary>The id of a freeze that covers a key, in a turn of the log; null: none does.</summary>
    internal async Task<string?> FrozenByAsync(string tenant, string key, LogTurn turn) =>
        (await OpenAsync(tenant, turn).ConfigureAwait(false)).FirstOrDefault(freeze => freeze.Covers(key))?.Id;

    private async Task<LogDecision> StoreAsync(string tenant, ImmutableArray<Freeze> freezes, AuditEvent entry, LogTurn turn)
    {
        var kept = kek.Seal(JsonSerializer.SerializeToUtf8Bytes(new Record(turn.Position, freezes)), Context(tenant));
        await turn.Connection.ExecuteAsync(Store, new { Tenant = tenant, Sealed = kept }, turn.Transaction).ConfigureAwait(false);
        return new LogDecision(entry, Subject);
    }

    private async Task<ImmutableArray<Freeze>> OpenAsync(string tenant, LogTurn turn)
    {
        var kept = await turn.Connection.QuerySingleOrDefaultAsync<byte[]>(Select, new { tenant }, turn.Transaction).ConfigureAwait(false);
        var record = kept is null ? null : Open(tenant, kept);
        return turn.Last(tenant, Subject) == record?.Position ? record?.Freezes ?? []
            : throw new ServiceException("service.broker.freezes", $"the freezes of {tenant} in the database are not as their last change in the log left them: they were removed, or an older state was put back. No key of the tenant is released");
    }

    private Record Open(string tenant, byte[] kept) => kek.Open(kept, Context(tenant)) is { } bytes && JsonSerializer.Deserialize<Record>(bytes) is { } record ? record
        : throw new ServiceException("service.broker.freezes", $"the freezes of {tenant} in the database do not open: they were changed, are another tenant's, or are under another key encryption key. No key of the tenant is released");

    private static string Context(string tenant) => $"broker-freezes/{tenant}";

    private sealed record Record(long Position, ImmutableArray<Freeze> Freezes);
}
