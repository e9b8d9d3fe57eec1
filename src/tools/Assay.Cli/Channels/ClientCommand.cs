using System.CommandLine;
using Assay.Cli.Verify;
using Assay.Client.Channels;
using Assay.Policy;

namespace Assay.Cli.Channels;

/// <summary><c>assay client</c> and <c>assay client check</c>.</summary>
internal static class ClientCommand
{
    public static DescribedCommand Create() => new(
        "client",
        "Attested channels from a client's side.",
        DescribedCommand.OfItsCommands,
        ["assay client check https://worker.example:8443 --policy channel.yaml"])
    {
        CreateCheck(),
    };

    private static DescribedCommand CreateCheck()
    {
        var url = new Argument<string>("url") { Description = "the server: https://HOST:PORT or tcp://HOST:PORT", HelpName = "URL" };
        var policy = ProxyCommand.PolicyOption();
        var verbose = new Option<bool>("--verbose", "-v") { Description = "show every check of every device" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "check",
            "Opens one attested channel, and tells what stands behind an address: whose it is, its processor, GPUs, boot and image, what is proven and what is not. Nothing is sent in the channel.",
            "0 the channel opens · 1 refused · 2 unusable command line or policy · 3 incomplete: collateral is missing, or there is no connection",
            [
                "assay client check https://worker.example:8443 --policy channel.yaml",
                "assay client check https://worker.example:8443 --policy channel.yaml --format json",
            ])
        {
            url, policy, verbose, format,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            var faults = new List<(string Id, string Message)>();
            if (!UpstreamAddress.TryParse(parsed.GetValue(url)!, out var server))
            {
                faults.Add(("cli.url", $"{UpstreamAddress.Forms} is expected, found {parsed.GetValue(url)}"));
            }

            if (!ChannelPolicyFile.TryRead(parsed.GetValue(policy)!, TimeProvider.System, out var loaded, out var ofPolicy) || faults.Count > 0)
            {
                loaded?.Dispose();
                return ProxyCommand.Refuse(faults.Concat(ofPolicy));
            }

            using (loaded)
            {
                var check = await ChannelCheck.OfAsync(server!, loaded, cancellation).ConfigureAwait(false);
                check.Print(parsed.GetValue(format) == Options.Json, parsed.GetValue(verbose));
                return check.ExitCode;
            }
        });
        return command;
    }
}

/// <summary>What was found behind an address.</summary>
/// <param name="Server">The address.</param>
/// <param name="Policy">What was demanded.</param>
/// <param name="Result">What opened; null where nothing did.</param>
/// <param name="Refusal">Why nothing did; null where it opened.</param>
internal sealed record ChannelCheck(UpstreamAddress Server, LoadedPolicy Policy, ChannelResult? Result, ChannelException? Refusal)
{
    /// <summary>Of what opened or was refused; null where it came to none.</summary>
    public Verdict? Verdict => Result?.Verdict ?? Refusal?.Verdict;

    /// <summary>Evidence that cannot be judged yet, and a server that does not answer, are no refusal.</summary>
    public int ExitCode => Refusal switch
    {
        null => Cli.ExitCode.Verified,
        { Verdict: { Kind: not VerdictKind.Pass } verdict } => VerifyCommand.CodeOf(verdict),
        { Id: "channel.connection" or "channel.timeout" or "channel.busy" } => Cli.ExitCode.Incomplete,
        { Id: "cpu.collateral" or "channel.policy.ended" } => Cli.ExitCode.Unusable,
        _ => Cli.ExitCode.Refused,
    };

    public static async Task<ChannelCheck> OfAsync(UpstreamAddress server, LoadedPolicy policy, CancellationToken cancellation)
    {
        try
        {
            var connection = await ChannelHttp.DialAsync(new ChannelClient(policy.Policy), server.Host, server.Port, cancellation).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                return new ChannelCheck(server, policy, connection.Peer!, null);
            }
        }
        catch (ChannelException exception)
        {
            return new ChannelCheck(server, policy, null, exception);
        }
    }

    public void Print(bool json, bool verbose)
    {
        if (json)
        {
            JsonOutput.Print(new ChannelJson(this).Write);
            return;
        }

        new ChannelPrinter(Output.Out, verbose).Print(this);
        if (Refusal is { } refusal)
        {
            Output.Error(refusal.Id, refusal.Reason);
        }
    }
}
