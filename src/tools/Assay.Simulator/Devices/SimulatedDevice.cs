using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>A software GPU or NVSwitch that answers challenges with signed reports, as the real ones do.</summary>
public sealed class SimulatedDevice : IDisposable
{
    private const int PdiSize = 8;
    private const int SwitchGpuPdisSize = 128;

    private readonly byte[] _pdi;
    private readonly byte[] _topology;
    private readonly ushort _position;

    private SimulatedDevice(SimulatedAuthority authority, DeviceProfile profile, byte[] pdi, byte[] topology, ushort position)
    {
        (Profile, _pdi, _topology, _position) = (profile, pdi, topology, position);
        Certificate = authority.IssueDevice(profile.Family, pdi, Measurements.Fwid(profile), profile.CertifiedUntil);
    }

    public DeviceProfile Profile { get; }

    /// <summary>The attestation key's certificate (FMC LF).</summary>
    public SimulatedCertificate Certificate { get; }

    /// <summary>The 8-byte device identifier, natural order, upper-case hex.</summary>
    public string Pdi => Convert.ToHexString(_pdi);

    /// <summary>The five certificates as PEM, leaf first.</summary>
    public string ChainPem => Certificate.ChainPem;

    /// <summary>A device on its own, under a random identifier. A switch sees eight random GPUs, as the recorded one does.</summary>
    public static SimulatedDevice Create(SimulatedAuthority authority, DeviceProfile profile)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(profile);
        var topology = profile.Family is DeviceFamily.Ls10 ? RandomNumberGenerator.GetBytes(SwitchGpuPdisSize / 2) : [];
        return Create(authority, profile, RandomPdi(), [.. topology, .. Unconnected(topology.Length)], position: 0);
    }

    /// <summary>The signed report: request (37 bytes) and response, answering a 32-byte nonce.</summary>
    public byte[] Report(ReadOnlySpan<byte> nonce) => Sign(UnsignedReport(nonce));

    /// <summary>The report without its signature, for tests that alter what a device says before it signs.</summary>
    public byte[] UnsignedReport(ReadOnlySpan<byte> nonce)
    {
        var measurements = Measurements.Of(Profile);
        bool[] measured = [.. measurements.Select(value => value.AsSpan().ContainsAnyExcept((byte)0))];
        var opaque = Profile.Family is DeviceFamily.Ls10
            ? OpaqueData.OfSwitch(Profile, _pdi, _topology, _position, measured)
            : OpaqueData.OfGpu(Profile, Measurements.Fwid(Profile), _topology, measured);
        return SpdmReport.Unsigned(nonce, measurements, opaque);
    }

    /// <summary>Appends the attestation key's signature (96 bytes) to what it is given, whatever that is.</summary>
    public byte[] Sign(ReadOnlySpan<byte> unsignedReport) => [.. unsignedReport, .. Certificate.SignRaw(unsignedReport)];

    /// <summary>The report and chain as one entry of an nvattest evidence file.</summary>
    public SimulatedEvidence Evidence(ReadOnlySpan<byte> nonce) =>
        new(FamilyNames.Of(Profile.Family).Arch, nonce.ToArray(), Report(nonce), ChainPem);

    /// <summary>Forgets the device's two keys.</summary>
    public void Dispose()
    {
        Certificate.Issuer?.Dispose();
        Certificate.Dispose();
    }

    internal static byte[] RandomPdi() => RandomNumberGenerator.GetBytes(PdiSize);

    /// <param name="authority">Certifies the device.</param>
    /// <param name="profile">What it runs.</param>
    /// <param name="pdi">Its identifier.</param>
    /// <param name="topology">Field 22 of a GPU (empty: none), field 26 of a switch.</param>
    /// <param name="position">Field 24 of a switch.</param>
    internal static SimulatedDevice Create(
        SimulatedAuthority authority, DeviceProfile profile, byte[] pdi, byte[] topology, ushort position) =>
        new(authority, profile, pdi, topology, position);

    private static byte[] Unconnected(int length)
    {
        var ports = new byte[length];
        Array.Fill(ports, (byte)0xFF);
        return ports;
    }
}
