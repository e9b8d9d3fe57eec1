namespace Assay.Trust;

/// <summary>
/// The critical extension that every certificate of a simulated hierarchy carries (S-12). A simulated trust set demands it;
/// any other refuses it, as does every verifier that has never heard of it.
/// </summary>
internal static class SimulatedMarker
{
    /// <summary>2.25.118936254183907542186053920184736452871, an arc made from a UUID (ITU-T X.667).</summary>
    public static ReadOnlySpan<byte> Oid =>
    [
        0x69, 0x81, 0xB2, 0xFA, 0xA5, 0x84, 0xC7, 0x9C, 0xF9, 0xF7, 0x99, 0xCA, 0xC9, 0x8B, 0xAC, 0xB0, 0xCE, 0xE2, 0xA2, 0x07,
    ];
}
