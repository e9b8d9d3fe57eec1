using System.Data.Common;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Service.Keys;
using Dapper;

namespace Assay.Service.Audit;

/// <summary>Where the chain of a writer ended when its key was replaced.</summary>
/// <param name="Position">Its last entry.</param>
/// <param name="Mac">That entry's mac.</param>
internal sealed record AuditEnd(long Position, byte[] Mac);

/// <summary>A key that authenticated audit entries, and the writers that wrote under it.</summary>
/// <param name="Key">The key.</param>
/// <param name="Ends">The last entry of each writer.</param>
internal sealed record AuditEra(byte[] Key, Dictionary<string, AuditEnd> Ends);

/// <summary>
/// The keys of audit entries from before each re-wrap, encrypted under the key encryption key in <c>service_state</c>. Entries of before keep their macs; and
/// because the last one of each writer is written down, who has an old key can change none of them, cut none off and add none.
/// </summary>
internal static class AuditKeys
{
    private const string Name = "audit-keys";
    private const string Select = "SELECT value FROM service_state WHERE name = @Name";
    private const string Store = "INSERT INTO service_state (name, value) VALUES (@Name, @Value) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    private const string Ends = "SELECT a.writer, a.position, a.mac FROM audit a JOIN (SELECT writer, MAX(position) AS position FROM audit GROUP BY writer) b ON a.writer = b.writer AND a.position = b.position";

    /// <summary>The eras, oldest first; empty where no re-wrap was made; null where the record does not open.</summary>
    public static async Task<List<AuditEra>?> ReadAsync(KeyEncryptionKey key, DbConnection connection, DbTransaction? transaction)
    {
        if (await connection.QuerySingleOrDefaultAsync<byte[]>(Select, new { Name }, transaction).ConfigureAwait(false) is not { } kept)
        {
            return [];
        }

        if (key.Open(kept, Name) is not { } plain)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<List<AuditEra>>(plain);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    /// <summary>Ends the era of a key: what was written under it verifies with a record that the next key encrypts.</summary>
    public static async Task RewrapAsync(KeyEncryptionKey from, KeyEncryptionKey to, DbConnection connection, DbTransaction transaction)
    {
        var eras = await ReadAsync(from, connection, transaction).ConfigureAwait(false)
            ?? throw new ServiceException("service.kek.rewrap", "the record of former audit keys (service_state, audit-keys) does not open under the old kek: it was changed. Restore it from a backup");
        var ended = eras.SelectMany(era => era.Ends.Keys).ToHashSet(StringComparer.Ordinal);
        var ends = await connection.QueryAsync<AuditRow>(Ends, transaction: transaction).ConfigureAwait(false);
        eras.Add(new AuditEra(from.ExportAuditKey(), ends.Where(row => !ended.Contains(row.Writer)).ToDictionary(row => row.Writer, row => new AuditEnd(row.Position, row.Mac), StringComparer.Ordinal)));
        var plain = JsonSerializer.SerializeToUtf8Bytes(eras);
        await connection.ExecuteAsync(Store, new { Name, Value = to.Seal(plain, Name) }, transaction).ConfigureAwait(false);
        CryptographicOperations.ZeroMemory(plain);
        Wipe(eras);
    }

    /// <summary>Wipes the keys.</summary>
    public static void Wipe(IEnumerable<AuditEra> eras)
    {
        foreach (var era in eras)
        {
            CryptographicOperations.ZeroMemory(era.Key);
        }
    }
}

/// <summary>Verifies the chains of all writers, row by row in their order.</summary>
internal sealed class AuditReading(KeyEncryptionKey key, IReadOnlyCollection<AuditEra> eras)
{
    private readonly Dictionary<string, (AuditEra Era, AuditEnd End)> _ended =
        eras.SelectMany(era => era.Ends.Select(end => (end.Key, Value: (era, end.Value)))).ToDictionary(end => end.Key, end => end.Value, StringComparer.Ordinal);

    private string _writer = "";
    private byte[] _last = [];
    private long _position;
    private bool _isBroken;

    public List<string> Faults { get; } = [];

    public HashSet<string> Seen { get; } = new(StringComparer.Ordinal);

    public void Take(AuditRow row)
    {
        if (row.Writer != _writer)
        {
            End();
            (_writer, _last, _position, _isBroken) = (row.Writer, [], 0, false);
            Seen.Add(row.Writer);
        }

        if (!_isBroken && (row.Position != _position + 1 || !CryptographicOperations.FixedTimeEquals(row.Mac, MacOf(row))))
        {
            Faults.Add($"writer {row.Writer}, entry {_position + 1}: {(row.Position != _position + 1 ? "it is missing" : "it was changed, or was written under another key")}");
            _isBroken = true;
        }

        (_last, _position) = (row.Mac, _position + 1);
    }

    /// <summary>After the last row of a writer.</summary>
    public void End()
    {
        if (!_isBroken && _ended.TryGetValue(_writer, out var ended) && (ended.End.Position != _position || !CryptographicOperations.FixedTimeEquals(ended.End.Mac, _last)))
        {
            Faults.Add($"writer {_writer}: it had {ended.End.Position} entries when the kek was changed, and has {_position}, or others");
        }
    }

    private byte[] MacOf(AuditRow row) => _ended.TryGetValue(row.Writer, out var ended) ? HMACSHA256.HashData(ended.Era.Key, row.ToBytes(_last)) : key.Authenticate(row.ToBytes(_last));
}
