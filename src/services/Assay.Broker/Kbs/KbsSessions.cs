using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Broker.Kbs;

/// <summary>What a session asked, and of what kind of TEE.</summary>
/// <param name="Nonce">32 random bytes in base64: evidence covers these very characters.</param>
/// <param name="Tee">As the client named it.</param>
/// <param name="ExpiresAt">Milliseconds since 1970.</param>
internal sealed record KbsChallenge(string Nonce, string Tee, long ExpiresAt);

/// <summary>A session.</summary>
/// <param name="Id">32 hexadecimal digits: who has them gets what is sealed to the session's key, and nothing else.</param>
/// <param name="Challenge">What it asked.</param>
/// <param name="Token">The token that its evidence got; null: none was accepted.</param>
/// <param name="Evidence">The request with it, as it was received; null: none was accepted.</param>
internal sealed record KbsSession(string Id, KbsChallenge Challenge, string? Token, byte[]? Evidence)
{
    /// <summary>Digits of an id.</summary>
    public const int IdLength = 32;

    /// <summary>When it ends.</summary>
    public DateTimeOffset ExpiresAt => DateTimeOffset.FromUnixTimeMilliseconds(Challenge.ExpiresAt);
}

/// <summary>
/// Sessions of the KBS protocol, in the database: any process of the service answers any request of one. Each challenge is answered once: an answer that is
/// refused has used it up. A session ends when its challenge would, so nothing is released on evidence that is older.
/// </summary>
internal sealed class KbsSessions(ServiceDatabase database, KeyEncryptionKey kek, TimeProvider clock)
{
    private const int AddressShare = 8;

    private const string Insert = """
        INSERT INTO kbs_session (id, address, expires_at, session_sealed)
        SELECT @Id, @Address, @ExpiresAt, @Sealed
        WHERE (SELECT COUNT(*) FROM kbs_session WHERE expires_at > @Now) < @Most AND (SELECT COUNT(*) FROM kbs_session WHERE expires_at > @Now AND address = @Address) < @Share
        RETURNING id
        """;

    private const string Select = "SELECT session_sealed, token_sealed, evidence_sealed FROM kbs_session WHERE id = @Id AND expires_at > @Now";
    private const string Try = "UPDATE kbs_session SET tried_at = @Now WHERE id = @Id AND tried_at IS NULL AND expires_at > @Now RETURNING id";
    private const string Store = "UPDATE kbs_session SET token_sealed = @Token, evidence_sealed = @Evidence WHERE id = @Id RETURNING id";
    private const string Purge = "DELETE FROM kbs_session WHERE expires_at <= @Now";

    internal static IEnumerable<SealedColumn> SealedColumns { get; } =
    [
        new("sessions of the KBS protocol", "kbs_session", ["id"], "session_sealed", values => Context("session", values[0])),
        new("tokens of the KBS protocol", "kbs_session", ["id"], "token_sealed", values => Context("token", values[0])),
        new("evidence of the KBS protocol", "kbs_session", ["id"], "evidence_sealed", values => Context("evidence", values[0])),
    ];

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Begins one; null where there are as many as may be.</summary>
    public async Task<KbsSession?> BeginAsync(string tee, string address, KbsTerms terms, CancellationToken cancellation)
    {
        var id = NewId();
        var challenge = new KbsChallenge(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), tee, (clock.GetUtcNow() + terms.SessionLife).ToUnixTimeMilliseconds());
        var row = RowOf(id);
        var begun = await database.WriteOneAsync<string>(
            Insert,
            new { Id = row, Address = address, challenge.ExpiresAt, Sealed = kek.Seal(JsonSerializer.SerializeToUtf8Bytes(challenge), Context("session", row)), Now, Most = (long)terms.MostSessions, Share = Math.Max(1L, terms.MostSessions / AddressShare) },
            cancellation).ConfigureAwait(false);
        return begun is null ? null : new KbsSession(id, challenge, null, null);
    }

    /// <summary>One that lasts; null if it is not known.</summary>
    public async Task<KbsSession?> FindAsync(string? id, CancellationToken cancellation)
    {
        if (id is not { Length: KbsSession.IdLength } || !id.All(char.IsAsciiHexDigitLower))
        {
            return null;
        }

        var row = RowOf(id);
        var found = await database.ReadAsync(connection => connection.QuerySingleOrDefaultAsync<Row>(new CommandDefinition(Select, new { Id = row, Now }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        if (found is null)
        {
            return null;
        }

        var challenge = JsonSerializer.Deserialize<KbsChallenge>(Open(found.SessionSealed, "session", row))!;
        // The row's own end is to be found by; what counts is what was sealed.
        return challenge.ExpiresAt <= Now ? null : new KbsSession(id, challenge, found.TokenSealed is null ? null : Encoding.ASCII.GetString(Open(found.TokenSealed, "token", row)), found.EvidenceSealed is null ? null : Open(found.EvidenceSealed, "evidence", row));
    }

    /// <summary>Uses its challenge up. False where that was done before.</summary>
    public async Task<bool> TryAsync(string id, CancellationToken cancellation) =>
        await database.WriteOneAsync<string>(Try, new { Id = RowOf(id), Now }, cancellation).ConfigureAwait(false) is not null;

    /// <summary>Keeps what answered its challenge, and the token for it.</summary>
    public async Task KeepAsync(string id, string token, byte[] evidence, CancellationToken cancellation)
    {
        var row = RowOf(id);
        _ = await database.WriteOneAsync<string>(
            Store, new { Id = row, Token = kek.Seal(Encoding.ASCII.GetBytes(token), Context("token", row)), Evidence = kek.Seal(evidence, Context("evidence", row)) }, cancellation).ConfigureAwait(false);
    }

    /// <summary>Removes those that ended. Returns how many.</summary>
    public Task<int> PurgeAsync(CancellationToken cancellation) => database.WriteAsync(
        (connection, transaction) => connection.ExecuteAsync(new CommandDefinition(Purge, new { Now }, transaction, cancellationToken: cancellation)), cancellation);

    // A UUID of version 4, as clients have seen them until now (RFC 9562 §5.4).
    private static string NewId()
    {
        var id = RandomNumberGenerator.GetBytes(16);
        id[6] = (byte)((id[6] & 0x0F) | 0x40);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return Convert.ToHexStringLower(id);
    }

    private byte[] Open(byte[] kept, string what, string row) => kek.Open(kept, Context(what, row))
        ?? throw new ServiceException("service.broker.session", $"the {what} of a KBS session in the database does not open: it was changed, or is under another key encryption key");

    private static string Context(string what, string row) => $"kbs-{what}/{row}";

    // Who reads the database gets no session.
    private static string RowOf(string id) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(id)));

    private sealed class Row
    {
        public byte[] SessionSealed { get; set; } = [];

        public byte[]? TokenSealed { get; set; }

        public byte[]? EvidenceSealed { get; set; }
    }
}
