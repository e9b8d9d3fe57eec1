using System.Security.Cryptography;
using System.Text;

namespace Assay.Client.Service;

/// <summary>How a broker in a confidential VM shows that it has the key that its evidence names (docs/reference/broker.md).</summary>
public static class HostedBrokerProof
{
    /// <summary>Bytes that the client seals to that key.</summary>
    public const int SecretSize = 32;

    /// <summary>HMAC-SHA-256 under the secret over <c>assay-broker-proof/v1/LEAF</c>, in hexadecimal.</summary>
    /// <param name="secret">What the client sealed.</param>
    /// <param name="leaf">SHA-384 of the broker's TLS certificate, in hexadecimal; empty: no TLS.</param>
    public static string Of(ReadOnlySpan<byte> secret, string leaf)
    {
        ArgumentNullException.ThrowIfNull(leaf);
        return Convert.ToHexStringLower(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes($"assay-broker-proof/v1/{leaf}")));
    }
}
