using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// One simulated TD on one simulated platform: a quote, and the collateral that judges it, written by encoders of the simulator's own.
/// Version 4 has a TDX 1.0 body, version 5 either.
/// </summary>
public sealed class SimulatedTdx
{
    private const int ReportDataSize = 64;
    private const int MrTdOffset = 200; // Within MRTD in both versions.
    private readonly SimulatedIntel _intel;
    private readonly TdxDraft _draft;
    private readonly CpuCertificate _ca;
    private readonly CpuCertificate _pck;
    private readonly CpuKey _attestationKey = CpuKey.P256();
    private readonly CpuCertificate _tcbSigner;
    private readonly CpuCertificate _qeSigner;

    private SimulatedTdx(SimulatedIntel intel, TdxDraft draft)
    {
        (_intel, _draft) = (intel, draft);
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

    /// <summary>The quote.</summary>
    public byte[] Quote { get; }

    /// <summary>Its collateral in the JSON form that quote verifiers share.</summary>
    public byte[] Collateral { get; }

    /// <summary>MRTD of the image that is known to be good.</summary>
    public static byte[] GoodMrTd => new TdxDraft { Version = 4, Is15 = false }.MrTd;

    /// <summary>RTMR0 to RTMR3 of the image that is known to be good.</summary>
    public static byte[][] GoodRtmr => new TdxDraft { Version = 4, Is15 = false }.Rtmr;

    /// <summary>The lowest tcbEvaluationDataNumber that a verifier has seen.</summary>
    public const int EvaluationDataNumber = 18;

    /// <summary>A TD that answers <paramref name="reportData"/> (64 bytes), with one thing wrong.</summary>
    /// <param name="intel">The hierarchy.</param>
    /// <param name="version">4 or 5.</param>
    /// <param name="is15">A TDX 1.5 body; in version 5 alone.</param>
    /// <param name="reportData">64 bytes.</param>
    /// <param name="fault">What is wrong.</param>
    /// <param name="rtmr">RTMR0 to RTMR3, for instance those of a <see cref="SimulatedBoot"/>; null: those of the good image.</param>
    public static SimulatedTdx Create(
        SimulatedIntel intel, int version, bool is15, byte[] reportData, TdxFault fault = TdxFault.None, IReadOnlyList<ReadOnlyMemory<byte>>? rtmr = null)
    {
        ArgumentNullException.ThrowIfNull(intel);
        ArgumentNullException.ThrowIfNull(reportData);
        ArgumentOutOfRangeException.ThrowIfNotEqual(reportData.Length, ReportDataSize);
        ArgumentOutOfRangeException.ThrowIfEqual(version == 4 && is15, true);
        var draft = TdxDraft.Of(version, is15, reportData, fault);
        return new SimulatedTdx(intel, rtmr is null ? draft : draft with { Rtmr = [.. rtmr.Select(register => register.ToArray())] });
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
        var vouchedFor = _draft.Fault is TdxFault.ForeignAttestationKey ? CpuKey.P256() : _attestationKey;
        var report = WriteQeReport(SHA256.HashData([.. vouchedFor.P256Point, .. authentication]));
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
            .. U64(_draft.TdAttributes), .. U64(_draft.Xfam), .. _draft.MrTd, .. new byte[48], .. new byte[48], .. new byte[48],
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

    private byte[] WriteCollateral()
    {
        var tcbInfo = WriteTcbInfo();
        var identity = WriteQeIdentity();
        var (tcbSignature, qeSignature) = (_tcbSigner.Key.SignRaw(Encoding.UTF8.GetBytes(tcbInfo)), _qeSigner.Key.SignRaw(Encoding.UTF8.GetBytes(identity)));
        tcbInfo = _draft.Fault is TdxFault.AlteredTcbInfo ? tcbInfo.Replace("\"tcbType\":0", "\"tcbType\": 0", StringComparison.Ordinal) : tcbInfo;
        identity = _draft.Fault is TdxFault.AlteredQeIdentity ? identity.Replace("\"isvprodid\":2", "\"isvprodid\": 2", StringComparison.Ordinal) : identity;
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("pck_crl_issuer_chain", _ca.ChainPem);
            writer.WriteString("root_ca_crl", Convert.ToHexStringLower(RootCrl()));
            writer.WriteString("pck_crl", Convert.ToHexStringLower(PckCrl()));
            writer.WriteString("tcb_info_issuer_chain", _tcbSigner.ChainPem);
            writer.WriteString("tcb_info", tcbInfo);
            writer.WriteString("tcb_info_signature", Convert.ToHexStringLower(tcbSignature));
            writer.WriteString("qe_identity_issuer_chain", _qeSigner.ChainPem);
            writer.WriteString("qe_identity", identity);
            writer.WriteString("qe_identity_signature", Convert.ToHexStringLower(qeSignature));
            writer.WriteEndObject();
        });
    }

    private byte[] RootCrl()
    {
        CpuCertificate[] revoked = _draft.Fault switch
        {
            TdxFault.RevokedPckCa => [_ca],
            TdxFault.RevokedTcbSigner => [_tcbSigner],
            TdxFault.RevokedQeSigner => [_qeSigner],
            _ => [],
        };
        return _intel.Root.IssueCrl(1, _intel.Now.AddDays(-30), _draft.Fault is TdxFault.StaleRootCrl ? _intel.Now.AddHours(-1) : _intel.Now.AddYears(1), revoked);
    }

    private byte[] PckCrl()
    {
        var issuer = _draft.Fault is TdxFault.ForgedPckCrl ? _intel.NewPckCa(_intel.Root) : _ca;
        var end = _draft.Fault is TdxFault.StalePckCrl ? _intel.Now.AddHours(-1) : _intel.Now.AddDays(20);
        return issuer.IssueCrl(1, _intel.Now.AddDays(-10), end, _draft.Fault is TdxFault.RevokedPck ? [_pck] : []);
    }

    private string WriteTcbInfo()
    {
        var fault = _draft.Fault;
        var module = $$"""{"mrsigner":"{{new string('0', 96)}}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"}""";
        var modules = $$"""{"id":"TDX_01",{{module[1..^1]}},"tcbLevels":[{{IsvLevel(6, "UpToDate")}},{{IsvLevel(2, "OutOfDate", "INTEL-SA-01036")}}]}""";
        string[] levels = [Level(13, "UpToDate"), Level(11, "OutOfDate", "INTEL-SA-00837"), Level(5, "Revoked")];
        return "{\"id\":\"TDX\",\"version\":" + (fault is TdxFault.TcbInfoOfVersion2 ? "2" : "3") + Window(fault is TdxFault.ExpiredTcbInfo)
            + ",\"fmspc\":\"" + (fault is TdxFault.OtherFmspc ? "B0C06F000000" : _draft.Fmspc) + "\",\"pceId\":\"" + (fault is TdxFault.OtherPceId ? "0001" : _draft.PceId) + "\",\"tcbType\":0"
            + Number(fault is TdxFault.OlderTcbInfo) + ",\"tdxModule\":" + module + ",\"tdxModuleIdentities\":[" + modules + "],\"tcbLevels\":[" + string.Join(',', levels) + "]}";
    }

    private string WriteQeIdentity() =>
        "{\"id\":\"" + (_draft.Fault is TdxFault.QeIdentityOfSgx ? "QE" : "TD_QE") + "\",\"version\":2" + Window(_draft.Fault is TdxFault.ExpiredQeIdentity) + Number(_draft.Fault is TdxFault.OlderQeIdentity)
        + ",\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":\"F9FFFFFFFFFFFFFF0000000000000000\""
        + ",\"mrsigner\":\"" + Convert.ToHexString(SHA256.HashData("simulated quoting enclave"u8)) + "\",\"isvprodid\":2,\"tcbLevels\":[" + IsvLevel(6, "UpToDate") + "," + IsvLevel(4, "OutOfDate", "INTEL-SA-01099") + "]}";

    private string Window(bool expired) =>
        $",\"issueDate\":\"{Text(_intel.Now.AddDays(-12))}\",\"nextUpdate\":\"{Text(expired ? _intel.Now.AddHours(-1) : _intel.Now.AddDays(18))}\"";

    private static string Number(bool older) => string.Create(CultureInfo.InvariantCulture, $",\"tcbEvaluationDataNumber\":{(older ? EvaluationDataNumber - 1 : EvaluationDataNumber)}");

    private static string Level(int pceSvn, string status, params string[] advisories)
    {
        byte[] sgx = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], tdx = [5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        return string.Create(CultureInfo.InvariantCulture, $$$"""{"tcb":{"sgxtcbcomponents":[{{{Components(sgx)}}}],"pcesvn":{{{pceSvn}}},"tdxtcbcomponents":[{{{Components(tdx)}}}]}{{{Status(status, advisories)}}}}""");
    }

    private static string IsvLevel(int svn, string status, params string[] advisories) =>
        string.Create(CultureInfo.InvariantCulture, $$$"""{"tcb":{"isvsvn":{{{svn}}}}{{{Status(status, advisories)}}}}""");

    private static string Status(string status, string[] advisories) =>
        $",\"tcbDate\":\"2024-11-13T00:00:00Z\",\"tcbStatus\":\"{status}\"" + (advisories.Length == 0 ? "" : $",\"advisoryIDs\":[{string.Join(',', advisories.Select(id => $"\"{id}\""))}]");

    private static string Components(byte[] levels) => string.Join(',', levels.Select(level => string.Create(CultureInfo.InvariantCulture, $$"""{"svn":{{level}}}""")));

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

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
