using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>Intel's statements about the platform, and its revocation lists.</summary>
public sealed partial class SimulatedTdx
{
    private byte[] WriteCollateral()
    {
        var tcbInfo = WriteTcbInfo("tdx", EvaluationDataNumber);
        var identity = WriteQeIdentity("tdx", EvaluationDataNumber);
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

    /// <summary>What Intel's service answers about this platform.</summary>
    internal SimulatedIntel Intel => _intel;

    internal CpuCertificate Pck => _pck;

    internal CpuCertificate PckAuthority => _ca;

    internal string Fmspc => _draft.Fmspc;

    internal string PceId => _draft.PceId;

    internal CpuCertificate TcbSigner => _tcbSigner;

    /// <summary>The body of <c>/{technology}/certification/v4/tcb</c>.</summary>
    internal byte[] TcbInfoBody(string technology, int number) => Signed("tcbInfo", WriteTcbInfo(technology, number));

    /// <summary>The body of <c>/{technology}/certification/v4/qe/identity</c>.</summary>
    internal byte[] QeIdentityBody(string technology, int number) => Signed("enclaveIdentity", WriteQeIdentity(technology, number));

    private byte[] Signed(string member, string content) =>
        Encoding.UTF8.GetBytes($"{{\"{member}\":{content},\"signature\":\"{Convert.ToHexStringLower(_tcbSigner.Key.SignRaw(Encoding.UTF8.GetBytes(content)))}\"}}");

    internal byte[] RootCrl()
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

    internal byte[] PckCrl()
    {
        var issuer = _draft.Fault is TdxFault.ForgedPckCrl ? _intel.NewPckCa(_intel.Root) : _ca;
        var end = _draft.Fault is TdxFault.StalePckCrl ? _intel.Now.AddHours(-1) : _intel.Now.AddDays(20);
        return issuer.IssueCrl(1, _intel.Now.AddDays(-10), end, _draft.Fault is TdxFault.RevokedPck ? [_pck] : []);
    }

    private string WriteTcbInfo(string technology, int number)
    {
        var fault = _draft.Fault;
        var module = $$"""{"mrsigner":"{{new string('0', 96)}}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"}""";
        var modules = $$"""{"id":"TDX_01",{{module[1..^1]}},"tcbLevels":[{{IsvLevel(6, "UpToDate")}},{{IsvLevel(2, "OutOfDate", "INTEL-SA-01036")}}]}""";
        var isTdx = technology == "tdx";
        string[] levels =
        [
            Level(isTdx, 13, "UpToDate"), Level(isTdx, 11, "OutOfDate", "INTEL-SA-00837"), Level(isTdx, 10, "TDRelaunchAdvised"), Level(isTdx, 9, "TDRelaunchAdvisedConfigurationNeeded"), Level(isTdx, 5, "Revoked"),
        ];
        return "{\"id\":\"" + technology.ToUpperInvariant() + "\",\"version\":" + (fault is TdxFault.TcbInfoOfVersion2 ? "2" : "3") + Window(fault is TdxFault.ExpiredTcbInfo)
            + ",\"fmspc\":\"" + (fault is TdxFault.OtherFmspc ? "B0C06F000000" : _draft.Fmspc) + "\",\"pceId\":\"" + (fault is TdxFault.OtherPceId ? "0001" : _draft.PceId) + "\",\"tcbType\":0"
            + Number(number, fault is TdxFault.OlderTcbInfo) + (isTdx ? ",\"tdxModule\":" + module + ",\"tdxModuleIdentities\":[" + modules + "]" : "") + ",\"tcbLevels\":[" + string.Join(',', levels) + "]}";
    }

    private string WriteQeIdentity(string technology, int number) =>
        "{\"id\":\"" + (technology == "sgx" || _draft.Fault is TdxFault.QeIdentityOfSgx ? "QE" : "TD_QE") + "\",\"version\":2" + Window(_draft.Fault is TdxFault.ExpiredQeIdentity) + Number(number, _draft.Fault is TdxFault.OlderQeIdentity)
        + ",\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":\"F9FFFFFFFFFFFFFF0000000000000000\""
        + ",\"mrsigner\":\"" + Convert.ToHexString(SHA256.HashData("simulated quoting enclave"u8)) + "\",\"isvprodid\":2,\"tcbLevels\":[" + IsvLevel(6, "UpToDate") + "," + IsvLevel(4, "OutOfDate", "INTEL-SA-01099") + "]}";

    private string Window(bool expired) =>
        $",\"issueDate\":\"{SimulatedTime.Text(_intel.Now.AddDays(-12))}\",\"nextUpdate\":\"{SimulatedTime.Text(expired ? _intel.Now.AddHours(-1) : _intel.Now.AddDays(18))}\"";

    private static string Number(int number, bool older) => string.Create(CultureInfo.InvariantCulture, $",\"tcbEvaluationDataNumber\":{(older ? number - 1 : number)}");

    private static string Level(bool isTdx, int pceSvn, string status, params string[] advisories)
    {
        byte[] sgx = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], tdx = [5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        return string.Create(CultureInfo.InvariantCulture, $$$"""{"tcb":{"sgxtcbcomponents":[{{{Components(sgx)}}}],"pcesvn":{{{pceSvn}}}{{{(isTdx ? $",\"tdxtcbcomponents\":[{Components(tdx)}]" : "")}}}}{{{Status(status, advisories)}}}}""");
    }

    private static string IsvLevel(int svn, string status, params string[] advisories) =>
        string.Create(CultureInfo.InvariantCulture, $$$"""{"tcb":{"isvsvn":{{{svn}}}}{{{Status(status, advisories)}}}}""");

    private static string Status(string status, string[] advisories) =>
        $",\"tcbDate\":\"2024-11-13T00:00:00Z\",\"tcbStatus\":\"{status}\"" + (advisories.Length == 0 ? "" : $",\"advisoryIDs\":[{string.Join(',', advisories.Select(id => $"\"{id}\""))}]");

    private static string Components(byte[] levels) => string.Join(',', levels.Select(level => string.Create(CultureInfo.InvariantCulture, $$"""{"svn":{{level}}}""")));
}
