namespace Assay.Endorsements;

/// <summary>What a processor's verification needs beside its evidence, as bytes that were fetched or given. Nothing of it is believed.</summary>
public sealed record CpuCollateral
{
    /// <summary>Nothing at hand.</summary>
    public static CpuCollateral Empty { get; } = new();

    /// <summary>For TDX quotes.</summary>
    public TdxCollateral Tdx { get; init; } = TdxCollateral.Empty;

    /// <summary>For SNP reports.</summary>
    public SnpCollateral Snp { get; init; } = SnpCollateral.Empty;
}
