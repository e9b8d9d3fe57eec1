using System.Collections.Immutable;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// Everything an offline verification needs, as files: evidence for one nonce, RIMs, OCSP responses, CRLs and anchors.
/// Nothing is written before <see cref="Write"/>.
/// </summary>
public sealed class SimulatedSet
{
    private readonly SimulatedWorld _world;
    private readonly ReadOnlyMemory<byte> _nonce;

    private SimulatedSet(SimulatedWorld world, ReadOnlyMemory<byte> nonce)
    {
        (_world, _nonce) = (world, nonce);
        Evidence = world.Evidence(nonce);
        Ocsp = world.AskedAbout.Select(world.AnswerAbout).OfType<OcspAnswer>()
            .ToImmutableDictionary(answer => answer.Certificate, answer => (ReadOnlyMemory<byte>)SimulatedOcsp.Respond(answer));
    }

    /// <summary>One entry per device: GPUs first.</summary>
    public ImmutableArray<SimulatedEvidence> Evidence { get; }

    /// <summary>One per id.</summary>
    public ImmutableArray<SimulatedRim> Rims => _world.Rims;

    /// <summary>
    /// A response (DER, SHA-1 CertID, delegated responder, no nonce) for every certificate that verifiers ask about:
    /// of a device chain all but leaf and root, of a RIM signer chain all but the root.
    /// </summary>
    public ImmutableDictionary<SimulatedCertificate, ReadOnlyMemory<byte>> Ocsp { get; }

    /// <summary>One device, for example an LS10 switch.</summary>
    public static SimulatedSet Of(SimulatedAuthority authority, SimulatedDevice device, ReadOnlySpan<byte> nonce, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(device);
        return Of(new SimulatedWorld(authority, $"simulated {device.Profile.Family}", now, [device], SimulatedFault.None, new FaultTarget()), nonce);
    }

    /// <summary>A whole machine under one nonce.</summary>
    public static SimulatedSet Of(SimulatedAuthority authority, SimulatedMachine machine, ReadOnlySpan<byte> nonce, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(machine);
        return Of(new SimulatedWorld(authority, "simulated machine", now, machine.Devices, SimulatedFault.None, new FaultTarget()), nonce);
    }

    /// <summary>What a world answers to one nonce (32 bytes).</summary>
    public static SimulatedSet Of(SimulatedWorld world, ReadOnlySpan<byte> nonce)
    {
        ArgumentNullException.ThrowIfNull(world);
        return new SimulatedSet(world, nonce.ToArray());
    }

    /// <summary>
    /// Writes <c>gpu_evidence.json</c> and <c>switch_evidence.json</c> (those that have devices), <c>rims/&lt;id&gt;.xml</c>,
    /// <c>ocsp/&lt;serial number of the certificate in hex&gt;.der</c>, <c>crl/&lt;serial number of the authority&gt;.crl</c>,
    /// <c>anchors.json</c>, and <c>set.json</c> with the time of making and the nonce.
    /// </summary>
    public void Write(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string Folder(string name) => Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        var (rims, ocsp, crl) = (Folder("rims"), Folder("ocsp"), Folder("crl"));
        var switchArch = FamilyNames.Of(DeviceFamily.Ls10).Arch;
        WriteEvidence(Path.Combine(folder, "gpu_evidence.json"), [.. Evidence.Where(entry => entry.Arch != switchArch)]);
        WriteEvidence(Path.Combine(folder, "switch_evidence.json"), [.. Evidence.Where(entry => entry.Arch == switchArch)]);
        WriteNew(Path.Combine(folder, "anchors.json"), _world.Anchors);
        var created = SimulatedTime.Text(_world.Now);
        WriteNew(Path.Combine(folder, "set.json"), Encoding.UTF8.GetBytes($$"""{"created":"{{created}}","nonce":"{{Convert.ToHexStringLower(_nonce.Span)}}"}""" + "\n"));
        foreach (var rim in Rims)
        {
            WriteNew(Path.Combine(rims, $"{rim.Id}.xml"), rim.Xml.Span);
        }

        foreach (var (certificate, response) in Ocsp)
        {
            WriteNew(Path.Combine(ocsp, $"{certificate.SerialNumber}.der"), response.Span);
        }

        foreach (var issuer in _world.AskedAbout.Select(certificate => certificate.Issuer).OfType<SimulatedCertificate>().Distinct())
        {
            WriteNew(Path.Combine(crl, $"{issuer.SerialNumber}.crl"), _world.CrlOf(issuer));
        }
    }

    private static void WriteEvidence(string path, ImmutableArray<SimulatedEvidence> entries)
    {
        if (!entries.IsEmpty)
        {
            WriteNew(path, SimulatedEvidence.ToJson(entries));
        }
    }

    // Never over a file, and never through a link that somebody put there since the folder was found empty.
    private static void WriteNew(string path, ReadOnlySpan<byte> bytes)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        stream.Write(bytes);
    }
}
