using System.Collections.Immutable;

namespace Assay.Endorsements;

/// <summary>What an item of collateral is. The names of <see cref="CollateralKinds"/> are permanent: they stand in files, metrics and bundles.</summary>
public enum CollateralKind
{
    /// <summary>Not known.</summary>
    None,

    /// <summary>Certificates of an authority up to its root. Id: SHA-384 of its key.</summary>
    Authority,

    /// <summary>A reference integrity manifest. Id: NVIDIA's.</summary>
    Rim,

    /// <summary>An OCSP response. Id: issuer's key, serial number and hash algorithm of the CertID.</summary>
    Ocsp,

    /// <summary>A revocation list of NVIDIA's. Id: its name in the certificates' distribution points.</summary>
    Crl,

    /// <summary>Intel's TCB information. Id: <c>tdx|sgx</c>, FMSPC, update channel.</summary>
    TcbInfo,

    /// <summary>Identity of a quoting enclave. Id: <c>tdx|sgx</c>, update channel.</summary>
    QeIdentity,

    /// <summary>The revocation list of a PCK authority. Id: <c>platform</c> or <c>processor</c>.</summary>
    PckCrl,

    /// <summary>The revocation list of Intel's root.</summary>
    RootCrl,

    /// <summary>A PCK certificate. Id: what it was asked for by.</summary>
    PckCertificate,

    /// <summary>AMD's authority and root of a product. Id: <c>vcek|vlek</c>, product.</summary>
    AmdChain,

    /// <summary>The revocation list of an AMD root. Id: <c>vcek|vlek</c>, product.</summary>
    AmdCrl,

    /// <summary>A versioned chip endorsement key. Id: product, chip, TCB.</summary>
    Vcek,

    /// <summary>A versioned loaded endorsement key. Id: product, provider, TCB.</summary>
    Vlek,

    /// <summary>The keys of a token issuer. Id: the name under which the site trusts it.</summary>
    KeySet,
}

/// <summary>The permanent names of kinds.</summary>
public static class CollateralKinds
{
    private static readonly ImmutableArray<(CollateralKind Kind, string Name)> s_names =
    [
        (CollateralKind.Authority, "authority"), (CollateralKind.Rim, "rim"), (CollateralKind.Ocsp, "ocsp"), (CollateralKind.Crl, "crl"),
        (CollateralKind.TcbInfo, "tcb-info"), (CollateralKind.QeIdentity, "qe-identity"), (CollateralKind.PckCrl, "pck-crl"),
        (CollateralKind.RootCrl, "root-crl"), (CollateralKind.PckCertificate, "pck-cert"), (CollateralKind.AmdChain, "amd-chain"),
        (CollateralKind.AmdCrl, "amd-crl"), (CollateralKind.Vcek, "vcek"), (CollateralKind.Vlek, "vlek"), (CollateralKind.KeySet, "jwks"),
    ];

    /// <summary>Every kind but None, in the order in which one may depend on those before it.</summary>
    public static ImmutableArray<CollateralKind> All { get; } = [.. s_names.Select(item => item.Kind)];

    /// <summary>Its permanent name.</summary>
    public static string NameOf(CollateralKind kind) => s_names.FirstOrDefault(item => item.Kind == kind).Name ?? "none";

    /// <summary>The kind of a name; None of any other text.</summary>
    public static CollateralKind Of(string name) => s_names.FirstOrDefault(item => item.Name == name).Kind;
}

/// <summary>Names an item of collateral.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Which one: of letters, digits and <c>_ . - / = &amp;</c>, no more than <see cref="MostCharacters"/>.</param>
public readonly record struct CollateralKey(CollateralKind Kind, string Id)
{
    /// <summary>An OCSP id has 96 + 1 + 40 + 1 + 6; PCK certificates are asked for by up to 900 characters of hexadecimal.</summary>
    public const int MostCharacters = 1024;

    /// <summary>Whether it can stand in an index, a log line and a metric.</summary>
    public bool IsSound => Kind is not CollateralKind.None && Id.Length <= MostCharacters
        && Id.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '.' or '-' or '/' or '=' or '&');

    /// <inheritdoc/>
    public override string ToString() => $"{CollateralKinds.NameOf(Kind)} {Id}";
}
