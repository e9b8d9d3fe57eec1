using System.Diagnostics.CodeAnalysis;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Wrapping;

/// <summary>
/// AES key wrap: KWP (RFC 5649, SP 800-38F) for secrets of any length, and KW (RFC 3394), which JOSE uses inside. Through libcrypto, because
/// .NET's Aes holds its key in an array. Both say of equal secrets under one key that they are equal, and bind no context.
/// </summary>
public static unsafe class AesKeyWrap
{
    private const int Block = 8;
    private const string Kwp = "-WRAP-PAD\0";
    private const string Kw = "-WRAP\0";

    /// <summary>Wraps with padding: 8 bytes more than <paramref name="secret"/> rounded up to 8, at least 16.</summary>
    /// <param name="wrappingKey">16, 24 or 32 bytes.</param>
    /// <param name="secret">1 to 65536 bytes.</param>
    public static byte[] Wrap(SecretBuffer wrappingKey, SecretBuffer secret)
    {
        CheckLengths(wrappingKey, secret);
        return Run(Kwp, wrappingKey, secret);
    }

    /// <summary>Opens what <see cref="Wrap"/> made. One fault for every failure inside.</summary>
    /// <param name="wrappingKey">16, 24 or 32 bytes.</param>
    /// <param name="wrapped">A multiple of 8 bytes, 16 at least.</param>
    /// <param name="secret">The secret, which the caller disposes.</param>
    /// <param name="fault"><see cref="SealingFaults.WrapForm"/> or <see cref="SealingFaults.NotOpened"/>.</param>
    /// <param name="memory">Where the secret goes.</param>
    public static bool TryUnwrap(SecretBuffer wrappingKey, ReadOnlySpan<byte> wrapped, [NotNullWhen(true)] out SecretBuffer? secret, [NotNullWhen(false)] out SealingFault? fault, SecretMemory? memory = null)
    {
        CheckKey(wrappingKey);
        secret = null;
        if (wrapped.Length < 2 * Block || wrapped.Length % Block != 0 || wrapped.Length > Limits.WrappedKeyBytes + (2 * Block))
        {
            fault = new SealingFault(SealingFaults.WrapForm, $"a wrapped key has a multiple of 8 bytes and 16 at least, found {wrapped.Length}", "check that all of it is there, and that it is AES key wrap with padding (RFC 5649)");
            return false;
        }

        secret = Open(Kwp, wrappingKey, wrapped, memory ?? SecretMemory.Locked);
        fault = secret is null ? SealingFaults.NotThisKey : null;
        return secret is not null;
    }

    /// <summary>RFC 3394: a multiple of 8 bytes, 16 at least.</summary>
    internal static byte[] WrapWhole(SecretBuffer wrappingKey, SecretBuffer secret) => Run(Kw, wrappingKey, secret);

    /// <summary>RFC 3394; null for every failure.</summary>
    internal static SecretBuffer? UnwrapWhole(SecretBuffer wrappingKey, ReadOnlySpan<byte> wrapped, SecretMemory memory) =>
        wrapped.Length >= 3 * Block && wrapped.Length % Block == 0 && wrapped.Length <= Limits.WrappedKeyBytes ? Open(Kw, wrappingKey, wrapped, memory) : null;

    private static void CheckLengths(SecretBuffer wrappingKey, SecretBuffer secret)
    {
        CheckKey(wrappingKey);
        ArgumentNullException.ThrowIfNull(secret);
        ArgumentOutOfRangeException.ThrowIfZero(secret.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(secret.Length, Limits.WrappedKeyBytes);
    }

    private static void CheckKey(SecretBuffer wrappingKey)
    {
        ArgumentNullException.ThrowIfNull(wrappingKey);
        if (wrappingKey.Length is not (16 or 24 or 32))
        {
            throw new ArgumentException("a wrapping key has 16, 24 or 32 bytes", nameof(wrappingKey));
        }
    }

    private static byte[] Run(string mode, SecretBuffer wrappingKey, SecretBuffer secret)
    {
        var wrapped = new byte[((secret.Length + Block - 1) / Block * Block) + Block];
        using var lent = secret.Borrow();
        fixed (byte* output = wrapped)
        {
            var written = Crypt(mode, wrappingKey, encrypt: true, lent.Pointer, secret.Length, output);
            Libcrypto.Must(written == wrapped.Length ? 1 : 0, "EVP_CipherUpdate");
        }

        return wrapped;
    }

    private static SecretBuffer? Open(string mode, SecretBuffer wrappingKey, ReadOnlySpan<byte> wrapped, SecretMemory memory)
    {
        using var padded = memory.Allocate(wrapped.Length);
        using var output = padded.Borrow();
        fixed (byte* input = wrapped)
        {
            var written = Crypt(mode, wrappingKey, encrypt: false, input, wrapped.Length, output.Pointer);
            return written > 0 ? memory.CopyOf(output.Bytes[..written]) : null;
        }
    }

    // How many bytes were written; 0 where it refuses.
    private static int Crypt(string mode, SecretBuffer wrappingKey, bool encrypt, byte* input, int length, byte* output)
    {
        Libcrypto.Require();
        using var key = wrappingKey.Borrow();
        try
        {
            fixed (byte* name = System.Text.Encoding.ASCII.GetBytes($"AES-{wrappingKey.Length * 8}{mode}"))
            {
                using var cipher = Libcrypto.EVP_CIPHER_fetch(0, name, 0);
                using var context = Libcrypto.EVP_CIPHER_CTX_new();
                Libcrypto.Must(cipher.IsInvalid || context.IsInvalid ? 0 : 1, "EVP_CIPHER_fetch");
                Libcrypto.EVP_CIPHER_CTX_set_flags(context, Libcrypto.AllowWrap);
                Libcrypto.Must(Libcrypto.EVP_CipherInit_ex2(context, cipher, key.Pointer, null, encrypt ? 1 : 0, 0), "EVP_CipherInit_ex2");
                var done = Libcrypto.EVP_CipherUpdate(context, output, out var written, input, length) == 1;
                Libcrypto.ERR_clear_error();
                return done ? written : 0;
            }
        }
        finally
        {
            StackWipe.Run();
        }
    }
}
