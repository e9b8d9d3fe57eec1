using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Authentication;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Tests.Appraisal;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Properties;

/// <summary>
/// S-26: any flipped bit of evidence is refused, or decodes to the identical value. RIMs, OCSP answers and CRLs have theirs beside
/// their readers. Every flip goes through the readers; a signature costs a thousand times more, so of those each run takes a sample
/// and a soak run takes all.
/// </summary>
public class FlipTests
{
    private const string SwitchFolder = "nvidia/switch/ls10_96.10.55.00.01_full_offline/";
    private const int Sample = 37;

    public static TheoryData<string> Reports => ["recorded switch", "simulated GPU", "simulated GPU with NVDAOD header"];

    [Theory]
    [MemberData(nameof(Reports))]
    public void A_report_with_any_flipped_bit_is_refused_or_is_another_message(string name)
    {
        var (evidence, _) = Evidence(name);
        Assert.True(SpdmReport.TryParse(evidence.Report.Span, out var genuine, out _));

        foreach (var flipped in Flips(evidence.Report, 1))
        {
            if (SpdmReport.TryParse(flipped, out var report, out var fault))
            {
                // Every byte is kept as signed bytes or as signature: nothing is skipped, so a flip cannot hide.
                var same = report.SignedBytes.Span.SequenceEqual(genuine.SignedBytes.Span) && report.Signature.Span.SequenceEqual(genuine.Signature.Span);
                Assert.False(same);
                Assert.True(flipped.AsSpan(..^SpdmReport.SignatureSize).SequenceEqual(report.SignedBytes.Span) && flipped.AsSpan(^SpdmReport.SignatureSize..).SequenceEqual(report.Signature.Span));
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
    public void A_chain_with_a_flipped_bit_is_refused_or_decodes_to_the_same_certificates(string name) => NoChainSurvives(name, Sample + 4);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Reports))]
    public void No_flipped_bit_at_all_of_a_chain_yields_other_certificates(string name) => NoChainSurvives(name, 1);

    [Theory]
    [MemberData(nameof(Reports))]
    public void A_certificate_with_any_flipped_bit_is_refused_or_is_another_certificate(string name)
    {
        foreach (var genuine in Chain(name))
        {
            foreach (var flipped in Flips(genuine.Raw, 1))
            {
                if (Certificate.TryParse(flipped, out var certificate, out var fault))
                {
                    Assert.True(flipped.AsSpan().SequenceEqual(certificate.Raw.Span));
                    Assert.NotEqual(genuine.Fingerprint, certificate.Fingerprint);
                }
                else
                {
                    Assert.NotNull(fault);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Reports))]
    public void No_certificate_with_a_flipped_bit_stands_in_a_path(string name) => NoCertificateSurvives(name, 23);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Reports))]
    public void No_certificate_with_any_flipped_bit_at_all_stands_in_a_path(string name) => NoCertificateSurvives(name, 1);

    [Fact]
    public void A_recorded_evidence_file_with_a_flipped_bit_shows_the_same_device_or_none() =>
        NoFileSurvives(Recorded.Bytes(SwitchFolder + "switch_evidence_ls10.json"), TrustSet.Nvidia, 53);

    [Fact]
    public void A_CMW_collection_with_a_flipped_bit_shows_the_same_device_or_none() =>
        NoFileSurvives(Recorded.Bytes("nvidia/sdk2x/rubin_evidence.cmw.json"), TrustSet.Nvidia, 101);

    [Fact]
    public void A_simulated_evidence_file_with_a_flipped_bit_shows_the_same_device_or_none() =>
        NoFileSurvives(Simulated.EvidenceJson(Simulated.Gpu), Simulated.Trust, 71);

    [Fact]
    public void An_anchors_file_with_any_flipped_bit_is_refused_or_names_the_same_roots()
    {
        var genuine = Simulated.Trust;
        var survivors = 0;
        foreach (var flipped in Flips(Simulated.Anchors, 1))
        {
            if (TrustSet.TryParse(flipped, out var set, out _) && set.Identity == genuine.Identity)
            {
                survivors++;
                Assert.Equal(genuine.Kind, set.Kind);
            }
            else if (set is not null)
            {
                // Another root is another trust set: the verdict shows it, and nothing genuine verifies under it.
                Assert.Equal(TrustSetKind.Simulated, set.Kind);
            }
        }

        // The set's name is for people.
        Assert.InRange(survivors, 1, 8 * 400);
    }

    [Fact]
    public void Swapped_inserted_doubled_and_lost_bytes_of_a_report_leave_nothing_authentic()
    {
        var evidence = Simulated.Gpu;
        var cache = new VerifierCache();
        var expected = Expect(Simulated.Trust);
        var parsed = 0;
        for (ulong seed = 0; seed < 4000; seed++)
        {
            var spoilt = Rearranged(evidence.Report.ToArray(), new Seeded(seed));
            if (spoilt.AsSpan().SequenceEqual(evidence.Report.Span) || !SpdmReport.TryParse(spoilt, out _, out _))
            {
                continue;
            }

            parsed++;
            var (device, _, _) = AuthenticDevice.Authenticate(evidence with { Report = spoilt }, expected.Question, cache);
            Assert.True(device is null, $"seed {seed}");
        }

        Assert.InRange(parsed, 100, 4000);
    }

    [Fact]
    public void Reports_with_blocks_in_another_order_are_not_authentic()
    {
        // Same blocks, same values, each well-formed: only the signature can tell.
        var evidence = Simulated.Gpu;
        var report = evidence.Report.ToArray();
        const int start = 37 + 8, block = 7 + 48;
        var first = report.AsSpan(start, block).ToArray();
        report.AsSpan(start + block, block).CopyTo(report.AsSpan(start));
        first.CopyTo(report.AsSpan(start + block));

        Assert.True(SpdmReport.TryParse(report, out _, out var fault), fault?.ToString());
        Assert.Null(AuthenticDevice.Authenticate(evidence with { Report = report }, Expect(Simulated.Trust).Question, new VerifierCache()).Device);
    }

    private static void NoReportSurvives(string name, int step)
    {
        var (evidence, trust) = Evidence(name);
        var cache = new VerifierCache();
        var expected = Expect(trust);
        Assert.NotNull(AuthenticDevice.Authenticate(evidence, expected.Question, cache).Device);

        foreach (var flipped in Flips(evidence.Report, step))
        {
            Assert.Null(AuthenticDevice.Authenticate(evidence with { Report = flipped }, expected.Question, cache).Device);
        }
    }

    private static void NoChainSurvives(string name, int step)
    {
        var (evidence, trust) = Evidence(name);
        var cache = new VerifierCache();
        var expected = Expect(trust);
        var genuine = AuthenticDevice.Authenticate(evidence, expected.Question, cache).Device!.Path.Certificates.Select(certificate => certificate.Fingerprint).ToArray();

        foreach (var flipped in Flips(evidence.Chain, step))
        {
            if (AuthenticDevice.Authenticate(evidence with { Chain = flipped }, expected.Question, cache).Device is { } device)
            {
                Assert.Equal(genuine, device.Path.Certificates.Select(certificate => certificate.Fingerprint));
            }
        }
    }

    private static void NoCertificateSurvives(string name, int step)
    {
        var (_, trust) = Evidence(name);
        var chain = Chain(name);
        var cache = new VerifierCache();
        Assert.True(CertificationPath.TryCertify(chain, trust, PathPurpose.Device, cache, out _, out var why), why);
        for (var index = 0; index < chain.Length; index++)
        {
            foreach (var flipped in Flips(chain[index].Raw, step))
            {
                if (Certificate.TryParse(flipped, out var certificate, out _))
                {
                    Assert.False(CertificationPath.TryCertify(chain.SetItem(index, certificate), trust, PathPurpose.Device, cache, out _, out _));
                }
            }
        }
    }

    private static void NoFileSurvives(byte[] file, TrustSet trust, int step)
    {
        var cache = new VerifierCache();
        var expected = Expect(trust);
        Assert.True(EvidenceFile.TryParse(file, "file", out var evidence, out var fault), fault?.ToString());
        var genuine = AuthenticDevice.Authenticate(Assert.Single(evidence), expected.Question, cache).Device!;
        var (survivors, refused) = (0, 0);

        foreach (var flipped in Flips(file, step))
        {
            var read = EvidenceFile.TryParse(flipped, "file", out var devices, out fault);
            Assert.Equal(read, fault is null && !devices.IsEmpty);
            foreach (var item in devices)
            {
                if (AuthenticDevice.Authenticate(item, expected.Question, cache).Device is { } device)
                {
                    survivors++;
                    Assert.Equal(genuine.Identity, device.Identity);
                    Assert.True(genuine.Report.Bytes.Span.SequenceEqual(device.Report.Bytes.Span));
                }
                else
                {
                    refused++;
                }
            }
        }

        Assert.True(refused > survivors, $"{refused} refused, {survivors} survived");
    }

    internal static IEnumerable<byte[]> Flips(ReadOnlyMemory<byte> whole, int step)
    {
        for (var bit = 0; bit < whole.Length * 8; bit += step)
        {
            var flipped = whole.ToArray();
            flipped[bit / 8] ^= (byte)(1 << bit % 8);
            yield return flipped;
        }
    }

    private static byte[] Rearranged(byte[] whole, Seeded chance)
    {
        var (from, to) = (chance.Below(whole.Length), chance.Below(whole.Length));
        var count = 1 + chance.Below(64);
        var piece = whole.AsSpan(from, Math.Min(count, whole.Length - from)).ToArray();
        switch (chance.Below(5))
        {
            case 0:
                (whole[from], whole[to]) = (whole[to], whole[from]);
                return whole;
            case 1:
                return [.. whole[..from], .. chance.Bytes(count), .. whole[from..]];
            case 2:
                return [.. whole[..to], .. piece, .. whole[to..]];
            case 3:
                return [.. whole[..from], .. whole[(from + piece.Length)..]];
            default:
                piece.AsSpan(0, Math.Min(piece.Length, whole.Length - to)).CopyTo(whole.AsSpan(to));
                return whole;
        }
    }

    private static (DeviceEvidence Evidence, TrustSet Trust) Evidence(string name) => name switch
    {
        "recorded switch" => (Judged.Load("switch/ls10_96.10.55.00.01_full_offline/switchAttestationReport.txt", "switch/ls10_96.10.55.00.01_full_offline/switchCertChain.txt")[0], TrustSet.Nvidia),
        "simulated GPU" => (Simulated.Gpu, Simulated.Trust),
        _ => (Simulated.Nvdaod, Simulated.Trust),
    };

    private static ImmutableArray<Certificate> Chain(string name)
    {
        Assert.True(Pem.TryDecode(Evidence(name).Evidence.Chain.Span, out var blocks, out var fault), fault?.ToString());
        return [.. blocks.Select(block => Certificate.TryParse(block.Span, out var certificate, out var why) ? certificate : throw new InvalidOperationException(why.ToString()))];
    }

    private static DeviceExpectations Expect(TrustSet trust) => new Judged { Trust = trust }.Expectations();
}
