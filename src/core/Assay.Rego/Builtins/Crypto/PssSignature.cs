using System.Numerics;
using System.Security.Cryptography;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>
/// RSASSA-PSS verification (RFC 8017, sections 8.1.2 and 9.1.2) with a salt of any length, as OPA takes it: the framework's own insists on a
/// salt as long as the hash. Only public values are worked on.
/// </summary>
internal static class PssSignature
{
    public static bool Verifies(RSAParameters key, byte[] hash, byte[] signature, HashAlgorithmName algorithm)
    {
        var modulus = new BigInteger(key.Modulus, isUnsigned: true, isBigEndian: true);
        var exponent = new BigInteger(key.Exponent, isUnsigned: true, isBigEndian: true);
        var value = new BigInteger(signature, isUnsigned: true, isBigEndian: true);
        var bits = (int)modulus.GetBitLength();
        if (signature.Length != (bits + 7) / 8 || value >= modulus || exponent < 3 || exponent > uint.MaxValue || modulus.IsEven)
        {
            return false;
        }

        // The encoded message has one bit less than the modulus.
        var size = (bits - 1 + 7) / 8;
        var encoded = BigInteger.ModPow(value, exponent, modulus).ToByteArray(isUnsigned: true, isBigEndian: true);
        if (encoded.Length > size)
        {
            return false;
        }

        var message = new byte[size];
        encoded.CopyTo(message, size - encoded.Length);
        return Decodes(message, (8 * size) - (bits - 1), hash, algorithm);
    }

    private static bool Decodes(byte[] message, int spareBits, byte[] hash, HashAlgorithmName algorithm)
    {
        var length = message.Length - hash.Length - 1;
        if (length < 1 || message[^1] != 0xBC || (message[0] >> (8 - spareBits)) != 0)
        {
            return false;
        }

        var block = message.AsSpan(0, length).ToArray();
        var digest = message.AsSpan(length, hash.Length).ToArray();
        var mask = Mask(digest, length, algorithm);
        for (var index = 0; index < length; index++)
        {
            block[index] ^= mask[index];
        }

        block[0] &= (byte)(0xFF >> spareBits);
        var one = Array.FindIndex(block, octet => octet != 0);
        if (one < 0 || block[one] != 1)
        {
            return false;
        }

        var expected = CryptographicOperations.HashData(algorithm, [.. new byte[8], .. hash, .. block[(one + 1)..]]);
        return CryptographicOperations.FixedTimeEquals(expected, digest);
    }

    private static byte[] Mask(byte[] seed, int length, HashAlgorithmName algorithm)
    {
        var mask = new List<byte>(length + 64);
        for (var counter = 0; mask.Count < length; counter++)
        {
            byte[] number = [(byte)(counter >> 24 & 0xFF), (byte)(counter >> 16 & 0xFF), (byte)(counter >> 8 & 0xFF), (byte)(counter & 0xFF)];
            mask.AddRange(CryptographicOperations.HashData(algorithm, [.. seed, .. number]));
        }

        return [.. mask.Take(length)];
    }
}
