using System.CommandLine;
using Assay.Server;

var command = new RootCommand("Assay's services: attestation and collateral, by configuration.")
{
    RunCommand.Create(), InitKeyCommand.Create(), CreateKeyCommand.Create(),
};
return await command.Parse(args).InvokeAsync().ConfigureAwait(false);
