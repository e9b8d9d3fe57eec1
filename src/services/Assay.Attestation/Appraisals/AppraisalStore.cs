using System.Collections.Immutable;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Attestation.Appraisals;

/// <summary>An appraisal as its owner sees it in a list.</summary>
public class AppraisalRow
{
    /// <summary>32 hexadecimal digits.</summary>
    public string Id { get; set; } = "";

    /// <summary>Whose.</summary>
    public string Tenant { get; set; } = "";

    /// <summary>When, milliseconds since 1970.</summary>
    public long At { get; set; }

    /// <summary>Who asked.</summary>
    public string Actor { get; set; } = "";

    /// <summary>For whom.</summary>
    public string Audience { get; set; } = "";

    /// <summary>Which policy decided.</summary>
    public string Policy { get; set; } = "";

    /// <summary>Which version of it.</summary>
    public long PolicyVersion { get; set; }

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>.</summary>
    public string Verdict { get; set; } = "";

    /// <summary>The token's <c>jti</c>; null: none was written.</summary>
    public string? TokenId { get; set; }

    /// <summary>When it ends.</summary>
    public long? TokenEnds { get; set; }

    /// <summary>The challenge's characters.</summary>
    public string Nonce { get; set; } = "";

    /// <summary>When the token was revoked; null: it was not.</summary>
    public long? RevokedAt { get; set; }

    /// <summary>Why.</summary>
    public string? RevokedWhy { get; set; }
}

/// <summary>Appraisals: the verdict and for a stated time the raw evidence, both encrypted under the key encryption key, each for its own appraisal.</summary>
public sealed class AppraisalStore(ServiceDatabase database, GroupCommit commits, KeyEncryptionKey kek, TimeProvider clock)
{
    internal static IEnumerable<SealedColumn> SealedColumns { get; } =
    [
        new("verdicts", "appraisal", ["id"], "verdict_sealed", values => ContextOfVerdict(values[0])),
        new("evidence", "appraisal", ["id"], "evidence_sealed", values => ContextOfEvidence(values[0])),
    ];

    private const string Columns = "id, tenant, at, actor, audience, policy, policy_version, verdict, token_id, token_ends, nonce, revoked_at, revoked_why";
    private const string Sealed = $"{Columns}, verdict_sealed, evidence_sealed, evidence_until";
    private const string Insert =
        "INSERT INTO appraisal (id, tenant, at, actor, audience, policy, policy_version, verdict, token_id, token_ends, nonce, verdict_sealed, evidence_sealed, evidence_until) "
        + "VALUES (@Id, @Tenant, @At, @Actor, @Audience, @Policy, @PolicyVersion, @Verdict, @TokenId, @TokenEnds, @Nonce, @VerdictSealed, @EvidenceSealed, @EvidenceUntil)";

    /// <summary>Keeps an appraisal, with its audit entry. It holds when this returns: only then is a token handed out.</summary>
    public Task KeepAsync(AppraisalRow row, ReadOnlyMemory<byte> verdict, ReadOnlyMemory<byte> evidence, TimeSpan keepEvidence, AuditEvent entry, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(row);
        var isKept = keepEvidence > TimeSpan.Zero;
        var parameters = new
        {
            row.Id,
            row.Tenant,
            row.At,
            row.Actor,
            row.Audience,
            row.Policy,
            row.PolicyVersion,
            row.Verdict,
            row.TokenId,
            row.TokenEnds,
            row.Nonce,
            VerdictSealed = kek.Seal(verdict.Span, ContextOfVerdict(row.Id)),
            EvidenceSealed = isKept ? kek.Seal(evidence.Span, ContextOfEvidence(row.Id)) : null,
            EvidenceUntil = isKept ? row.At + (long)keepEvidence.TotalMilliseconds : (long?)null,
        };
        return commits.CommitAsync(entry, (connection, transaction) => connection.ExecuteAsync(Insert, parameters, transaction), cancellation);
    }

    /// <summary>An appraisal of a tenant with its verdict; null: it has none such.</summary>
    public async Task<(AppraisalRow Row, byte[]? Verdict)?> FindAsync(string id, string tenant, CancellationToken cancellation)
    {
        var row = await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<SealedRow>(new CommandDefinition($"SELECT {Sealed} FROM appraisal WHERE id = @id AND tenant = @tenant", new { id, tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        return row is null ? null : (row, kek.Open(row.VerdictSealed, ContextOfVerdict(row.Id)));
    }

    /// <summary>The latest appraisals of a tenant.</summary>
    public async Task<ImmutableArray<AppraisalRow>> ListAsync(string tenant, int most, long? before, CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<AppraisalRow>(new CommandDefinition(
            $"SELECT {Columns} FROM appraisal WHERE tenant = @tenant AND at < @before ORDER BY at DESC LIMIT @most", new { tenant, before = before ?? long.MaxValue, most }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    /// <summary>The latest appraisals of a policy, with verdict and, where it is still kept, evidence.</summary>
    public async Task<ImmutableArray<(AppraisalRow Row, byte[]? Verdict, byte[]? Evidence)>> OfPolicyAsync(string policy, string tenant, int most, CancellationToken cancellation) =>
        Opened(await database.ReadAsync(connection => connection.QueryAsync<SealedRow>(new CommandDefinition(
            $"SELECT {Sealed} FROM appraisal WHERE policy = @policy AND tenant = @tenant ORDER BY at DESC LIMIT @most", new { policy, tenant, most }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false));

    /// <summary>Appraisals whose tokens live and whose evidence is kept.</summary>
    public async Task<ImmutableArray<(AppraisalRow Row, byte[]? Verdict, byte[]? Evidence)>> LiveAsync(int most, CancellationToken cancellation) =>
        Opened(await database.ReadAsync(connection => connection.QueryAsync<SealedRow>(new CommandDefinition(
            $"SELECT {Sealed} FROM appraisal WHERE token_ends > @now AND revoked_at IS NULL AND evidence_sealed IS NOT NULL ORDER BY token_ends LIMIT @most", new { now = Now, most }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false));

    /// <summary>What became of a token; null: none of this id was written here.</summary>
    public Task<AppraisalRow?> FindTokenAsync(string tokenId, CancellationToken cancellation) => database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<AppraisalRow>(new CommandDefinition($"SELECT {Columns} FROM appraisal WHERE token_id = @tokenId", new { tokenId }, cancellationToken: cancellation)), cancellation);

    /// <summary>The ids of tokens that were revoked and would still live.</summary>
    public async Task<ImmutableArray<AppraisalRow>> RevokedAsync(CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<AppraisalRow>(new CommandDefinition(
            $"SELECT {Columns} FROM appraisal WHERE token_ends > @now AND revoked_at IS NOT NULL ORDER BY revoked_at", new { now = Now }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    /// <summary>Revokes the token of an appraisal. False where it was revoked before, or none was written.</summary>
    public async Task<bool> RevokeAsync(AppraisalRow row, string why, string actor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(row);
        var revoked = 0;
        await commits.CommitAsync(
            new AuditEvent("token.revoke", row.Tenant, actor, AuditOutcome.Allowed).With("appraisal", row.Id).With("token", row.TokenId).With("why", why),
            async (connection, transaction) => revoked = await connection.ExecuteAsync(
                "UPDATE appraisal SET revoked_at = @Now, revoked_why = @Why WHERE id = @Id AND revoked_at IS NULL AND token_id IS NOT NULL", new { Now, Why = why, row.Id }, transaction).ConfigureAwait(false),
            cancellation).ConfigureAwait(false);
        return revoked == 1;
    }

    /// <summary>Removes evidence and appraisals whose time is over, some at a time.</summary>
    public Task<int> PurgeAsync(TimeSpan keep, CancellationToken cancellation) => database.WriteAsync(
        async (connection, transaction) =>
            await connection.ExecuteAsync("UPDATE appraisal SET evidence_sealed = NULL, evidence_until = NULL WHERE id IN (SELECT id FROM appraisal WHERE evidence_until < @now LIMIT 500)", new { now = Now }, transaction).ConfigureAwait(false)
            + await connection.ExecuteAsync("DELETE FROM appraisal WHERE id IN (SELECT id FROM appraisal WHERE at < @before LIMIT 500)", new { before = Now - (long)keep.TotalMilliseconds }, transaction).ConfigureAwait(false),
        cancellation);

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    private static string ContextOfVerdict(string id) => $"appraisal-verdict/{id}";

    private static string ContextOfEvidence(string id) => $"appraisal-evidence/{id}";

    private ImmutableArray<(AppraisalRow, byte[]?, byte[]?)> Opened(IEnumerable<SealedRow> rows) =>
        [.. rows.Select(row => (row, kek.Open(row.VerdictSealed, ContextOfVerdict(row.Id)), row.EvidenceSealed is { } evidence && row.EvidenceUntil > Now ? kek.Open(evidence, ContextOfEvidence(row.Id)) : null))];

    private sealed class SealedRow : AppraisalRow
    {
        public byte[] VerdictSealed { get; set; } = [];

        public byte[]? EvidenceSealed { get; set; }

        public long? EvidenceUntil { get; set; }
    }
}
