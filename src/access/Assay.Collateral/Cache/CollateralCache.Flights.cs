using System.Collections.Concurrent;
using Assay.Endorsements;

namespace Assay.Collateral.Cache;

/// <summary>Requests under way: one for everybody who asks for the same.</summary>
public sealed partial class CollateralCache
{
    private readonly ConcurrentDictionary<CollateralKey, Flight> _flights = new();
    private int _flying;

    /// <summary>A request to an upstream, and how many wait for it.</summary>
    private sealed class Flight
    {
        public int Askers;

        public TaskCompletionSource<CacheAnswer> Source { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<CacheAnswer> Task => Source.Task;

        public void Leave() => Interlocked.Decrement(ref Askers);
    }

    // Whoever joins leaves again when he waits no longer. The entry leaves the table before the task ends, so that whoever comes later asks anew.
    private Flight Join(CollateralKey key)
    {
        var mine = new Flight();
        var flight = _flights.GetOrAdd(key, mine);
        Interlocked.Increment(ref flight.Askers);
        if (flight != mine)
        {
            return flight;
        }

        // Ids are the asker's choice, and there are more of them than anybody can fetch.
        if (Interlocked.Increment(ref _flying) > _policy.MostFlights)
        {
            End(key);
            mine.Source.SetResult(CacheAnswer.None(CacheFailure.Unreachable, $"{_policy.MostFlights} requests to upstreams are waiting", _policy.ErrorLife));
        }
        else
        {
            _ = RunAsync(key, mine);
        }

        return flight;
    }

    private void End(CollateralKey key)
    {
        _flights.TryRemove(key, out _);
        Interlocked.Decrement(ref _flying);
    }

    private async Task RunAsync(CollateralKey key, Flight flight)
    {
        try
        {
            // Whoever asks must not do the asking on his own thread: the upstream's client may complete at once.
            await Task.Yield();
            var answer = await FetchAsync(key, flight, _end.Token).ConfigureAwait(false);
            End(key);
            flight.Source.SetResult(answer);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            End(key);
            flight.Source.SetCanceled(CancellationToken.None);
        }
        catch (Exception exception)
        {
            // A bug of ours: it must reach whoever asked, and not end the process from a thread of the pool.
            End(key);
            flight.Source.SetException(exception);
        }
    }

    /// <summary>Waits for the answer of an upstream, at most as long as there is patience.</summary>
    private async Task<CacheAnswer> WaitAsync(CollateralKey key, TimeSpan patience, CancellationToken cancellation)
    {
        var flight = Join(key);
        try
        {
            return await flight.Task.WaitAsync(patience, _time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return CacheAnswer.None(CacheFailure.Unreachable, $"no answer within {patience.TotalSeconds} s", _policy.ErrorLife);
        }
        // It was given up for lack of askers just before this one came.
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && !_end.IsCancellationRequested)
        {
            return CacheAnswer.None(CacheFailure.Unreachable, "the request was abandoned; try again", _policy.ErrorLife);
        }
        finally
        {
            flight.Leave();
        }
    }
}
