using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Properties;

/// <summary>Whatever was cut off is refused, or, where a structure is a bare list, is the shorter list. RIMs, OCSP answers and CRLs have theirs beside their readers.</summary>
public class PrefixTests
{
    [Theory]
    [InlineData("simulated GPU")]
    [InlineData("simulated GPU with NVDAOD header")]
    [InlineData("simulated switch")]
    [InlineData("nvidia/sdk2x/blackwellFspAttestationReport.txt")]
    [InlineData("nvidia/sdk2x/rubin_report_derived.txt")]
    public void Every_proper_prefix_and_every_extension_of_a_report_is_refused(string name)
    {
        var report = Report(name);

        Assert.True(SpdmReport.TryParse(report, out _, out _));
        Assert.All(Prefixes(report), prefix => Assert.False(SpdmReport.TryParse(prefix, out _, out _)));
        // One zero is a named leniency (terminated-report) and no part of the report; nothing else may follow.
        Assert.True(SpdmReport.TryParse([.. report, 0], out var terminated, out _));
        Assert.Equal(report, terminated.Bytes.ToArray());
        Assert.False(SpdmReport.TryParse([.. report, 1], out _, out _));
        Assert.False(SpdmReport.TryParse([.. report, 0, 0], out _, out var fault));
        Assert.Equal("report: trailing bytes", $"{fault.Field}: {fault.Problem}");
    }

    [Theory]
    [InlineData("simulated GPU", nameof(OpaqueForm.Plain))]
    [InlineData("simulated GPU with NVDAOD header", nameof(OpaqueForm.Nvdaod))]
    [InlineData("simulated switch", nameof(OpaqueForm.Plain))]
    public void A_prefix_of_opaque_data_is_refused_or_has_whole_fields_alone(string name, string kind)
    {
        var form = Enum.Parse<OpaqueForm>(kind);
        Assert.True(SpdmReport.TryParse(Report(name), out var report, out _));
        var header = form is OpaqueForm.Nvdaod ? 12 : 0;
        var frame = form is OpaqueForm.Nvdaod ? 6 : 4;
        var opaque = Opaque(report);
        int[] ends = [.. report.Opaque.Fields.Aggregate(new List<int> { header }, (sizes, field) => [.. sizes, sizes[^1] + frame + field.Data.Length])];

        Assert.Equal(form, report.Opaque.Form);
        Assert.Equal(opaque.Length, ends[^1]);
        foreach (var prefix in Prefixes(opaque))
        {
            var read = OpaqueData.TryParse(prefix, out var shorter, out var fault);
            Assert.Equal(Array.IndexOf(ends, prefix.Length) >= 0 || prefix.Length == 0, read);
            Assert.Equal(read, fault is null);
            Assert.True(!read || shorter!.Fields.Length == Math.Max(0, Array.IndexOf(ends, prefix.Length)));
        }
    }

    [Fact]
    public void The_empty_opaque_data_has_no_prefix_and_no_field()
    {
        Assert.True(OpaqueData.TryParse(ReadOnlyMemory<byte>.Empty, out var opaque, out _));
        Assert.Equal((OpaqueForm.Absent, 0), (opaque.Form, opaque.Fields.Length));
    }

    [Fact]
    public void A_prefix_of_a_chain_is_refused_or_has_whole_certificates_alone()
    {
        var chain = Simulated.Gpu.Chain.ToArray();
        Assert.True(Pem.TryDecode(chain, out var whole, out _));
        var shorter = 0;
        foreach (var prefix in Prefixes(chain))
        {
            var read = Pem.TryDecode(prefix, out var blocks, out var fault);
            Assert.Equal(read, fault is null);
            if (read)
            {
                shorter++;
                Assert.True(prefix.AsSpan().TrimEnd((byte)'\n').EndsWith("-----END CERTIFICATE-----"u8));
                Assert.All(blocks.Index(), block => Assert.True(block.Item.Span.SequenceEqual(whole[block.Index].Span)));
            }
        }

        // Four shorter chains with and without the line's end, and the whole without it.
        Assert.Equal(9, shorter);
    }

    [Fact]
    public void Every_proper_prefix_and_every_extension_of_a_certificate_is_refused()
    {
        Assert.True(Pem.TryDecode(Simulated.Gpu.Chain.Span, out var blocks, out _));
        foreach (var block in blocks)
        {
            Assert.All(Prefixes(block.ToArray()), prefix => Assert.False(Certificate.TryParse(prefix, out _, out _)));
            Assert.False(Certificate.TryParse([.. block.Span, 0], out _, out _));
        }
    }

    [Theory]
    [InlineData("nvidia/switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json")]
    [InlineData("nvidia/sdk2x/blackwell_evidence.cmw.json")]
    [InlineData("simulated")]
    public void Every_proper_prefix_of_an_evidence_file_is_refused(string name)
    {
        var file = (name == "simulated" ? Simulated.EvidenceJson(Simulated.Switch) : Recorded.Bytes(name)).AsSpan().TrimEnd(" \r\n"u8).ToArray();

        Assert.True(EvidenceFile.TryParse(file, name, out _, out _));
        Assert.All(Prefixes(file, step: 7), prefix => Assert.False(EvidenceFile.TryParse(prefix, name, out _, out _)));
        Assert.False(EvidenceFile.TryParse([.. file, (byte)'x'], name, out _, out _));
    }

    [Fact]
    public void Every_proper_prefix_of_an_anchors_file_is_refused()
    {
        var file = Simulated.Anchors.AsSpan().TrimEnd((byte)'\n').ToArray();

        Assert.True(TrustSet.TryParse(file, out _, out _));
        Assert.All(Prefixes(file), prefix => Assert.False(TrustSet.TryParse(prefix, out _, out _)));
    }

    [Fact]
    public void A_report_as_text_is_refused_when_a_digit_is_missing()
    {
        var text = System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Simulated.Switch.Report.Span));

        Assert.True(EvidenceText.TryReadReport(text, out var report, out _));
        Assert.True(report.AsSpan().SequenceEqual(Simulated.Switch.Report.Span));
        Assert.False(EvidenceText.TryReadReport(text.AsSpan(1), out _, out _));
        Assert.All(Prefixes(text, step: 13), prefix => Assert.False(EvidenceText.TryReadReport(prefix, out var shorter, out _) && SpdmReport.TryParse(shorter, out _, out _)));
    }

    internal static byte[] Opaque(SpdmReport report)
    {
        var record = report.Blocks.Sum(block => 7 + block.Value.Length);
        var start = 37 + 8 + record + 32 + 2;
        return report.Bytes.Span[start..^SpdmReport.SignatureSize].ToArray();
    }

    private static byte[] Report(string name)
    {
        if (!name.StartsWith("nvidia/", StringComparison.Ordinal))
        {
            var evidence = name switch { "simulated GPU" => Simulated.Gpu, "simulated switch" => Simulated.Switch, _ => Simulated.Nvdaod };
            return evidence.Report.ToArray();
        }

        Assert.True(EvidenceText.TryReadReport(Recorded.Bytes(name), out var report, out var fault), fault?.ToString());
        return report;
    }

    private static IEnumerable<byte[]> Prefixes(byte[] whole, int step = 1)
    {
        for (var length = 0; length < whole.Length; length += step)
        {
            yield return whole[..length];
        }
    }
}
