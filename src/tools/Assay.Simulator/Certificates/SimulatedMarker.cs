namespace Assay.Simulator;

/// <summary>
/// The mark of everything the simulator certifies: a critical extension no other software knows.
/// A verifier that has not been told about it must refuse the certificate (RFC 5280, section 4.2).
/// </summary>
public static class SimulatedMarker
{
    /// <summary>A UUID-derived arc (X.667), so it needed no registration and collides with nobody.</summary>
    public const string Oid = "2.25.118936254183907542186053920184736452871";

    /// <summary>The extension's value: a DER UTF8String of this text.</summary>
    public const string Text = "SIMULATED: not a genuine device";
}
