using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Attestation.Policies;

/// <summary>A policy's place among its versions.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Tenant">Whose.</param>
/// <param name="Active">The version that decides; null: none.</param>
/// <param name="Staged">The version that is to follow; null: none.</param>
/// <param name="Previous">The version to which a rollback goes; null: none.</param>
/// <param name="ChangedAt">When that was changed.</param>
/// <param name="ChangedBy">Who changed it.</param>
public sealed record PolicyState(string Id, string Tenant, long? Active, long? Staged, long? Previous, DateTimeOffset ChangedAt, string ChangedBy);

/// <summary>One version.</summary>
/// <param name="Policy">Of which policy.</param>
/// <param name="Version">From 1; each is one more, and never changed.</param>
/// <param name="Document">What it says.</param>
/// <param name="Sha384">Of the document.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="CreatedBy">Who.</param>
public sealed record PolicyVersionRow(string Policy, long Version, string Document, string Sha384, long CreatedAt, string CreatedBy);

/// <summary>
/// Policies and their versions. A process keeps the active ones compiled and looks for changes every few seconds; the one that made a change uses it at
/// once. A token names the version that decided.
/// </summary>
public sealed class PolicyStore(ServiceDatabase database, GroupCommit commits, TimeProvider clock)
{
    // A cloud prescribes these to everybody: there the subject, which names the policy, tells tenants apart.
    private static readonly FrozenSet<string> s_shared = FrozenSet.Create(StringComparer.Ordinal, "sts.amazonaws.com", "api://AzureADTokenExchange");

    private const string Columns = "id, tenant, active, staged, previous, changed_at, changed_by";

    private FrozenDictionary<(string Tenant, string Audience), CompiledPolicy> _active = FrozenDictionary<(string, string), CompiledPolicy>.Empty;

    /// <summary>Every policy that decides, in the order of tenants and names.</summary>
    public ImmutableArray<CompiledPolicy> Active => [.. _active.Values.Distinct().OrderBy(policy => policy.Tenant, StringComparer.Ordinal).ThenBy(policy => policy.Document.Id, StringComparer.Ordinal)];

    /// <summary>The policy that decides about an audience of a tenant; null: none.</summary>
    public CompiledPolicy? Find(string tenant, string audience) => _active.GetValueOrDefault((tenant, audience));

    /// <summary>Takes over what is active in the database.</summary>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        const string sql =
            "SELECT audience.audience, policy.tenant, policy.id AS policy, policy.active AS version FROM audience JOIN policy ON policy.id = audience.policy AND policy.tenant = audience.tenant WHERE policy.active IS NOT NULL";
        var rows = (await database.ReadAsync(connection => connection.QueryAsync<ActiveRow>(new CommandDefinition(sql, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)).ToArray();
        var known = _active.Values.Distinct().ToDictionary(policy => (policy.Document.Id, policy.Version));
        foreach (var row in rows)
        {
            // A version never changes: its document, which may have megabytes, is fetched once. It was compiled before it was activated; a release that
            // no longer takes it closes its audience, and no other.
            if (!known.ContainsKey((row.Policy, row.Version))
                && await VersionAsync(row.Policy, row.Version, cancellation).ConfigureAwait(false) is { } version
                && CompiledPolicy.TryCompile(row.Tenant, row.Version, Encoding.UTF8.GetBytes(version.Document), out var compiled, out _))
            {
                known.Add((row.Policy, row.Version), compiled);
            }
        }

        _active = rows.Where(row => known.ContainsKey((row.Policy, row.Version))).ToFrozenDictionary(row => (row.Tenant, row.Audience), row => known[(row.Policy, row.Version)]);
    }

    /// <summary>Adds a version. Returns its number; null where the policy is another tenant's.</summary>
    public async Task<long?> AddAsync(CompiledPolicy policy, string document, string actor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var id = policy.Document.Id;
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        long? number = null;
        await commits.CommitAsync(
            new AuditEvent("policy.add", policy.Tenant, actor, AuditOutcome.Allowed).With("policy", id).With("sha384", policy.Digest.ToString()),
            async (connection, transaction) =>
            {
                await connection.ExecuteAsync(
                    "INSERT INTO policy (id, tenant, changed_at, changed_by) VALUES (@Id, @Tenant, @Now, @Actor) ON CONFLICT (id) DO NOTHING", new { Id = id, policy.Tenant, Now = now, Actor = actor }, transaction).ConfigureAwait(false);
                // The update takes the row's lock: two that add at one time get two numbers.
                var own = await connection.ExecuteAsync("UPDATE policy SET changed_at = @Now, changed_by = @Actor WHERE id = @Id AND tenant = @Tenant", new { Id = id, policy.Tenant, Now = now, Actor = actor }, transaction).ConfigureAwait(false);
                number = own == 0 ? null : await connection.ExecuteScalarAsync<long>(
                    "INSERT INTO policy_version (policy, version, document, sha384, created_at, created_by) SELECT @Id, COALESCE(MAX(version), 0) + 1, @Document, @Sha384, @Now, @Actor FROM policy_version WHERE policy = @Id RETURNING version",
                    new { Id = id, Document = document, Sha384 = policy.Digest.ToString(), Now = now, Actor = actor }, transaction).ConfigureAwait(false);
            },
            cancellation).ConfigureAwait(false);
        return number;
    }

    /// <summary>A policy of a tenant; null: it has none of this name.</summary>
    public async Task<PolicyState?> StateAsync(string id, string tenant, CancellationToken cancellation) =>
        (await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<StateRow>(new CommandDefinition($"SELECT {Columns} FROM policy WHERE id = @id AND tenant = @tenant", new { id, tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false))?.ToState();

    /// <summary>The policies of a tenant.</summary>
    public async Task<ImmutableArray<PolicyState>> ListAsync(string tenant, CancellationToken cancellation) =>
        [.. (await database.ReadAsync(connection => connection.QueryAsync<StateRow>(new CommandDefinition($"SELECT {Columns} FROM policy WHERE tenant = @tenant ORDER BY id", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)).Select(row => row.ToState())];

    /// <summary>One version; null: there is none such.</summary>
    public Task<PolicyVersionRow?> VersionAsync(string id, long version, CancellationToken cancellation) => database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<PolicyVersionRow>(new CommandDefinition("SELECT policy, version, document, sha384, created_at, created_by FROM policy_version WHERE policy = @id AND version = @version", new { id, version }, cancellationToken: cancellation)), cancellation);

    /// <summary>The versions of a policy, newest first, without their documents.</summary>
    public async Task<ImmutableArray<PolicyVersionRow>> VersionsAsync(string id, CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<PolicyVersionRow>(new CommandDefinition("SELECT policy, version, '' AS document, sha384, created_at, created_by FROM policy_version WHERE policy = @id ORDER BY version DESC", new { id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    /// <summary>Stages a version: it can be tried, and decides nothing.</summary>
    public async Task StageAsync(PolicyState state, long version, string actor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(state);
        await commits.CommitAsync(
            new AuditEvent("policy.stage", state.Tenant, actor, AuditOutcome.Allowed).With("policy", state.Id).With("version", version),
            (connection, transaction) => connection.ExecuteAsync("UPDATE policy SET staged = @Version, changed_at = @Now, changed_by = @Actor WHERE id = @Id", new { Version = version, Now = Now, Actor = actor, state.Id }, transaction),
            cancellation).ConfigureAwait(false);
    }

    /// <summary>Why a version cannot be activated: an audience that is another tenant's, or was assigned to nobody; null where it can.</summary>
    public async Task<string?> WhyNotAssignedAsync(CompiledPolicy policy, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(policy);
        var rows = (await database.ReadAsync(connection => connection.QueryAsync<(string Audience, string Tenant, string? Policy)>(new CommandDefinition("SELECT audience, tenant, policy FROM audience", cancellationToken: cancellation)), cancellation).ConfigureAwait(false)).ToArray();
        return policy.Document.Audiences.Select(audience =>
            !rows.Any(row => row.Audience == audience && row.Tenant == policy.Tenant) ? $"{audience} is not assigned to the tenant"
            : rows.FirstOrDefault(row => row.Audience == audience && row.Tenant == policy.Tenant).Policy is { } other && other != policy.Document.Id ? $"{audience} is decided about by the policy {other}"
            : null).FirstOrDefault(fault => fault is not null);
    }

    /// <summary>Makes a version the one that decides, where nobody changed the policy in between. False where somebody did.</summary>
    public async Task<bool> ActivateAsync(PolicyState state, CompiledPolicy policy, string kind, string actor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(policy);
        var changed = 0;
        await commits.CommitAsync(
            new AuditEvent(kind, state.Tenant, actor, AuditOutcome.Allowed).With("policy", state.Id).With("version", policy.Version).With("sha384", policy.Digest.ToString()).With("audiences", policy.Document.Audiences),
            async (connection, transaction) =>
            {
                changed = await connection.ExecuteAsync(
                    "UPDATE policy SET previous = active, active = @Version, staged = NULL, changed_at = @Now, changed_by = @Actor WHERE id = @Id AND COALESCE(active, 0) = @Was",
                    new { policy.Version, Now, Actor = actor, state.Id, Was = state.Active ?? 0 }, transaction).ConfigureAwait(false);
                if (changed == 1)
                {
                    await connection.ExecuteAsync("UPDATE audience SET policy = NULL WHERE policy = @Id AND tenant = @Tenant", new { state.Id, state.Tenant }, transaction).ConfigureAwait(false);
                    foreach (var audience in policy.Document.Audiences)
                    {
                        await connection.ExecuteAsync("UPDATE audience SET policy = @Id WHERE audience = @Audience AND tenant = @Tenant", new { state.Id, Audience = audience, state.Tenant }, transaction).ConfigureAwait(false);
                    }
                }
            },
            cancellation).ConfigureAwait(false);
        await ReloadAsync(cancellation).ConfigureAwait(false);
        return changed == 1;
    }

    /// <summary>Gives an audience to a tenant. False where it is another's, and none that clouds prescribe to everybody.</summary>
    public async Task<bool> AssignAsync(string audience, string tenant, string actor, CancellationToken cancellation)
    {
        var assigned = false;
        await commits.CommitAsync(
            new AuditEvent("audience.assign", tenant, actor, AuditOutcome.Allowed).With("audience", audience),
            async (connection, transaction) =>
            {
                var others = s_shared.Contains(audience) ? 0 : await connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM audience WHERE audience = @audience AND tenant <> @tenant", new { audience, tenant }, transaction).ConfigureAwait(false);
                assigned = others == 0;
                if (assigned)
                {
                    await connection.ExecuteAsync("INSERT INTO audience (audience, tenant) VALUES (@audience, @tenant) ON CONFLICT (audience, tenant) DO NOTHING", new { audience, tenant }, transaction).ConfigureAwait(false);
                }
            },
            cancellation).ConfigureAwait(false);
        return assigned;
    }

    /// <summary>The audiences of a tenant, with the policies that decide about them.</summary>
    public async Task<ImmutableArray<(string Audience, string? Policy)>> AudiencesAsync(string tenant, CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<(string, string?)>(new CommandDefinition("SELECT audience, policy FROM audience WHERE tenant = @tenant ORDER BY audience", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    private sealed class ActiveRow
    {
        public string Audience { get; set; } = "";

        public string Tenant { get; set; } = "";

        public string Policy { get; set; } = "";

        public long Version { get; set; }
    }

    private sealed class StateRow
    {
        public string Id { get; set; } = "";

        public string Tenant { get; set; } = "";

        public long? Active { get; set; }

        public long? Staged { get; set; }

        public long? Previous { get; set; }

        public long ChangedAt { get; set; }

        public string ChangedBy { get; set; } = "";

        public PolicyState ToState() => new(Id, Tenant, Active, Staged, Previous, DateTimeOffset.FromUnixTimeMilliseconds(ChangedAt), ChangedBy);
    }
}
