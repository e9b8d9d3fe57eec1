namespace Assay.Simulator;

/// <summary>The object identifiers that the simulator writes.</summary>
internal static class Oids
{
    public const string EcdsaWithSha384 = "1.2.840.10045.4.3.3";

    public const string CommonName = "2.5.4.3";
    public const string SerialNumber = "2.5.4.5";
    public const string Country = "2.5.4.6";
    public const string Locality = "2.5.4.7";
    public const string State = "2.5.4.8";
    public const string Organization = "2.5.4.10";

    public const string SubjectKeyIdentifier = "2.5.29.14";
    public const string KeyUsage = "2.5.29.15";
    public const string SubjectAlternativeName = "2.5.29.17";
    public const string BasicConstraints = "2.5.29.19";
    public const string CrlNumber = "2.5.29.20";
    public const string ReasonCode = "2.5.29.21";
    public const string CrlDistributionPoints = "2.5.29.31";
    public const string AuthorityKeyIdentifier = "2.5.29.35";
    public const string ExtendedKeyUsage = "2.5.29.37";
    public const string AuthorityInformationAccess = "1.3.6.1.5.5.7.1.1";
    public const string AccessMethodOcsp = "1.3.6.1.5.5.7.48.1";

    public const string OcspSigning = "1.3.6.1.5.5.7.3.9";
    public const string OcspBasic = "1.3.6.1.5.5.7.48.1.1";
    public const string OcspNonce = "1.3.6.1.5.5.7.48.1.2";
    public const string OcspNoCheck = "1.3.6.1.5.5.7.48.1.5";

    public const string Sha1 = "1.3.14.3.2.26";
    public const string Sha256 = "2.16.840.1.101.3.4.2.1";
    public const string Sha384 = "2.16.840.1.101.3.4.2.2";

    /// <summary>DMTF DSP0274: device information of the form manufacturer:product:serial.</summary>
    public const string DmtfDeviceInfo = "1.3.6.1.4.1.412.274.1";

    /// <summary>CompositeDeviceID: how Hopper and LS10 state their firmware identity.</summary>
    public const string CompositeDeviceId = "2.23.133.5.4.1";

    /// <summary>TCG DICE TcbInfo: how Blackwell states it.</summary>
    public const string DiceTcbInfo = "2.23.133.5.4.1.1";
}
