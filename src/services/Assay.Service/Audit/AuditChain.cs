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
/// entries of a process were cut off is not seen here.
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

    /// <summary>Every chain from its first entry: what was changed or removed from the middle. Empty where nothing was.</summary>
    public static async Task<IReadOnlyList<string>> VerifyAsync(ServiceDatabase database, KeyEncryptionKey key, CancellationToken cancellation)
    {
        var rows = await database.ReadAsync(connection => connection.QueryAsync<AuditRow>(new CommandDefinition("SELECT writer, position, at, tenant, kind, event, mac FROM audit ORDER BY writer, position", cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        var faults = new List<string>();
        foreach (var chain in rows.GroupBy(row => row.Writer))
        {
            var (last, expected) = (Array.Empty<byte>(), 1L);
            foreach (var row in chain)
            {
                if (row.Position != expected || !CryptographicOperations.FixedTimeEquals(row.Mac, key.Authenticate(row.ToBytes(last))))
                {
                    faults.Add($"writer {row.Writer}, entry {expected}: {(row.Position != expected ? "it is missing" : "it was changed, or was written under another key")}");
                    break;
                }

                (last, expected) = (row.Mac, expected + 1);
            }
        }

        return faults;
    }

    private static string NewWriter() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
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
