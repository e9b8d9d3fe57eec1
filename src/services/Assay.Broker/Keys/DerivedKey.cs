using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Broker.Keys;

/// <summary>
/// What is released of a derived key: HKDF-SHA384 (RFC 5869) of its secret, without salt, with the info
/// <c>assay-derived-key/v1/TENANT/KEY/VERSION/IMAGE</c> in UTF-8, 32 bytes. IMAGE is the name of the image in the policy's manifest of reference values,
/// without its version: the key is the same after a reboot, an update of firmware or a new version of the image, and another one for every other image.
/// </summary>
internal static class DerivedKey
{
    public const int Size = 32;

    /// <summary>A secret to derive from has at least as many bytes.</summary>
    public const int LeastSecret = 32;

    /// <summary>The caller wipes it.</summary>
    public static byte[] Of(ReadOnlySpan<byte> secret, string tenant, string id, long version, string image)
    {
        // Names of tenants and keys have no slash, and the image comes last: two infos are equal only if all their parts are.
        var info = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"assay-derived-key/v1/{tenant}/{id}/{version}/{image}"));
        var derived = new byte[Size];
        HKDF.DeriveKey(HashAlgorithmName.SHA384, secret, derived, salt: [], info);
        return derived;
    }
}
