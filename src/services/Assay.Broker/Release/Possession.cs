using System.Security.Cryptography;
using System.Text;
using Assay.Client.Service;
using Assay.Sealing.Keys;

namespace Assay.Broker.Release;

/// <summary>
/// That a caller has the private half of the key that its token names. The challenge's nonce never leaves in the clear: what is sealed to a key has
/// HMAC-SHA-256 under the nonce of the key's thumbprint, and what comes back is made of that, of this broker's audience and of the asked key's name
/// (<see cref="KeyPossession"/>). So an answer to this broker about one key is worth nothing to another broker, or about another key.
/// </summary>
internal static class Possession
{
    /// <summary>What is sealed to a key. The caller wipes it.</summary>
    public static byte[] SecretFor(string nonce, SealingPublicKey key)
    {
        var secret = new byte[KeyPossession.Label.Length + HMACSHA256.HashSizeInBytes];
        var own = Convert.FromHexString(nonce);
        KeyPossession.Label.CopyTo(secret);
        HMACSHA256.HashData(own, (byte[])[.. KeyPossession.Label, .. Encoding.ASCII.GetBytes(key.Thumbprint)], secret.AsSpan(KeyPossession.Label.Length));
        CryptographicOperations.ZeroMemory(own);
        return secret;
    }

    /// <summary>Whether a proof answers a challenge with a key; false without one.</summary>
    public static bool IsProven(string proof, string nonce, SealingPublicKey? key, string audience, string id)
    {
        if (key is null)
        {
            return false;
        }

        var secret = SecretFor(nonce, key);
        try
        {
            return KeyPossession.TryProve(secret, audience, id, out var expected) && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.UTF8.GetBytes(proof));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }
}
