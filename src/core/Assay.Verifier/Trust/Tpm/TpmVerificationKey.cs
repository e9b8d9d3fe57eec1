using System.Security.Cryptography;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Trust.Tpm;

/// <summary>
/// A key that verifies TPM signatures: RSA of 2048 to 4096 bits with exponent 65537, or ECDSA on P-256 or P-384. Imported once, at first
/// use.
/// </summary>
internal sealed class TpmVerificationKey
{
    private readonly Lazy<RSA?> _rsa;
    private readonly Lazy<ECDsa?> _ecdsa;
    private readonly int _coordinateSize;

    private TpmVerificationKey(Func<RSA?> rsa, Func<ECDsa?> ecdsa, int coordinateSize)
    {
        _rsa = new Lazy<RSA?>(() => Import(rsa));
        _ecdsa = new Lazy<ECDsa?>(() => Import(ecdsa));
        _coordinateSize = coordinateSize;
    }

    public static TpmVerificationKey? Of(TpmPublic key) => key.Type switch
    {
        TpmKeyType.Rsa when key.Exponent == 65537 && RsaPublicNumbers.Of(key.First.Span, [1, 0, 1]) is { } numbers => Of(numbers),
        TpmKeyType.Ecc => Of(key.Curve, key.First.ToArray(), key.Second.ToArray()),
        _ => null,
    };

    public static TpmVerificationKey Of(RsaPublicNumbers numbers) => new(() => RSA.Create(numbers.Parameters), () => null, 0);

    /// <summary>Whether <paramref name="signature"/> is this key's over <paramref name="message"/> under <paramref name="scheme"/>.</summary>
    public bool Verifies(ReadOnlySpan<byte> message, TpmSignature signature, TpmScheme scheme, OperationMeter meter)
    {
        if (!scheme.IsAccepted || signature.Scheme != scheme)
        {
            return false;
        }

        meter.CountVerification();
        return scheme.Algorithm switch
        {
            // TPMs of the current specification take the hash's length as salt, which is all that the platform's PSS verifies.
            TpmScheme.RsaPss => _rsa.Value?.VerifyData(message, signature.First.Span, scheme.Hash.Name, RSASignaturePadding.Pss) is true,
            TpmScheme.RsaSsa => _rsa.Value?.VerifyData(message, signature.First.Span, scheme.Hash.Name, RSASignaturePadding.Pkcs1) is true,
            _ => VerifiesEcdsa(message, signature, scheme.Hash),
        };
    }

    private bool VerifiesEcdsa(ReadOnlySpan<byte> message, TpmSignature signature, TcgHash hash)
    {
        if (_ecdsa.Value is not { } key || signature.First.Length > _coordinateSize || signature.Second.Length > _coordinateSize)
        {
            return false;
        }

        byte[] fixedLength = [.. TpmPublic.Padded(signature.First.Span, _coordinateSize), .. TpmPublic.Padded(signature.Second.Span, _coordinateSize)];
        return key.VerifyData(message, fixedLength, hash.Name, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    private static TpmVerificationKey Of(ushort curve, byte[] x, byte[] y) => new(
        () => null,
        () => ECDsa.Create(new ECParameters { Curve = curve == 3 ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP384, Q = new ECPoint { X = x, Y = y } }),
        x.Length);

    // A point that is not on the curve, or a modulus that the platform refuses, is bad input and not a bug.
    private static T? Import<T>(Func<T?> import)
        where T : class
    {
        try
        {
            return import();
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
