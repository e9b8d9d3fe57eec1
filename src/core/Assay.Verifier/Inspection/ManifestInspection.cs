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
            InspectionNode.Flag("signed", true) with { Shown = "yes; the signer is not verified here" },
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
        manifest.TdxMinimumEvaluationDataNumber > 0 ? InspectionNode.Number("tdx_minimum_evaluation_data_number", manifest.TdxMinimumEvaluationDataNumber) : null,
        InspectionNode.List("tdx", manifest.Tdx.Select(Domain)),
        InspectionNode.List("snp", manifest.Snp.Select(Guest)),
        manifest.SnpMinimumTcb is { } minimums ? InspectionNode.Group("snp_minimum_tcb", minimums.OrderBy(item => item.Key).Select(item => InspectionNode.Text(item.Key.ToString(), item.Value.ToString()))) : null,
        InspectionNode.List("pcrs", manifest.Pcrs.Select(Boot)),
        .. manifest.Platforms is { } platforms ? Known(platforms) : [],
    ];

    private static IEnumerable<InspectionNode> Known(KnownPlatforms platforms) =>
    [
        InspectionNode.List("platforms_tdx", platforms.Tdx.Select((platform, index) => InspectionNode.Group(
            string.Create(CultureInfo.InvariantCulture, $"tdx_{index}"), InspectionNode.Hex("ppid", platform.Ppid.Bytes, whole: true), Optional("piid", platform.InstanceId)) with
        {
            Shown = "known TDX platform",
        })),
        InspectionNode.List("platforms_snp", platforms.Snp.Select((chip, index) => InspectionNode.Group(
            string.Create(CultureInfo.InvariantCulture, $"snp_{index}"), InspectionNode.Hex("chip_id", chip.Bytes, whole: true)) with
        {
            Shown = "known SNP platform",
        })),
        InspectionNode.List("platforms_devices", platforms.Devices.Select((device, index) => InspectionNode.Group(
            string.Create(CultureInfo.InvariantCulture, $"device_{index}"), InspectionNode.Hex("id", device.Bytes, whole: true)) with
        {
            Shown = "known device",
        })),
    ];

    private static InspectionNode Domain(TdxReference reference) => InspectionNode.Group(
        reference.Name,
        [
            InspectionNode.Text("name", reference.Name) with { JsonOnly = true },
            InspectionNode.Hex("mrtd", reference.MrTd.Bytes, whole: true),
            .. reference.Rtmr.Select((value, register) => Optional($"rtmr{register}", value)),
            Optional("mrconfigid", reference.MrConfigId),
            Optional("mrowner", reference.MrOwner),
            Optional("mrownerconfig", reference.MrOwnerConfig),
            .. reference.MrSeam.Select((digest, index) => InspectionNode.Hex(string.Create(CultureInfo.InvariantCulture, $"mrseam_{index}"), digest.Bytes, whole: true)),
            Optional("mrsignerseam", reference.MrSignerSeam),
            Bits("seam_attributes", reference.SeamAttributes),
            Bits("td_attributes", reference.TdAttributes),
            Bits("xfam", reference.Xfam),
            reference.MinimumTeeTcbSvn.IsEmpty ? null : InspectionNode.Hex("minimum_tee_tcb_svn", reference.MinimumTeeTcbSvn.AsSpan(), whole: true),
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
        Optional("family_id", reference.FamilyId),
        Optional("image_id", reference.ImageId),
        reference.RequireAliasCheck ? InspectionNode.Flag("alias_check_complete", true) : null,
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

    private static InspectionNode? Bits(string name, ulong? value) =>
        value is { } bits ? InspectionNode.Text(name, bits.ToString("x16", CultureInfo.InvariantCulture)) : null;

    private static InspectionNode? Optional(string name, Digest? value) =>
        value is { } digest ? InspectionNode.Hex(name, digest.Bytes, whole: true) : null;
}
