using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Assay.Trust;

/// <summary>
/// Public keys from their numbers through EVP_PKEY_fromdata of OpenSSL 3, in the library that .NET itself verifies with. .NET's own import
/// calls EC_KEY_check_key, which multiplies the point by the group order, or lets OpenSSL search for a decoder: both cost more than a
/// verification on P-256. Null says that this road is not there or does not like the key; .NET's road then has the last word.
/// </summary>
/// <remarks>
/// Leaving the multiplication out gives nothing up: what remains is that the coordinates are in the field and on the curve, which
/// EC_POINT_oct2point checks (OpenSSL's ec_key_fromdata calls it; its manual: "it is an error if the point is not on the curve"), and on
/// P-256 and P-384 every such point has the group's order, for their cofactor is 1 (SP 800-186 §3.2.1; SP 800-56A rev. 3 §5.6.2.3.4 asks
/// no more of them). The point at infinity has no uncompressed form (SEC 1 §2.3.3), and the caller passes no other.
/// </remarks>
[SupportedOSPlatform("linux")]
internal static unsafe partial class LibcryptoKey
{
    // The name by which .NET's library has loaded it: the loader then gives the one that is there and does not look for another.
    private const string Library = "libcrypto.so.3";

    // EVP_PKEY_PUBLIC_KEY of openssl/evp.h: domain and other parameters, and the public key.
    private const int PublicKey = 0x04 | 0x80 | 0x02;

    // openssl/core.h
    private const uint UnsignedInteger = 2;
    private const uint Utf8String = 4;
    private const uint OctetString = 5;

    private static readonly Lazy<bool> s_isUsable = new(IsLibraryOfPlatform);

    /// <summary>Whether the platform verifies with OpenSSL 3 or later, and this is the same copy of it.</summary>
    public static bool IsUsable => s_isUsable.Value;

    /// <summary>A key on P-256 or P-384, by the size of its field.</summary>
    /// <param name="bits">256 or 384.</param>
    /// <param name="point">The uncompressed point, its leading 04 included.</param>
    public static ECDsa? FromPoint(int bits, ReadOnlySpan<byte> point)
    {
        var curve = bits switch
        {
            256 => "P-256\0"u8,
            384 => "P-384\0"u8,
            _ => default,
        };
        if (curve.IsEmpty || point.Length != 1 + (bits / 8 * 2) || point[0] != 4 || !IsUsable)
        {
            return null;
        }

        fixed (byte* group = "group\0"u8, pub = "pub\0"u8, name = curve, coordinates = point)
        {
            var parameters = stackalloc Parameter[]
            {
                new(group, Utf8String, name, curve.Length - 1),
                new(pub, OctetString, coordinates, point.Length),
                default,
            };
            using var key = Make("EC\0"u8, parameters);
            return Wrap<ECDsa>(key, lent => new ECDsaOpenSsl(lent), bits);
        }
    }

    /// <summary>An RSA key with the exponent 65537.</summary>
    /// <param name="modulus">Big-endian, without a sign octet.</param>
    public static RSA? FromModulus(ReadOnlySpan<byte> modulus)
    {
        if (!IsUsable)
        {
            return null;
        }

        using var key = MakeRsa(modulus);
        return Wrap<RSA>(key, lent => new RSAOpenSsl(lent), modulus.Length * 8);
    }

    private static SafeKey? MakeRsa(ReadOnlySpan<byte> modulus)
    {
        // Integers are in the order of the machine.
        var (ordered, exponent) = (modulus.ToArray(), 65537u);
        if (BitConverter.IsLittleEndian)
        {
            ordered.AsSpan().Reverse();
        }

        fixed (byte* n = "n\0"u8, e = "e\0"u8, number = ordered)
        {
            var parameters = stackalloc Parameter[]
            {
                new(n, UnsignedInteger, number, ordered.Length),
                new(e, UnsignedInteger, &exponent, sizeof(uint)),
                default,
            };
            return Make("RSA\0"u8, parameters);
        }
    }

    private static SafeKey? Make(ReadOnlySpan<byte> algorithm, Parameter* parameters)
    {
        try
        {
            fixed (byte* name = algorithm)
            {
                using var context = EVP_PKEY_CTX_new_from_name(0, name, 0);
                nint key = 0;
                // On failure the function has released what it made.
                return !context.IsInvalid && EVP_PKEY_fromdata_init(context) == 1 && EVP_PKEY_fromdata(context, ref key, PublicKey, parameters) == 1
                    ? new SafeKey(key)
                    : null;
            }
        }
        finally
        {
            // The queue belongs to the thread: a later call of .NET would report what is left in it as its own failure.
            ERR_clear_error();
        }
    }

    // .NET's object takes a reference of its own; ours is given back to the library that made it.
    private static T? Wrap<T>(SafeKey? key, Func<SafeEvpPKeyHandle, T> wrap, int bits)
        where T : AsymmetricAlgorithm
    {
        if (key is null)
        {
            return null;
        }

        try
        {
            using var lent = new SafeEvpPKeyHandle(key.DangerousGetHandle(), ownsHandle: false);
            var wrapped = wrap(lent);
            if (wrapped.KeySize == bits)
            {
                return wrapped;
            }

            wrapped.Dispose();
            return null;
        }
        catch (Exception e) when (e is CryptographicException or PlatformNotSupportedException)
        {
            return null;
        }
    }

    // Two copies of OpenSSL in one process (one linked into the program, or chosen by CLR_OPENSSL_VERSION_OVERRIDE) must not be handed
    // each other's objects. One copy has one default provider: a key of .NET's making and one of ours then name the same object.
    private static bool IsLibraryOfPlatform()
    {
        try
        {
            var version = (ulong)SafeEvpPKeyHandle.OpenSslVersion;
            if (version < 0x3000_0000 || version != OpenSSL_version_num())
            {
                return false;
            }

            var modulus = new byte[256];
            modulus.AsSpan().Fill(0xFF);
            using var platform = new RSAOpenSsl();
            platform.ImportParameters(new RSAParameters { Modulus = modulus, Exponent = [1, 0, 1] });
            using var theirs = platform.DuplicateKeyHandle();
            using var ours = MakeRsa(modulus);
            if (ours is null)
            {
                return false;
            }

            var provider = EVP_PKEY_get0_provider(ours.DangerousGetHandle());
            return provider != 0 && provider == EVP_PKEY_get0_provider(theirs.DangerousGetHandle());
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException
            or CryptographicException or PlatformNotSupportedException or TypeInitializationException)
        {
            return false;
        }
    }

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nuint OpenSSL_version_num();

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void ERR_clear_error();

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial SafeContext EVP_PKEY_CTX_new_from_name(nint library, byte* name, nint properties);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_CTX_free(nint context);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_PKEY_fromdata_init(SafeContext context);

    // The key is in and out: null asks for a new one.
    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_PKEY_fromdata(SafeContext context, ref nint key, int selection, Parameter* parameters);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint EVP_PKEY_get0_provider(nint key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_free(nint key);

    /// <summary>OSSL_PARAM (openssl/core.h). All zero ends a list.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Parameter(byte* key, uint type, void* data, int size)
    {
        private readonly byte* _key = key;
        private readonly uint _type = type;
        private readonly void* _data = data;
        private readonly nuint _size = (nuint)size;
        private readonly nuint _returnedSize = nuint.MaxValue;
    }

    /// <summary>EVP_PKEY_CTX.</summary>
    private sealed class SafeContext() : SafeHandleZeroOrMinusOneIsInvalid(ownsHandle: true)
    {
        protected override bool ReleaseHandle()
        {
            EVP_PKEY_CTX_free(handle);
            return true;
        }
    }

    /// <summary>EVP_PKEY.</summary>
    private sealed class SafeKey : SafeHandleZeroOrMinusOneIsInvalid
    {
        public SafeKey(nint key)
            : base(ownsHandle: true) => SetHandle(key);

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }
}
