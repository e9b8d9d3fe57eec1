using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Assay.Attestation;
using Assay.Service;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Wire;

namespace Assay.Server;

/// <summary>Exit codes: 0 it was done · 1 it cannot be done · 2 unusable command line or configuration · 70 a bug.</summary>
internal static class ServerExit
{
    public const int Done = 0;
    public const int NotDone = 1;
    public const int Unusable = 2;

    public static Option<string> Configuration() => new("--config", "-c") { Description = "the configuration file, JSON", HelpName = "FILE", Required = true };

    public static bool TryRead(string path, out ServerConfiguration? configuration)
    {
        if (ServerConfiguration.TryRead(path, Environment.GetEnvironmentVariable, out configuration, out var faults))
        {
            return true;
        }

        foreach (var fault in faults)
        {
            Console.Error.WriteLine(Printable.Of($"assay-server: service.configuration: {fault}"));
        }

        return false;
    }

    public static int Tell(ServiceException exception)
    {
        Console.Error.WriteLine(Printable.Of($"assay-server: {exception.Id}: {exception.Message}"));
        return NotDone;
    }
}

/// <summary><c>assay-server run</c>.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var config = ServerExit.Configuration();
        var command = new Command("run", "Runs the roles that the configuration names until it is interrupted.") { config };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(config)!, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string path, CancellationToken cancellation)
    {
        if (!ServerExit.TryRead(path, out var configuration))
        {
            return ServerExit.Unusable;
        }

        try
        {
            var host = await ServerHost.StartAsync(configuration!, TimeProvider.System, Log, cancellation).ConfigureAwait(false);
            await using (host.ConfigureAwait(false))
            {
                foreach (var address in host.Addresses)
                {
                    Console.Out.WriteLine($"serving {string.Join(" and ", configuration!.Options.Roles)} on {address}");
                }

                await Console.Out.FlushAsync(CancellationToken.None).ConfigureAwait(false);
                await host.RunAsync(cancellation).ConfigureAwait(false);
            }

            return ServerExit.Done;
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
    }

    private static void Log(ILoggingBuilder logging)
    {
        logging.AddJsonConsole(console => console.UseUtcTimestamp = true);
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }
}

/// <summary><c>assay-server init-key</c>.</summary>
internal static class InitKeyCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "where the key is to be: it must not exist", HelpName = "FILE" };
        var command = new Command("init-key", "Makes a key encryption key, mode 0600. Back it up: without it the database cannot be read.") { file };
        command.SetAction(parsed =>
        {
            try
            {
                KeyEncryptionKey.Create(parsed.GetValue(file)!);
                return ServerExit.Done;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                return ServerExit.Tell(new ServiceException("service.kek.create", exception.Message, exception));
            }
        });
        return command;
    }
}

/// <summary><c>assay-server create-key</c>: the first API key, before there is one that could make another.</summary>
internal static class CreateKeyCommand
{
    public static Command Create()
    {
        var config = ServerExit.Configuration();
        var tenant = new Option<string>("--tenant") { Description = "whose it is; made where there is none of the name", HelpName = "ID", DefaultValueFactory = _ => TenantStore.Operators };
        var name = new Option<string>("--name") { Description = "what it is for", HelpName = "TEXT", DefaultValueFactory = _ => "first key" };
        var scopes = new Option<string[]>("--scope") { Description = $"what it may do: {string.Join(", ", Scopes.All)}", HelpName = "SCOPE", Required = true, AllowMultipleArgumentsPerToken = true };
        scopes.AcceptOnlyFromAmong([.. Scopes.All]);
        var days = new Option<int?>("--days") { Description = "how long it lives; until it is revoked when not given", HelpName = "N" };
        var command = new Command("create-key", "Makes an API key in the database and prints it, once.") { config, tenant, name, scopes, days };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(config)!, parsed.GetValue(tenant)!, parsed.GetValue(name)!, [.. parsed.GetValue(scopes)!], parsed.GetValue(days), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string path, string tenant, string name, ImmutableArray<string> scopes, int? days, CancellationToken cancellation)
    {
        if (!ServerExit.TryRead(path, out var configuration))
        {
            return ServerExit.Unusable;
        }

        if (!TenantStore.IsId(tenant) || days is <= 0)
        {
            Console.Error.WriteLine("assay-server: service.arguments: --tenant: 1 to 40 of a-z, 0-9 and hyphen are expected; --days: at least 1");
            return ServerExit.Unusable;
        }

        try
        {
            using var kek = KeyEncryptionKey.Read(configuration!.Options.Kek);
            var database = ServiceDatabase.Of(configuration.Options.Database);
            await using (database.ConfigureAwait(false))
            {
                await database.PrepareAsync(AttestationRole.Schema, cancellation).ConfigureAwait(false);
                var commits = new GroupCommit(database, kek, TimeProvider.System);
                await using (commits.ConfigureAwait(false))
                {
                    await new TenantStore(database, commits, TimeProvider.System).CreateAsync(tenant, null, "command", cancellation).ConfigureAwait(false);
                    var (key, description) = await new ApiKeyStore(database, commits, TimeProvider.System).CreateAsync(tenant, name, scopes, days is { } span ? TimeSpan.FromDays(span) : null, "command", cancellation).ConfigureAwait(false);
                    Console.Out.WriteLine(key);
                    Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"key {description.Id} of tenant {tenant}, {string.Join(" ", scopes)}: shown this once"));
                }
            }

            return ServerExit.Done;
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
    }
}
