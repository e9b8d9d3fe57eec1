using Assay.Simulator.Cli;

return await SimulatorCommandLine.RunAsync(args).ConfigureAwait(false);
