using System.Text;
using System.Text.Json;
using Assay.Simulator;

namespace Assay.Tests.Cpu;

/// <summary>What speed is made of, as counts: they are the same on every machine.</summary>
public class CpuOperationCountTests
{
    [Fact]
    public void A_TDX_quote_costs_nine_signatures_and_once_more_one()
    {
        var judged = JudgedTdx.Recorded("tdx/tdx_quote", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z");

        // Quote, QE report, PCK chain 2, TCB signing certificate, TCB information, QE identity, two revocation lists.
        Assert.Equal(9, Cost(judged));
        // The same platform and collateral again: the quote's own.
        Assert.Equal(1, Cost(judged));
        Assert.Equal(1, Cost(judged));
    }

    [Fact]
    public void Keys_are_imported_once()
    {
        var judged = SimulatedCpu.Tdx(5, true);
        judged.Result();
        var imports = judged.Cache.Meter.KeyImports;
        judged.Result();

        Assert.Equal(imports, judged.Cache.Meter.KeyImports);
        // Attestation key, PCK, its CA, the statements' signer, and the root, which may have been imported before as an anchor.
        Assert.InRange(imports, 4, 5);
    }

    [Fact]
    public void An_anchor_is_imported_once_for_its_trust_set_and_not_again_for_its_list()
    {
        var first = SimulatedCpu.Snp(SnpLine.Milan, 3, vlek: false);
        first.Result();
        var again = first with { Cache = new() };
        again.Result();

        // ASK and VCEK: the root's key is at hand for the ASK and for the list.
        Assert.Equal(2, again.Cache.Meter.KeyImports);
    }

    [Fact]
    public void An_SNP_report_costs_four_signatures_and_once_more_one()
    {
        var judged = SimulatedCpu.Snp(SnpLine.Milan, 3, vlek: false);

        // VCEK, ASK, revocation list, report.
        Assert.Equal(4, Cost(judged));
        Assert.Equal(1, Cost(judged));
    }

    [Fact]
    public void A_quote_that_is_no_platforms_costs_no_more_than_its_chain()
    {
        var judged = SimulatedCpu.Tdx(4, false, TdxFault.QeReportSignedByAnother);
        judged.Result();

        Assert.Equal(3, judged.Cache.Meter.SignatureVerifications);
    }

    [Fact]
    public void Claims_are_JSON_with_every_name_that_the_documents_list()
    {
        var tdx = Written(SimulatedCpu.Tdx(5, true).Result().Claims!.Write);
        var snp = Written(SimulatedCpu.Snp(SnpLine.Turin, 5, vlek: true).Result().Claims!.Write);
        var document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "claims.md"));

        Assert.Equal(("tdx", "UpToDate"), (tdx.GetProperty("x-assay-tee").GetString(), tdx.GetProperty("x-assay-tcb-status").GetString()));
        Assert.Equal(("snp", "simulated-cloud"), (snp.GetProperty("x-assay-tee").GetString(), snp.GetProperty("x-assay-snp-cloud-provider").GetString()));
        Assert.False(tdx.GetProperty("x-assay-tdx-attributes").GetProperty("debug").GetBoolean());
        Assert.Equal(2, snp.GetProperty("x-assay-snp-reported-tcb").GetProperty("fmc").GetInt32());
        foreach (var name in tdx.EnumerateObject().Concat(snp.EnumerateObject()).Select(member => member.Name))
        {
            // The table shortens names that share their beginning.
            var tail = name.Replace("x-assay-tdx", "", StringComparison.Ordinal).Replace("x-assay-snp", "", StringComparison.Ordinal);
            Assert.True(document.Contains($"`{name}`", StringComparison.Ordinal) || document.Contains($"`{tail}`", StringComparison.Ordinal) || tail is "-rtmr1" or "-rtmr2", name);
        }
    }

    private static long Cost(JudgedTdx judged)
    {
        var before = judged.Cache.Meter.SignatureVerifications;
        Assert.True(judged.Result().Passed);
        return judged.Cache.Meter.SignatureVerifications - before;
    }

    private static long Cost(JudgedSnp judged)
    {
        var before = judged.Cache.Meter.SignatureVerifications;
        Assert.True(judged.Result().Passed);
        return judged.Cache.Meter.SignatureVerifications - before;
    }

    private static JsonElement Written(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            write(writer);
        }

        using var document = JsonDocument.Parse(Encoding.UTF8.GetString(stream.ToArray()));
        return document.RootElement.Clone();
    }
}
