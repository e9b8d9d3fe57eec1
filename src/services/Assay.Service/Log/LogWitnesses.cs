using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Assay.Collateral.Http;
using Assay.Log;
using Assay.Service.Audit;
using Assay.Service.Identity;
using Assay.Service.Storage;
using Dapper;
using Microsoft.Extensions.Logging;

namespace Assay.Service.Log;

/// <summary>
/// The witnesses of a log (S-25). Each is shown every checkpoint, with the proof that it extends the one before. A process logs nothing until all of them have
/// answered once: a database that was set back is found, because a witness has seen more; so is a log that was forked, because it does not extend what a witness
/// has seen. What was found holds until the process ends.
/// </summary>
public sealed partial class LogWitnesses : IDisposable
{
    /// <summary>The kind of the entry that a process with witnesses begins with.</summary>
    public const string StartKind = "log.start";

    private const int MostAnswer = 64 * 1024;
    private const int MostTries = 4;
    private const string Store =
        "INSERT INTO log_witnessed (witness, size, signed_at, note) VALUES (@Witness, @Size, @SignedAt, @Note) ON CONFLICT (witness) DO UPDATE SET size = excluded.size, signed_at = excluded.signed_at, note = excluded.note WHERE log_witnessed.size <= excluded.size";

    // After so long the same checkpoint is shown again: a cosignature tells how fresh it is.
    private static readonly TimeSpan s_fresh = TimeSpan.FromMinutes(5);

    private readonly TransparencyLog _log;
    private readonly ServiceDatabase _database;
    private readonly IReadOnlyList<LogWitness> _witnesses;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = MostAnswer };
    // What this process has verified itself: a row of the database is a hint and no more.
    private readonly Dictionary<LogWitness, (long Size, DateTimeOffset At)> _cosigned = [];
    private readonly SemaphoreSlim _turn = new(1, 1);
    private long _start;
    private bool _isRefused;

    /// <param name="log">Whose checkpoints.</param>
    /// <param name="database">Where their cosignatures are kept.</param>
    /// <param name="witnesses">Who is asked; empty: the log is not witnessed, and nothing waits.</param>
    /// <param name="clock">For the age of cosignatures.</param>
    /// <param name="logger">Is told what a witness refuses.</param>
    public LogWitnesses(TransparencyLog log, ServiceDatabase database, IReadOnlyList<LogWitness> witnesses, TimeProvider clock, ILogger<LogWitnesses> logger)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(witnesses);
        (_log, _database, _witnesses, _clock, _logger) = (log, database, witnesses, clock, logger);
        if (witnesses.Count > 0)
        {
            log.Hold(new ServiceException("service.log.witness", $"the log was not compared with its witnesses yet ({string.Join(", ", witnesses.Select(witness => witness.Key.Name))}): until each has answered once, nothing is done that must be logged"));
        }
    }

    /// <summary>
    /// Logs that a process starts, with random bytes, and shows that to each witness: a cosignature of before, which one who cut the witness off says
    /// again, is of no log that has them.
    /// </summary>
    /// <exception cref="ServiceException">The database does not answer.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        if (_witnesses.Count == 0)
        {
            return;
        }

        var start = new AuditEvent(StartKind, TenantStore.Operators, "service", AuditOutcome.Allowed).With("start", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        _start = (await _log.AppendHeldAsync(_ => Task.FromResult(new LogDecision(start)), cancellation).ConfigureAwait(false)).Head.Size;
        await AskAsync(0, cancellation).ConfigureAwait(false);
    }

    /// <summary>Shows each witness the latest checkpoint, where it has not cosigned it lately.</summary>
    /// <param name="least">The size that the log has at the least: where the database shows a smaller one, it was set back.</param>
    /// <param name="cancellation">Ends the asking.</param>
    /// <returns>Whether all of them have cosigned it, or a later one; null: there are none.</returns>
    /// <exception cref="ServiceException">The database does not answer.</exception>
    public async Task<bool?> AskAsync(long least, CancellationToken cancellation)
    {
        if (_witnesses.Count == 0)
        {
            return null;
        }

        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await AskAllAsync(Math.Max(least, _start), cancellation).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<bool> AskAllAsync(long least, CancellationToken cancellation)
    {
        var cosigned = 0;
        foreach (var witness in _witnesses)
        {
            try
            {
                await AskAsync(witness, least, cancellation).ConfigureAwait(false);
                cosigned++;
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                Log.Silent(_logger, witness.Key.Name, exception.Message);
            }
            catch (ServiceException exception) when (exception.Id is "service.log.rollback" or "service.log.fork")
            {
                _isRefused = true;
                _log.Hold(exception);
                Log.Refused(_logger, exception.Id, exception.Message);
            }
        }

        // All of these are of this process, and of a log that has its start.
        if (!_isRefused && _cosigned.Count == _witnesses.Count)
        {
            _log.Hold(null);
        }

        return cosigned == _witnesses.Count;
    }

    /// <summary>The largest checkpoint that a witness has cosigned, with the cosignatures of all that have; null: none.</summary>
    public async Task<string?> LatestAsync(CancellationToken cancellation)
    {
        var rows = (await RowsAsync(cancellation).ConfigureAwait(false)).Where(row => _witnesses.Any(witness => witness.Key.ToString() == row.Witness)).OrderByDescending(row => row.Size).ToArray();
        // Of one size there is one root: each witness requires that the log extends what it has seen, and this process that its entries lead there.
        return rows.Length == 0 ? null : rows[0].Note + string.Concat(rows.Skip(1).Where(row => row.Size == rows[0].Size).Select(row => row.Note[(row.Note.TrimEnd('\n').LastIndexOf('\n') + 1)..]));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _turn.Dispose();
    }

    private async Task AskAsync(LogWitness witness, long least, CancellationToken cancellation)
    {
        var row = (await RowsAsync(cancellation).ConfigureAwait(false)).FirstOrDefault(row => row.Witness == witness.Key.ToString());
        var old = row?.Size ?? 0;
        for (var tries = 0; tries < MostTries; tries++)
        {
            var (note, head) = await _log.HeadAsync(checkpoint: null, cancellation).ConfigureAwait(false);
            if (head.Size < least)
            {
                throw new ServiceException("service.log.rollback", $"the log in the database has {head.Size} entries, and had {least} before: it was set back, and nothing is done that must be logged");
            }

            if (_cosigned.TryGetValue(witness, out var last) && last.Size == head.Size && _clock.GetUtcNow() - last.At < s_fresh)
            {
                return;
            }

            if (old > head.Size)
            {
                throw new ServiceException("service.log.rollback", $"the log in the database has {head.Size} entries, and the witness {witness.Key.Name} has seen {old}: the database was set back, and nothing is done that must be logged. Restore the newest backup");
            }

            // Of one size the latest checkpoint is one; others may have appended since.
            var path = old == 0 ? [] : await _log.ProveExtensionAsync(old, head, cancellation).ConfigureAwait(false);
            var (status, answer) = await PostAsync(witness, new WitnessRequest(old, path, note).ToString(), cancellation).ConfigureAwait(false);
            switch (status)
            {
                case HttpStatusCode.OK:
                    await StoreAsync(witness, note, head, answer, cancellation).ConfigureAwait(false);
                    return;
                case HttpStatusCode.Conflict when long.TryParse(answer.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var seen) && seen <= Merkle.MostLeaves && seen != old:
                    old = seen;
                    continue;
                case HttpStatusCode.UnprocessableEntity:
                    throw new ServiceException("service.log.fork", $"the witness {witness.Key.Name} has seen a log of {old} entries that this one of {head.Size} does not extend: it was forked, by a copy of the database that went on by itself, or changed. Nothing is done that must be logged");
                default:
                    throw new HttpRequestException($"{witness.Address}: status {(int)status}: {Assay.Wire.Printable.Of(answer[..Math.Min(answer.Length, 200)])}");
            }
        }

        throw new HttpRequestException($"{witness.Address}: it names another size each time");
    }

    private async Task<(HttpStatusCode Status, string Answer)> PostAsync(LogWitness witness, string body, CancellationToken cancellation)
    {
        using var content = new StringContent(body, Encoding.UTF8, "text/plain");
        using var answer = await _http.PostAsync(new Uri($"{witness.Address.Uri.GetLeftPart(UriPartial.Path).TrimEnd('/')}/add-checkpoint"), content, cancellation).ConfigureAwait(false);
        // Not by the character set that it names: one that does not exist would be an exception of its own.
        return (answer.StatusCode, Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false)));
    }

    private async Task StoreAsync(LogWitness witness, string note, Checkpoint head, string answer, CancellationToken cancellation)
    {
        // A line for each key that the witness has: the one that is meant, and no other, is kept.
        var (line, at) = answer.Split('\n').Select(text => (Text: text + "\n", At: AtOf(note + text + "\n", witness.Key))).FirstOrDefault(cosignature => cosignature.At is not null);
        if (at is not { } signedAt)
        {
            throw new HttpRequestException($"{witness.Address}: the answer has no valid cosignature of {witness.Key}");
        }

        await _database.WriteAsync((connection, transaction) => connection.ExecuteAsync(new CommandDefinition(
            Store, new { Witness = witness.Key.ToString(), head.Size, SignedAt = signedAt.ToUnixTimeMilliseconds(), Note = note + line }, transaction, cancellationToken: cancellation)), cancellation).ConfigureAwait(false);
        _cosigned[witness] = (head.Size, signedAt);
    }

    private static DateTimeOffset? AtOf(string note, WitnessKey key) => SignedNote.TryParse(Encoding.UTF8.GetBytes(note), out var signed, out _) ? signed.CosignedAt(key) : null;

    private Task<IEnumerable<Row>> RowsAsync(CancellationToken cancellation) => _database.ReadAsync(
        connection => connection.QueryAsync<Row>(new CommandDefinition("SELECT witness, size, signed_at, note FROM log_witnessed", cancellationToken: cancellation)), cancellation);

    private sealed class Row
    {
        public string Witness { get; set; } = "";

        public long Size { get; set; }

        public long SignedAt { get; set; }

        public string Note { get; set; } = "";
    }

    private static partial class Log
    {
        [LoggerMessage(2033, LogLevel.Warning, "the witness {Witness} did not cosign the log, and is asked again: {Reason}")]
        public static partial void Silent(ILogger logger, string witness, string reason);

        [LoggerMessage(2034, LogLevel.Critical, "a witness contradicts the log: {Id}: {Reason}")]
        public static partial void Refused(ILogger logger, string id, string reason);
    }
}
