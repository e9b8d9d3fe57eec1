using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Checks;
using Assay.Evidence.Tpm;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>What a TPM's quote is authenticated with. All of it is stated.</summary>
/// <param name="QualifyingData">What it must answer, up to 66 bytes. Null: freshness is not proven.</param>
/// <param name="Bank">SHA-256 or SHA-384.</param>
/// <param name="Registers">PCRs that must be quoted; at least one.</param>
/// <param name="UserData">Azure: the 64 bytes that the guest wrote for this challenge; null for none.</param>
/// <param name="Earlier">The clock of an earlier quote of the same key; null when none is known.</param>
internal sealed record TpmQuestion(ReadOnlyMemory<byte>? QualifyingData, TcgHash Bank, ImmutableArray<int> Registers, ReadOnlyMemory<byte>? UserData, TpmClock? Earlier);

/// <summary>The answers about who speaks.</summary>
internal sealed record TpmAuthentication
{
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes made sense.</summary>
    public required bool IsRead { get; init; }

    /// <summary>The proof; null where a question failed, or the key has no root.</summary>
    public required AuthenticTpmQuote? Quote { get; init; }

    /// <summary>The key, believed or not.</summary>
    public required AttestationKey? Key { get; init; }

    /// <summary>Azure: the HCL report; null elsewhere and when it could not be read.</summary>
    public required HclReport? Hcl { get; init; }

    /// <summary>Values whose digest is the quoted one, whether or not the quote is authentic; null where they have another.</summary>
    public required QuotedRegisters? Matching { get; init; }
}

/// <summary>
/// A quote that a trusted key signed, over register values that are known. The only way to get one is that every question about it passed,
/// and its key has a root.
/// </summary>
internal sealed class AuthenticTpmQuote
{
    private const int LongestQualifyingData = 66;

    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_azure =
    [
        new(Checks.CheckIds.TpmHclWellformed, HclIsWellFormed),
        new(Checks.CheckIds.TpmHclReportDataMatch, HclBindsItself),
        new(Checks.CheckIds.TpmHclUserDataMatch, UserDataMatches),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_parsing =
    [
        new(Checks.CheckIds.TpmQuoteWellformed, QuoteIsWellFormed),
        new(Checks.CheckIds.TpmSignatureWellformed, SignatureIsWellFormed),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_authenticity =
    [
        new(Checks.CheckIds.TpmAkRoot, RootIsTrusted),
        new(Checks.CheckIds.TpmQuoteSignatureValid, SignatureIsValid),
        new(Checks.CheckIds.TpmQuoteSignerMatch, SignerMatches),
        new(Checks.CheckIds.TpmQuoteNonceMatch, NonceMatches),
        new(Checks.CheckIds.TpmQuoteBankAccepted, BankIsAccepted),
        new(Checks.CheckIds.TpmQuoteRegistersPresent, RegistersArePresent),
        new(Checks.CheckIds.TpmQuoteRegistersMatch, RegistersMatch),
        new(Checks.CheckIds.TpmQuoteBootSame, BootIsTheSame),
    ];

    private AuthenticTpmQuote(TpmQuote quote, AttestationKey key, QuotedRegisters registers) => (Quote, Key, Registers) = (quote, key, registers);

    /// <summary>What the TPM said.</summary>
    public TpmQuote Quote { get; }

    /// <summary>Who signed it, and why he is believed.</summary>
    public AttestationKey Key { get; }

    /// <summary>The values that the quote covers, and no other.</summary>
    public QuotedRegisters Registers { get; }

    /// <summary>Every id, in the order in which the checks run.</summary>
    internal static IEnumerable<string> CheckIds => s_azure.Concat(s_parsing).Concat(s_authenticity).Select(check => check.Id);

    /// <summary>A quote under a key that is known beforehand.</summary>
    internal static TpmAuthentication Authenticate(TpmQuoteEvidence evidence, AttestationKey key, TpmQuestion question, OperationMeter meter) =>
        Authenticate(new Candidate(evidence, question, meter) { Key = key }, s_parsing);

    /// <summary>A quote under the key that an HCL report names.</summary>
    internal static TpmAuthentication Authenticate(AzureVtpmEvidence evidence, TeeReportData? verified, TpmQuestion question, OperationMeter meter) =>
        Authenticate(new Candidate(evidence.Quote, question, meter) { Azure = evidence, Verified = verified }, [.. s_azure, .. s_parsing]);

    private static TpmAuthentication Authenticate(Candidate candidate, ImmutableArray<Check<Candidate>> parsing)
    {
        var findings = Stage.Authenticate(candidate, parsing, s_authenticity, "the evidence could not be read", out var passed, out var parsed);
        // That nobody is known to keep the TPM may be waived; then the quote was read, and is no proof.
        var isProven = passed && candidate.Key is { Root: not TpmRoot.None };
        return new TpmAuthentication
        {
            Findings = findings,
            IsRead = parsed,
            Quote = isProven ? new AuthenticTpmQuote(candidate.Quote!, candidate.Key!, candidate.Registers!) : null,
            Key = candidate.Key,
            Hcl = candidate.Hcl,
            Matching = candidate.Registers,
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
            return Outcome.Failed("the report comes from a different TEE than the certificate or quote given with it", $"{report.Tee}", $"{expected}");
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
            return Outcome.Failed("REPORTDATA is not the hash of the runtime data: the data were altered, or belong to another report", Convert.ToHexStringLower(report.ReportData.Span), Convert.ToHexStringLower(expected));
        }

        if (candidate.Verified is not { Paravisor: not null })
        {
            candidate.Key = AttestationKey.Bare(report.Runtime.AttestationKey, AttestationKey.Azure);
            return candidate.Verified is null ? Outcome.Held("by its own account; the hardware report was not verified")
                : CryptographicOperations.FixedTimeEquals(expected, candidate.Verified.Bytes.Span) ? Outcome.Held($"{report.Hash.Label} of the runtime data; their author is not known")
                : Outcome.Failed("REPORTDATA of the hardware report that verified is not the hash of the runtime data", Convert.ToHexStringLower(candidate.Verified.Bytes.Span), Convert.ToHexStringLower(expected));
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

        return candidate.Question.UserData is not { } expected ? Outcome.Waived("no user data were requested: the hardware report may be an old one from the same machine")
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
            return Outcome.Failed("the signature's form was not stated");
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
        // Any root process of an ordinary guest chooses REPORTDATA, and can pose as a paravisor with a key of its own.
        _ when candidate.Azure is not null && candidate.Verified is not null =>
            Outcome.Waived("no reference value names the paravisor that keeps this vTPM (\"paravisor\":true): nothing the TPM says is believed"),
        _ when candidate.Azure is not null => Outcome.Failed("the hardware report that names the attestation key was not verified, so nothing is known about the key", "none", "in-tee"),
        _ => Outcome.Failed("nothing certifies the attestation key: its holder can sign anything", "none", "in-tee, platform-certified or ek-activated"),
    };

    private static Outcome SignatureIsValid(Candidate candidate)
    {
        var (key, signature) = (candidate.Key!, candidate.Signature!);
        return signature.Scheme != key.Scheme ? Outcome.Failed("the signature uses a different scheme than the key", signature.Scheme.ToString(), key.Scheme.ToString())
            : key.Key.Verifies(candidate.Quote!.Bytes.Span, signature, key.Scheme, candidate.Meter) ? Outcome.Held(key.Scheme.ToString())
            : Outcome.Failed("the attestation key did not sign the quote: it was altered, or comes from another TPM");
    }

    private static Outcome SignerMatches(Candidate candidate) => candidate.Key!.QualifiedName switch
    {
        null => Outcome.NotApplicable("the endorsement key is unknown"),
        var name when name.AsSpan().SequenceEqual(candidate.Quote!.QualifiedSigner.Span) => Outcome.Held(),
        var name => Outcome.Failed("qualifiedSigner names no key under the endorsement key", Convert.ToHexStringLower(candidate.Quote!.QualifiedSigner.Span), Convert.ToHexStringLower(name)),
    };

    private static Outcome NonceMatches(Candidate candidate)
    {
        var extra = candidate.Quote!.ExtraData;
        return candidate.Question.QualifyingData is not { } expected ? Outcome.Waived("no nonce was given: the quote may be old")
            : expected.Length is 0 or > LongestQualifyingData ? Outcome.Failed($"the expected nonce has {expected.Length} bytes; 1 to {LongestQualifyingData} can be quoted")
            : CryptographicOperations.FixedTimeEquals(expected.Span, extra.Span) ? Outcome.Held(Convert.ToHexStringLower(extra.Span))
            : Outcome.Failed("the quote answers a different challenge: it is replayed, or belongs to another session", Convert.ToHexStringLower(extra.Span), Convert.ToHexStringLower(expected.Span));
    }

    private static Outcome BankIsAccepted(Candidate candidate)
    {
        var (expected, selections) = (candidate.Question.Bank, candidate.Quote!.Selections);
        var found = string.Join(", ", selections.Select(selection => selection.Bank is TcgHash.None ? $"algorithm {selection.Algorithm:X4}" : selection.Bank.Label));
        return expected is not (TcgHash.Sha256 or TcgHash.Sha384) ? Outcome.Failed("no bank was chosen", found, "SHA-256 or SHA-384")
            : selections is not [{ Bank: var bank }] || bank != expected || candidate.Evidence.Bank != expected ? Outcome.Failed("exactly one selection, of the expected bank, is expected", found, expected.Label)
            : Outcome.Held(found);
    }

    private static Outcome RegistersArePresent(Candidate candidate)
    {
        var selection = candidate.Quote!.Selections[0];
        if (candidate.Question.Registers.IsDefaultOrEmpty)
        {
            return Outcome.Failed("no register was requested");
        }

        int[] unquoted = [.. candidate.Question.Registers.Where(register => !selection.Has(register))];
        int[] untold = [.. selection.Registers.Where(register => !candidate.Evidence.Values.ContainsKey(register))];
        return unquoted.Length > 0 ? Outcome.Failed("registers that are needed are not quoted", List(selection.Registers), List(candidate.Question.Registers))
            : untold.Length > 0 ? Outcome.Failed($"the evidence gives no value for PCR {List(untold)}, which the quote covers")
            : selection.Count == 0 ? Outcome.Failed("the quote covers no register")
            : Outcome.Held($"PCR {List(selection.Registers)}");
    }

    private static Outcome RegistersMatch(Candidate candidate)
    {
        var selection = candidate.Quote!.Selections[0];
        if (selection.Registers.Any(register => !candidate.Evidence.Values.ContainsKey(register)))
        {
            return Outcome.Stopped("the evidence does not give the value of every quoted register");
        }

        // By the hash of the signature, whatever the bank (TPM 2.0 Library, Part 3 §18.4).
        byte[] concatenated = [.. selection.Registers.SelectMany(register => candidate.Evidence.Values[register].Bytes.ToArray())];
        var digest = candidate.Key!.Scheme.Hash.Of(concatenated);
        if (candidate.Evidence.Values.Values.Any(value => value.Length != candidate.Evidence.Bank.Size) || digest != candidate.Quote.PcrDigest)
        {
            return Outcome.Failed("the register values are not the quoted ones", digest.ToString(), candidate.Quote.PcrDigest.ToString());
        }

        // What the quote does not cover is dropped here, and never seen again.
        var covered = selection.Registers.ToImmutableSortedDictionary(register => register, register => candidate.Evidence.Values[register]);
        candidate.Registers = QuotedRegisters.OfPcrs(candidate.Evidence.Bank, covered, candidate.Key.Root is TpmRoot.InTee);
        return Outcome.Held($"{selection.Count} of {selection.Count}");
    }

    private static Outcome BootIsTheSame(Candidate candidate) => candidate.Question.Earlier switch
    {
        null => Outcome.NotApplicable("there is no earlier quote to compare with"),
        { } earlier when earlier.WhyNotContinuedBy(candidate.Quote!.Clock) is { } whyNot => Outcome.Failed(whyNot),
        _ => Outcome.Held(),
    };

    private static string List(IEnumerable<int> registers) => string.Join(", ", registers);

    /// <summary>Evidence on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(TpmQuoteEvidence evidence, TpmQuestion question, OperationMeter meter)
    {
        public TpmQuoteEvidence Evidence => evidence;
        public TpmQuestion Question => question;
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
