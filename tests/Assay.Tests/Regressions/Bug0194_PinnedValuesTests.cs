using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;
using Assay.Tests.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>What a quote or report says beside its measurements could not be pinned by reference values.</summary>
public sealed class Bug0194_PinnedValuesTests
{
    // Behind the quote Google's tool appends text, which is none of it.
    private const int QuoteSize = 4935;

    private static Digest Other { get; } = ManifestWorld.Of(0x5A);

    public static TheoryData<string, string> OfCases => new()
    {
        { "400-td-attributes-mismatch", "TDATTRIBUTES" },
        { "410-xfam-mismatch", "XFAM" },
        { "420-mrsignerseam-pinned-mismatch", "MRSIGNERSEAM" },
        { "421-seam-attributes-pinned-mismatch", "SEAMATTRIBUTES" },
        { "430-mrseam-not-in-allowlist", "MRSEAM" },
    };

    public static TheoryData<string> OfTdx => ["MROWNER", "MROWNERCONFIG", "MRCONFIGID", "MRSEAM", "MRSIGNERSEAM", "SEAMATTRIBUTES", "TDATTRIBUTES", "XFAM", "TEE_TCB_SVN"];

    [Theory]
    [MemberData(nameof(OfCases))]
    public void A_recorded_quote_meets_its_own_values_and_no_others(string folder, string field)
    {
        var quote = Cases.Bytes($"pins/{folder}/quote.bin")[..QuoteSize];

        MeetsAlone(field, quote, new JudgedTdx { Quote = quote, At = new DateTimeOffset(2023, 7, 1, 0, 0, 0, TimeSpan.Zero) });
    }

    [Theory]
    [MemberData(nameof(OfTdx))]
    public void A_simulated_quote_meets_its_own_values_and_no_others(string field)
    {
        var judged = SimulatedCpu.Tdx(5, true);

        MeetsAlone(field, judged.Quote, judged);
    }

    [Theory]
    [InlineData("ID_KEY_DIGEST")]
    [InlineData("AUTHOR_KEY_DIGEST")]
    [InlineData("HOST_DATA")]
    [InlineData("FAMILY_ID")]
    [InlineData("IMAGE_ID")]
    public void A_report_meets_its_own_values_and_no_others(string field)
    {
        var judged = SimulatedCpu.Snp(SnpLine.Genoa, 5, false);
        Assert.True(SnpReport.TryParse(judged.Report, out var report, out _));
        var own = new SnpReference
        {
            Name = "own",
            Measurement = report.Measurement,
            HostData = report.HostData,
            IdKeyDigest = report.IdKeyDigest,
            AuthorKeyDigest = report.AuthorKeyDigest,
            FamilyId = new Digest(report.FamilyId.Span),
            ImageId = new Digest(report.ImageId.Span),
        };
        var changed = field switch
        {
            "ID_KEY_DIGEST" => own with { IdKeyDigest = Other },
            "AUTHOR_KEY_DIGEST" => own with { AuthorKeyDigest = Other },
            "HOST_DATA" => own with { HostData = ManifestWorld.Of(0x5A, 32) },
            "FAMILY_ID" => own with { FamilyId = ManifestWorld.Of(0x5A, 16) },
            _ => own with { ImageId = ManifestWorld.Of(0x5A, 16) },
        };
        SnpResult With(SnpReference reference) => (judged with { With = expected => judged.With(expected) with { References = [reference] } }).Result();

        Assert.True(With(own).Passed);
        Assert.Contains($"{field} differs", With(changed).Findings.Single(finding => finding.Id == "snp.measurement.match").Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_check_of_memory_modules_is_demanded_where_it_is_stated()
    {
        var judged = SimulatedCpu.Snp(SnpLine.Genoa, 5, false);
        Assert.True(SnpReport.TryParse(judged.Report, out var report, out _));
        var result = (judged with { With = expected => judged.With(expected) with { References = [new SnpReference { Name = "checked", Measurement = report.Measurement, RequireAliasCheck = true }] } }).Result();

        Assert.Equal(report.PlatformInfo.AliasCheckComplete, result.Passed);
        Assert.Equal(report.PlatformInfo.AliasCheckComplete ? [] : ["snp.measurement.match"], JudgedTdx.Failed(result.Findings));
    }

    [Fact]
    public void A_recorded_reports_author_key_is_compared()
    {
        var folder = Directory.CreateTempSubdirectory("assay-pins-");
        try
        {
            var (own, other) = (Path.Combine(folder.FullName, "own.json"), Path.Combine(folder.FullName, "other.json"));
            var report = Cases.PathOf("pins/440-author-key-digest-pin-mismatch/report.bin");
            new AssayCommand().Says(0, "measure", "--from", report, "--also", "author-key-digest", "--name", "a", "--image-version", "1", "--sequence", "1", "--not-before", "2026-01-01T00:00:00Z", "--not-after", "2027-01-01T00:00:00Z", "--out", own);
            var manifest = JsonNode.Parse(File.ReadAllText(own))!;
            Assert.Equal(2, manifest["version"]!.GetValue<int>());
            manifest["snp"]![0]!["authorKeyDigest"] = Other.ToString();
            File.WriteAllText(other, manifest.ToJsonString());

            Assert.Equal((0, 1), (Verify(own), Verify(other)));

            int Verify(string references) => new AssayCommand().Run(
                "verify", "--cpu-evidence", report, "--cpu-collateral", Cases.PathOf("pins/440-author-key-digest-pin-mismatch/col"), "--at", "2026-06-01T00:00:00Z", "--dangerously-skip-revocation", "--reference-values", references).ExitCode;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_least_number_of_Intels_statements_reaches_both_of_them()
    {
        var judged = SimulatedCpu.Tdx(5, true);
        var references = ManifestWorld.Values(ManifestWorld.Whole with { Version = 3, Pcrs = [], TdxMinimumEvaluationDataNumber = SimulatedTdx.EvaluationDataNumber + 1 });
        var expected = new MachineExpectations { Basis = judged.Expectations().Basis, References = references };

        Assert.Equal(SimulatedTdx.EvaluationDataNumber + 1, expected.OfProcessor(null, "").MinimumEvaluationDataNumber);
        Assert.Equal(
            ["tdx.tcb-info.number.met", "tdx.qe-identity.number.met"],
            JudgedTdx.Failed((judged with { With = with => judged.With(with) with { MinimumEvaluationDataNumber = references.MinimumEvaluationDataNumber } }).Result().Findings));
    }

    private static void MeetsAlone(string field, byte[] bytes, JudgedTdx judged)
    {
        Assert.True(TdxQuote.TryParse(bytes, out var quote, out var fault), fault?.ToString());
        var body = quote.Body;
        var own = new TdxReference
        {
            Name = "own",
            MrTd = body.MrTd,
            Rtmr = [.. body.Rtmr.Select(register => (Digest?)register)],
            MrConfigId = body.MrConfigId,
            MrOwner = body.MrOwner,
            MrOwnerConfig = body.MrOwnerConfig,
            MrSeam = [Other, body.MrSeam],
            MrSignerSeam = body.MrSignerSeam,
            SeamAttributes = body.SeamAttributes,
            TdAttributes = body.Attributes.Value,
            Xfam = body.Xfam.Value,
            MinimumTeeTcbSvn = body.TeeTcbSvn,
        };
        var changed = field switch
        {
            "MROWNER" => own with { MrOwner = Other },
            "MROWNERCONFIG" => own with { MrOwnerConfig = Other },
            "MRCONFIGID" => own with { MrConfigId = Other },
            "MRSEAM" => own with { MrSeam = [Other] },
            "MRSIGNERSEAM" => own with { MrSignerSeam = Other },
            "SEAMATTRIBUTES" => own with { SeamAttributes = body.SeamAttributes ^ 1 },
            "TDATTRIBUTES" => own with { TdAttributes = body.Attributes.Value ^ 1UL << 30 },
            "XFAM" => own with { Xfam = body.Xfam.Value ^ 1UL << 9 },
            _ => own with { MinimumTeeTcbSvn = body.TeeTcbSvn.SetItem(2, (byte)(body.TeeTcbSvn[2] + 1)) },
        };
        Finding Match(TdxReference reference) =>
            (judged with { With = expected => judged.With(expected) with { References = [reference] } }).Result().Findings.Single(finding => finding.Id == "tdx.measurements.match");

        Assert.Equal(CheckState.Held, Match(own).State);
        var differing = Match(changed);
        Assert.Equal(CheckState.Failed, differing.State);
        Assert.Contains(field, differing.Reason, StringComparison.Ordinal);
    }
}
