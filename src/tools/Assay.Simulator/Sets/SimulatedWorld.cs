using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Assay.Simulator;

/// <summary>
/// Devices, and everything that is signed about them: RIMs, OCSP answers, CRLs. It answers any number of challenges, from many
/// threads. One fault at most is built in.
/// </summary>
public sealed class SimulatedWorld : IDisposable
{
    private static readonly TimeSpan s_answerAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_answerLife = TimeSpan.FromDays(7);

    private readonly ConcurrentDictionary<SimulatedCertificate, SimulatedCertificate> _responders = new();
    private readonly SimulatedAuthority _authority;
    private readonly SimulatedCertificate? _struckSigner;
    private readonly bool _ownsDevices = true;

    internal SimulatedWorld(
        SimulatedAuthority authority, string name, DateTimeOffset now, ImmutableArray<SimulatedDevice> devices, SimulatedFault fault, FaultTarget target)
    {
        (_authority, Name, Now, Devices, Fault, Target) = (authority, name, now, devices, fault, target);
        RimKind = KindOf(devices[target.Device].Profile, target);
        Rims = SignedRims(out _struckSigner);
        AskedAbout = [.. devices.SelectMany(device => device.Certificate.Chain[1..^1]).Concat(Rims.SelectMany(rim => rim.Signer.Chain[..^1])).Distinct()];
    }

    private SimulatedWorld(SimulatedWorld other, SimulatedFault fault, FaultTarget target)
        : this(other._authority, other.Name, other.Now, other.Devices, fault, target) => _ownsDevices = false;

    /// <summary>For people; it stands in the anchors file.</summary>
    public string Name { get; }

    /// <summary>When everything was made. A verifier judges at this instant.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>GPUs, then switches.</summary>
    public ImmutableArray<SimulatedDevice> Devices { get; }

    public SimulatedFault Fault { get; }

    public FaultTarget Target { get; }

    /// <summary>Which RIM a fault strikes, if it strikes one.</summary>
    public RimKind RimKind { get; }

    /// <summary>One per id.</summary>
    public ImmutableArray<SimulatedRim> Rims { get; }

    /// <summary>Every certificate that verifiers ask about: of a device chain all but leaf and root, of a RIM signer chain all but the root.</summary>
    public ImmutableArray<SimulatedCertificate> AskedAbout { get; }

    /// <summary>The checks that have to catch the fault, and no others.</summary>
    public ImmutableArray<string> Findings => Fault.FindingsOn(RimKind);

    /// <summary>JSON for a verifier's <c>--anchors</c>.</summary>
    public byte[] Anchors => SimulatedAnchors.ToJson(_authority, Name);

    /// <summary>Builds a device of this profile, with a fault. False, with the reason, when such a device cannot have it.</summary>
    public static bool TryCreate(
        SimulatedAuthority authority, DeviceProfile profile, SimulatedFault fault, FaultTarget target, DateTimeOffset now,
        [NotNullWhen(true)] out SimulatedWorld? world, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(profile);
        ArgumentNullException.ThrowIfNull(fault);
        ArgumentNullException.ThrowIfNull(target);
        world = null;
        whyNot = fault.NeedsMachine ? $"{fault} needs GPUs and switches together" : WhyNot(fault, target, [profile]);
        if (whyNot is null)
        {
            var at = fault.Clock?.Invoke(now) ?? now;
            var device = SimulatedDevice.Create(authority, fault.Profile?.Invoke(profile, target, at) ?? profile);
            world = new SimulatedWorld(authority, $"simulated {profile.Family}", at, [device], fault, target);
        }

        return world is not null;
    }

    /// <summary>Builds a machine whose devices name each other, with a fault. False, with the reason, when such a machine cannot have it.</summary>
    public static bool TryCreateMachine(
        SimulatedAuthority authority, DeviceProfile gpu, DeviceProfile nvSwitch, int gpus, int switches, SimulatedFault fault, FaultTarget target, DateTimeOffset now,
        [NotNullWhen(true)] out SimulatedWorld? world, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(fault);
        ArgumentNullException.ThrowIfNull(target);
        world = null;
        DeviceProfile[] profiles = [.. Enumerable.Repeat(gpu, gpus), .. Enumerable.Repeat(nvSwitch, switches)];
        whyNot = fault.NeedsMachine && (gpus < 1 || switches < 1) ? $"{fault} needs GPUs and switches together" : WhyNot(fault, target, profiles);
        if (whyNot is null)
        {
            var at = fault.Clock?.Invoke(now) ?? now;
            var machine = SimulatedMachine.Create(
                authority, gpu, nvSwitch, gpus, switches, (profile, index) => index == target.Device ? fault.Profile?.Invoke(profile, target, at) ?? profile : profile);
            world = new SimulatedWorld(authority, "simulated machine", at, machine.Devices, fault, target);
        }

        return world is not null;
    }

    /// <summary>
    /// The same devices with a fault that changes none of them: in a RIM, in an answer, or in what is handed on. They stay this world's.
    /// False, with the reason, when the fault is in a device or when these devices cannot have it.
    /// </summary>
    public bool TryWith(SimulatedFault fault, FaultTarget target, [NotNullWhen(true)] out SimulatedWorld? world, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(fault);
        ArgumentNullException.ThrowIfNull(target);
        var isMachine = Devices.Any(device => device.Profile.Family is DeviceFamily.Ls10) && Devices.Any(device => device.Profile.Family is not DeviceFamily.Ls10);
        whyNot = fault.Profile is not null || fault.Clock is not null ? $"{fault} is in the devices themselves"
            : fault.NeedsMachine && !isMachine ? $"{fault} needs GPUs and switches together"
            : WhyNot(fault, target, [.. Devices.Select(device => device.Profile)]);
        world = whyNot is null ? new SimulatedWorld(this, fault, target) : null;
        return world is not null;
    }

    /// <summary>Challenges every device. One entry per device, unless the fault changes that.</summary>
    /// <param name="nonce">32 bytes.</param>
    public ImmutableArray<SimulatedEvidence> Evidence(ReadOnlyMemory<byte> nonce)
    {
        var answered = Fault.Nonce?.Invoke(nonce) ?? nonce;
        ImmutableArray<SimulatedEvidence> evidence = [.. Devices.Select((device, index) => Evidence(device, index, answered))];
        return Fault.Machine?.Invoke(evidence, this, answered) ?? evidence;
    }

    /// <summary>What is said of a certificate; null when there is no answer.</summary>
    public OcspAnswer? AnswerAbout(SimulatedCertificate certificate)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var answer = new OcspAnswer
        {
            Certificate = certificate,
            Status = CertificateStatus.Good,
            ThisUpdate = Now - s_answerAge,
            NextUpdate = Now + s_answerLife,
            Responder = _responders.GetOrAdd(
                certificate.Issuer ?? certificate, issuer => SimulatedAuthority.IssueOcspResponder(issuer, Now.AddDays(-30), Now.AddDays(30))),
        };
        return (Fault, certificate) switch
        {
            ({ DeviceStatus: { } change }, _) when certificate == Devices[Target.Device].Certificate.Issuer => change(answer, Now),
            ({ RimSignerStatus: { } change }, _) when certificate == _struckSigner => change(answer, Now),
            _ => answer,
        };
    }

    /// <summary>Answers a DER OCSPRequest. Of whom nothing is said is not known here: an honest responder says unauthorized then.</summary>
    public byte[] AnswerOcsp(ReadOnlyMemory<byte> request)
    {
        var answers = AskedAbout.Select(AnswerAbout).OfType<OcspAnswer>().ToDictionary(answer => answer.Certificate);
        return SimulatedOcsp.Answer(request, answers.Keys, certificate => answers[certificate]);
    }

    /// <summary>The CRL of that name, as the certificates' distribution points give it, or <c>&lt;serial number of the authority&gt;.crl</c>; null when there is none.</summary>
    public byte[]? Crl(string name) =>
        (_authority.CrlIssuers.GetValueOrDefault(name) ?? AskedAbout.Select(certificate => certificate.Issuer).FirstOrDefault(issuer => $"{issuer?.SerialNumber}.crl" == name)) is { } issuer
            ? CrlOf(issuer)
            : null;

    /// <summary>The CRL of an authority: what <see cref="AnswerAbout"/> calls revoked among the certificates under it.</summary>
    public byte[] CrlOf(SimulatedCertificate issuer)
    {
        RevokedCertificate[] revoked =
        [
            .. AskedAbout.Where(certificate => certificate.Issuer == issuer)
                .Select(AnswerAbout).OfType<OcspAnswer>().Where(answer => answer.Status is CertificateStatus.Revoked)
                .Select(answer => new RevokedCertificate(answer.Certificate, answer.RevokedAt ?? answer.ThisUpdate, answer.Reason)),
        ];
        return SimulatedCrl.Issue(issuer, Now.ToUnixTimeSeconds(), Now - s_answerAge, Now + s_answerLife, revoked);
    }

    /// <summary>Forgets the keys of devices that were made for this world. The authority is the caller's.</summary>
    public void Dispose()
    {
        if (_ownsDevices)
        {
            foreach (var device in Devices)
            {
                device.Dispose();
            }
        }
    }

    /// <summary>A machine of the same kind under the same authority. Dispose it.</summary>
    internal SimulatedMachine OtherMachine() => SimulatedMachine.Create(
        _authority, Devices[0].Profile, Devices[^1].Profile, Devices.Count(device => device.Profile.Family is not DeviceFamily.Ls10), switches: 1);

    private static string? WhyNot(SimulatedFault fault, FaultTarget target, DeviceProfile[] profiles)
    {
        if (target.Device < 0 || target.Device >= profiles.Length)
        {
            return $"there is no device {target.Device}: the last one is {profiles.Length - 1}";
        }

        var profile = profiles[target.Device];
        if (target.Rim is { } rim && !RimDraft.For(profile).Any(draft => draft.Kind == rim))
        {
            return $"device {target.Device} ({profile.Family}) has no RIM of kind {rim}";
        }

        return target.Index is { } index && !Measurements.Active(profile.Family, SourceOf(KindOf(profile, target))).Contains(index)
            ? $"no RIM of that kind names index {index}; there are {string.Join(", ", Measurements.Active(profile.Family, SourceOf(KindOf(profile, target))))}"
            : fault.WhyNot?.Invoke(profile);
    }

    /// <summary>The RIM that is named, or names the index that is named, or is the first that a verifier asks for.</summary>
    internal static RimKind KindOf(DeviceProfile profile, FaultTarget target) => (target.Rim, profile.Family, target.Index) switch
    {
        ({ } named, _, _) => named,
        (_, DeviceFamily.Ls10, _) => RimKind.SwitchBios,
        (_, _, { } index) when Measurements.Active(profile.Family, MeasurementSource.Vbios).Contains(index) => RimKind.Vbios,
        _ => RimKind.Driver,
    };

    internal static MeasurementSource SourceOf(RimKind kind) => kind switch
    {
        RimKind.Driver => MeasurementSource.Driver,
        RimKind.Vbios => MeasurementSource.Vbios,
        _ => MeasurementSource.SwitchBios,
    };

    private SimulatedEvidence Evidence(SimulatedDevice device, int index, ReadOnlyMemory<byte> nonce)
    {
        var evidence = device.Evidence(nonce.Span);
        return index == Target.Device ? Fault.Evidence?.Invoke(evidence, device, Now) ?? evidence : evidence;
    }

    private ImmutableArray<SimulatedRim> SignedRims(out SimulatedCertificate? struckSigner)
    {
        struckSigner = null;
        var rims = ImmutableArray.CreateBuilder<SimulatedRim>();
        var target = Devices[Target.Device].Profile;
        foreach (var family in Devices.Select(device => device.Profile).GroupBy(profile => profile.Family))
        {
            var signer = _authority.IssueRimSigner(family.Key);
            foreach (var draft in family.SelectMany(profile => RimDraft.For(profile)).DistinctBy(draft => draft.Id))
            {
                var isStruck = Fault.StrikesRim && family.Key == target.Family && draft.Kind == RimKind;
                if (!isStruck)
                {
                    rims.Add(SimulatedRim.Sign(draft, signer));
                    continue;
                }

                // A signer of its own, so that the device's other RIM stays what it was.
                struckSigner = Fault.RimSigner?.Invoke(_authority, family.Key, Now) ?? _authority.IssueRimSigner(family.Key);
                var rim = SimulatedRim.Sign(Fault.Draft?.Invoke(draft, target) ?? draft, struckSigner);
                if ((Fault.Rim is { } spoil ? spoil(rim) : rim) is { } kept)
                {
                    rims.Add(kept);
                }
            }
        }

        return rims.ToImmutable();
    }
}
