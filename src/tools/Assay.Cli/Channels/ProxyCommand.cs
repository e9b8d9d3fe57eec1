using System.CommandLine;
using System.Net;
using System.Runtime.InteropServices;

namespace Assay.Cli.Channels;

/// <summary><c>assay proxy</c>.</summary>
internal static class ProxyCommand
{
    public const string ListenAnywhere = "--dangerously-listen-beyond-loopback";

    private const string StandardListen = "127.0.0.1:8080";

    public static DescribedCommand Create()
    {
        var listen = new Option<string>("--listen") { Description = "address and port where clients connect in the clear; port 0 for any free one", HelpName = "ADDRESS", DefaultValueFactory = _ => StandardListen };
        var upstream = new Option<string>("--upstream") { Description = "the server that ends the channels (assay-guest proxy): https://HOST:PORT for HTTP, tcp://HOST:PORT for any protocol, one channel for each connection", HelpName = "URL", Required = true };
        var policy = PolicyOption();
        var metrics = new Option<string?>("--metrics-listen") { Description = "address and port where counts for Prometheus are served, at /metrics", HelpName = "ADDRESS" };
        var anywhere = new Option<bool>(ListenAnywhere) { Description = "listen on an address that other machines reach: what they send and receive is in the clear on that network" };
        var command = new DescribedCommand(
            "proxy",
            "Lets any program use an attested channel: it listens on this machine, and passes requests to a server whose evidence satisfies a policy. Runs until interrupted; SIGHUP reads the policy again.",
            "0 interrupted · 2 unusable command line or policy, or it cannot start",
            [
                "assay proxy --upstream https://worker.example:8443 --policy channel.yaml",
                "assay proxy --listen 127.0.0.1:5432 --upstream tcp://db.example:8443 --policy channel.yaml --metrics-listen 127.0.0.1:9100",
            ])
        {
            listen, upstream, policy, metrics, anywhere,
        };
        command.SetAction((parsed, cancellation) =>
        {
            var faults = new List<(string Id, string Message)>();
            var address = Address("--listen", parsed.GetValue(listen)!, faults);
            if (address is not null && !IPAddress.IsLoopback(address.Address) && !parsed.GetValue(anywhere))
            {
                faults.Add(("cli.listen", $"--listen: {address.Address} is reached by other machines, in the clear: an address of loopback is expected, for example {StandardListen}, or {ListenAnywhere} too"));
            }

            var counts = parsed.GetValue(metrics) is { } place ? Address("--metrics-listen", place, faults) : null;
            if (!UpstreamAddress.TryParse(parsed.GetValue(upstream)!, out var server))
            {
                faults.Add(("cli.url", $"--upstream: {UpstreamAddress.Forms} is expected, found {parsed.GetValue(upstream)}"));
            }

            if (!ChannelPolicyFile.TryRead(parsed.GetValue(policy)!, TimeProvider.System, out var loaded, out var ofPolicy) || faults.Count > 0)
            {
                loaded?.Dispose();
                return Task.FromResult(Refuse(faults.Concat(ofPolicy)));
            }

            return RunAsync(address!, server!, loaded, counts, cancellation);
        });
        return command;
    }

    public static Option<string> PolicyOption() => new("--policy") { Description = "what is demanded of the server: the channel policy, YAML or JSON (docs/reference/channels.md)", HelpName = "FILE", Required = true };

    /// <summary>Tells faults of a command line.</summary>
    public static int Refuse(IEnumerable<(string Id, string Message)> faults)
    {
        foreach (var (id, message) in faults)
        {
            Output.Error(id, message);
        }

        return ExitCode.Unusable;
    }

    private static IPEndPoint? Address(string option, string text, List<(string Id, string Message)> faults)
    {
        if (IPEndPoint.TryParse(text, out var address) && text.EndsWith($":{address.Port}", StringComparison.Ordinal))
        {
            return address;
        }

        faults.Add(("cli.listen", $"{option}: an address and a port are expected, for example {StandardListen}, found {text}"));
        return null;
    }

    private static async Task<int> RunAsync(IPEndPoint listen, UpstreamAddress upstream, LoadedPolicy policy, IPEndPoint? metrics, CancellationToken cancellation)
    {
        try
        {
            var proxy = await ChannelProxy.StartAsync(listen, upstream, policy, metrics, cancellation).ConfigureAwait(false);
            await using (proxy.ConfigureAwait(false))
            {
                using var hangUp = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
                {
                    signal.Cancel = true;
                    proxy.Reload();
                });
                Tell(proxy, upstream, policy);
                await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            return ExitCode.Verified;
        }
        catch (IOException exception)
        {
            Output.Error("channel.start", exception.Message);
            return ExitCode.Unusable;
        }
    }

    private static void Tell(ChannelProxy proxy, UpstreamAddress upstream, LoadedPolicy policy)
    {
        Console.Out.WriteLine(Printable.Of($"listening on {proxy.Address}, for {upstream} over attested channels"));
        Console.Out.WriteLine(Printable.Of($"  policy {policy.Path}: {policy.Summary}"));
        if (proxy.MetricsAddress is { } counts)
        {
            Console.Out.WriteLine($"  counts at {counts}/metrics");
        }

        Console.Out.WriteLine("clients speak to the address above in the clear; a channel is opened when the first one comes");
    }
}
