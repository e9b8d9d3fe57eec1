using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Trust;
using Assay.Trust.Amd;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>
/// A report that is proven a genuine processor's: the VCEK or VLEK certificate ends at AMD's root of its product, speaks of the TCB and
/// the chip that the report names, and its key signed the report. The only way to get one is <see cref="Authenticate"/>.
/// </summary>
internal sealed class AuthenticSnpReport
{
    private AuthenticSnpReport(SnpReport report, CertificationPath path, SnpEndorsement endorsement)
    {
        Report = report;
        Path = path;
        Endorsement = endorsement;
    }

    /// <summary>What was signed.</summary>
    public SnpReport Report { get; }

    /// <summary>VCEK or VLEK, ASK or ASVK, ARK.</summary>
    public CertificationPath Path { get; }

    /// <summary>What the certificate says about chip or provider.</summary>
    public SnpEndorsement Endorsement { get; }

    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_parsing =
    [
        new(Checks.CheckIds.SnpReportWellformed, ReportIsWellFormed),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_authenticity =
    [
        new(Checks.CheckIds.SnpChainAvailable, ChainIsAvailable),
        new(Checks.CheckIds.SnpChainTrusted, ChainIsTrusted),
        new(Checks.CheckIds.SnpEndorsementWellformed, EndorsementIsWellFormed),
        new(Checks.CheckIds.SnpProductMatch, ProductMatches),
        new(Checks.CheckIds.SnpSigningKeyMatch, SigningKeyMatches),
        new(Checks.CheckIds.SnpEndorsementTcbMatch, TcbMatches),
        new(Checks.CheckIds.SnpEndorsementChipMatch, ChipMatches),
        new(Checks.CheckIds.SnpReportSignatureValid, ReportIsSigned),
        new(Checks.CheckIds.SnpReportDataMatch, ReportDataMatches),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    internal static IEnumerable<string> CheckIds => s_parsing.Concat(s_authenticity).Select(check => check.Id);

    /// <summary>From hostile bytes to an authentic report.</summary>
    /// <param name="report">The bytes.</param>
    /// <param name="read">What was read of them already, to tell which certificates it needs; null where nothing was.</param>
    /// <param name="certificates">Those that are at hand.</param>
    /// <param name="question">What is asked.</param>
    /// <param name="cache">What verified before.</param>
    internal static (AuthenticSnpReport? Report, ImmutableArray<Finding> Findings, bool Unparsable) Authenticate(
        ReadOnlyMemory<byte> report, SnpReport? read, ImmutableArray<ReadOnlyMemory<byte>> certificates, ProcessorQuestion question, VerifierCache cache)
    {
        var candidate = new Candidate(report, certificates, question, cache) { Report = read };
        var findings = Stage.Authenticate(candidate, s_parsing, s_authenticity, "the report could not be read", out var authentic, out var parsed);
        return (authentic ? new AuthenticSnpReport(candidate.Report!, candidate.Path!, candidate.Endorsement!) : null, findings, !parsed);
    }

    private static Outcome ReportIsWellFormed(Candidate candidate)
    {
        if (candidate.Report is null)
        {
            if (!SnpReport.TryParse(candidate.Bytes.Span, out var report, out var fault))
            {
                return Outcome.Failed(fault.ToString());
            }

            candidate.Report = report;
        }

        return Outcome.Held($"version {candidate.Report.Version}");
    }

    // A bag of certificates, as hosts and AMD's service hand them out: the leaf is the key that the report names, and each issuer is
    // found by name. Whether they belong together the signatures decide.
    private static Outcome ChainIsAvailable(Candidate candidate)
    {
        var certificates = new List<Certificate>();
        string? malformed = null;
        foreach (var (index, der) in candidate.Certificates.Index())
        {
            if (candidate.Cache.TryReadCertificate(der.Span, out var certificate, out var fault))
            {
                certificates.Add(certificate);
            }
            else
            {
                // It says nothing: who sends it must not be able to spoil a chain that is complete without it.
                malformed ??= $"certificate {index}: {fault}";
            }
        }

        var name = candidate.Report!.SigningKey is SnpSigningKey.Vcek ? "SEV-VCEK" : "SEV-VLEK";
        var leaf = LeafOf(candidate, [.. certificates.Where(certificate => certificate.Subject.CommonName == name)]);
        var chain = leaf is null ? [] : ChainOf(candidate, leaf, certificates);
        if (chain.Length < 3 && malformed is not null)
        {
            return Outcome.Failed(malformed);
        }

        if (leaf is null)
        {
            return Outcome.Missing(candidate.Report is { ChipId.IsMasked: true, SigningKey: SnpSigningKey.Vcek }
                ? "the VCEK certificate is missing, and the report masks the CHIP_ID that AMD's key distribution service needs: get the certificate from the host"
                : $"the {name[4..]} certificate is missing: fetch it from AMD's key distribution service (by chip id and TCB), or get it from the host");
        }

        if (chain.Length < 3)
        {
            return Outcome.Missing($"the certificate \"{chain[^1].Issuer.CommonName}\" is missing: fetch cert_chain from AMD's key distribution service");
        }

        candidate.Chain = chain;
        return Outcome.Held(string.Join(", ", candidate.Chain.Select(certificate => certificate.Subject.CommonName)));
    }

    // A folder may hold those of many chips and TCBs; the right one is compared again once it is authentic. Of several that fit, as a masked report or a
    // forged certificate leaves, its signature tells.
    private static Certificate? LeafOf(Candidate candidate, Certificate[] leaves)
    {
        Certificate[] fitting = [.. leaves.Where(certificate => IsOfThe(candidate.Report!, certificate)).DistinctBy(certificate => certificate.Fingerprint)];
        return (fitting.Length > 1 ? fitting.Take(Limits.CollateralCandidates).FirstOrDefault(certificate => Signed(candidate, certificate.Key)) : null) ?? fitting.FirstOrDefault() ?? leaves.FirstOrDefault();
    }

    // As far as it goes. Of several authorities of one name the ones under which the leaf is certified: whoever puts others beside them hides none.
    private static ImmutableArray<Certificate> ChainOf(Candidate candidate, Certificate leaf, List<Certificate> certificates)
    {
        Certificate[] issuers = [.. certificates.Where(certificate => certificate.Subject.Equals(leaf.Issuer)).DistinctBy(certificate => certificate.Fingerprint)];
        ImmutableArray<Certificate>[] chains =
        [
            .. (from issuer in issuers
                from root in certificates.Where(certificate => certificate.Subject.Equals(issuer.Issuer)).DistinctBy(certificate => certificate.Fingerprint)
                select ImmutableArray.Create(leaf, issuer, root)).Take(Limits.CollateralCandidates),
        ];
        return chains.Length == 0 ? issuers.Length == 0 ? [leaf] : [leaf, issuers[0]]
            : chains.Length > 1 && Array.FindIndex(chains, chain => CertificationPath.TryCertify(chain, candidate.Question.Trust, PathPurpose.AmdEndorsement, candidate.Cache, out _, out _)) is >= 0 and var index ? chains[index]
            : chains[0];
    }

    private static bool IsOfThe(SnpReport report, Certificate certificate) =>
        SnpEndorsement.TryRead(certificate, out var endorsement, out _) && endorsement.Tcb == report.ReportedTcb && (endorsement.ChipId is null || report.ChipId.IsMasked || endorsement.ChipId.Equals(report.ChipId));

    private static Outcome ChainIsTrusted(Candidate candidate)
    {
        if (candidate.Chain.IsEmpty)
        {
            return Outcome.Stopped("the chain is not complete");
        }

        if (!CertificationPath.TryCertify(candidate.Chain, candidate.Question.Trust, PathPurpose.AmdEndorsement, candidate.Cache, out var path, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Path = path;
        return Outcome.Held($"to {path.Anchor.Label}");
    }

    private static Outcome EndorsementIsWellFormed(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        if (!SnpEndorsement.TryRead(candidate.Path.Leaf, out var endorsement, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Endorsement = endorsement;
        return Outcome.Held(endorsement.ProductName);
    }

    // Three speak of the product: the certificate, the authorities above it by name, and from version 3 on the report.
    private static Outcome ProductMatches(Candidate candidate)
    {
        if (candidate.Endorsement is not { } endorsement)
        {
            return Outcome.Stopped("the certificate is not authentic");
        }

        var (product, report) = (endorsement.Product, candidate.Report!);
        string[] names = [.. candidate.Path!.Certificates.Skip(1).Select(certificate => certificate.Subject.CommonName ?? "")];
        string[] expected = [endorsement.Kind is SnpSigningKey.Vlek ? $"SEV-VLEK-{product}" : $"SEV-{product}", $"ARK-{product}"];
        return !names.SequenceEqual(expected) ? Outcome.Failed("the certificate is of another product than its authorities", string.Join(", ", names), string.Join(", ", expected))
            : report.Cpuid is { } cpuid && report.Product != product ? Outcome.Failed("the report is of another product than the certificate", $"family {cpuid.Family:x2} model {cpuid.Model:x2}: {report.Product}", $"{product}")
            : Outcome.Held($"{product}");
    }

    private static Outcome SigningKeyMatches(Candidate candidate)
    {
        if (candidate.Endorsement is not { } endorsement)
        {
            return Outcome.Stopped("the certificate is not authentic");
        }

        var (report, accepted) = (candidate.Report!, candidate.Question.AcceptedSigningKeys);
        return endorsement.Kind != report.SigningKey ? Outcome.Failed("the report names another kind of key than the certificate", $"{report.SigningKey}", $"{endorsement.Kind}")
            : !accepted.Contains(report.SigningKey) ? Outcome.Failed("reports signed by this kind of key are not accepted", $"{report.SigningKey}", accepted.IsEmpty ? "nothing was chosen" : string.Join(", ", accepted))
            : report is { MaskChipKey: true, SigningKey: SnpSigningKey.Vcek } ? Outcome.Failed("the report is signed with the VCEK, although it says that its platform may not use it (MASK_CHIP_KEY)", "MASK_CHIP_KEY", "not set")
            : Outcome.Held($"{report.SigningKey}");
    }

    private static Outcome TcbMatches(Candidate candidate) => candidate.Endorsement switch
    {
        null => Outcome.Stopped("the certificate is not authentic"),
        var endorsement when endorsement.Tcb == candidate.Report!.ReportedTcb => Outcome.Held($"{endorsement.Tcb.Parts(endorsement.Product)}"),
        var endorsement => Outcome.Failed("the certificate is of another TCB than REPORTED_TCB: fetch that of the reported one", $"{endorsement.Tcb}", $"{candidate.Report!.ReportedTcb}"),
    };

    private static Outcome ChipMatches(Candidate candidate) => candidate.Endorsement switch
    {
        null => Outcome.Stopped("the certificate is not authentic"),
        { ChipId: null } endorsement => Outcome.NotApplicable($"a VLEK names no chip, but the provider {endorsement.CloudProvider}"),
        { ChipId: { } chip } when chip.Equals(candidate.Report!.ChipId) => Outcome.Held($"{chip.ToString()[..16]}…"),
        { ChipId: not null } when candidate.Report!.ChipId.IsMasked && candidate.Question.AcceptMaskedChipId =>
            Outcome.Waived("the report masks its CHIP_ID, so it cannot be compared with the certificate; you accept that"),
        { ChipId: { } chip } => Outcome.Failed(
            candidate.Report!.ChipId.IsMasked ? "the report masks its CHIP_ID, so it cannot be compared with the certificate: --dangerously-accept-masked-chip-id accepts that" : "the certificate is of another chip than CHIP_ID",
            $"{candidate.Report.ChipId}", $"{chip}"),
    };

    private static Outcome ReportIsSigned(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        return Signed(candidate, candidate.Path.Leaf.Key)
            ? Outcome.Held("ECDSA P-384 with SHA-384")
            : Outcome.Failed("the certificate's key did not sign the report: the report was altered, or belongs to another chip or TCB");
    }

    private static bool Signed(Candidate candidate, VerificationKey key) => key.Verifies(
        candidate.Report!.SignedBytes.Span, candidate.Report.Signature.Span, SignatureAlgorithm.EcdsaSha384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, candidate.Cache.Meter);

    private static Outcome ReportDataMatches(Candidate candidate) => candidate.Question.ReportData switch
    {
        null => Outcome.Waived("no report data was given: the report may be old, or from another machine"),
        var expected when candidate.Report!.ReportData.Equals(expected) => Outcome.Held(expected.ToString()),
        var expected => Outcome.Failed("the report carries different report data: it is replayed, or belongs to another session", candidate.Report!.ReportData.ToString(), expected.ToString()),
    };

    /// <summary>A report on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(ReadOnlyMemory<byte> bytes, ImmutableArray<ReadOnlyMemory<byte>> certificates, ProcessorQuestion question, VerifierCache cache)
    {
        public ReadOnlyMemory<byte> Bytes => bytes;
        public ImmutableArray<ReadOnlyMemory<byte>> Certificates => certificates;
        public ProcessorQuestion Question => question;
        public VerifierCache Cache => cache;
        public SnpReport? Report { get; set; }
        public ImmutableArray<Certificate> Chain { get; set; } = [];
        public CertificationPath? Path { get; set; }
        public SnpEndorsement? Endorsement { get; set; }
    }
}
