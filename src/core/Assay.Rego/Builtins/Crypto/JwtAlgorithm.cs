using System.Security.Cryptography;

namespace Assay.Rego.Builtins.Crypto;

internal enum JwtFamily
{
    Hs,
    Rs,
    Ps,
    Es,
}

/// <summary>A signature algorithm of RFC 7518, section 3.1. EdDSA is not among them: the framework has no Edwards curves.</summary>
internal readonly record struct JwtAlgorithm(JwtFamily Family, HashAlgorithmName Hash)
{
    public static JwtAlgorithm? Find(string name)
    {
        JwtFamily? family = name.Length == 5 ? name[..2] switch { "HS" => JwtFamily.Hs, "RS" => JwtFamily.Rs, "PS" => JwtFamily.Ps, "ES" => JwtFamily.Es, _ => null } : null;
        HashAlgorithmName? hash = name.Length == 5 ? name[2..] switch { "256" => HashAlgorithmName.SHA256, "384" => HashAlgorithmName.SHA384, "512" => HashAlgorithmName.SHA512, _ => null } : null;
        return family is { } kind && hash is { } digest ? new JwtAlgorithm(kind, digest) : null;
    }
}
