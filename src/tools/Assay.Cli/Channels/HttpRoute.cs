using Assay.Client.Channels;

namespace Assay.Cli.Channels;

/// <summary>The pool of attested connections of one policy. After another policy came it takes no further request, and ends with the last one that it has.</summary>
internal sealed class HttpRoute
{
    // The guest's proxy takes 512 connections.
    private const int MostConnections = 256;

    private readonly Lock _lock = new();
    private int _requests;
    private bool _isRetired;

    public HttpRoute(LoadedPolicy policy, UpstreamDialer dialer)
    {
        Policy = policy;
        var client = new ChannelClient(policy.Policy);
        var handler = ChannelHttp.CreateHandler(client);
        handler.MaxConnectionsPerServer = MostConnections;
        handler.ConnectCallback = async (_, cancellation) => await dialer.DialAsync(client, cancellation).ConfigureAwait(false);
        Invoker = new HttpMessageInvoker(handler);
    }

    public LoadedPolicy Policy { get; }

    public HttpMessageInvoker Invoker { get; }

    /// <summary>Whether a request may use it; then <see cref="Leave"/> follows.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            _requests += _isRetired ? 0 : 1;
            return !_isRetired;
        }
    }

    public void Leave()
    {
        lock (_lock)
        {
            _requests--;
            EndIfUnused();
        }
    }

    public void Retire()
    {
        lock (_lock)
        {
            _isRetired = true;
            EndIfUnused();
        }
    }

    private void EndIfUnused()
    {
        if (_isRetired && _requests == 0)
        {
            Invoker.Dispose();
        }
    }
}
