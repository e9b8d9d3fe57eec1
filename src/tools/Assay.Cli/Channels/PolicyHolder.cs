namespace Assay.Cli.Channels;

/// <summary>The policy of a proxy, which is read again when it is asked to. A faulty file leaves the one before.</summary>
/// <param name="first">Read at the start.</param>
/// <param name="clock">The system's.</param>
/// <param name="counts">Counts the readings.</param>
internal sealed class PolicyHolder(LoadedPolicy first, TimeProvider clock, ProxyCounts counts)
{
    private readonly Lock _reading = new();
    private LoadedPolicy _current = first;

    /// <summary>For connections that begin now.</summary>
    public LoadedPolicy Current => Volatile.Read(ref _current);

    /// <summary>Reads the file again, and says on standard error what came of it.</summary>
    public void Reload()
    {
        // One after the other: the last file that was there counts.
        lock (_reading)
        {
            var isTaken = ChannelPolicyFile.TryRead(_current.Path, clock, out var policy, out var faults);
            counts.CountReload(isTaken);
            if (isTaken)
            {
                // The one before is in use by channels that are being opened: its sources end with the collector.
                Volatile.Write(ref _current, policy!);
                Console.Error.WriteLine(Printable.Of($"assay: {InputFile.NameOf(policy!.Path)} was read again: new channels take {policy.Summary}; those that are open go on"));
                return;
            }

            foreach (var (id, message) in faults)
            {
                Output.Error(id, message);
            }

            Output.Error("channel.policy.kept", $"{InputFile.NameOf(_current.Path)} is at fault: the policy from before goes on, {_current.Summary}");
        }
    }
}
