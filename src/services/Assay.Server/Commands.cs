using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
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

    public static bool TryRead(string path, out ServerConfiguration? configuration, bool listens = true)
    {
        if (ServerConfiguration.TryRead(path, Environment.GetEnvironmentVariable, out configuration, out var faults, listens))
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
                var (roles, addresses) = (string.Join(" and ", configuration!.Options.Roles), host.Addresses);
                var served = configuration.Management is null ? addresses.Length : addresses.Length - 1;
                foreach (var (index, address) in addresses.Index())
                {
                    Console.Out.WriteLine(index < served ? $"serving {roles} on {address}" : $"management on {address}");
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

    internal static void Log(ILoggingBuilder logging)
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
        var file = new Argument<string?>("file") { Description = "where the key is to be: it must not exist, unless it is taken from another file", HelpName = "FILE", Arity = ArgumentArity.ZeroOrOne };
        var config = new Option<string?>("--config", "-c") { Description = "makes the key where this configuration file says, a file or a PKCS#11 token, in place of FILE; for AWS KMS and Vault it says how the key is made there", HelpName = "FILE" };
        var from = new Option<string?>("--from") { Description = "takes the key out of this file, in which an orchestrator hands it over, in place of making one", HelpName = "FILE" };
        var command = new Command("init-key", "Makes a key encryption key: a file, mode 0600, or a key in a PKCS#11 token. Back it up: without it the database cannot be read.") { file, from, config };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(file), parsed.GetValue(from), parsed.GetValue(config), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? file, string? from, string? config, CancellationToken cancellation)
    {
        if (file is null == config is null)
        {
            Console.Error.WriteLine("assay-server: service.arguments: exactly one of FILE and --config is expected");
            return ServerExit.Unusable;
        }

        if (config is null)
        {
            return Write(file!, from);
        }

        if (!ServerExit.TryRead(config, out var configuration, listens: false))
        {
            return ServerExit.Unusable;
        }

        var kek = configuration!.Options.Kek;
        if (kek.File is { } path)
        {
            return Write(path, from);
        }

        if (from is not null)
        {
            Console.Error.WriteLine("assay-server: service.arguments: --from: the key of this back-end is made in it, and taken from no file");
            return ServerExit.Unusable;
        }

        // Who uses a key there needs no right to make one: the server has none.
        if (kek.Pkcs11 is not { } token)
        {
            return ServerExit.Tell(new ServiceException("service.kek.create", kek.AwsKms is { } aws
                ? $"a key of AWS KMS is made by its own tools, and not by the server: symmetric, for encryption and decryption (aws kms create-key). Then kek.awsKms.key is its ARN; configured is {aws.Key}"
                : $"a key of Vault is made by its own tools, and not by the server: vault write -f {kek.Vault!.Mount}/keys/{kek.Vault.Key} type=aes256-gcm96"));
        }

        try
        {
            var id = await token.CreateKeyAsync(cancellation).ConfigureAwait(false);
            Console.Error.WriteLine(Printable.Of($"key {id} made in the token \"{token.Token}\" with the label \"{token.Key}\": back the token up as its maker says, the key cannot leave it"));
            return ServerExit.Done;
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
    }

    private static int Write(string file, string? from)
    {
        try
        {
            if (from is null)
            {
                KeyEncryptionKey.Create(file);
            }
            else
            {
                KeyEncryptionKey.Take(from, file);
            }

            Console.Error.WriteLine(Printable.Of($"key written to {file}, mode 0600: back it up apart from the database"));
            return ServerExit.Done;
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return ServerExit.Tell(new ServiceException("service.kek.create", exception.Message, exception));
        }
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
        if (!ServerExit.TryRead(path, out var configuration, listens: false))
        {
            return ServerExit.Unusable;
        }

        var fault = !TenantStore.IsId(tenant) ? "--tenant: 1 to 40 of a-z, 0-9 and hyphen are expected"
            : days is <= 0 or > 3650 ? "--days: 1 to 3650 are expected"
            : name.Length is 0 or > 100 ? "--name: 1 to 100 characters are expected"
            // The operator's scope rules every tenant: a key of it must not look like one of a tenant's.
            : scopes.Contains(Scopes.Operator) && tenant != TenantStore.Operators ? $"--scope {Scopes.Operator}: only for the tenant {TenantStore.Operators}, which is meant where --tenant is not given"
            : null;
        if (fault is not null)
        {
            Console.Error.WriteLine($"assay-server: service.arguments: {fault}");
            return ServerExit.Unusable;
        }

        try
        {
            using var wrapper = await configuration!.Options.Kek.OpenAsync(cancellation).ConfigureAwait(false);
            var database = ServiceDatabase.Of(configuration.Options.Database);
            await using (database.ConfigureAwait(false))
            {
                await database.PrepareAsync(ServerHost.SchemaOf(configuration), cancellation).ConfigureAwait(false);
                using var kek = await DatabaseKey.OpenAsync(wrapper, database, cancellation).ConfigureAwait(false);
                var commits = new GroupCommit(database, kek, TimeProvider.System);
                await using (commits.ConfigureAwait(false))
                {
                    await new TenantStore(database, commits, TimeProvider.System).CreateAsync(tenant, null, "command", cancellation).ConfigureAwait(false);
                    var (key, description) = await new ApiKeyStore(database, commits, kek, TimeProvider.System).CreateAsync(tenant, name, scopes, days is { } span ? TimeSpan.FromDays(span) : null, "command", cancellation).ConfigureAwait(false);
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
