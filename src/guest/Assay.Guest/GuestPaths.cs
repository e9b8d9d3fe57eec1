namespace Assay.Guest;

/// <summary>Where the guest reads and writes. The places are fixed: a release takes no path from a command line or an environment (S-30).</summary>
/// <param name="Root">Before every path; empty but in builds with simulated sources.</param>
internal sealed record GuestPaths(string Root)
{
    /// <summary>The measured configuration, on the verity root or in the measured initial RAM file system.</summary>
    public string Configuration => Under("/usr/lib/assay/guest.json");

    /// <summary>State of this boot, on a tmpfs.</summary>
    public string State => Under("/run/assay");

    /// <summary>What the gate concluded.</summary>
    public string GateFile => Path.Combine(State, "gate.json");

    /// <summary>The verdict that the gate reached, as <c>assay verify --format json</c> writes it.</summary>
    public string VerdictFile => Path.Combine(State, "verdict.json");

    /// <summary>The runtime events of this boot, one JSON object in a line.</summary>
    public string Events => Path.Combine(State, "events.jsonl");

    /// <summary>dstack's own log of runtime events.</summary>
    public string DstackEvents => Under("/run/log/dstack/runtime_events.log");

    /// <summary>The lock that dstack holds while it extends and appends.</summary>
    public string DstackLock => Under("/run/log/dstack/runtime_event.lock");

    /// <summary>The agent's socket.</summary>
    public string AgentSocket => Path.Combine(State, "agent.sock");

    /// <summary>16 random bytes of this boot, which channels name.</summary>
    public string Epoch => Path.Combine(State, "epoch");

    /// <summary>Counts of the proxy, in Prometheus' text format.</summary>
    public string ProxyMetrics => $"{State}/proxy.prom";

    /// <summary>A path of the configuration's, under the root.</summary>
    public string Under(string path) => Root + path;
}
