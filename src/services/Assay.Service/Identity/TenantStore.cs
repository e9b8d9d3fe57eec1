using System.Collections.Immutable;
using Assay.Service.Audit;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Identity;

/// <summary>An organisation, or a part of one, whose policies, appraisals and keys no other sees.</summary>
/// <param name="Id">1 to 40 of a–z, 0–9 and hyphen.</param>
/// <param name="DailyAppraisals">How many appraisals a day it may ask for; null: any number.</param>
/// <param name="IsDisabled">Whether all its keys and logins are refused.</param>
public sealed record Tenant(string Id, long? DailyAppraisals, bool IsDisabled);

/// <summary>Tenants, and what they used of their quota.</summary>
public sealed class TenantStore(ServiceDatabase database, GroupCommit commits, TimeProvider clock)
{
    /// <summary>The operator's own tenant.</summary>
    public const string Operators = "operator";

    private const string Count = "INSERT INTO daily_usage (tenant, day, appraisals) VALUES (@tenant, @day, 1) ON CONFLICT (tenant, day) DO UPDATE SET appraisals = daily_usage.appraisals + 1 RETURNING appraisals";
    private const int LongestId = 40;

    /// <summary>Whether a text is an id.</summary>
    public static bool IsId(string? id) => id is { Length: > 0 and <= LongestId } && id.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-');

    /// <summary>Makes a tenant where there is none of the id. False where there is one.</summary>
    public async Task<bool> CreateAsync(string id, long? dailyAppraisals, string actor, CancellationToken cancellation)
    {
        if (await FindAsync(id, cancellation).ConfigureAwait(false) is not null)
        {
            return false;
        }

        await commits.CommitAsync(
            new AuditEvent("tenant.create", id, actor, AuditOutcome.Allowed).With("tenant", id),
            (connection, transaction) => connection.ExecuteAsync(
                "INSERT INTO tenant (id, created_at, daily_appraisals) VALUES (@Id, @Now, @Daily) ON CONFLICT (id) DO NOTHING", new { Id = id, Now = clock.GetUtcNow().ToUnixTimeMilliseconds(), Daily = dailyAppraisals }, transaction),
            cancellation).ConfigureAwait(false);
        return true;
    }

    /// <summary>Disables a tenant, or enables it again, and sets its quota.</summary>
    public Task ChangeAsync(Tenant tenant, string actor, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(tenant);
        return commits.CommitAsync(
            new AuditEvent(tenant.IsDisabled ? "tenant.disable" : "tenant.change", tenant.Id, actor, AuditOutcome.Allowed),
            (connection, transaction) => connection.ExecuteAsync(
                "UPDATE tenant SET disabled_at = @Disabled, daily_appraisals = @Daily WHERE id = @Id",
                new { Disabled = tenant.IsDisabled ? clock.GetUtcNow().ToUnixTimeMilliseconds() : (long?)null, Daily = tenant.DailyAppraisals, tenant.Id }, transaction),
            cancellation);
    }

    /// <summary>A tenant; null where there is none of the id.</summary>
    public async Task<Tenant?> FindAsync(string id, CancellationToken cancellation) =>
        (await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition("SELECT id, disabled_at, daily_appraisals FROM tenant WHERE id = @id", new { id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false))?.ToTenant();

    /// <summary>All of them.</summary>
    public async Task<ImmutableArray<Tenant>> ListAsync(CancellationToken cancellation) =>
        [.. (await database.ReadAsync(connection => connection.QueryAsync<Row>(new CommandDefinition("SELECT id, disabled_at, daily_appraisals FROM tenant ORDER BY id", cancellationToken: cancellation)), cancellation).ConfigureAwait(false)).Select(row => row.ToTenant())];

    /// <summary>Counts an appraisal of today. Returns how many there are now.</summary>
    public Task<long> CountAppraisalAsync(string tenant, CancellationToken cancellation) =>
        database.WriteOneAsync<long>(Count, new { tenant, day = clock.GetUtcNow().ToUnixTimeSeconds() / 86_400 }, cancellation);

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public long? DisabledAt { get; set; }

        public long? DailyAppraisals { get; set; }

        public Tenant ToTenant() => new(Id, DailyAppraisals, DisabledAt is not null);
    }
}
