namespace Assay.Sealing.Keys;

/// <summary>Kinds of keys that something can be sealed to.</summary>
public enum KeyKind
{
    /// <summary>None chosen.</summary>
    None,

    /// <summary>P-256, for key brokers that know no other.</summary>
    P256,

    /// <summary>P-384, the one to choose.</summary>
    P384,

    /// <summary>P-521.</summary>
    P521,

    /// <summary>RSA of 3072 bits.</summary>
    Rsa3072,

    /// <summary>RSA of 4096 bits.</summary>
    Rsa4096,
}
