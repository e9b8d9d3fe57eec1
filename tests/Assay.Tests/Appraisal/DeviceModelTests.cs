using System.Text.RegularExpressions;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Tests.Properties;
using Assay.Tests.Trust;
using Assay.Trust;

namespace Assay.Tests.Appraisal;

/// <summary>The rows of the table of models, and what becomes of a device that no row matches.</summary>
public partial class DeviceModelTests
{
    /// <summary>Of each row an example: chip, revision and processor in its certificates' names, and a recorded chain.</summary>
    public static TheoryData<string, string, string> Examples => new()
    {
        { "Hopper", "GH100 A01 GSP", "nvidia/gpu/hopper_545.00_full_offline/gpuAkCertChain.txt" },
        { "Blackwell GSP", "GB100 A01 GSP", "nvidia/gpu/blackwell_575.32/blackwellCertChain.txt" },
        { "Blackwell FSP", "GB100 A01 FSP", "nvidia/sdk2x/blackwellFspCertChain.txt" },
        { "Rubin", "GR100 A01 GSP", "nvidia/sdk2x/rubin_chain_derived.pem" },
        { "LS10", "LS_10 A01 FSP", "nvidia/switch/ls10_96.10.55.00.01_full_offline/switchCertChain.txt" },
    };

    public static TheoryData<string> Rows => [.. DeviceModels.All.Select(row => row.Name)];

    /// <summary>Names that no row has: other chips, processors, revisions and lengths, and a leaf under another device's name.</summary>
    public static TheoryData<string, string> Unknown => new()
    {
        { "GX100 A01 GSP FMC LF", "GX100 A01 GSP BROM" },
        { "GA100 A01 GSP FMC LF", "GA100 A01 GSP BROM" },
        { "LS_20 A01 FSP FMC LF", "LS_20 A01 FSP BROM" },
        { "LS_10 A01 GSP FMC LF", "LS_10 A01 GSP BROM" },
        { "GH100 A01 FSP FMC LF", "GH100 A01 FSP BROM" },
        { "GR100 A01 FSP FMC LF", "GR100 A01 FSP BROM" },
        { "GH100 C01 GSP FMC LF", "GH100 C01 GSP BROM" },
        { "GH1000 A01 GSP FMC LF", "GH1000 A01 GSP BROM" },
        { "GH10- A01 GSP FMC LF", "GH10- A01 GSP BROM" },
        { "GH100 A01 GSP FMC LF", "GB100 A01 GSP BROM" },
        { "GH100 A01 GSP FMC LF", "GH100 A01 GSP" },
        { "GH100 A01 GSP", "GH100 A01 GSP BROM" },
        { "FMC LF", "BROM" },
        { "Forged Leaf", "Forged Device" },
    };

    [Fact]
    public void Every_row_has_an_example_and_a_name_of_its_own()
    {
        Assert.Equal(DeviceModels.All.Select(row => row.Name), Examples.Select(example => example.Data.Item1));
        Assert.Equal(DeviceModels.All.Length, DeviceModels.All.DistinctBy(row => row.Name).Count());
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Every_row_has_every_field(string name)
    {
        var row = Row(name);

        Assert.NotEqual(DeviceArchitecture.None, row.Architecture);
        Assert.NotEqual(DeviceKind.None, row.Kind);
        Assert.NotEqual(Responder.None, row.Responder);
        Assert.Equal(row.Responder.ToString().ToUpperInvariant(), row.Certificates.Processor);
        Assert.Equal(row.Architecture.ToString().ToUpperInvariant(), row.ArchitectureWord);
        Assert.NotEqual(0, row.SerialPrefix);
        Assert.InRange(row.FirstAskedOfOcsp, 1, 3);
        Assert.True(row.Opaque is { Plain: > 0, Header: > 0 });
        Assert.NotEmpty(row.Rims);
        Assert.Equal(row.Rims.Length, row.Rims.DistinctBy(rim => rim.Role).Count());
        Assert.All(row.Rims, rim =>
        {
            Assert.NotEqual(RimRole.None, rim.Role);
            Assert.Equal(row.Kind, DeviceModels.KindThatNeeds(rim.Role));
            Assert.True(rim.Id is null != rim.WhyCorimOnly is null, "an id, or a reason why there is none");
            Assert.True(rim.Id is null || (rim.Id.Role == rim.Role && rim.Id.Parts[^1] is { Field: RimIdField.DriverVersion or RimIdField.FirmwareVersion, Word: null }));
        });
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Every_row_matches_its_example_and_no_other(string name, string words, string recorded)
    {
        Assert.NotEmpty(recorded);
        foreach (var row in DeviceModels.All)
        {
            Assert.Equal(row.Name == name, row.Certificates.TryMatch($"{words} FMC LF", $"{words} BROM", out var chip));
            Assert.Equal(row.Name == name ? words.Split(' ')[0] : null, chip);
        }
    }

    [Fact]
    public void No_two_rows_can_match_one_certificate()
    {
        var pairs = from one in DeviceModels.All
                    from other in DeviceModels.All
                    where one.Name != other.Name && one.Certificates.Processor == other.Certificates.Processor && one.Certificates.Chip.Length == other.Certificates.Chip.Length
                    where one.Certificates.Chip.Zip(other.Certificates.Chip).All(pair => pair.First == pair.Second || pair.First is '?' || pair.Second is '?')
                    select $"{one.Name} and {other.Name}";

        Assert.Empty(pairs);
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void A_recorded_chain_names_its_row(string name, string words, string recorded)
    {
        var chain = CertificationPathTests.Read(Recorded.Bytes(recorded));
        Assert.True(CertificationPath.TryCertify(chain, TrustSet.Nvidia, PathPurpose.Device, new VerifierCache(), out var path, out var whyNot), whyNot);

        Assert.True(DeviceIdentity.TryIdentify(path, out var identity, out whyNot), whyNot);

        Assert.Same(Row(name), identity.Model);
        Assert.Equal(words + " BROM", identity.HardwareModel);
        Assert.NotNull(identity.Pdi);
    }

    [Theory]
    [MemberData(nameof(Unknown))]
    public void A_trusted_device_that_no_row_matches_is_refused_by_name(string leaf, string device)
    {
        var chain = new ForgedChain(leaf, device).Issue();
        var evidence = new DeviceEvidence { Source = "forged", Report = Simulated.Gpu.Report, Chain = ForgedChain.Pem(chain), DeclaredKind = DeviceKind.Gpu };

        var (authentic, findings, unparsable) = AuthenticDevice.Authenticate(evidence, new DeviceQuestion(null, ForgedChain.Trusting(chain[4]), RequireFwid: false), new VerifierCache());

        Assert.False(unparsable);
        Assert.Null(authentic);
        Assert.Equal(CheckState.Held, findings.Single(finding => finding.Id == "device.chain.trusted").State);
        var refused = findings.Single(finding => finding.Id == "device.identity.known");
        Assert.Equal(CheckState.Failed, refused.State);
        Assert.StartsWith($"\"{leaf}\" under \"{device}\" is not a supported device: GH??? (GSP), ", refused.Reason, StringComparison.Ordinal);
        Assert.EndsWith($"{DeviceModels.Recipe} says how a model is added", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(NotCheckedCause.Stopped, findings.Single(finding => finding.Id == "report.fields.wellformed").Cause);
    }

    [Fact]
    public void A_kind_that_is_not_known_is_not_called_a_GPU()
    {
        foreach (var kind in new[] { DeviceKind.None, (DeviceKind)3 })
        {
            var refused = Assert.Throws<ArgumentOutOfRangeException>(() => DeviceKindWords.Of(kind));
            Assert.Contains(DeviceModels.Recipe, refused.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentOutOfRangeException>(() => DeviceKindWords.Choose(kind, "gpu", "switch"));
        }
    }

    [Fact]
    public void A_manifest_under_an_id_of_no_known_form_is_refused()
    {
        const string id = "NV_GPU_DRIVER_GH100_545.00";
        var manifest = Recorded.Bytes($"nvidia/rims/fsstore_545.00/{id}.xml");
        var verification = new ItemVerification(TrustSet.Nvidia, new VerifierCache());

        Assert.True(verification.TryVerifyRim(id, manifest, out _, out var fault), fault?.ToString());
        foreach (var other in new[] { "NV_GPU_DRIVER_GX100_545.00", "NV_DPU_FIRMWARE_545.00", "GH100_545.00", "NV_GPU_CC_DRIVER_545.00" })
        {
            Assert.False(verification.TryVerifyRim(other, manifest, out _, out fault));
            Assert.Equal(ItemRefusal.Mismatch, fault.Refusal);
            Assert.Contains(DeviceModels.Recipe, fault.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Names_of_models_stand_in_the_table_alone()
    {
        var root = Path.Combine(Repository.Root, "src", "core", "Assay.Verifier");
        var offences =
            from file in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            let path = Path.GetRelativePath(root, file).Replace('\\', '/')
            where path != "Evidence/Devices/DeviceModels.cs" && !path.StartsWith("obj/", StringComparison.Ordinal) && !path.StartsWith("bin/", StringComparison.Ordinal)
            from line in File.ReadLines(file)
            where !line.TrimStart().StartsWith("//", StringComparison.Ordinal) && NameOfModel().IsMatch(line)
            select $"{path}: {line.Trim()}";

        Assert.Empty(offences);
    }

    [Fact]
    public void The_document_names_every_model_and_no_other()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "technologies", "gpu.md")).ReplaceLineEndings("\n");
        var documented = ModelRow().Matches(text).Select(match => (match.Groups[1].Value, match.Groups[2].Value));

        Assert.Equal(DeviceModels.All.Select(row => (row.Name, row.Certificates.HardwareModel)), documented);
    }

    [Fact]
    public void The_recipe_exists_and_names_every_field_of_a_row()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, DeviceModels.Recipe));

        Assert.All(typeof(DeviceModel).GetProperties().Select(property => property.Name), field => Assert.Contains($"`{field}`", text, StringComparison.Ordinal));
        Assert.Contains("(development/adding-a-device.md)", File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md")), StringComparison.Ordinal);
    }

    private static DeviceModel Row(string name) => DeviceModels.All.Single(row => row.Name == name);

    [GeneratedRegex("""\bNV_(GPU|SWITCH)|G[HBR]100|LS_10|"(HOPPER|BLACKWELL|RUBIN|LS10)"|DeviceArchitecture\.(Hopper|Blackwell|Rubin|Ls10)|Responder\.[GF]sp""")]
    private static partial Regex NameOfModel();

    [GeneratedRegex(@"^\| ([^|]+) \| `([^`|]+ <revision> [^`|]+)` \|", RegexOptions.Multiline)]
    private static partial Regex ModelRow();
}
