using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>
/// The simulator's own certification authority: one device hierarchy and one RIM hierarchy, shaped like NVIDIA's
/// (P-384, ecdsa-with-SHA384), each certificate carrying <see cref="SimulatedMarker"/>. The CA keys are made once, here.
/// </summary>
public sealed class SimulatedAuthority : IDisposable
{
    private const string CrlBase = "http://crl.ndis.nvidia.com/crl/";

    private readonly DateTimeOffset _now;
    private readonly ImmutableDictionary<DeviceFamily, SimulatedCertificate> _provisioners;
    private readonly ImmutableDictionary<DeviceFamily, SimulatedCertificate> _rimIssuers;

    private SimulatedAuthority(DateTimeOffset now, bool criticalMarker)
    {
        _now = now;
        var marker = criticalMarker ? CertificateExtension.CriticalMarker : CertificateExtension.Marker;
        DeviceRoot = Root(SubjectName.DeviceRoot, Validity.Endless(2021, 11, 5), marker, keyIdentifiersFirst: false);
        RimRoot = Root(SubjectName.RimRoot, new Validity(now.AddYears(-3), now.AddYears(27)), marker, keyIdentifiersFirst: true);

        // LS10 switches are provisioned under the Identity CA of GH100; there is none of their own.
        var gh100 = Identity("GH100", Validity.Endless(2022, 1, 12));
        var gb100 = Identity("GB100", Validity.Endless(2023, 1, 1));
        var provisioners = ImmutableDictionary.CreateBuilder<DeviceFamily, SimulatedCertificate>();
        provisioners[DeviceFamily.Hopper] = Provisioner(gh100, "GH100", "1", "l2-gh100.crl", Validity.Endless(2022, 3, 1));
        provisioners[DeviceFamily.Ls10] = Provisioner(gh100, "LS_10", "1", "l2-gh100.crl", Validity.Endless(2022, 3, 1));
        provisioners[DeviceFamily.Blackwell] = Provisioner(gb100, "GB100", "00000", "l2-gb100.crl", Validity.Endless(2023, 6, 20));
        _provisioners = provisioners.ToImmutable();

        var rimIssuers = ImmutableDictionary.CreateBuilder<DeviceFamily, SimulatedCertificate>();
        rimIssuers[DeviceFamily.Hopper] = RimIssuer("GH100 CA", "GH100 002");
        rimIssuers[DeviceFamily.Blackwell] = RimIssuer("GB1XX CA 001", "GB100-CC 001");
        rimIssuers[DeviceFamily.Ls10] = RimIssuer("LS10 CA", "LS10 001");
        _rimIssuers = rimIssuers.ToImmutable();
        CrlIssuers = new Dictionary<string, SimulatedCertificate>
        {
            ["l1-root.crl"] = DeviceRoot,
            ["l2-gh100.crl"] = gh100,
            ["l2-gb100.crl"] = gb100,
            ["l1-corim"] = RimRoot,
        }.ToImmutableDictionary();
    }

    /// <summary>The anchor of device chains.</summary>
    public SimulatedCertificate DeviceRoot { get; }

    /// <summary>The anchor of RIM signer chains.</summary>
    public SimulatedCertificate RimRoot { get; }

    /// <summary>Who signs the CRL of each name that the certificates give as their distribution point (last part of the URL).</summary>
    public ImmutableDictionary<string, SimulatedCertificate> CrlIssuers { get; }

    /// <summary>Makes a new hierarchy whose RIM certificates are valid around <paramref name="now"/>.</summary>
    /// <param name="now">The instant around which RIM certificates are valid.</param>
    /// <param name="criticalMarker">Whether certificates carry the marker's older, critical form.</param>
    public static SimulatedAuthority Create(DateTimeOffset now, bool criticalMarker = false) => new(now, criticalMarker);

    /// <summary>
    /// Certifies a new device: makes its BROM (identity) and FMC (attestation) keys and returns the FMC certificate,
    /// whose <see cref="SimulatedCertificate.Chain"/> is the whole five-certificate chain.
    /// </summary>
    /// <param name="family">What the device pretends to be.</param>
    /// <param name="pdi">Its 8-byte device identifier, natural order.</param>
    /// <param name="fwid">The SHA-384 firmware identity (48 bytes) to certify in the leaf.</param>
    /// <param name="until">When both certificates end; null: never, as the real ones.</param>
    public SimulatedCertificate IssueDevice(DeviceFamily family, ReadOnlySpan<byte> pdi, ReadOnlySpan<byte> fwid, DateTimeOffset? until = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pdi.Length, 8, nameof(pdi));
        ArgumentOutOfRangeException.ThrowIfNotEqual(fwid.Length, SHA384.HashSizeInBytes, nameof(fwid));

        var names = FamilyNames.Of(family);
        var endless = family is DeviceFamily.Blackwell ? Validity.Endless(2023, 6, 20) : Validity.Endless(2020, 10, 17);
        var validity = endless with { NotAfter = until ?? endless.NotAfter };
        byte[] serial = [names.SerialPrefix, .. pdi];
        var brom = SimulatedCertificate.Issue(
            new CertificateDraft
            {
                Subject = SubjectName.Device(Convert.ToHexString(serial), $"{names.Device} BROM"),
                Serial = serial,
                Validity = validity,
                Extensions = (subject, issuer) =>
                [
                    CertificateExtension.Authority(), CertificateExtension.CertificateSign,
                    .. family is DeviceFamily.Blackwell ? [CertificateExtension.OcspAccess] : ImmutableArray<CertificateExtension>.Empty,
                    .. KeyIdentifiers(subject, issuer),
                ],
            },
            _provisioners[family]);

        return IssueAttestationKey(names, family, brom, validity, fwid.ToArray());
    }

    /// <summary>Certifies a key that signs RIMs of this family, valid two years around the instant given at creation.</summary>
    public SimulatedCertificate IssueRimSigner(DeviceFamily family) => IssueRimSigner(family, _now.AddYears(-1), _now.AddYears(1));

    /// <summary>Certifies a key that signs RIMs of this family; the dates may lie wholly in the past.</summary>
    public SimulatedCertificate IssueRimSigner(DeviceFamily family, DateTimeOffset notBefore, DateTimeOffset notAfter)
    {
        var name = family switch
        {
            DeviceFamily.Hopper => "HCC RIM L4 Signer",
            DeviceFamily.Ls10 => "NVIDIA Reference Value L4 LS10",
            _ => "RIM L4 Signer",
        };
        var draft = new CertificateDraft
        {
            Subject = SubjectName.RimSigner(name),
            Serial = CertificateDraft.RandomSerial(20),
            Validity = new Validity(notBefore, notAfter),
            Extensions = (subject, issuer) =>
            [
                .. KeyIdentifiers(subject, issuer),
                CertificateExtension.NotAuthority, CertificateExtension.DigitalSignature, CertificateExtension.OcspAccess,
            ],
        };
        return SimulatedCertificate.Issue(draft, _rimIssuers[family]);
    }

    /// <summary>Certifies an OCSP responder under <paramref name="issuer"/>. Leave a flag out, or take another issuer, for one that must be refused.</summary>
    public static SimulatedCertificate IssueOcspResponder(
        SimulatedCertificate issuer,
        DateTimeOffset notBefore,
        DateTimeOffset notAfter,
        bool withExtendedKeyUsage = true,
        bool withNoCheck = true)
    {
        ArgumentNullException.ThrowIfNull(issuer);
        var draft = new CertificateDraft
        {
            Subject = SubjectName.OcspResponder(issuer.CommonName),
            Validity = new Validity(notBefore, notAfter),
            Extensions = (subject, above) =>
            [
                CertificateExtension.NotAuthority, CertificateExtension.DigitalSignature,
                .. withExtendedKeyUsage ? [CertificateExtension.OcspSigning] : ImmutableArray<CertificateExtension>.Empty,
                .. withNoCheck ? [CertificateExtension.OcspNoCheck] : ImmutableArray<CertificateExtension>.Empty,
                .. KeyIdentifiers(subject, above),
            ],
        };
        return SimulatedCertificate.Issue(draft, issuer);
    }

    /// <summary>Forgets every CA key.</summary>
    public void Dispose()
    {
        foreach (var certificate in _provisioners.Values.Concat(_rimIssuers.Values).SelectMany(lowest => lowest.Chain))
        {
            certificate.Dispose();
        }
    }

    /// <summary>The leaf is named after its own key: its serial number is the key identifier made positive.</summary>
    private static SimulatedCertificate IssueAttestationKey(
        FamilyNames names, DeviceFamily family, SimulatedCertificate brom, Validity validity, byte[] fwid)
    {
        // 48:B0:2D is NVIDIA's registered prefix; the five bytes after it are this device's own.
        var deviceInfo = $"NVIDIA:{names.Chip}:48B02D{RandomNumberGenerator.GetHexString(10)}";
        return SimulatedCertificate.Issue(
            keyIdentifier =>
            {
                byte[] serial = [CertificateDraft.AsPositive(keyIdentifier[0]), .. keyIdentifier.AsSpan(1)];
                return new CertificateDraft
                {
                    Subject = SubjectName.Device(Convert.ToHexString(serial), $"{names.Device} FMC LF"),
                    Serial = serial,
                    Validity = validity,
                    Extensions = (subject, issuer) =>
                    [
                        CertificateExtension.DigitalSignature, .. KeyIdentifiers(subject, issuer),
                        CertificateExtension.DeviceInfo(deviceInfo),
                        family is DeviceFamily.Blackwell
                            ? CertificateExtension.DiceTcbInfo(names.Device, fwid)
                            : CertificateExtension.CompositeDeviceId(issuer.PublicKey, fwid),
                    ],
                };
            },
            brom);
    }

    private static SimulatedCertificate Root(SubjectName name, Validity validity, CertificateExtension marker, bool keyIdentifiersFirst) => SimulatedCertificate.Issue(
        new CertificateDraft
        {
            Subject = name,
            Validity = validity,
            Marker = marker,
            Extensions = (subject, issuer) =>
            {
                ImmutableArray<CertificateExtension> authority = [CertificateExtension.Authority(), CertificateExtension.CertificateAndCrlSign];
                var keys = KeyIdentifiers(subject, issuer);
                return keyIdentifiersFirst ? [.. keys, .. authority] : [.. authority, .. keys];
            },
        },
        issuer: null);

    private SimulatedCertificate Identity(string chip, Validity validity) =>
        Intermediate(SubjectName.Identity($"NVIDIA {chip} Identity"), validity, DeviceRoot, $"{CrlBase}l1-root.crl");

    private static SimulatedCertificate Provisioner(SimulatedCertificate identity, string chip, string number, string crl, Validity validity) =>
        Intermediate(SubjectName.Intermediate($"NVIDIA {chip} Provisioner ICA {number}"), validity, identity, CrlBase + crl);

    private SimulatedCertificate RimIssuer(string level2, string level3)
    {
        const string prefix = "NVIDIA Reference Value";
        var ca = Intermediate(
            SubjectName.Intermediate($"{prefix} {level2}"), Midnights(-2, 8), RimRoot, "http://crl.ndis.nvidia.com/crl-corim/l1-corim");
        return Intermediate(SubjectName.Intermediate($"{prefix} L3 {level3}"), Midnights(-2, 2), ca, crl: null, pathLength: 0);
    }

    /// <summary>NVIDIA's L2 and L3 run from midnight to the last second of a day, written as GeneralizedTime.</summary>
    private Validity Midnights(int fromYears, int untilYears)
    {
        var today = new DateTimeOffset(_now.UtcDateTime.Date, TimeSpan.Zero);
        return new Validity(today.AddYears(fromYears), today.AddYears(untilYears).AddSeconds(-1), AlwaysGeneralizedTime: true);
    }

    private static SimulatedCertificate Intermediate(
        SubjectName name, Validity validity, SimulatedCertificate above, string? crl, int? pathLength = null) => SimulatedCertificate.Issue(
        new CertificateDraft
        {
            Subject = name,
            Serial = validity.AlwaysGeneralizedTime ? CertificateDraft.RandomHighSerial() : CertificateDraft.RandomSerial(16),
            Validity = validity,
            Extensions = (subject, issuer) =>
            [
                CertificateExtension.Authority(pathLength), CertificateExtension.CertificateAndCrlSign,
                .. crl is null ? ImmutableArray<CertificateExtension>.Empty : [CertificateExtension.CrlAt(crl)],
                CertificateExtension.OcspAccess, .. KeyIdentifiers(subject, issuer),
            ],
        },
        above);

    private static ImmutableArray<CertificateExtension> KeyIdentifiers(SimulatedCertificate subject, SimulatedCertificate issuer) =>
        [CertificateExtension.SubjectKey(subject.KeyIdentifier), CertificateExtension.AuthorityKey(issuer.KeyIdentifier)];
}
