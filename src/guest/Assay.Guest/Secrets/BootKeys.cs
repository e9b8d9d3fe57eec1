using System.Text;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Guest.Secrets;

/// <summary>
/// <c>key boot</c>: a key of the image's broker between gate and boundary, for a disk or a model that is opened there (S-4). The broker releases it to each boot once.
/// There is no agent yet: this process shows the evidence itself, and the key it is sealed to lives in its locked memory and nowhere else.
/// </summary>
internal sealed class BootKeys(GuestPaths paths, GuestConfiguration configuration, GuestSources sources)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>Runs a command in the place of this process, with the key as its standard input.</summary>
    /// <exception cref="GuestException">Nothing was run.</exception>
    /// <exception cref="SealingException">Nothing was run: memory cannot be locked, or the process cannot be hardened.</exception>
    public async Task<GuestException> ExecuteAsync(string id, string[] command, CancellationToken cancellation)
    {
        ProcessProtection.Harden();
        return Execution.Replace(await FetchAsync(id, cancellation).ConfigureAwait(false), command);
    }

    private async Task<SecretBuffer> FetchAsync(string id, CancellationToken cancellation)
    {
        var broker = configuration.Broker ?? throw new GuestException("agent.no-broker", "no key broker is configured for this image", "add the member broker to the image's configuration");
        GateReport.RequireOpen(paths, "key.gate");
        var register = sources.Register(configuration.Pcr);
        var log = MeasuredLog.Open(register, paths, configuration.OnDstack);
        if (log.Has("system-ready"))
        {
            throw new GuestException("key.boundary", "the boundary is drawn: boot-phase keys exist only between gate and boundary", "order the unit before assay-boot-phase.target, and boot again");
        }

        var devices = new DeviceVerification(configuration, sources, TimeProvider.System);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_patience);
        try
        {
            var (secret, released) = await new KeySource(broker).FetchAsync(
                id, (challenge, key, _) => Task.FromResult(EvidenceBundle.Make(challenge, key, devices, sources, log, register, configuration.Task is GateTask.Verify)),
                Encoding.ASCII.GetBytes(pair.PublicKey.Jwk), () => pair, patience.Token).ConfigureAwait(false);
            await Console.Error.WriteLineAsync(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"assay-guest: {released.Key} version {released.Version}, binding {released.Binding}, entry {released.LogPosition} of the broker's log")).ConfigureAwait(false);
            return secret;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new GuestException("agent.broker", $"the broker did not answer within {s_patience.TotalSeconds:F0} seconds", "see that it runs, and that this VM can reach it before the boundary");
        }
    }
}
