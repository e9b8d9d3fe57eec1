using System.Buffers.Binary;
using System.Security.Cryptography;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Challenges;

/// <summary>A challenge as its asker gets it.</summary>
/// <param name="Id">Names it when it is answered. 32 hexadecimal digits.</param>
/// <param name="Nonce">What evidence must answer: 64 hexadecimal digits, 32 random bytes.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record Challenge(string Id, string Nonce, DateTimeOffset ExpiresAt);

/// <summary>
/// Challenges: random, for one tenant and purpose, short of life, redeemed once whatever number of processes and clients try. Redeemed before anything is
/// verified: an attempt that fails has used it up. The nonce that evidence must answer is the row's, never the request's; it
/// is encrypted with its end under the key encryption key, so that writing rows makes no old evidence answer again (S-25). That a challenge was redeemed is in the row as it is: who writes rows can have it answered twice within its life, by the same machine.
/// </summary>
public sealed class ChallengeStore(ServiceDatabase database, KeyEncryptionKey kek, TimeProvider clock)
{
    // One statement: whoever comes second finds no row that is not redeemed. Select and then update would let several win.
    private const string Redeem =
        "UPDATE challenge SET redeemed_at = @Now WHERE id = @Id AND tenant = @Tenant AND purpose = @Purpose AND redeemed_at IS NULL AND expires_at > @Now RETURNING nonce";

    private const string Insert = "INSERT INTO challenge (id, nonce, purpose, tenant, expires_at) VALUES (@Id, @Nonce, @Purpose, @Tenant, @ExpiresAt) RETURNING id";

    private const string Purge = "DELETE FROM challenge WHERE id IN (SELECT id FROM challenge WHERE expires_at < @Before LIMIT 1000)";

    private const int NonceSize = 32;

    /// <summary>What a challenge is for where the asker names nothing else.</summary>
    public const string Appraisal = "appraisal";

    /// <summary>Makes a challenge.</summary>
    public async Task<Challenge> IssueAsync(string tenant, string purpose, TimeSpan life, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(tenant);
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        var challenge = new Challenge(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(NonceSize)), clock.GetUtcNow() + life);
        await database.WriteOneAsync<string>(Insert, new { challenge.Id, Nonce = Seal(challenge, tenant, purpose), Purpose = purpose, Tenant = tenant, ExpiresAt = challenge.ExpiresAt.ToUnixTimeMilliseconds() }, cancellation).ConfigureAwait(false);
        return challenge;
    }

    /// <summary>The nonce of a challenge that nobody redeemed before; null where there is none such: unknown, used, expired, or of another tenant or purpose, all alike.</summary>
    public async Task<string?> RedeemAsync(string id, string tenant, string purpose, CancellationToken cancellation)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        return await database.WriteOneAsync<string>(Redeem, new { Id = id, Tenant = tenant, Purpose = purpose, Now = now }, cancellation).ConfigureAwait(false) is { } kept
            && Open(kept, id, tenant, purpose) is var (nonce, expiresAt) && expiresAt > now ? nonce : null;
    }

    /// <summary>Removes what ended, some at a time. Returns how many.</summary>
    public Task<int> PurgeAsync(CancellationToken cancellation) => database.WriteAsync(
        (connection, transaction) => connection.ExecuteAsync(new CommandDefinition(Purge, new { Before = (clock.GetUtcNow() - TimeSpan.FromHours(1)).ToUnixTimeMilliseconds() }, transaction, cancellationToken: cancellation)), cancellation);

    private string Seal(Challenge challenge, string tenant, string purpose)
    {
        var plain = new byte[sizeof(long) + NonceSize];
        BinaryPrimitives.WriteInt64BigEndian(plain, challenge.ExpiresAt.ToUnixTimeMilliseconds());
        Convert.FromHexString(challenge.Nonce).CopyTo(plain, sizeof(long));
        return Convert.ToBase64String(kek.Seal(plain, Context(challenge.Id, tenant, purpose)));
    }

    // Null where the row is of another challenge, was changed, or is of a release before this one, which kept the nonce as it is: its asker comes again.
    private (string Nonce, long ExpiresAt)? Open(string kept, string id, string tenant, string purpose)
    {
        var record = new byte[kept.Length];
        return Convert.TryFromBase64String(kept, record, out var length) && kek.Open(record.AsSpan(0, length), Context(id, tenant, purpose)) is { Length: sizeof(long) + NonceSize } plain
            ? (Convert.ToHexStringLower(plain.AsSpan(sizeof(long))), BinaryPrimitives.ReadInt64BigEndian(plain)) : null;
    }

    private static string Context(string id, string tenant, string purpose) => $"challenge/{tenant}/{purpose}/{id}";
}
