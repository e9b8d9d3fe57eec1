namespace Assay.Simulator;

/// <summary>
/// The mark of everything the simulator certifies: an extension that says so. Not critical, so that existing clients can be tested once they
/// are told to trust the simulator's roots; critical on demand, and then every verifier that does not know it must refuse the certificate
/// (RFC 5280, section 4.2).
/// </summary>
public static class SimulatedMarker
{
    /// <summary>Below the arc for examples (ITU-T X.660, A.7).</summary>
    public const string Oid = "2.999.11.1";

    /// <summary>The older form, below an arc made from a UUID (X.667): 128 bits, which some libraries cannot read.</summary>
    public const string CriticalOid = "2.25.118936254183907542186053920184736452871";

    /// <summary>The extension's value: a DER UTF8String of this text.</summary>
    public const string Text = "SIMULATED: not a genuine device";
}
