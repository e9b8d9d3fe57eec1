using System.Text;
using Assay.Binding;
using Assay.Client.Service;
using Assay.Guest.Configuration;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;

namespace Assay.Guest.Agent;

/// <summary>Tokens of the image's attestation service: the agent answers its challenge, and opens what is sealed to the release key of the asking user.</summary>
internal sealed class TokenSource(ServiceSetting service)
{
    /// <summary>The name of the release key that evidence for tokens is bound to, of each user its own.</summary>
    public const string Key = "token";

    /// <summary>A token for an audience of the configuration.</summary>
    /// <param name="audience">For whom.</param>
    /// <param name="isForBroker">Whether it is for a key broker: then a token for a cloud is not opened, because its holder is believed there (S-21).</param>
    /// <param name="bundle">Evidence over a challenge and a key.</param>
    /// <param name="publicKey">The asking user's key.</param>
    /// <param name="pair">The same with its private half.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GuestException">The audience is not configured, the service refused, or could not be asked.</exception>
    /// <exception cref="Assay.Sealing.SealingException">Memory that cannot be locked.</exception>
    public async Task<(string Token, DateTimeOffset ExpiresAt)> GetAsync(
        string audience, bool isForBroker, Func<string, KeyBinding, CancellationToken, Task<byte[]>> bundle, byte[] publicKey, Func<SealingKeyPair> pair, CancellationToken cancellation)
    {
        if (!service.Audiences.Contains(audience, StringComparer.Ordinal))
        {
            throw new GuestException("agent.audience", "the image's configuration names no such audience", "add it to service.audiences of the image, or ask for one that is there", audience, string.Join(", ", service.Audiences));
        }

        using var client = new AttestationServiceClient(service.Url, ServiceCredential.Read(service.Credential));
        try
        {
            var token = await client.AttestAsync(audience, new ServiceEvidence(bundle, publicKey, "agent.service").OverAsync, cancellation).ConfigureAwait(false);
            if (isForBroker && token.Form is not "eat")
            {
                throw new GuestException("agent.token-refused", "a key broker is shown tokens of the form eat", "see that the service's policy for this audience writes that form", token.Form, "eat");
            }

            return (token.Form is "cloud" ? Open(token.Text, pair()) : token.Text, token.ExpiresAt);
        }
        catch (ServiceRefusedException exception)
        {
            throw exception.Status == 0
                ? new GuestException("agent.service", exception.Message, "see that the service runs, and that this VM can reach it")
                : new GuestException("agent.token-refused", exception.Message, exception.Appraisal is { } id ? $"have a reader of the tenant look at appraisal {id}" : "see docs/reference/service.md, \"Problems\"");
        }
    }

    private static string Open(string sealedToken, SealingKeyPair pair)
    {
        if (!Jwe.TryOpen(pair, Encoding.ASCII.GetBytes(sealedToken), out var opened, out var fault))
        {
            throw new GuestException("agent.token-refused", $"the token does not open: {fault.Problem}", fault.Cure);
        }

        using (opened)
        {
            return opened.Use(lease => Encoding.ASCII.GetString(lease.Bytes));
        }
    }
}
