using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>What devices are authenticated with. All of it is stated.</summary>
/// <param name="Nonce">The challenge that every report must answer. Null: freshness is not proven, and the verdict says so.</param>
/// <param name="Trust">Whose roots are believed.</param>
/// <param name="RequireFwid">Whether firmware that reports no FWID is refused.</param>
internal sealed record DeviceQuestion(Nonce? Nonce, TrustSet Trust, bool RequireFwid);

/// <summary>
/// A device whose report is proven its own: the chain ends at a trusted root, the leaf's key signed the report, the report answers the
/// nonce, and the firmware that the key belongs to is the one that the report names. The only way to get one is <see cref="Authenticate"/>.
/// </summary>
public sealed class AuthenticDevice
{
    private AuthenticDevice(SpdmReport report, CertificationPath path, DeviceIdentity identity, DeviceFields fields)
    {
        Report = report;
        Path = path;
        Identity = identity;
        Fields = fields;
    }

    /// <summary>What the device said.</summary>
    internal SpdmReport Report { get; }

    /// <summary>The chain that certifies its key.</summary>
    internal CertificationPath Path { get; }

    /// <summary>SHA-256 of each certificate of that chain, from the device's own to the root: what is named when one is revoked.</summary>
    public ImmutableArray<Digest> CertificateFingerprints => [.. Path.Certificates.Select(certificate => certificate.Fingerprint)];

    /// <summary>Which device.</summary>
    public DeviceIdentity Identity { get; }

    /// <summary>What its opaque fields say.</summary>
    internal DeviceFields Fields { get; }

    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_parsing =
    [
        new(Checks.CheckIds.ReportWellformed, ReportIsWellFormed),
        new(Checks.CheckIds.DeviceChainWellformed, ChainIsWellFormed),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_authenticity =
    [
        new(Checks.CheckIds.DeviceChainTrusted, ChainIsTrusted),
        new(Checks.CheckIds.DeviceIdentityKnown, IdentityIsKnown),
        new(Checks.CheckIds.DeviceSerialConsistent, SerialIsConsistent),
        new(Checks.CheckIds.DeviceTypeDeclared, TypeIsAsDeclared),
        new(Checks.CheckIds.ReportSignatureValid, SignatureIsValid),
        new(Checks.CheckIds.ReportFieldsWellformed, FieldsAreWellFormed),
        new(Checks.CheckIds.ReportVersionSupported, VersionIsSupported),
        new(Checks.CheckIds.ReportNonceMatch, NonceMatches),
        new(Checks.CheckIds.ReportNonceDeclared, NonceIsAsDeclared),
        new(Checks.CheckIds.ReportFwidMatch, FwidMatches),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    internal static IEnumerable<string> CheckIds => s_parsing.Concat(s_authenticity).Select(check => check.Id);

    /// <summary>From hostile bytes to an authentic device.</summary>
    internal static (AuthenticDevice? Device, ImmutableArray<Finding> Findings, bool Unparsable) Authenticate(
        DeviceEvidence evidence, DeviceQuestion question, VerifierCache cache)
    {
        var candidate = new Candidate(evidence, question, cache);
        var findings = Stage.Authenticate(candidate, s_parsing, s_authenticity, "the evidence could not be read", out var authentic, out var parsed);
        return (authentic ? new AuthenticDevice(candidate.Report!, candidate.Path!, candidate.Identity!, candidate.Fields!) : null, findings, !parsed);
    }

    private static Outcome ReportIsWellFormed(Candidate candidate)
    {
        if (!SpdmReport.TryParse(candidate.Evidence.Report.Span, out var report, out var fault))
        {
            return Outcome.Failed(fault.ToString());
        }

        candidate.Report = report;
        return Outcome.Held($"SPDM 1.1, {report.Blocks.Length} measurements");
    }

    private static Outcome ChainIsWellFormed(Candidate candidate)
    {
        var key = Digest.Sha256(candidate.Evidence.Chain.Span);
        if (candidate.Cache.TryGetAuthentic<CertificationPath>(key, candidate.Question.Trust.Identity, out var known))
        {
            candidate.Path = known;
            return Outcome.Held($"{known.Certificates.Length} certificates");
        }

        if (!candidate.Cache.TryReadChain(candidate.Evidence.Chain.Span, out var chain, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Chain = chain;
        candidate.ChainKey = key;
        return Outcome.Held($"{chain.Length} certificates");
    }

    private static Outcome ChainIsTrusted(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            var trust = candidate.Question.Trust;
            if (!CertificationPath.TryCertify(candidate.Chain, trust, PathPurpose.Device, candidate.Cache, out var path, out var whyNot))
            {
                return Outcome.Failed(whyNot);
            }

            candidate.Cache.AddAuthentic(candidate.ChainKey, trust.Identity, path);
            candidate.Path = path;
        }

        return Outcome.Held($"to {candidate.Path.Anchor.Label}");
    }

    private static Outcome IdentityIsKnown(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        if (!DeviceIdentity.TryIdentify(candidate.Path, out var identity, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Identity = identity;
        return Outcome.Held($"{identity.HardwareModel}, ueid {identity.Ueid}");
    }

    private static Outcome SerialIsConsistent(Candidate candidate) => candidate.Identity switch
    {
        null => Outcome.Stopped("the chain is not trusted, or names no known device"),
        _ when DeviceIdentity.WhyNotSerial(candidate.Path!.Certificates[1]) is { } whyNot => Outcome.Failed(whyNot),
        { Pdi: { } pdi } => Outcome.Held($"PDI {pdi}"),
        _ => Outcome.NotApplicable("chain[1]'s serial number carries no PDI"),
    };

    private static Outcome TypeIsAsDeclared(Candidate candidate)
    {
        if (candidate.Identity is not { } identity)
        {
            return Outcome.Stopped("the chain is not trusted, or names no known device");
        }

        var (architecture, kind) = (candidate.Evidence.DeclaredArchitecture, candidate.Evidence.DeclaredKind);
        if (architecture is null && kind is DeviceKind.None)
        {
            return Outcome.NotApplicable("the evidence does not state an architecture");
        }

        var found = identity.Model.ArchitectureWord;
        var agrees = (architecture is null || architecture.Equals(found, StringComparison.OrdinalIgnoreCase))
            && (kind is DeviceKind.None || kind == identity.Kind);
        return agrees
            ? Outcome.Held(found)
            : Outcome.Failed("the evidence states a different kind of device than its certificates", found, architecture ?? kind.ToString());
    }

    private static Outcome SignatureIsValid(Candidate candidate)
    {
        if (candidate.Path is null)
        {
            return Outcome.Stopped("the chain is not trusted");
        }

        var report = candidate.Report!;
        candidate.Signed = candidate.Path.Leaf.Key.Verifies(
            report.SignedBytes.Span, report.Signature.Span, SignatureAlgorithm.EcdsaSha384, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, candidate.Cache.Meter);
        return candidate.Signed
            ? Outcome.Held("ECDSA P-384 with SHA-384")
            : Outcome.Failed($"the leaf certificate's key did not sign the report: {WhyNotSigned(candidate)}");
    }

    // The FWID names a firmware and no device, and here nothing of the report is proven: it says where to look, and decides nothing.
    private static string WhyNotSigned(Candidate candidate)
    {
        var opaque = candidate.Report!.Opaque;
        DeviceFields? fields = null;
        _ = candidate.Identity?.Kind switch
        {
            DeviceKind.Gpu => DeviceFields.TryReadGpu(opaque, out fields, out _),
            DeviceKind.Switch => DeviceFields.TryReadSwitch(opaque, out fields, out _),
            _ => false,
        };
        return fields?.Fwid is not { } reported || !Fwid.TryRead(candidate.Path!.Leaf, out var certified, out _) ? "the report was altered, or the chain belongs to another device"
            : reported != certified ? $"the chain belongs to another device, or to other firmware on this one (the report names FWID {Abbreviate(reported)}, the chain {Abbreviate(certified)}); collect report and chain together again"
            : $"the report was altered, or the chain belongs to another device with the same firmware (both name FWID {Abbreviate(reported)}); collect report and chain together again";
    }

    private static Outcome FieldsAreWellFormed(Candidate candidate)
    {
        if (!candidate.Signed || candidate.Identity is not { } identity)
        {
            return Outcome.Stopped("the report is not authentic");
        }

        var opaque = candidate.Report!.Opaque;
        DeviceFields? fields;
        ParseFault? fault;
        var read = identity.Kind switch
        {
            DeviceKind.Gpu => DeviceFields.TryReadGpu(opaque, out fields, out fault),
            DeviceKind.Switch => DeviceFields.TryReadSwitch(opaque, out fields, out fault),
            _ => throw DeviceKindWords.Unknown(identity.Kind),
        };
        candidate.Fields = fields;
        return read ? Outcome.Held($"{opaque.Fields.Length} opaque fields") : Outcome.Failed(fault!.ToString());
    }

    private static Outcome VersionIsSupported(Candidate candidate)
    {
        if (candidate.Fields is not { } fields)
        {
            return Outcome.Stopped("the report is not authentic");
        }

        var understood = candidate.Identity!.Model.Opaque;
        var highest = candidate.Report!.Opaque.Form is OpaqueForm.Nvdaod ? understood.Header : understood.Plain;
        return fields.OpaqueVersion <= highest
            ? Outcome.Held($"{fields.OpaqueVersion}")
            : Outcome.Failed("the version of the firmware's opaque data is not supported: try a newer Assay", $"{fields.OpaqueVersion}", $"at most {highest}");
    }

    private static Outcome NonceMatches(Candidate candidate) => candidate.Question.Nonce switch
    {
        null => Outcome.Waived("no nonce was given: the report may be old"),
        var expected when candidate.Report!.Nonce.Equals(expected) => Outcome.Held(expected.ToString()),
        var expected => Outcome.Failed("the report answers a different challenge: it is replayed, or belongs to another session", candidate.Report!.Nonce.ToString(), expected.ToString()),
    };

    private static Outcome NonceIsAsDeclared(Candidate candidate) => candidate.Evidence.DeclaredNonce switch
    {
        null => Outcome.NotApplicable("the evidence does not state a nonce"),
        var declared when candidate.Report!.Nonce.Equals(declared) => Outcome.Held(),
        var declared => Outcome.Failed("the evidence states a different nonce than its report", candidate.Report!.Nonce.ToString(), declared.ToString()),
    };

    private static Outcome FwidMatches(Candidate candidate)
    {
        if (candidate.Fields is not { } fields)
        {
            return Outcome.Stopped("the report is not authentic");
        }

        if (fields.Fwid is not { } reported)
        {
            const string reason = "the firmware reports no FWID";
            return candidate.Question.RequireFwid ? Outcome.Failed(reason + ", and one is required") : Outcome.NotApplicable(reason);
        }

        return !Fwid.TryRead(candidate.Path!.Leaf, out var certified, out var whyNot) ? Outcome.Failed(whyNot)
            : certified == reported ? Outcome.Held($"{Abbreviate(reported)}")
            : Outcome.Failed("the report names different firmware than its key's certificate", reported.ToString(), certified.ToString());
    }

    private static string Abbreviate(Digest digest) => digest.ToString()[..16] + "…";

    /// <summary>A device on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(DeviceEvidence evidence, DeviceQuestion question, VerifierCache cache)
    {
        public DeviceEvidence Evidence => evidence;
        public DeviceQuestion Question => question;
        public VerifierCache Cache => cache;
        public SpdmReport? Report { get; set; }
        public ImmutableArray<Certificate> Chain { get; set; } = [];
        public Digest ChainKey { get; set; }
        public CertificationPath? Path { get; set; }
        public DeviceIdentity? Identity { get; set; }
        public bool Signed { get; set; }
        public DeviceFields? Fields { get; set; }
    }
}
