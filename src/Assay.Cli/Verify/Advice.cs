using Assay.Appraisal;
using Assay.Cli.Explain;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>What to do about checks that did not hold, and where to get what is missing.</summary>
internal static class Advice
{
    public static List<string> For(Verdict verdict)
    {
        var failed = verdict.Appraisal.AllFindings.Concat(verdict.PolicyFindings).Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id).Distinct().ToArray();
        var advice = failed.Select(id => Explanations.Find(id)?.Cure).OfType<string>().Distinct().ToList();
        foreach (var kind in verdict.Appraisal.Missing.GroupBy(item => item.Kind))
        {
            advice.Add(kind.Key switch
            {
                "rim" => $"Get {string.Join(", ", kind.Select(item => item.Id))}: --rim-url nvidia fetches them, or put <id>.xml into --rim-store. A driver or VBIOS without a RIM cannot be verified: use a released one.",
                "corim" => "These devices can be authenticated but not measured by this version: their reference values exist only as CoRIM.",
                _ => "Get OCSP answers: --ocsp-url nvidia, or a folder of them as --ocsp-store.",
            });
        }

        if (failed.Length > 0)
        {
            advice.Add($"What causes it: assay explain {failed[0]}");
        }

        return advice;
    }
}
