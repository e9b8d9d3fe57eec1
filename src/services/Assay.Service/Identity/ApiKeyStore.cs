using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Service.Audit;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Identity;

/// <summary>An API key as it is shown: never the secret.</summary>
/// <param name="Id">Public.</param>
/// <param name="Tenant">Whose.</param>
/// <param name="Name">What for, in its maker's words.</param>
/// <param name="Scopes">What it may do.</param>
/// <param name="ExpiresAt">When it ends; null: never.</param>
/// <param name="RevokedAt">When it was revoked; null: it was not.</param>
public sealed record ApiKey(string Id, string Tenant, string Name, ImmutableArray<string> Scopes, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt);

/// <summary>
/// API keys: <c>assay_ID_SECRET</c>, ID 16 hexadecimal digits and SECRET 32 random bytes as base64url. The database has SHA-256 of the secret: of 256
/// random bits no slower hash is needed. Whose it is, what it may do and when it ends is encrypted under the key encryption key, and that copy decides: who writes
/// rows makes no key that counts at the broker, and gives none more scopes (S-25). A process remembers a key for five seconds, so a revocation holds everywhere after that.
/// </summary>
public sealed class ApiKeyStore(ServiceDatabase database, GroupCommit commits, KeyEncryptionKey kek, TimeProvider clock)
{
    internal static SealedColumn Sealed { get; } = new("API keys", "api_key", ["id"], "record_sealed", values => Context(values[0]));

    /// <summary>With which every key begins, so that scanners for leaked secrets know it.</summary>
    public const string Prefix = "assay_";

    private const int IdLength = 16;
    private const int SecretLength = 43;
    private const int MostRemembered = 10_000;
    // What they do decides about releases (S-25).
    private static readonly ImmutableArray<string> s_authenticated = [Identity.Scopes.Broker, Identity.Scopes.Release, Identity.Scopes.Keys, Identity.Scopes.Operator];

    private static readonly TimeSpan s_remembered = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, (Row? Row, DateTimeOffset At)> _remembered = new(StringComparer.Ordinal);

    /// <summary>Makes a key. The answer's first part is shown once and kept nowhere.</summary>
    /// <exception cref="ArgumentException">There is no such tenant.</exception>
    public async Task<(string Key, ApiKey Description)> CreateAsync(string tenant, string name, ImmutableArray<string> scopes, TimeSpan? life, string actor, CancellationToken cancellation)
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        var now = clock.GetUtcNow();
        var row = new Row
        {
            Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdLength / 2)),
            Tenant = tenant,
            Name = name,
            SecretSha256 = SHA256.HashData(Encoding.ASCII.GetBytes(Base64Url.EncodeToString(secret))),
            Scopes = string.Join(' ', scopes),
            CreatedAt = now.ToUnixTimeMilliseconds(),
            CreatedBy = actor,
            ExpiresAt = life is { } span ? (now + span).ToUnixTimeMilliseconds() : null,
        };
        row.RecordSealed = kek.Seal(JsonSerializer.SerializeToUtf8Bytes(new Kept(tenant, row.SecretSha256, row.Scopes, row.ExpiresAt)), Context(row.Id));
        await commits.CommitAsync(
            new AuditEvent("api-key.create", tenant, actor, AuditOutcome.Allowed).With("key", row.Id).With("scopes", scopes),
            (connection, transaction) => connection.ExecuteAsync(
                "INSERT INTO api_key (id, tenant, name, secret_sha256, scopes, created_at, created_by, expires_at, record_sealed) VALUES (@Id, @Tenant, @Name, @SecretSha256, @Scopes, @CreatedAt, @CreatedBy, @ExpiresAt, @RecordSealed)", row, transaction),
            cancellation).ConfigureAwait(false);
        var text = $"{Prefix}{row.Id}_{Base64Url.EncodeToString(secret)}";
        CryptographicOperations.ZeroMemory(secret);
        return (text, row.ToKey());
    }

    /// <summary>Whose a key is; null where it is unknown, wrong, expired or revoked, or its tenant is disabled.</summary>
    public async Task<ApiKey?> FindAsync(string text, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.StartsWith(Prefix, StringComparison.Ordinal) || text.Length != Prefix.Length + IdLength + 1 + SecretLength || text[Prefix.Length + IdLength] != '_' || !Ascii.IsValid(text))
        {
            return null;
        }

        var id = text.Substring(Prefix.Length, IdLength);
        var row = await RowAsync(id, cancellation).ConfigureAwait(false);
        var given = SHA256.HashData(Encoding.ASCII.GetBytes(text[(Prefix.Length + IdLength + 1)..]));
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (row is null || row.RevokedAt is not null || row.DisabledAt is not null)
        {
            return null;
        }

        // Without a record that opens, a key is of a release that made none, or of one who writes rows: it gets no broker's key, and makes no identity.
        var kept = row.Kept ?? new Kept(row.Tenant, row.SecretSha256, string.Join(' ', ScopesOf(row.Scopes).Except(s_authenticated, StringComparer.Ordinal)), row.ExpiresAt);
        return kept.Tenant == row.Tenant && CryptographicOperations.FixedTimeEquals(given, kept.SecretSha256) && (kept.ExpiresAt is null || kept.ExpiresAt > now)
            ? row.ToKey() with { Scopes = ScopesOf(kept.Scopes), ExpiresAt = Instant(kept.ExpiresAt) } : null;
    }

    /// <summary>The keys of a tenant, newest first.</summary>
    public async Task<ImmutableArray<ApiKey>> ListAsync(string tenant, CancellationToken cancellation) =>
        [.. (await database.ReadAsync(connection => connection.QueryAsync<Row>(new CommandDefinition("SELECT * FROM api_key WHERE tenant = @tenant ORDER BY created_at DESC", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)).Select(row => row.ToKey())];

    /// <summary>Revokes a key of a tenant. False where it has none such.</summary>
    public async Task<bool> RevokeAsync(string id, string tenant, string actor, CancellationToken cancellation)
    {
        var exists = await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>(new CommandDefinition("SELECT COUNT(*) FROM api_key WHERE id = @id AND tenant = @tenant AND revoked_at IS NULL", new { id, tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) == 1;
        if (exists)
        {
            await commits.CommitAsync(
                new AuditEvent("api-key.revoke", tenant, actor, AuditOutcome.Allowed).With("key", id),
                (connection, transaction) => connection.ExecuteAsync("UPDATE api_key SET revoked_at = @Now WHERE id = @Id AND tenant = @Tenant AND revoked_at IS NULL", new { Now = clock.GetUtcNow().ToUnixTimeMilliseconds(), Id = id, Tenant = tenant }, transaction),
                cancellation).ConfigureAwait(false);
            _remembered.TryRemove(id, out _);
        }

        return exists;
    }

    private async Task<Row?> RowAsync(string id, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow();
        if (_remembered.TryGetValue(id, out var known) && now - known.At < s_remembered && now >= known.At)
        {
            return known.Row;
        }

        var row = await database.ReadAsync(
            connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition("SELECT api_key.*, tenant.disabled_at FROM api_key JOIN tenant ON tenant.id = api_key.tenant WHERE api_key.id = @id", new { id }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        if (row?.RecordSealed is { } sealedRecord && kek.Open(sealedRecord, Context(id)) is { } bytes)
        {
            row.Kept = JsonSerializer.Deserialize<Kept>(bytes);
        }

        if (_remembered.Count >= MostRemembered)
        {
            // Ids that nobody made are remembered too, so a guesser costs no query each; the memory is bounded all the same.
            _remembered.Clear();
        }

        _remembered[id] = (row, now);
        return row;
    }

    private static string Context(string id) => $"api-key/{id}";

    private static ImmutableArray<string> ScopesOf(string scopes) => [.. scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    private static DateTimeOffset? Instant(long? at) => at is { } value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : null;

    private sealed record Kept(string Tenant, byte[] SecretSha256, string Scopes, long? ExpiresAt);

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public string Tenant { get; set; } = "";

        public string Name { get; set; } = "";

        public byte[] SecretSha256 { get; set; } = [];

        public string Scopes { get; set; } = "";

        public long CreatedAt { get; set; }

        public string CreatedBy { get; set; } = "";

        public long? ExpiresAt { get; set; }

        public long? RevokedAt { get; set; }

        public long? DisabledAt { get; set; }

        public byte[]? RecordSealed { get; set; }

        // What was in it; null where it does not open, or the key is of a release that made none.
        public Kept? Kept { get; set; }

        public ApiKey ToKey() => new(Id, Tenant, Name, ScopesOf(Scopes), Instant(ExpiresAt), Instant(RevokedAt));
    }
}
