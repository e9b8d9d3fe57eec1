using System.Net;

namespace Assay.Cli.Channels;

/// <summary>The client's side of attested channels for programs that know nothing of them: they connect here in the clear, and reach the server through channels that the policy accepts.</summary>
internal sealed class ChannelProxy : IAsyncDisposable
{
    private readonly PolicyHolder _policies;
    private HttpSide? _http;
    private TcpSide? _tcp;
    private MetricsSide? _metrics;

    private ChannelProxy(PolicyHolder policies) => _policies = policies;

    /// <summary>Where clients connect.</summary>
    public string Address => _http?.Address ?? _tcp!.Address;

    /// <summary>Where counts are; null for nowhere.</summary>
    public string? MetricsAddress => _metrics?.Address;

    /// <summary>What it has done.</summary>
    public required ProxyCounts Counts { get; init; }

    /// <summary>Starts it. No channel is opened before a client comes.</summary>
    /// <param name="listen">Where clients connect.</param>
    /// <param name="upstream">The server.</param>
    /// <param name="policy">What is demanded of it.</param>
    /// <param name="metrics">Where counts are served; null for nowhere.</param>
    /// <param name="cancellation">Ends the start.</param>
    /// <exception cref="IOException">An address is taken.</exception>
    public static async Task<ChannelProxy> StartAsync(IPEndPoint listen, UpstreamAddress upstream, LoadedPolicy policy, IPEndPoint? metrics, CancellationToken cancellation)
    {
        var counts = new ProxyCounts();
        var policies = new PolicyHolder(policy, TimeProvider.System, counts);
        var proxy = new ChannelProxy(policies) { Counts = counts };
        try
        {
            var dialer = new UpstreamDialer(upstream, counts);
            proxy._metrics = metrics is null ? null : await MetricsSide.StartAsync(metrics, counts, cancellation).ConfigureAwait(false);
            proxy._tcp = upstream.IsHttp ? null : TcpSide.Start(listen, dialer, policies);
            proxy._http = upstream.IsHttp ? await HttpSide.StartAsync(listen, upstream, dialer, policies, cancellation).ConfigureAwait(false) : null;
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reads the policy again, for channels that are opened from now on.</summary>
    public void Reload() => _policies.Reload();

    public async ValueTask DisposeAsync()
    {
        foreach (var side in new IAsyncDisposable?[] { _http, _tcp, _metrics })
        {
            if (side is not null)
            {
                await side.DisposeAsync().ConfigureAwait(false);
            }
        }
    }
}
