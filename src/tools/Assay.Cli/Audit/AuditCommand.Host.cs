using System.CommandLine;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>The machine in which a broker runs.</summary>
internal static partial class AuditCommand
{
    private static DescribedCommand Host()
    {
        var service = new Option<string>("--service") { Description = "address of the broker", HelpName = "URL", Required = true };
        var evidence = new Option<string>("--out") { Description = "new file for the evidence", HelpName = "FILE", Required = true };
        var key = new Option<string?>("--log-key") { Description = "the log's key, which the broker's statement must name: a file, or NAME+ID+BASE64", HelpName = "KEY" };
        var witness = new Option<string?>("--witness") { Description = "the key of a witness, which the broker's statement must name: a file, or NAME+ID+BASE64. Take it from the witness, not from the broker", HelpName = "KEY" };
        var verify = new Argument<string[]>("verify") { HelpName = "-- OPTIONS", Description = "behind --, options of assay verify: what the broker's machine must show", Arity = ArgumentArity.OneOrMore };
        var command = new DescribedCommand(
            "host",
            "Shows that a broker runs in a confidential VM of a known image: evidence over a challenge, over the TLS certificate of this very connection and over its log's key, and that the broker has the key of that evidence; then judges it as assay verify does, with the options behind --. On the simulator; never seen on hardware.",
            "0 verified · 1 what the broker shows does not hold, or it refused · 2 unusable command line or file · 3 the broker or collateral could not be reached",
            ["assay audit host --service https://keys.example.org --out broker.json --log-key log.key --witness witness.key -- --intel-url intel --reference-values broker-image.json --reference-keys publisher.jwks --rim-url nvidia --ocsp-url nvidia --expect gpus=1"])
        {
            service, evidence, key, witness, verify,
        };
        command.SetAction((parsed, cancellation) => WithWitness(parsed, key, witness, (log, by) => HostAsync(parsed.GetValue(service)!, parsed.GetValue(evidence)!, log, by, parsed.GetValue(verify)!, cancellation)));
        return command;
    }

    private static Task<int> WithWitness(ParseResult parsed, Option<string?> key, Option<string?> witness, Func<NoteKey?, WitnessKey?, Task<int>> run)
    {
        NoteKey? log = null;
        return (parsed.GetValue(key) is { } given && !LogKeyOption.TryRead(given, out log)) || !LogKeyOption.TryReadWitness(parsed.GetValue(witness), out var by)
            ? Task.FromResult(ExitCode.Unusable) : run(log, by);
    }

    private static async Task<int> HostAsync(string url, string path, NoteKey? log, WitnessKey? witness, string[] verify, CancellationToken cancellation)
    {
        if (!ServiceAddress.TryParse(url, out var address, out var fault))
        {
            Output.Error("cli.url", $"--service: {fault.Problem}");
            return ExitCode.Unusable;
        }

        // Before anything is asked or written: what cannot be parsed judges nothing.
        string[] Judging(string nonce) => ["verify", "--evidence", path, "--nonce", nonce, .. verify];
        if (CommandLine.Create().Parse(Judging(new string('0', 64))).Errors.Count > 0)
        {
            return await CommandLine.RunAsync(Judging(new string('0', 64))).ConfigureAwait(false);
        }

        try
        {
            using var host = new BrokerHost(address);
            var shown = await host.AskAsync(cancellation).ConfigureAwait(false);
            if (log is not null && shown.Log != log.ToString())
            {
                throw new HostFaultException($"its log has another key than that of --log-key: {Printable.Of(shown.Log)}");
            }

            if (witness is not null && !shown.Witnesses.Contains(witness.ToString(), StringComparer.Ordinal))
            {
                throw new HostFaultException($"it does not name the witness of --witness ({Printable.Of(shown.Rollback)})");
            }

            await using (var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write))
            {
                await stream.WriteAsync(shown.Evidence, cancellation).ConfigureAwait(false);
            }

            // To the person: what follows on standard output is the verdict on that evidence, by which alone the rest is believed.
            await Console.Error.WriteLineAsync($"assay: {Printable.Of(shown.Issuer)} has the key of this evidence, which answers this connection ({(shown.Leaf.Length == 0 ? "without TLS" : $"certificate sha384:{shown.Leaf}")}). Its log is {Printable.Of(shown.Log)}; {Printable.Of(shown.Rollback)}. If the verdict is a pass, this is the machine's own word:").ConfigureAwait(false);
            return await CommandLine.RunAsync(Judging(shown.Nonce)).ConfigureAwait(false);
        }
        catch (HostFaultException exception)
        {
            Output.Error("cli.host", exception.Message);
            return ExitCode.Refused;
        }
        catch (ServiceRefusedException exception)
        {
            Output.Error("cli.service", exception.Message);
            return exception.IsTransient ? ExitCode.Incomplete : ExitCode.Refused;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("cli.file", $"--out: {exception.Message}");
            return ExitCode.Unusable;
        }
    }
}
