using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Reference.Manifest;
using Assay.Wire;

namespace Assay.Tests.Reference.Manifest;

/// <summary>The format: what is written is read back, in one spelling, and nothing else is read.</summary>
public class ReferenceManifestTests
{
    [Fact]
    public void What_is_written_is_read_back_to_the_byte()
    {
        var json = ManifestWorld.Whole.ToCanonicalJson();
        Assert.True(ReferenceManifest.TryParse(json, out var read, out var fault), fault?.ToString());
        Assert.Equal(Encoding.UTF8.GetString(json), Encoding.UTF8.GetString(read.ToCanonicalJson()));

        Assert.Equal(ManifestWorld.Whole.NotAfter, read.NotAfter);
        Assert.Equal([ManifestWorld.Of(2), ManifestWorld.Of(3), ManifestWorld.Of(4), (Digest?)null], read.Tdx[0].Rtmr);
        Assert.Equal(ManifestWorld.Of(5), read.Tdx[0].MrConfigId);
        Assert.Null(read.Tdx[1].MrConfigId);
        Assert.Equal(ManifestWorld.Of(8, 32), read.Snp.Single().HostData);
        Assert.Equal(ManifestWorld.Whole.SnpMinimumTcb!.OrderBy(item => item.Key), read.SnpMinimumTcb!.OrderBy(item => item.Key));
        Assert.Equal([4, 11], read.Pcrs.Single().Values.Keys);
        Assert.Equal([ManifestWorld.Of(12)], read.GpuPolicies);
    }

    [Fact]
    public void The_canonical_form_is_this()
    {
        var smallest = ManifestWorld.Whole with { Tdx = [], Snp = [], SnpMinimumTcb = null, GpuPolicies = [] };
        Assert.Equal(
            $$$"""{"image":{"name":"trainer","version":"2026.11.1"},"notAfter":"{{{smallest.NotAfter:yyyy-MM-dd}}}T00:00:00Z","notBefore":"{{{smallest.NotBefore:yyyy-MM-dd}}}T00:00:00Z","pcrs":[{"bank":"sha256","name":"uefi","values":{"11":"{{{ManifestWorld.Of(11, 32)}}}","4":"{{{ManifestWorld.Of(10, 32)}}}"}}],"sequence":7,"type":"assay-reference-values","version":1}""",
            Encoding.UTF8.GetString(smallest.ToCanonicalJson()));
    }

    [Fact]
    public void Version_2_marks_paravisors_and_says_of_which_TPM_registers_are()
    {
        var marked = ManifestWorld.Whole with
        {
            Version = 2,
            Tdx = [ManifestWorld.Whole.Tdx[0] with { Name = "td paravisor", IsParavisor = true }, ManifestWorld.Whole.Tdx[1]],
            Snp = [new SnpReference { Name = "snp paravisor", Measurement = null, IdKeyDigest = ManifestWorld.Of(20), AuthorKeyDigest = ManifestWorld.Of(21), MinimumGuestSvn = 7, IsParavisor = true }],
            Pcrs = [ManifestWorld.Whole.Pcrs[0] with { Paravisor = "td paravisor" }, ManifestWorld.Whole.Pcrs[0] with { Name = "plain", Root = Assay.Trust.Tpm.TpmRoot.EkActivated }],
        };
        var json = marked.ToCanonicalJson();

        Assert.True(ReferenceManifest.TryParse(json, out var read, out var fault), fault?.ToString());
        Assert.Equal(Encoding.UTF8.GetString(json), Encoding.UTF8.GetString(read.ToCanonicalJson()));
        Assert.Equal([true, false], read.Tdx.Select(entry => entry.IsParavisor));
        Assert.Equal((null, 7u, true), (read.Snp[0].Measurement, read.Snp[0].MinimumGuestSvn, read.Snp[0].IsParavisor));
        Assert.Equal(["td paravisor", null], read.Pcrs.Select(entry => entry.Paravisor));
    }

    [Theory]
    [InlineData("\"paravisor\":true", "\"paravisor\":false", "true is expected, or nothing")]
    [InlineData("\"paravisor\":\"td paravisor\"", "\"paravisor\":\"plain\"", "names no entry of tdx or snp")]
    [InlineData("\"paravisor\":\"td paravisor\"", "\"paravisor\":\"td paravisor\",\"root\":\"ek-activated\"", "either paravisor")]
    [InlineData("\"root\":\"ek-activated\"", "\"root\":\"in-tee\"", "platform-certified or ek-activated")]
    [InlineData("\"guestSvn\":7,", "", "snp[0].measurement: missing")]
    [InlineData("\"idKeyDigest\":\"141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414\"", "\"idKeyDigest\":\"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\"", "snp[0].measurement: missing")]
    [InlineData("\"name\":\"snp paravisor\"", "\"name\":\"td paravisor\"", "have one name")]
    public void What_a_mark_cannot_mean_is_refused(string member, string other, string problem)
    {
        const string digest = "141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414";
        var text = $$$"""{"gpuPolicies":["{{{digest}}}"],"image":{"name":"a","version":"1"},"notAfter":"2027-01-01T00:00:00Z","notBefore":"2026-01-01T00:00:00Z","pcrs":[{"bank":"sha384","name":"b","paravisor":"td paravisor","values":{"4":"{{{digest}}}"}},{"bank":"sha384","name":"plain","root":"ek-activated","values":{"4":"{{{digest}}}"}}],"sequence":1,"snp":[{"guestSvn":7,"idKeyDigest":"{{{digest}}}","name":"snp paravisor","paravisor":true}],"tdx":[{"mrtd":"{{{digest}}}","name":"td paravisor","paravisor":true}],"type":"assay-reference-values","version":2}""";
        Assert.True(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(text), out _, out var whole), whole?.ToString());
        var place = text.IndexOf(member, StringComparison.Ordinal);
        Assert.NotEqual(-1, place);

        Assert.False(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(text.Remove(place, member.Length).Insert(place, other)), out _, out var fault));

        Assert.Contains(problem, fault.ToString(), StringComparison.Ordinal);
    }

    private const string Pinned = """{"image":{"name":"a","version":"1"},"notAfter":"2027-01-01T00:00:00Z","notBefore":"2026-01-01T00:00:00Z","platforms":{"devices":[{"id":"D"}],"snp":[{"chipId":"C"}],"tdx":[{"piid":"P","ppid":"Q"}]},"sequence":1,"snp":[{"aliasCheckComplete":true,"authorKeyDigest":"D","familyId":"P","imageId":"P","measurement":"D","name":"guest"}],"tdx":[{"mrConfigId":"D","mrOwner":"D","mrOwnerConfig":"D","mrSeam":["D"],"mrSignerSeam":"D","mrtd":"D","name":"td","seamAttributes":"0000000000000001","tdAttributes":"0000000010000000","teeTcbSvn":"P","xfam":"00000000000602e7"}],"tdxMinimumEvaluationDataNumber":17,"type":"assay-reference-values","version":3}""";

    private static string Filled(string text) => text.Replace("\"D\"", $"\"{ManifestWorld.Of(20)}\"", StringComparison.Ordinal).Replace("\"P\"", $"\"{ManifestWorld.Of(21, 16)}\"", StringComparison.Ordinal)
        .Replace("\"Q\"", $"\"{ManifestWorld.Of(22, 16)}\"", StringComparison.Ordinal).Replace("\"C\"", $"\"{ManifestWorld.Of(23, 64)}\"", StringComparison.Ordinal).Replace("\"0\"", $"\"{ManifestWorld.Of(0, 16)}\"", StringComparison.Ordinal);

    [Fact]
    public void Version_3_states_pins_and_known_platforms()
    {
        Assert.True(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(Filled(Pinned)), out var read, out var fault), fault?.ToString());

        Assert.Equal(Filled(Pinned), Encoding.UTF8.GetString(read.ToCanonicalJson()));
        Assert.Equal((1UL, 0x1000_0000UL, 0x602E7UL), (read.Tdx[0].SeamAttributes, read.Tdx[0].TdAttributes, read.Tdx[0].Xfam));
        Assert.Equal(17, read.TdxMinimumEvaluationDataNumber);
        Assert.True(read.Snp[0].RequireAliasCheck);
        Assert.Equal(new TdxPlatform(ManifestWorld.Of(22, 16), ManifestWorld.Of(21, 16)), read.Platforms!.Tdx.Single());
        Assert.Equal(ManifestWorld.Of(20), read.Platforms.Devices.Single());
        Assert.Equal($"{ManifestWorld.Of(23, 64)}", $"{read.Platforms.Snp.Single()}");
    }

    [Theory]
    [InlineData("\"version\":3", "\"version\":2", "unknown member")]
    [InlineData("\"version\":3", "\"version\":1", "unknown member")]
    [InlineData("\"version\":3", "\"version\":4", "1 to 3 is expected")]
    [InlineData("\"ppid\":\"Q\"", "\"ppid\":\"0\"", "platforms.tdx[0].ppid: zeros")]
    [InlineData("\"piid\":\"P\"", "\"piid\":\"0\"", "platforms.tdx[0].piid: zeros")]
    [InlineData("{\"piid\":\"P\",\"ppid\":\"Q\"}", "{\"piid\":\"P\"}", "ppid: missing")]
    [InlineData("{\"piid\":\"P\",\"ppid\":\"Q\"}", "{\"piid\":\"P\",\"ppid\":\"Q\"},{\"piid\":\"P\",\"ppid\":\"Q\"}", "platforms.tdx: an entry is listed twice")]
    [InlineData("{\"piid\":\"P\",\"ppid\":\"Q\"}", "{\"piid\":\"P\",\"ppid\":\"Q\"},{\"ppid\":\"Q\"}", "with a piid and without")]
    [InlineData("{\"chipId\":\"C\"}", "{\"chipId\":\"C\"},{\"chipId\":\"C\"}", "platforms.snp: an entry is listed twice")]
    [InlineData("{\"chipId\":\"C\"}", "{\"chipId\":\"D\"}", "128 lower-case hexadecimal")]
    [InlineData("{\"chipId\":\"C\"}", "{\"chipId\":\"C\",\"name\":\"a\"}", "unknown member")]
    [InlineData("{\"chipId\":\"C\"}", "", "platforms.snp: empty")]
    [InlineData("{\"id\":\"D\"}", "{\"id\":\"D\"},{\"id\":\"D\"}", "platforms.devices: an entry is listed twice")]
    [InlineData("{\"id\":\"D\"}", "\"D\"", "platforms.devices[0]")]
    [InlineData("{\"devices\":[{\"id\":\"D\"}],\"snp\":[{\"chipId\":\"C\"}],\"tdx\":[{\"piid\":\"P\",\"ppid\":\"Q\"}]}", "{}", "platforms: empty")]
    [InlineData("\"aliasCheckComplete\":true", "\"aliasCheckComplete\":false", "true is expected, or nothing")]
    [InlineData("\"mrSeam\":[\"D\"]", "\"mrSeam\":[\"D\",\"D\"]", "mrSeam: a digest is listed twice")]
    [InlineData("\"mrSeam\":[\"D\"]", "\"mrSeam\":[]", "tdx[0].mrSeam: empty")]
    [InlineData("\"xfam\":\"00000000000602e7\"", "\"xfam\":\"602e7\"", "16 lower-case hexadecimal")]
    [InlineData("\"tdxMinimumEvaluationDataNumber\":17", "\"tdxMinimumEvaluationDataNumber\":0", "from 1 to")]
    public void What_a_pin_or_a_platform_cannot_be_is_refused(string member, string other, string problem)
    {
        Assert.Contains(member, Pinned, StringComparison.Ordinal);

        Assert.False(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(Filled(Pinned.Replace(member, other, StringComparison.Ordinal))), out _, out var fault));

        Assert.Contains(problem, fault.ToString(), StringComparison.Ordinal);
    }

    public static TheoryData<string, string?, string> Broken => new()
    {
        { "type", "\"other\"", "type:" },
        { "version", "4", "version:" },
        { "version", "2", "pcrs[0].paravisor: either paravisor" },
        { "tdx", "[{\"name\":\"a\",\"mrtd\":\"MRTD\",\"paravisor\":true}]", "tdx[0]: an unknown member" },
        { "snp", "[{\"name\":\"a\",\"idKeyDigest\":\"MRTD\"}]", "snp[0].measurement: missing" },
        { "extra", "1", "reference manifest: an unknown member" },
        { "image", "{\"name\":\"x\"}", "version: missing" },
        { "image", "{\"name\":\"\",\"version\":\"1\"}", "image.name: 1 to 128 printable" },
        { "image", "{\"name\":\"a\\u001b[2J\",\"version\":\"1\"}", "image.name: 1 to 128 printable" },
        { "sequence", "0", "sequence: a whole number from 1" },
        { "sequence", "1.5", "sequence: a whole number from 1" },
        { "sequence", "9007199254740992", "sequence: a whole number from 1" },
        { "notBefore", "\"2026-11-01\"", "notBefore: a time like" },
        { "notAfter", "\"2001-01-01T00:00:00Z\"", "notAfter: later than notBefore" },
        { "tdx", "[]", "tdx: empty" },
        { "tdx", "[1]", "tdx[0]: an object is expected" },
        { "tdx", "[{\"name\":\"a\"}]", "mrtd: missing" },
        { "tdx", "[{\"name\":\"a\",\"mrtd\":\"00\"}]", "tdx[0].mrtd: 96 lower-case" },
        { "tdx", "[{\"name\":\"a\",\"mrtd\":\"MRTD\",\"rtmr4\":\"MRTD\"}]", "tdx[0]: an unknown member" },
        { "snp", null, "snpMinimumTcb: it is given without snp" },
        { "snpMinimumTcb", "{}", "snpMinimumTcb: empty" },
        { "snpMinimumTcb", "{\"Naples\":{}}", "snpMinimumTcb: an unknown member" },
        { "snpMinimumTcb", "{\"Milan\":{\"fmc\":1,\"bootLoader\":1,\"tee\":1,\"snp\":1,\"microcode\":1}}", "snpMinimumTcb.Milan: an unknown member" },
        { "snpMinimumTcb", "{\"Milan\":{\"bootLoader\":256,\"tee\":1,\"snp\":1,\"microcode\":1}}", "bootLoader: a whole number from 0 to 255" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha1\",\"values\":{}}]", "pcrs[0].bank: sha256 or sha384" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha256\",\"values\":{}}]", "pcrs[0].values: empty" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha256\",\"values\":{\"04\":\"PCR\"}}]", "pcrs[0].values: registers 0 to 23" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha256\",\"values\":{\"24\":\"PCR\"}}]", "pcrs[0].values: registers 0 to 23" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha256\",\"values\":{\"16\":\"PCR\"}}]", "pcrs[0].values: PCR 16 and 23" },
        { "pcrs", "[{\"name\":\"a\",\"bank\":\"sha384\",\"values\":{\"4\":\"PCR\"}}]", "pcrs[0].values.4: 96 lower-case" },
        { "gpuPolicies", "[\"MRTD\",\"MRTD\"]", "gpuPolicies: a duplicate digest" },
        { "gpuPolicies", "[\"00\"]", "gpuPolicies[0]: 96 lower-case" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_manifest_that_breaks_a_rule_is_refused_by_the_name_of_the_member(string member, string? value, string problem)
    {
        var root = JsonNode.Parse(ManifestWorld.Whole.ToCanonicalJson())!.AsObject();
        root.Remove(member);
        if (value is not null)
        {
            root[member] = JsonNode.Parse(value.Replace("MRTD", new string('a', 96), StringComparison.Ordinal).Replace("PCR", new string('b', 64), StringComparison.Ordinal));
        }

        Assert.False(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(root.ToJsonString()), out var manifest, out var fault));
        Assert.Null(manifest);
        Assert.StartsWith(problem, $"{fault.Field}: {fault.Problem}");
    }

    [Fact]
    public void Upper_case_repeated_members_and_other_documents_are_refused()
    {
        var json = Encoding.UTF8.GetString(ManifestWorld.Whole.ToCanonicalJson());
        Assert.Contains("lower-case", Fault(json.Replace(ManifestWorld.Of(12).ToString(), ManifestWorld.Of(12).ToString().ToUpperInvariant(), StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("a duplicate member", Fault(json.Replace("\"sequence\":7", "\"sequence\":7,\"sequence\":8", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("an object is expected", Fault("[]"), StringComparison.Ordinal);
        Assert.Contains("malformed", Fault(""), StringComparison.Ordinal);
        Assert.Contains("larger than", Fault(new string(' ', Limits.ReferenceManifestBytes + 1)), StringComparison.Ordinal);
        Assert.Contains("tdx, snp and pcrs are all absent", Fault("""{"type":"assay-reference-values","version":1,"image":{"name":"a","version":"1"},"sequence":1,"notBefore":"2026-01-01T00:00:00Z","notAfter":"2027-01-01T00:00:00Z"}"""), StringComparison.Ordinal);
        Assert.Contains("more than 64", Fault(json.Replace($"[\"{ManifestWorld.Of(12)}\"]", $"[{string.Join(',', Enumerable.Range(0, 65).Select(value => $"\"{ManifestWorld.Of((byte)value)}\""))}]", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_proper_prefix_is_refused()
    {
        var json = ManifestWorld.Whole.ToCanonicalJson();
        for (var length = 0; length < json.Length; length++)
        {
            Assert.False(ReferenceManifest.TryParse(json.AsSpan(0, length), out _, out var fault));
            Assert.NotNull(fault);
        }
    }

    [Fact]
    public void A_flipped_bit_is_refused_or_says_something_else()
    {
        var json = ManifestWorld.Whole.ToCanonicalJson();
        for (var bit = 0; bit < 8 * json.Length; bit++)
        {
            var flipped = json.ToArray();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            if (ReferenceManifest.TryParse(flipped, out var read, out _))
            {
                // One value has one spelling, but for the order of members: another text is another manifest.
                using var document = JsonDocument.Parse(flipped);
                Assert.Equal(Encoding.UTF8.GetString(CanonicalJson.Write(document.RootElement)), Encoding.UTF8.GetString(read.ToCanonicalJson()));
                Assert.NotEqual(json, read.ToCanonicalJson());
            }
        }
    }

    private static string Fault(string json)
    {
        Assert.False(ReferenceManifest.TryParse(Encoding.UTF8.GetBytes(json), out _, out var fault));
        return fault.ToString();
    }
}
