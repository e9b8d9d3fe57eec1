using Assay.Cli;
using Assay.Cli.Bundles;
using Assay.Cli.Verify;
using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Tests.Cli;

/// <summary>A bar says what is fetched and from where, while it waits.</summary>
public class ProgressTests
{
    [Fact]
    public void It_names_the_item_and_its_source() =>
        Assert.Equal("2 of 5  NV_GPU_DRIVER_GH100_550.90.07 from rim.attestation.nvidia.com", Progress.Of(2, 5, "NV_GPU_DRIVER_GH100_550.90.07", "rim.attestation.nvidia.com"));

    [Theory]
    [InlineData("nvidia", CollateralKind.Ocsp, "ocsp.ndis.nvidia.com")]
    [InlineData("http://127.0.0.1:8093", CollateralKind.Ocsp, "127.0.0.1:8093")]
    [InlineData("none", CollateralKind.Ocsp, null)]
    [InlineData("nvidia", CollateralKind.Vcek, null)]
    public void A_source_is_a_host_or_nothing(string url, CollateralKind kind, string? expected)
    {
        var options = new VerifyOptions();
        var command = new System.CommandLine.Command("verify") { options.OcspUrl, options.AmdUrl, options.RimUrl, options.IntelUrl, options.CollateralUrl, options.RimStore, options.OcspStore, options.Bundle };

        Assert.Equal(expected, new SourcesRequest(options, command.Parse(["--ocsp-url", url]), (_, _) => { }).From(kind));
    }

    [Fact]
    public async Task What_a_bundle_is_made_of_is_told_as_it_is_asked_for()
    {
        var steps = new List<Step>();
        var source = new ToldSource(CollateralSources.None, kind => kind is CollateralKind.Rim ? "rims" : null) { Tell = steps.Add };

        await source.FetchAsync(CollateralQuestion.OfRim("A"), TestContext.Current.CancellationToken);
        await source.FetchAsync(new CollateralQuestion(new CollateralKey(CollateralKind.QeIdentity, "tdx/standard")), TestContext.Current.CancellationToken);

        Assert.Equal(["0 of 1  rim A from rims", "1 of 1  rim A from rims", "1 of 2  qe-identity tdx/standard", "2 of 2  qe-identity tdx/standard"], steps.Select(step => step.Text));
        Assert.Equal((2, 2), (steps[^1].Done, steps[^1].Total));
    }

    [Fact]
    public void What_is_waited_for_longest_is_named_and_not_what_was_answered_last()
    {
        var waiting = new Waiting();
        waiting.Change(0, 2, "slow", "a", isAnswered: false);
        waiting.Change(0, 2, "quick", "b", isAnswered: false);

        Assert.Equal("1 of 2  slow from a", waiting.Change(1, 2, "quick", "b", isAnswered: true).Text);
        Assert.Equal("2 of 2  slow from a", waiting.Change(2, 2, "slow", "a", isAnswered: true).Text);
    }

    /// <summary>On a terminal alone: script(1) gives the command one.</summary>
    [Theory]
    [InlineData("collateral check RIMS --within 1", "1 of 2  NV_GPU_")]
    [InlineData("verify --evidence GPU --at 2024-06-01T00:00:00Z --rim-url http://127.0.0.1:9 --timeout 3", "from 127.0.0.1:9")]
    public void A_terminal_sees_what_is_done_and_a_pipe_does_not(string line, string expected)
    {
        var command = $"dotnet '{Path.Combine(AppContext.BaseDirectory, "assay.dll")}' "
            + line.Replace("RIMS", Recorded.PathOf("nvidia/rims/fsstore_545.00"), StringComparison.Ordinal).Replace("GPU", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), StringComparison.Ordinal);

        var terminal = Peer.Require("script").Run("-qec", $"stty cols 200; TERM=xterm {command}", "/dev/null").Output;
        Assert.Contains(expected, terminal, StringComparison.Ordinal);
        // How long it has taken so far.
        Assert.Matches("[0-9]{2}:[0-9]{2}:[0-9]{2}", terminal);
        Assert.DoesNotMatch("[^T][0-9]{2}:[0-9]{2}:[0-9]{2}[^Z]", Peer.Require("bash").Run("-c", command).Output);
    }
}
