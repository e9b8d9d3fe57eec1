using Assay.Sealing.Memory;

namespace Assay.Sealing.Keys;

/// <summary>
/// Private keys on NIST curves. At rest a private scalar is <see cref="Curve.FieldBytes"/> bytes in secret memory, least byte first as libcrypto
/// takes it; libcrypto has it for the time of one call and wipes its copy.
/// </summary>
internal static unsafe class EllipticKey
{
    private const int Uncompressed = 4;

    // openssl/bn.h: BN_FLG_CONSTTIME.
    private const int ConstantTime = 4;

    /// <summary>A new key: the scalar, and the uncompressed point.</summary>
    public static (SecretBuffer Private, byte[] Point) Generate(Curve curve, SecretMemory memory)
    {
        Libcrypto.Require();
        var scalar = memory.Allocate(curve.FieldBytes);
        var point = new byte[curve.PointBytes];
        try
        {
            using var key = GenerateKey(curve);
            using var lent = scalar.Borrow();
            fixed (byte* priv = "priv\0"u8, pub = "pub\0"u8, coordinates = point)
            {
                var parameters = stackalloc Libcrypto.Parameter[]
                {
                    Libcrypto.Parameter.Integer(priv, lent.Pointer, curve.FieldBytes),
                    Libcrypto.Parameter.Octets(pub, coordinates, point.Length),
                    default,
                };
                Libcrypto.Must(Libcrypto.EVP_PKEY_get_params(key, parameters), "EVP_PKEY_get_params");
            }

            return (scalar, point);
        }
        catch
        {
            scalar.Dispose();
            throw;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>The point of a scalar (least byte first); null where it is zero or not below the group's order.</summary>
    public static byte[]? PointOf(Curve curve, SecretBuffer scalar)
    {
        Libcrypto.Require();
        nint group = 0, number = 0, point = 0;
        try
        {
            group = Libcrypto.EC_GROUP_new_by_curve_name(curve.Nid);
            point = Libcrypto.EC_POINT_new(group);
            using var lent = scalar.Borrow();
            number = Libcrypto.BN_lebin2bn(lent.Pointer, scalar.Length, Libcrypto.BN_secure_new());
            Libcrypto.Must(group != 0 && point != 0 && number != 0 ? 1 : 0, "EC_GROUP_new_by_curve_name");
            Libcrypto.BN_set_flags(number, ConstantTime);
            if (Libcrypto.BN_is_zero(number) == 1 || Libcrypto.BN_cmp(number, Libcrypto.EC_GROUP_get0_order(group)) >= 0)
            {
                return null;
            }

            Libcrypto.Must(Libcrypto.EC_POINT_mul(group, point, number, 0, 0, 0), "EC_POINT_mul");
            var octets = new byte[curve.PointBytes];
            fixed (byte* output = octets)
            {
                var written = Libcrypto.EC_POINT_point2oct(group, point, Uncompressed, output, (nuint)octets.Length, 0);
                Libcrypto.Must(written == (nuint)octets.Length ? 1 : 0, "EC_POINT_point2oct");
            }

            return octets;
        }
        finally
        {
            Libcrypto.BN_clear_free(number);
            Libcrypto.EC_POINT_clear_free(point);
            Libcrypto.EC_GROUP_free(group);
            StackWipe.Run();
        }
    }

    /// <summary>Whether it is an uncompressed point on the curve. The order need not be asked: the cofactor is 1 (SP 800-56A rev. 3 §5.6.2.3.4).</summary>
    public static bool IsPoint(Curve curve, ReadOnlySpan<byte> point)
    {
        using var key = Peer(curve, point);
        return key is not null;
    }

    /// <summary>
    /// The X coordinate of the shared point, <see cref="Curve.FieldBytes"/> bytes with leading zeros, into secret memory; null where
    /// <paramref name="peer"/> is no point of the curve.
    /// </summary>
    public static SecretBuffer? Agree(Curve curve, SecretBuffer scalar, ReadOnlySpan<byte> point, ReadOnlySpan<byte> peer, SecretMemory memory)
    {
        using var other = Peer(curve, peer);
        if (other is null)
        {
            return null;
        }

        var secret = memory.Allocate(curve.FieldBytes);
        try
        {
            using var own = Own(curve, scalar, point);
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_pkey(0, own, 0);
            Libcrypto.Must(Libcrypto.EVP_PKEY_derive_init(context), "EVP_PKEY_derive_init");
            Libcrypto.Must(Libcrypto.EVP_PKEY_derive_set_peer_ex(context, other, validate: 0), "EVP_PKEY_derive_set_peer_ex");
            using var lent = secret.Borrow();
            var length = (nuint)curve.FieldBytes;
            Libcrypto.Must(Libcrypto.EVP_PKEY_derive(context, lent.Pointer, ref length), "EVP_PKEY_derive");
            // Zero is an X coordinate like others: these curves have points there (Wycheproof has one). RFC 9180 §7.1.4 asks it of X25519 and X448 alone.
            Libcrypto.Must(length == (nuint)curve.FieldBytes ? 1 : 0, "EVP_PKEY_derive");
            return secret;
        }
        catch
        {
            secret.Dispose();
            throw;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    private static Libcrypto.Key GenerateKey(Curve curve)
    {
        fixed (byte* name = "EC\0"u8, group = "group\0"u8, text = System.Text.Encoding.ASCII.GetBytes(curve.Name))
        {
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_name(0, name, 0);
            Libcrypto.Must(Libcrypto.EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init");
            var parameters = stackalloc Libcrypto.Parameter[] { Libcrypto.Parameter.Text(group, text, curve.Name.Length), default };
            Libcrypto.Must(Libcrypto.EVP_PKEY_CTX_set_params(context, parameters), "EVP_PKEY_CTX_set_params");
            nint key = 0;
            Libcrypto.Must(Libcrypto.EVP_PKEY_generate(context, ref key), "EVP_PKEY_generate");
            return new Libcrypto.Key(key);
        }
    }

    private static Libcrypto.Key Own(Curve curve, SecretBuffer scalar, ReadOnlySpan<byte> point)
    {
        using var lent = scalar.Borrow();
        fixed (byte* group = "group\0"u8, priv = "priv\0"u8, pub = "pub\0"u8, text = System.Text.Encoding.ASCII.GetBytes(curve.Name), coordinates = point)
        {
            var parameters = stackalloc Libcrypto.Parameter[]
            {
                Libcrypto.Parameter.Text(group, text, curve.Name.Length),
                Libcrypto.Parameter.Octets(pub, coordinates, point.Length),
                Libcrypto.Parameter.Integer(priv, lent.Pointer, scalar.Length),
                default,
            };
            return FromData(Libcrypto.KeyPair, parameters) ?? throw new SealingException(new SealingFault(SealingFaults.Library, "EVP_PKEY_fromdata failed", "report it as a bug"));
        }
    }

    private static Libcrypto.Key? Peer(Curve curve, ReadOnlySpan<byte> point)
    {
        Libcrypto.Require();
        if (point.Length != curve.PointBytes || point[0] != Uncompressed)
        {
            return null;
        }

        fixed (byte* group = "group\0"u8, pub = "pub\0"u8, text = System.Text.Encoding.ASCII.GetBytes(curve.Name), coordinates = point)
        {
            var parameters = stackalloc Libcrypto.Parameter[]
            {
                Libcrypto.Parameter.Text(group, text, curve.Name.Length),
                Libcrypto.Parameter.Octets(pub, coordinates, point.Length),
                default,
            };
            return FromData(Libcrypto.PublicKey, parameters);
        }
    }

    private static Libcrypto.Key? FromData(int selection, Libcrypto.Parameter* parameters)
    {
        fixed (byte* name = "EC\0"u8)
        {
            using var context = Libcrypto.EVP_PKEY_CTX_new_from_name(0, name, 0);
            Libcrypto.Must(Libcrypto.EVP_PKEY_fromdata_init(context), "EVP_PKEY_fromdata_init");
            nint key = 0;
            var made = Libcrypto.EVP_PKEY_fromdata(context, ref key, selection, parameters) == 1;
            // A refusal leaves entries in the thread's queue, which a later call of .NET would report as its own.
            Libcrypto.ERR_clear_error();
            return made ? new Libcrypto.Key(key) : null;
        }
    }
}
