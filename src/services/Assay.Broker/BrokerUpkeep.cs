using Assay.Broker.Kbs;
using Assay.Broker.Keys;
using Assay.Broker.Release;
using Assay.Service;
using Assay.Service.Log;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Assay.Broker;

/// <summary>What the role does beside requests: witnesses are shown the log, keys whose wait is over lose their secrets, and what was denied again is logged.</summary>
internal sealed partial class BrokerUpkeep(BrokerTerms terms, KeyStore keys, LogWitnesses witnesses, TransparencyLog log, Denials denials, KbsSessions sessions, TimeProvider clock, ILogger<BrokerUpkeep> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        EachAsync(terms.Upkeep, () => DestroyAsync(stoppingToken), stoppingToken),
        EachAsync(terms.Upkeep, () => LogDenialsAsync(all: false, stoppingToken), stoppingToken),
        EachAsync(terms.Upkeep, () => sessions.PurgeAsync(stoppingToken), stoppingToken),
        terms.Witnesses.IsEmpty ? Task.CompletedTask : EachAsync(terms.WitnessEvery, () => WitnessAsync(stoppingToken), stoppingToken));

    private async Task EachAsync(TimeSpan period, Func<Task<int>> act, CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(period, clock);
        try
        {
            do
            {
                await TryAsync(act).ConfigureAwait(false);
            }
            while (await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    /// <summary>Shows the log to its witnesses. Returns 1 if all of them cosigned it.</summary>
    internal async Task<int> WitnessAsync(CancellationToken cancellation) => await witnesses.AskAsync(0, cancellation).ConfigureAwait(false) is true ? 1 : 0;

    /// <summary>Destroys the keys whose wait is over. Returns how many.</summary>
    internal async Task<int> DestroyAsync(CancellationToken cancellation)
    {
        var destroyed = 0;
        foreach (var (tenant, id) in await keys.DueAsync(cancellation).ConfigureAwait(false))
        {
            // One that does not open keeps none of the others.
            destroyed += await TryAsync(async () => await keys.DestroyDueAsync(tenant, id, cancellation).ConfigureAwait(false) ? 1 : 0).ConfigureAwait(false);
        }

        return destroyed;
    }

    /// <summary>Logs what was denied again since. Returns how many entries.</summary>
    internal async Task<int> LogDenialsAsync(bool all, CancellationToken cancellation)
    {
        var entries = denials.Take(all);
        var written = 0;
        try
        {
            foreach (var (_, _, entry) in entries)
            {
                await log.AppendAsync(_ => Task.FromResult(new LogDecision(entry)), cancellation).ConfigureAwait(false);
                written++;
            }
        }
        finally
        {
            foreach (var (denial, repeated, _) in entries.Skip(written))
            {
                denials.Return(denial, repeated);
            }
        }

        return entries.Count;
    }

    /// <summary>What was counted is not lost where the service is stopped.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        await TryAsync(() => LogDenialsAsync(all: true, cancellationToken)).ConfigureAwait(false);
    }

    private async Task<int> TryAsync(Func<Task<int>> act)
    {
        try
        {
            return await act().ConfigureAwait(false);
        }
        catch (ServiceException exception)
        {
            Log.Failed(logger, exception.Id, exception.Message);
            return 0;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2032, LogLevel.Warning, "upkeep of keys failed and is tried again: {Id}: {Reason}")]
        public static partial void Failed(ILogger logger, string id, string reason);
    }
}
