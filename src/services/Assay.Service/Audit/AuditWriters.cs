using System.Collections.Immutable;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Assay.Service.Keys;
using Dapper;

namespace Assay.Service.Audit;

/// <summary>Two processes began to write entries in the same moment: this one's transaction is to run again.</summary>
internal sealed class AuditWriterRaceException : Exception;

/// <summary>
/// The list of all writers of audit entries, authenticated under the key encryption key: <c>HMAC-SHA-256(k, "audit-writers\0" ‖ list) ‖ list</c>, where
/// the list is their names with line ends between. A command that makes one entry is a writer of its own: without the list, its chain could be removed whole.
/// </summary>
internal static class AuditWriters
{
    private const string Name = "audit-writers";
    private const int MacSize = 32;
    private const string Select = "SELECT value FROM service_state WHERE name = @Name";
    private const string Insert = "INSERT INTO service_state (name, value) VALUES (@Name, @Value) ON CONFLICT (name) DO NOTHING";

    // The value before is part of the condition: of two processes that begin together, the second changes nothing and comes again.
    private const string Update = "UPDATE service_state SET value = @Value WHERE name = @Name AND value = @Before";

    /// <summary>Adds a writer, in the transaction of its first entry.</summary>
    /// <exception cref="ServiceException">The list was changed or removed by other means.</exception>
    /// <exception cref="AuditWriterRaceException">Another process began in the same moment.</exception>
    public static async Task AddAsync(string writer, KeyEncryptionKey key, DbConnection connection, DbTransaction transaction)
    {
        var before = await connection.QuerySingleOrDefaultAsync<byte[]>(Select, new { Name }, transaction).ConfigureAwait(false);
        if (before is not null && Open(key, before) is null)
        {
            throw new ServiceException("service.audit.writers", "the list of writers of audit entries was changed, or was written under another key: no entry is written beside it");
        }

        // A service that has signing keys has audit entries about them: a list that is missing then was removed, and is not begun anew.
        if (before is null && await HasKeysAsync(connection, transaction).ConfigureAwait(false))
        {
            throw new ServiceException("service.audit.writers", "the list of writers of audit entries was removed: no entry is written without it");
        }

        var value = Seal(key, before is null ? writer : $"{Encoding.ASCII.GetString(before.AsSpan(MacSize))}\n{writer}");
        if (await connection.ExecuteAsync(before is null ? Insert : Update, new { Name, Value = value, Before = before }, transaction).ConfigureAwait(false) != 1)
        {
            throw new AuditWriterRaceException();
        }
    }

    /// <summary>The writers; null where there is no list, or it is not authentic.</summary>
    public static async Task<ImmutableHashSet<string>?> ReadAsync(KeyEncryptionKey key, DbConnection connection, DbTransaction? transaction) =>
        await connection.QuerySingleOrDefaultAsync<byte[]>(Select, new { Name }, transaction).ConfigureAwait(false) is { } value ? Open(key, value) : null;

    /// <summary>The same list under another key.</summary>
    /// <exception cref="ServiceException">It does not open under the first one: the database is under another key encryption key.</exception>
    public static async Task RewrapAsync(KeyEncryptionKey from, KeyEncryptionKey to, DbConnection connection, DbTransaction transaction)
    {
        if (await connection.QuerySingleOrDefaultAsync<byte[]>(Select, new { Name }, transaction).ConfigureAwait(false) is not { } before)
        {
            return;
        }

        if (Open(from, before) is null)
        {
            throw new ServiceException("service.kek.other", $"the list of writers of audit entries does not open under the kek {from.Id}: the database is under another one, or the list was changed");
        }

        await connection.ExecuteAsync(Update, new { Name, Value = Seal(to, Encoding.ASCII.GetString(before.AsSpan(MacSize))), Before = before }, transaction).ConfigureAwait(false);
    }

    /// <summary>Whether the service was started before, and so has written entries.</summary>
    public static async Task<bool> HasKeysAsync(DbConnection connection, DbTransaction? transaction) =>
        await connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM signing_key", transaction: transaction).ConfigureAwait(false) > 0;

    /// <summary>What is wrong between the list and the entries.</summary>
    public static IEnumerable<string> FaultsOf(ImmutableHashSet<string>? before, ImmutableHashSet<string>? after, IReadOnlySet<string> seen, bool isUsed)
    {
        if (before is null || after is null)
        {
            return seen.Count == 0 && !isUsed && before is null && after is null ? [] : ["the list of writers is missing, was changed, or was written under another key"];
        }

        return [.. before.Except(seen).Order(StringComparer.Ordinal).Select(writer => $"writer {writer}: all of its entries are missing"), .. seen.Except(after).Order(StringComparer.Ordinal).Select(writer => $"writer {writer}: it is not in the list of writers")];
    }

    private static byte[] Seal(KeyEncryptionKey key, string list) => [.. Authenticate(key, list), .. Encoding.ASCII.GetBytes(list)];

    private static ImmutableHashSet<string>? Open(KeyEncryptionKey key, byte[] value)
    {
        if (value.Length <= MacSize)
        {
            return null;
        }

        var list = Encoding.ASCII.GetString(value.AsSpan(MacSize));
        return CryptographicOperations.FixedTimeEquals(value.AsSpan(0, MacSize), Authenticate(key, list)) ? [.. list.Split('\n')] : null;
    }

    // Entries begin with a length, whose first byte is 0.
    private static byte[] Authenticate(KeyEncryptionKey key, string list) => key.Authenticate(Encoding.ASCII.GetBytes($"{Name}\0{list}"));
}
