using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Devices;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Appraisal.Devices;

/// <summary>What became of one RIM that a device needs.</summary>
internal sealed record RimResult
{
    /// <summary>Which one.</summary>
    public required RimRequirement Requirement { get; init; }

    /// <summary>Its checks.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes were found.</summary>
    public required bool Fetched { get; init; }

    /// <summary>The proof of its signature; null when it is missing or forged.</summary>
    public required AuthenticRim? Rim { get; init; }

    /// <summary>Its signers at the evaluation time; null without <see cref="Rim"/>.</summary>
    public required ChainStatus? Chain { get; init; }

    /// <summary>Whether its golden values may be compared with this report: authentic, and of the report's version.</summary>
    public required bool IsUsable { get; init; }
}

/// <summary>The questions put to a RIM. One that is missing stops what needs it, and nothing else.</summary>
internal static class RimAppraisal
{
    // These decide whether the golden values may be used at all.
    private static readonly ImmutableArray<Check<Candidate>> s_gates =
    [
        new(RimRequirement.Available, IsAvailable),
        new(".wellformed", IsWellFormed),
        new(".chain.trusted", ChainIsTrusted),
        new(".signature.valid", SignatureIsValid),
        new(".edition.match", EditionMatches),
        new(".product.match", ProductMatches),
        new(".version.match", VersionMatches),
    ];

    // Time and revocation are answered beside the comparison, so that one bad answer does not hide another.
    private static readonly ImmutableArray<Check<Candidate>> s_beside =
    [
        new(".chain.current", candidate => candidate.Rim is { } rim ? candidate.Judge.Current(rim.Path, isRim: true) : candidate.Stopped),
        new(".chain.not-revoked", NotRevoked),
        new(".chain.status-current", candidate => candidate.Revocation is { } known ? known.StatusCurrent : candidate.Stopped),
        new(RimRequirement.NotHeld, candidate => candidate.Revocation is { } known ? known.NotHeld : candidate.Stopped),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_checks = [.. s_gates, .. s_beside];
    private static readonly ImmutableArray<string> s_driverIds = MakeIds(RimRole.Driver);
    private static readonly ImmutableArray<string> s_vbiosIds = MakeIds(RimRole.Vbios);
    private static readonly ImmutableArray<string> s_switchIds = MakeIds(RimRole.SwitchBios);

    /// <summary>Every id with each prefix, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => [.. s_driverIds, .. s_vbiosIds, .. s_switchIds];

    public static RimResult Appraise(
        RimRequirement requirement, DeviceIdentity device, MachineCollateral collateral, DeviceExpectations expected, VerifierCache cache)
    {
        var candidate = new Candidate(requirement, device, collateral, expected, cache);
        var findings = ImmutableArray.CreateBuilder<Finding>(s_checks.Length);
        var usable = true;
        for (var index = 0; index < s_checks.Length; index++)
        {
            var outcome = s_checks[index].Answer(candidate);
            usable &= index >= s_gates.Length || outcome.State is CheckState.Held or CheckState.NotApplicable;
            findings.Add(outcome.Named(IdsOf(requirement.Role)[index]));
        }

        return new RimResult
        {
            Requirement = requirement,
            Findings = findings.ToImmutable(),
            IsUsable = usable,
            Fetched = candidate.Bytes is not null,
            Rim = candidate.Rim,
            Chain = candidate.Revocation?.Status,
        };
    }

    /// <summary>The authentic RIM of these bytes, or null: what is needed to know whose revocation to ask about.</summary>
    public static AuthenticRim? TryAuthenticate(ReadOnlySpan<byte> xml, TrustSet trust, VerifierCache cache) =>
        AuthenticRim.TryFromCache(xml, trust, cache, out var known) ? known
        : RimDocument.TryParse(xml, out var document, out _) ? AuthenticRim.Authenticate(document, trust, cache).Rim
        : null;

    private static ImmutableArray<string> MakeIds(RimRole role) =>
        [.. s_checks.Select(check => new RimRequirement(role, null, null).Prefix + check.Id)];

    private static ImmutableArray<string> IdsOf(RimRole role) => role switch
    {
        RimRole.Driver => s_driverIds,
        RimRole.Vbios => s_vbiosIds,
        RimRole.SwitchBios => s_switchIds,
        _ => throw new ArgumentOutOfRangeException(nameof(role), role, "a requirement without a role"),
    };

    private static Outcome IsAvailable(Candidate candidate)
    {
        if (candidate.Requirement.Id is not { } id)
        {
            var why = candidate.Requirement.WhyNoId ?? "no RIM id";
            return candidate.Requirement.CorimOnly ? Outcome.Missing(why) : Outcome.Failed(why);
        }

        if (candidate.Collateral.Rims.TryGetValue(id, out var bytes))
        {
            candidate.Bytes = bytes;
            return Outcome.Held(id);
        }

        return Outcome.Missing($"{id} is missing: {candidate.Collateral.RimFaults.GetValueOrDefault(id) ?? "no RIM source was asked"}");
    }

    private static Outcome IsWellFormed(Candidate candidate)
    {
        if (candidate.Bytes is not { } bytes)
        {
            return candidate.Stopped;
        }

        var (trust, cache) = (candidate.Expected.Basis.Trust, candidate.Cache);
        if (AuthenticRim.TryFromCache(bytes.Span, trust, cache, out var known))
        {
            candidate.Authentication = new RimAuthentication(known, known.Path, null, null, DocumentDigestDiffers: false);
            return Outcome.Held();
        }

        if (!RimDocument.TryParse(bytes.Span, out var document, out var fault))
        {
            return Outcome.Failed($"the RIM is malformed: {fault}");
        }

        candidate.Authentication = AuthenticRim.Authenticate(document, trust, cache);
        return Outcome.Held();
    }

    private static Outcome ChainIsTrusted(Candidate candidate) => candidate.Authentication switch
    {
        null => candidate.Stopped,
        { ChainFault: { } fault } => Outcome.Failed(fault),
        var authentication => Outcome.Held($"to {authentication.Path!.Anchor.Label}"),
    };

    private static Outcome SignatureIsValid(Candidate candidate) => candidate.Authentication switch
    {
        null => candidate.Stopped,
        { SignatureFault: { } fault } => Outcome.Failed(fault),
        var authentication => Outcome.Held(authentication.Path?.Leaf.Subject.CommonName),
    };

    private static Outcome EditionMatches(Candidate candidate)
    {
        var expected = DeviceKindWords.Of(candidate.Device.Kind).RimEdition;
        return candidate.Rim is not { } rim ? candidate.Stopped
            : rim.Document.Edition == expected ? Outcome.Held(expected)
            : Outcome.Failed("the RIM is for another kind of device", rim.Document.Edition, expected);
    }

    // Recorded manifests name the product GH100 and LS10. What those of Blackwell name was never seen, so it is not held against them.
    private static Outcome ProductMatches(Candidate candidate)
    {
        var expected = candidate.Device.Model.RimProductOf(candidate.Device.Chip);
        return candidate.Rim is not { } rim ? candidate.Stopped
            : expected is null ? Outcome.NotApplicable($"the RIM names {rim.Document.Product}; what it should name for {candidate.Device.Chip} is not known")
            : rim.Document.Product == expected ? Outcome.Held(expected)
            : Outcome.Failed("the RIM is for another chip", rim.Document.Product, expected);
    }

    private static Outcome VersionMatches(Candidate candidate) =>
        candidate.Rim is not { } rim ? candidate.Stopped
        : rim.Document.ColloquialVersion == candidate.Requirement.Version ? Outcome.Held(rim.Document.ColloquialVersion)
        : Outcome.Failed("the RIM is for another version than the report's", rim.Document.ColloquialVersion, candidate.Requirement.Version);

    private static Outcome NotRevoked(Candidate candidate)
    {
        candidate.Revocation = candidate.Rim is { } rim ? candidate.Judge.Revocation(rim.Path, device: null) : null;
        return candidate.Revocation?.NotRevoked ?? candidate.Stopped;
    }

    private sealed class Candidate(
        RimRequirement requirement, DeviceIdentity device, MachineCollateral collateral, DeviceExpectations expected, VerifierCache cache)
    {
        public RimRequirement Requirement => requirement;
        public DeviceIdentity Device => device;
        public MachineCollateral Collateral => collateral;
        public DeviceExpectations Expected => expected;
        public VerifierCache Cache => cache;
        public ChainJudge Judge { get; } = new(expected, collateral, cache);
        public ReadOnlyMemory<byte>? Bytes { get; set; }
        public RimAuthentication? Authentication { get; set; }
        public AuthenticRim? Rim => Authentication?.Rim;
        public RevocationOutcomes? Revocation { get; set; }

        public Outcome Stopped => Bytes is null
            ? new(CheckState.NotChecked, "the RIM is missing", null, null, NotCheckedCause.Stopped)
            : Outcome.Stopped("the RIM is not authentic");
    }
}
