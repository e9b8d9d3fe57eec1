using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>What can be wrong with a device, its report, its chain, or what is said of its certificate.</summary>
internal static class DeviceFaults
{
    private const string Signature = "report.signature.valid";
    private const string NotRevoked = "device.chain.not-revoked";
    private const int CutOff = 100;
    private const ushort UnknownOpaqueVersion = 0x7777;
    private const byte UnknownNvdaodMajor = 0x77;

    public static ImmutableArray<SimulatedFault> All { get; } =
    [
        new() { Name = "truncated-report", Summary = "the report ends 100 bytes early", Findings = ["report.wellformed"], Evidence = (evidence, _, _) => evidence with { Report = evidence.Report[..^CutOff] } },
        new() { Name = "forged-signature", Summary = "one bit of the report's signature is flipped", Findings = [Signature], Evidence = (evidence, _, _) => evidence with { Report = Flipped(evidence.Report, evidence.Report.Length - 1) } },
        new() { Name = "forged-measurement", Summary = "one bit of a measurement is flipped after signing", Findings = [Signature], Evidence = (evidence, _, _) => evidence with { Report = Flipped(evidence.Report, InsideFirstMeasurement) } },
        new() { Name = "foreign-authority", Summary = "an untrusted authority certified the device", Findings = ["device.chain.trusted"], Evidence = OfAnotherAuthority },
        new() { Name = "wrong-nonce", Summary = "the reports answer another challenge than the verifier's", Findings = ["report.nonce.match"], Nonce = nonce => SHA256.HashData(nonce.Span) },
        new() { Name = "wrong-declared-nonce", Summary = "the container states another nonce than the report", Findings = ["report.nonce.declared"], Evidence = (evidence, _, _) => evidence with { Nonce = SHA256.HashData(evidence.Nonce.Span) } },
        new() { Name = "wrong-architecture", Summary = "the container calls the device something else", Findings = ["device.type.declared"], Evidence = (evidence, _, _) => evidence with { Arch = evidence.Arch == "HOPPER" ? "BLACKWELL" : "HOPPER" }, WhyNot = profile => profile.Family is DeviceFamily.Ls10 ? "a switch that is called a GPU is not even looked for among the switches" : null },
        new() { Name = "unknown-format", Summary = "the report's fields have an unknown version", Findings = ["report.version.supported"], Profile = (profile, _, _) => profile with { OpaqueDataVersion = UnknownOpaqueVersion, NvdaodMajor = UnknownNvdaodMajor }, WhyNot = profile => profile.OpaqueDataVersion is null ? $"a {profile.Family} of this firmware states no version" : null },
        new() { Name = "swapped-fwid", Summary = "the report names other firmware than the one that the key was certified for", Findings = ["report.fwid.match"], Profile = (profile, _, _) => profile with { ReportedFwid = SHA384.HashData("other firmware"u8) }, WhyNot = profile => profile.ReportsFwid ? null : $"a {profile.Family} of this firmware reports no FWID" },
        new() { Name = "contradicting-mode", Summary = "FEATURE_FLAG and PROTECTED_PCIE_STATUS say different things", Findings = ["device.mode.consistent"], Profile = (profile, _, _) => profile with { ReportedProtectedPcie = profile.Mode is not GpuMode.ProtectedPcie }, WhyNot = profile => profile is { ReportsProtectedPcie: true, Mode: not null } ? null : $"a {profile.Family} of this firmware does not tell the mode twice" },
        new() { Name = "wrong-pdi", Summary = "the switch's report names another device identifier than its certificate", Findings = ["switch.pdi.match"], Profile = (profile, _, _) => profile with { ReportedPdi = SimulatedDevice.RandomPdi() }, WhyNot = profile => profile.Family is DeviceFamily.Ls10 ? null : "a GPU's report does not name the GPU" },
        new() { Name = "expired-device", Summary = "the device's certificates ended yesterday", Findings = ["device.chain.current"], Profile = (profile, _, now) => profile with { CertifiedUntil = now.AddDays(-1) } },
        new() { Name = "revoked-device", Summary = "the device's certificate is revoked (keyCompromise)", Findings = [NotRevoked], DeviceStatus = (answer, now) => Revoked(answer, now, RevocationReason.KeyCompromise) },
        new() { Name = "held-device", Summary = "the device's certificate is on hold", Findings = [NotRevoked], DeviceStatus = (answer, now) => Revoked(answer, now, RevocationReason.CertificateHold) },
        new() { Name = "unknown-device", Summary = "the responder does not know the device's certificate", Findings = [NotRevoked], DeviceStatus = (answer, _) => answer with { Status = CertificateStatus.Unknown } },
        new() { Name = "device-responder-without-authority", Summary = "the responder for the device has no responder authority", Findings = [NotRevoked], DeviceStatus = (answer, now) => answer with { Responder = WithoutAuthority(answer, now) } },
        new() { Name = "device-status-forged", Summary = "the signature of the answer about the device is invalid", Findings = [NotRevoked], DeviceStatus = (answer, _) => answer with { SpoilSignature = true } },
        new() { Name = "device-status-stale", Summary = "the answer about the device is a month old", Findings = ["device.chain.status-current"], DeviceStatus = Stale },
        new() { Name = "device-status-missing", Summary = "there is no answer about the device", Findings = [NotRevoked], Outcome = FaultOutcome.Incomplete, DeviceStatus = (_, _) => null },
        new() { Name = "mismatch", Summary = "a measurement is not one that the RIM allows (--rim, --index)", Findings = ["measurements.{rim}.match"], Profile = Deviating },
        new() { Name = "clock-set-back", Summary = "everything is a year old, and so is the verifier's clock", Findings = ["time.floor.respected"], Clock = now => now.AddYears(-1) },
    ];

    private const int InsideFirstMeasurement = 37 + 8 + 7;

    public static OcspAnswer Revoked(OcspAnswer answer, DateTimeOffset now, RevocationReason reason) =>
        answer with { Status = CertificateStatus.Revoked, Reason = reason, RevokedAt = now.AddDays(-2) };

    public static OcspAnswer Stale(OcspAnswer answer, DateTimeOffset now) =>
        answer with { ThisUpdate = now.AddDays(-31), NextUpdate = now.AddDays(-30), Responder = SimulatedAuthority.IssueOcspResponder(IssuerOf(answer), now.AddDays(-60), now.AddDays(30)) };

    public static SimulatedCertificate WithoutAuthority(OcspAnswer answer, DateTimeOffset now) =>
        SimulatedAuthority.IssueOcspResponder(IssuerOf(answer), now.AddDays(-30), now.AddDays(30), withExtendedKeyUsage: false);

    private static SimulatedCertificate IssuerOf(OcspAnswer answer) => answer.Certificate.Issuer ?? answer.Certificate;

    private static byte[] Flipped(ReadOnlyMemory<byte> bytes, int index)
    {
        var copy = bytes.ToArray();
        copy[index] ^= 0x01;
        return copy;
    }

    private static SimulatedEvidence OfAnotherAuthority(SimulatedEvidence evidence, SimulatedDevice device, DateTimeOffset now)
    {
        using var authority = SimulatedAuthority.Create(now);
        using var other = SimulatedDevice.Create(authority, device.Profile);
        return other.Evidence(evidence.Nonce.Span);
    }

    private static DeviceProfile Deviating(DeviceProfile profile, FaultTarget target, DateTimeOffset now)
    {
        var kind = SimulatedWorld.KindOf(profile, target);
        var index = target.Index ?? Measurements.Active(profile.Family, SimulatedWorld.SourceOf(kind))[0];
        return profile with { Deviations = profile.Deviations.SetItem(index, SHA384.HashData("firmware with a back door"u8)) };
    }
}
