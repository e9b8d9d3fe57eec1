using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Assay.Log;

/// <summary>
/// Ed25519 (RFC 8032 §5.1), which .NET has not: the calls of libcrypto (OpenSSL 3), the copy of the library that .NET itself uses. Witnesses sign with it.
/// </summary>
internal static unsafe partial class Ed25519
{
    /// <summary>Of a seed, and of a public key.</summary>
    public const int KeySize = 32;

    /// <summary>Of a signature.</summary>
    public const int SignatureSize = 64;

    // openssl/obj_mac.h: NID_ED25519.
    private const int Type = 1087;
    private const string Library = "libcrypto.so.3";

    private static readonly Lazy<bool> s_isSupported = new(IsLoaded);

    /// <summary>Whether there is OpenSSL 3. Elsewhere nothing is signed, and no signature verifies.</summary>
    public static bool IsSupported => s_isSupported.Value;

    /// <summary>The public key of a seed.</summary>
    public static byte[] PublicKeyOf(ReadOnlySpan<byte> seed)
    {
        using var key = Open(seed);
        var made = new byte[KeySize];
        var length = (nuint)made.Length;
        fixed (byte* to = made)
        {
            Must(EVP_PKEY_get_raw_public_key(key, to, &length));
        }

        return made;
    }

    /// <summary>The signature over a message: the same each time.</summary>
    public static byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message)
    {
        using var key = Open(seed);
        using var context = EVP_MD_CTX_new();
        var signature = new byte[SignatureSize];
        var length = (nuint)signature.Length;
        Must(EVP_DigestSignInit(context, 0, 0, 0, key));
        fixed (byte* to = signature)
        fixed (byte* from = message)
        {
            Must(EVP_DigestSign(context, to, &length, from, (nuint)message.Length));
        }

        return signature;
    }

    /// <summary>Whether a signature is that of a key over a message.</summary>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (!IsSupported || publicKey.Length != KeySize || signature.Length != SignatureSize)
        {
            return false;
        }

        fixed (byte* bytes = publicKey)
        fixed (byte* what = message)
        fixed (byte* by = signature)
        {
            using var key = EVP_PKEY_new_raw_public_key(Type, 0, bytes, (nuint)publicKey.Length);
            using var context = EVP_MD_CTX_new();
            var holds = !key.IsInvalid && !context.IsInvalid && EVP_DigestVerifyInit(context, 0, 0, 0, key) == 1 && EVP_DigestVerify(context, by, (nuint)signature.Length, what, (nuint)message.Length) == 1;
            // What was wrong is not left behind for .NET's own calls to find.
            ERR_clear_error();
            return holds;
        }
    }

    private static Key Open(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != KeySize)
        {
            throw new ArgumentException($"{KeySize} bytes are expected", nameof(seed));
        }

        if (!IsSupported)
        {
            throw new PlatformNotSupportedException("Ed25519 needs Linux with OpenSSL 3 (Debian: libssl3)");
        }

        fixed (byte* bytes = seed)
        {
            return EVP_PKEY_new_raw_private_key(Type, 0, bytes, (nuint)seed.Length) is { IsInvalid: false } key ? key : throw new CryptographicException("EVP_PKEY_new_raw_private_key failed");
        }
    }

    // Only a bug or a lack of memory can fail these.
    private static void Must(int result)
    {
        if (result != 1)
        {
            ERR_clear_error();
            throw new CryptographicException("libcrypto does not sign with Ed25519");
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

    private sealed class Key() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_PKEY_free(handle);
            return true;
        }
    }

    private sealed class Context() : SafeHandle(0, ownsHandle: true)
    {
        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            EVP_MD_CTX_free(handle);
            return true;
        }
    }

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void ERR_clear_error();

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial Key EVP_PKEY_new_raw_private_key(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial Key EVP_PKEY_new_raw_public_key(int type, nint engine, byte* key, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_PKEY_get_raw_public_key(Key key, byte* to, nuint* length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial Context EVP_MD_CTX_new();

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestSignInit(Context context, nint pkeyContext, nint digest, nint engine, Key key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestSign(Context context, byte* signature, nuint* signatureLength, byte* message, nuint length);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestVerifyInit(Context context, nint pkeyContext, nint digest, nint engine, Key key);

    [LibraryImport(Library)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int EVP_DigestVerify(Context context, byte* signature, nuint signatureLength, byte* message, nuint length);
}
