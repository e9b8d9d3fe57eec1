using System.Collections.Immutable;

namespace Assay.Checks;

/// <summary>The permanent names of what may be said to weaken a verdict. docs/verdict.md says what each means.</summary>
public static class Weakenings
{
    /// <summary>Of a token alone: its verdict does not say that freshness is proven.</summary>
    public const string FreshnessNotProven = "freshness-not-proven";

    private static readonly ImmutableHashSet<string> s_unstated = ["boot-not-expected", "devices-not-expected", "processor-not-expected"];

    /// <summary>
    /// Those that lower what an EAR says about what was appraised. That nothing was stated about the rest of the machine is the scope of the
    /// verdict and no answer about the devices; so is, where nothing was stated of a processor, what only one could have vouched for, whether
    /// one was shown or not: showing less must not affirm more.
    /// </summary>
    internal static string[] BeyondScope(IEnumerable<string> names)
    {
        string[] all = [.. names];
        var aboutDevices = all.Contains("processor-not-expected");
        return [.. all.Where(name => !s_unstated.Contains(name) && !(aboutDevices && name is ("no-cpu-tee" or "gpu-binding-none" or "gpu-binding-evidence-hash")))];
    }

    /// <summary>Every one, sorted.</summary>
    public static ImmutableSortedSet<string> Names { get; } = ImmutableSortedSet.Create(
        StringComparer.Ordinal,
        "boot-events-unproven", "boot-not-expected", "devices-not-expected", FreshnessNotProven, "gpu-binding-evidence-hash", "gpu-binding-none", "held-rim-signer-accepted",
        "no-cpu-tee", "nonce-not-given", "paravisor-not-named", "policy-allowed", "processor-not-expected", "reference-values-unsigned", "revocation-skipped", "sept-ve",
        "snp-debug-accepted", "snp-no-minimum-tcb", "snp-no-reference-values", "snp-no-report-data", "snp-revocation-skipped", "snp-tcb-status-accepted",
        "tdx-debug-accepted", "tdx-no-reference-values", "tdx-no-report-data", "tdx-revocation-skipped", "tdx-sept-ve-accepted", "tdx-tcb-status-accepted",
        "time-stated", "tpm-no-nonce", "tpm-no-reference-values");
}
