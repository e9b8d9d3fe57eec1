using Assay.Benchmarks;

return args is ["collateral", .. var rest] ? await CollateralLoad.RunAsync(rest).ConfigureAwait(false) : Suite.Run(args);
