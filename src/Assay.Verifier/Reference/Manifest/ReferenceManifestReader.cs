using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>Reads the members of a <see cref="ReferenceManifest"/>: every one known, every digest of its length, in one spelling.</summary>
internal sealed class ReferenceManifestReader
{
    private const int DigestSize = 48;
    private const int HostDataSize = 32;
    private const int Registers = 4;

    private static readonly ImmutableArray<SnpProduct> s_products = [SnpProduct.Milan, SnpProduct.Genoa, SnpProduct.Turin];
    private static readonly ImmutableArray<TcgHash> s_banks = [TcgHash.Sha256, TcgHash.Sha384];

    private readonly JsonFields _fields = new();

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
        _fields.Require(_fields.Number(root, "version") == ReferenceManifest.FormatVersion, "version", $"{ReferenceManifest.FormatVersion} is expected: a newer Assay may read others");
        Only(root, "", "type", "version", "image", "sequence", "notBefore", "notAfter", "tdx", "snp", "snpMinimumTcb", "pcrs", "gpuPolicies");
        var image = _fields.Object(root, "image");
        Only(image, "image", "name", "version");
        var manifest = new ReferenceManifest
        {
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
        };
        _fields.Require(manifest.NotBefore < manifest.NotAfter, "notAfter", "later than notBefore is expected");
        _fields.Require(!manifest.Tdx.IsEmpty || !manifest.Snp.IsEmpty || !manifest.Pcrs.IsEmpty, "tdx", "neither tdx nor snp nor pcrs is there: the manifest names no image");
        _fields.Require(manifest.SnpMinimumTcb is null || !manifest.Snp.IsEmpty, "snpMinimumTcb", "it stands without snp");
        _fields.Require(manifest.GpuPolicies.Distinct().Count() == manifest.GpuPolicies.Length, "gpuPolicies", "a digest stands twice");
        return manifest;
    }

    private TdxReference ReadTdx(JsonElement item, string field)
    {
        Only(item, field, "name", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrConfigId");
        return new TdxReference
        {
            Name = Name(item, "name", $"{field}.name"),
            MrTd = Hex(item, "mrtd", field, DigestSize),
            Rtmr = [.. Enumerable.Range(0, Registers).Select(register => Optional(item, $"rtmr{register}", field, DigestSize))],
            MrConfigId = Optional(item, "mrConfigId", field, DigestSize),
        };
    }

    private SnpReference ReadSnp(JsonElement item, string field)
    {
        Only(item, field, "name", "measurement", "hostData", "idKeyDigest");
        return new SnpReference
        {
            Name = Name(item, "name", $"{field}.name"),
            Measurement = Hex(item, "measurement", field, DigestSize),
            HostData = Optional(item, "hostData", field, HostDataSize),
            IdKeyDigest = Optional(item, "idKeyDigest", field, DigestSize),
        };
    }

    private TpmReference ReadPcrs(JsonElement item, string field)
    {
        Only(item, field, "name", "bank", "values");
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
        return new TpmReference { Name = name, Bank = bank, Values = values.ToImmutable() };
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

    private ImmutableArray<T> List<T>(JsonElement root, string name, Func<JsonElement, string, T> read)
    {
        if (!_fields.Has(root, name))
        {
            return [];
        }

        var items = _fields.Array(root, name, Limits.ReferenceManifestEntries);
        _fields.Require(items.Length > 0, name, "empty: leave it out, or name something");
        var list = ImmutableArray.CreateBuilder<T>(items.Length);
        foreach (var (index, item) in items.Index())
        {
            _fields.Require(typeof(T) == typeof(Digest) || item.ValueKind is JsonValueKind.Object, $"{name}[{index}]", "an object is expected");
            list.Add(read(item, $"{name}[{index}]"));
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

    private Digest Decode(string text, string field, int size)
    {
        // Lower case alone: one value has one spelling.
        var decoded = !text.AsSpan().ContainsAnyInRange('A', 'F') && Wire.Hex.TryDecode(text, out var bytes) && bytes.Length == size ? bytes : null;
        _fields.Require(decoded is not null, field, $"{2 * size} lower-case hexadecimal digits are expected");
        return new Digest(decoded ?? []);
    }
}
