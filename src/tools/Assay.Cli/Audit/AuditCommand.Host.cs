using System.CommandLine;
using System.Text;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>The machine in which a broker runs.</summary>
internal static partial class AuditCommand
{
    private const string WithoutTls = "--dangerously-without-tls";
    private const string References = "--reference-values";
    private const string EvidenceFile = "evidence.json";
    private const string StatementFile = "statement.json";

    private static DescribedCommand Host()
    {
        var service = new Option<string>("--service") { Description = "address of the broker", HelpName = "URL", Required = true };
        var folder = new Option<string>("--out") { Description = $"new folder for {EvidenceFile} and {StatementFile}", HelpName = "DIR", Required = true };
        var key = new Option<string?>("--log-key") { Description = "the log's key, which the broker's statement must name: a file, or NAME+ID+BASE64", HelpName = "KEY" };
        var witness = new Option<string?>("--witness") { Description = "the key of a witness, which the broker's statement must name: a file, or NAME+ID+BASE64. Whether it cosigned is for assay audit monitor", HelpName = "KEY" };
        var plain = new Option<bool>(WithoutTls) { Description = "accept a broker without TLS, on this machine itself: another program may forward the port" };
        var verify = new Argument<string[]>("verify") { HelpName = "-- OPTIONS", Description = $"options of assay verify, {References} among them: what the broker's machine must show", Arity = ArgumentArity.OneOrMore };
        var command = new DescribedCommand(
            "host",
            "Shows that the broker at the end of this connection runs in a confidential VM of a known image. Its evidence must answer a new challenge, this connection's TLS certificate and its log's key, and it must have the key of that evidence. The evidence is then judged as by assay verify, with the options behind --. It was never seen on hardware.",
            "0 verified · 1 what the broker shows does not hold, or it refused · 2 unusable command line or file · 3 the broker or collateral could not be reached",
            [$"assay audit host --service https://keys.example.org --out broker --log-key log.key -- --intel-url intel --rim-url nvidia --ocsp-url nvidia {References} broker-image.json --reference-keys publisher.jwks --expect gpus=1"])
        {
            service, folder, key, witness, plain, verify,
        };
        command.SetAction((parsed, cancellation) => HostAsync(
            parsed.GetValue(service)!, parsed.GetValue(plain), parsed.GetValue(folder)!, parsed.GetValue(key), parsed.GetValue(witness), parsed.GetValue(verify)!, cancellation));
        return command;
    }

    private static async Task<int> HostAsync(string url, bool isPlain, string folder, string? logKey, string? witnessKey, string[] verify, CancellationToken cancellation)
    {
        NoteKey? log = null;
        if ((logKey is not null && !LogKeyOption.TryRead(logKey, out log)) || !LogKeyOption.TryReadWitness(witnessKey, out var witness))
        {
            return ExitCode.Unusable;
        }

        using (log)
        {
            // Before anything is asked or written: what cannot be parsed judges nothing.
            string[] Judging(string nonce) => ["verify", "--evidence", Path.Combine(folder, EvidenceFile), "--nonce", nonce, .. verify];
            var unasked = Judging(new string('0', 64));
            var trial = CommandLine.Create().Parse(unasked, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (trial.Errors.Count > 0)
            {
                return await CommandLine.RunAsync(unasked).ConfigureAwait(false);
            }

            if (WhyUnusable(url, isPlain, folder, trial, out var address) is var (id, problem))
            {
                Output.Error(id, problem);
                return ExitCode.Unusable;
            }

            var (nonce, code) = await AskAsync(address!, folder, log, witness, cancellation).ConfigureAwait(false);
            return nonce is null ? code : await CommandLine.RunAsync(Judging(nonce)).ConfigureAwait(false);
        }
    }

    private static (string Id, string Problem)? WhyUnusable(string url, bool isPlain, string folder, ParseResult verify, out ServiceAddress? address) =>
        !ServiceAddress.TryParse(url, out address, out var fault) ? ("cli.url", $"--service: {fault.Problem}")
        : address.Uri.Scheme != Uri.UriSchemeHttps && !isPlain ? ("cli.url", $"--service: https is expected: without TLS something between here and the broker can answer in its place. {WithoutTls} accepts that")
        // Any confidential VM has good evidence.
        : verify.GetResult(References) is null ? ("cli.arguments", $"{References} is expected behind --: without known-good values every confidential VM would do, the host's own too")
        : Path.Exists(folder) ? ("cli.out", $"--out: {Printable.Of(folder)} exists, and is not overwritten: choose another name, or remove it")
        : null;

    // The nonce that the evidence must answer; null with an exit code: it is told why.
    private static async Task<(string? Nonce, int Code)> AskAsync(ServiceAddress address, string folder, NoteKey? log, WitnessKey? witness, CancellationToken cancellation)
    {
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
                throw new HostFaultException($"its statement does not name the witness of --witness; found {Printable.Of(shown.Rollback)}");
            }

            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(Path.Combine(folder, EvidenceFile), shown.Evidence.ToArray(), cancellation).ConfigureAwait(false);
            await File.WriteAllBytesAsync(Path.Combine(folder, StatementFile), Encoding.UTF8.GetBytes(shown.Text), cancellation).ConfigureAwait(false);
            // To the person: what follows on standard output is the verdict on that evidence, by which alone the rest is believed.
            await Console.Error.WriteLineAsync($"assay: {Printable.Of(shown.Issuer)} has the key of this evidence, which answers this connection and no later one ({(shown.Leaf.Length == 0 ? "without TLS" : $"certificate sha384:{shown.Leaf}")}), with the nonce {shown.Nonce}. Its log is {Printable.Of(shown.Log)}; {Printable.Of(shown.Rollback)}. If the verdict is a pass, this is the machine's own word:").ConfigureAwait(false);
            return (shown.Nonce, ExitCode.Verified);
        }
        catch (HostFaultException exception)
        {
            Output.Error("cli.host", exception.Message);
            return (null, ExitCode.Refused);
        }
        catch (ServiceRefusedException exception)
        {
            Output.Error("cli.service", exception.Message);
            return (null, exception.IsTransient ? ExitCode.Incomplete : ExitCode.Refused);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("cli.out", $"--out: {exception.Message}");
            return (null, ExitCode.Unusable);
        }
    }
}
