using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Assay.Cli.Bundles;
using Assay.Cli.Collateral;
using Assay.Cli.Demo;
using Assay.Cli.Explain;
using Assay.Cli.Inspection;
using Assay.Cli.Measure;
using Assay.Cli.Policies;
using Assay.Cli.Tokens;
using Assay.Cli.Verify;

namespace Assay.Cli;

/// <summary>The command <c>assay</c>: it parses arguments and prints, nothing else.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] arguments)
    {
        var root = new RootCommand("Proves that a GPU is genuine, runs known firmware and is a confidential VM's own, and says what it could not prove.")
        {
            VerifyCommand.Create(),
            InspectCommand.Create(),
            MeasureCommand.Create(),
            TokenCommand.Create(),
            PolicyCommand.Create(),
            CollateralCommand.Create(),
            BundleCommand.Create(),
            ExplainCommand.Create(),
            DemoCommand.Create(),
            CompletionCommand.Create(),
            VersionCommand.Create(),
        };
        AddExamples(root);

        // Without response files: the name of an evidence file, as a shell finds it, must not bring options along.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        // Who asks for help gets it, whatever else is missing; a bare command is a question too.
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpWithExamples)
        {
            if (arguments.Length == 0)
            {
                await root.Parse("--help").InvokeAsync().ConfigureAwait(false);
                return ExitCode.Unusable;
            }

            foreach (var error in parsed.Errors)
            {
                // The library lists allowed values on lines of their own.
                Output.Error("cli.arguments", error.Message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal));
            }

            if (HelpWithExamples.NameOf(parsed.CommandResult) is "verify" && parsed.UnmatchedTokens.FirstOrDefault(word => !word.StartsWith('-') && File.Exists(word)) is { } file && !arguments.Contains("--evidence"))
            {
                await Console.Error.WriteLineAsync($"Evidence is given as --evidence {Printable.Of(file)}").ConfigureAwait(false);
            }

            var command = parsed.CommandResult.Command is RootCommand ? "assay" : $"assay {HelpWithExamples.NameOf(parsed.CommandResult)}";
            await Console.Error.WriteLineAsync($"Try: {command} --help").ConfigureAwait(false);
            return ExitCode.Unusable;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Output.Error("cli.cancelled", "interrupted; no verdict was reached");
            return ExitCode.Internal;
        }
        // A full disk or a closed terminal is nobody's bug; what was to be printed may be cut.
        catch (IOException exception) when (exception.StackTrace?.Contains("ConsoleStream", StringComparison.Ordinal) ?? false)
        {
            Output.Error("cli.output", $"standard output cannot be written: {exception.Message}");
            return ExitCode.Internal;
        }
        // The last line of defence: whatever it is, it is no verdict.
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Output.Error("cli.internal", $"this is a bug, please report it: {exception.GetType()}: {exception.Message}");
            foreach (var line in (exception.StackTrace ?? "").Split('\n'))
            {
                await Console.Error.WriteLineAsync(Printable.Of(line.TrimEnd('\r'))).ConfigureAwait(false);
            }

            return ExitCode.Internal;
        }
    }

    // Help without examples makes people guess; the library prints none, so they follow its text.
    private static void AddExamples(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            if (option.Action is HelpAction help)
            {
                option.Action = new HelpWithExamples(help);
            }
        }
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        private static readonly Dictionary<string, string[]> s_examples = new()
        {
            ["assay"] =
            [
                "assay demo --out machine",
                "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE",
            ],
            ["verify"] =
            [
                "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE",
                "assay verify --evidence gpu.json switch.json --rim-store rims --ocsp-store ocsp --format json",
                "assay verify --evidence gpu.json --nonce $NONCE --bundle rack7.bundle --bundle-keys site.jwks",
                "assay verify --report report.txt --chain chain.pem --rim-store rims --dangerously-skip-revocation",
                "assay verify --cpu-evidence quote.bin --cpu-collateral collateral --event-log eventlog.json --reference-values trainer.jws --reference-keys publisher.jwks --report-data $DATA",
                "assay verify --evidence machine.json --nonce $CHALLENGE --cpu-collateral collateral --reference-values trainer.jws --reference-keys publisher.jwks --rim-url nvidia --ocsp-url nvidia --expect gpus=8,switches=4",
            ],
            ["inspect"] = ["assay inspect gpu.json", "assay inspect NV_GPU_DRIVER_GH100_550.144.03.xml --format json", "assay inspect /sys/firmware/acpi/tables/data/CCEL"],
            ["measure"] =
            [
                "assay measure --from quote.bin ccel.bin --name trainer --image-version 2026.11.1 --sequence 7 --valid-for 90 --gpu-policy $POLICY --signing-key publisher.pem --out trainer.jws",
                "assay measure --from snp-report.bin --name trainer --image-version 2026.11.1 --sequence 8 --valid-for 90 --out trainer.json",
            ],
            ["token"] =
            [
                "assay token keygen --out issuer.pem && assay token jwks --signing-key issuer.pem > jwks.json",
                "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE --eat-out eat.json --signing-key issuer.pem --issuer https://verifier.example",
                "assay token verify eat.json --jwks jwks.json --nonce $NONCE --issuer https://verifier.example",
                "assay token show eat.json",
            ],
            ["token verify"] = ["assay token verify eat.json --jwks https://verifier.example/.well-known/jwks.json --nonce $NONCE --issuer https://verifier.example"],
            ["policy"] = ["assay policy check policies/strict.rego", "assay policy test policies"],
            ["policy check"] = ["assay policy check mine.rego", "assay policy check mine.rego library.rego --strict --format json"],
            ["policy eval"] =
            [
                "assay policy eval --policy policies/strict.rego --input claims.json --explain",
                "assay policy eval --policy mine.rego --input token.json --data limits.json --query data.policy.allow",
            ],
            ["policy test"] = ["assay policy test policies", "assay policy test policies --format junit > policies.xml"],
            ["collateral"] = ["assay collateral serve --cache /var/lib/assay --learn gpu.json"],
            ["collateral serve"] =
            [
                "assay collateral serve --cache /var/lib/assay --learn gpu.json",
                "assay collateral serve --offline --bundle rack7.bundle --bundle-keys site.jwks --cache /var/lib/assay",
                "assay collateral serve --listen 10.0.0.5:8093 --cache /var/lib/assay --learn gpu.json switch.json --max-stale 48",
                "assay verify --evidence gpu.json --rim-url http://127.0.0.1:8093 --ocsp-url http://127.0.0.1:8093 --nonce $NONCE",
            ],
            ["bundle"] =
            [
                "assay token keygen --out site.pem && assay token jwks --signing-key site.pem > site.jwks",
                "assay bundle create --for gpu.json switch.json quote.bin --key site.pem --out rack7.bundle",
                "assay bundle verify rack7.bundle --bundle-keys site.jwks",
                "assay verify --evidence gpu.json --nonce $NONCE --bundle rack7.bundle --bundle-keys site.jwks",
            ],
            ["bundle create"] =
            [
                "assay bundle create --for gpu.json switch.json quote.bin --key site.pem --out rack7.bundle",
                "assay bundle create --for evidence/*.json --key one.pem two.pem --sequence 42 --cache /var/lib/assay --out rack7.bundle",
                "assay bundle create --for gpu.json --rim-store rims --ocsp-store ocsp --offline --key site.pem --out rack7.bundle",
            ],
            ["bundle inspect"] = ["assay bundle inspect rack7.bundle --verbose"],
            ["bundle verify"] =
            [
                "assay bundle verify rack7.bundle --bundle-keys site.jwks",
                "assay bundle verify rack7.bundle --bundle-keys one.jwks two.jwks three.jwks --bundle-threshold 2 --minimum-bundle-sequence 42",
            ],
            ["bundle import"] = ["assay bundle import rack7.bundle --bundle-keys site.jwks --cache /var/lib/assay"],
            ["bundle plan"] =
            [
                "assay bundle plan --for gpu.json --bundle rack7.bundle",
                "assay bundle plan --for gpu.json --bundle rack7.bundle --ids-out missing.ids",
            ],
            ["collateral stage"] =
            [
                "assay collateral stage --cache /var/lib/assay --pool canary --set 590.44 rims/NV_GPU_DRIVER_GH100_590.44.xml",
                "assay collateral serve --cache /var/lib/assay --listen 10.0.0.5:8093 10.0.0.5:8094=canary 10.0.0.5:8095=canary+staged",
            ],
            ["collateral promote"] = ["assay collateral promote --cache /var/lib/assay --pool canary --set 590.44"],
            ["collateral rollback"] = ["assay collateral rollback --cache /var/lib/assay --pool canary"],
            ["collateral remove"] = ["assay collateral remove --cache /var/lib/assay --pool canary --set 580.82"],
            ["collateral list"] = ["assay collateral list --cache /var/lib/assay", "assay collateral list --cache /var/lib/assay --format json"],
            ["explain"] = ["assay explain", "assay explain report.nonce.match", "assay explain measurements.vbios.match --format json"],
            ["demo"] = ["assay demo", "assay demo --out machine"],
            ["completion"] = ["source <(assay completion bash)", "assay completion zsh > ~/.zfunc/_assay"],
        };

        private static readonly Dictionary<string, string> s_policyExits = new()
        {
            ["policy check"] = "0 all compile · 2 an error, or unusable input",
            ["policy eval"] = "0 defined · 1 undefined or false · 2 unusable input, an error of the policy, or over budget",
            ["policy test"] = "0 all passed · 1 one failed · 2 unusable input, or nothing to run",
        };

        public override int Invoke(ParseResult parseResult)
        {
            var result = help.Invoke(parseResult);
            if (s_examples.TryGetValue(NameOf(parseResult.CommandResult), out var examples))
            {
                Console.Out.WriteLine("Examples:");
                foreach (var example in examples)
                {
                    Console.Out.WriteLine($"  {example}");
                }

                Console.Out.WriteLine();
            }

            var codes = NameOf(parseResult.CommandResult) switch
            {
                "measure" => "0 written · 2 unusable command line, evidence or key, or the file exists · 70 internal error",
                "assay" or "verify" => "0 verified · 1 refused · 2 unusable input · 3 incomplete, collateral is missing · 70 internal error",
                "bundle create" => "0 written · 1 evidence that is not authentic · 2 unusable command line, evidence or key, or the file exists · 3 something is missing, nothing was written · 70 internal error",
                "bundle verify" or "bundle import" => "0 accepted · 1 refused · 2 unusable command line or file · 70 internal error",
                "bundle plan" => "0 nothing is missing · 1 evidence that is not authentic · 2 unusable input · 3 something is missing · 70 internal error",
                "token verify" => "0 accepted · 1 refused · 2 unusable command line, token or key set · 3 the key set is unreachable · 70 internal error",
                _ => null,
            };
            if (codes is not null)
            {
                Console.Out.WriteLine($"Exit codes: {codes}");
            }
            else if (s_policyExits.TryGetValue(NameOf(parseResult.CommandResult), out var exits))
            {
                Console.Out.WriteLine($"Exit codes: {exits} · 70 internal error");
            }

            return result;
        }

        // The words behind "assay": the same word may stand under several commands.
        public static string NameOf(CommandResult command) => command switch
        {
            { Command: RootCommand } => "assay",
            { Parent: CommandResult { Command: not RootCommand } outer } => $"{NameOf(outer)} {command.Command.Name}",
            _ => command.Command.Name,
        };
    }
}
