using Assay.Evidence.Files;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>252: dstack's versioned attestation, and the evidence of Trustee's TPM attester, were "JSON of no known kind".</summary>
public sealed class Bug0252_AttestationsOfDstackTests
{
    [Theory]
    [InlineData("cpu/snp/dstack/sev-snp-attestation.json", ContentKind.DstackAttestation)]
    [InlineData("cpu/snp/dstack/sev_snp_attestation.bin", ContentKind.DstackAttestation)]
    [InlineData("cpu/dstack/guest-agent-attestation.bin", ContentKind.DstackAttestation)]
    [InlineData("cpu/tpm/trustee_tpm_evidence.json", ContentKind.TpmEvidence)]
    public void Recorded_ones_are_named(string file, ContentKind kind) => Assert.Equal(kind, FileContent.Of(Recorded.Bytes(file)).Kind);

    [Theory]
    [InlineData("attestation.json", "GetQuote")]
    [InlineData("tpm.json", "Azure's vTPM")]
    public void The_error_says_what_to_give_instead(string name, string instead)
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, WrongFiles.All.Single(item => item.Name == name).File);

            var answer = Assert.Single(new AssayCommand().Says(2, "verify", "--cpu-evidence", file).Split('\n', StringSplitOptions.RemoveEmptyEntries));

            Assert.Contains(instead, answer, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    // The agent's answer to GetQuote has it beside the quote, and empty; elsewhere than on TDX the quote is empty.
    [Fact]
    public void Beside_a_quote_it_changes_nothing()
    {
        var quote = Convert.ToHexStringLower(Cpu.SimulatedCpu.Tdx(4, false).Quote);

        Assert.True(ProcessorEvidence.TryParse(System.Text.Encoding.UTF8.GetBytes($$"""{"quote":"{{quote}}","event_log":"[]","attestation":"0003811203000000"}"""), "file", out var evidence, out var fault), fault?.ToString());
        Assert.Equal(ProcessorEvidenceKind.TdxQuote, evidence.Kind);
        Assert.False(ProcessorEvidence.TryParse("""{"quote":"","event_log":"","attestation":"0003811203000000"}"""u8, "file", out _, out fault));
        Assert.Contains("dstack's versioned attestation", fault.Problem, StringComparison.Ordinal);
    }
}
