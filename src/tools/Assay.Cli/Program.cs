using Assay.Cli;

return await CommandLine.RunAsync(args).ConfigureAwait(false);
