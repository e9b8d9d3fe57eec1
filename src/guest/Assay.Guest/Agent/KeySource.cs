using System.Text;
using Assay.Binding;
using Assay.Client.Service;
using Assay.Guest.Configuration;
using Assay.Sealing;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Guest.Agent;

/// <summary>Keys of the image's key broker: the agent answers its challenge, and opens what is sealed to the release key of the asking user.</summary>
internal sealed class KeySource(BrokerSetting broker)
{
    /// <summary>The name of the release key that keys are sealed to, of each user its own.</summary>
    public const string Key = "broker";

    /// <summary>Fetches a key for evidence. The caller disposes it.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="bundle">Evidence over a challenge and a key.</param>
    /// <param name="publicKey">The asking user's key.</param>
    /// <param name="pair">The same with its private half.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GuestException">The broker denied the key, or could not be asked.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public Task<(SecretBuffer Secret, ReleasedKey Released)> FetchAsync(
        string id, Func<string, KeyBinding, CancellationToken, Task<byte[]>> bundle, byte[] publicKey, Func<SealingKeyPair> pair, CancellationToken cancellation) =>
        AskAsync(id, client => client.FetchAsync(id, new ServiceEvidence(bundle, publicKey, "agent.broker").OverAsync, cancellation), pair);

    /// <summary>Fetches a key for a token of the attestation service, which names the key of the asking user. The caller disposes it.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="token">For the audience of the configuration.</param>
    /// <param name="publicKey">The key that the token names.</param>
    /// <param name="pair">The same with its private half.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GuestException">The broker denied the key, or could not be asked.</exception>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public Task<(SecretBuffer Secret, ReleasedKey Released)> FetchByTokenAsync(string id, string token, byte[] publicKey, Func<SealingKeyPair> pair, CancellationToken cancellation) =>
        AskAsync(id, client => client.FetchByTokenAsync(id, token, broker.Token!, publicKey, (jwe, _) => Task.FromResult(Open(jwe, pair())), cancellation), pair);

    private async Task<(SecretBuffer Secret, ReleasedKey Released)> AskAsync(string id, Func<KeyBrokerClient, Task<ReleasedKey>> fetch, Func<SealingKeyPair> pair)
    {
        using var client = new KeyBrokerClient(broker.Url, ServiceCredential.Read(broker.Credential));
        try
        {
            var released = await fetch(client).ConfigureAwait(false);
            return (Open(released.Jwe, pair()), released);
        }
        catch (ServiceRefusedException exception)
        {
            throw exception.IsTransient
                ? new GuestException("agent.broker", exception.Message, "see that the broker runs, and that this VM can reach it; then ask again")
                : exception.LogPosition is { } position ? new GuestException("agent.key-denied", Denied(id, exception), $"the owner of the key finds the reason in entry {position} of the broker's log: assay audit prove {position}")
                : new GuestException("agent.key-denied", exception.Message.TrimEnd('.'), $"assay explain {exception.Problem} says what to do");
        }
    }

    private static SecretBuffer Open(string jwe, SealingKeyPair pair) => Jwe.TryOpen(pair, Encoding.ASCII.GetBytes(jwe), out var secret, out var fault) ? secret
        : throw new GuestException("agent.key-denied", $"the key does not open: {fault.Problem}", fault.Cure);

    // The machine is told what is wrong with its own evidence, and of everything else only that it is so.
    private static string Denied(string id, ServiceRefusedException exception) => exception.Failed.IsEmpty
        ? $"the broker does not release the key {id} to this machine now ({exception.Problem}). Nothing in this machine's evidence was found wrong that it may be told, or no key of this name is released at all"
        : $"the broker does not release the key {id} to this machine ({exception.Problem}): in its evidence these checks do not hold: {string.Join(", ", exception.Failed)}";
}
