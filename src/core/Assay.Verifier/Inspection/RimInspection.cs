using Assay.Reference;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>A reference integrity manifest: what it is about, its golden values and floors, and who says that he signed it.</summary>
internal static class RimInspection
{
    private const int ScalarSize = 48;
    private const int ShownHashBytes = 12;

    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (!RimDocument.TryParse(file, out var rim, out var fault))
        {
            faults.Malformed($"{name}: RIM", fault);
            return null;
        }

        var active = rim.Measurements.Count(measurement => measurement.Active);
        return
        [
            InspectionNode.Text("tag_id", rim.TagId),
            InspectionNode.Text("product", rim.Product),
            InspectionNode.Text("edition", rim.Edition),
            InspectionNode.Text("colloquial_version", rim.ColloquialVersion),
            InspectionNode.Text("revision", rim.Revision),
            InspectionNode.Text("firmware_manufacturer_id", rim.FirmwareManufacturerId),
            InspectionNode.Hex("content_sha256", rim.Content.Bytes, whole: true),
            rim.MinimumSvns.IsEmpty ? InspectionNode.List("minimum_svns") with { Shown = "none" } : null,
            Digests(rim),
            active == 0
                ? InspectionNode.List("measurements", rim.Measurements.Select(Golden)) with { Shown = $"none active of {rim.Measurements.Length}" }
                : InspectionNode.Table("measurements", rim.Measurements.Select(Golden)) with { Shown = $"measurements ({active} active of {rim.Measurements.Length})" },
            rim.MinimumSvns.IsEmpty ? null : InspectionNode.Table("minimum_svns", rim.MinimumSvns.Select(Floor)),
            CertificateInspection.Certificates("signer_certificates", rim.Certificates, name, faults),
        ];
    }

    private static InspectionNode Digests(RimDocument rim) => InspectionNode.Group(
        "signature",
        InspectionNode.Hex("digest_claimed", rim.ClaimedDigest.Bytes, whole: true),
        InspectionNode.Hex("digest_computed", rim.DocumentDigest.Bytes, whole: true),
        InspectionNode.Flag("digests_equal", rim.ClaimedDigest == rim.DocumentDigest),
        InspectionNode.Hex("r", rim.SignatureValue.Span[..ScalarSize], whole: true),
        InspectionNode.Hex("s", rim.SignatureValue.Span[ScalarSize..], whole: true));

    private static InspectionNode Golden(GoldenMeasurement golden) => InspectionNode.Group(
        "measurement",
        InspectionNode.Number("index", golden.Index),
        InspectionNode.Number("wire_index", golden.Index + 1),
        InspectionNode.Flag("active", golden.Active) with { JsonOnly = true },
        InspectionNode.Text("name", golden.Name),
        InspectionNode.Number("size", golden.Size),
        InspectionNode.List("alternatives", golden.Alternatives.Select(value => InspectionNode.Text("value", value.ToString()))) with
        {
            Shown = string.Join(" or ", golden.Alternatives.Select(value => Shorten(value))),
        }) with
    {
        JsonOnly = !golden.Active,
    };

    private static InspectionNode Floor(MinimumSvn floor) => InspectionNode.Group(
        "floor",
        InspectionNode.Number("field_type", floor.FieldType),
        InspectionNode.Text("name", floor.Name),
        InspectionNode.Number("minimum", floor.Minimum),
        InspectionNode.Flag("include_in_result", floor.IncludeInResult));

    private static string Shorten(Digest value) => value.IsZero ? "all zero"
        : value.Length <= ShownHashBytes ? value.ToString()
        : $"{value.ToString()[..(2 * ShownHashBytes)]}…";
}
