using System.Collections.Immutable;

namespace Assay.Wire;

/// <summary>
/// A place where more than one spelling of an input is read, because the field writes it so. There is no other than those listed here (S-26): each
/// has a permanent name, and docs/reference/leniencies.md says for each where it comes from, its limit and why it is harmless. What is skipped lies
/// outside of what is signed.
/// </summary>
public sealed record Leniency
{
    // Before those that are listed: each enters itself.
    private static readonly SortedDictionary<string, Leniency> s_all = new(StringComparer.Ordinal);

    private Leniency(string name)
    {
        Name = name;
        s_all.Add(name, this);
    }

    /// <summary>Its permanent name.</summary>
    public string Name { get; }

    /// <summary>One UTF-8 byte order mark before text.</summary>
    public static Leniency ByteOrderMark { get; } = new("byte-order-mark");

    /// <summary>CR LF in place of LF, in PEM and between lines of base64 and hexadecimal.</summary>
    public static Leniency CarriageReturns { get; } = new("carriage-returns");

    /// <summary>0x before hexadecimal.</summary>
    public static Leniency HexPrefix { get; } = new("hex-prefix");

    /// <summary>Hexadecimal with white space between its digits.</summary>
    public static Leniency HexInLines { get; } = new("hex-in-lines");

    /// <summary>Base64 that is broken into lines.</summary>
    public static Leniency WrappedBase64 { get; } = new("wrapped-base64");

    /// <summary>The URL-safe alphabet where base64 is expected, with or without padding.</summary>
    public static Leniency Base64Url { get; } = new("base64url");

    /// <summary>One zero byte behind a GPU's or switch's report.</summary>
    public static Leniency TerminatedReport { get; } = new("terminated-report");

    /// <summary>Zero bytes behind a TDX quote.</summary>
    public static Leniency ZeroPaddedQuote { get; } = new("zero-padded-quote");

    /// <summary>One zero byte behind the PEM chain in a quote.</summary>
    public static Leniency TerminatedChain { get; } = new("terminated-chain");

    /// <summary>Zeros, or bytes FF, behind the last event of a confidential VM's log.</summary>
    public static Leniency PaddedLog { get; } = new("padded-log");

    /// <summary>An event that extends nothing under a number of no register.</summary>
    public static Leniency RegisterOfNoAction { get; } = new("register-of-no-action");

    /// <summary>The log of td-shim, whose header has index 0 as a TPM's.</summary>
    public static Leniency ShimHeader { get; } = new("shim-header");

    /// <summary>GeneralizedTime for years before 2050.</summary>
    public static Leniency GeneralizedTime { get; } = new("generalized-time");

    /// <summary>keyUsage with trailing zero bits.</summary>
    public static Leniency KeyUsageBits { get; } = new("key-usage-bits");

    /// <summary>The default trailerField of RSASSA-PSS, written out.</summary>
    public static Leniency PssTrailer { get; } = new("pss-trailer");

    /// <summary>The default version of an OCSP answer, written out.</summary>
    public static Leniency OcspVersion { get; } = new("ocsp-version");

    /// <summary>SHA-1 in CertIDs, and absent or NULL parameters of their hash.</summary>
    public static Leniency CertIdHash { get; } = new("cert-id-hash");

    /// <summary>Both spellings of booleans in a RIM's minimum SVNs, and members there that may be absent.</summary>
    public static Leniency RimFloorForms { get; } = new("rim-floor-forms");

    /// <summary>Base64 in lines in a RIM's certificates.</summary>
    public static Leniency RimCertificateLines { get; } = new("rim-certificate-lines");

    /// <summary>The digest of a RIM service's answer over the RIM, or over its base64.</summary>
    public static Leniency RimServiceDigest { get; } = new("rim-service-digest");

    /// <summary>All of them, by name.</summary>
    public static ImmutableArray<Leniency> All { get; } = [.. s_all.Values];
}
