using Assay.Benchmarks;

return args switch
{
    ["collateral", .. var rest] => await CollateralLoad.RunAsync(rest).ConfigureAwait(false),
    ["broker", .. var rest] => await BrokerLoad.RunAsync(rest).ConfigureAwait(false),
    ["serve", .. var rest] => await ServeLoad.RunAsync(rest).ConfigureAwait(false),
    _ => Suite.Run(args),
};
