using Assay.Sealing.Memory;

namespace Assay.Sealing.Keys;

/// <summary>
/// RSA private keys: d, p, q, dP, dQ and qInv in one secret buffer, in slots of fixed size, least byte first as libcrypto takes them. Encryption
/// is RSAES-OAEP with SHA-256, MGF1 with SHA-256 and an empty label (RFC 8017 §7.1), and no other.
/// </summary>
internal static unsafe class RsaKey
{
    private const uint PublicExponent = 65537;

    // d of the modulus' size, five more of half of it.
    private static readonly string[] s_secret = ["d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1"];

    /// <summary>A new key: the secret slots, and the modulus, big-endian.</summary>
    public static (SecretBuffer Private, byte[] Modulus) Generate(int bits, SecretMemory memory)
    {
        Libcrypto.Require();
        try
        {
            fixed (byte* name = "RSA\0"u8, size = "bits\0"u8)
            {
                using var context = Libcrypto.EVP_PKEY_CTX_new_from_name(0, name, 0);
                Libcrypto.Must(Libcrypto.EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init");
                var wanted = (uint)bits;
                var parameters = stackalloc Libcrypto.Parameter[] { Libcrypto.Parameter.Integer(size, &wanted, sizeof(uint)), default };
                Libcrypto.Must(Libcrypto.EVP_PKEY_CTX_set_params(context, parameters), "EVP_PKEY_CTX_set_params");
                nint made = 0;
                Libcrypto.Must(Libcrypto.EVP_PKEY_generate(context, ref made), "EVP_PKEY_generate");
                using var key = new Libcrypto.Key(made);
                return Take(key, bits / 8, memory);
            }
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>What OAEP lets through, into secret memory; null where it refuses, for whatever reason.</summary>
    public static SecretBuffer? Decrypt(SecretBuffer secret, ReadOnlySpan<byte> modulus, ReadOnlySpan<byte> text, SecretMemory memory)
    {
        if (text.Length != modulus.Length)
        {
            return null;
        }

        using var padded = memory.Allocate(modulus.Length);
        try
        {
            using var key = Own(secret, modulus);
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_pkey(0, key, 0);
            using var output = padded.Borrow();
            var length = (nuint)modulus.Length;
            fixed (byte* input = text)
            {
                WithPadding((parameters) => Libcrypto.Must(Libcrypto.EVP_PKEY_decrypt_init_ex(context, parameters), "EVP_PKEY_decrypt_init_ex"));
                var opened = Libcrypto.EVP_PKEY_decrypt(context, output.Pointer, ref length, input, (nuint)text.Length) == 1;
                Libcrypto.ERR_clear_error();
                return opened ? memory.CopyOf(output.Bytes[..(int)length]) : null;
            }
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>Encrypts to the public key; the text is as long as the modulus.</summary>
    public static byte[] Encrypt(ReadOnlySpan<byte> modulus, uint exponent, SecretBuffer secret)
    {
        Libcrypto.Require();
        var text = new byte[modulus.Length];
        try
        {
            using var key = Public(modulus, exponent);
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_pkey(0, key, 0);
            using var input = secret.Borrow();
            var length = (nuint)text.Length;
            fixed (byte* output = text)
            {
                WithPadding((parameters) => Libcrypto.Must(Libcrypto.EVP_PKEY_encrypt_init_ex(context, parameters), "EVP_PKEY_encrypt_init_ex"));
                Libcrypto.Must(Libcrypto.EVP_PKEY_encrypt(context, output, ref length, input.Pointer, (nuint)secret.Length), "EVP_PKEY_encrypt");
            }

            return text;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>Copies the secret numbers of a key of libcrypto's into slots.</summary>
    public static (SecretBuffer Private, byte[] Modulus) Take(Libcrypto.Key key, int modulusBytes, SecretMemory memory)
    {
        var slots = memory.Allocate(SlotBytes(modulusBytes));
        var modulus = new byte[modulusBytes];
        try
        {
            using var lent = slots.Borrow();
            uint exponent = 0;
            fixed (byte* n = "n\0"u8, e = "e\0"u8, number = modulus)
            {
                WithSlots(lent.Pointer, modulusBytes, [Libcrypto.Parameter.Integer(n, number, modulusBytes), Libcrypto.Parameter.Integer(e, &exponent, sizeof(uint))],
                    parameters => Libcrypto.Must(Libcrypto.EVP_PKEY_get_params(key, parameters), "EVP_PKEY_get_params"));
            }

            Libcrypto.Must(exponent == PublicExponent ? 1 : 0, "EVP_PKEY_generate");
            modulus.AsSpan().Reverse();
            return (slots, modulus);
        }
        catch
        {
            slots.Dispose();
            throw;
        }
    }

    private static Libcrypto.Key Own(SecretBuffer secret, ReadOnlySpan<byte> modulus)
    {
        var ordered = modulus.ToArray();
        ordered.AsSpan().Reverse();
        using var lent = secret.Borrow();
        var exponent = PublicExponent;
        Libcrypto.Key? made = null;
        fixed (byte* n = "n\0"u8, e = "e\0"u8, number = ordered)
        {
            WithSlots(lent.Pointer, ordered.Length, [Libcrypto.Parameter.Integer(n, number, ordered.Length), Libcrypto.Parameter.Integer(e, &exponent, sizeof(uint))],
                parameters => made = FromData(Libcrypto.KeyPair, parameters));
        }

        return made!;
    }

    private static Libcrypto.Key Public(ReadOnlySpan<byte> modulus, uint exponent)
    {
        var ordered = modulus.ToArray();
        ordered.AsSpan().Reverse();
        fixed (byte* n = "n\0"u8, e = "e\0"u8, number = ordered)
        {
            var parameters = stackalloc Libcrypto.Parameter[] { Libcrypto.Parameter.Integer(n, number, ordered.Length), Libcrypto.Parameter.Integer(e, &exponent, sizeof(uint)), default };
            return FromData(Libcrypto.PublicKey, parameters);
        }
    }

    private static Libcrypto.Key FromData(int selection, Libcrypto.Parameter* parameters)
    {
        fixed (byte* name = "RSA\0"u8)
        {
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_name(0, name, 0);
            Libcrypto.Must(Libcrypto.EVP_PKEY_fromdata_init(context), "EVP_PKEY_fromdata_init");
            nint key = 0;
            Libcrypto.Must(Libcrypto.EVP_PKEY_fromdata(context, ref key, selection, parameters), "EVP_PKEY_fromdata");
            return new Libcrypto.Key(key);
        }
    }

    private static int SlotBytes(int modulusBytes) => modulusBytes + ((s_secret.Length - 1) * modulusBytes / 2);

    private delegate void ParameterUse(Libcrypto.Parameter* parameters);

    // The secret numbers as parameters, behind those that are given.
    private static void WithSlots(byte* slots, int modulusBytes, ReadOnlySpan<Libcrypto.Parameter> first, ParameterUse use)
    {
        var parameters = stackalloc Libcrypto.Parameter[first.Length + s_secret.Length + 1];
        first.CopyTo(new Span<Libcrypto.Parameter>(parameters, first.Length));
        var names = stackalloc byte[s_secret.Length * 32];
        for (var index = 0; index < s_secret.Length; index++)
        {
            var name = names + (index * 32);
            System.Text.Encoding.ASCII.GetBytes(s_secret[index], new Span<byte>(name, 31));
            var size = index == 0 ? modulusBytes : modulusBytes / 2;
            parameters[first.Length + index] = Libcrypto.Parameter.Integer(name, slots, size);
            slots += size;
        }

        parameters[first.Length + s_secret.Length] = default;
        use(parameters);
    }

    private static void WithPadding(ParameterUse use)
    {
        fixed (byte* padding = "pad-mode\0"u8, oaep = "oaep\0"u8, digest = "digest\0"u8, mask = "mgf1-digest\0"u8, sha = "SHA256\0"u8)
        {
            var parameters = stackalloc Libcrypto.Parameter[]
            {
                Libcrypto.Parameter.Text(padding, oaep, 4),
                Libcrypto.Parameter.Text(digest, sha, 6),
                Libcrypto.Parameter.Text(mask, sha, 6),
                default,
            };
            use(parameters);
        }
    }
}
