using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Trust;
using Assay.Trust.Tpm;

namespace Assay.Appraisal.Tpm;

/// <summary>The questions put to a TPM's quote, and to the HCL report in which Azure names its key.</summary>
public static class TpmAppraisal
{
    /// <summary>Every id, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => AuthenticTpmQuote.CheckIds;

    /// <summary>Judges a quote under a key. A bare key's quote is read, explained and refused.</summary>
    public static TpmResult Appraise(TpmQuoteEvidence evidence, AttestationKey key, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        return AuthenticTpmQuote.Authenticate(evidence, key, expected, meter);
    }

    /// <summary>
    /// Judges Azure's evidence. Its key is in the TEE when <paramref name="verified"/> comes from the SNP report or TD quote of the same
    /// evidence, verified elsewhere, and matches a named paravisor. Without the first the key is a bare one and refused; without the second
    /// nothing that the TPM says is believed, and the result says so.
    /// </summary>
    public static TpmResult AppraiseAzure(AzureVtpmEvidence evidence, ParavisorMatch? verified, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        return AuthenticTpmQuote.Authenticate(evidence, verified, expected, meter);
    }

    /// <summary>No question could be put yet: what the key hangs on is not known.</summary>
    internal static TpmResult Stop(string reason) => new() { Findings = [.. CheckIds.Select(id => Outcome.Stopped(reason).Named(id))], Quote = null, Root = TpmRoot.None };
}
