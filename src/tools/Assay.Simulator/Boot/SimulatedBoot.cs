using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// A machine that has booted: its registers as hardware would hold them, and its logs in every form. Nothing here uses the verifier's
/// code, so that an error in one is not repeated in the other.
/// </summary>
public sealed class SimulatedBoot
{
    private const int CcelArea = 16 * 1024;
    private const ushort Sha256Algorithm = 0x000B;
    private const ushort Sha384Algorithm = 0x000C;
    private const uint NoAction = 3;

    private readonly SimulatedBootPlan _plan;
    private readonly SimulatedEvent[] _firmware;
    private readonly SimulatedEvent[] _gate;

    private SimulatedBoot(SimulatedBootPlan plan)
    {
        _plan = plan;
        _firmware = [.. SimulatedEvents.Firmware(plan)];
        _gate = [.. SimulatedEvents.Gate(plan)];
        Rtmrs = [.. Enumerable.Range(0, 4).Select(register => (ReadOnlyMemory<byte>)Extended(register, SHA384.HashData, 48))];
        Pcrs = [.. Enumerable.Range(0, 24).Select(register => (ReadOnlyMemory<byte>)ExtendedPcr(register))];
    }

    /// <summary>The PCR into which the gate writes.</summary>
    public static int GatePcr => SimulatedEvents.GatePcr;

    /// <summary>RTMR0 to RTMR3, 48 bytes each.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Rtmrs { get; }

    /// <summary>PCR 0 to 23 of the SHA-256 bank, 32 bytes each.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Pcrs { get; }

    /// <summary>Boots a machine.</summary>
    public static SimulatedBoot Create(SimulatedBootPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new SimulatedBoot(plan);
    }

    /// <summary>The whole log as dstack's JSON, in the plan's version.</summary>
    public byte[] JsonLog() => Json(_firmware.Concat(_gate), isPcr: false);

    /// <summary>The gate's events as JSON about a PCR: what follows <see cref="TcgLog"/>.</summary>
    public byte[] JsonPcrLog() => Json(_gate, isPcr: true);

    /// <summary>Firmware's events as the ACPI area of a confidential VM, padded.</summary>
    public byte[] CcelLog(byte padding = 0xFF)
    {
        var log = new List<byte>();
        Header(log, register: 1, [(Sha384Algorithm, 48)]);
        foreach (var item in _firmware)
        {
            Record(log, (uint)item.Rtmr + 1, item, [(Sha384Algorithm, SHA384.HashData(item.Measured))]);
        }

        var area = new byte[Math.Max(CcelArea, log.Count + 8)];
        Array.Fill(area, padding);
        log.CopyTo(area);
        return area;
    }

    /// <summary>Firmware's events as a TPM's log, SHA-256 and SHA-384.</summary>
    public byte[] TcgLog(byte startupLocality = 0)
    {
        var log = new List<byte>();
        Header(log, register: 0, [(Sha256Algorithm, 32), (Sha384Algorithm, 48)]);
        if (startupLocality > 0)
        {
            var told = new SimulatedEvent(0, 0, NoAction, [], [.. "StartupLocality\0"u8, startupLocality]);
            Record(log, 0, told, [(Sha256Algorithm, new byte[32]), (Sha384Algorithm, new byte[48])]);
        }

        foreach (var item in _firmware)
        {
            Record(log, (uint)item.Pcr, item, [(Sha256Algorithm, SHA256.HashData(item.Measured)), (Sha384Algorithm, SHA384.HashData(item.Measured))]);
        }

        return [.. log];
    }

    /// <summary>A log with SHA-1 digests alone and no header, as old firmware wrote.</summary>
    public byte[] LegacyLog()
    {
        var log = new List<byte>();
        foreach (var item in _firmware)
        {
            U32(log, (uint)item.Pcr);
            U32(log, item.Type);
            log.AddRange(SHA1.HashData(item.Measured));
            U32(log, (uint)item.Data.Length);
            log.AddRange(item.Data);
        }

        return [.. log];
    }

    private byte[] Extended(int register, Func<byte[], byte[]> hash, int size)
    {
        var value = new byte[size];
        foreach (var item in _firmware.Concat(_gate).Where(item => item.Rtmr == register))
        {
            value = hash([.. value, .. hash(item.Measured)]);
        }

        return value;
    }

    private byte[] ExtendedPcr(int register)
    {
        var value = new byte[32];
        Array.Fill(value, register is >= 17 and <= 22 ? (byte)0xFF : (byte)0);
        foreach (var item in _firmware.Concat(_gate).Where(item => item.Pcr == register))
        {
            value = SHA256.HashData([.. value, .. SHA256.HashData(item.Measured)]);
        }

        return value;
    }

    private byte[] Json(IEnumerable<SimulatedEvent> events, bool isPcr)
    {
        var shown = events.ToList();
        if (_plan.Fault is BootFault.Truncated)
        {
            shown.RemoveAt(shown.Count - 1);
        }

        return Encoding.UTF8.GetBytes($"[{string.Join(',', shown.Select(item => Json(item, isPcr)))}]");
    }

    private string Json(SimulatedEvent item, bool isPcr)
    {
        var digest = isPcr ? SHA256.HashData(item.Measured) : SHA384.HashData(item.Measured);
        if (item.BreaksDigest)
        {
            digest[0] ^= 1;
        }

        var register = isPcr ? $"\"pcr\":{item.Pcr}" : $"\"imr\":{item.Rtmr}";
        var version = item.Name is not null && _plan.EventVersion == 2 ? $",\"version\":2,\"preimage\":\"{Convert.ToHexStringLower(SimulatedEvents.Preimage(item.LoggedName ?? item.Name, item.LoggedData ?? item.Data, 2))}\"" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{{{register},\"event_type\":{item.Type},\"digest\":\"{Convert.ToHexStringLower(digest)}\",\"event\":\"{item.LoggedName ?? item.Name}\",\"event_payload\":\"{Convert.ToHexStringLower(item.LoggedData ?? item.Data)}\"{version}}}");
    }

    private static void Header(List<byte> log, uint register, (ushort Algorithm, ushort Size)[] banks)
    {
        byte[] data =
        [
            .. "Spec ID Event03\0"u8, 0, 0, 0, 0, 0, 2, 0, 2,
            (byte)banks.Length, 0, 0, 0, .. banks.SelectMany(bank => new byte[] { (byte)(bank.Algorithm & 0xFF), (byte)(bank.Algorithm >> 8), (byte)(bank.Size & 0xFF), (byte)(bank.Size >> 8) }), 0,
        ];
        U32(log, register);
        U32(log, NoAction);
        log.AddRange(new byte[20]);
        U32(log, (uint)data.Length);
        log.AddRange(data);
    }

    private static void Record(List<byte> log, uint register, SimulatedEvent item, (ushort Algorithm, byte[] Digest)[] digests)
    {
        U32(log, register);
        U32(log, item.Type);
        U32(log, (uint)digests.Length);
        foreach (var (algorithm, digest) in digests)
        {
            log.AddRange([(byte)(algorithm & 0xFF), (byte)(algorithm >> 8), .. digest]);
        }

        U32(log, (uint)item.Data.Length);
        log.AddRange(item.Data);
    }

    private static void U32(List<byte> log, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        log.AddRange(bytes);
    }
}
