using System.Collections.Immutable;
using System.Globalization;
using Assay.Broker.Approvals;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Broker.Keys;

/// <summary>A key as its owner sees it: no secret leaves by this way.</summary>
/// <param name="Id">Its name.</param>
/// <param name="State"><c>enabled</c>, <c>disabled</c>, <c>destroying</c> or <c>destroyed</c>.</param>
/// <param name="Version">The version that is released; null: destroyed.</param>
/// <param name="PolicyVersion">0: there is no policy yet.</param>
/// <param name="Revision">To be named by who changes it.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="CreatedBy">By whom.</param>
/// <param name="Approval"><c>two-person</c>, or null.</param>
/// <param name="Derived">Whether each image of the policy gets a key of its own, derived from the secret.</param>
/// <param name="Use"><c>data-keys</c>: it encrypts data keys, and is itself never released. Null: it is released.</param>
/// <param name="DestroyAt">When a key that is being destroyed loses its secrets; null in every other state.</param>
/// <param name="Resource">Where guests of Confidential Containers find it, REPOSITORY/TYPE/TAG; null: nowhere.</param>
public sealed record KeyDescription(string Id, string State, long? Version, long PolicyVersion, long Revision, DateTimeOffset CreatedAt, string CreatedBy, string? Approval, bool Derived, string? Use, DateTimeOffset? DestroyAt, string? Resource)
{
    /// <summary>Whether the version that is released was brought along by its owner; null: made before that was kept, or destroyed.</summary>
    public bool? Imported { get; init; }

    /// <summary>Whether a freeze covers it, so that it is not released whatever its state.</summary>
    public bool Frozen { get; init; }

    /// <summary>Of a key that was just made for two persons: whether the configuration lets persons of the tenant log in. Null in every other answer.</summary>
    public bool? Persons { get; init; }
}

/// <summary>What a new key is.</summary>
/// <param name="IsDerived">Whether each image of the policy gets a key of its own, derived from the secret.</param>
/// <param name="Use"><c>data-keys</c>: it encrypts data keys and is itself never released. Null: it is released.</param>
/// <param name="Approval"><c>two-person</c>, or null.</param>
/// <param name="Resource">Where guests of Confidential Containers find it; null: nowhere.</param>
public sealed record NewKey(bool IsDerived = false, string? Use = null, string? Approval = null, string? Resource = null)
{
    /// <summary>Whether its owner brought the secret along.</summary>
    public bool IsImported { get; init; }
}

/// <summary>Keys of tenants. Each change is an entry of the transparency log, in one transaction with it.</summary>
public sealed class KeyStore(ServiceDatabase database, TransparencyLog log, KeyEncryptionKey kek, BrokerTerms terms, TimeProvider clock)
{
    internal static IEnumerable<SealedColumn> SealedColumns { get; } =
    [
        new("records of keys", "broker_key", ["tenant", "id"], "record_sealed", values => Context(values[0], values[1])),
        new("secrets of keys", "broker_key_version", ["tenant", "id", "version"], "secret_sealed", values => ContextOfSecret(values[0], values[1], values[2])) { IsSecret = true },
    ];

    internal const string Enabled = "enabled";
    internal const string Disabled = "disabled";
    internal const string Destroying = "destroying";
    internal const string Destroyed = "destroyed";
    internal const string DataKeys = "data-keys";
    internal const string TwoPerson = "two-person";

    private const int MostListed = 1000;
    private const int MostDestroyed = 100;
    private const string InsertVersion = "INSERT INTO broker_key_version (tenant, id, version, secret_sealed) VALUES (@Tenant, @Id, @Version, @Sealed)";
    private const string SelectVersion = "SELECT secret_sealed FROM broker_key_version WHERE tenant = @Tenant AND id = @Id AND version = @Version";
    private const string Select = "SELECT id, revision, record_sealed FROM broker_key WHERE tenant = @Tenant AND id = @Id";

    /// <summary>Makes a key. False where the tenant has one of this name, or one that is found at this resource.</summary>
    public async Task<bool> CreateAsync(string tenant, string id, byte[] secret, NewKey key, string actor, CancellationToken cancellation)
    {
        var now = Now();
        var resource = key.Resource is { } path ? $"resource/{path}" : "";
        var sealedSecret = await kek.SealSecretAsync(secret, Context(tenant, id, 1), cancellation).ConfigureAwait(false);
        var receipt = await log.AppendAsync(
            async turn =>
            {
                // A row that was removed is no free name: this throws, and no other key takes the place of one that two persons guard.
                var isFree = await OpenAsync(tenant, id, turn).ConfigureAwait(false) is null;
                var record = Seal(new KeyRecord { State = Enabled, Version = 1, Revision = 1, IsDerived = key.IsDerived, Use = key.Use, Approval = key.Approval, Resource = key.Resource, IsImported = key.IsImported, Position = turn.Position, CreatedAt = now, CreatedBy = actor }, tenant, id);
                // Free is a name whose resource is free, too, in the log as in the rows: guests find one key there, for good.
                isFree = isFree && (resource.Length == 0 || turn.Last(tenant, resource) is null) && await turn.Connection.ExecuteAsync(
                    "INSERT INTO broker_key (tenant, id, revision, resource, record_sealed) VALUES (@Tenant, @Id, 1, @Resource, @Sealed) ON CONFLICT DO NOTHING", new { Tenant = tenant, Id = id, key.Resource, Sealed = record }, turn.Transaction).ConfigureAwait(false) == 1;
                if (isFree)
                {
                    await turn.Connection.ExecuteAsync(InsertVersion, new { Tenant = tenant, Id = id, Version = 1L, Sealed = sealedSecret }, turn.Transaction).ConfigureAwait(false);
                }

                return new LogDecision(Entry(BrokerEntries.Create, tenant, id, actor, isFree).With("version", 1).With("derived", key.IsDerived ? "true" : null).With("use", key.Use).With("approval", key.Approval).With("resource", key.Resource), isFree ? SubjectOf(id) : "") { Also = isFree ? resource : "" };
            },
            cancellation).ConfigureAwait(false);
        return receipt.Decided.Outcome is AuditOutcome.Allowed;
    }

    /// <summary>A further version, which is released from now on; those before are kept, and not released.</summary>
    public async Task<KeyChange> RotateAsync(string tenant, string id, long revision, NewVersion version, string actor, Approved? approved, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(version);
        // Before the turn, for which all releases wait: the back-end may be a token behind a network. The revision fixes the version.
        var next = await OpenAsync(tenant, id, cancellation).ConfigureAwait(false) is { } before && before.Revision == revision ? before.Version + 1 : 0;
        var sealedSecret = next == 0 ? [] : await kek.SealSecretAsync(version.Secret, Context(tenant, id, next), cancellation).ConfigureAwait(false);
        return await ChangeAsync(
            BrokerEntries.Rotate, tenant, id, revision, actor, approved,
            record => record.State is Destroyed or Destroying || record.Version + 1 != next ? new(null)
                : (record.IsDerived || record.Use is not null) && version.Secret.Length < DerivedKey.LeastSecret ? new(null, KeyChange.SecretTooShort)
                : new(record with { Version = next, IsImported = version.IsImported }),
            (entry, record) => entry.With("version", record.Version),
            (record, _, _, turn) => turn.Connection.ExecuteAsync(InsertVersion, new { Tenant = tenant, Id = id, record.Version, Sealed = sealedSecret }, turn.Transaction), cancellation).ConfigureAwait(false);
    }

    /// <summary>Sets the release policy, which was compiled before.</summary>
    public Task<KeyChange> SetPolicyAsync(string tenant, string id, long revision, string policy, string actor, Approved? approved, CancellationToken cancellation) => ChangeAsync(
        BrokerEntries.Policy, tenant, id, revision, actor, approved,
        record => new(record with { Policy = policy, PolicyVersion = record.PolicyVersion + 1 }),
        (entry, record) => entry.With("policyVersion", record.PolicyVersion).With("policyDigest", ReleasePolicy.DigestOf(System.Text.Encoding.UTF8.GetBytes(policy)).ToString()), rows: null, cancellation);

    /// <summary>
    /// Enables, disables or destroys a key. One that is being destroyed has its secrets until the wait is over: until then disabling takes it back, and nothing else.
    /// A destroyed one comes to nothing else.
    /// </summary>
    public Task<KeyChange> SetStateAsync(string tenant, string id, long revision, string state, string actor, Approved? approved, CancellationToken cancellation) => ChangeAsync(
        BrokerEntries.State, tenant, id, revision, actor, approved,
        record => new(Next(record, state)), (entry, record) => entry.With("state", record.State).With("destroyAt", record.DestroyAt), DeleteSecretsAsync, cancellation);

    /// <summary>Keys whose wait is over, the first ones first.</summary>
    internal async Task<IEnumerable<(string Tenant, string Id)>> DueAsync(CancellationToken cancellation) => await database.ReadAsync(
        connection => connection.QueryAsync<(string Tenant, string Id)>(new CommandDefinition(
            "SELECT tenant, id FROM broker_key WHERE destroy_at <= @Now ORDER BY destroy_at LIMIT @Most", new { Now = Now(), Most = MostDestroyed }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);

    /// <summary>Destroys a key whose wait is over. False where it is not: another process was first, or it was taken back.</summary>
    internal async Task<bool> DestroyDueAsync(string tenant, string id, CancellationToken cancellation)
    {
        bool IsDue(KeyRecord record) => record is { State: Destroying, DestroyAt: { } at } && at <= Now();
        return await OpenAsync(tenant, id, cancellation).ConfigureAwait(false) is { } found && IsDue(found) && await ChangeAsync(
            BrokerEntries.State, tenant, id, found.Revision, "service", approved: null,
            record => new(IsDue(record) ? Gone(record) : null), (entry, record) => entry.With("state", record.State), DeleteSecretsAsync, cancellation).ConfigureAwait(false) is { IsDone: true };
    }

    private KeyRecord? Next(KeyRecord record, string state) => (record.State, state) switch
    {
        (Destroyed, _) => null,
        (Destroying, not Disabled) => null,
        (_, Destroyed) => terms.DestroyWait == TimeSpan.Zero ? Gone(record) : record with { State = Destroying, DestroyAt = Now() + (long)terms.DestroyWait.TotalMilliseconds },
        _ => record with { State = state, DestroyAt = null },
    };

    private static KeyRecord Gone(KeyRecord record) => record with { State = Destroyed, DestroyAt = null, Version = 0 };

    private static Task DeleteSecretsAsync(KeyRecord record, string tenant, string id, LogTurn turn) => record.State != Destroyed ? Task.CompletedTask
        : turn.Connection.ExecuteAsync("DELETE FROM broker_key_version WHERE tenant = @Tenant AND id = @Id", new { Tenant = tenant, Id = id }, turn.Transaction);

    private long Now() => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A key without its secret; null if there is no such key.</summary>
    public async Task<KeyDescription?> FindAsync(string tenant, string id, CancellationToken cancellation) =>
        await OpenAsync(tenant, id, cancellation).ConfigureAwait(false) is { } record ? Describe(id, record) : null;

    /// <summary>The keys of a tenant.</summary>
    public async Task<ImmutableArray<KeyDescription>> ListAsync(string tenant, CancellationToken cancellation)
    {
        var found = ImmutableArray.CreateBuilder<KeyDescription>();
        await database.ReadAsync(
            async connection =>
            {
                // One at a time: each has its whole policy.
                await foreach (var row in connection.QueryUnbufferedAsync<Row>($"SELECT id, revision, record_sealed FROM broker_key WHERE tenant = @tenant ORDER BY id LIMIT {MostListed}", new { tenant }).WithCancellation(cancellation).ConfigureAwait(false))
                {
                    found.Add(Describe(row.Id, Open(row, tenant)));
                }

                return true;
            },
            cancellation).ConfigureAwait(false);
        return found.ToImmutable();
    }

    /// <summary>The name of the key that is found at a resource; null if no key is. Which one it is is what its own record says, and not the column that it was found by.</summary>
    internal async Task<string?> FindResourceAsync(string tenant, string resource, CancellationToken cancellation)
    {
        var row = await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(
            "SELECT id, revision, record_sealed FROM broker_key WHERE tenant = @Tenant AND resource = @Resource", new { Tenant = tenant, Resource = resource }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return row is null ? null
            : Open(row, tenant).Resource == resource ? row.Id
            : throw new ServiceException("service.broker.key", $"the key {row.Id} of {tenant} is in the database as the resource {resource}, and its record says otherwise: the row was changed");
    }

    /// <summary>A key as it is now.</summary>
    internal async Task<KeyRecord?> OpenAsync(string tenant, string id, CancellationToken cancellation)
    {
        var row = await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(Select, new { Tenant = tenant, Id = id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return row is null ? null : Open(row, tenant);
    }

    /// <summary>The same in a turn of the log: what it says holds until that turn's end, and is the last that the log knows.</summary>
    internal async Task<KeyRecord?> OpenAsync(string tenant, string id, LogTurn turn)
    {
        var row = await turn.Connection.QuerySingleOrDefaultAsync<Row>(Select, new { Tenant = tenant, Id = id }, turn.Transaction).ConfigureAwait(false);
        var record = row is null ? null : Open(row, tenant);
        return turn.Last(tenant, SubjectOf(id)) == record?.Position ? record
            : throw new ServiceException("service.broker.key", $"the key {id} of {tenant} in the database is not as its last change in the log left it: it was removed, or an older state was put back");
    }

    /// <summary>
    /// The secret of the version that is released now, or of an earlier one, before it is decided whether: the decision compares the version. The caller wipes
    /// it. Null if there is no such key or version, or the key is destroyed.
    /// </summary>
    /// <exception cref="ServiceException">The row was changed, or <see cref="KeyEncryptionKey.Unavailable"/>: the back-end does not answer.</exception>
    internal async Task<(long Version, byte[] Secret)?> SecretAsync(string tenant, string id, long? earlier, CancellationToken cancellation)
    {
        if (await OpenAsync(tenant, id, cancellation).ConfigureAwait(false) is not { Version: > 0 and var latest } || (earlier ?? latest) is not (> 0 and var version) || version > latest)
        {
            return null;
        }

        var kept = await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<byte[]>(new CommandDefinition(SelectVersion, new { Tenant = tenant, Id = id, Version = version }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return kept is not null && await kek.OpenSecretAsync(kept, Context(tenant, id, version), cancellation).ConfigureAwait(false) is { } secret ? (version, secret)
            : throw new ServiceException("service.broker.key", $"version {version} of the key {id} of {tenant} is not in the database, or does not open: it was changed, is another key's, or is under another key encryption key");
    }

    private async Task<KeyChange> ChangeAsync(string kind, string tenant, string id, long revision, string actor, Approved? approved, Func<KeyRecord, Step> change, Func<AuditEvent, KeyRecord, AuditEvent> tell, Func<KeyRecord, string, string, LogTurn, Task>? rows, CancellationToken cancellation)
    {
        var whyNot = "";
        await log.AppendAsync(
            async turn =>
            {
                var record = await OpenAsync(tenant, id, turn).ConfigureAwait(false);
                // It is used up whatever comes of it.
                var isTaken = approved is not null && await approved.TakeAsync(turn).ConfigureAwait(false) && approved.Act.Act == kind && approved.Act.Key == id && approved.Act.Tenant == tenant;
                var step = record is not null && record.Revision == revision ? change(record) : default;
                if (record is null || step.Record is not { } changed || approved is not null != isTaken || (approved is null && NeedsTwo(record, changed)))
                {
                    whyNot = record is null ? KeyChange.NoSuchKey : record.Revision != revision ? KeyChange.ChangedBetween : step.Record is null ? step.Why ?? $"key-{record.State}" : KeyChange.NotApproved;
                    return new LogDecision(Entry(kind, tenant, id, actor, isDone: false).With("why", whyNot));
                }

                whyNot = "";
                changed = changed with { Revision = revision + 1, Position = turn.Position };
                await turn.Connection.ExecuteAsync(
                    "UPDATE broker_key SET revision = @Revision, destroy_at = @DestroyAt, record_sealed = @Sealed WHERE tenant = @Tenant AND id = @Id", new { changed.Revision, changed.DestroyAt, Sealed = Seal(changed, tenant, id), Tenant = tenant, Id = id }, turn.Transaction).ConfigureAwait(false);
                if (rows is not null)
                {
                    await rows(changed, tenant, id, turn).ConfigureAwait(false);
                }

                var entry = tell(Entry(kind, tenant, id, actor, isDone: true).With("revision", changed.Revision), changed);
                return new LogDecision(approved?.Tell(entry) ?? entry, SubjectOf(id));
            },
            cancellation).ConfigureAwait(false);
        return new KeyChange(whyNot);
    }

    /// <summary>A policy as it was set; null where the key has none, or there is no such key.</summary>
    public async Task<PolicyAnswer?> PolicyAsync(string tenant, string id, CancellationToken cancellation) =>
        await OpenAsync(tenant, id, cancellation).ConfigureAwait(false) is { Policy: { } text } record
            ? new PolicyAnswer(id, record.PolicyVersion, ReleasePolicy.DigestOf(System.Text.Encoding.UTF8.GetBytes(text)).ToString(), record.Revision, text) : null;

    // Stopping releases is for one person: everything else could open the key, put another in its place, lose it, or keep what two persons destroy. The end of the
    // wait is part of the act that two approved.
    internal static bool NeedsTwo(KeyRecord record, KeyRecord changed) =>
        record.Approval is TwoPerson && record with { State = Disabled } != changed && (record.State, changed.State) != (Destroying, Destroyed);

    private static AuditEvent Entry(string kind, string tenant, string id, string actor, bool isDone) =>
        new AuditEvent(kind, tenant, actor, isDone ? AuditOutcome.Allowed : AuditOutcome.Denied).With("key", id);

    private static KeyDescription Describe(string id, KeyRecord record) =>
        new(id, record.State, record.Version == 0 ? null : record.Version, record.PolicyVersion, record.Revision, DateTimeOffset.FromUnixTimeMilliseconds(record.CreatedAt), record.CreatedBy, record.Approval, record.IsDerived, record.Use, record.DestroyAt is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null, record.Resource) { Imported = record.State == Destroyed ? null : record.IsImported };

    private byte[] Seal(KeyRecord record, string tenant, string id) => kek.Seal(record.ToBytes(), Context(tenant, id));

    private KeyRecord Open(Row row, string tenant)
    {
        if (kek.Open(row.RecordSealed, Context(tenant, row.Id)) is not { } bytes)
        {
            throw new ServiceException("service.broker.key", $"the key {row.Id} of {tenant} in the database does not open: it was changed, is another key's, or is under another key encryption key");
        }

        var record = KeyRecord.Parse(bytes);
        return record.Revision == row.Revision ? record : throw new ServiceException("service.broker.key", $"the key {row.Id} of {tenant} in the database has two revisions: it was changed");
    }

    internal static string SubjectOf(string id) => $"key/{id}";

    // Names of tenants and keys have no slash.
    private static string Context(string tenant, string id) => $"broker-key/{tenant}/{id}";

    private static string Context(string tenant, string id, long version) => ContextOfSecret(tenant, id, version.ToString(CultureInfo.InvariantCulture));

    private static string ContextOfSecret(string tenant, string id, string version) => $"broker-secret/{tenant}/{id}/{version}";

    // A change that cannot be made has no record; without a reason of its own, the key's state is the reason.
    private readonly record struct Step(KeyRecord? Record, string? Why = null);

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public long Revision { get; set; }

        public byte[] RecordSealed { get; set; } = [];
    }
}
