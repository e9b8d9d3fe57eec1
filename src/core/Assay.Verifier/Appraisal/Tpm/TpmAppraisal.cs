using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Tpm;

/// <summary>The questions put to a TPM's quote, and to the HCL report in which Azure names its key.</summary>
internal static class TpmAppraisal
{
    private const string MeasurementsId = Checks.CheckIds.TpmMeasurementsMatch;

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => [.. AuthenticTpmQuote.CheckIds, MeasurementsId];

    /// <summary>Judges a quote under a key. A bare key's quote is read, explained and refused.</summary>
    public static TpmResult Appraise(TpmQuoteEvidence evidence, AttestationKey key, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        return Judge(AuthenticTpmQuote.Authenticate(evidence, key, expected.Question, meter), null, expected);
    }

    /// <summary>
    /// Judges Azure's evidence. Its key is in the TEE when <paramref name="verified"/> comes from the SNP report or TD quote of the same
    /// evidence, verified elsewhere, and matches a named paravisor. Without the first the key is a bare one and refused; without the second
    /// nothing the TPM says is believed, and the result says so.
    /// </summary>
    public static TpmResult AppraiseAzure(AzureVtpmEvidence evidence, ParavisorMatch? verified, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        return Judge(AuthenticTpmQuote.Authenticate(evidence, verified, expected.Question, meter), verified?.Paravisor, expected);
    }

    private static TpmResult Judge(TpmAuthentication quote, string? paravisor, TpmExpectations expected)
    {
        TpmReference? boot = null;
        var measurements = (quote.IsRead ? MeasurementsMatch(quote, paravisor, expected, out boot) : Outcome.Stopped("the evidence could not be read")).Named(MeasurementsId);
        var isProven = quote.Quote is not null && measurements.IsAccepted;
        return new TpmResult
        {
            Findings = [.. quote.Findings, measurements],
            Quote = isProven ? quote.Quote : null,
            Root = quote.Key?.Root ?? TpmRoot.None,
            Hcl = quote.Hcl,
            Boot = isProven ? boot : null,
        };
    }

    private static Outcome MeasurementsMatch(TpmAuthentication quote, string? paravisor, TpmExpectations expected, out TpmReference? matching)
    {
        matching = null;
        if (expected.References is not { } references)
        {
            return Outcome.Waived("no reference values were given: any boot passes");
        }

        if (quote.Key!.Root is TpmRoot.None)
        {
            return Outcome.Failed("you expect PCRs, but nothing this TPM says is believed: no reference value names what runs it", "none", "a paravisor that matches, or a root of the key");
        }

        if (quote.Matching is not { } registers)
        {
            return Outcome.Stopped("it is not known that the register values are the quoted ones");
        }

        matching = references.FirstOrDefault(reference => WhyNot(quote, paravisor, registers, reference) is null);
        return matching is not null ? Outcome.Held(matching.Name)
            : references.IsEmpty ? Outcome.Failed("the list of reference values is empty", $"PCR {List(registers.Values.Keys)}", "at least one boot")
            : Outcome.Failed("the boot does not match any known-good image: " + string.Join("; ", references.Take(4).Select(reference => $"{reference.Name}: {WhyNot(quote, paravisor, registers, reference)}")));
    }

    // A register that is not quoted is not known, and so is not the expected one.
    private static string? WhyNot(TpmAuthentication quote, string? paravisor, QuotedRegisters registers, TpmReference reference)
    {
        if (WhyNotKeptBy(quote, paravisor, reference) is { } whyNot)
        {
            return whyNot;
        }

        if (reference.Bank != registers.Bank)
        {
            return $"it is of the {reference.Bank.Label} bank, the quote of {registers.Bank.Label}";
        }

        int[] wrong = [.. reference.Values.Where(golden => !registers.Values.TryGetValue(golden.Key, out var found) || found != golden.Value).Select(golden => golden.Key)];
        return reference.Values.IsEmpty ? "it lists no register"
            : wrong.Length > 0 ? $"PCR {List(wrong)} {(wrong.Length == 1 ? "differs or is" : "differ or are")} not quoted"
            : null;
    }

    // Registers are of the TPM that the entry names: another paravisor's, or a plain TPM's, hold what that one likes (S-9a).
    private static string? WhyNotKeptBy(TpmAuthentication quote, string? paravisor, TpmReference reference) => quote.Key!.Root is TpmRoot.InTee
        ? reference.Paravisor is null ? "it names no paravisor (manifest version 2), but a paravisor keeps these registers"
            : reference.Paravisor != paravisor ? $"it covers registers that {reference.Paravisor} keeps, these are kept by {paravisor}"
            : null
        : reference.Paravisor is not null ? $"it covers registers that {reference.Paravisor} keeps, and no paravisor keeps these"
            : reference.Root is not TpmRoot.None && reference.Root != quote.Key!.Root ? $"it asks for a TPM whose key is {AttestationKey.WordOf(reference.Root)}, this one's is {quote.Key!.RootWord}"
            : null;

    private static string List(IEnumerable<int> registers) => string.Join(", ", registers);

    /// <summary>No question could be put yet: what the key hangs on is not known.</summary>
    internal static TpmResult Stop(string reason) => new() { Findings = [.. CheckIds.Select(id => Outcome.Stopped(reason).Named(id))], Quote = null, Root = TpmRoot.None };
}
