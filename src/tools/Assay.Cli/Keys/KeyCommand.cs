using System.CommandLine;
using System.Text;
using System.Text.Json;
using Assay.Cli.Services;
using Assay.Client.Service;

namespace Assay.Cli.Keys;

/// <summary><c>assay key</c>: a model owner's side of the key broker (docs/reference/broker.md).</summary>
internal static partial class KeyCommand
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
        Rotate(), List(), Show(), Policy(),
        State("enable", "enabled", "Lets a disabled key be released again."),
        State("disable", "disabled", "Stops releases of a key until it is enabled. Takes back one that is being destroyed."),
        Destroy(), Freeze(), Unfreeze(), Freezes(), DryRun(), Manifest(), Approvals(), Approve(), Withdraw(),
    };

    private static DescribedCommand Make(string name, string description, bool isImport)
    {
        var (options, id) = (new ServiceOptions(), NewId());
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
            if (key.TryGetProperty("persons", out var persons) && !persons.GetBoolean())
            {
                await Console.Error.WriteLineAsync(NoPersons("changes of this key wait for a second person")).ConfigureAwait(false);
            }

            return KeyPrinter.Print(key, options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Rotate()
    {
        var (options, id, bytes, revision) = (new ServiceOptions(), Id(), Bytes(), Revision());
        var secret = new Option<string?>("--secret") { Description = "file whose bytes are the new version; random bytes, if it is not given", HelpName = "FILE" };
        var confirm = new Option<string?>("--confirm") { Description = "the id once more: expected where random bytes are to follow a secret that was imported", HelpName = "ID" };
        var command = Of("rotate", "Makes a further version, which is released from then on. Those before are kept, and not released.", [$"assay key rotate weights {Account}", $"assay key rotate weights --secret weights.key {Account}"], options, [bytes, secret, confirm, revision], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            if (parsed.GetValue(secret) is not null && parsed.GetResult(bytes) is { Implicit: false })
            {
                Output.Error("cli.arguments", "--secret and --bytes exclude each other: the file's bytes are the new version, all of them");
                return ExitCode.Unusable;
            }

            if (!TrySecret(parsed.GetValue(secret), out var given))
            {
                return ExitCode.Unusable;
            }

            var key = await service.GetAsync(PathOf(parsed.GetValue(id)!), root => root.Clone(), cancellation).ConfigureAwait(false);
            // A key of before this was kept may be either.
            var isMadeThere = key.TryGetProperty("imported", out var imported) && !imported.GetBoolean();
            if (given is null && !isMadeThere && key.TryGetProperty("version", out _) && parsed.GetValue(confirm) != parsed.GetValue(id))
            {
                Output.Error("cli.arguments", $"the secret of {parsed.GetValue(id)} was imported, and would be followed by random bytes that only machines get: --secret FILE imports the next one, --confirm {parsed.GetValue(id)} says that random bytes are meant");
                return ExitCode.Unusable;
            }

            return await ChangeAsync(service, parsed, options, (parsed.GetValue(id)!, parsed.GetValue(revision)), "rotate", writer => Write(writer, given, parsed.GetValue(bytes)), KeyPrinter.Rotated, cancellation).ConfigureAwait(false);
        }));
        return command;
    }

    private static DescribedCommand List()
    {
        var options = new ServiceOptions();
        var id = new Argument<string?>("id") { Description = "one key; all of the tenant, if it is not given", HelpName = "ID", Arity = ArgumentArity.ZeroOrOne };
        id.Validators.Add(result => Validate(result, KeyName.WhyNotNamed));
        var command = Of("list", "Lists keys, without their secrets.", [$"assay key list {Account}", $"assay key list weights --format json {Account}"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
            KeyPrinter.Print(await service.GetAsync(parsed.GetValue(id) is { } one ? PathOf(one) : "v1/keys", root => root.Clone(), cancellation).ConfigureAwait(false), options.IsJson(parsed))));
        return command;
    }

    private static DescribedCommand Show()
    {
        var (options, id) = (new ServiceOptions(), Id());
        var command = Of("show", "Shows one key, with its release policy as it was set. Its secret is shown by no command.", [$"assay key show weights {Account}"], options, [], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            var path = PathOf(parsed.GetValue(id)!);
            var key = await service.GetAsync(path, root => root.Clone(), cancellation).ConfigureAwait(false);
            JsonElement? policy = key.GetProperty("policyVersion").GetInt64() == 0 ? null : await service.GetAsync($"{path}/policy", root => root.Clone(), cancellation).ConfigureAwait(false);
            return KeyPrinter.PrintWhole(key, policy, options.IsJson(parsed));
        }));
        return command;
    }

    private static DescribedCommand Policy()
    {
        var (options, id, revision) = (new ServiceOptions(), Id(), Revision());
        var file = new Option<string>("--file") { Description = "the release policy, JSON; - is standard input", HelpName = "FILE", Required = true };
        var command = Of("policy", "Sets the release policy of a key: to which machines it is released.", [$"assay key policy weights --file release.json {Account}"], options, [file, revision], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            return TryJson("--file", parsed.GetValue(file)!, MostPolicy, out var policy)
                ? await ChangeAsync(service, parsed, options, (parsed.GetValue(id)!, parsed.GetValue(revision)), "policy", writer => Write(writer, "policy", policy), KeyPrinter.PolicySet, cancellation).ConfigureAwait(false)
                : ExitCode.Unusable;
        }));
        return command;
    }

    private static DescribedCommand State(string name, string state, string description)
    {
        var (options, id, revision) = (new ServiceOptions(), Id(), Revision());
        var command = Of(name, description, [$"assay key {name} weights {Account}"], options, [revision], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, service =>
            ChangeAsync(service, parsed, options, (parsed.GetValue(id)!, parsed.GetValue(revision)), "state", writer => writer.WriteString("state", state), tell: null, cancellation)));
        return command;
    }

    private static DescribedCommand Destroy()
    {
        var (options, id, revision) = (new ServiceOptions(), Id(), Revision());
        var confirm = new Option<string>("--confirm") { Description = "the id once more", HelpName = "ID", Required = true };
        var command = Of("destroy", "Deletes every version of a key, for good, when the broker's wait is over. It is not released from now on; assay key disable takes it back until then.", [$"assay key destroy weights --confirm weights {Account}"], options, [confirm, revision], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            if (parsed.GetValue(confirm) != parsed.GetValue(id))
            {
                Output.Error("cli.arguments", $"--confirm: {parsed.GetValue(id)} is expected");
                return ExitCode.Unusable;
            }

            return await ChangeAsync(service, parsed, options, (parsed.GetValue(id)!, parsed.GetValue(revision)), "state", writer => writer.WriteString("state", "destroyed"), tell: null, cancellation).ConfigureAwait(false);
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

    // A change names the revision that it is of: what another makes in between is not undone unseen.
    private static async Task<int> ChangeAsync(ServiceConnection service, ParseResult parsed, ServiceOptions options, (string Id, long? Revision) key, string what, Action<Utf8JsonWriter> write, Action<JsonElement, JsonElement?>? tell, CancellationToken cancellation)
    {
        var path = PathOf(key.Id);
        var revision = key.Revision ?? await service.GetAsync(path, root => root.GetProperty("revision").GetInt64(), cancellation).ConfigureAwait(false);
        var answer = await service.PostAsync($"{path}/{what}", ServiceConnection.Body(writer =>
        {
            writer.WriteNumber("revision", revision);
            write(writer);
        }), cancellation).ConfigureAwait(false);
        if (answer.Length > 0)
        {
            // It waits for a second person.
            return KeyPrinter.PrintAct(JsonElement.Parse(answer), options.IsJson(parsed));
        }

        var changed = await service.GetAsync(path, root => root.Clone(), cancellation).ConfigureAwait(false);
        KeyPrinter.Print(changed, options.IsJson(parsed));
        if (tell is not null && !options.IsJson(parsed))
        {
            tell(changed, what == "policy" ? await service.GetAsync($"{path}/policy", root => root.Clone(), cancellation).ConfigureAwait(false) : null);
        }

        return ExitCode.Verified;
    }

    private static DescribedCommand Of(string name, string description, string[] examples, ServiceOptions options, Option[] own, Argument? argument = null) =>
        options.AddTo(new DescribedCommand(name, description, ExitCodes, examples), own, argument);
}
