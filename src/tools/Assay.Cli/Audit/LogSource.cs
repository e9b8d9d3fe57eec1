using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Client.Service;
using Assay.Log;
using Assay.Wire;

namespace Assay.Cli.Audit;

/// <summary>A broker's transparency log. What leaves here was verified under a checkpoint that the log's key signed.</summary>
internal sealed class LogSource(ServiceConnection service, NoteKey key)
{
    private const int Page = 100;

    /// <summary>The latest checkpoint, which must extend the one that was seen before; null: none was.</summary>
    /// <exception cref="LogFaultException">It does not: the log was set back, or shows different parties different entries.</exception>
    public async Task<(Checkpoint Head, string Note)> ExtendAsync(Checkpoint? before, CancellationToken cancellation)
    {
        if (before is null)
        {
            return await HeadAsync(cancellation).ConfigureAwait(false);
        }

        try
        {
            var (note, path) = await service.GetAsync(
                string.Create(CultureInfo.InvariantCulture, $"v1/log/consistency?from={before.Size}"),
                root => (root.GetProperty("checkpoint").GetString()!, root.GetProperty("path").EnumerateArray().Select(hash => new Digest(hash.GetBytesFromBase64())).ToImmutableArray()), cancellation).ConfigureAwait(false);
            var head = Read(Encoding.UTF8.GetBytes(note));
            return Merkle.Extends(before.Size, before.Root, head.Size, head.Root, path) ? (head, note)
                : throw new LogFaultException($"the log of {head.Size} entries does not begin with the one of {before.Size} entries that was seen before: entries were changed or removed, or different parties are shown different logs. Both checkpoints are signed by its key: keep them");
        }
        // It has no tree of that size, or says so.
        catch (ServiceRefusedException exception) when (exception.Status == 404)
        {
            var (head, _) = await HeadAsync(cancellation).ConfigureAwait(false);
            throw new LogFaultException(head.Size < before.Size
                ? $"the log has {head.Size} entries, and had {before.Size}: it was set back, or another log is shown. Both checkpoints are signed by its key: keep them"
                : $"the log has {head.Size} entries, and gives no proof that it begins with the {before.Size} that were seen before");
        }
    }

    /// <summary>The tenant's own entries, in order. Each names the one before: none was left out between them. Of the last ones that is seen when another follows.</summary>
    /// <param name="from">The lowest position.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public async IAsyncEnumerable<LogEntry> ReadAsync(long from, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        long? last = null;
        while (true)
        {
            var page = await service.GetAsync(
                string.Create(CultureInfo.InvariantCulture, $"v1/log/entries?from={from}&most={Page}"),
                root => root.GetProperty("entries").EnumerateArray().Select(item => (Entry: item.GetProperty("entry").GetBytesFromBase64(), Proof: item.GetProperty("proof").GetString()!)).ToArray(), cancellation).ConfigureAwait(false);
            foreach (var (bytes, proof) in page)
            {
                var entry = Verify(bytes, proof, key);
                if (entry.Position < from || (last is null ? from == 0 && entry.Previous is not null : entry.Previous != last))
                {
                    throw new LogFaultException($"entry {entry.Position} says that the tenant's entry before it is {entry.Previous?.ToString(CultureInfo.InvariantCulture) ?? "none"}, and {last?.ToString(CultureInfo.InvariantCulture) ?? "none"} was shown: an entry is kept from you");
                }

                (last, from) = (entry.Position, entry.Position + 1);
                yield return entry;
            }

            if (page.Length < Page)
            {
                yield break;
            }
        }
    }

    /// <summary>An entry with its proof: under the latest checkpoint, or under the last one that this witness cosigned.</summary>
    public Task<LogEntry> FindAsync(long position, WitnessKey? witness, CancellationToken cancellation) => service.GetAsync(
        string.Create(CultureInfo.InvariantCulture, $"v1/log/entries/{position}{(witness is null ? "" : "?witnessed=true")}"),
        root => Verify(root.GetProperty("entry").GetBytesFromBase64(), root.GetProperty("proof").GetString()!, key, witness), cancellation);

    /// <summary>What a witness has cosigned of this log: the latest checkpoint extends it.</summary>
    /// <exception cref="LogFaultException">It is not cosigned by this witness, or the latest checkpoint does not extend it.</exception>
    public async Task<Witnessed> WitnessedAsync(WitnessKey witness, CancellationToken cancellation)
    {
        try
        {
            var note = await service.GetAsync("v1/log/witnessed", cancellation).ConfigureAwait(false);
            var head = Read(note);
            await ExtendAsync(head, cancellation).ConfigureAwait(false);
            return Cosigned(note, head, witness);
        }
        catch (ServiceRefusedException exception) when (exception.Status == 404)
        {
            throw new LogFaultException($"no witness has cosigned the log, and {witness.Name} is expected to have: what is shown may be shown to you alone");
        }
    }

    /// <summary>What a witness itself shows of this log: the latest checkpoint extends it. The broker's own database has no part in it.</summary>
    /// <exception cref="LogFaultException">The witness has seen more than the broker shows, or something else.</exception>
    public async Task<Witnessed> AskedAsync(WitnessSource source, WitnessKey witness, CancellationToken cancellation)
    {
        // Before the broker is asked: what is appended in between is no difference.
        var note = await source.GetAsync(key.Name, cancellation).ConfigureAwait(false) ?? throw new LogFaultException($"the witness {witness.Name} has cosigned no checkpoint of {key.Name}: what is shown may be shown to you alone");
        var head = Read(note, $"the witness {witness.Name}");
        var seen = Cosigned(note, head, witness);
        try
        {
            await ExtendAsync(head, cancellation).ConfigureAwait(false);
            return seen;
        }
        catch (LogFaultException exception)
        {
            throw new LogFaultException($"the witness {witness.Name} has seen {head.Size} entries, at {Instant.Text(seen.At)}: {exception.Message}");
        }
    }

    /// <summary>Every entry of every tenant: they must lead to the root of the checkpoint. Needs the operator's scope.</summary>
    /// <param name="head">Up to where.</param>
    /// <param name="tell">How far it has come; null: not told.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public async Task<ImmutableArray<LogEntry>> ReadAllAsync(Checkpoint head, Action<Step>? tell, CancellationToken cancellation)
    {
        var (frontier, entries, previous) = (new MerkleFrontier(), ImmutableArray.CreateBuilder<LogEntry>(), new Dictionary<string, long>(StringComparer.Ordinal));
        for (var index = 0L; index * LogTile.Full < head.Size; index++)
        {
            var tile = new LogTile(LogTile.Entries, index, (int)Math.Min(LogTile.Full, head.Size - (index * LogTile.Full)));
            foreach (var bytes in Split(await service.GetAsync($"v1/log/{tile.Path}", cancellation).ConfigureAwait(false), tile))
            {
                var entry = new LogEntry(frontier.Size, head, Parse(bytes, frontier.Size));
                if (entry.Previous != (previous.TryGetValue(entry.Tenant, out var before) ? before : null))
                {
                    throw new LogFaultException($"entry {entry.Position} names another entry of {entry.Tenant} before it than the log has");
                }

                previous[entry.Tenant] = entry.Position;
                entries.Add(entry);
                frontier.Append(Merkle.Leaf(bytes));
            }

            tell?.Invoke(new Step((int)Math.Min(frontier.Size, int.MaxValue), (int)Math.Min(head.Size, int.MaxValue), $"verified {frontier.Size} of {head.Size} entries"));
        }

        return frontier.Size == head.Size && frontier.Root == head.Root ? entries.ToImmutable()
            : throw new LogFaultException($"the {frontier.Size} entries that are shown do not lead to the root of the signed checkpoint of {head.Size}: one was changed, removed or added");
    }

    /// <summary>An entry under the proof that came with it.</summary>
    /// <exception cref="LogFaultException">The proof does not lead from the entry to a checkpoint of this log.</exception>
    public static LogEntry Verify(byte[] entry, string proof, NoteKey key, WitnessKey? witness = null)
    {
        if (!LogProof.TryParse(Encoding.UTF8.GetBytes(proof), out var parsed, out var fault) || !parsed.TryVerify(entry, key, out var head, out fault))
        {
            throw new LogFaultException($"the proof does not hold: {fault}");
        }

        var root = Parse(entry, parsed.Index);
        return root.GetProperty("position").GetInt64() == parsed.Index ? new LogEntry(parsed.Index, head, root, witness is null ? null : Cosigned(Encoding.UTF8.GetBytes(parsed.Checkpoint), head, witness)) : throw new LogFaultException($"the entry at {parsed.Index} says that it is another one");
    }

    private static Witnessed Cosigned(byte[] note, Checkpoint head, WitnessKey witness) =>
        SignedNote.TryParse(note, out var signed, out _) && signed.CosignedAt(witness) is { } at ? new Witnessed(witness.Name, head.Size, at)
            : throw new LogFaultException($"the checkpoint of {head.Size} entries is not cosigned by the witness {witness.Name}: what is shown may be shown to you alone. Ask again for a proof with a cosignature");

    private static JsonElement Parse(ReadOnlySpan<byte> entry, long position)
    {
        try
        {
            return JsonElement.Parse(entry);
        }
        catch (JsonException)
        {
            throw new LogFaultException($"entry {position} is no JSON");
        }
    }

    private static List<byte[]> Split(byte[] tile, LogTile expected)
    {
        var entries = new List<byte[]>();
        var rest = tile.AsSpan();
        while (rest.Length >= sizeof(ushort) && BinaryPrimitives.ReadUInt16BigEndian(rest) is var length && rest.Length >= sizeof(ushort) + length)
        {
            entries.Add(rest.Slice(sizeof(ushort), length).ToArray());
            rest = rest[(sizeof(ushort) + length)..];
        }

        return rest.IsEmpty && entries.Count == expected.Width ? entries : throw new LogFaultException($"{expected.Path}: {expected.Width} entries are expected, each behind its length in two bytes");
    }

    private async Task<(Checkpoint Head, string Note)> HeadAsync(CancellationToken cancellation)
    {
        var note = await service.GetAsync("v1/log/checkpoint", cancellation).ConfigureAwait(false);
        return (Read(note), Encoding.UTF8.GetString(note));
    }

    private Checkpoint Read(byte[] note, string whose = "the broker") => Checkpoint.TryVerify(note, key, out var head, out var fault) ? head
        : SignedNote.TryParse(note, out _, out _) ? throw new LogInputException("cli.log-key", $"the checkpoint that {whose} shows is not signed by the key {key.Name} of --log-key ({fault}): it is the key of another log, or another log is shown to you. assay audit key prints the key that this broker shows; compare the two by a way that you trust. Nothing was verified")
        : throw new LogFaultException($"the checkpoint of {whose} cannot be read: {fault}");
}
