using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>A public key that may check a token's signature: RSA or elliptic curve, with what a JWK says of it.</summary>
internal sealed record VerificationKey(RSAParameters? Rsa, ECParameters? Ec, string KeyId, string Algorithm)
{
    private const int MaxKeys = 64;

    // Larger moduli cost a policy more than a signature is worth; the largest in use have 8192 bits.
    private const int MaxModulusBytes = 2048;

    /// <summary>Reads a PEM certificate, a PEM public key, a JWK or a JWKS.</summary>
    public static bool TryReadAll(string text, [NotNullWhen(true)] out List<VerificationKey>? keys, [NotNullWhen(false)] out string? fault)
    {
        (keys, fault) = (null, null);
        if (!PemText.TryFirst(text, out var block, out var rest))
        {
            return TryReadJwks(text, out keys, out fault);
        }

        if (rest.Length > 0)
        {
            fault = "extra data after a PEM certificate block";
            return false;
        }

        var key = block.Label switch
        {
            "CERTIFICATE" => FromCertificate(block.Bytes, out fault),
            "PUBLIC KEY" => FromPublicKey(block.Bytes, out fault),
            _ => null,
        };
        if (key is null)
        {
            fault ??= "failed to extract a Key from the PEM certificate";
            return false;
        }

        (keys, fault) = ([key], null);
        return true;
    }

    /// <summary>Checks a signature over a hash. The key's kind must be the algorithm's: an RSA key never checks ES256.</summary>
    public bool Verifies(JwtAlgorithm algorithm, byte[] hash, byte[] signature)
    {
        try
        {
            switch (algorithm.Family)
            {
                case JwtFamily.Rs when Rsa is { } key:
                    using (var rsa = RSA.Create(key))
                    {
                        return rsa.VerifyHash(hash, signature, algorithm.Hash, RSASignaturePadding.Pkcs1);
                    }

                case JwtFamily.Ps when Rsa is { } key:
                    return PssSignature.Verifies(key, hash, signature, algorithm.Hash);
                case JwtFamily.Es when Ec is { } key:
                    using (var ec = ECDsa.Create(key))
                    {
                        return ec.VerifyHash(hash, signature, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
                    }

                default:
                    return false;
            }
        }
        catch (CryptographicException)
        {
            // A key or signature that the framework will not work with verifies nothing.
            return false;
        }
    }

    private static VerificationKey? FromCertificate(byte[] der, out string? fault)
    {
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            using var rsa = certificate.GetRSAPublicKey();
            using var ec = certificate.GetECDsaPublicKey();
            fault = null;
            return Of(rsa?.ExportParameters(false), ec?.ExportParameters(false));
        }
        catch (Exception refused) when (refused is CryptographicException or ArgumentException)
        {
            fault = "failed to parse a PEM certificate: x509: malformed certificate";
            return null;
        }
    }

    private static VerificationKey? FromPublicKey(byte[] der, out string? fault)
    {
        foreach (var import in (ReadOnlySpan<Func<byte[], VerificationKey?>>)[ImportRsa, ImportEc])
        {
            try
            {
                fault = null;
                return import(der);
            }
            catch (CryptographicException)
            {
                // Not of this kind.
            }
        }

        fault = "failed to parse a PEM public key: asn1: structure error";
        return null;
    }

    private static VerificationKey? ImportRsa(byte[] der)
    {
        using var rsa = RSA.Create();
        rsa.ImportSubjectPublicKeyInfo(der, out _);
        return Of(rsa.ExportParameters(false), null);
    }

    private static VerificationKey? ImportEc(byte[] der)
    {
        using var ec = ECDsa.Create();
        ec.ImportSubjectPublicKeyInfo(der, out _);
        return Of(null, ec.ExportParameters(false));
    }

    private static VerificationKey? Of(RSAParameters? rsa, ECParameters? ec) =>
        (rsa is null && ec is null) || rsa?.Modulus?.Length > MaxModulusBytes ? null : new VerificationKey(rsa, ec, "", "");

    private static bool TryReadJwks(string text, [NotNullWhen(true)] out List<VerificationKey>? keys, [NotNullWhen(false)] out string? fault)
    {
        keys = [];
        if (!RegoJson.TryRead(text, out var value, out var problem) || value is not RegoObject document)
        {
            (keys, fault) = (null, $"failed to parse a JWK key (set): {problem ?? "not an object"}");
            return false;
        }

        IEnumerable<RegoValue> members = document.TryGetValue("keys", out var listed) && listed is RegoArray array ? array : [document];
        foreach (var member in members.Take(MaxKeys))
        {
            if (member is not RegoObject jwk || !JsonWebKey.TryReadPublic(jwk, out var rsa, out var ec))
            {
                (keys, fault) = (null, "failed to parse a JWK key (set): unsupported or incomplete key");
                return false;
            }

            // Symmetric and Edwards keys may stand in a set; they check nothing here.
            if ((rsa ?? (object?)ec) is not null && !(rsa?.Modulus?.Length > MaxModulusBytes))
            {
                keys.Add(new VerificationKey(rsa, ec, JsonWebKey.Text(jwk, "kid"), JsonWebKey.Text(jwk, "alg")));
            }
        }

        fault = null;
        return true;
    }
}
