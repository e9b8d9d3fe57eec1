using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Reference.Manifest;
using Assay.Trust.Jose;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>Reference values, signed or not (format: <see cref="ReferenceManifest"/>).</summary>
internal static class ManifestInspection
{
    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (ReferenceManifest.TryParse(file, out var manifest, out var fault))
        {
            return [InspectionNode.Flag("signed", false), .. Parts(manifest)];
        }

        faults.Malformed($"{name}: reference manifest", fault);
        return null;
    }

    public static InspectionNode?[]? ReadSigned(byte[] file, string name, FaultLog faults)
    {
        if (!CompactJws.TryParse(Encoding.Latin1.GetString(file.AsSpan().Trim("\r\n"u8)), out var jws, out var fault)
            || !ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(jws.Payload.GetRawText()), out var manifest, out fault))
        {
            faults.Malformed($"{name}: signed reference manifest", fault);
            return null;
        }

        return
        [
            InspectionNode.Flag("signed", true) with { Shown = "yes, by whom is not verified here" },
            .. jws.Header.EnumerateObject().Select(member => InspectionNode.Text(member.Name, member.Value.ValueKind is JsonValueKind.String ? member.Value.GetString()! : member.Value.GetRawText())),
            .. Parts(manifest),
        ];
    }

    private static IEnumerable<InspectionNode?> Parts(ReferenceManifest manifest) =>
    [
        InspectionNode.Text("image_name", manifest.ImageName),
        InspectionNode.Text("image_version", manifest.ImageVersion),
        InspectionNode.Number("sequence", manifest.Sequence),
        InspectionNode.Time("not_before", manifest.NotBefore),
        InspectionNode.Time("not_after", manifest.NotAfter),
        .. manifest.GpuPolicies.Select((digest, index) => InspectionNode.Hex($"gpu_policy_{index}", digest.Bytes, whole: true)),
        InspectionNode.List("tdx", manifest.Tdx.Select(Domain)),
        InspectionNode.List("snp", manifest.Snp.Select(Guest)),
        manifest.SnpMinimumTcb is { } minimums ? InspectionNode.Group("snp_minimum_tcb", minimums.OrderBy(item => item.Key).Select(item => InspectionNode.Text(item.Key.ToString(), item.Value.ToString()))) : null,
        InspectionNode.List("pcrs", manifest.Pcrs.Select(Boot)),
    ];

    private static InspectionNode Domain(TdxReference reference) => InspectionNode.Group(
        reference.Name,
        [
            InspectionNode.Text("name", reference.Name) with { JsonOnly = true },
            InspectionNode.Hex("mrtd", reference.MrTd.Bytes, whole: true),
            .. reference.Rtmr.Select((value, register) => Optional($"rtmr{register}", value)),
            Optional("mrconfigid", reference.MrConfigId),
            Mark(reference.IsParavisor),
        ]) with
    {
        Shown = $"TDX: {reference.Name}{(reference.IsParavisor ? " (paravisor)" : "")}",
    };

    private static InspectionNode Guest(SnpReference reference) => InspectionNode.Group(
        reference.Name,
        InspectionNode.Text("name", reference.Name) with { JsonOnly = true },
        Optional("measurement", reference.Measurement),
        Optional("host_data", reference.HostData),
        Optional("id_key_digest", reference.IdKeyDigest),
        Optional("author_key_digest", reference.AuthorKeyDigest),
        reference.MinimumGuestSvn is { } svn ? InspectionNode.Number("guest_svn", svn) : null,
        Mark(reference.IsParavisor)) with
    {
        Shown = $"SNP: {reference.Name}{(reference.IsParavisor ? " (paravisor)" : "")}",
    };

    private static InspectionNode Boot(TpmReference reference) => InspectionNode.Group(
        reference.Name,
        [
            InspectionNode.Text("name", reference.Name) with { JsonOnly = true },
            InspectionNode.Text("bank", EventLogInspection.NameOf(reference.Bank)),
            reference.Paravisor is { } paravisor ? InspectionNode.Text("paravisor", paravisor) : null,
            reference.Root is not TpmRoot.None ? InspectionNode.Text("root", reference.Root is TpmRoot.EkActivated ? "ek-activated" : "platform-certified") : null,
            .. reference.Values.Select(item => InspectionNode.Hex(string.Create(CultureInfo.InvariantCulture, $"pcr{item.Key}"), item.Value.Bytes, whole: true)),
        ]) with
    {
        Shown = $"PCRs: {reference.Name}",
    };

    private static InspectionNode? Mark(bool isParavisor) => isParavisor ? InspectionNode.Flag("paravisor", true) : null;

    private static InspectionNode? Optional(string name, Digest? value) =>
        value is { } digest ? InspectionNode.Hex(name, digest.Bytes, whole: true) : null;
}
