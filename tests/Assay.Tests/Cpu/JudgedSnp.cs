using System.Collections.Immutable;
using Assay.Appraisal.Snp;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Cpu;

/// <summary>One SNP report judged, with every choice that a relying party makes.</summary>
internal sealed record JudgedSnp
{
    private const int AzureReportOffset = 32;

    public required byte[] Report { get; init; }
    public required DateTimeOffset At { get; init; }
    public SnpCollateral Collateral { get; init; } = SnpCollateral.Empty;
    public TrustSet Trust { get; init; } = TrustSet.BuiltIn;
    public VerifierCache Cache { get; init; } = new();
    public Func<SnpExpectations, SnpExpectations> With { get; init; } = expected => expected;

    /// <summary>The three recorded reports. No revocation list of AMD's was ever recorded, so none is asked about.</summary>
    public static JudgedSnp Recorded(string name, string at) => new()
    {
        Report = ReportOf(name),
        At = DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture),
        Collateral = new SnpCollateral { Certificates = CertificatesOf(name) },
        With = expected => expected with { Basis = expected.Basis with { Revocation = RevocationChecking.DangerouslySkipped } },
    };

    public static byte[] ReportOf(string name) => name switch
    {
        "dstack" => Tests.Recorded.Bytes("cpu/snp/dstack/report.bin"),
        "trustee" => Tests.Recorded.Bytes("cpu/snp/trustee/test-report.bin"),
        _ => Tests.Recorded.Bytes("cpu/az-vtpm/az-snp-vtpm/hcl-report.bin")[AzureReportOffset..(AzureReportOffset + SnpReport.Size)],
    };

    public static ImmutableArray<ReadOnlyMemory<byte>> CertificatesOf(string name) => name switch
    {
        "dstack" => [.. Read("snp/dstack/vcek.der"), .. Read("snp/dstack/sev_snp_ask.pem"), .. Read("roots/ask_ark_milan.pem")],
        "trustee" => [.. Read("snp/trustee/test-vcek.der"), .. Read("roots/ask_ark_milan.pem")],
        _ => [.. Read("az-vtpm/az-snp-vtpm/vcek.pem")],
    };

    public static ImmutableArray<ReadOnlyMemory<byte>> Read(string path) =>
        SnpCollateral.TryReadCertificates(Tests.Recorded.Bytes("cpu/" + path), out var certificates, out var fault) ? certificates : throw new InvalidOperationException(fault.ToString());

    public SnpExpectations Expectations() => With(new SnpExpectations
    {
        ReportData = null,
        References = null,
        MinimumTcb = null,
        AcceptedSigningKeys = [SnpSigningKey.Vcek],
        AcceptedVmpls = [0],
        RefuseMigrationAgent = true,
        Basis = new TrustBasis(new EvaluationTime(At, TimeSource.Stated), Trust, RevocationChecking.Required),
    });

    public SnpResult Result() => SnpAppraisal.Appraise(Report, Collateral, Expectations(), Cache);
}
