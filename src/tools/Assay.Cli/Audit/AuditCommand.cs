using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Assay.Cli.Services;
using Assay.Log;
using Assay.Wire;

namespace Assay.Cli.Audit;

/// <summary><c>assay audit</c>: reads a key broker's transparency log, and believes none of it unverified (docs/reference/broker.md).</summary>
internal static partial class AuditCommand
{
    private const string ExitCodes = "0 verified · 1 the log contradicts itself, or the broker refused · 2 unusable command line or file · 3 the broker could not be reached";
    private const string Account = "--log-key log.key --service https://keys.example.org --credential auditor.key";
    private const int MostProof = 256 * 1024;
    private static readonly TimeSpan s_following = TimeSpan.FromSeconds(2);

    public static DescribedCommand Create() => new(
        "audit",
        "Reads the transparency log of a key broker, and verifies what it reads.",
        DescribedCommand.OfItsCommands,
        [
            "assay audit prove release.json --log-key log.key",
            $"assay audit tail {Account}",
            $"assay audit monitor --state seen.checkpoint {Account}",
        ])
    {
        Key(), Prove(), Tail(), Monitor(), Verify(), Affected(), Host(),
    };

    private static DescribedCommand Key()
    {
        var options = new ServiceOptions();
        var command = Of("key", "Prints the log's public key as the broker shows it, for --log-key. Everything that the log shows later is believed under it: compare it once by another way.", ["assay audit key --service https://keys.example.org --credential auditor.key"], options, []);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var key = System.Text.Encoding.UTF8.GetString(await service.GetAsync("v1/log/key", cancellation).ConfigureAwait(false)).Trim();
            if (!NoteKey.TryParse(key, out var read, out var fault))
            {
                Output.Error("cli.log-key", $"the broker shows no key of a log: {fault}");
                return ExitCode.Refused;
            }

            read.Dispose();
            if (options.IsJson(parsed))
            {
                JsonOutput.Print(writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("key", key);
                    writer.WriteEndObject();
                });
                return ExitCode.Verified;
            }

            Console.Out.WriteLine(key);
            await Console.Error.WriteLineAsync("assay: this is the broker's own word: compare it by another way with whom you trust, for instance another party that audits this log, before you rely on it").ConfigureAwait(false);
            return ExitCode.Verified;
        }));
        return command;
    }

    private static DescribedCommand Prove()
    {
        var (options, key, witness) = (new ServiceOptions(isRequired: false), LogKeyOption.Create(), LogKeyOption.CreateWitness());
        var what = new Argument<string>("what") { Description = "a file with logEntry and logProof, as a release answers and assay-guest key fetch --proof writes it; or a position, which the broker is asked for", HelpName = "FILE|POSITION" };
        var command = Of("prove", "Shows that an entry is in the log, from its proof alone. Nothing is asked where a file is given.", ["assay audit prove release.json --log-key log.key", $"assay audit prove 17 {Account}"], options, [witness, key], what);
        command.SetAction((parsed, cancellation) => WithKeysAsync(parsed, key, witness, (log, by) =>
        {
            var given = parsed.GetValue(what)!;
            return long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var position) && !File.Exists(given)
                ? options.RunAsync(parsed, async service => Tell(await new LogSource(service, log).FindAsync(position, by, cancellation).ConfigureAwait(false), options.IsJson(parsed)))
                : Task.FromResult(ProveFile(given, log, by, options.IsJson(parsed)));
        }));
        return command;
    }

    private static DescribedCommand Tail()
    {
        var (options, key) = (new ServiceOptions(), LogKeyOption.Create());
        var from = new Option<long>("--from") { Description = "the lowest position", HelpName = "N" }.Within(0, long.MaxValue);
        var follow = new Option<bool>("--follow", "-f") { Description = "go on with entries as they come, until interrupted" };
        var command = Of("tail", "Prints the tenant's entries in order, each verified. One that is left out is noticed, the last ones when another follows.", [$"assay audit tail {Account}", $"assay audit tail --follow --format json {Account}"], options, [from, follow, key]);
        command.SetAction((parsed, cancellation) => WithKeyAsync(parsed, key, log => options.RunAsync(parsed, async service =>
        {
            var (source, next) = (new LogSource(service, log), parsed.GetValue(from));
            while (true)
            {
                await foreach (var entry in source.ReadAsync(next, cancellation).ConfigureAwait(false))
                {
                    AuditPrinter.Print(entry, options.IsJson(parsed));
                    next = entry.Position + 1;
                }

                if (!parsed.GetValue(follow))
                {
                    return ExitCode.Verified;
                }

                await Task.Delay(s_following, cancellation).ConfigureAwait(false);
            }
        })));
        return command;
    }

    private static DescribedCommand Verify()
    {
        var (options, key, state) = (new ServiceOptions(), LogKeyOption.Create(), State(isRequired: false));
        var command = Of("verify", "Reads every entry of every tenant and requires that they lead to the signed checkpoint. Needs a credential of the operator's.", [$"assay audit verify --state seen.checkpoint {Account}"], options, [state, key]);
        command.SetAction((parsed, cancellation) => WithKeyAsync(parsed, key, log => options.RunAsync(parsed, async service =>
        {
            var source = new LogSource(service, log);
            var seen = parsed.GetValue(state) is { } path ? SeenCheckpoint.Read("--state", path, log) : null;
            var (head, note) = await source.ExtendAsync(seen, cancellation).ConfigureAwait(false);
            var entries = await Bar.ShowAsync("verifying the log", tell => source.ReadAllAsync(head, tell, cancellation)).ConfigureAwait(false);
            if (parsed.GetValue(state) is { } kept)
            {
                SeenCheckpoint.Write(kept, note);
            }

            if (options.IsJson(parsed))
            {
                JsonOutput.Print(writer =>
                {
                    Head(writer, head, seen);
                    writer.WriteStartObject("kinds");
                    foreach (var kind in entries.GroupBy(entry => entry.Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal))
                    {
                        writer.WriteNumber(kind.Key, kind.Count());
                    }

                    writer.WriteEndObject();
                    writer.WriteEndObject();
                });
                return ExitCode.Verified;
            }

            Console.Out.WriteLine($"all {head.Size} entries of {head.Origin} lead to its signed checkpoint{(seen is null ? "" : $", which extends the one of {seen.Size} entries")}");
            foreach (var kind in entries.GroupBy(entry => (entry.Kind, Outcome: entry.Text("outcome"))).OrderBy(kind => kind.Key))
            {
                Console.Out.WriteLine($"  {kind.Key.Kind,-16} {kind.Key.Outcome,-8} {kind.Count()}");
            }

            return ExitCode.Verified;
        })));
        return command;
    }

    private static DescribedCommand Affected()
    {
        var (options, key) = (new ServiceOptions(), LogKeyOption.Create());
        var certificates = new Option<string[]>("--certificate") { Description = "a revoked certificate, PEM or DER: of a device, or of an authority above devices", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
        var fingerprints = new Option<string[]>("--fingerprint") { Description = "or its SHA-256, 64 hexadecimal digits", HelpName = "HEX", AllowMultipleArgumentsPerToken = true };
        var command = Of("affected", "Lists what was released to machines whose devices have a revoked certificate in their chain.", [$"assay audit affected --certificate revoked.pem {Account}"], options, [certificates, fingerprints, key]);
        command.SetAction((parsed, cancellation) => WithKeyAsync(parsed, key, log => options.RunAsync(parsed, async service =>
        {
            if (Fingerprints(parsed.GetValue(certificates) ?? [], parsed.GetValue(fingerprints) ?? []) is not { } revoked)
            {
                return ExitCode.Unusable;
            }

            var (read, found, unknown) = (0L, 0, 0);
            await foreach (var entry in new LogSource(service, log).ReadAsync(0, cancellation).ConfigureAwait(false))
            {
                read++;
                if (entry.Kind != "key.release" || entry.Text("outcome") != "allowed")
                {
                    continue;
                }

                var certificates = entry.Texts("certificates").ToArray();
                unknown += certificates.Length == 0 && entry.Text("devices") != "0" ? 1 : 0;
                if (certificates.Any(revoked.Contains))
                {
                    found++;
                    AuditPrinter.Print(entry, options.IsJson(parsed));
                }
            }

            await Console.Error.WriteLineAsync($"{found} releases are affected, of {read} entries of the tenant{(found > 0 ? "; rotate these keys, and what they open" : "")}").ConfigureAwait(false);
            if (unknown > 0)
            {
                Output.Error("cli.log", $"{unknown} releases to machines with devices name no certificates: whether they are affected is not known");
                return ExitCode.Refused;
            }

            return ExitCode.Verified;
        })));
        return command;
    }

    private static void Head(Utf8JsonWriter writer, Checkpoint head, Checkpoint? seen)
    {
        writer.WriteStartObject();
        writer.WriteString("log", head.Origin);
        writer.WriteNumber("size", head.Size);
        writer.WriteString("root", Convert.ToBase64String(head.Root.Bytes));
        if (seen is not null)
        {
            writer.WriteNumber("extends", seen.Size);
        }
    }

    private static int ProveFile(string path, NoteKey log, WitnessKey? witness, bool json)
    {
        if (!InputFile.TryRead(path, MostProof, out var bytes, out var whyNot))
        {
            Output.Error("cli.file", whyNot);
            return ExitCode.Unusable;
        }

        try
        {
            using var document = JsonDocument.Parse(bytes);
            var root = document.RootElement;
            return Tell(LogSource.Verify(root.GetProperty("logEntry").GetBytesFromBase64(), root.GetProperty("logProof").GetString() ?? "", log, witness), json);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            Output.Error("cli.file", $"{path}: an object with logEntry (base64) and logProof is expected, as a release answers it");
            return ExitCode.Unusable;
        }
    }

    private static int Tell(LogEntry entry, bool json)
    {
        if (json)
        {
            AuditPrinter.PrintJson(entry);
        }
        else
        {
            AuditPrinter.PrintWhole(entry);
        }

        return ExitCode.Verified;
    }

    private static HashSet<string>? Fingerprints(string[] files, string[] given)
    {
        var revoked = new HashSet<string>(StringComparer.Ordinal);
        foreach (var text in given)
        {
            if (text.Length != 64 || !text.All(char.IsAsciiHexDigit))
            {
                Output.Error("cli.arguments", $"--fingerprint: 64 hexadecimal digits are expected, found {text}");
                return null;
            }

            revoked.Add(text.ToLowerInvariant());
        }

        foreach (var file in files)
        {
            if (!InputFile.TryReadEveryByte(file, Limits.ChainTextBytes, out var bytes, out var whyNot))
            {
                Output.Error("cli.file", $"--certificate: {whyNot}");
                return null;
            }

            try
            {
                using var certificate = bytes.AsSpan().StartsWith("-----"u8) ? X509Certificate2.CreateFromPem(System.Text.Encoding.ASCII.GetString(bytes)) : X509CertificateLoader.LoadCertificate(bytes);
                revoked.Add(Convert.ToHexStringLower(SHA256.HashData(certificate.RawDataMemory.Span)));
            }
            catch (CryptographicException exception)
            {
                Output.Error("cli.file", $"--certificate: {file}: {exception.Message}");
                return null;
            }
        }

        if (revoked.Count > 0)
        {
            return revoked;
        }

        Output.Error("cli.arguments", "--certificate or --fingerprint is expected");
        return null;
    }

    private static Task<int> WithKeysAsync(ParseResult parsed, Option<string> log, Option<string?> witness, Func<NoteKey, WitnessKey?, Task<int>> run) =>
        LogKeyOption.TryReadWitness(parsed.GetValue(witness), out var by) ? WithKeyAsync(parsed, log, key => run(key, by)) : Task.FromResult(ExitCode.Unusable);

    private static async Task<int> WithKeyAsync(ParseResult parsed, Option<string> option, Func<NoteKey, Task<int>> run)
    {
        if (!LogKeyOption.TryRead(parsed.GetValue(option)!, out var key))
        {
            return ExitCode.Unusable;
        }

        using (key)
        {
            try
            {
                return await run(key).ConfigureAwait(false);
            }
            catch (LogFaultException exception)
            {
                Output.Error("cli.log", exception.Message);
                return ExitCode.Refused;
            }
            catch (LogInputException exception)
            {
                Output.Error(exception.Id, exception.Message);
                return ExitCode.Unusable;
            }
            catch (WitnessUnreachableException exception)
            {
                Output.Error("cli.service", $"--witness-url: {exception.Message}");
                return ExitCode.Incomplete;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Output.Error("cli.file", exception.Message);
                return ExitCode.Unusable;
            }
        }
    }

    private static Option<string?> State(bool isRequired) => new("--state") { Description = "the file that keeps the latest checkpoint; it is made at the first use", HelpName = "FILE", Required = isRequired };

    private static DescribedCommand Of(string name, string description, string[] examples, ServiceOptions options, Option[] own, Argument? argument = null) =>
        options.AddTo(new DescribedCommand(name, description, ExitCodes, examples), own, argument);
}
