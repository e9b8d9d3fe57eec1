using System.Runtime.InteropServices;
using System.Security.Cryptography;

[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]

namespace Assay.Sealing.Keys;

/// <summary>
/// The calls of libcrypto (OpenSSL 3) that touch secrets. .NET's own types hold keys and shared secrets in arrays that the collector copies;
/// these write straight into locked memory. It is the copy of the library that .NET itself uses.
/// </summary>
internal static unsafe partial class Libcrypto
{
    // openssl/evp.h: parameters and public key, and the private key too.
    public const int PublicKey = 0x04 | 0x80 | 0x02;
    public const int KeyPair = PublicKey | 0x01;

    // openssl/evp.h: EVP_CIPHER_CTX_FLAG_WRAP_ALLOW.
    public const int AllowWrap = 1;

    // openssl/core.h
    private const uint UnsignedInteger = 2;
    private const uint Utf8String = 4;
    private const uint OctetString = 5;

    private const string Library = "libcrypto.so.3";

    private static readonly Lazy<bool> s_isThere = new(IsLoaded);

    /// <summary>Says so where there is no OpenSSL 3.</summary>
    /// <exception cref="SealingException"><see cref="SealingFaults.Platform"/>.</exception>
    public static void Require()
    {
        if (!s_isThere.Value)
        {
            throw new SealingException(new SealingFault(SealingFaults.Platform, "libcrypto.so.3 is not there", "run on Linux with OpenSSL 3 (Debian: libssl3)"));
        }
    }

    /// <summary>A call that only a bug or a lack of memory can fail.</summary>
    /// <exception cref="SealingException"><see cref="SealingFaults.Library"/>.</exception>
    public static void Must(int result, string call)
    {
        if (result != 1)
        {
            ERR_clear_error();
            throw new SealingException(new SealingFault(SealingFaults.Library, $"{call} failed", "free memory; if it stays, report it as a bug"));
        }
    }

    // OpenSSL is initialised by .NET first, so that it is not torn down under .NET's threads when the process ends.
    private static bool IsLoaded()
    {
        try
        {
            return OperatingSystem.IsLinux() && SafeEvpPKeyHandle.OpenSslVersion >= 0x30000000 && NativeLibrary.TryLoad(Library, out _);
        }
        catch (Exception exception) when (exception is PlatformNotSupportedException or TypeInitializationException or DllNotFoundException)
        {
            return false;
        }
    }

    /// <summary>OSSL_PARAM of openssl/core.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Parameter
    {
        private readonly byte* _key;
        private readonly uint _type;
        private readonly void* _data;
        private readonly nuint _size;
        private readonly nuint _returned;

        private Parameter(byte* key, uint type, void* data, int size)
        {
            _key = key;
            _type = type;
            _data = data;
            _size = (nuint)size;
            _returned = nuint.MaxValue;
        }

        /// <summary>An integer in the order of the machine, least byte first on all that .NET runs on with OpenSSL here.</summary>
        public static Parameter Integer(byte* key, void* data, int size) => new(key, UnsignedInteger, data, size);

        public static Parameter Text(byte* key, byte* text, int size) => new(key, Utf8String, text, size);

        public static Parameter Octets(byte* key, void* data, int size) => new(key, OctetString, data, size);
    }

    /// <summary>EVP_PKEY; freeing it wipes what is secret in it.</summary>
    public sealed class Key : SafeHandle
    {
        public Key()
            : base(0, ownsHandle: true)
        {
        }

        public Key(nint key)
            : base(0, ownsHandle: true) => SetHandle(key);

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }

    /// <summary>EVP_PKEY_CTX.</summary>
    public sealed class Context : SafeHandle
    {
        public Context()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_CTX_free(handle);
            return true;
        }
    }

    /// <summary>EVP_CIPHER_CTX; freeing it wipes the key in it.</summary>
    public sealed class CipherContext : SafeHandle
    {
        public CipherContext()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_CIPHER_CTX_free(handle);
            return true;
        }
    }

    /// <summary>EVP_CIPHER.</summary>
    public sealed class Cipher : SafeHandle
    {
        public Cipher()
            : base(0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_CIPHER_free(handle);
            return true;
        }
    }

    [LibraryImport(Library)]
    public static partial void ERR_clear_error();

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    public static partial Context EVP_PKEY_CTX_new_from_name(nint library, byte* name, nint properties);

    [LibraryImport(Library)]
    public static partial Context EVP_PKEY_CTX_new_from_pkey(nint library, Key key, nint properties);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_CTX_set_params(Context context, Parameter* parameters);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_keygen_init(Context context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_generate(Context context, ref nint key);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_get_params(Key key, Parameter* parameters);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_fromdata_init(Context context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_fromdata(Context context, ref nint key, int selection, Parameter* parameters);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive_init(Context context);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive_set_peer_ex(Context context, Key peer, int validate);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_derive(Context context, byte* secret, ref nuint length);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_encrypt_init_ex(Context context, Parameter* parameters);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_encrypt(Context context, byte* output, ref nuint outputLength, byte* input, nuint inputLength);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_decrypt_init_ex(Context context, Parameter* parameters);

    [LibraryImport(Library)]
    public static partial int EVP_PKEY_decrypt(Context context, byte* output, ref nuint outputLength, byte* input, nuint inputLength);

    [LibraryImport(Library)]
    public static partial Cipher EVP_CIPHER_fetch(nint library, byte* name, nint properties);

    [LibraryImport(Library)]
    private static partial void EVP_CIPHER_free(nint cipher);

    [LibraryImport(Library)]
    public static partial CipherContext EVP_CIPHER_CTX_new();

    [LibraryImport(Library)]
    private static partial void EVP_CIPHER_CTX_free(nint context);

    [LibraryImport(Library)]
    public static partial void EVP_CIPHER_CTX_set_flags(CipherContext context, int flags);

    [LibraryImport(Library)]
    public static partial int EVP_CipherInit_ex2(CipherContext context, Cipher cipher, byte* key, byte* iv, int encrypt, nint parameters);

    [LibraryImport(Library)]
    public static partial int EVP_CipherUpdate(CipherContext context, byte* output, out int outputLength, byte* input, int inputLength);

    [LibraryImport(Library)]
    public static partial int EVP_CipherFinal_ex(CipherContext context, byte* output, out int outputLength);

    [LibraryImport(Library)]
    public static partial nint d2i_AutoPrivateKey(nint reuse, byte** input, nint length);

    [LibraryImport(Library)]
    public static partial nint EC_GROUP_new_by_curve_name(int nid);

    [LibraryImport(Library)]
    public static partial void EC_GROUP_free(nint group);

    [LibraryImport(Library)]
    public static partial nint EC_GROUP_get0_order(nint group);

    [LibraryImport(Library)]
    public static partial nint EC_POINT_new(nint group);

    [LibraryImport(Library)]
    public static partial void EC_POINT_clear_free(nint point);

    [LibraryImport(Library)]
    public static partial int EC_POINT_mul(nint group, nint result, nint scalar, nint point, nint factor, nint context);

    [LibraryImport(Library)]
    public static partial nuint EC_POINT_point2oct(nint group, nint point, int form, byte* output, nuint length, nint context);

    [LibraryImport(Library)]
    public static partial nint BN_secure_new();

    [LibraryImport(Library)]
    public static partial nint BN_lebin2bn(byte* bytes, int length, nint reuse);

    [LibraryImport(Library)]
    public static partial void BN_set_flags(nint number, int flags);

    [LibraryImport(Library)]
    public static partial int BN_cmp(nint left, nint right);

    [LibraryImport(Library)]
    public static partial int BN_is_zero(nint number);

    [LibraryImport(Library)]
    public static partial void BN_clear_free(nint number);
}
