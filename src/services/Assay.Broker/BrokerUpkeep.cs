using Assay.Broker.Keys;
using Assay.Service;
using Assay.Service.Log;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Assay.Broker;

/// <summary>What the role does beside requests: witnesses are shown the log, and keys whose wait is over lose their secrets.</summary>
internal sealed partial class BrokerUpkeep(BrokerTerms terms, KeyStore keys, LogWitnesses witnesses, TimeProvider clock, ILogger<BrokerUpkeep> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        EachAsync(terms.Upkeep, () => DestroyAsync(stoppingToken), stoppingToken),
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
