using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Trust.Tpm;

/// <summary>Why an attestation key is believed (S-9). The default is not at all.</summary>
public enum TpmRoot
{
    /// <summary>A bare key: whoever holds it signs what he likes. Never trusted.</summary>
    None,

    /// <summary>Credential activation: the key lives in the TPM that holds an endorsement key which is trusted.</summary>
    EkActivated,

    /// <summary>A certificate under a pinned root names the key. The statement is that of the provider that runs the TPM.</summary>
    PlatformCertified,

    /// <summary>The key's hash is in the report of a confidential VM: the TPM runs inside it.</summary>
    InTee,
}

/// <summary>A TPM's attestation key with the reason why it is believed. Each root has one way to make it.</summary>
internal sealed class AttestationKey
{
    private const uint AzureRsaBits = 2048;

    private AttestationKey(TpmRoot root, TpmVerificationKey key, TpmScheme scheme, TpmPublic? area, byte[]? qualifiedName)
    {
        Root = root;
        Key = key;
        Scheme = scheme;
        Public = area;
        QualifiedName = qualifiedName;
    }

    /// <summary>Why it is believed.</summary>
    public TpmRoot Root { get; }

    /// <summary>The one scheme that it signs with.</summary>
    internal TpmScheme Scheme { get; }

    /// <summary>Its public area, attributes and all; null if its root certifies the bare key (Azure's JWK).</summary>
    internal TpmPublic? Public { get; }

    /// <summary>The qualified name that its quotes must state; null where the endorsement key is not known.</summary>
    internal byte[]? QualifiedName { get; }

    internal TpmVerificationKey Key { get; }

    /// <summary><c>in-tee</c>, <c>platform-certified</c>, <c>ek-activated</c> or <c>none</c>.</summary>
    public string RootWord => WordOf(Root);

    internal static string WordOf(TpmRoot root) => root switch
    {
        TpmRoot.InTee => "in-tee",
        TpmRoot.PlatformCertified => "platform-certified",
        TpmRoot.EkActivated => "ek-activated",
        _ => "none",
    };

    /// <summary>A key that nothing certifies: its quotes can be read, and are not trusted.</summary>
    internal static bool TryBare(TpmPublic area, [NotNullWhen(true)] out AttestationKey? key, [NotNullWhen(false)] out string? whyNot) =>
        TryMake(area, TpmRoot.None, null, out key, out whyNot);

    /// <summary>A bare RSA key of which only the numbers are known.</summary>
    internal static AttestationKey Bare(RsaPublicNumbers numbers, TpmScheme scheme)
    {
        ArgumentNullException.ThrowIfNull(numbers);
        return new AttestationKey(TpmRoot.None, TpmVerificationKey.Of(numbers), scheme, null, null);
    }

    /// <summary>
    /// The key that an HCL report names, in the TEE when REPORTDATA of the hardware report that verified is the hash of the runtime data, and
    /// a reference value names the paravisor that was measured: REPORTDATA of an ordinary guest is chosen by any root process in it (S-9a).
    /// That the key is restricted to the TPM's own statements is the measured paravisor's word: the JWK does not tell.
    /// </summary>
    internal static bool TryInTee(HclReport report, TeeReportData verified, [NotNullWhen(true)] out AttestationKey? key, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(verified);
        var bound = CryptographicOperations.FixedTimeEquals(report.ExpectedReportData(), verified.Bytes.Span);
        whyNot = verified.Paravisor is null ? "no reference value names the paravisor that was measured"
            : !bound ? "REPORTDATA of the hardware report is not the hash of the runtime data that name the key"
            : report.Runtime.AttestationKey.Modulus.Length * 8 != AzureRsaBits ? $"HCLAkPub is not an RSA key of {AzureRsaBits} bits"
            : null;
        key = whyNot is null ? new AttestationKey(TpmRoot.InTee, TpmVerificationKey.Of(report.Runtime.AttestationKey), Azure, null, null) : null;
        return key is not null;
    }

    /// <summary>What Azure's vTPM signs with.</summary>
    internal static TpmScheme Azure { get; } = new(TpmScheme.RsaSsa, TcgHash.Sha256);

    /// <summary>After a credential was activated: the key lives beside that endorsement key.</summary>
    internal static bool TryActivated(TpmPublic area, byte[] qualifiedName, [NotNullWhen(true)] out AttestationKey? key, [NotNullWhen(false)] out string? whyNot) =>
        TryMake(area, TpmRoot.EkActivated, qualifiedName, out key, out whyNot);

    /// <summary>
    /// Why a public area is no attestation key's; null when it is. Without <c>restricted</c> software could sign a statement of its own
    /// making, without the other three the private key may live elsewhere.
    /// </summary>
    internal static string? WhyNotAttributes(TpmPublic area)
    {
        var attributes = area.Attributes;
        (bool Holds, string Name)[] wanted =
        [
            (attributes.FixedTpm, "fixedTPM"), (attributes.FixedParent, "fixedParent"), (attributes.SensitiveDataOrigin, "sensitiveDataOrigin"),
            (attributes.Restricted, "restricted"), (attributes.Sign, "sign"), (!attributes.Decrypt, "no decrypt"),
        ];
        var missing = wanted.Where(item => !item.Holds).Select(item => item.Name).ToArray();
        return missing.Length == 0 ? null : $"objectAttributes {attributes.Value:X8} lack {string.Join(", ", missing)}";
    }

    private static bool TryMake(TpmPublic area, TpmRoot root, byte[]? qualifiedName, [NotNullWhen(true)] out AttestationKey? key, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(area);
        var verifies = TpmVerificationKey.Of(area);
        whyNot = WhyNotAttributes(area)
            ?? (!area.Scheme.IsAccepted ? $"the key has {area.Scheme}; RSASSA, RSAPSS or ECDSA with SHA-256, SHA-384 or SHA-512 is expected"
            : (area.Scheme.Algorithm is TpmScheme.EcDsa) != (area.Type is TpmKeyType.Ecc) ? "the scheme does not fit the kind of key"
            : verifies is null ? "the RSA exponent is not 65537"
            : null);
        key = whyNot is null ? new AttestationKey(root, verifies!, area.Scheme, area, qualifiedName) : null;
        return key is not null;
    }
}
