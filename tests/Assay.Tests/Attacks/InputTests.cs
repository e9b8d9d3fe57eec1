using System.CommandLine;
using Assay.Cli.Verify;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Wire;

namespace Assay.Tests.Attacks;

/// <summary>Files and command lines that are meant to be misread.</summary>
public sealed class InputTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Theory]
    [InlineData("\"version\":1,\"gpus\":[]")]
    [InlineData("\"switches\":[{\"evidence\":\"AAAA\",\"certificate\":\"AAAA\"}]")]
    [InlineData("\"__cmwc_t\":\"tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0\"")]
    [InlineData("\"cpu\":{}")]
    public void A_file_of_two_forms_leaves_no_device_unjudged(string other)
    {
        var list = System.Text.Encoding.UTF8.GetString(SimulatedEvidence.ToJson(nvidia.Set.Evidence));

        Assert.True(EvidenceFile.TryParse(System.Text.Encoding.UTF8.GetBytes($"{{\"evidences\":{list},\"result_code\":0}}"), "e", out _, out _));
        Assert.False(EvidenceFile.TryParse(System.Text.Encoding.UTF8.GetBytes($"{{\"evidences\":{list},{other}}}"), "e", out var devices, out var fault));
        Assert.Empty(devices);
        Assert.NotNull(fault);
    }

    [Fact]
    public void One_device_more_than_the_limit_is_refused_by_name_and_crashes_nothing()
    {
        var folder = Directory.CreateTempSubdirectory("assay-attacks-");
        try
        {
            var device = nvidia.Set.Evidence[0];
            File.WriteAllBytes(Path.Combine(folder.FullName, "many.json"), SimulatedEvidence.ToJson(Enumerable.Repeat(device, Limits.Devices)));
            File.WriteAllBytes(Path.Combine(folder.FullName, "report"), device.Report.Span);
            File.WriteAllText(Path.Combine(folder.FullName, "chain"), device.ChainPem);

            var faults = Faults("--evidence", Path.Combine(folder.FullName, "many.json"), "--report", Path.Combine(folder.FullName, "report"), "--chain", Path.Combine(folder.FullName, "chain"));

            Assert.Equal(["cli.evidence"], faults.Select(fault => fault.Id));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    [InlineData("/")]
    public void A_path_that_is_none_is_refused_by_name(string path) =>
        Assert.Equal(["cli.file"], Faults("--evidence", path).Select(fault => fault.Id));

    [Theory]
    [InlineData("0001-01-01T00:00:00+14:00")]
    [InlineData("9999-12-31T23:59:59-14:00")]
    [InlineData("2026-11-01T00:00:00")]
    [InlineData("2026-11-01")]
    [InlineData(" 2026-11-01T00:00:00Z")]
    [InlineData("2026-02-30T00:00:00Z")]
    public void An_instant_that_is_none_is_refused_by_name(string at) =>
        Assert.Contains(Faults("--evidence", "/", "--at", at), fault => fault.Id == "cli.at");

    [Fact]
    public async Task The_name_of_an_evidence_file_chooses_no_option()
    {
        var folder = Directory.CreateTempSubdirectory("assay-attacks-");
        try
        {
            // What a shell makes of --evidence * in a folder with this hidden file and an empty file of the same name behind an @.
            nvidia.Set.Write(folder.FullName);
            var chosen = Path.Combine(folder.FullName, ".x.json");
            File.WriteAllLines(chosen, [
                Directory.GetFiles(folder.FullName, "*evidence.json").Single(), "--anchors", Path.Combine(folder.FullName, "anchors.json"),
                "--rim-store", Path.Combine(folder.FullName, "rims"), "--dangerously-skip-revocation", "--at", "2026-11-22T12:00:00Z"]);

            Assert.Equal(2, await Assay.Cli.CommandLine.RunAsync(["verify", "--evidence", "@" + chosen]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (string Id, string Message)[] Faults(params string[] arguments)
    {
        var options = new VerifyOptions();
        var command = new Command("verify");
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        Assert.False(VerifyRequest.TryRead(options, command.Parse([.. arguments, "--dangerously-skip-revocation"]), TimeProvider.System, out _, out var faults));
        return [.. faults];
    }
}
