using System.Collections.Immutable;

namespace Assay.Checks;

/// <summary>
/// What may be said to weaken a verdict. There is no other than those listed here; their names are permanent, and docs/troubleshooting/weakenings.md says what
/// each leaves open.
/// </summary>
public sealed record Weakening
{
    // Before those that are listed: each enters itself.
    private static readonly SortedDictionary<string, Weakening> s_all = new(StringComparer.Ordinal);

    private Weakening(string name)
    {
        Name = name;
        s_all.Add(name, this);
    }

    /// <summary>Its permanent name, as in JSON, tokens and options.</summary>
    public string Name { get; }

    internal static Weakening BootEventsUnproven { get; } = new("boot-events-unproven");

    internal static Weakening BootNotExpected { get; } = new("boot-not-expected");

    /// <summary>Of a channel alone: any operator's machine is accepted.</summary>
    public static Weakening ChannelAnyOperator { get; } = new("channel-any-operator");

    /// <summary>Of a channel alone: its evidence is as old as its certificate, and bound to no connection.</summary>
    public static Weakening ChannelLevelCertificate { get; } = new("channel-level-certificate");

    /// <summary>Of a channel alone: its evidence is bound to the certificates of the connection, and not to its keys.</summary>
    public static Weakening ChannelLevelChallenge { get; } = new("channel-level-challenge");

    internal static Weakening DevicesNotExpected { get; } = new("devices-not-expected");

    /// <summary>Of a token alone: its verdict does not say that freshness is proven.</summary>
    public static Weakening FreshnessNotProven { get; } = new("freshness-not-proven");

    internal static Weakening GpuBindingEvidenceHash { get; } = new("gpu-binding-evidence-hash");

    internal static Weakening GpuBindingNone { get; } = new("gpu-binding-none");

    internal static Weakening HeldRimSignerAccepted { get; } = new("held-rim-signer-accepted");

    internal static Weakening NoCpuTee { get; } = new("no-cpu-tee");

    internal static Weakening NonceNotGiven { get; } = new("nonce-not-given");

    internal static Weakening ParavisorNotNamed { get; } = new("paravisor-not-named");

    internal static Weakening PolicyAllowed { get; } = new("policy-allowed");

    internal static Weakening ProcessorNotExpected { get; } = new("processor-not-expected");

    internal static Weakening ReferenceValuesUnsigned { get; } = new("reference-values-unsigned");

    internal static Weakening RevocationSkipped { get; } = new("revocation-skipped");

    internal static Weakening SeptVe { get; } = new("sept-ve");

    internal static Weakening SnpDebugAccepted { get; } = new("snp-debug-accepted");

    internal static Weakening SnpMaskedChipIdAccepted { get; } = new("snp-masked-chip-id-accepted");

    internal static Weakening SnpNoMinimumTcb { get; } = new("snp-no-minimum-tcb");

    internal static Weakening SnpNoReferenceValues { get; } = new("snp-no-reference-values");

    internal static Weakening SnpNoReportData { get; } = new("snp-no-report-data");

    internal static Weakening SnpPlatformBitsUnknown { get; } = new("snp-platform-bits-unknown");

    internal static Weakening SnpRevocationSkipped { get; } = new("snp-revocation-skipped");

    internal static Weakening SnpTcbStatusAccepted { get; } = new("snp-tcb-status-accepted");

    internal static Weakening TdxDebugAccepted { get; } = new("tdx-debug-accepted");

    internal static Weakening TdxNoReferenceValues { get; } = new("tdx-no-reference-values");

    internal static Weakening TdxNoReportData { get; } = new("tdx-no-report-data");

    internal static Weakening TdxRevocationSkipped { get; } = new("tdx-revocation-skipped");

    internal static Weakening TdxSeptVeAccepted { get; } = new("tdx-sept-ve-accepted");

    internal static Weakening TdxTcbStatusAccepted { get; } = new("tdx-tcb-status-accepted");

    internal static Weakening TdxTextAfterQuoteAccepted { get; } = new("tdx-text-after-quote-accepted");

    internal static Weakening TimeStated { get; } = new("time-stated");

    internal static Weakening TpmNoNonce { get; } = new("tpm-no-nonce");

    internal static Weakening TpmNoReferenceValues { get; } = new("tpm-no-reference-values");

    /// <summary>The names of all, sorted.</summary>
    public static ImmutableSortedSet<string> Names { get; } = [.. s_all.Keys];

    /// <summary>The names of those that a channel can have and no verdict.</summary>
    public static ImmutableArray<string> OfChannelsAlone { get; } = [ChannelAnyOperator.Name, ChannelLevelCertificate.Name, ChannelLevelChallenge.Name];

    /// <summary>The names of those that every verdict about devices alone has: nothing was stated about the rest of the machine.</summary>
    public static ImmutableArray<string> OfDevicesAlone { get; } = [BootNotExpected.Name, DevicesNotExpected.Name, GpuBindingNone.Name, NoCpuTee.Name, ProcessorNotExpected.Name];

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>The names of those that apply, in their order.</summary>
    internal static ImmutableArray<string> NamesOf(params ReadOnlySpan<(Weakening Weakening, bool Applies)> all)
    {
        var names = ImmutableArray.CreateBuilder<string>(all.Length);
        foreach (var (weakening, applies) in all)
        {
            if (applies)
            {
                names.Add(weakening.Name);
            }
        }

        return names.DrainToImmutable();
    }

    /// <summary>
    /// Those that lower what an EAR says about what was appraised. That nothing was stated about the rest of the machine is the scope of the
    /// verdict and no answer about the devices; so is, where nothing was stated of a processor, what only one could have stated, whether
    /// one was shown or not: showing less must not affirm more.
    /// </summary>
    internal static string[] BeyondScope(IEnumerable<string> names)
    {
        string[] all = [.. names];
        string[] unstated = [BootNotExpected.Name, DevicesNotExpected.Name, ProcessorNotExpected.Name];
        string[] aboutProcessors = all.Contains(ProcessorNotExpected.Name) ? [NoCpuTee.Name, GpuBindingNone.Name, GpuBindingEvidenceHash.Name] : [];
        return [.. all.Except(unstated).Except(aboutProcessors)];
    }
}
