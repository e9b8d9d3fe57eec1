using Assay.Evidence.Tpm;
using Assay.Trust.EventLogs;

namespace Assay.Trust.Tpm;

/// <summary>
/// A quote that a trusted key signed, over register values that are known. Only the appraisal makes one, after every question about the
/// quote's authenticity held.
/// </summary>
public sealed class AuthenticTpmQuote
{
    internal AuthenticTpmQuote(TpmQuote quote, AttestationKey key, QuotedRegisters registers) => (Quote, Key, Registers) = (quote, key, registers);

    /// <summary>What the TPM said.</summary>
    public TpmQuote Quote { get; }

    /// <summary>Who signed it, and why he is believed.</summary>
    public AttestationKey Key { get; }

    /// <summary>The values that the quote covers, and no other.</summary>
    public QuotedRegisters Registers { get; }
}
