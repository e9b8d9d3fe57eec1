using Assay.Service.Challenges;
using Assay.Service.Keys;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Assay.Service;

/// <summary>What a process does beside requests: it takes over keys that another process made, and removes challenges that ended.</summary>
internal sealed partial class Upkeep(SigningKeys keys, ChallengeStore challenges, SigningKeyTerms terms, TimeProvider clock, ILogger<Upkeep> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(terms.Reload, clock);
        while (await WaitAsync(timer, stoppingToken).ConfigureAwait(false))
        {
            try
            {
                await keys.ReloadAsync(stoppingToken).ConfigureAwait(false);
                await challenges.PurgeAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (ServiceException exception)
            {
                Log.Failed(logger, exception.Id, exception.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken cancellation)
    {
        try
        {
            return await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2010, LogLevel.Warning, "upkeep failed and is tried again: {Id}: {Reason}")]
        public static partial void Failed(ILogger logger, string id, string reason);
    }
}
