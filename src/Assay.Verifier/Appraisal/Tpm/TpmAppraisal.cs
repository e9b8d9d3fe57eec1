using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Evidence.Tpm;
using Assay.Reference;
using Assay.Trust;
using Assay.Trust.EventLogs;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Tpm;

/// <summary>The questions put to a TPM's quote, and to the HCL report in which Azure names its key.</summary>
public static class TpmAppraisal
{
    private const int LongestQualifyingData = 66;

    // Ids appear in results, logs and docs/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_azure =
    [
        new("tpm.hcl.wellformed", HclIsWellFormed),
        new("tpm.hcl.report-data.match", HclBindsItself),
        new("tpm.hcl.user-data.match", UserDataMatches),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_parsing =
    [
        new("tpm.quote.wellformed", QuoteIsWellFormed),
        new("tpm.signature.wellformed", SignatureIsWellFormed),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_authenticity =
    [
        new("tpm.ak.root", RootIsTrusted),
        new("tpm.quote.signature.valid", SignatureIsValid),
        new("tpm.quote.signer.match", SignerMatches),
        new("tpm.quote.nonce.match", NonceMatches),
        new("tpm.quote.bank.accepted", BankIsAccepted),
        new("tpm.quote.registers.present", RegistersArePresent),
        new("tpm.quote.registers.match", RegistersMatch),
        new("tpm.quote.boot.same", BootIsTheSame),
        new("tpm.measurements.match", MeasurementsMatch),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => s_azure.Concat(s_parsing).Concat(s_authenticity).Select(check => check.Id);

    /// <summary>Judges a quote under a key. A bare key's quote is read, explained and refused.</summary>
    public static TpmResult Appraise(TpmQuoteEvidence evidence, AttestationKey key, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        return Judge(new Candidate(evidence, expected, meter) { Key = key }, []);
    }

    /// <summary>
    /// Judges Azure's evidence. Its key is in the TEE when <paramref name="verified"/> comes from the SNP report or TD quote of the same
    /// evidence, verified elsewhere; without that the key is a bare one.
    /// </summary>
    public static TpmResult AppraiseAzure(AzureVtpmEvidence evidence, TeeReportData? verified, TpmExpectations expected, OperationMeter meter)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(meter);
        var candidate = new Candidate(evidence.Quote, expected, meter) { Azure = evidence, Verified = verified };
        ImmutableArray<Finding> findings = [.. s_azure.Select(check => check.Ask(candidate))];
        return Judge(candidate, findings);
    }

    /// <summary>No question could be put yet: what the key hangs on is not known.</summary>
    internal static TpmResult Stop(string reason) => new() { Findings = [.. CheckIds.Select(id => Outcome.Stopped(reason).Named(id))], Quote = null, Root = TpmRoot.None };

    private static TpmResult Judge(Candidate candidate, ImmutableArray<Finding> before)
    {
        var parsing = s_parsing.Select(check => check.Ask(candidate)).ToArray();
        var parsed = before.Concat(parsing).All(finding => finding.State is not CheckState.Failed) && candidate.Key is not null;
        var rest = s_authenticity.Select(check => parsed ? check.Ask(candidate) : Outcome.Stopped("the evidence could not be read").Named(check.Id));
        ImmutableArray<Finding> all = [.. before, .. parsing, .. rest];
        var authentic = parsed && all.All(finding => finding.State is not CheckState.Failed && finding.Cause is not NotCheckedCause.Stopped);
        return new TpmResult
        {
            Findings = all,
            Quote = authentic ? new AuthenticTpmQuote(candidate.Quote!, candidate.Key!, candidate.Registers!) : null,
            Root = candidate.Key?.Root ?? TpmRoot.None,
            Hcl = candidate.Hcl,
        };
    }

    private static Outcome HclIsWellFormed(Candidate candidate)
    {
        if (!HclReport.TryParse(candidate.Azure!.HclReport.Span, out var report, out var fault))
        {
            return Outcome.Failed(fault.ToString());
        }

        var expected = candidate.Azure.TdQuote is null ? HclTee.Snp : HclTee.Tdx;
        if (report.Tee != expected)
        {
            return Outcome.Failed("the report is of another TEE than the certificate or quote beside it", $"{report.Tee}", $"{expected}");
        }

        candidate.Hcl = report;
        return Outcome.Held($"{report.Tee}, {report.RuntimeBytes.Length} bytes of runtime data");
    }

    // The report's own claim first: it explains what is wrong. That somebody verified the report decides below.
    private static Outcome HclBindsItself(Candidate candidate)
    {
        if (candidate.Hcl is not { } report)
        {
            return Outcome.Stopped("the HCL report could not be read");
        }

        var expected = report.ExpectedReportData();
        if (!CryptographicOperations.FixedTimeEquals(expected, report.ReportData.Span))
        {
            return Outcome.Failed("REPORTDATA is not the hash of the runtime data: they were altered, or belong to another report", Convert.ToHexStringLower(report.ReportData.Span), Convert.ToHexStringLower(expected));
        }

        if (candidate.Verified is null)
        {
            candidate.Key = AttestationKey.Bare(report.Runtime.AttestationKey, AttestationKey.Azure);
            return Outcome.Held("by its own account: the hardware report was not verified");
        }

        var inTee = AttestationKey.TryInTee(report, candidate.Verified, out var key, out var whyNot);
        candidate.Key = key;
        return inTee ? Outcome.Held($"{report.Hash.Label} of the runtime data") : Outcome.Failed(whyNot!);
    }

    private static Outcome UserDataMatches(Candidate candidate)
    {
        if (candidate.Hcl is not { } report)
        {
            return Outcome.Stopped("the HCL report could not be read");
        }

        return candidate.Expected.UserData is not { } expected ? Outcome.Waived("no user data were asked for: the hardware report may be an old one of the same machine")
            : CryptographicOperations.FixedTimeEquals(expected.Span, report.Runtime.UserData.Span) ? Outcome.Held()
            : Outcome.Failed("the hardware report was not made for this challenge", Convert.ToHexStringLower(report.Runtime.UserData.Span), Convert.ToHexStringLower(expected.Span));
    }

    private static Outcome QuoteIsWellFormed(Candidate candidate)
    {
        if (!TpmQuote.TryParse(candidate.Evidence.Message.Span, out var quote, out var fault))
        {
            return Outcome.Failed(fault.ToString());
        }

        candidate.Quote = quote;
        return Outcome.Held($"resetCount {quote.Clock.ResetCount}, restartCount {quote.Clock.RestartCount}, clock {(quote.Clock.Safe ? "safe" : "not safe")}");
    }

    private static Outcome SignatureIsWellFormed(Candidate candidate)
    {
        var bytes = candidate.Evidence.Signature.Span;
        if (candidate.Evidence.SignatureForm is TpmSignatureForm.RawRsaSsaSha256)
        {
            candidate.Signature = TpmSignature.OfRawRsa(bytes);
        }
        else if (candidate.Evidence.SignatureForm is not TpmSignatureForm.Tpmt)
        {
            return Outcome.Failed("the signature's form was not told");
        }
        else if (TpmSignature.TryParse(bytes, out var signature, out var fault))
        {
            candidate.Signature = signature;
        }
        else
        {
            return Outcome.Failed(fault.ToString());
        }

        return Outcome.Held(candidate.Signature!.Scheme.ToString());
    }

    private static Outcome RootIsTrusted(Candidate candidate) => candidate.Key switch
    {
        { Root: not TpmRoot.None } key => Outcome.Held(key.RootWord),
        _ when candidate.Azure is not null => Outcome.Failed("the hardware report that names the attestation key was not verified, so the key is a bare one", "none", "in-tee"),
        _ => Outcome.Failed("nobody vouches for the attestation key: whoever holds it signs what he likes", "none", "in-tee, platform-certified or ek-activated"),
    };

    private static Outcome SignatureIsValid(Candidate candidate)
    {
        var (key, signature) = (candidate.Key!, candidate.Signature!);
        return signature.Scheme != key.Scheme ? Outcome.Failed("the signature is of another scheme than the key", signature.Scheme.ToString(), key.Scheme.ToString())
            : key.Key.Verifies(candidate.Quote!.Bytes.Span, signature, key.Scheme, candidate.Meter) ? Outcome.Held(key.Scheme.ToString())
            : Outcome.Failed("the quote was not signed by the attestation key: it was altered, or is of another TPM");
    }

    private static Outcome SignerMatches(Candidate candidate) => candidate.Key!.QualifiedName switch
    {
        null => Outcome.NotApplicable("the endorsement key is not known here"),
        var name when name.AsSpan().SequenceEqual(candidate.Quote!.QualifiedSigner.Span) => Outcome.Held(),
        var name => Outcome.Failed("qualifiedSigner names no key under the endorsement key", Convert.ToHexStringLower(candidate.Quote!.QualifiedSigner.Span), Convert.ToHexStringLower(name)),
    };

    private static Outcome NonceMatches(Candidate candidate)
    {
        var extra = candidate.Quote!.ExtraData;
        return candidate.Expected.QualifyingData is not { } expected ? Outcome.Waived("no nonce was given: the quote may be an old one")
            : expected.Length is 0 or > LongestQualifyingData ? Outcome.Failed($"the expected nonce has {expected.Length} bytes; 1 to {LongestQualifyingData} can be quoted")
            : CryptographicOperations.FixedTimeEquals(expected.Span, extra.Span) ? Outcome.Held(Convert.ToHexStringLower(extra.Span))
            : Outcome.Failed("the quote answers another challenge: it is replayed, or of another session", Convert.ToHexStringLower(extra.Span), Convert.ToHexStringLower(expected.Span));
    }

    private static Outcome BankIsAccepted(Candidate candidate)
    {
        var (expected, selections) = (candidate.Expected.Bank, candidate.Quote!.Selections);
        var found = string.Join(", ", selections.Select(selection => selection.Bank is TcgHash.None ? $"algorithm {selection.Algorithm:X4}" : selection.Bank.Label));
        return expected is not (TcgHash.Sha256 or TcgHash.Sha384) ? Outcome.Failed("no bank was chosen", found, "SHA-256 or SHA-384")
            : selections is not [{ Bank: var bank }] || bank != expected || candidate.Evidence.Bank != expected ? Outcome.Failed("exactly one selection, of the expected bank, is expected", found, expected.Label)
            : Outcome.Held(found);
    }

    private static Outcome RegistersArePresent(Candidate candidate)
    {
        var selection = candidate.Quote!.Selections[0];
        if (candidate.Expected.Registers.IsDefaultOrEmpty)
        {
            return Outcome.Failed("no register was asked for");
        }

        int[] unquoted = [.. candidate.Expected.Registers.Where(register => !selection.Has(register))];
        int[] untold = [.. selection.Registers.Where(register => !candidate.Evidence.Values.ContainsKey(register))];
        return unquoted.Length > 0 ? Outcome.Failed("registers that are needed are not quoted", List(selection.Registers), List(candidate.Expected.Registers))
            : untold.Length > 0 ? Outcome.Failed($"the evidence tells no value of PCR {List(untold)}, which the quote covers")
            : selection.Count == 0 ? Outcome.Failed("the quote covers no register")
            : Outcome.Held($"PCR {List(selection.Registers)}");
    }

    private static Outcome RegistersMatch(Candidate candidate)
    {
        var selection = candidate.Quote!.Selections[0];
        if (selection.Registers.Any(register => !candidate.Evidence.Values.ContainsKey(register)))
        {
            return Outcome.Stopped("not every quoted register's value is told");
        }

        // By the hash of the signature, whatever the bank (TPM 2.0 Library, Part 3 §18.4).
        byte[] concatenated = [.. selection.Registers.SelectMany(register => candidate.Evidence.Values[register].Bytes.ToArray())];
        var digest = candidate.Key!.Scheme.Hash.Of(concatenated);
        if (candidate.Evidence.Values.Values.Any(value => value.Length != candidate.Evidence.Bank.Size) || digest != candidate.Quote.PcrDigest)
        {
            return Outcome.Failed("the register values are not those that were quoted", digest.ToString(), candidate.Quote.PcrDigest.ToString());
        }

        // What the quote does not cover is dropped here, and never seen again.
        var covered = selection.Registers.ToImmutableSortedDictionary(register => register, register => candidate.Evidence.Values[register]);
        candidate.Registers = QuotedRegisters.OfPcrs(candidate.Evidence.Bank, covered, candidate.Key.Root is TpmRoot.InTee);
        return Outcome.Held($"{selection.Count} of {selection.Count}");
    }

    private static Outcome BootIsTheSame(Candidate candidate) => candidate.Expected.Earlier switch
    {
        null => Outcome.NotApplicable("no earlier quote is known"),
        { } earlier when earlier.WhyNotContinuedBy(candidate.Quote!.Clock) is { } whyNot => Outcome.Failed(whyNot),
        _ => Outcome.Held(),
    };

    private static Outcome MeasurementsMatch(Candidate candidate)
    {
        if (candidate.Expected.References is not { } references)
        {
            return Outcome.Waived("no reference values were given: any boot passes");
        }

        if (candidate.Registers is not { } registers)
        {
            return Outcome.Stopped("the register values are not known to be those that were quoted");
        }

        var matching = references.FirstOrDefault(reference => WhyNot(registers, reference) is null);
        return matching is not null ? Outcome.Held(matching.Name)
            : references.IsEmpty ? Outcome.Failed("the list of reference values is empty: nothing was chosen", $"PCR {List(registers.Values.Keys)}", "at least one boot")
            : Outcome.Failed("the machine booted none of the known-good images: " + string.Join("; ", references.Take(4).Select(reference => $"{reference.Name}: {WhyNot(registers, reference)}")));
    }

    // A register that is not quoted is not known, and so is not the expected one.
    private static string? WhyNot(QuotedRegisters registers, TpmReference reference)
    {
        if (reference.Bank != registers.Bank)
        {
            return $"it is of the {reference.Bank.Label} bank, the quote of {registers.Bank.Label}";
        }

        int[] wrong = [.. reference.Values.Where(golden => !registers.Values.TryGetValue(golden.Key, out var found) || found != golden.Value).Select(golden => golden.Key)];
        return reference.Values.IsEmpty ? "it lists no register"
            : wrong.Length > 0 ? $"PCR {List(wrong)} {(wrong.Length == 1 ? "differs or is" : "differ or are")} not quoted"
            : null;
    }

    private static string List(IEnumerable<int> registers) => string.Join(", ", registers);

    /// <summary>Evidence on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(TpmQuoteEvidence evidence, TpmExpectations expected, OperationMeter meter)
    {
        public TpmQuoteEvidence Evidence => evidence;
        public TpmExpectations Expected => expected;
        public OperationMeter Meter => meter;
        public AzureVtpmEvidence? Azure { get; init; }
        public TeeReportData? Verified { get; init; }
        public AttestationKey? Key { get; set; }
        public HclReport? Hcl { get; set; }
        public TpmQuote? Quote { get; set; }
        public TpmSignature? Signature { get; set; }
        public QuotedRegisters? Registers { get; set; }
    }
}
