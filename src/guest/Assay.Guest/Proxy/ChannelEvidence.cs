using Assay.Binding;
using Assay.Client.Channels;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Sources;

namespace Assay.Guest.Proxy;

/// <summary>
/// Evidence for this process' own channel keys, made from the hardware itself and not by the agent, which takes no key from outside (S-23a): nothing but this process' TLS end chooses what
/// is in it. One is made at a time; those who wait are few, for devices and processor take their time.
/// </summary>
internal sealed class ChannelEvidence(GuestConfiguration configuration, GuestSources sources, GuestPaths paths, TimeProvider clock) : IChannelEvidenceSource, IDisposable
{
    private const int MostWaiting = 64;
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(10);

    private readonly AgentState _state = new(configuration, sources, paths, clock);
    private readonly SemaphoreSlim _one = new(1, 1);
    private int _waiting;
    private long _verified = long.MinValue;

    public async Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation)
    {
        if (Interlocked.Increment(ref _waiting) > MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            throw new ChannelException("channel.busy", $"{MostWaiting} connections wait for evidence already: try again");
        }

        try
        {
            await _one.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                await EnsureAsync(cancellation).ConfigureAwait(false);
                return KeyBinding.TryCreate(nonce, key.Span, out var binding, out var fault)
                    ? await Task.Run(() => EvidenceBundle.MakeSteady(nonce, binding, _state, sources, byDigest), cancellation).ConfigureAwait(false)
                    : throw new ChannelException("channel.own-evidence", $"{fault}");
            }
            catch (GuestException exception)
            {
                throw new ChannelException(exception.Fault.Id, exception.Fault.Reason, exception);
            }
            finally
            {
                _one.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    public void Dispose() => _one.Dispose();

    // Devices that are not ready are verified again, as EnsureGpuReady does: no more often than every ten seconds, whatever number of clients asks.
    private async Task EnsureAsync(CancellationToken cancellation)
    {
        _state.Look();
        if (_state.Verifies && !_state.Snapshot.IsReady && (_verified == long.MinValue || clock.GetElapsedTime(_verified) > s_pause))
        {
            _verified = clock.GetTimestamp();
            await _state.VerifyAsync(cancellation).ConfigureAwait(false);
        }
    }
}
