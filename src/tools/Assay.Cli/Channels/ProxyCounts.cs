using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Assay.Cli.Channels;

/// <summary>What a proxy has done, in numbers.</summary>
internal sealed class ProxyCounts
{
    private const string Prefix = "assay_proxy";

    private readonly ConcurrentDictionary<string, long> _refused = new(StringComparer.Ordinal);
    private long _open;
    private long _opened;
    private long _sent;
    private long _received;
    private long _reloads;
    private long _failedReloads;

    /// <summary>Channels that are open.</summary>
    public long Open => Interlocked.Read(ref _open);

    /// <summary>Channels that were opened.</summary>
    public long Opened => Interlocked.Read(ref _opened);

    public void CountOpened()
    {
        Interlocked.Increment(ref _opened);
        Interlocked.Increment(ref _open);
    }

    public void CountClosed() => Interlocked.Decrement(ref _open);

    public void CountRefused(string id) => _refused.AddOrUpdate(id, 1, (_, count) => count + 1);

    public void CountSent(int bytes) => Interlocked.Add(ref _sent, bytes);

    public void CountReceived(int bytes) => Interlocked.Add(ref _received, bytes);

    public void CountReload(bool isTaken) => Interlocked.Increment(ref isTaken ? ref _reloads : ref _failedReloads);

    /// <summary>In Prometheus' text format.</summary>
    public string Metrics()
    {
        var text = new StringBuilder();
        Family(text, "channels", "gauge", "Channels that are open.", ("", Open));
        Family(text, "channels_opened_total", "counter", "Channels that were opened.", ("", Opened));
        Family(text, "channels_refused_total", "counter", "Channels that were refused, by the id of the refusal.", [.. _refused.OrderBy(item => item.Key, StringComparer.Ordinal).Select(item => ($"{{id=\"{item.Key}\"}}", item.Value))]);
        Family(text, "sent_bytes_total", "counter", "Bytes towards the server.", ("", Interlocked.Read(ref _sent)));
        Family(text, "received_bytes_total", "counter", "Bytes from the server.", ("", Interlocked.Read(ref _received)));
        Family(text, "policy_reloads_total", "counter", "Readings of the policy on SIGHUP.", ("{taken=\"true\"}", Interlocked.Read(ref _reloads)), ("{taken=\"false\"}", Interlocked.Read(ref _failedReloads)));
        return text.ToString();
    }

    private static void Family(StringBuilder text, string name, string type, string help, params ReadOnlySpan<(string Labels, long Value)> samples)
    {
        text.Append(CultureInfo.InvariantCulture, $"# HELP {Prefix}_{name} {help}\n# TYPE {Prefix}_{name} {type}\n");
        foreach (var (labels, value) in samples)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Prefix}_{name}{labels} {value}\n");
        }
    }
}
