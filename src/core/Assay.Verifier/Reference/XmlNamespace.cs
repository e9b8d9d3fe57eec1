namespace Assay.Reference;

/// <summary>
/// The namespaces of a RIM, and the only ones that are read. Their values are their order by octets, which is the order in which
/// Canonical XML (§2.2) sorts attributes.
/// </summary>
internal enum XmlNamespace : byte
{
    /// <summary>No namespace.</summary>
    None,

    /// <summary>ISO/IEC 19770-2:2015, software identification tags.</summary>
    Swid,

    /// <summary>XML Signature.</summary>
    XmlDsig,

    /// <summary>The attributes Hash0, Hash1 and so on. It is an algorithm identifier that RIMs use as a namespace.</summary>
    Sha384,

    /// <summary>NVIDIA's minimum security version numbers.</summary>
    OpaqueData,

    /// <summary>TCG Reference Integrity Manifest Information Model.</summary>
    TcgRim,
}

/// <summary>The names of <see cref="XmlNamespace"/>.</summary>
internal static class XmlNamespaces
{
    /// <summary>How many there are, <see cref="XmlNamespace.None"/> included.</summary>
    public const int Count = 6;

    public static ReadOnlySpan<byte> NameOf(XmlNamespace space) => space switch
    {
        XmlNamespace.Swid => "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"u8,
        XmlNamespace.XmlDsig => "http://www.w3.org/2000/09/xmldsig#"u8,
        XmlNamespace.Sha384 => "http://www.w3.org/2001/04/xmlenc#sha384"u8,
        XmlNamespace.OpaqueData => "https://docs.nvidia.com/attestation/specs/latest/opaque-data.html"u8,
        XmlNamespace.TcgRim => "https://trustedcomputinggroup.org/resource/tcg-reference-integrity-manifest-rim-information-model/"u8,
        _ => [],
    };

    /// <summary>The namespace of that name, or <see cref="XmlNamespace.None"/> when RIMs have no such namespace.</summary>
    public static XmlNamespace Find(ReadOnlySpan<byte> name)
    {
        for (var space = XmlNamespace.Swid; (int)space < Count; space++)
        {
            if (name.SequenceEqual(NameOf(space)))
            {
                return space;
            }
        }

        return XmlNamespace.None;
    }
}
