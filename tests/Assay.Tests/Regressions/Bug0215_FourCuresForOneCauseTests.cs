using System.CommandLine;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Policy;

namespace Assay.Tests.Regressions;

/// <summary>A certificate that the responder does not know was answered with what to do about a revoked one, and with how to reach a responder.</summary>
public class Bug0215_FourCuresForOneCauseTests
{
    [Theory]
    [InlineData("revoked", "Revoked: drain")]
    [InlineData("unknown", "Unknown: the responder does not know")]
    [InlineData("not-authentic", "Not authentic: ask")]
    public async Task Each_cause_has_its_own_cure_and_no_other(string fault, string expected)
    {
        var advice = Advice.For(await VerdictWith(fault), null);

        var cure = Assert.Single(advice, line => line.StartsWith(expected, StringComparison.Ordinal));
        string[] labels = ["Revoked:", "Unknown:", "Not authentic:", "No answer:"];
        Assert.Single(labels, label => cure.Contains(label, StringComparison.Ordinal));
    }

    private static async Task<Verdict> VerdictWith(string fault)
    {
        var options = new VerifyOptions();
        var command = new Command("verify");
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        string[] arguments = ["--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--at", "2024-06-01T00:00:00Z"];
        Assert.True(VerifyRequest.TryRead(options, command.Parse(arguments), TimeProvider.System, out var request, out _));
        using (request)
        {
            var verdict = await VerifyCommand.JudgeAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal("no-answer", verdict.Appraisal.Devices[0].RevocationFault);
            DeviceResult Spoilt(DeviceResult device) => device with
            {
                Findings = [.. device.Findings.Select(finding => finding.Id == "device.chain.not-revoked" ? finding with { State = CheckState.Failed } : finding)],
                Chain = device.Chain! with { Fault = fault },
            };
            return verdict with { Kind = VerdictKind.Fail, Appraisal = verdict.Appraisal with { Devices = [.. verdict.Appraisal.Devices.Select(Spoilt)] } };
        }
    }
}
