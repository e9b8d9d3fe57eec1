using System.Collections.Immutable;
using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>A distinguished name in the attribute order and string types of NVIDIA's own.</summary>
internal sealed record SubjectName(ImmutableArray<(string Oid, string Value)> Attributes)
{
    private const string Nvidia = "NVIDIA Corporation";
    private const string Simulator = "Assay Simulator";

    public string Common => Attributes.First(attribute => attribute.Oid is Oids.CommonName).Value;

    /// <summary>The roots differ from NVIDIA's in name, so that no list of roots can confuse them.</summary>
    public static SubjectName DeviceRoot { get; } =
        new([(Oids.CommonName, "Assay Simulated Device Identity CA"), (Oids.Organization, Simulator)]);

    public static SubjectName RimRoot { get; } =
        new([(Oids.Country, "US"), (Oids.Organization, Simulator), (Oids.CommonName, "Assay Simulated RIM Root CA")]);

    public static SubjectName Identity(string common) => new([(Oids.CommonName, common), (Oids.Organization, Nvidia)]);

    public static SubjectName Intermediate(string common) =>
        new([(Oids.CommonName, common), (Oids.Organization, Nvidia), (Oids.Country, "US")]);

    public static SubjectName Device(string serial, string common) =>
        new([(Oids.SerialNumber, serial), (Oids.Country, "US"), (Oids.Organization, Nvidia), (Oids.CommonName, common)]);

    public static SubjectName RimSigner(string common) => new(
    [
        (Oids.Country, "US"), (Oids.State, "CA"), (Oids.Locality, "Santa Clara"),
        (Oids.Organization, Nvidia), (Oids.CommonName, common),
    ]);

    public static SubjectName OcspResponder(string issuer) =>
        new([(Oids.CommonName, $"Assay Simulated OCSP of {issuer}"), (Oids.Organization, Simulator)]);

    public byte[] Encode() => Der.Encode(writer =>
    {
        using (writer.PushSequence())
        {
            foreach (var (oid, value) in Attributes)
            {
                using (writer.PushSetOf())
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(oid);
                    writer.WriteCharacterString(StringType(oid), value);
                }
            }
        }
    });

    private static UniversalTagNumber StringType(string oid) =>
        oid is Oids.SerialNumber or Oids.Country ? UniversalTagNumber.PrintableString : UniversalTagNumber.UTF8String;
}
