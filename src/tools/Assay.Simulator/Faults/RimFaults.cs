using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>What can be wrong with a RIM, its signer, or what is said of its signer.</summary>
internal static class RimFaults
{
    private const string NotRevoked = "rim.{rim}.chain.not-revoked";
    private const ushort FspUcodeSvn = 37;

    public static ImmutableArray<SimulatedFault> All { get; } =
    [
        new() { Name = "missing-rim", Summary = "the RIM is not there", StrikesRim = true, Outcome = FaultOutcome.Incomplete, Findings = ["rim.{rim}.available"], Rim = _ => null },
        new() { Name = "stale-rim", Summary = "the RIM that is handed out for the id is of an older version", StrikesRim = true, Findings = ["rim.{rim}.version.match"], Draft = (draft, _) => draft with { ColloquialVersion = Older(draft.ColloquialVersion) } },
        new() { Name = "wrong-rim-edition", Summary = "the RIM is for another kind of device", StrikesRim = true, Findings = ["rim.{rim}.edition.match"], Draft = (draft, _) => draft with { Edition = draft.Edition == "GPU" ? "SWITCH" : "GPU" } },
        new() { Name = "wrong-rim-product", Summary = "the RIM is for another chip", StrikesRim = true, Findings = ["rim.{rim}.product.match"], Draft = (draft, _) => draft with { Product = "GA100" }, WhyNot = profile => profile.Family is DeviceFamily.Blackwell ? "what RIMs of Blackwell name was never seen, so it is not compared" : null },
        new() { Name = "altered-rim", Summary = "the RIM was changed after it was signed", StrikesRim = true, Findings = ["rim.{rim}.signature.valid"], Rim = rim => rim.WithSpoiledSignature() },
        new() { Name = "foreign-rim-signer", Summary = "an untrusted authority signed the RIM", StrikesRim = true, Findings = ["rim.{rim}.chain.trusted"], RimSigner = OfAnotherAuthority },
        new() { Name = "expired-rim-signer", Summary = "the RIM's signer ended a year ago", StrikesRim = true, Findings = ["rim.{rim}.chain.current"], RimSigner = (authority, family, now) => authority.IssueRimSigner(family, now.AddYears(-2), now.AddYears(-1)) },
        new() { Name = "revoked-rim-signer", Summary = "the RIM's signer is revoked (keyCompromise)", StrikesRim = true, Findings = [NotRevoked], RimSignerStatus = (answer, now) => DeviceFaults.Revoked(answer, now, RevocationReason.KeyCompromise) },
        new() { Name = "held-rim-signer", Summary = "the RIM's signer is on hold, as for drivers that are not released", StrikesRim = true, Findings = ["rim.{rim}.chain.not-held"], RimSignerStatus = (answer, now) => DeviceFaults.Revoked(answer, now, RevocationReason.CertificateHold) },
        new() { Name = "unknown-rim-signer", Summary = "the responder does not know the RIM's signer", StrikesRim = true, Findings = [NotRevoked], RimSignerStatus = (answer, _) => answer with { Status = CertificateStatus.Unknown } },
        new() { Name = "rim-responder-without-authority", Summary = "the responder for the RIM's signer has no responder authority", StrikesRim = true, Findings = [NotRevoked], RimSignerStatus = (answer, now) => answer with { Responder = DeviceFaults.WithoutAuthority(answer, now) } },
        new() { Name = "rim-status-stale", Summary = "the answer about the RIM's signer is a month old", StrikesRim = true, Findings = ["rim.{rim}.chain.status-current"], RimSignerStatus = DeviceFaults.Stale },
        new() { Name = "rim-status-missing", Summary = "there is no answer about the RIM's signer", StrikesRim = true, Outcome = FaultOutcome.Incomplete, Findings = [NotRevoked], RimSignerStatus = (_, _) => null },
        new() { Name = "min-svn", Summary = "the RIM asks for a higher security version number than the device has", StrikesRim = true, Findings = ["measurements.min-svn.met"], Draft = WithHigherFloor, WhyNot = profile => profile is { Layout: OpaqueLayout.Nvdaod, FspUcodeSvn: not null } ? null : $"a {profile.Family} of this firmware reports no security version number" },
    ];

    // A version of the same shape, so that the RIM stays well-formed.
    private static string Older(string version) => version[..^1] + (version[^1] == '0' ? '1' : '0');

    private static SimulatedCertificate OfAnotherAuthority(SimulatedAuthority authority, DeviceFamily family, DateTimeOffset now)
    {
        // Not disposed: its responders answer about this signer for as long as somebody asks.
        var other = SimulatedAuthority.Create(now);
        return other.IssueRimSigner(family);
    }

    private static RimDraft WithHigherFloor(RimDraft draft, DeviceProfile profile) =>
        draft with { MinimumSvns = [new RimMinimumSvn(FspUcodeSvn, "fsp_ucode_svn", (ulong)(profile.FspUcodeSvn! + 1), IncludeInResult: true)] };
}
