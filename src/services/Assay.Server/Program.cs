return await Assay.Server.CommandLine.RunAsync(args).ConfigureAwait(false);
