using System.Text;
using Assay.Evidence.Files;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>175: envelopes around a quote or report left a second list, another report or a log that is not theirs out in silence.</summary>
public class Bug0175_SecondListsInEnvelopesTests
{
    private static readonly string s_quote = Convert.ToBase64String(SimulatedCpu.Tdx(5, true).Quote);

    [Theory]
    [InlineData("\"version\":1,\"gpus\":[]")]
    [InlineData("\"cpu\":{}")]
    [InlineData("\"attestation_report\":\"AAAA\"")]
    [InlineData("\"all_attestations\":{}")]
    public void A_gateways_report_has_one_form_of_evidence(string beside) =>
        Assert.False(MachineEvidence.TryParse(Encoding.UTF8.GetBytes($$"""{"intel_quote":"{{s_quote}}",{{beside}}}"""), "report.json", out _, out _));

    [Theory]
    [InlineData("\"attestation_report\":\"AAAA\"")]
    [InlineData("\"cert_chain\":[1]")]
    public void A_quote_has_no_report_and_no_certificates_beside_it(string beside) =>
        Assert.False(ProcessorEvidence.TryParse(Encoding.UTF8.GetBytes($$"""{"quote":"{{s_quote}}",{{beside}}}"""), "quote.json", out _, out _));
}
