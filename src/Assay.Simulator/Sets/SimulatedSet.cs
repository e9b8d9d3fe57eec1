using System.Collections.Immutable;
using System.Globalization;

namespace Assay.Simulator;

/// <summary>
/// Everything an offline verification needs, as files: evidence, RIMs, OCSP responses and anchors.
/// Nothing is written before <see cref="Write"/>.
/// </summary>
public sealed class SimulatedSet
{
    private static readonly TimeSpan s_ocspAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_ocspLife = TimeSpan.FromDays(7);

    private readonly SimulatedAuthority _authority;
    private readonly string _name;
    private readonly DateTimeOffset _now;
    private readonly ReadOnlyMemory<byte> _nonce;

    private SimulatedSet(
        SimulatedAuthority authority,
        string name,
        DateTimeOffset now,
        ImmutableArray<SimulatedDevice> devices,
        ReadOnlySpan<byte> nonce)
    {
        (_authority, _name, _now, _nonce) = (authority, name, now, nonce.ToArray());
        var evidence = ImmutableArray.CreateBuilder<SimulatedEvidence>();
        foreach (var device in devices)
        {
            evidence.Add(device.Evidence(nonce));
        }

        Evidence = evidence.ToImmutable();
        Rims = SignedRims(authority, devices);
        Ocsp = Answers(devices, Rims, now);
    }

    /// <summary>One entry per device: GPUs first.</summary>
    public ImmutableArray<SimulatedEvidence> Evidence { get; }

    /// <summary>One per id.</summary>
    public ImmutableArray<SimulatedRim> Rims { get; }

    /// <summary>
    /// A "good" response (DER, SHA-1 CertID, delegated responder, no nonce) for every certificate that verifiers ask about:
    /// of a device chain all but leaf and root, of a RIM signer chain all but the root.
    /// </summary>
    public ImmutableDictionary<SimulatedCertificate, ReadOnlyMemory<byte>> Ocsp { get; }

    /// <summary>One device, for example an LS10 switch.</summary>
    public static SimulatedSet Of(SimulatedAuthority authority, SimulatedDevice device, ReadOnlySpan<byte> nonce, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(device);
        return new SimulatedSet(authority, $"simulated {device.Profile.Family}", now, [device], nonce);
    }

    /// <summary>A whole machine under one nonce.</summary>
    public static SimulatedSet Of(SimulatedAuthority authority, SimulatedMachine machine, ReadOnlySpan<byte> nonce, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(machine);
        return new SimulatedSet(authority, "simulated machine", now, machine.Devices, nonce);
    }

    /// <summary>
    /// Writes <c>gpu_evidence.json</c> and <c>switch_evidence.json</c> (those that have devices), <c>rims/&lt;id&gt;.xml</c>,
    /// <c>ocsp/&lt;serial number of the certificate in hex&gt;.der</c>, <c>anchors.json</c>, and <c>set.json</c> with the time of making and
    /// the nonce.
    /// </summary>
    public void Write(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var rims = Directory.CreateDirectory(Path.Combine(folder, "rims")).FullName;
        var ocsp = Directory.CreateDirectory(Path.Combine(folder, "ocsp")).FullName;
        var switchArch = FamilyNames.Of(DeviceFamily.Ls10).Arch;
        WriteEvidence(Path.Combine(folder, "gpu_evidence.json"), [.. Evidence.Where(entry => entry.Arch != switchArch)]);
        WriteEvidence(Path.Combine(folder, "switch_evidence.json"), [.. Evidence.Where(entry => entry.Arch == switchArch)]);
        File.WriteAllBytes(Path.Combine(folder, "anchors.json"), SimulatedAnchors.ToJson(_authority, _name));
        var created = _now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        File.WriteAllText(Path.Combine(folder, "set.json"), $$"""{"created":"{{created}}","nonce":"{{Convert.ToHexStringLower(_nonce.Span)}}"}""" + "\n");
        foreach (var rim in Rims)
        {
            File.WriteAllBytes(Path.Combine(rims, $"{rim.Id}.xml"), rim.Xml.Span);
        }

        foreach (var (certificate, response) in Ocsp)
        {
            File.WriteAllBytes(Path.Combine(ocsp, $"{certificate.SerialNumber}.der"), response.Span);
        }
    }

    private static void WriteEvidence(string path, ImmutableArray<SimulatedEvidence> entries)
    {
        if (!entries.IsEmpty)
        {
            File.WriteAllBytes(path, SimulatedEvidence.ToJson(entries));
        }
    }

    private static ImmutableArray<SimulatedRim> SignedRims(SimulatedAuthority authority, ImmutableArray<SimulatedDevice> devices) =>
    [
        .. from family in devices.Select(device => device.Profile).GroupBy(profile => profile.Family)
           let signer = authority.IssueRimSigner(family.Key)
           from draft in family.SelectMany(profile => RimDraft.For(profile)).DistinctBy(draft => draft.Id)
           select SimulatedRim.Sign(draft, signer),
    ];

    private static ImmutableDictionary<SimulatedCertificate, ReadOnlyMemory<byte>> Answers(
        ImmutableArray<SimulatedDevice> devices, ImmutableArray<SimulatedRim> rims, DateTimeOffset now)
    {
        var asked = devices.SelectMany(device => device.Certificate.Chain[1..^1])
            .Concat(rims.SelectMany(rim => rim.Signer.Chain[..^1]))
            .Distinct();
        var responders = new Dictionary<SimulatedCertificate, SimulatedCertificate>();
        var answers = ImmutableDictionary.CreateBuilder<SimulatedCertificate, ReadOnlyMemory<byte>>();
        foreach (var certificate in asked)
        {
            var issuer = certificate.Issuer ?? certificate;
            if (!responders.TryGetValue(issuer, out var responder))
            {
                responder = SimulatedAuthority.IssueOcspResponder(issuer, now.AddDays(-30), now.AddDays(30));
                responders.Add(issuer, responder);
            }

            answers[certificate] = SimulatedOcsp.Respond(new OcspAnswer
            {
                Certificate = certificate,
                Status = CertificateStatus.Good,
                ThisUpdate = now - s_ocspAge,
                NextUpdate = now + s_ocspLife,
                Responder = responder,
            });
        }

        return answers.ToImmutable();
    }
}
