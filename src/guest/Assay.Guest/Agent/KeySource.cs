using System.Text;
using Assay.Binding;
using Assay.Client.Service;
using Assay.Guest.Configuration;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Guest.Agent;

/// <summary>Keys of the image's key broker: the agent answers its challenge, and opens what is sealed to the release key of the asking user.</summary>
internal sealed class KeySource(BrokerSetting broker)
{
    /// <summary>The name of the release key that keys are sealed to, of each user its own.</summary>
    public const string Key = "broker";

    /// <summary>Fetches a key. The caller disposes it.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="bundle">Evidence over a challenge and a key.</param>
    /// <param name="publicKey">The asking user's key.</param>
    /// <param name="pair">The same with its private half.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GuestException">The broker denied the key, or could not be asked.</exception>
    /// <exception cref="Assay.Sealing.SealingException">Memory that cannot be locked.</exception>
    public async Task<(SecretBuffer Secret, ReleasedKey Released)> FetchAsync(
        string id, Func<string, KeyBinding, CancellationToken, Task<byte[]>> bundle, byte[] publicKey, Func<SealingKeyPair> pair, CancellationToken cancellation)
    {
        using var client = new KeyBrokerClient(broker.Url, ServiceCredential.Read(broker.Credential));
        try
        {
            var released = await client.FetchAsync(id, new ServiceEvidence(bundle, publicKey, "agent.broker").OverAsync, cancellation).ConfigureAwait(false);
            return Jwe.TryOpen(pair(), Encoding.ASCII.GetBytes(released.Jwe), out var secret, out var fault) ? (secret, released)
                : throw new GuestException("agent.key-denied", $"the key does not open: {fault.Problem}", fault.Cure);
        }
        catch (ServiceRefusedException exception)
        {
            throw exception.IsTransient
                ? new GuestException("agent.broker", exception.Message, "see that the broker runs, and that this VM can reach it; then ask again")
                : new GuestException("agent.key-denied", exception.Message, exception.LogPosition is { } position ? $"have an auditor of the tenant look at entry {position} of the broker's log" : "see docs/reference/broker.md, \"Problems\"");
        }
    }
}
