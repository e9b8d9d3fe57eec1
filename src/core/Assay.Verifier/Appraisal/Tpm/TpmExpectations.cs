using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Tpm;

/// <summary>What the relying party expects of a TPM's quote.</summary>
internal sealed record TpmExpectations
{
    /// <summary>What the quote must answer, up to 66 bytes. Null: freshness is not proven, and the result says so.</summary>
    public required ReadOnlyMemory<byte>? QualifyingData { get; init; }

    /// <summary>The bank that counts: SHA-256 or SHA-384.</summary>
    public required TcgHash Bank { get; init; }

    /// <summary>Registers that must be quoted; others may be too. At least one.</summary>
    public required ImmutableArray<int> Registers { get; init; }

    /// <summary>Known-good boots, of which one must match. Null: any boot passes, and the result says so; an empty list passes none.</summary>
    public required ImmutableArray<TpmReference>? References { get; init; }

    /// <summary>
    /// Azure: the 64 bytes that the guest wrote for this challenge, which make the hardware report a fresh one. Null: it may be an old one.
    /// </summary>
    public ReadOnlyMemory<byte>? UserData { get; init; }

    /// <summary>The clock of an earlier quote of the same key: this one must be of the same boot. Null when none is known.</summary>
    public TpmClock? Earlier { get; init; }

    internal TpmQuestion Question => new(QualifyingData, Bank, Registers, UserData, Earlier);
}

/// <summary>The answers about a TPM's quote.</summary>
internal sealed record TpmResult
{
    /// <summary>In the order of the checks.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>The quote and its registers, once no question about it failed and its key has a root; null otherwise.</summary>
    public required AuthenticTpmQuote? Quote { get; init; }

    /// <summary>Why the key is believed; None when it is not.</summary>
    public required TpmRoot Root { get; init; }

    /// <summary>Azure: the HCL report; null elsewhere and when it could not be read.</summary>
    public HclReport? Hcl { get; init; }

    /// <summary>The known-good boot that its registers match; null where none was given or none matches.</summary>
    public TpmReference? Boot { get; init; }

    /// <summary>What was waived, by permanent names, sorted.</summary>
    public ImmutableArray<string> Weakened => [.. Findings.Where(finding => finding.Cause is NotCheckedCause.Waived).Select(finding => finding.Id switch
    {
        CheckIds.TpmAkRoot => Weakening.ParavisorNotNamed.Name,
        CheckIds.TpmQuoteNonceMatch => Weakening.TpmNoNonce.Name,
        CheckIds.TpmMeasurementsMatch => Weakening.TpmNoReferenceValues.Name,
        _ => null,
    }).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
}
