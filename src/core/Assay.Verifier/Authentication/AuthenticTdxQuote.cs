using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Checks;
using Assay.Evidence.Tdx;
using Assay.Trust;
using Assay.Trust.Intel;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>
/// A quote that is proven a genuine platform's: the PCK certificate ends at Intel's root, its key signed the quoting enclave's report,
/// that report names the attestation key, and the attestation key signed the quote. Whether the platform's TCB is any good is asked
/// later. The only way to get one is <see cref="Authenticate"/>.
/// </summary>
internal sealed class AuthenticTdxQuote
{
    private AuthenticTdxQuote(TdxQuote quote, CertificationPath path, PckPlatform platform)
    {
        Quote = quote;
        Path = path;
        Platform = platform;
    }

    /// <summary>What was signed.</summary>
    public TdxQuote Quote { get; }

    /// <summary>PCK certificate, its CA, Intel's root.</summary>
    public CertificationPath Path { get; }

    /// <summary>What the PCK certificate says about the platform.</summary>
    public PckPlatform Platform { get; }

    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_parsing =
    [
        new(Checks.CheckIds.TdxQuoteWellformed, QuoteIsWellFormed),
        new(Checks.CheckIds.TdxChainWellformed, ChainIsWellFormed),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_authenticity =
    [
        new(Checks.CheckIds.TdxChainTrusted, ChainIsTrusted),
        new(Checks.CheckIds.TdxPckWellformed, PlatformIsWellFormed),
        new(Checks.CheckIds.TdxQeReportSignatureValid, QeReportIsSigned),
        new(Checks.CheckIds.TdxAttestationKeyBound, AttestationKeyIsBound),
        new(Checks.CheckIds.TdxQuoteSignatureValid, QuoteIsSigned),
        new(Checks.CheckIds.TdxReportDataMatch, ReportDataMatches),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    internal static IEnumerable<string> CheckIds => s_parsing.Concat(s_authenticity).Select(check => check.Id);

    /// <summary>From hostile bytes to an authentic quote.</summary>
    internal static (AuthenticTdxQuote? Quote, ImmutableArray<Finding> Findings, bool Unparsable) Authenticate(
        ReadOnlyMemory<byte> quote, ProcessorQuestion question, VerifierCache cache)
    {
        var candidate = new Candidate(quote, question, cache);
        var findings = Stage.Authenticate(candidate, s_parsing, s_authenticity, "the quote could not be read", out var authentic, out var parsed);
        return (authentic ? new AuthenticTdxQuote(candidate.Quote!, candidate.Path!, candidate.Platform!) : null, findings, !parsed);
    }

    private static Outcome QuoteIsWellFormed(Candidate candidate)
    {
        if (!TdxQuote.TryParse(candidate.Bytes.Span, candidate.Question.AcceptTextAfter, out var quote, out var fault))
        {
            return Outcome.Failed(fault.ToString());
        }

        candidate.Quote = quote;
        var words = $"version {quote.Version}, {(quote.Body.Kind is TdReportKind.Td15 ? "TDX 1.5" : "TDX 1.0")}";
        return quote.TextAfter.IsEmpty ? Outcome.Held(words) : Outcome.Waived($"{words}; {quote.TextAfter.Length} bytes of text follow it, which nobody signed, and you accept that");
    }

    private static Outcome ChainIsWellFormed(Candidate candidate)
    {
        if (candidate.Quote is not { } quote)
        {
            return Outcome.Stopped("the quote could not be read");
        }

        var key = Digest.Sha256(quote.PckChain.Span);
        if (candidate.Cache.TryGetAuthentic<AuthenticPckPath>(key, candidate.Question.Trust.Identity, out var known))
        {
            candidate.Path = known.Path;
            return Outcome.Held($"{known.Path.Certificates.Length} certificates");
        }

        if (!candidate.Cache.TryReadChain(quote.PckChain.Span, out var chain, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        (candidate.Chain, candidate.ChainKey) = (chain, key);
        return Outcome.Held($"{chain.Length} certificates");
    }

    private static Outcome ChainIsTrusted(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            var trust = candidate.Question.Trust;
            if (!CertificationPath.TryCertify(candidate.Chain, trust, PathPurpose.IntelPck, candidate.Cache, out var path, out var whyNot))
            {
                return Outcome.Failed(whyNot);
            }

            candidate.Cache.AddAuthentic(candidate.ChainKey, trust.Identity, new AuthenticPckPath(path));
            candidate.Path = path;
        }

        return Outcome.Held($"to {candidate.Path.Anchor.Label}");
    }

    private static Outcome PlatformIsWellFormed(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        if (!PckPlatform.TryRead(candidate.Path.Leaf, out var platform, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Platform = platform;
        return Outcome.Held($"FMSPC {platform.Fmspc}, PCE {platform.PceId}");
    }

    private static Outcome QeReportIsSigned(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        var (quote, leaf) = (candidate.Quote!, candidate.Path.Leaf);
        candidate.QeKey = Digest.Sha256([.. quote.QeReport.Bytes.Span, .. quote.QeReportSignature.Span, .. quote.AttestationKey.Span]);
        if (candidate.Cache.TryGetAuthentic<AuthenticQe>(candidate.QeKey, candidate.Question.Trust.Identity, out var known) && known.Leaf == leaf.Fingerprint)
        {
            candidate.Qe = known;
            return Outcome.Held("ECDSA P-256 with SHA-256");
        }

        if (!leaf.Key.Verifies(quote.QeReport.Bytes.Span, quote.QeReportSignature.Span, SignatureAlgorithm.EcdsaSha256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, candidate.Cache.Meter))
        {
            return Outcome.Failed("the PCK key did not sign the quoting enclave's report: it was altered, or the certificate belongs to another platform");
        }

        candidate.Qe = new AuthenticQe(leaf.Fingerprint, VerificationKey.FromP256Point(quote.AttestationKey.Span));
        candidate.Cache.AddAuthentic(candidate.QeKey, candidate.Question.Trust.Identity, candidate.Qe);
        return Outcome.Held("ECDSA P-256 with SHA-256");
    }

    private static Outcome AttestationKeyIsBound(Candidate candidate)
    {
        if (candidate.Qe is null)
        {
            return Outcome.Stopped("the quoting enclave's report is not authentic");
        }

        var quote = candidate.Quote!;
        Span<byte> bound = stackalloc byte[ReportData.Size];
        SHA256.HashData([.. quote.AttestationKey.Span, .. quote.QeAuthenticationData.Span], bound);
        candidate.KeyIsBound = CryptographicOperations.FixedTimeEquals(bound, quote.QeReport.ReportData.Bytes);
        return candidate.KeyIsBound
            ? Outcome.Held()
            : Outcome.Failed("the quoting enclave certifies a different attestation key", quote.QeReport.ReportData.ToString(), Convert.ToHexStringLower(bound));
    }

    private static Outcome QuoteIsSigned(Candidate candidate)
    {
        if (candidate.Qe is null || !candidate.KeyIsBound)
        {
            return Outcome.Stopped("nothing certifies the attestation key");
        }

        var quote = candidate.Quote!;
        return candidate.Qe.AttestationKey.Verifies(quote.SignedBytes.Span, quote.Signature.Span, SignatureAlgorithm.EcdsaSha256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, candidate.Cache.Meter)
            ? Outcome.Held("ECDSA P-256 with SHA-256")
            : Outcome.Failed("the attestation key did not sign the quote: it was altered");
    }

    private static Outcome ReportDataMatches(Candidate candidate) => candidate.Question.ReportData switch
    {
        null => Outcome.Waived("no report data was given: the quote may be old, or from another machine"),
        var expected when candidate.Quote!.Body.ReportData.Equals(expected) => Outcome.Held(expected.ToString()),
        var expected => Outcome.Failed("the quote carries different report data: it is replayed, or belongs to another session", candidate.Quote!.Body.ReportData.ToString(), expected.ToString()),
    };

    /// <summary>A quote on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(ReadOnlyMemory<byte> bytes, ProcessorQuestion question, VerifierCache cache)
    {
        public ReadOnlyMemory<byte> Bytes => bytes;
        public ProcessorQuestion Question => question;
        public VerifierCache Cache => cache;
        public TdxQuote? Quote { get; set; }
        public ImmutableArray<Certificate> Chain { get; set; } = [];
        public Digest ChainKey { get; set; }
        public CertificationPath? Path { get; set; }
        public PckPlatform? Platform { get; set; }
        public Digest QeKey { get; set; }
        public AuthenticQe? Qe { get; set; }
        public bool KeyIsBound { get; set; }
    }
}

/// <summary>A quoting enclave's report that the PCK key signed, and the attestation key that it names, imported once.</summary>
internal sealed record AuthenticQe(Digest Leaf, VerificationKey AttestationKey);

/// <summary>
/// A PCK path in the cache. A type of its own: paths of devices stand there too, under keys made from their text, and a path that was
/// certified for one purpose must never be found for the other.
/// </summary>
internal sealed record AuthenticPckPath(CertificationPath Path);
