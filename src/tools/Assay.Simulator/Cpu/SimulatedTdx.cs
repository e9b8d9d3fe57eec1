using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// One simulated TD on one simulated platform: a quote, and the collateral that judges it, written by encoders of the simulator's own.
/// Version 4 has a TDX 1.0 body, version 5 either.
/// </summary>
public sealed partial class SimulatedTdx
{
    private const int ReportDataSize = 64;
    private const int MrTdOffset = 200; // Within MRTD in both versions.
    private readonly SimulatedIntel _intel;
    private readonly TdxDraft _draft;
    private readonly CpuCertificate _ca;
    private readonly CpuCertificate _pck;
    private readonly CpuKey _attestationKey;
    private readonly CpuCertificate _tcbSigner;
    private readonly CpuCertificate _qeSigner;

    private SimulatedTdx(SimulatedIntel intel, TdxDraft draft)
    {
        (_intel, _draft, _attestationKey) = (intel, draft, CpuKey.P256());
        _ca = intel.NewPckCa(draft.Fault is TdxFault.ForeignPckRoot ? intel.NewRoot() : intel.Root);
        _pck = intel.NewPck(_ca, draft);
        _tcbSigner = draft.Fault is TdxFault.TcbInfoSignedByPck ? _pck
            : intel.NewTcbSigner(draft.Fault is TdxFault.ForeignTcbRoot ? intel.NewRoot() : intel.Root, draft.Fault is TdxFault.ExpiredTcbSigner);
        // Intel's statements have one signer; two only where a fault is to hit one of them.
        _qeSigner = draft.Fault is TdxFault.TcbInfoSignedByPck or TdxFault.ForeignTcbRoot or TdxFault.ExpiredTcbSigner or TdxFault.RevokedTcbSigner
            or TdxFault.ForeignQeRoot or TdxFault.ExpiredQeSigner or TdxFault.RevokedQeSigner
            ? intel.NewTcbSigner(draft.Fault is TdxFault.ForeignQeRoot ? intel.NewRoot() : intel.Root, draft.Fault is TdxFault.ExpiredQeSigner)
            : _tcbSigner;
        Quote = WriteQuote();
        Collateral = WriteCollateral();
    }

    private SimulatedTdx(SimulatedTdx platform, TdxDraft draft)
    {
        (_intel, _draft, _attestationKey) = (platform._intel, draft, platform._attestationKey);
        (_ca, _pck, _tcbSigner, _qeSigner) = (platform._ca, platform._pck, platform._tcbSigner, platform._qeSigner);
        (Quote, Collateral) = (WriteQuote(), platform.Collateral);
    }

    /// <summary>The quote.</summary>
    public byte[] Quote { get; }

    /// <summary>Its collateral in the JSON form that quote verifiers share.</summary>
    public byte[] Collateral { get; }

    /// <summary>MRTD of the image that is known to be good.</summary>
    public static byte[] GoodMrTd => TdxGuest.BareMetal.MrTd.ToArray();

    /// <summary>RTMR0 to RTMR3 of the image that is known to be good.</summary>
    public static byte[][] GoodRtmr => [.. TdxGuest.BareMetal.Rtmr.Select(register => register.ToArray())];

    /// <summary>The lowest tcbEvaluationDataNumber that a verifier has seen.</summary>
    public const int EvaluationDataNumber = 18;

    /// <summary>A TD that answers <paramref name="reportData"/> (64 bytes), with one thing wrong.</summary>
    /// <param name="intel">The hierarchy.</param>
    /// <param name="version">4 or 5.</param>
    /// <param name="is15">A TDX 1.5 body; in version 5 alone.</param>
    /// <param name="reportData">64 bytes.</param>
    /// <param name="fault">What is wrong.</param>
    /// <param name="rtmr">RTMR0 to RTMR3, for instance those of a <see cref="SimulatedBoot"/>; null: those of the guest.</param>
    /// <param name="guest">Who is launched; null: <see cref="TdxGuest.BareMetal"/>.</param>
    public static SimulatedTdx Create(
        SimulatedIntel intel, int version, bool is15, byte[] reportData, TdxFault fault = TdxFault.None, IReadOnlyList<ReadOnlyMemory<byte>>? rtmr = null,
        TdxGuest? guest = null)
    {
        ArgumentNullException.ThrowIfNull(intel);
        ArgumentNullException.ThrowIfNull(reportData);
        ArgumentOutOfRangeException.ThrowIfNotEqual(reportData.Length, ReportDataSize);
        ArgumentOutOfRangeException.ThrowIfEqual(version == 4 && is15, true);
        var draft = TdxDraft.Of(version, is15, reportData, fault, guest);
        return new SimulatedTdx(intel, rtmr is null ? draft : draft with { Rtmr = [.. rtmr.Select(register => register.ToArray())] });
    }

    /// <summary>The TD of the same image on the same platform, which answers again: another quote under the same keys, and the same collateral judges it.</summary>
    /// <param name="reportData">64 bytes.</param>
    /// <param name="rtmr">RTMR0 to RTMR3 as they are now.</param>
    public SimulatedTdx Again(byte[] reportData, IReadOnlyList<ReadOnlyMemory<byte>> rtmr)
    {
        ArgumentNullException.ThrowIfNull(reportData);
        ArgumentOutOfRangeException.ThrowIfNotEqual(reportData.Length, ReportDataSize);
        return new SimulatedTdx(this, _draft with { ReportData = reportData, Rtmr = [.. rtmr.Select(register => register.ToArray())] });
    }

    private byte[] WriteQuote()
    {
        var signed = WriteSigned();
        var signature = _attestationKey.SignRaw(signed);
        if (_draft.Fault is TdxFault.AlteredBody)
        {
            signed[MrTdOffset] ^= 1;
        }

        var authentication = RandomNumberGenerator.GetBytes(32);
        var reportedKey = _draft.Fault is TdxFault.ForeignAttestationKey ? CpuKey.P256() : _attestationKey;
        var report = WriteQeReport(SHA256.HashData([.. reportedKey.P256Point, .. authentication]));
        var reportKey = _draft.Fault is TdxFault.QeReportSignedByAnother ? CpuKey.P256() : _pck.Key;
        var pem = Encoding.ASCII.GetBytes(_draft.Fault is TdxFault.BrokenChain ? _pck.ChainPem.Replace("-----BEGIN", "----BEGIN", StringComparison.Ordinal) : _pck.ChainPem);
        byte[] certification = [.. report, .. reportKey.SignRaw(report), .. U16(32), .. authentication, .. U16(5), .. U32(pem.Length), .. pem];
        byte[] data = [.. signature, .. _attestationKey.P256Point, .. U16(6), .. U32(certification.Length), .. certification];
        byte[] padding = _draft.Fault is TdxFault.TrailingByte ? [0, 0, 1] : new byte[70];
        return [.. signed, .. U32(data.Length), .. data, .. padding];
    }

    private byte[] WriteSigned()
    {
        byte[] vendor = [0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07];
        byte[] header = [.. U16(_draft.Version), .. U16(2), .. U32(0x81), .. U32(0), .. vendor, .. RandomNumberGenerator.GetBytes(16), .. new byte[4]];
        byte[] descriptor = _draft.Version == 5 ? [.. U16(_draft.Is15 ? 3 : 2), .. U32(_draft.Is15 ? 648 : 584)] : [];
        byte[] body =
        [
            .. _draft.TeeTcbSvn, .. SHA384.HashData("simulated TDX module"u8), .. _draft.MrSignerSeam, .. U64(_draft.SeamAttributes),
            .. U64(_draft.TdAttributes), .. U64(_draft.Xfam), .. _draft.MrTd, .. _draft.MrConfigId, .. new byte[48], .. new byte[48],
            .. _draft.Rtmr.SelectMany(register => register), .. _draft.ReportData,
            .. _draft.Is15 ? [.. _draft.TeeTcbSvn, .. _draft.MrServiceTd] : Array.Empty<byte>(),
        ];
        return [.. header, .. descriptor, .. body];
    }

    private byte[] WriteQeReport(byte[] bound) =>
    [
        .. _draft.CpuSvn, .. U32(0), .. new byte[28], _draft.QeFlags, .. new byte[7], 0xE7, .. new byte[7],
        .. SHA256.HashData("simulated MRENCLAVE"u8), .. new byte[32], .. _draft.QeMrSigner, .. new byte[96],
        .. U16(_draft.QeProduct), .. U16(_draft.QeSvn), .. new byte[60], .. bound, .. new byte[32],
    ];

    private static byte[] U16(int value)
    {
        var bytes = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value);
        return bytes;
    }

    private static byte[] U32(int value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] U64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return bytes;
    }
}
