using System.CommandLine;
using System.Text;
using System.Text.Json;
using Assay.Cli.Services;
using Assay.Client.Service;
using Assay.Wire;

namespace Assay.Cli.Keys;

/// <summary><c>assay key</c>: a model owner's side of the key broker (docs/reference/broker.md).</summary>
internal static class KeyCommand
{
    private const string ExitCodes = "0 done · 1 the broker refused · 2 unusable command line or file · 3 the broker could not be reached";
    private const string Account = "--service https://keys.example.org --credential owner.key";
    private const int MostSecret = 4096;
    private const int MostPolicy = 1024 * 1024;

    public static DescribedCommand Create() => new(
        "key",
        "Keeps keys at a key broker, which releases them to attested machines alone.",
        DescribedCommand.OfItsCommands,
        [
            $"assay key create weights {Account}",
            $"assay key policy weights --file release.json {Account}",
            $"assay key freeze --reason forged-driver {Account}",
        ])
    {
        Make("create", "Makes a key of random bytes at the broker. It is not released until it has a policy.", isImport: false),
        Make("import", "Stores a secret of yours as a key. It is not released until it has a policy.", isImport: true),
        Rotate(), List(), Policy(),
        State("enable", "enabled", "Lets a disabled key be released again."),
        State("disable", "disabled", "Stops releases of a key until it is enabled. Takes back one that is being destroyed."),
        Destroy(), Freeze(), Unfreeze(), Freezes(), DryRun(), Manifest(), Approvals(), Approve(),
    };

    private static DescribedCommand Make(string name, string description, bool isImport)
    {
        var (options, id) = (new ServiceOptions(), Id());
        var twoPersons = new Option<bool>("--two-persons") { Description = "changes of it wait for a second person, from now on and for good" };
        var derived = new Option<bool>("--derived") { Description = "each image that the policy's reference values name gets a key of its own, derived from this one, which is never released" };
        var resource = new Option<string?>("--resource") { Description = "where guests of Confidential Containers find it, REPOSITORY/TYPE/TAG, for good", HelpName = "PATH" };
        var use = new Option<string?>("--use") { Description = "data-keys: it encrypts data keys for software written for AWS KMS, and is never released itself; for good", HelpName = "USE" }.OneOf("data-keys");
        var (bytes, secret) = (Bytes(), new Option<string>("--secret") { Description = "file whose bytes are the key, 1 to 4096; - is standard input", HelpName = "FILE", Required = true });
        var command = Of(name, description, [$"assay key {name} weights {(isImport ? "--secret weights.key " : "")}{Account}"], options, [isImport ? secret : bytes, derived, use, twoPersons, resource], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            if (!TrySecret(isImport ? parsed.GetValue(secret) : null, out var given))
            {
                return ExitCode.Unusable;
            }

            var key = await service.PostAsync("v1/keys", ServiceConnection.Body(writer =>
            {
                writer.WriteString("id", parsed.GetValue(id));
                Write(writer, given, parsed.GetValue(bytes));
                if (parsed.GetValue(derived))
                {
                    writer.WriteBoolean("derived", true);
                }

                if (parsed.GetValue(use) is { } word)
                {
                    writer.WriteString("use", word);
                }

                if (parsed.GetValue(twoPersons))
                {
                    writer.WriteString("approval", "two-person");
                }

                if (parsed.GetValue(resource) is { } path)
                {
                    writer.WriteString("resource", path);
                }
            }), root => root.Clone(), cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(key, options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Rotate()
    {
        var (options, id, bytes) = (new ServiceOptions(), Id(), Bytes());
        var secret = new Option<string?>("--secret") { Description = "file whose bytes are the new version; random bytes, if it is not given", HelpName = "FILE" };
        var command = Of("rotate", "Makes a further version, which is released from then on. Those before are kept, and not released.", [$"assay key rotate weights {Account}"], options, [bytes, secret], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service => TrySecret(parsed.GetValue(secret), out var given)
            ? await ChangeAsync(service, parsed, options, parsed.GetValue(id)!, "rotate", writer => Write(writer, given, parsed.GetValue(bytes)), cancellation).ConfigureAwait(false)
            : ExitCode.Unusable));
        return command;
    }

    private static DescribedCommand List()
    {
        var options = new ServiceOptions();
        var id = new Argument<string?>("id") { Description = "one key; all of the tenant, if it is not given", HelpName = "ID", Arity = ArgumentArity.ZeroOrOne };
        var command = Of("list", "Lists keys, without their secrets.", [$"assay key list {Account}", $"assay key list weights --format json {Account}"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.Print(await service.GetAsync(parsed.GetValue(id) is { } one ? PathOf(one) : "v1/keys", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand Policy()
    {
        var (options, id) = (new ServiceOptions(), Id());
        var file = new Option<string>("--file") { Description = "the release policy, JSON; - is standard input", HelpName = "FILE", Required = true };
        var command = Of("policy", "Sets the release policy of a key: to which machines it is released.", [$"assay key policy weights --file release.json {Account}"], options, [file], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            return TryJson("--file", parsed.GetValue(file)!, MostPolicy, out var policy)
                ? await ChangeAsync(service, parsed, options, parsed.GetValue(id)!, "policy", writer => Write(writer, "policy", policy), cancellation).ConfigureAwait(false)
                : ExitCode.Unusable;
        }));
        return command;
    }

    private static DescribedCommand State(string name, string state, string description)
    {
        var (options, id) = (new ServiceOptions(), Id());
        var command = Of(name, description, [$"assay key {name} weights {Account}"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, service =>
            ChangeAsync(service, parsed, options, parsed.GetValue(id)!, "state", writer => writer.WriteString("state", state), cancellation)));
        return command;
    }

    private static DescribedCommand Destroy()
    {
        var (options, id) = (new ServiceOptions(), Id());
        var confirm = new Option<string>("--confirm") { Description = "the id once more", HelpName = "ID", Required = true };
        var command = Of("destroy", "Deletes every version of a key, for good, when the broker's wait is over. It is not released from now on; assay key disable takes it back until then.", [$"assay key destroy weights --confirm weights {Account}"], options, [confirm], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            if (parsed.GetValue(confirm) != parsed.GetValue(id))
            {
                Output.Error("cli.arguments", $"--confirm: {parsed.GetValue(id)} is expected");
                return ExitCode.Unusable;
            }

            return await ChangeAsync(service, parsed, options, parsed.GetValue(id)!, "state", writer => writer.WriteString("state", "destroyed"), cancellation).ConfigureAwait(false);
        }));
        return command;
    }

    private static DescribedCommand Freeze()
    {
        var options = new ServiceOptions();
        var id = new Argument<string?>("id") { Description = "which key; all of the tenant, if it is not given", HelpName = "ID", Arity = ArgumentArity.ZeroOrOne };
        var reason = new Option<string>("--reason") { Description = "why, for the log", HelpName = "TEXT", Required = true };
        var command = Of("freeze", "Stops releases of a key, or of all keys: when it returns, nothing is released. Two persons lift it.", [$"assay key freeze weights --reason forged-driver {Account}"], options, [reason], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var body = ServiceConnection.Body(writer =>
            {
                writer.WriteString("reason", parsed.GetValue(reason));
                if (parsed.GetValue(id) is { } key)
                {
                    writer.WriteString("key", key);
                }
            });
            var freeze = await service.PostAsync("v1/freezes", body, root => root.GetProperty("id").GetString()!, cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(options.IsJson(parsed), ("id", freeze), $"{parsed.GetValue(id) ?? "every key of the tenant"} is frozen: nothing of it is released until two persons lift freeze {freeze}");
        }));
        return command;
    }

    private static DescribedCommand Unfreeze()
    {
        var options = new ServiceOptions();
        var id = new Argument<string>("freeze") { Description = "the freeze, as assay key freezes lists it", HelpName = "FREEZE" };
        var command = Of("unfreeze", "Proposes that a freeze ends. It ends when a second person approves; both log in as persons: API keys do not count.", [$"assay key unfreeze 0123456789abcdef0123456789abcdef --service https://keys.example.org --credential login.jwt"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var act = await service.PostAsync($"v1/freezes/{Uri.EscapeDataString(parsed.GetValue(id)!)}/lift", ServiceConnection.Body(_ => { }), root => root.Clone(), cancellation).ConfigureAwait(false);
            return KeyPrinter.PrintAct(act, options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Freezes()
    {
        var options = new ServiceOptions();
        var command = Of("freezes", "Lists the freezes that hold.", [$"assay key freezes {Account}"], options, []);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.PrintFreezes(await service.GetAsync("v1/freezes", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand DryRun()
    {
        var (options, id) = (new ServiceOptions(), Id());
        var file = new Option<string?>("--file") { Description = "a policy in place of the one in force", HelpName = "FILE" };
        var evidence = new Option<string?>("--evidence") { Description = "evidence of a machine that was kept; the policy's own tests alone, if it is not given", HelpName = "FILE" };
        var challenge = new Option<string?>("--challenge") { Description = "what the evidence answers", HelpName = "TEXT" };
        var command = Of("dry-run", "Tells whether a machine would get a key, and if not, which checks and conditions fail. Nothing is released.", [$"assay key dry-run weights --file release.json --evidence machine.json {Account}"], options, [file, evidence, challenge], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            if (!TryJson("--file", parsed.GetValue(file), MostPolicy, out var policy) || !TryJson("--evidence", parsed.GetValue(evidence), Limits.EvidenceFileBytes, out var shown))
            {
                return ExitCode.Unusable;
            }

            var report = await service.PostAsync($"{PathOf(parsed.GetValue(id)!)}/policy/dry-run", ServiceConnection.Body(writer =>
            {
                Write(writer, "policy", policy);
                Write(writer, "evidence", shown);
                if (parsed.GetValue(challenge) is { } text)
                {
                    writer.WriteString("challenge", text);
                }
            }), root => root.Clone(), cancellation).ConfigureAwait(false);
            // Its members are the broker's; docs/reference/broker.md has them.
            JsonOutput.Print(report.WriteTo);
            return ExitCode.Verified;
        }));
        return command;
    }

    private static DescribedCommand Manifest()
    {
        var options = new ServiceOptions();
        var file = new Argument<string>("file") { Description = "the manifest, as assay measure writes it, signed or not; - is standard input", HelpName = "FILE" };
        var keys = new Option<string?>("--keys") { Description = "the keys that may sign it, a JWK set", HelpName = "FILE" };
        var command = Of("manifest", "Puts a manifest of reference values into the log, as a policy with manifestLogged demands before it releases to one of its images.", [$"assay key manifest reference.json {Account}"], options, [keys], file);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            // A signed one is a text, and no JSON object.
            var (isSigned, path) = (parsed.GetValue(keys) is not null, parsed.GetValue(file)!);
            byte[]? text = null;
            if (isSigned && !InputFile.TryRead(path, MostPolicy, out text, out var whyNot))
            {
                Output.Error("cli.file", whyNot);
                return ExitCode.Unusable;
            }

            if (!TryJson("file", isSigned ? null : path, MostPolicy, out var manifest) || !TryJson("--keys", parsed.GetValue(keys), MostPolicy, out var set))
            {
                return ExitCode.Unusable;
            }

            var answer = await service.PostAsync("v1/manifests", ServiceConnection.Body(writer =>
            {
                Write(writer, "manifest", manifest);
                Write(writer, "keys", set);
                if (text is not null)
                {
                    writer.WriteString("manifest", Encoding.UTF8.GetString(text).TrimEnd());
                }
            }), root => (Digest: root.GetProperty("digest").GetString()!, Position: root.GetProperty("logPosition").GetInt64()), cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(options.IsJson(parsed), ("digest", answer.Digest), $"{answer.Digest} is entry {answer.Position} of the log");
        }));
        return command;
    }

    private static DescribedCommand Approvals()
    {
        var options = new ServiceOptions();
        var command = Of("approvals", "Lists the acts that wait for a second person, whole, with the digest that an approval names.", [$"assay key approvals {Account}"], options, []);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.PrintActs(await service.GetAsync("v1/approvals", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand Approve()
    {
        var options = new ServiceOptions();
        var id = new Argument<string>("act") { Description = "the act, as assay key approvals lists it", HelpName = "ACT" };
        var digest = new Option<string>("--digest") { Description = "SHA-384 of what you have read: the act is done only if it is this one", HelpName = "HEX", Required = true };
        var command = Of("approve", "Approves an act as the second person, logged in by OIDC or client certificate. It is done at once.", [$"assay key approve 0123456789abcdef0123456789abcdef --digest {new string('0', 96)} --service https://keys.example.org --credential login.jwt"], options, [digest], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            await service.PostAsync($"v1/approvals/{Uri.EscapeDataString(parsed.GetValue(id)!)}", ServiceConnection.Body(writer => writer.WriteString("digest", parsed.GetValue(digest))), cancellation).ConfigureAwait(false);
            return KeyPrinter.Print(options.IsJson(parsed), ("approved", parsed.GetValue(id)!), "approved, and done");
        }));
        return command;
    }

    // A change names the revision that it is of: what another makes in between is not undone unseen.
    private static async Task<int> ChangeAsync(ServiceConnection service, ParseResult parsed, ServiceOptions options, string id, string what, Action<Utf8JsonWriter> write, CancellationToken cancellation)
    {
        var revision = await service.GetAsync(PathOf(id), root => root.GetProperty("revision").GetInt64(), cancellation).ConfigureAwait(false);
        var answer = await service.PostAsync($"{PathOf(id)}/{what}", ServiceConnection.Body(writer =>
        {
            writer.WriteNumber("revision", revision);
            write(writer);
        }), cancellation).ConfigureAwait(false);
        if (answer.Length > 0)
        {
            // It waits for a second person.
            return KeyPrinter.PrintAct(JsonElement.Parse(answer), options.IsJson(parsed));
        }

        return KeyPrinter.Print(await service.GetAsync(PathOf(id), root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed));
    }

    private static DescribedCommand Of(string name, string description, string[] examples, ServiceOptions options, Option[] own, Argument? argument = null) =>
        options.AddTo(new DescribedCommand(name, description, ExitCodes, examples), own, argument);

    private static Argument<string> Id() => new("id") { Description = "the key's name: 1 to 64 of a-z, 0-9, hyphen and dot", HelpName = "ID" };

    private static Option<int> Bytes() => new Option<int>("--bytes") { Description = "how many random bytes, 16 to 4096", HelpName = "N", DefaultValueFactory = _ => 32 }.Within(16, 4096);

    private static string PathOf(string id) => $"v1/keys/{Uri.EscapeDataString(id)}";

    private static bool TrySecret(string? path, out byte[]? secret)
    {
        secret = null;
        if (path is null || InputFile.TryReadEveryByte(path, MostSecret, out secret, out var whyNot))
        {
            return true;
        }

        Output.Error("cli.file", $"--secret: {whyNot}");
        return false;
    }

    // Null where no file is given.
    private static bool TryJson(string option, string? path, int most, out JsonElement? json)
    {
        json = null;
        if (path is null)
        {
            return true;
        }

        if (!InputFile.TryRead(path, most, out var bytes, out var whyNot))
        {
            Output.Error("cli.file", $"{option}: {whyNot}");
            return false;
        }

        try
        {
            json = JsonElement.Parse(bytes);
            return true;
        }
        catch (JsonException exception)
        {
            Output.Error("cli.file", $"{option}: {path}: {exception.Message}");
            return false;
        }
    }

    private static void Write(Utf8JsonWriter writer, string name, JsonElement? json)
    {
        if (json is { } value)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
    }

    private static void Write(Utf8JsonWriter writer, byte[]? secret, int bytes)
    {
        if (secret is not null)
        {
            writer.WriteBase64String("secret", secret);
        }
        else
        {
            writer.WriteNumber("bytes", bytes);
        }
    }
}
