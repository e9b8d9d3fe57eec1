using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Assay.Evidence.Snp;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Reference.Manifest;

/// <summary>Reads the members of a <see cref="ReferenceManifest"/>: every one known, every digest of its length, in one spelling.</summary>
internal sealed class ReferenceManifestReader
{
    private const int DigestSize = 48;
    private const int HostDataSize = 32;
    private const int Registers = 4;
    private const int IdSize = 16;
    private const int SvnSize = 16;

    private static readonly ImmutableArray<SnpProduct> s_products = [SnpProduct.Milan, SnpProduct.Genoa, SnpProduct.Turin];
    private static readonly ImmutableArray<TpmRoot> s_roots = [TpmRoot.PlatformCertified, TpmRoot.EkActivated];
    private static readonly ImmutableArray<TcgHash> s_banks = [TcgHash.Sha256, TcgHash.Sha384];

    private readonly JsonFields _fields = new();
    private bool _marks;
    private bool _pins;

    public static ReferenceManifest? Read(JsonElement root, out ParseFault? fault)
    {
        var reader = new ReferenceManifestReader();
        var manifest = reader.ReadManifest(root);
        fault = reader._fields.Fault;
        return fault is null ? manifest : null;
    }

    public static string BankName(TcgHash bank) => bank switch { TcgHash.Sha256 => "sha256", TcgHash.Sha384 => "sha384", _ => "" };

    private ReferenceManifest ReadManifest(JsonElement root)
    {
        _fields.Require(root.ValueKind is JsonValueKind.Object, "reference manifest", "an object is expected");
        _fields.Require(_fields.Text(root, "type") == ReferenceManifest.TypeName, "type", $"{ReferenceManifest.TypeName} is expected");
        var version = _fields.Number(root, "version");
        _fields.Require(version is >= ReferenceManifest.FirstVersion and <= ReferenceManifest.PinnedVersion, "version", $"{ReferenceManifest.FirstVersion} to {ReferenceManifest.PinnedVersion} is expected: try a newer Assay");
        _marks = version >= ReferenceManifest.MarkedVersion;
        _pins = version >= ReferenceManifest.PinnedVersion;
        Only(root, "", ["type", "version", "image", "sequence", "notBefore", "notAfter", "tdx", "snp", "snpMinimumTcb", "pcrs", "gpuPolicies", .. Pins("tdxMinimumEvaluationDataNumber", "platforms")]);
        var image = _fields.Object(root, "image");
        Only(image, "image", "name", "version");
        var manifest = new ReferenceManifest
        {
            Version = version,
            ImageName = Name(image, "name", "image.name"),
            ImageVersion = Name(image, "version", "image.version"),
            Sequence = _fields.LongNumber(root, "sequence", 1, Limits.LargestSequence),
            NotBefore = _fields.Time(root, "notBefore"),
            NotAfter = _fields.Time(root, "notAfter"),
            Tdx = List(root, "tdx", ReadTdx),
            Snp = List(root, "snp", ReadSnp),
            SnpMinimumTcb = ReadMinimumTcb(root),
            Pcrs = List(root, "pcrs", ReadPcrs),
            GpuPolicies = List(root, "gpuPolicies", Digest),
            TdxMinimumEvaluationDataNumber = _fields.Has(root, "tdxMinimumEvaluationDataNumber") ? (int)_fields.LongNumber(root, "tdxMinimumEvaluationDataNumber", 1, int.MaxValue) : 0,
            Platforms = ReadPlatforms(root),
        };
        _fields.Require(manifest.NotBefore < manifest.NotAfter, "notAfter", "later than notBefore is expected");
        _fields.Require(!manifest.Tdx.IsEmpty || !manifest.Snp.IsEmpty || !manifest.Pcrs.IsEmpty, "tdx", "tdx, snp and pcrs are all absent: the manifest names no image");
        RequireNamedParavisors(manifest);
        _fields.Require(manifest.SnpMinimumTcb is null || !manifest.Snp.IsEmpty, "snpMinimumTcb", "it is given without snp");
        _fields.Require(manifest.TdxMinimumEvaluationDataNumber == 0 || !manifest.Tdx.IsEmpty, "tdxMinimumEvaluationDataNumber", "it is given without tdx");
        _fields.Require(manifest.GpuPolicies.Distinct().Count() == manifest.GpuPolicies.Length, "gpuPolicies", "a duplicate digest");
        return manifest;
    }

    private TdxReference ReadTdx(JsonElement item, string field)
    {
        var modules = List(item, "mrSeam", Digest, $"{field}.mrSeam");
        _fields.Require(modules.Distinct().Count() == modules.Length, $"{field}.mrSeam", "a digest is listed twice");
        Only(item, field, ["name", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrConfigId", .. Marks("paravisor"),
            .. Pins("mrOwner", "mrOwnerConfig", "mrSeam", "mrSignerSeam", "seamAttributes", "tdAttributes", "xfam", "teeTcbSvn")]);
        return new TdxReference
        {
            Name = Name(item, "name", $"{field}.name"),
            MrTd = Hex(item, "mrtd", field, DigestSize),
            Rtmr = [.. Enumerable.Range(0, Registers).Select(register => Optional(item, $"rtmr{register}", field, DigestSize))],
            MrConfigId = Optional(item, "mrConfigId", field, DigestSize),
            MrOwner = Optional(item, "mrOwner", field, DigestSize),
            MrOwnerConfig = Optional(item, "mrOwnerConfig", field, DigestSize),
            MrSeam = modules,
            MrSignerSeam = Optional(item, "mrSignerSeam", field, DigestSize),
            SeamAttributes = OptionalBits(item, "seamAttributes", field),
            TdAttributes = OptionalBits(item, "tdAttributes", field),
            Xfam = OptionalBits(item, "xfam", field),
            MinimumTeeTcbSvn = Optional(item, "teeTcbSvn", field, SvnSize) is { } svn ? [.. svn.Bytes] : [],
            IsParavisor = IsMarked(item, field),
        };
    }

    private SnpReference ReadSnp(JsonElement item, string field)
    {
        Only(item, field, ["name", "measurement", "hostData", "idKeyDigest", .. Marks("authorKeyDigest", "guestSvn", "paravisor"), .. Pins("familyId", "imageId", "aliasCheckComplete")]);
        var reference = new SnpReference
        {
            Name = Name(item, "name", $"{field}.name"),
            Measurement = Optional(item, "measurement", field, DigestSize),
            HostData = Optional(item, "hostData", field, HostDataSize),
            IdKeyDigest = Optional(item, "idKeyDigest", field, DigestSize),
            AuthorKeyDigest = Optional(item, "authorKeyDigest", field, DigestSize),
            MinimumGuestSvn = _fields.Has(item, "guestSvn") ? (uint)_fields.LongNumber(item, "guestSvn", 0, uint.MaxValue) : null,
            FamilyId = Optional(item, "familyId", field, IdSize),
            ImageId = Optional(item, "imageId", field, IdSize),
            RequireAliasCheck = IsTrue(item, "aliasCheckComplete", field),
            IsParavisor = IsMarked(item, field),
        };
        // A digest of zeros says that no ID block was given, and every guest without one has it.
        var keys = new[] { reference.IdKeyDigest, reference.AuthorKeyDigest }.OfType<Digest>().ToArray();
        var byKey = reference is { IsParavisor: true, MinimumGuestSvn: not null } && keys.Length > 0 && keys.All(key => key.Bytes.ContainsAnyExcept((byte)0));
        _fields.Require(
            reference.Measurement is not null || byKey, $"{field}.measurement",
            "missing: only a paravisor (\"paravisor\":true, version 2) may be known by guestSvn with idKeyDigest or authorKeyDigest, not zeros, instead");
        return reference;
    }

    private TpmReference ReadPcrs(JsonElement item, string field)
    {
        Only(item, field, ["name", "bank", "values", .. Marks("paravisor", "root")]);
        var name = Name(item, "name", $"{field}.name");
        var text = _fields.Text(item, "bank");
        var bank = s_banks.FirstOrDefault(known => BankName(known) == text);
        _fields.Require(bank is not TcgHash.None, $"{field}.bank", "sha256 or sha384 is expected");
        var values = ImmutableSortedDictionary.CreateBuilder<int, Digest>();
        var list = _fields.Object(item, "values");
        foreach (var member in list.ValueKind is JsonValueKind.Object ? list.EnumerateObject() : default)
        {
            // The number as it is written, for one register has one name.
            var sound = int.TryParse(member.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var register)
                && register < Limits.Pcrs && member.Name == register.ToString(CultureInfo.InvariantCulture);
            _fields.Require(sound, $"{field}.values", $"registers 0 to {Limits.Pcrs - 1} are expected");
            _fields.Require(register is not (16 or 23), $"{field}.values", "PCR 16 and 23 are reset by software: their values prove nothing");
            values[register] = Decode(member.Value.ValueKind is JsonValueKind.String ? member.Value.GetString()! : "", $"{field}.values.{register}", bank.Size);
        }

        _fields.Require(values.Count > 0, $"{field}.values", "empty");
        var (paravisor, root) = ReadKeeper(item, field);
        return new TpmReference { Name = name, Bank = bank, Values = values.ToImmutable(), Paravisor = paravisor, Root = root };
    }

    // Whose registers they are: a paravisor's by its entry's name, or a plain TPM's by the root of its key. Never both, never neither.
    private (string? Paravisor, TpmRoot Root) ReadKeeper(JsonElement item, string field)
    {
        if (!_marks)
        {
            return (null, TpmRoot.None);
        }

        var (named, rooted) = (_fields.Has(item, "paravisor"), _fields.Has(item, "root"));
        _fields.Require(named != rooted, $"{field}.paravisor", "either paravisor (the name of a marked entry) or root (of a plain TPM's key) is expected");
        var word = rooted ? _fields.Text(item, "root") : "";
        var root = s_roots.FirstOrDefault(known => AttestationKey.WordOf(known) == word);
        _fields.Require(!rooted || root is not TpmRoot.None, $"{field}.root", "platform-certified or ek-activated is expected");
        return (named ? Name(item, "paravisor", $"{field}.paravisor") : null, root);
    }

    // One name, one paravisor: what the registers of one boot under must not be found under another.
    private void RequireNamedParavisors(ReferenceManifest manifest)
    {
        string[] names = [.. manifest.Tdx.Where(entry => entry.IsParavisor).Select(entry => entry.Name), .. manifest.Snp.Where(entry => entry.IsParavisor).Select(entry => entry.Name)];
        _fields.Require(names.Distinct(StringComparer.Ordinal).Count() == names.Length, "paravisor", "two entries that are marked as paravisors have one name");
        _fields.Require(manifest.Pcrs.All(entry => entry.Paravisor is null || names.Contains(entry.Paravisor)), "pcrs", "paravisor names no entry of tdx or snp that is marked \"paravisor\":true");
    }

    private string[] Marks(params string[] members) => _marks ? members : [];

    private string[] Pins(params string[] members) => _pins ? members : [];

    private bool IsMarked(JsonElement item, string field) => IsTrue(item, "paravisor", field);

    private bool IsTrue(JsonElement item, string member, string field)
    {
        if (!_fields.Has(item, member))
        {
            return false;
        }

        // False would be a second spelling of a member that is left out.
        _fields.Require(item.TryGetProperty(member, out var mark) && mark.ValueKind is JsonValueKind.True, $"{field}.{member}", "true is expected, or nothing");
        return true;
    }

    private KnownPlatforms? ReadPlatforms(JsonElement root)
    {
        if (!_fields.Has(root, "platforms"))
        {
            return null;
        }

        var parent = _fields.Object(root, "platforms");
        Only(parent, "platforms", "tdx", "snp", "devices");
        var platforms = new KnownPlatforms
        {
            Tdx = List(parent, "tdx", ReadTdxPlatform, "platforms.tdx"),
            Snp = List(parent, "snp", (item, field) => new ChipId(ReadId(item, field, "chipId", ChipId.Size).Bytes), "platforms.snp"),
            Devices = List(parent, "devices", (item, field) => ReadId(item, field, "id", DigestSize), "platforms.devices"),
        };
        _fields.Require(!platforms.Tdx.IsEmpty || !platforms.Snp.IsEmpty || !platforms.Devices.IsEmpty, "platforms", "empty: leave it out, or list a machine");
        if (_fields.Fault is not null)
        {
            // What could not be read is not compared with anything.
            return null;
        }

        RequireOnce(platforms.Tdx, "platforms.tdx");
        RequireOnce(platforms.Snp, "platforms.snp");
        RequireOnce(platforms.Devices, "platforms.devices");
        // With and without piid one PPID would say two things.
        _fields.Require(
            platforms.Tdx.GroupBy(platform => platform.Ppid).All(group => group.Count() == 1 || group.All(platform => platform.InstanceId is not null)),
            "platforms.tdx", "a ppid is listed with a piid and without: the entry without it makes the other void");
        return platforms;

        void RequireOnce<T>(ImmutableArray<T> list, string field) => _fields.Require(list.Distinct().Count() == list.Length, field, "an entry is listed twice");
    }

    private TdxPlatform ReadTdxPlatform(JsonElement item, string field)
    {
        Only(item, field, "ppid", "piid");
        return new TdxPlatform(NonZero(item, "ppid", field, IdSize), _fields.Has(item, "piid") ? NonZero(item, "piid", field, IdSize) : null);
    }

    private Digest ReadId(JsonElement item, string field, string member, int size)
    {
        _fields.Require(item.ValueKind is JsonValueKind.Object, field, "an object is expected");
        Only(item, field, member);
        return NonZero(item, member, field, size);
    }

    // Zeros are what a masked or absent id reads as: they name no machine.
    private Digest NonZero(JsonElement item, string member, string field, int size)
    {
        var value = Hex(item, member, field, size);
        _fields.Require(!value.IsZero, $"{field}.{member}", "zeros do not identify a machine");
        return value;
    }

    private ImmutableDictionary<SnpProduct, SnpTcbParts>? ReadMinimumTcb(JsonElement root)
    {
        if (!_fields.Has(root, "snpMinimumTcb"))
        {
            return null;
        }

        var parent = _fields.Object(root, "snpMinimumTcb");
        Only(parent, "snpMinimumTcb", [.. s_products.Select(product => product.ToString())]);
        var minimums = ImmutableDictionary.CreateBuilder<SnpProduct, SnpTcbParts>();
        foreach (var product in s_products.Where(product => _fields.Has(parent, product.ToString())))
        {
            var parts = _fields.Object(parent, product.ToString());
            var hasFmc = product is SnpProduct.Turin;
            Only(parts, $"snpMinimumTcb.{product}", hasFmc ? ["bootLoader", "tee", "snp", "microcode", "fmc"] : ["bootLoader", "tee", "snp", "microcode"]);
            minimums.Add(product, new SnpTcbParts(hasFmc ? Part(parts, "fmc") : (byte)0, Part(parts, "bootLoader"), Part(parts, "tee"), Part(parts, "snp"), Part(parts, "microcode")));
        }

        _fields.Require(minimums.Count > 0, "snpMinimumTcb", "empty: leave it out, or name a product");
        return minimums.ToImmutable();

        byte Part(JsonElement parts, string name) => (byte)_fields.Number(parts, name, byte.MaxValue);
    }

    private ImmutableArray<T> List<T>(JsonElement root, string name, Func<JsonElement, string, T> read, string? field = null)
    {
        field ??= name;
        if (!_fields.Has(root, name))
        {
            return [];
        }

        var items = _fields.Array(root, name, Limits.ReferenceManifestEntries);
        _fields.Require(items.Length > 0, field, "empty: leave it out, or name something");
        var list = ImmutableArray.CreateBuilder<T>(items.Length);
        foreach (var (index, item) in items.Index())
        {
            _fields.Require(typeof(T) == typeof(Digest) || item.ValueKind is JsonValueKind.Object, $"{field}[{index}]", "an object is expected");
            list.Add(read(item, $"{field}[{index}]"));
        }

        return list.ToImmutable();
    }

    private void Only(JsonElement element, string field, params ReadOnlySpan<string> known)
    {
        foreach (var member in element.ValueKind is JsonValueKind.Object ? element.EnumerateObject() : default)
        {
            // Its name is a stranger's, and not repeated.
            _fields.Require(known.Contains(member.Name), field.Length > 0 ? field : "reference manifest", $"an unknown member: {string.Join(", ", known)} are expected");
        }
    }

    private string Name(JsonElement parent, string member, string field)
    {
        var text = _fields.Text(parent, member);
        _fields.Require(
            text.Length is > 0 and <= Limits.ReferenceNameCharacters && !text.AsSpan().ContainsAnyExceptInRange(' ', '~'),
            field, $"1 to {Limits.ReferenceNameCharacters} printable ASCII characters are expected");
        return _fields.Fault is null ? text : "";
    }

    private Digest Digest(JsonElement item, string field) => Decode(item.ValueKind is JsonValueKind.String ? item.GetString()! : "", field, DigestSize);

    private Digest Hex(JsonElement parent, string member, string field, int size) => Decode(_fields.Text(parent, member), $"{field}.{member}", size);

    private Digest? Optional(JsonElement parent, string member, string field, int size) => _fields.Has(parent, member) ? Hex(parent, member, field, size) : null;

    private ulong? OptionalBits(JsonElement parent, string member, string field) =>
        Optional(parent, member, field, sizeof(ulong)) is { Length: sizeof(ulong) } bits ? BinaryPrimitives.ReadUInt64BigEndian(bits.Bytes) : null;

    private Digest Decode(string text, string field, int size)
    {
        // Lower case alone: one value has one spelling.
        var decoded = !text.AsSpan().ContainsAnyInRange('A', 'F') && Wire.Hex.TryDecode(text, out var bytes) && bytes.Length == size ? bytes : null;
        _fields.Require(decoded is not null, field, $"{2 * size} lower-case hexadecimal digits are expected");
        return new Digest(decoded ?? []);
    }
}
