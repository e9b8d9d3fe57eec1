using System.CommandLine;
using System.Globalization;
using Assay.Attestation;
using Assay.Broker;
using Assay.Service;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Wire;

namespace Assay.Server;

/// <summary><c>assay-server rewrap</c>: brings a database under another key encryption key.</summary>
internal static class RewrapCommand
{
    public static Command Create()
    {
        var config = ServerExit.Configuration();
        var to = new Option<string>("--to") { Description = "the configuration file as it will be: the same but for kek", HelpName = "FILE", Required = true };
        var command = new Command("rewrap", "Brings everything in the database under another key encryption key. The servers must be stopped meanwhile. If it is interrupted, run it again: it goes on.") { config, to };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(config)!, parsed.GetValue(to)!, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string path, string to, CancellationToken cancellation)
    {
        if (!ServerExit.TryRead(path, out var before, listens: false) || !ServerExit.TryRead(to, out var after, listens: false))
        {
            return ServerExit.Unusable;
        }

        if (before!.Options.Database != after!.Options.Database)
        {
            Console.Error.WriteLine("assay-server: service.configuration: --to: the same database is expected: only kek may differ");
            return ServerExit.Unusable;
        }

        try
        {
            using var old = await before.Options.Kek.OpenAsync(cancellation).ConfigureAwait(false);
            using var next = await after.Options.Kek.OpenAsync(cancellation).ConfigureAwait(false);
            var database = ServiceDatabase.OfOne(before.Options.Database);
            await using (database.ConfigureAwait(false))
            {
                // Of all roles: the database may have been served with others.
                await database.PrepareAsync([.. AttestationRole.Schema, .. BrokerRole.Schema], cancellation).ConfigureAwait(false);
                var counts = await Rewrap.RunAsync(database, old, next, [.. ServiceKernel.SealedColumns, .. AttestationRole.SealedColumns, .. BrokerRole.SealedColumns], TimeProvider.System, cancellation).ConfigureAwait(false);
                foreach (var count in counts)
                {
                    Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{count.Kind}: {count.Rewrapped} re-wrapped{(count.Before == 0 ? "" : $", {count.Before} before")}"));
                }

                Console.Out.WriteLine(Printable.Of(counts.IsEmpty ? $"nothing to do: the database is under the kek {next.Id}" : $"done: the database is under the kek {next.Id}. Start the servers with {to}, and keep the old kek as long as backups from before"));
            }

            return ServerExit.Done;
        }
        catch (ServiceException exception)
        {
            return ServerExit.Tell(exception);
        }
    }
}
