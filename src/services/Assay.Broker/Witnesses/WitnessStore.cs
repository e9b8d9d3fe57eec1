using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Log;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Wire;
using Dapper;

namespace Assay.Broker.Witnesses;

/// <summary>What came of a request: the statuses of C2SP tlog-witness.</summary>
internal enum WitnessOutcome
{
    /// <summary>Cosigned.</summary>
    Cosigned,

    /// <summary>400: malformed, or larger than it says before.</summary>
    Malformed,

    /// <summary>403: the log's key did not sign it.</summary>
    Untrusted,

    /// <summary>404: of no log that is watched.</summary>
    Unknown,

    /// <summary>409: another size was cosigned last.</summary>
    OtherSize,

    /// <summary>422: it does not extend what was cosigned last.</summary>
    Contradicts,
}

/// <summary>A witness of transparency logs (C2SP tlog-witness): it cosigns a checkpoint only if it extends the one that it cosigned before.</summary>
public sealed class WitnessStore(ServiceDatabase database, KeyEncryptionKey kek, WitnessTerms terms, TimeProvider clock)
{
    internal static SealedColumn Sealed { get; } = new("keys of witnesses", "witness_key", ["id"], "seed_sealed", values => Context(values[1])) { More = ["name"] };

    private const int SeedSize = 32;
    private const string Select = "SELECT size, root, note FROM witness_log WHERE origin = @Origin";
    // One statement compares and stores: of two requests that go on from one size, one wins.
    private const string Store =
        "INSERT INTO witness_log (origin, size, root, note) VALUES (@Origin, @Size, @Root, @Note) ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note WHERE witness_log.size = @Old AND witness_log.root = @OldRoot RETURNING size";

    private byte[] _seed = [];

    /// <summary>What those who verify cosignatures have, as text.</summary>
    public string PublicKey => WitnessKey.Of(terms.Name, _seed).ToString();

    /// <summary>Opens its key, or makes it: before anything is served.</summary>
    /// <exception cref="ServiceException">It does not open, or is of a witness of another name.</exception>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        if (await KeyAsync(cancellation).ConfigureAwait(false) is not { } row)
        {
            // Of several processes that begin together, one key stays.
            var made = RandomNumberGenerator.GetBytes(SeedSize);
            await database.WriteAsync(
                (connection, transaction) => connection.ExecuteAsync(
                    "INSERT INTO witness_key (id, name, seed_sealed) VALUES (1, @Name, @Sealed) ON CONFLICT (id) DO NOTHING", new { terms.Name, Sealed = kek.Seal(made, Context(terms.Name)) }, transaction), cancellation).ConfigureAwait(false);
            CryptographicOperations.ZeroMemory(made);
            row = await KeyAsync(cancellation).ConfigureAwait(false) ?? throw new ServiceException("service.witness.key", "the witness's key was removed from the database: restore it");
        }

        _seed = row.Name != terms.Name ? throw new ServiceException("service.witness.key", $"the witness in the database is {Printable.Of(row.Name)}, and the configuration says {terms.Name}: a witness keeps its name")
            : kek.Open(row.SeedSealed, Context(row.Name)) ?? throw new ServiceException("service.witness.key", "the witness's key does not open: it is under another key encryption key, or was changed");
    }

    /// <summary>The checkpoint of a log that was cosigned last, with its cosignature; null: none.</summary>
    /// <param name="hash">SHA-256 of the log's origin, lower-case hexadecimal.</param>
    /// <param name="cancellation">Ends the reading.</param>
    internal async Task<string?> LatestAsync(string hash, CancellationToken cancellation) =>
        terms.Logs.Select(log => log.Name).Distinct(StringComparer.Ordinal).FirstOrDefault(origin => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin))) == hash) is { } origin
            ? (await FindAsync(origin, cancellation).ConfigureAwait(false))?.Note : null;

    /// <summary>Cosigns a checkpoint that extends the last one.</summary>
    /// <returns>With <see cref="WitnessOutcome.Cosigned"/> the signature's line, with <see cref="WitnessOutcome.OtherSize"/> the size, else why.</returns>
    internal async Task<(WitnessOutcome Outcome, string Answer)> AddAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!WitnessRequest.TryParse(body.Span, out var request, out var fault) || !SignedNote.TryParse(Encoding.UTF8.GetBytes(request.Checkpoint), out var note, out fault))
        {
            return (WitnessOutcome.Malformed, fault.ToString());
        }

        var origin = note.Text.Split('\n')[0];
        var logs = terms.Logs.Where(log => log.Name == origin).ToImmutableArray();
        if (logs.IsEmpty)
        {
            return (WitnessOutcome.Unknown, "the configuration names no log of this origin");
        }

        if (logs.Select(log => (Log: log, Head: Checkpoint.TryVerify(Encoding.UTF8.GetBytes(request.Checkpoint), log, out var verified, out _) ? verified : null)).FirstOrDefault(tried => tried.Head is not null) is not ({ } by, { } head))
        {
            return (WitnessOutcome.Untrusted, "no key of this log that the configuration names signed the checkpoint");
        }

        if (request.Old > head.Size)
        {
            return (WitnessOutcome.Malformed, "old is larger than the checkpoint");
        }

        while (true)
        {
            var last = await FindAsync(origin, cancellation).ConfigureAwait(false);
            if ((last?.Size ?? 0) != request.Old)
            {
                return (WitnessOutcome.OtherSize, (last?.Size ?? 0).ToString(System.Globalization.CultureInfo.InvariantCulture));
            }

            if (WhyNot(request, head, last) is { } why)
            {
                return (WitnessOutcome.Contradicts, why);
            }

            var line = WitnessKey.Sign(note.Text, terms.Name, _seed, clock.GetUtcNow());
            var stored = await database.WriteOneAsync<long?>(
                Store, new { Origin = origin, head.Size, Root = head.Root.Bytes.ToArray(), Note = SignedAlone(note.Text, request.Checkpoint, by) + line, request.Old, OldRoot = last?.Root ?? Merkle.Empty.Bytes.ToArray() }, cancellation).ConfigureAwait(false);
            // Durable before it is answered. If another request was first, the next look finds its size.
            if (stored is not null)
            {
                return (WitnessOutcome.Cosigned, line);
            }
        }
    }

    // What is shown to all has the log's signature and ours: who sends a checkpoint can add lines that are not verified, and that spoil ours.
    private static string SignedAlone(string text, string checkpoint, NoteKey log) =>
        checkpoint.Split('\n').Select(line => $"{text}\n{line}\n").First(note => Checkpoint.TryVerify(Encoding.UTF8.GetBytes(note), log, out _, out _));

    private static string? WhyNot(WitnessRequest request, Checkpoint head, LogRow? last) =>
        request.Old == 0 ? (request.Path.IsEmpty ? null : "a proof from size 0 has no hashes")
        : Merkle.Extends(request.Old, new Digest(last!.Root), head.Size, head.Root, request.Path) ? null : "the checkpoint does not extend the one that was cosigned last";

    private Task<LogRow?> FindAsync(string origin, CancellationToken cancellation) => database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<LogRow?>(new CommandDefinition(Select, new { Origin = origin }, cancellationToken: cancellation)), cancellation);

    private Task<KeyRow?> KeyAsync(CancellationToken cancellation) => database.ReadAsync(
        connection => connection.QuerySingleOrDefaultAsync<KeyRow?>(new CommandDefinition("SELECT name, seed_sealed FROM witness_key WHERE id = 1", cancellationToken: cancellation)), cancellation);

    private static string Context(string name) => $"witness-key/{name}";

    private sealed class LogRow
    {
        public long Size { get; set; }

        public byte[] Root { get; set; } = [];

        public string Note { get; set; } = "";
    }

    private sealed class KeyRow
    {
        public string Name { get; set; } = "";

        public byte[] SeedSealed { get; set; } = [];
    }
}
