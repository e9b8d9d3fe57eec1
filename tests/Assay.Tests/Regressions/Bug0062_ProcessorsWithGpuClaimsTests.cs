using System.Text.Json;
using Assay.Tokens;

namespace Assay.Tests.Regressions;

/// <summary>62: a submodule with a GPU's claims was taken for a processor, whose nonce is not compared, when its report data had 64 bytes.</summary>
public class Bug0062_ProcessorsWithGpuClaimsTests
{
    [Theory]
    [InlineData("\"tdx\":{}", true)]
    [InlineData("\"nvidia\":{}", false)]
    [InlineData("\"tdx\":{},\"nvidia\":{}", false)]
    public void What_holds_a_gpus_claims_is_no_processor(string claims, bool isProcessor)
    {
        using var document = JsonDocument.Parse("{\"ear.veraison.annotated-evidence\":{\"report_data\":\"" + new string('a', 128) + "\"," + claims + "}}");

        Assert.Equal(isProcessor, EarForms.IsProcessor(document.RootElement));
    }
}
