using System.Collections.Immutable;
using System.Text;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>Where a certificate says that its issuer's revocation list is (RFC 5280 §4.2.1.13). Read to name lists, never to fetch from.</summary>
internal static class CrlAddresses
{
    private const int Most = 8;
    private const byte UniformResourceIdentifier = 0x86;

    /// <summary>The addresses in their order; none when the extension is absent or malformed.</summary>
    public static ImmutableArray<string> Of(Certificate certificate)
    {
        if (certificate.Extensions.Find(Oids.CrlDistributionPoints) is not { } value)
        {
            return [];
        }

        var found = ImmutableArray.CreateBuilder<string>();
        var faults = new DerFaults();
        var reader = new DerReader(value, faults);
        var points = reader.Sequence("cRLDistributionPoints");
        while (points.HasMore)
        {
            points.Require(found.Count < Most, "cRLDistributionPoints", "too many");
            var point = points.Sequence("DistributionPoint");
            if (!point.NextIs(DerTag.ContextConstructed(0)))
            {
                continue;
            }

            var name = point.Nested(DerTag.ContextConstructed(0), "distributionPoint");
            if (!name.NextIs(DerTag.ContextConstructed(0)))
            {
                continue;
            }

            var names = name.Nested(DerTag.ContextConstructed(0), "fullName");
            while (names.HasMore)
            {
                if (names.NextIs(UniformResourceIdentifier))
                {
                    found.Add(Encoding.ASCII.GetString(names.Value(UniformResourceIdentifier, "uniformResourceIdentifier")));
                }
                else
                {
                    names.AnyElement("GeneralName");
                }
            }
        }

        return faults.First is null ? found.ToImmutable() : [];
    }
}
