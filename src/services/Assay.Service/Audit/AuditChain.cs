using System.Buffers.Binary;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Audit;

/// <summary>
/// The entries of one process, in order, each authenticated together with the one before it: <c>mac = HMAC-SHA-256(k, mac before ‖ entry)</c>, where k is
/// derived from the key encryption key. Who changes the database without that key changes no entry, and removes none from the middle, unseen. That the last
/// entries of a process were cut off is not seen here; that all of its entries are gone is, by <see cref="AuditWriters"/>.
/// </summary>
internal sealed class AuditChain(KeyEncryptionKey key)
{
    private const string Insert = "INSERT INTO audit (writer, position, at, tenant, kind, event, mac) VALUES (@Writer, @Position, @At, @Tenant, @Kind, @Event, @Mac)";

    private string _writer = NewWriter();
    private byte[] _last = [];

    /// <summary>How many entries it has.</summary>
    public long Position { get; private set; }

    /// <summary>Adds entries in the caller's transaction.</summary>
    public async Task AppendAsync(IEnumerable<AuditEvent> entries, DateTimeOffset now, DbConnection connection, DbTransaction transaction)
    {
        if (Position == 0)
        {
            await AuditWriters.AddAsync(_writer, key, connection, transaction).ConfigureAwait(false);
        }

        var rows = new List<AuditRow>();
        foreach (var entry in entries)
        {
            var row = new AuditRow { Writer = _writer, Position = Position + 1, At = now.ToUnixTimeMilliseconds(), Tenant = entry.Tenant, Kind = entry.Kind, Event = entry.ToJson() };
            row.Mac = key.Authenticate(row.ToBytes(_last));
            (_last, Position) = (row.Mac, row.Position);
            rows.Add(row);
        }

        await connection.ExecuteAsync(Insert, rows, transaction).ConfigureAwait(false);
    }

    /// <summary>Begins anew, where it is not known what of the last entries holds.</summary>
    public void Restart(long position)
    {
        if (Position != position)
        {
            (_writer, _last, Position) = (NewWriter(), [], 0);
        }
    }

    private static string NewWriter() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
}

/// <summary>The audit log as a whole.</summary>
public static class AuditLog
{
    /// <summary>Every chain from its first entry: what was changed, removed from the middle, or removed with its whole chain. Empty where nothing was.</summary>
    public static async Task<IReadOnlyList<string>> VerifyAsync(ServiceDatabase database, KeyEncryptionKey key, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(database);
        ArgumentNullException.ThrowIfNull(key);
        // Row by row: a log has no bound.
        return await database.ReadAsync<IReadOnlyList<string>>(
            async connection =>
            {
                if (await AuditKeys.ReadAsync(key, connection, transaction: null).ConfigureAwait(false) is not { } eras)
                {
                    return ["the record of former audit keys was changed, or was written under another key"];
                }

                var reading = new AuditReading(key, eras);
                var before = await AuditWriters.ReadAsync(key, connection, transaction: null).ConfigureAwait(false);
                await foreach (var row in connection.QueryUnbufferedAsync<AuditRow>("SELECT writer, position, at, tenant, kind, event, mac FROM audit ORDER BY writer, position").WithCancellation(cancellation).ConfigureAwait(false))
                {
                    reading.Take(row);
                }

                reading.End();
                AuditKeys.Wipe(eras);

                // Read twice: a process that began in between is in the second list alone.
                var after = await AuditWriters.ReadAsync(key, connection, transaction: null).ConfigureAwait(false);
                var isUsed = await AuditWriters.HasKeysAsync(connection, transaction: null).ConfigureAwait(false);
                return [.. AuditWriters.FaultsOf(before, after, reading.Seen, isUsed), .. reading.Faults];
            },
            cancellation).ConfigureAwait(false);
    }
}

/// <summary>An entry as it is stored.</summary>
internal sealed class AuditRow
{
    public string Writer { get; set; } = "";

    public long Position { get; set; }

    public long At { get; set; }

    public string Tenant { get; set; } = "";

    public string Kind { get; set; } = "";

    public string Event { get; set; } = "";

    public byte[] Mac { get; set; } = [];

    /// <summary>What is authenticated: the mac before, and every field with its length, so that no two entries read the same.</summary>
    public byte[] ToBytes(byte[] before)
    {
        var buffer = new MemoryStream();
        Span<byte> number = stackalloc byte[8];
        Write(before, number);
        Write(Encoding.UTF8.GetBytes(Writer), number);
        foreach (var value in (ReadOnlySpan<long>)[Position, At])
        {
            BinaryPrimitives.WriteInt64BigEndian(number, value);
            buffer.Write(number);
        }

        Write(Encoding.UTF8.GetBytes(Tenant), number);
        Write(Encoding.UTF8.GetBytes(Kind), number);
        Write(Encoding.UTF8.GetBytes(Event), number);
        return buffer.ToArray();

        void Write(byte[] bytes, Span<byte> length)
        {
            BinaryPrimitives.WriteInt64BigEndian(length, bytes.Length);
            buffer.Write(length);
            buffer.Write(bytes);
        }
    }
}
