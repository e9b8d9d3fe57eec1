namespace Assay.Trust;

/// <summary>
/// The extension that every certificate of a simulated hierarchy carries (S-12), in the two forms that were ever written. A simulated trust
/// set demands one of them; any other refuses both, critical or not.
/// </summary>
internal static class SimulatedMarker
{
    /// <summary>Below the arc for examples (ITU-T X.660, A.7): not critical, so that existing clients can be tested.</summary>
    public const string OidText = "2.999.11.1";

    /// <summary>Made from a UUID (ITU-T X.667): critical, so that every other verifier refuses it.</summary>
    public const string CriticalOidText = "2.25.118936254183907542186053920184736452871";

    /// <summary><see cref="OidText"/> as DER has it.</summary>
    public static ReadOnlySpan<byte> Oid => [0x88, 0x37, 0x0B, 0x01];

    /// <summary><see cref="CriticalOidText"/> as DER has it.</summary>
    public static ReadOnlySpan<byte> CriticalOid =>
    [
        0x69, 0x81, 0xB2, 0xFA, 0xA5, 0x84, 0xC7, 0x9C, 0xF9, 0xF7, 0x99, 0xCA, 0xC9, 0x8B, 0xAC, 0xB0, 0xCE, 0xE2, 0xA2, 0x07,
    ];

    /// <summary>Whether a certificate with these extensions says that a simulator made it.</summary>
    public static bool IsIn(CertificateExtensions extensions) => extensions.Find(Oid) is not null || extensions.Find(CriticalOid) is not null;

    /// <summary>Whether <paramref name="oid"/> is one of the two.</summary>
    public static bool Is(ReadOnlySpan<byte> oid) => oid.SequenceEqual(Oid) || oid.SequenceEqual(CriticalOid);
}
