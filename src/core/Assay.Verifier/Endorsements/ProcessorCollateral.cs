using System.Collections.Immutable;

namespace Assay.Endorsements;

/// <summary>What a processor's verification needs beside its evidence, as bytes that were fetched or given. Nothing of it is believed.</summary>
public sealed record ProcessorCollateral
{
    /// <summary>Nothing at hand.</summary>
    public static ProcessorCollateral Empty { get; } = new();

    /// <summary>For TDX quotes.</summary>
    public TdxCollateral Tdx { get; init; } = TdxCollateral.Empty;

    /// <summary>For SNP reports.</summary>
    public SnpCollateral Snp { get; init; } = SnpCollateral.Empty;

    /// <summary>This, and certificates that came along with the evidence: they are checked like any other.</summary>
    internal ProcessorCollateral And(ImmutableArray<ReadOnlyMemory<byte>> certificates) =>
        certificates.IsEmpty ? this : this with { Snp = Snp with { Certificates = [.. Snp.Certificates, .. certificates] } };

    /// <summary>
    /// This, and from another what is not in it; of revocation lists and of Intel's statements both, for an older one that was given must not
    /// hide what a later one says.
    /// </summary>
    internal ProcessorCollateral Or(ProcessorCollateral other) => new()
    {
        Tdx = new TdxCollateral
        {
            TcbInfo = Tdx.TcbInfo ?? other.Tdx.TcbInfo,
            QeIdentity = Tdx.QeIdentity ?? other.Tdx.QeIdentity,
            PckCrl = Tdx.PckCrl ?? other.Tdx.PckCrl,
            RootCrl = Tdx.RootCrl ?? other.Tdx.RootCrl,
            OtherTcbInfo = More(Tdx.TcbInfo, Tdx.OtherTcbInfo, other.Tdx.TcbInfo, other.Tdx.OtherTcbInfo),
            OtherQeIdentities = More(Tdx.QeIdentity, Tdx.OtherQeIdentities, other.Tdx.QeIdentity, other.Tdx.OtherQeIdentities),
            OtherPckCrls = More(Tdx.PckCrl, Tdx.OtherPckCrls, other.Tdx.PckCrl, other.Tdx.OtherPckCrls),
            OtherRootCrls = More(Tdx.RootCrl, Tdx.OtherRootCrls, other.Tdx.RootCrl, other.Tdx.OtherRootCrls),
        },
        Snp = new SnpCollateral
        {
            Certificates = [.. Snp.Certificates, .. other.Snp.Certificates],
            Crl = Snp.Crl ?? other.Snp.Crl,
            OtherCrls = More(Snp.Crl, Snp.OtherCrls, other.Snp.Crl, other.Snp.OtherCrls),
        },
    };

    // What was fetched is tried before what else was given: the many that a folder can hold must not keep it out.
    private static ImmutableArray<T> More<T>(T? first, ImmutableArray<T> others, T? second, ImmutableArray<T> seconds)
        where T : class =>
        first is null || second is null ? [.. others, .. seconds] : [second, .. others, .. seconds];

    private static ImmutableArray<T> More<T>(T? first, ImmutableArray<T> others, T? second, ImmutableArray<T> seconds)
        where T : struct =>
        first is null || second is not { } next ? [.. others, .. seconds] : [next, .. others, .. seconds];
}
