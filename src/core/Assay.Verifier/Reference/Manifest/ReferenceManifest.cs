using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Assay.Evidence.Snp;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Reference.Manifest;

/// <summary>
/// The known-good values of one version of an image: what an image builder publishes and a relying party compares evidence with.
/// JSON in UTF-8; digests are lower-case hexadecimal, times RFC 3339 in whole seconds and UTC.
/// <code>
/// {"type":"assay-reference-values","version":1|2|3,
///  "image":{"name":text,"version":text},"sequence":1…2⁵³−1,"notBefore":time,"notAfter":time,
///  "tdx":[{"name":text,"mrtd":48 bytes,["rtmr0"…"rtmr3":48],["mrConfigId":48],["paravisor":true],
///         ["mrOwner":48],["mrOwnerConfig":48],["mrSeam":[48]],["mrSignerSeam":48],["seamAttributes":8],["tdAttributes":8],["xfam":8],["teeTcbSvn":16]}],
///  "snp":[{"name":text,["measurement":48],["hostData":32],["idKeyDigest":48],["authorKeyDigest":48],["guestSvn":0…2³²−1],["paravisor":true],
///         ["familyId":16],["imageId":16],["aliasCheckComplete":true]}],
///  "snpMinimumTcb":{"Milan"|"Genoa"|"Turin":{"bootLoader":0…255,["fmc":…, Turin alone],"microcode":…,"snp":…,"tee":…}},
///  "pcrs":[{"name":text,"bank":"sha256"|"sha384","values":{register:digest},"paravisor":name|"root":"platform-certified"|"ek-activated"}],
///  "gpuPolicies":[48 bytes],
///  "tdxMinimumEvaluationDataNumber":1…2³¹−1,
///  "platforms":{"tdx":[{"ppid":16,["piid":16]}],"snp":[{"chipId":64}],"devices":[{"id":48}]}}
/// </code>
/// Each entry of a list is one whole configuration: registers of different entries are never mixed. A list that is absent accepts nothing
/// of its kind; one that is there is not empty, and tdx, snp or pcrs must be. Version 2 says which entries are paravisors, and of which TPM
/// registers are: <c>paravisor</c> of an entry of pcrs is the name of an entry of tdx or snp that is marked so. Version 1 marks nothing, and
/// knows neither these members nor authorKeyDigest and guestSvn. Only a marked entry of snp may leave out its measurement: it then states
/// guestSvn, and idKeyDigest or authorKeyDigest. Version 3 knows all that version 2 does, and alone the pins of an entry (from mrOwner and
/// familyId on), tdxMinimumEvaluationDataNumber and platforms. Eight bytes are a number's digits, the highest first. Signed, it is the payload of a compact JWS in canonical form
/// (RFC 8785).
/// </summary>
public sealed record ReferenceManifest
{
    /// <summary>The member <c>type</c>, which tells these files from all others.</summary>
    public const string TypeName = "assay-reference-values";

    internal const int FirstVersion = 1;
    internal const int MarkedVersion = 2;
    internal const int PinnedVersion = 3;

    /// <summary>1; 2 with marks of paravisors and roots of TPMs; or 3 with pins and known platforms beside them.</summary>
    public int Version { get; init; } = FirstVersion;

    /// <summary>The image's name, for people.</summary>
    public required string ImageName { get; init; }

    /// <summary>The image's version, for people.</summary>
    public required string ImageVersion { get; init; }

    /// <summary>Grows with each manifest of the image: a relying party that has seen a later one refuses an earlier one.</summary>
    public required long Sequence { get; init; }

    /// <summary>From when on it counts.</summary>
    public required DateTimeOffset NotBefore { get; init; }

    /// <summary>Until when it counts.</summary>
    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>TDs that are this image. Empty: none is.</summary>
    public ImmutableArray<TdxReference> Tdx { get; init; } = [];

    /// <summary>SNP guests that are this image. Empty: none is.</summary>
    public ImmutableArray<SnpReference> Snp { get; init; } = [];

    /// <summary>The lowest TCB of each product; null where none is stated.</summary>
    public ImmutableDictionary<SnpProduct, SnpTcbParts>? SnpMinimumTcb { get; init; }

    /// <summary>Boots that are this image's, as a TPM measured them. Empty: none is.</summary>
    public ImmutableArray<TpmReference> Pcrs { get; init; } = [];

    /// <summary>SHA-384 of the expectations with which its boot gate may have run (S-6). Empty: none is accepted.</summary>
    public ImmutableArray<Digest> GpuPolicies { get; init; } = [];

    /// <summary>The lowest tcbEvaluationDataNumber of Intel's statements that counts; 0 where none is stated.</summary>
    public int TdxMinimumEvaluationDataNumber { get; init; }

    /// <summary>The machines that the image may run on; null: none are listed, and nothing is said of the machine.</summary>
    public KnownPlatforms? Platforms { get; init; }

    /// <summary>Reads the JSON, in canonical form or not. Whoever could write the file chose what it says.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out ReferenceManifest? manifest, [NotNullWhen(false)] out ParseFault? fault)
    {
        manifest = null;
        fault = json.Length > Limits.ReferenceManifestBytes ? new ParseFault("reference manifest", 0, $"larger than {Limits.ReferenceManifestBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("reference manifest", 0, "empty");
            return false;
        }

        manifest = ReferenceManifestReader.Read(document.RootElement, out fault);
        fault = manifest is null ? fault ?? new ParseFault("reference manifest", 0, "unreadable") : null;
        return manifest is not null;
    }

    /// <summary>The canonical form (RFC 8785): what is signed.</summary>
    public byte[] ToCanonicalJson()
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            Write(writer);
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return CanonicalJson.Write(document.RootElement);
    }

    private void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", TypeName);
        writer.WriteNumber("version", Version);
        writer.WriteStartObject("image");
        writer.WriteString("name", ImageName);
        writer.WriteString("version", ImageVersion);
        writer.WriteEndObject();
        writer.WriteNumber("sequence", Sequence);
        writer.WriteString("notBefore", Text(NotBefore));
        writer.WriteString("notAfter", Text(NotAfter));
        WriteList(writer, "tdx", Tdx, Write);
        WriteList(writer, "snp", Snp, Write);
        WriteMinimumTcb(writer);
        WriteList(writer, "pcrs", Pcrs, Write);
        WriteList(writer, "gpuPolicies", GpuPolicies, (list, digest) => list.WriteStringValue(digest.ToString()));
        if (TdxMinimumEvaluationDataNumber > 0)
        {
            writer.WriteNumber("tdxMinimumEvaluationDataNumber", TdxMinimumEvaluationDataNumber);
        }

        if (Platforms is { } platforms)
        {
            writer.WriteStartObject("platforms");
            WriteList(writer, "tdx", platforms.Tdx, Write);
            WriteList(writer, "snp", platforms.Snp, (list, chip) => WriteId(list, "chipId", chip.ToString()));
            WriteList(writer, "devices", platforms.Devices, (list, device) => WriteId(list, "id", device.ToString()));
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static string Text(DateTimeOffset time) => Utc.Text(time);

    private static void WriteList<T>(Utf8JsonWriter writer, string name, ImmutableArray<T> list, Action<Utf8JsonWriter, T> write)
    {
        if (list.IsEmpty)
        {
            return;
        }

        writer.WriteStartArray(name);
        foreach (var item in list)
        {
            write(writer, item);
        }

        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, TdxReference reference)
    {
        writer.WriteStartObject();
        writer.WriteString("name", reference.Name);
        writer.WriteString("mrtd", reference.MrTd.ToString());
        foreach (var (register, value) in reference.Rtmr.Index())
        {
            WriteOptional(writer, $"rtmr{register}", value);
        }

        WriteOptional(writer, "mrConfigId", reference.MrConfigId);
        WriteOptional(writer, "mrOwner", reference.MrOwner);
        WriteOptional(writer, "mrOwnerConfig", reference.MrOwnerConfig);
        WriteList(writer, "mrSeam", reference.MrSeam, (list, digest) => list.WriteStringValue(digest.ToString()));
        WriteOptional(writer, "mrSignerSeam", reference.MrSignerSeam);
        WriteOptional(writer, "seamAttributes", reference.SeamAttributes);
        WriteOptional(writer, "tdAttributes", reference.TdAttributes);
        WriteOptional(writer, "xfam", reference.Xfam);
        if (!reference.MinimumTeeTcbSvn.IsEmpty)
        {
            writer.WriteString("teeTcbSvn", Convert.ToHexStringLower(reference.MinimumTeeTcbSvn.AsSpan()));
        }

        WriteMark(writer, reference.IsParavisor);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, SnpReference reference)
    {
        writer.WriteStartObject();
        writer.WriteString("name", reference.Name);
        WriteOptional(writer, "measurement", reference.Measurement);
        WriteOptional(writer, "hostData", reference.HostData);
        WriteOptional(writer, "idKeyDigest", reference.IdKeyDigest);
        WriteOptional(writer, "authorKeyDigest", reference.AuthorKeyDigest);
        if (reference.MinimumGuestSvn is { } svn)
        {
            writer.WriteNumber("guestSvn", svn);
        }

        WriteOptional(writer, "familyId", reference.FamilyId);
        WriteOptional(writer, "imageId", reference.ImageId);
        if (reference.RequireAliasCheck)
        {
            writer.WriteBoolean("aliasCheckComplete", true);
        }

        WriteMark(writer, reference.IsParavisor);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, TpmReference reference)
    {
        writer.WriteStartObject();
        writer.WriteString("name", reference.Name);
        writer.WriteString("bank", ReferenceManifestReader.BankName(reference.Bank));
        writer.WriteStartObject("values");
        foreach (var (register, value) in reference.Values)
        {
            writer.WriteString(register.ToString(CultureInfo.InvariantCulture), value.ToString());
        }

        writer.WriteEndObject();
        if (reference.Paravisor is { } paravisor)
        {
            writer.WriteString("paravisor", paravisor);
        }
        else if (reference.Root is not TpmRoot.None)
        {
            writer.WriteString("root", AttestationKey.WordOf(reference.Root));
        }

        writer.WriteEndObject();
    }

    private void WriteMinimumTcb(Utf8JsonWriter writer)
    {
        if (SnpMinimumTcb is null)
        {
            return;
        }

        writer.WriteStartObject("snpMinimumTcb");
        foreach (var (product, parts) in SnpMinimumTcb)
        {
            writer.WriteStartObject(product.ToString());
            writer.WriteNumber("bootLoader", parts.BootLoader);
            writer.WriteNumber("microcode", parts.Microcode);
            writer.WriteNumber("snp", parts.Snp);
            writer.WriteNumber("tee", parts.Tee);
            if (product is SnpProduct.Turin)
            {
                writer.WriteNumber("fmc", parts.Fmc);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static void WriteMark(Utf8JsonWriter writer, bool isParavisor)
    {
        if (isParavisor)
        {
            writer.WriteBoolean("paravisor", true);
        }
    }

    private static void Write(Utf8JsonWriter writer, TdxPlatform platform)
    {
        writer.WriteStartObject();
        writer.WriteString("ppid", platform.Ppid.ToString());
        WriteOptional(writer, "piid", platform.InstanceId);
        writer.WriteEndObject();
    }

    private static void WriteId(Utf8JsonWriter writer, string name, string id)
    {
        writer.WriteStartObject();
        writer.WriteString(name, id);
        writer.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, ulong? value)
    {
        if (value is { } number)
        {
            writer.WriteString(name, number.ToString("x16", CultureInfo.InvariantCulture));
        }
    }

    private static void WriteOptional(Utf8JsonWriter writer, string name, Digest? value)
    {
        if (value is { } digest)
        {
            writer.WriteString(name, digest.ToString());
        }
    }
}
