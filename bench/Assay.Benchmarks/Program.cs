using Assay.Benchmarks;

return Suite.Run(args);
