using System.Text.Json.Nodes;
using Assay.Appraisal.Tdx;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;

namespace Assay.Tests.Regressions;

/// <summary>A TCB that is out of date was accepted whatever its age, or not at all; and advisories could not be refused.</summary>
public sealed class Bug0193_AllOrNothingOutOfDateTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData(0, "--dangerously-accept-tcb", "OutOfDate")]
    [InlineData(0, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-from", "2023-08-09")]
    [InlineData(1, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-from", "2023-08-09T00:00:01Z")]
    [InlineData(0, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-grace", "570")]
    [InlineData(1, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-grace", "569")]
    [InlineData(1, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-grace", "570", "--dangerously-accept-tcb-from", "2024-01-01")]
    [InlineData(1, "--dangerously-accept-tcb", "OutOfDate", "--refuse-advisory", "INTEL-SA-00986")]
    [InlineData(1, "--dangerously-accept-tcb", "OutOfDate", "--refuse-advisory", "intel-sa-00960", "INTEL-SA-00001")]
    [InlineData(0, "--dangerously-accept-tcb", "OutOfDate", "--refuse-advisory", "INTEL-SA-00001")]
    [InlineData(1, "--dangerously-accept-tcb", "SWHardeningNeeded")]
    [InlineData(2, "--dangerously-accept-tcb-from", "2023-08-09")]
    [InlineData(2, "--dangerously-accept-tcb-grace", "30")]
    [InlineData(2, "--dangerously-accept-tcb", "SWHardeningNeeded", "--dangerously-accept-tcb-grace", "30")]
    [InlineData(2, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-grace", "0")]
    [InlineData(2, "--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-from", "yesterday")]
    [InlineData(2, "--refuse-advisory", "CVE-2024-1")]
    public void A_level_is_accepted_down_to_a_date_or_for_a_time(int code, params string[] options)
    {
        var answer = Verify(options);

        Assert.True(code == answer.ExitCode, answer.Output);
    }

    [Fact]
    public void The_verdict_says_to_which_level_of_which_date_each_part_fell_and_until_when_it_is_accepted()
    {
        var json = JsonNode.Parse(Verify("--dangerously-accept-tcb", "OutOfDate", "--dangerously-accept-tcb-grace", "700").Output)!;

        Assert.Contains("tdx-tcb-status-accepted", json["weakened"]!.AsArray().Select(item => item!.GetValue<string>()));
        Assert.Equal(["INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"], json["cpu"]!["advisoryIds"]!.AsArray().Select(item => item!.GetValue<string>()));
        Assert.Equal(
            ["platform OutOfDate 2023-08-09T00:00:00Z 3", "module UpToDate 2024-03-13T00:00:00Z 0", "quoting-enclave UpToDate 2024-03-13T00:00:00Z 0"],
            json["cpu"]!["tcbLevels"]!.AsArray().Select(item => $"{item!["of"]} {item["status"]} {item["date"]} {item["advisoryIds"]!.AsArray().Count}"));
        var reason = json["cpu"]!["findings"]!.AsArray().Single(item => item!["id"]!.GetValue<string>() == "tdx.tcb.platform.accepted")!["reason"]!.GetValue<string>();
        Assert.Contains("level of 2023-08-09T00:00:00Z", reason, StringComparison.Ordinal);
        Assert.Contains("until 2025-07-09T00:00:00Z", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_what_is_not_out_of_date_no_age_is_asked_and_AMD_states_none()
    {
        var date = SimulatedCpu.Now;
        var tdx = SimulatedCpu.Tdx(5, true, TdxFault.PlatformRelaunchAdvised);
        var relaunch = (tdx with { With = expected => tdx.With(expected) with { DangerouslyAcceptedTcbStatuses = [TcbStatus.OutOfDate, TcbStatus.TDRelaunchAdvised], DangerouslyAcceptedTcbFrom = date } }).Result();
        Assert.True(relaunch.Passed);

        // A module or quoting enclave that is out of date has a date of its own.
        tdx = SimulatedCpu.Tdx(5, true, TdxFault.QeOutOfDate);
        Assert.Equal(["tdx.tcb.qe.accepted"], JudgedTdx.Failed((tdx with { With = expected => tdx.With(expected) with { DangerouslyAcceptedTcbStatuses = [TcbStatus.OutOfDate], DangerouslyAcceptedTcbFrom = date } }).Result().Findings));
    }

    [Theory]
    [InlineData(TdxFault.PlatformRelaunchAdvised, TcbStatus.TDRelaunchAdvised)]
    [InlineData(TdxFault.PlatformRelaunchAdvisedConfiguration, TcbStatus.TDRelaunchAdvisedConfigurationNeeded)]
    public void Statuses_of_newer_services_are_read_and_refused_unless_accepted_by_their_own_name(TdxFault fault, TcbStatus status)
    {
        TdxResult Accepting(params TcbStatus[] statuses)
        {
            var judged = SimulatedCpu.Tdx(5, true, fault);
            return (judged with { With = expected => judged.With(expected) with { DangerouslyAcceptedTcbStatuses = [.. statuses] } }).Result();
        }

        Assert.Equal(status, Accepting().TcbStatus);
        Assert.False(Accepting().Passed);
        Assert.False(Accepting(TcbStatus.OutOfDate, TcbStatus.SWHardeningNeeded).Passed);
        Assert.True(Accepting(status).Passed);
        Assert.Equal(["tdx-tcb-status-accepted"], Accepting(status).Weakened);
    }

    private static (int ExitCode, string Output) Verify(params string[] options)
    {
        var answer = s_assay.Run(
        [
            "verify", "--cpu-evidence", Cases.PathOf("tcb-grace/quote_tdx_00806f050000.dat"), "--cpu-collateral", Cases.PathOf("tcb-grace/col"), "--at", "2025-03-01T00:00:00Z", "--format", "json", .. options,
        ]);
        return (answer.ExitCode, answer.Output);
    }
}
