using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Service.Audit;
using Assay.Service.Storage;
using Assay.Trust.Jose;
using Dapper;

namespace Assay.Service.Keys;

/// <summary>How signing keys follow one another.</summary>
public sealed record SigningKeyTerms
{
    /// <summary>How long a key is published before it signs, so that every relying party's copy of the key set has it.</summary>
    public TimeSpan Lead { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a key stays published after the next one signs: longer than any token lives.</summary>
    public TimeSpan Overlap { get; init; } = TimeSpan.FromHours(48);

    /// <summary>How often a process looks for keys that another one made.</summary>
    public TimeSpan Reload { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// The keys under which tokens are signed, one in use for each algorithm, shared by all processes on one database and encrypted in it. A process holds
/// their private halves while it runs.
/// </summary>
public sealed class SigningKeys(ServiceDatabase database, KeyEncryptionKey kek, GroupCommit commits, SigningKeyTerms terms, TimeProvider clock)
{
    /// <summary>The algorithms that are signed with, the default first (S-22).</summary>
    public static ImmutableArray<string> Algorithms { get; } = ["ES384", "ES256", "RS256"];

    internal static SealedColumn Sealed { get; } = new("signing keys", "signing_key", ["id"], "wrapped", values => Context(values[0], values[1])) { More = ["algorithm"] };

    private const string Select = "SELECT id, algorithm, public_jwk, wrapped, created_at, active_from FROM signing_key";
    private const string Insert = "INSERT INTO signing_key (id, algorithm, public_jwk, wrapped, created_at, active_from) VALUES (@Id, @Algorithm, @PublicJwk, @Wrapped, @CreatedAt, @ActiveFrom)";
    private const int RsaBits = 3072;

    private ImmutableArray<HeldKey> _keys = [];

    /// <summary>Loads the keys, and makes those that there are none of.</summary>
    /// <exception cref="ServiceException">The keys in the database are not under this key encryption key.</exception>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        await ReloadAsync(cancellation).ConfigureAwait(false);
        foreach (var algorithm in Algorithms.Where(algorithm => InUse(algorithm) is null))
        {
            await AddAsync(algorithm, clock.GetUtcNow(), "service", cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>The key that signs now.</summary>
    public SigningKey Current(string algorithm) => (InUse(algorithm) ?? throw new InvalidOperationException($"no key for {algorithm}: PrepareAsync makes one")).Key;

    /// <summary>What relying parties verify with: keys to come, in use, and followed by another for less than <see cref="SigningKeyTerms.Overlap"/>.</summary>
    public JsonWebKeySet Published() => JsonWebKeySet.Of(PublishedKeys().Select(key => key.Key.PublicKey));

    /// <summary>The same as a document. Each key has a certificate of its own (<c>x5c</c>): NVIDIA's clients take the key from there, and verify no chain.</summary>
    public byte[] PublishedJson() => Encoding.UTF8.GetBytes($$"""{"keys":[{{string.Join(',', PublishedKeys().Select(key => key.Jwk))}}]}""");

    /// <summary>A further key for an algorithm: it is published now and signs after <see cref="SigningKeyTerms.Lead"/>. Returns its id.</summary>
    public Task<string> RotateAsync(string algorithm, string actor, CancellationToken cancellation) => AddAsync(algorithm, clock.GetUtcNow() + terms.Lead, actor, cancellation);

    /// <summary>Withdraws a key that may be in other hands: it is no longer published, so that nothing it signed verifies, and another one signs from now on. False where there is none.</summary>
    public async Task<bool> WithdrawAsync(string id, string actor, CancellationToken cancellation)
    {
        await ReloadAsync(cancellation).ConfigureAwait(false);
        if (_keys.FirstOrDefault(key => key.Id == id) is not { } lost)
        {
            return false;
        }

        var now = clock.GetUtcNow();
        await commits.CommitAsync(
            new AuditEvent("signing-key.withdraw", "", actor, AuditOutcome.Allowed).With("key", id).With("algorithm", lost.Algorithm),
            (connection, transaction) => connection.ExecuteAsync("UPDATE signing_key SET withdrawn_at = @Now, wrapped = @Nothing WHERE id = @Id", new { Now = now.ToUnixTimeMilliseconds(), Nothing = Array.Empty<byte>(), Id = id }, transaction),
            cancellation).ConfigureAwait(false);
        await ReloadAsync(cancellation).ConfigureAwait(false);
        await PrepareAsync(cancellation).ConfigureAwait(false);
        return true;
    }

    /// <summary>Takes over what other processes made.</summary>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        var rows = await database.ReadAsync(connection => connection.QueryAsync<Row>(new CommandDefinition($"{Select} WHERE withdrawn_at IS NULL", cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        var held = _keys.ToDictionary(key => key.Id, StringComparer.Ordinal);
        _keys = [.. rows.Select(row => held.GetValueOrDefault(row.Id) ?? Open(row)).OrderBy(key => key.ActiveFrom).ThenBy(key => key.Id, StringComparer.Ordinal)];
    }

    private async Task<string> AddAsync(string algorithm, DateTimeOffset activeFrom, string actor, CancellationToken cancellation)
    {
        var (pem, certificate) = NewKey(algorithm);
        try
        {
            if (!SigningKey.TryParse(pem, out var key, out var fault))
            {
                throw new InvalidOperationException(fault.ToString());
            }

            var row = new Row
            {
                Id = key.PublicKey.KeyId,
                Algorithm = algorithm,
                PublicJwk = JwkOf(key.PublicKey, certificate),
                Wrapped = kek.Seal(pem, Context(key.PublicKey.KeyId, algorithm)),
                CreatedAt = clock.GetUtcNow().ToUnixTimeMilliseconds(),
                ActiveFrom = activeFrom.ToUnixTimeMilliseconds(),
            };
            await commits.CommitAsync(
                new AuditEvent("signing-key.create", "", actor, AuditOutcome.Allowed).With("key", row.Id).With("algorithm", algorithm).With("activeFrom", row.ActiveFrom),
                (connection, transaction) => connection.ExecuteAsync(Insert, row, transaction), cancellation).ConfigureAwait(false);
            await ReloadAsync(cancellation).ConfigureAwait(false);
            return row.Id;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pem);
        }
    }

    // Two processes that start together may each have made one: the same one is the newest for both.
    private HeldKey? InUse(string algorithm)
    {
        var now = clock.GetUtcNow();
        return _keys.LastOrDefault(key => key.Algorithm == algorithm && key.ActiveFrom <= now);
    }

    private IEnumerable<HeldKey> PublishedKeys()
    {
        var now = clock.GetUtcNow();
        var keys = _keys;
        return keys.Where(key => !keys.Any(next => next.Algorithm == key.Algorithm && next.ActiveFrom > key.ActiveFrom && next.ActiveFrom + terms.Overlap < now));
    }

    private HeldKey Open(Row row)
    {
        var pem = kek.Open(row.Wrapped, Context(row.Id, row.Algorithm))
            ?? throw new ServiceException("service.kek.other", $"the signing key {row.Id} in the database does not open: it was encrypted under another kek than the one configured ({kek.Id}); configure that one, or follow \"A lost kek\" in docs/operations/service.md");
        try
        {
            return SigningKey.TryParse(pem, out var key, out var fault) && key.PublicKey.KeyId == row.Id
                ? new HeldKey(row.Id, row.Algorithm, row.PublicJwk, DateTimeOffset.FromUnixTimeMilliseconds(row.ActiveFrom), key)
                : throw new ServiceException("service.key.form", $"the signing key {row.Id} in the database cannot be read: {fault}");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pem);
        }
    }

    private static string Context(string id, string algorithm) => $"signing-key/{algorithm}/{id}";

    private (byte[] Pem, byte[] Certificate) NewKey(string algorithm)
    {
        using AsymmetricAlgorithm key = algorithm switch
        {
            "ES384" => ECDsa.Create(ECCurve.NamedCurves.nistP384),
            "ES256" => ECDsa.Create(ECCurve.NamedCurves.nistP256),
            "RS256" => RSA.Create(RsaBits),
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, $"one of {string.Join(", ", Algorithms)} is expected"),
        };
        var name = new X500DistinguishedName("CN=Assay token signing key");
        var request = key is ECDsa elliptic ? new CertificateRequest(name, elliptic, algorithm == "ES384" ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256)
            : new CertificateRequest(name, (RSA)key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(clock.GetUtcNow().AddDays(-1), clock.GetUtcNow().AddYears(10));
        // The array of characters is wiped; a string could not be.
        var der = key.ExportPkcs8PrivateKey();
        var characters = PemEncoding.Write("PRIVATE KEY", der);
        var pem = Encoding.ASCII.GetBytes(characters);
        CryptographicOperations.ZeroMemory(der);
        characters.AsSpan().Clear();
        return (pem, certificate.RawData);
    }

    private static string JwkOf(JsonWebKey key, byte[] certificate)
    {
        var jwk = JsonNode.Parse(JsonWebKeySet.Of(key).ToJson())!["keys"]![0]!.AsObject();
        jwk["x5c"] = new JsonArray(Convert.ToBase64String(certificate));
        return jwk.ToJsonString();
    }

    private sealed record HeldKey(string Id, string Algorithm, string Jwk, DateTimeOffset ActiveFrom, SigningKey Key);

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public string Algorithm { get; set; } = "";

        public string PublicJwk { get; set; } = "";

        public byte[] Wrapped { get; set; } = [];

        public long CreatedAt { get; set; }

        public long ActiveFrom { get; set; }
    }
}
