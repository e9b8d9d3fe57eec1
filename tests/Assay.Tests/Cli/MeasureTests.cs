using System.Text;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Cli;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Boot;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Cli;

/// <summary><c>assay measure</c>: from evidence to reference values, and from these to evidence that meets them.</summary>
public sealed class MeasureTests : IDisposable
{
    private static readonly string[] s_image = ["--name", "trainer", "--image-version", "1.2", "--sequence", "7", "--not-before", "2025-01-01T00:00:00Z", "--not-after", "2030-01-01T00:00:00Z"];

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-measure-").FullName;

    private int _made;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("tdx/tdx_quote", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z")]
    [InlineData("dstack/quote-report.quote.bin", "tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z")]
    public async Task A_recorded_quote_meets_what_was_measured_from_it(string quote, string collateral, string at)
    {
        var values = await Measure("--from", Recorded.PathOf($"cpu/{quote}"));
        var judged = JudgedTdx.Recorded(quote, collateral, at) with { With = expected => expected with { References = values.Tdx } };
        var result = judged.Result();
        Assert.Empty(JudgedTdx.Failed(result.Findings));
        Assert.Equal(CheckState.Held, result.Findings.Single(finding => finding.Id == "tdx.measurements.match").State);

        // And no other does.
        var other = (JudgedTdx.Recorded("tdx/quote-from-tappd.hex", collateral, at) with { With = judged.With }).Result();
        Assert.Equal(CheckState.Failed, other.Findings.Single(finding => finding.Id == "tdx.measurements.match").State);
    }

    [Fact]
    public async Task A_recorded_report_meets_measurement_and_minimum_that_were_measured_from_it()
    {
        var values = await Measure("--from", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--also", "host-data");
        var judged = JudgedSnp.Recorded("dstack", "2026-08-01T00:00:00Z");
        var strict = judged with { With = expected => judged.With(expected) with { References = values.Snp, MinimumTcb = values.MinimumTcb } };
        Assert.DoesNotContain(strict.Result().Findings, finding => finding.State is CheckState.Failed);
        Assert.NotNull(values.Snp.Single().HostData);
        Assert.Null(values.Snp.Single().IdKeyDigest);

        var without = await Measure("--from", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--no-minimum-tcb");
        Assert.Null(without.MinimumTcb);
        // A report of version 2 does not say which product it is of, so no floor can be taken from it.
        Assert.Null((await Measure("--from", Recorded.PathOf("cpu/snp/trustee/test-report.bin"))).MinimumTcb);
    }

    [Theory]
    [InlineData("az-snp-vtpm")]
    [InlineData("az-tdx-vtpm")]
    public async Task A_recorded_Azure_machine_meets_what_was_measured_from_it(string folder)
    {
        var path = Recorded.PathOf($"cpu/az-vtpm/{folder}/evidence-v1.json");
        var values = await Measure("--from", path, "--pcr", "0,4,7");
        Assert.Equal(folder == "az-tdx-vtpm", values.Snp.IsEmpty);
        Assert.Equal(folder == "az-snp-vtpm", values.Tdx.IsEmpty);

        // A marked entry for the paravisor, and PCRs that are its own; a plain guest of the same measurement is none of them.
        Assert.True(values.Tdx.All(entry => entry.IsParavisor) && values.Snp.All(entry => entry.IsParavisor));
        Assert.Equal(values.Tdx.Select(entry => entry.Name).Concat(values.Snp.Select(entry => entry.Name)), values.Tpm.Select(entry => entry.Paravisor));

        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        Assert.True(ProcessorEvidence.TryParse(bytes, "azure", out var cpu, out var fault), fault?.ToString());
        var expected = new ProcessorExpectations
        {
            Key = null,
            AdditionalEvidence = "",
            ReportData = null,
            TdxReferences = values.Tdx,
            SnpReferences = values.Snp,
            SnpMinimumTcb = null,
            TpmReferences = values.Tpm,
            Basis = new TrustBasis(new EvaluationTime(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero), TimeSource.Stated), TrustSet.BuiltIn, RevocationChecking.DangerouslySkipped),
            DangerouslyAcceptedTcbStatuses = [TcbStatus.OutOfDate],
        };
        var collateral = new ProcessorCollateral { Snp = new SnpCollateral { Certificates = JudgedSnp.Read("roots/ask_ark_milan.pem") } };
        var result = ProcessorAppraisal.Appraise(cpu, collateral, expected, new VerifierCache());
        var finding = result.Tpm!.Findings.Single(finding => finding.Id == "tpm.measurements.match");
        Assert.Equal((CheckState.Held, "trainer 1.2 (evidence-v1.json)"), (finding.State, finding.Found));
        Assert.NotNull(result.Tpm.Quote);
    }

    [Fact]
    public async Task A_log_beside_its_quote_is_replayed_against_it()
    {
        var values = await Measure("--from", Recorded.PathOf("cpu/dstack/quote-report.quote.bin"), Recorded.PathOf("cpu/dstack/quote-report.eventlog.json"));
        Assert.Single(values.Tdx);
        Assert.Null(values.Tdx[0].Rtmr[3]);

        var answer = Fails("--from", Recorded.PathOf("cpu/dstack/quote-report.quote.bin"), Recorded.PathOf("cpu/eventlog/dstack_ccel.bin"));
        Assert.Contains("does not give the registers of quote-report.quote.bin", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_alone_gives_registers_by_replay()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        var (ccel, tcg, mrTd) = (Write("ccel.bin", boot.CcelLog()), Write("tcg.bin", boot.TcgLog()), new string('d', 96));

        Assert.Contains("no log contains MRTD", Fails("--from", ccel), StringComparison.Ordinal);
        var values = await Measure("--from", ccel, "--mrtd", mrTd);
        Assert.Equal(mrTd, values.Tdx.Single().MrTd.ToString());
        Assert.Equal(BootWorld.Read(boot.CcelLog()).Replay(TcgHash.Sha384)[0], values.Tdx[0].Rtmr[0]);
        Assert.Null(values.Tdx[0].Rtmr[3]);

        values = await Measure("--from", tcg, "--pcr", "0,7,10");
        var replayed = BootWorld.Read(boot.TcgLog()).Replay(TcgHash.Sha256);
        Assert.Equal(replayed.Where(item => item.Key is 0 or 7 or 10), values.Tpm.Single().Values);

        Assert.Contains("--mrtd belongs to an RTMR log", Fails("--from", tcg, "--mrtd", mrTd), StringComparison.Ordinal);
        Assert.Contains("none of PCR 22 is in it", Fails("--from", tcg, "--pcr", "22"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_machines_make_several_configurations_and_the_lowest_TCB()
    {
        var (first, second) = (Write("one.bin", SimulatedCpu.Snp(SnpLine.Milan, 3, false).Report), Write("two.bin", SimulatedCpu.Snp(SnpLine.Turin, 5, true).Report));
        var quote = Write("quote.hex", Encoding.ASCII.GetBytes(Convert.ToHexString(SimulatedCpu.Tdx(4, false).Quote)));
        var policy = new string('e', 96);
        var values = await Measure("--from", first, second, quote, "--gpu-policy", policy, "--also", "rtmr3", "mrconfigid", "id-key-digest");

        Assert.Equal(["trainer 1.2 (one.bin)", "trainer 1.2 (two.bin)"], values.Snp.Select(reference => reference.Name));
        Assert.Equal(2, values.MinimumTcb!.Count);
        Assert.Equal(policy, values.GpuPolicies.Single().ToString());
        Assert.All(values.Tdx.Single().Rtmr, register => Assert.NotNull(register));
        Assert.NotNull(values.Tdx[0].MrConfigId);

        // The simulated machines meet them, and one under debug is never measured.
        var judged = SimulatedCpu.Tdx(4, false);
        var met = judged with { With = expected => judged.With(expected) with { References = values.Tdx } };
        Assert.DoesNotContain(met.Result().Findings, finding => finding.State is CheckState.Failed);
        Assert.Contains("in debug mode", Fails("--from", Write("debug.bin", SimulatedCpu.Tdx(4, false, TdxFault.Debug).Quote)), StringComparison.Ordinal);
        Assert.Contains("in debug mode", Fails("--from", Write("debug2.bin", SimulatedCpu.Snp(SnpLine.Milan, 3, false, SnpFault.Debug).Report)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_input_gives_the_same_bytes_and_a_key_signs_them()
    {
        var (quote, key) = (Write("quote.bin", SimulatedCpu.Tdx(4, false).Quote), Path.Combine(_folder, "publisher.pem"));
        Assert.Equal(await MeasureFile("--from", quote), await MeasureFile("--from", quote));

        Assert.Equal(0, await CommandLine.RunAsync(["token", "keygen", "--out", key]));
        var signed = await MeasureFile("--from", quote, "--signing-key", key);
        Assert.True(SigningKey.TryParse(await File.ReadAllBytesAsync(key, TestContext.Current.CancellationToken), out var publisher, out _));
        using (publisher)
        {
            Assert.True(AuthenticReferenceManifest.TryAuthenticate(signed, JsonWebKeySet.Of(publisher.PublicKey), new(SimulatedCpu.Now, TimeSource.System), 7, out var authentic, out _));
            Assert.Equal("trainer", authentic.Manifest.ImageName);
        }
    }

    [Fact]
    public void Nothing_is_overwritten()
    {
        var (quote, existing) = (Write("quote.bin", SimulatedCpu.Tdx(4, false).Quote), Write("existing.json", "precious"u8.ToArray()));
        var answer = new AssayCommand().Says(2, ["measure", "--from", quote, .. s_image, "--out", existing]);
        Assert.Contains("never overwritten", answer, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(existing));
        Assert.Contains("an empty", new AssayCommand().Says(2, ["measure", "--from", quote, .. s_image, "--out", ""]).Replace("is empty", "an empty", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void It_says_that_nothing_was_verified_and_what_was_taken()
    {
        var answer = new AssayCommand().Says(0, ["measure", "--from", Write("quote.bin", SimulatedCpu.Tdx(4, false).Quote), .. s_image, "--out", Path.Combine(_folder, "out.json")]);
        Assert.Contains("its signature was not verified", answer, StringComparison.Ordinal);
        Assert.Contains("MRTD, RTMR0 to RTMR2", answer, StringComparison.Ordinal);
        Assert.Contains("Nothing was verified", answer, StringComparison.Ordinal);
        Assert.Contains("It is not signed", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("either --valid-for DAYS or --not-after TIME", "--name", "a", "--image-version", "1", "--sequence", "1")]
    [InlineData("either --valid-for DAYS or --not-after TIME", "--name", "a", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--not-after", "2030-01-01T00:00:00Z")]
    [InlineData("--valid-for: a whole number from 1 to 3650", "--name", "a", "--image-version", "1", "--sequence", "1", "--valid-for", "0")]
    [InlineData("--not-before: RFC 3339", "--name", "a", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--not-before", "today")]
    [InlineData("sequence: a whole number from 1", "--name", "a", "--image-version", "1", "--sequence", "0", "--valid-for", "1")]
    [InlineData("image.name: 1 to 128 printable", "--name", "ä", "--image-version", "1", "--sequence", "1", "--valid-for", "1")]
    [InlineData("--pcr: 0 to 23", "--name", "a", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--pcr", "16")]
    [InlineData("--gpu-policy: 96 hexadecimal", "--name", "a", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--gpu-policy", "00")]
    [InlineData("'--sequence' is required", "--name", "a", "--image-version", "1", "--valid-for", "1")]
    public void What_cannot_be_meant_is_refused(string problem, params string[] options)
    {
        var path = Path.Combine(_folder, "out.json");
        var answer = new AssayCommand().Says(2, ["measure", "--from", Write("quote.bin", SimulatedCpu.Tdx(4, false).Quote), .. options, "--out", path]);
        Assert.Contains(problem, answer, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void Other_files_and_broken_ones_are_refused_by_name()
    {
        Assert.Contains("this is text of an unknown k", Fails("--from", Write("text.txt", "hello"u8.ToArray())), StringComparison.Ordinal);
        Assert.Contains("cut.bin: ", Fails("--from", Write("cut.bin", SimulatedCpu.Tdx(4, false).Quote[..700])), StringComparison.Ordinal);
        Assert.Contains("no such file", Fails("--from", Path.Combine(_folder, "absent")), StringComparison.Ordinal);
    }

    private string Write(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private string Fails(params string[] options)
    {
        var path = Path.Combine(_folder, $"out-{_made++}");
        var answer = new AssayCommand().Says(2, ["measure", .. options, .. s_image, "--out", path]);
        Assert.False(File.Exists(path));
        return answer;
    }

    private async Task<byte[]> MeasureFile(params string[] options)
    {
        var path = Path.Combine(_folder, $"out-{_made++}");
        Assert.Equal(0, await CommandLine.RunAsync(["measure", .. options, .. s_image, "--out", path]));
        return await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
    }

    private async Task<ReferenceValues> Measure(params string[] options)
    {
        Assert.True(ReferenceValues.TryRead(await MeasureFile(options), null, new(SimulatedCpu.Now, TimeSource.System), 0, out var values, out var findings), string.Join(' ', findings));
        return values;
    }
}
