using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Cpu;

/// <summary>One TDX quote judged, with every choice that a relying party makes.</summary>
internal sealed record JudgedTdx
{
    private const string Folder = "cpu/tdx/";

    public required byte[] Quote { get; init; }
    public required DateTimeOffset At { get; init; }
    public TdxCollateral Collateral { get; init; } = TdxCollateral.Empty;
    public TrustSet Trust { get; init; } = TrustSet.BuiltIn;
    public VerifierCache Cache { get; init; } = new();
    public Func<TdxExpectations, TdxExpectations> With { get; init; } = expected => expected;

    public static JudgedTdx Recorded(string quote, string? collateral, string at) => new()
    {
        Quote = QuoteOf(quote),
        At = DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture),
        Collateral = collateral is null ? TdxCollateral.Empty : CollateralOf(collateral),
    };

    /// <summary>A recorded quote. That of go-tdx-guest ends with 39 bytes of text which are none of it.</summary>
    public static byte[] QuoteOf(string name)
    {
        var file = name.EndsWith(".hex", StringComparison.Ordinal) ? Tests.Recorded.Hex("cpu/" + name) : Tests.Recorded.Bytes("cpu/" + name);
        return name.EndsWith("SPR_E4.dat", StringComparison.Ordinal) ? file[..4935] : file;
    }

    public static TdxCollateral CollateralOf(string name) =>
        TdxCollateral.TryParse(Tests.Recorded.Bytes(Folder + name), out var collateral, out var fault) ? collateral : throw new InvalidOperationException(fault.ToString());

    public TdxExpectations Expectations() => With(new TdxExpectations
    {
        ReportData = null,
        References = null,
        Basis = new TrustBasis(new EvaluationTime(At, TimeSource.Stated), Trust, RevocationChecking.Required),
        RequireSeptVeDisable = true,
        RefuseMigratable = true,
        AcceptedServiceTds = [],
    });

    public TdxResult Result()
    {
        var expected = Expectations();
        return TdxAppraisal.Appraise(TdxAppraisal.Authenticate(Quote, expected, Cache), Collateral, expected, Cache);
    }

    /// <summary>The ids that did not hold, sorted as asked; what an earlier failure stopped is left out.</summary>
    public static string[] Failed(IEnumerable<Finding> findings) => [.. findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];
}
