using System.CommandLine;
using System.Globalization;
using Assay.Cli.Audit;
using Assay.Cli.Services;
using Assay.Client.Guest;
using Assay.Client.Service;

namespace Assay.Cli.Keys;

/// <summary>
/// <c>assay release test-key</c>: whether this machine would get a key under a release policy, by a sample key that protects nothing. What was seen is left in a
/// folder, and no key of the tenant is touched.
/// </summary>
internal static class TestKeyCommand
{
    private const string ExitCodes = "0 the machine got the sample key, and opened it · 1 it did not · 2 unusable command line or file, or no agent · 3 the broker could not be reached";
    private const string Example = "assay release test-key --policy release.json --out report --log-key log.key --service https://keys.example.org --credential operator.key";
    private const int MostPolicy = 1024 * 1024;

    public static DescribedCommand Create() => new("release", "Tries the release of keys to this machine.", DescribedCommand.OfItsCommands, [Example]) { TestKey() };

    private static DescribedCommand TestKey()
    {
        var options = new ServiceOptions();
        var policy = new Option<string>("--policy") { Description = "the release policy of the real key, JSON", HelpName = "FILE", Required = true };
        var folder = new Option<string>("--out") { Description = "a folder that does not exist, for what was seen", HelpName = "DIR", Required = true };
        var agent = new Option<string>("--agent") { Description = "socket of this VM's agent", HelpName = "PATH", DefaultValueFactory = _ => GuestAgentClient.DefaultSocket };
        var key = LogKeyOption.Create();
        var command = options.AddTo(
            new DescribedCommand("test-key", "In a VM: makes a sample key with the policy, asks for it with this VM's evidence, opens it, destroys it, and leaves guest log, verdict, log entry and the broker's health in a folder. The credential needs the scopes broker, release, read and audit.", ExitCodes, [Example]),
            [policy, folder, agent, key], argument: null);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, service => RunAsync(service, (parsed.GetValue(policy)!, parsed.GetValue(folder)!, parsed.GetValue(agent)!, parsed.GetValue(key)!), options.IsJson(parsed), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ServiceConnection service, (string Policy, string Folder, string Agent, string LogKey) given, bool json, CancellationToken cancellation)
    {
        if (!InputFile.TryRead(given.Policy, MostPolicy, out var policy, out var whyNot))
        {
            Output.Error("cli.file", $"--policy: {whyNot}");
            return ExitCode.Unusable;
        }

        if (Path.Exists(given.Folder))
        {
            Output.Error("cli.file", $"--out: {given.Folder} exists: name a folder that does not");
            return ExitCode.Unusable;
        }

        if (!LogKeyOption.TryRead(given.LogKey, out var log))
        {
            return ExitCode.Unusable;
        }

        using (log)
        {
            using var agent = new GuestAgentClient(given.Agent);
            var trial = new TestKeyTrial(service, agent, log, given.Folder);
            try
            {
                return Tell(await trial.RunAsync(policy, cancellation).ConfigureAwait(false), given.Folder, json);
            }
            catch (AgentException exception)
            {
                Output.Error(exception.Id, $"{exception.Reason}; {exception.Cure}");
                return ExitCode.Unusable;
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
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Output.Error("cli.file", exception.Message);
                return ExitCode.Unusable;
            }
        }
    }

    private static int Tell(TestKeyResult result, string folder, bool json)
    {
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("released", result.IsOpened);
                writer.WriteNumber("logPosition", result.LogPosition);
                writer.WriteStartArray("failed");
                foreach (var id in result.Failed)
                {
                    writer.WriteStringValue(id);
                }

                writer.WriteEndArray();
                writer.WriteString("folder", folder);
                writer.WriteEndObject();
            });
        }
        else
        {
            var why = result.Failed.IsEmpty ? "" : $": {string.Join(", ", result.Failed)} (assay explain CHECK says what to do)";
            var what = result.IsOpened ? "this machine got the sample key and opened it" : $"this machine does not get the key{why}";
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}; entry {result.LogPosition} of the log, more in {folder}"));
        }

        return result.IsOpened ? ExitCode.Verified : ExitCode.Refused;
    }
}
