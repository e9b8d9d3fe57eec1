using Assay.Appraisal.Tdx;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Tests.Fuzz;
using Assay.Tests.Properties;

namespace Assay.Tests.Cpu;

/// <summary>S-26 for processors: any flipped bit is refused or decodes to the identical value, and whatever was cut off is refused.</summary>
public class CpuPropertyTests
{
    private const int Sample = 61;

    public static TheoryData<string> Quotes => ["recorded version 4", "recorded version 5", "simulated version 5 with TDX 1.0"];

    public static TheoryData<string> Reports => ["recorded version 3", "simulated Turin version 5", "simulated Milan version 2"];

    [Theory]
    [MemberData(nameof(Quotes))]
    public void A_quote_with_any_flipped_bit_is_refused_or_is_another_quote(string name)
    {
        var whole = Quote(name).Quote;
        Assert.True(TdxQuote.TryParse(whole, out var genuine, out _));
        foreach (var flipped in FlipTests.Flips(whole, 1))
        {
            if (TdxQuote.TryParse(flipped, out var quote, out var fault))
            {
                // Every byte is signed, a signature, or a certificate: nothing is skipped, so a flip cannot hide.
                Assert.NotEqual(Parts(genuine), Parts(quote));
            }
            else
            {
                Assert.NotNull(fault);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Quotes))]
    public void A_quote_with_a_flipped_bit_is_not_authentic_or_says_the_same(string name) => NoQuoteSurvives(name, Sample);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Quotes))]
    public void No_flipped_bit_at_all_of_a_quote_says_anything_else(string name) => NoQuoteSurvives(name, 1);

    [Theory]
    [MemberData(nameof(Quotes))]
    public void Every_prefix_that_cuts_more_than_padding_is_refused(string name)
    {
        var whole = Quote(name).Quote;
        Assert.True(TdxQuote.TryParse(whole, out var genuine, out _));
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Equal(length >= genuine.Bytes.Length, TdxQuote.TryParse(whole.AsSpan(0, length), out _, out _));
        }
    }

    [Theory]
    [MemberData(nameof(Reports))]
    public void A_report_with_any_flipped_bit_is_refused_or_is_another_report(string name)
    {
        var whole = Report(name).Report;
        foreach (var flipped in FlipTests.Flips(whole, 1))
        {
            if (SnpReport.TryParse(flipped, out var report, out var fault))
            {
                Assert.True(flipped.AsSpan().SequenceEqual(report.Bytes.Span));
                Assert.True(SnpReport.TryParse(whole, out var genuine, out _));
                Assert.False(genuine.SignedBytes.Span.SequenceEqual(report.SignedBytes.Span) && genuine.Signature.Span.SequenceEqual(report.Signature.Span));
            }
            else
            {
                Assert.NotNull(fault);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Reports))]
    public void A_report_with_a_flipped_bit_is_not_authentic(string name) => NoReportSurvives(name, Sample);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Reports))]
    public void No_flipped_bit_at_all_leaves_a_report_authentic(string name) => NoReportSurvives(name, 1);

    [Theory]
    [MemberData(nameof(Reports))]
    public void Every_prefix_and_every_extension_of_a_report_is_refused(string name)
    {
        var whole = Report(name).Report;
        Assert.All(Enumerable.Range(0, whole.Length), length => Assert.False(SnpReport.TryParse(whole.AsSpan(0, length), out _, out _)));
        Assert.False(SnpReport.TryParse([.. whole, 0], out _, out _));
    }

    [Fact]
    public void Collateral_with_a_flipped_bit_is_refused_or_says_the_same() => NoCollateralSurvives(499);

    [Fact]
    [Trait("Category", "Soak")]
    public void No_flipped_bit_at_all_of_collateral_says_anything_else() => NoCollateralSurvives(1);

    [Fact]
    public void Every_prefix_of_a_statement_and_of_collateral_is_refused()
    {
        var made = SimulatedTdx.Create(SimulatedCpu.Intel, 4, is15: false, SimulatedCpu.Data);
        Assert.True(TdxCollateral.TryParse(made.Collateral, out var collateral, out _));
        var (info, identity) = (collateral.TcbInfo!.Content.ToArray(), collateral.QeIdentity!.Content.ToArray());
        Assert.All(Enumerable.Range(0, info.Length), length => Assert.False(TcbInfo.TryParse(info.AsSpan(0, length), out _, out _)));
        Assert.All(Enumerable.Range(0, identity.Length), length => Assert.False(QeIdentity.TryParse(identity.AsSpan(0, length), out _, out _)));
        for (var length = 0; length < made.Collateral.Length; length += 31)
        {
            Assert.False(TdxCollateral.TryParse(made.Collateral.AsSpan(0, length), out _, out _));
        }
    }

    [Fact]
    public void Every_prefix_of_a_certificate_table_is_refused()
    {
        var certificates = SimulatedCpu.Snp(SnpLine.Milan, 3, vlek: false).Collateral.Certificates;
        var table = FuzzTargets.Table([certificates[2].ToArray(), certificates[1].ToArray()]);

        Assert.True(SnpCertificateTable.TryParse(table, out var read, out var fault), fault?.ToString());
        Assert.Equal(2, read.Length);
        Assert.True(read[0].Span.SequenceEqual(certificates[2].Span) && read[1].Span.SequenceEqual(certificates[1].Span));
        Assert.All(Enumerable.Range(0, table.Length), length => Assert.False(SnpCertificateTable.TryParse(table.AsSpan(0, length), out _, out _)));
    }

    [Fact]
    public void Members_that_stand_twice_or_are_of_another_type_are_refused()
    {
        var text = System.Text.Encoding.UTF8.GetString(SimulatedCpu.Tdx(4, false).Collateral.TcbInfo!.Content.Span);
        (string From, string To)[] changes =
        [
            ("\"version\":3", "\"version\":3,\"version\":3"), ("\"version\":3", "\"version\":3.5"), ("\"version\":3", "\"version\":\"3\""),
            ("\"pcesvn\":13", "\"pcesvn\":65536"), ("{\"svn\":3}", "{\"svn\":256}"), ("{\"svn\":3},", ""), ("UpToDate", "uptodate"), ("UpToDate", "1"),
            ("\"fmspc\":\"90C06F000000\"", "\"fmspc\":\"90C06F0000\""), ("T00:00:00Z\"", "T00:00:00\""), ("\"tcbType\":0", "\"tcbType\":1"), ("\"id\":\"TDX\"", "\"id\":\"SGX\""),
        ];

        Assert.True(TcbInfo.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out _, out _));
        foreach (var (from, to) in changes)
        {
            var at = text.IndexOf(from, StringComparison.Ordinal);
            Assert.True(at >= 0, from);
            var changed = text[..at] + to + text[(at + from.Length)..];
            Assert.False(TcbInfo.TryParse(System.Text.Encoding.UTF8.GetBytes(changed), out _, out var fault), $"{from} → {to}");
            Assert.NotNull(fault);
        }
    }

    private static void NoQuoteSurvives(string name, int step)
    {
        var judged = Quote(name);
        var expected = judged.Expectations();
        var genuine = TdxAppraisal.Authenticate(judged.Quote, expected, judged.Cache).Quote!;
        var survivors = 0;
        foreach (var flipped in FlipTests.Flips(judged.Quote, step))
        {
            if (TdxAppraisal.Authenticate(flipped, expected, judged.Cache).Quote is { } quote)
            {
                // PEM armour and line ends are covered by nothing; the certificates in them are.
                survivors++;
                Assert.True(genuine.Quote.SignedBytes.Span.SequenceEqual(quote.Quote.SignedBytes.Span));
                Assert.Equal(genuine.Path.Certificates.Select(certificate => certificate.Fingerprint), quote.Path.Certificates.Select(certificate => certificate.Fingerprint));
            }
        }

        Assert.InRange(survivors, 0, judged.Quote.Length * 8 / step / 20);
    }

    private static void NoReportSurvives(string name, int step)
    {
        var judged = Report(name);
        Assert.NotNull(judged.Result().Report);
        foreach (var flipped in FlipTests.Flips(judged.Report, step))
        {
            Assert.Null((judged with { Report = flipped }).Result().Report);
        }
    }

    private static void NoCollateralSurvives(int step)
    {
        var judged = SimulatedCpu.Tdx(4, false);
        var made = SimulatedTdx.Create(SimulatedCpu.Intel, 4, is15: false, SimulatedCpu.Data);
        Assert.True(TdxCollateral.TryParse(made.Collateral, out var genuine, out _));
        judged = judged with { Quote = made.Quote, Collateral = genuine };
        Assert.True(judged.Result().Passed);
        foreach (var flipped in FlipTests.Flips(made.Collateral, step))
        {
            if (TdxCollateral.TryParse(flipped, out var collateral, out var fault) && (judged with { Collateral = collateral }).Result().Passed)
            {
                // Case of hexadecimal, PEM armour, and the chain that is not used.
                Assert.True(genuine.TcbInfo!.Content.Span.SequenceEqual(collateral.TcbInfo!.Content.Span));
                Assert.True(genuine.QeIdentity!.Content.Span.SequenceEqual(collateral.QeIdentity!.Content.Span));
                Assert.True(genuine.PckCrl!.Value.Span.SequenceEqual(collateral.PckCrl!.Value.Span));
                Assert.True(genuine.RootCrl!.Value.Span.SequenceEqual(collateral.RootCrl!.Value.Span));
            }
            else
            {
                Assert.True(collateral is not null || fault is not null);
            }
        }
    }

    private static IEnumerable<string> Parts(TdxQuote quote) => new[]
    {
        quote.SignedBytes, quote.Signature, quote.AttestationKey, quote.QeReport.Bytes, quote.QeReportSignature, quote.QeAuthenticationData, quote.PckChain,
    }.Select(part => Convert.ToHexString(part.Span));

    private static JudgedTdx Quote(string name) => name switch
    {
        "recorded version 4" => JudgedTdx.Recorded("tdx/tdx_quote", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z"),
        "recorded version 5" => JudgedTdx.Recorded("tdx/tdx_quote_outdated", "tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z"),
        _ => SimulatedCpu.Tdx(5, false),
    };

    private static JudgedSnp Report(string name) => name switch
    {
        "recorded version 3" => JudgedSnp.Recorded("dstack", "2026-07-01T00:00:00Z"),
        "simulated Turin version 5" => SimulatedCpu.Snp(SnpLine.Turin, 5, false),
        _ => SimulatedCpu.Snp(SnpLine.Milan, 2, false),
    };
}
