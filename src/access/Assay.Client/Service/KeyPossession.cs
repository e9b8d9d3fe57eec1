using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Client.Service;

/// <summary>
/// How a machine shows a key broker that it has the key that its token names (docs/reference/broker.md). The broker seals 52 bytes to the key: <see cref="Label"/>
/// and 32 more. The machine answers HMAC-SHA-256 under these 32 bytes over label, audience, <c>/</c> and the asked key's name, in hexadecimal.
/// </summary>
public static class KeyPossession
{
    private const int SecretSize = 32;

    /// <summary><c>assay-possession/v1/</c>. What was sealed to the key for another use does not begin so: nothing is answered about it.</summary>
    public static ReadOnlySpan<byte> Label => "assay-possession/v1/"u8;

    /// <summary>Makes the answer to a challenge.</summary>
    /// <param name="opened">What the key opened.</param>
    /// <param name="audience">The <c>aud</c> of the token: the broker's name with the service that wrote it.</param>
    /// <param name="id">Which key is asked for.</param>
    /// <param name="proof">64 hexadecimal digits.</param>
    /// <returns>False where something else was opened than a challenge.</returns>
    public static bool TryProve(ReadOnlySpan<byte> opened, string audience, string id, [NotNullWhen(true)] out string? proof)
    {
        ArgumentException.ThrowIfNullOrEmpty(audience);
        ArgumentException.ThrowIfNullOrEmpty(id);
        proof = opened.Length == Label.Length + SecretSize && opened.StartsWith(Label)
            ? Convert.ToHexStringLower(HMACSHA256.HashData(opened[Label.Length..], [.. Label, .. Encoding.UTF8.GetBytes($"{audience}/{id}")])) : null;
        return proof is not null;
    }
}
