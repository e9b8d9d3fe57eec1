using System.Text;
using Assay.Inspection;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>254: <c>inspect</c> lists collateral among what it shows, and refused TCB information and identities as Intel's service answers them.</summary>
public sealed class Bug0254_IntelsFilesAreShownTests
{
    private static readonly SimulatedTdx s_tdx = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, SimulatedCpu.Data);

    public static TheoryData<string, byte[], string, string[]> Files => new()
    {
        { "tcb.json", s_tdx.TcbInfoBody("tdx", 18), "tcb_info", ["TDX", "issue_date", "next_update", "tcb_levels", "advisory_ids", "not verified here: the signer's certificates"] },
        { "sgx-tcb.json", s_tdx.TcbInfoBody("sgx", 18), "tcb_info", ["SGX", "issue_date", "next_update", "tcb_levels"] },
        { "qe.json", s_tdx.QeIdentityBody("tdx", 18), "qe_identity", ["TD_QE", "issue_date", "mrsigner", "tcb_levels", "not verified here: the signer's certificates"] },
        { "sgx-qe.json", s_tdx.QeIdentityBody("sgx", 18), "qe_identity", ["QE", "issue_date", "tcb_levels"] },
        { "bare.json", Cut(s_tdx.TcbInfoBody("tdx", 18), IntelStatementKind.TcbInfo), "tcb_info", ["TDX", "not verified here: this file has no signature"] },
        { "bare-qe.json", Cut(s_tdx.QeIdentityBody("tdx", 18), IntelStatementKind.QeIdentity), "qe_identity", ["TD_QE", "not verified here: this file has no signature"] },
        { "whole.json", s_tdx.Collateral, "tdx_collateral", ["made by the first certificate of the chain in this file"] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_is_shown_with_what_it_says(string name, byte[] file, string kind, string[] said)
    {
        var faults = new FaultLog();

        var shown = Inspector.Inspect(file, name, faults);

        Assert.True(faults.Faults.Count == 0, string.Join('\n', faults.Faults));
        Assert.Equal(kind, shown!.Name);
        var text = string.Join('\n', Flat(shown));
        Assert.All(said, word => Assert.Contains(word, text, StringComparison.Ordinal));
    }

    [Fact]
    public void An_altered_statement_is_shown_as_one_that_its_signer_did_not_make()
    {
        var altered = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(s_tdx.Collateral).Replace("\\\"tcbStatus\\\":\\\"UpToDate\\\"", "\\\"tcbStatus\\\":\\\"OutOfDate\\\"", StringComparison.Ordinal)
            .Replace("\\u0022tcbStatus\\u0022:\\u0022UpToDate\\u0022", "\\u0022tcbStatus\\u0022:\\u0022OutOfDate\\u0022", StringComparison.Ordinal));
        Assert.NotEqual(s_tdx.Collateral, altered);

        Assert.Contains("NOT made by the first certificate", string.Join('\n', Flat(Inspector.Inspect(altered, "whole.json", new FaultLog())!)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tcb-grace/col/tcbinfov3_00806f050000.json", "00806F050000", "INTEL-SA-")]
    [InlineData("tcb-grace/col/qeidentityv2_apiv4.json", "TD_QE", "UpToDate")]
    [InlineData("hex-crls/hex/tcb.json", "TCB levels", "UpToDate")]
    [InlineData("hex-crls/hex/qe.json", "TD_QE", "ISVSVN")]
    [InlineData("two-fmspcs/col/tcb_info_90c06f000000.json", "90C06F000000", "INTEL-SA-")]
    [InlineData("two-fmspcs/col/td_qe_identity.json", "TD_QE", "UpToDate")]
    public void Recorded_ones_are_shown(string file, string one, string other)
    {
        var answer = new AssayCommand().Says(0, "inspect", Cases.PathOf(file));

        Assert.Contains(one, answer, StringComparison.Ordinal);
        Assert.Contains(other, answer, StringComparison.Ordinal);
        Assert.Contains("not verified here", answer, StringComparison.Ordinal);
    }

    private static byte[] Cut(byte[] body, IntelStatementKind kind) =>
        IntelStatement.TryParseBody(body, default, kind, out var statement, out var fault) ? statement.Content.ToArray() : throw new InvalidOperationException($"{fault}");

    private static IEnumerable<string> Flat(InspectionNode node) => [node.Name, node.Value ?? "", .. node.Children.SelectMany(Flat)];
}
