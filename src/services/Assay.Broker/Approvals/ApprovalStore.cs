using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Broker.Approvals;

/// <summary>An act that waits for a second person.</summary>
/// <param name="Text">The act's text, over which the approval is.</param>
/// <param name="Person">Who proposed it, as logins are compared.</param>
/// <param name="Position">Where the log has the proposal.</param>
internal sealed record PendingAct(string Text, string Person, long Position)
{
    private ApprovalAct? _act;

    public ApprovalAct Act => _act ??= ApprovalAct.OfText(Text);

    public string Digest => ApprovalAct.DigestOf(Text);
}

/// <summary>A second person's approval of one act, which the transaction that does it uses up.</summary>
public sealed class Approved
{
    private readonly ApprovalStore _store;
    private readonly PendingAct _pending;

    internal Approved(ApprovalStore store, PendingAct pending) => (_store, _pending) = (store, pending);

    internal ApprovalAct Act => _pending.Act;

    /// <summary>Whether the act still waits in this turn of the log, as it was approved. It does not wait any more afterwards.</summary>
    internal Task<bool> TakeAsync(LogTurn turn) => _store.TakeAsync(_pending, turn);

    /// <summary>The entry of the act, with who proposed it and over which digest it was approved.</summary>
    internal AuditEvent Tell(AuditEvent entry) => entry.With("proposedBy", _pending.Act.ProposedBy).With("approval", _pending.Act.Id).With("act", _pending.Digest);
}

/// <summary>
/// Acts that wait for a second person. Each is a row that knows where the log has its proposal, so that one that was withdrawn is not brought back by writing the
/// row again; one that was done names a revision, or a freeze, that is no more.
/// </summary>
public sealed class ApprovalStore(ServiceDatabase database, TransparencyLog log, KeyEncryptionKey kek, TimeProvider clock)
{
    internal static IEnumerable<SealedColumn> SealedColumns { get; } =
    [
        new("acts that wait", "broker_approval", ["tenant", "id"], "act_sealed", values => Context(values[0], values[1])),
        new("secrets that wait", "broker_approval", ["tenant", "id"], "secret_sealed", values => SecretContext(values[0], values[1])) { IsSecret = true },
    ];

    /// <summary>How long an act waits.</summary>
    public static TimeSpan Life { get; } = TimeSpan.FromHours(24);

    private const int Most = 16;
    private const string Select = "SELECT id, act_sealed FROM broker_approval WHERE tenant = @Tenant AND id = @Id";
    private const string Delete = "DELETE FROM broker_approval WHERE tenant = @Tenant AND id = @Id";

    /// <summary>Lets an act wait. Null where the tenant has too many.</summary>
    internal async Task<PendingAct?> ProposeAsync(Caller proposer, ApprovalAct act, byte[]? secret, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        var whole = act with { Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), Tenant = proposer.Tenant, ProposedBy = proposer.Subject, ExpiresAt = (now + Life).ToUnixTimeMilliseconds() };
        var pending = new PendingAct(whole.ToText(), proposer.Person, 0);
        var sealedSecret = secret is null ? null : await kek.SealSecretAsync(secret, SecretContext(whole.Tenant, whole.Id), cancellation).ConfigureAwait(false);
        var receipt = await log.AppendAsync(
            async turn =>
            {
                await turn.Connection.ExecuteAsync("DELETE FROM broker_approval WHERE tenant = @Tenant AND expires_at <= @Now", new { whole.Tenant, Now = now.ToUnixTimeMilliseconds() }, turn.Transaction).ConfigureAwait(false);
                var waiting = await turn.Connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM broker_approval WHERE tenant = @Tenant", new { whole.Tenant }, turn.Transaction).ConfigureAwait(false);
                var entry = Entry(BrokerEntries.Propose, whole, proposer.Subject, waiting < Most).With("expiresAt", whole.ExpiresAt).With("revision", whole.Revision ?? 0).With("state", whole.State).With("policyDigest", whole.Policy is { } policy ? ApprovalAct.DigestOf(policy) : null);
                if (waiting >= Most)
                {
                    return new LogDecision(entry.With("why", "too many"));
                }

                pending = pending with { Position = turn.Position };
                await turn.Connection.ExecuteAsync(
                    "INSERT INTO broker_approval (tenant, id, expires_at, act_sealed, secret_sealed) VALUES (@Tenant, @Id, @ExpiresAt, @Sealed, @Secret)",
                    new { whole.Tenant, whole.Id, whole.ExpiresAt, Sealed = kek.Seal(JsonSerializer.SerializeToUtf8Bytes(new Kept(pending.Text, pending.Person, pending.Position)), Context(whole.Tenant, whole.Id)), Secret = sealedSecret },
                    turn.Transaction).ConfigureAwait(false);
                return new LogDecision(entry, SubjectOf(whole.Id));
            },
            cancellation).ConfigureAwait(false);
        return receipt.Decided.Outcome is AuditOutcome.Allowed ? pending : null;
    }

    /// <summary>The acts of a tenant that can still be approved.</summary>
    internal async Task<ImmutableArray<PendingAct>> ListAsync(string tenant, CancellationToken cancellation)
    {
        var rows = await database.ReadAsync(
            connection => connection.QueryAsync<Row>(new CommandDefinition("SELECT id, act_sealed FROM broker_approval WHERE tenant = @tenant ORDER BY expires_at, id", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return [.. rows.Select(row => Open(tenant, row)).Where(pending => !IsExpired(pending))];
    }

    /// <summary>One of them, expired ones too; null where there is no such act.</summary>
    internal async Task<PendingAct?> FindAsync(string tenant, string id, CancellationToken cancellation) =>
        await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(Select, new { Tenant = tenant, Id = id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) is { } row ? Open(tenant, row) : null;

    /// <summary>The bytes that the proposer of a rotation brought along. The caller wipes them.</summary>
    internal async Task<byte[]> SecretAsync(PendingAct pending, CancellationToken cancellation)
    {
        var (tenant, id) = (pending.Act.Tenant, pending.Act.Id);
        return await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<byte[]?>(new CommandDefinition("SELECT secret_sealed FROM broker_approval WHERE tenant = @tenant AND id = @id", new { tenant, id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) is { } kept
            && await kek.OpenSecretAsync(kept, SecretContext(tenant, id), cancellation).ConfigureAwait(false) is { } secret ? secret : throw Changed(tenant);
    }

    /// <summary>Takes an act back. False where there is no such act.</summary>
    internal async Task<bool> WithdrawAsync(PendingAct pending, Caller caller, CancellationToken cancellation)
    {
        var receipt = await log.AppendAsync(
            async turn =>
            {
                var act = pending.Act;
                var taken = await turn.Connection.ExecuteAsync(Delete, new { act.Tenant, act.Id }, turn.Transaction).ConfigureAwait(false) == 1;
                return new LogDecision(Entry(BrokerEntries.Withdraw, act, caller.Subject, taken), taken ? SubjectOf(act.Id) : "");
            },
            cancellation).ConfigureAwait(false);
        return receipt.Decided.Outcome is AuditOutcome.Allowed;
    }

    /// <summary>Logs that a person may not approve an act, or named another digest.</summary>
    internal Task RefuseAsync(PendingAct pending, Caller caller, string why, CancellationToken cancellation) =>
        log.AppendAsync(_ => Task.FromResult(new LogDecision(Entry(BrokerEntries.Refuse, pending.Act, caller.Subject, isDone: false).With("why", why))), cancellation);

    internal bool IsExpired(PendingAct pending) => clock.GetUtcNow().ToUnixTimeMilliseconds() >= pending.Act.ExpiresAt;

    internal async Task<bool> TakeAsync(PendingAct pending, LogTurn turn)
    {
        var (tenant, id) = (pending.Act.Tenant, pending.Act.Id);
        if (await turn.Connection.QuerySingleOrDefaultAsync<Row>(Select, new { Tenant = tenant, Id = id }, turn.Transaction).ConfigureAwait(false) is not { } row)
        {
            return false;
        }

        var kept = Open(tenant, row);
        if (turn.Last(tenant, SubjectOf(id)) != kept.Position)
        {
            throw Changed(tenant);
        }

        await turn.Connection.ExecuteAsync(Delete, new { Tenant = tenant, Id = id }, turn.Transaction).ConfigureAwait(false);
        return kept.Text == pending.Text && kept.Person == pending.Person && !IsExpired(kept);
    }

    private PendingAct Open(string tenant, Row row)
    {
        var kept = kek.Open(row.ActSealed, Context(tenant, row.Id)) is { } bytes && JsonSerializer.Deserialize<Kept>(bytes) is { } read ? read : throw Changed(tenant);
        return new PendingAct(kept.Text, kept.Person, kept.Position);
    }

    private static ServiceException Changed(string tenant) =>
        new("service.broker.approvals", $"an act of {tenant} that waits for a second person is not as the log has it: the row was changed, is another tenant's, or was put back after the act was withdrawn. It is not done");

    private static AuditEvent Entry(string kind, ApprovalAct act, string actor, bool isDone) =>
        new AuditEvent(kind, act.Tenant, actor, isDone ? AuditOutcome.Allowed : AuditOutcome.Denied).With("approval", act.Id).With("of", act.Act).With("key", act.Key).With("freeze", act.Freeze).With("act", ApprovalAct.DigestOf(act.ToText()));

    private static string SubjectOf(string id) => $"approval/{id}";

    private static string Context(string tenant, string id) => $"broker-approval/{tenant}/{id}";

    private static string SecretContext(string tenant, string id) => $"broker-approval-secret/{tenant}/{id}";

    private sealed record Kept(string Text, string Person, long Position);

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public byte[] ActSealed { get; set; } = [];
    }
}
