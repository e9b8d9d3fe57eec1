using System.Text.Json.Nodes;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>A genuine report whose platform masks its CHIP_ID was refused, and nothing accepted it.</summary>
public sealed class Bug0190_MaskedChipIdsTests
{
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void It_is_refused_unless_it_is_accepted_by_name_and_then_the_verdict_says_so()
    {
        var refused = Verify(Cases.PathOf("masked-chip-id/masked-chip-id.bin"));
        Assert.Equal(1, refused.Code);
        Assert.Contains("--dangerously-accept-masked-chip-id", refused.Output, StringComparison.Ordinal);

        var accepted = Verify(Cases.PathOf("masked-chip-id/masked-chip-id.bin"), "--dangerously-accept-masked-chip-id");
        Assert.Equal(0, accepted.Code);
        Assert.Contains("snp-masked-chip-id-accepted", JsonNode.Parse(accepted.Output)!["weakened"]!.AsArray().Select(item => item!.GetValue<string>()));

        // An allowance that nothing needs weakens nothing.
        var unmasked = Verify(Cases.PathOf("masked-chip-id/604-synth-baseline-accept/report.bin"), "--dangerously-accept-masked-chip-id");
        Assert.Equal(0, unmasked.Code);
        Assert.DoesNotContain("masked", unmasked.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SnpFault.CertificateOfAnotherTcb, "snp.endorsement.tcb.match")]
    [InlineData(SnpFault.CertificateOfAnotherChip, "snp.endorsement.chip.match")]
    [InlineData(SnpFault.MaskChipKey, "snp.signing-key.match")]
    [InlineData(SnpFault.AlteredMeasurement, "snp.report.signature.valid")]
    [InlineData(SnpFault.AuthoritiesOfAnotherLine, "snp.product.match")]
    public void Every_other_binding_of_the_VCEK_still_holds(SnpFault fault, string check)
    {
        var judged = SimulatedCpu.Snp(SnpLine.Genoa, 5, false, fault);

        var result = (judged with { With = expected => judged.With(expected) with { DangerouslyAcceptMaskedChipId = true } }).Result();

        Assert.Equal([check], JudgedTdx.Failed(result.Findings));
        Assert.False(result.Passed);
    }

    [Fact]
    public void The_VCEK_of_another_chip_did_not_sign_it()
    {
        var (masked, other) = (SimulatedCpu.Snp(SnpLine.Genoa, 5, false, SnpFault.MaskedChipId), SimulatedCpu.Snp(SnpLine.Genoa, 5, false));

        // Of the certificates of several chips the signature tells which is meant; another's alone is refused.
        var both = masked.Collateral with { Certificates = [.. other.Collateral.Certificates, .. masked.Collateral.Certificates] };
        Assert.True(Accepting(masked with { Collateral = both }).Result().Passed);
        Assert.Equal(["snp.report.signature.valid"], JudgedTdx.Failed(Accepting(masked with { Collateral = masked.Collateral with { Certificates = other.Collateral.Certificates } }).Result().Findings));

        static JudgedSnp Accepting(JudgedSnp judged) => judged with { With = expected => judged.With(expected) with { DangerouslyAcceptMaskedChipId = true } };
    }

    private static (int Code, string Output) Verify(string report, params string[] more)
    {
        var answer = s_assay.Run(
        [
            "verify", "--cpu-evidence", report, "--cpu-collateral", Cases.PathOf("masked-chip-id/604-synth-baseline-accept/col"), "--anchors", Cases.PathOf("masked-chip-id/604-synth-baseline-accept/anchors.json"),
            "--at", "2026-06-01T00:00:00Z", "--dangerously-skip-revocation", "--format", "json", .. more,
        ]);
        return (answer.ExitCode, answer.Output);
    }
}
