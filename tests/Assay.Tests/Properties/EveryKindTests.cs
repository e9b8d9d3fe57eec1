using Assay.Appraisal.Devices;
using Assay.Authentication;
using Assay.Evidence.Files;
using Assay.Reference;
using Assay.Simulator;
using Assay.Tests.Appraisal;
using Assay.Tests.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using RevocationReason = Assay.Simulator.RevocationReason;
using SpdmReport = Assay.Evidence.Spdm.SpdmReport;

namespace Assay.Tests.Properties;

/// <summary>
/// S-26 over everything that the simulator makes: any flipped bit is refused, or decodes to the identical value, and whatever was cut off
/// is refused. The normal run takes one bit by chance from each stretch of the bytes, so that no region is left out; a soak run takes
/// every bit. Failures name seed and bit: the seed repeats the choice.
/// </summary>
public sealed class EveryKindTests
{
    private const ulong Seed = 20261122;
    private const int Samples = 160;

    public static TheoryData<string> Devices => [.. EveryKind.Devices];

    public static TheoryData<string> Rims => [.. EveryKind.Rims];

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_report_with_a_flipped_bit_is_not_authentic(string kind) => NoReportSurvives(kind, Samples);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Devices))]
    public void No_flipped_bit_at_all_leaves_a_report_authentic(string kind) => NoReportSurvives(kind, int.MaxValue);

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_chain_with_a_flipped_bit_is_refused_or_is_the_same_chain(string kind) => NoChainSurvives(kind, Samples);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Devices))]
    public void No_flipped_bit_at_all_of_a_chain_yields_another(string kind) => NoChainSurvives(kind, int.MaxValue);

    [Theory]
    [MemberData(nameof(Devices))]
    public void Every_proper_prefix_and_every_extension_of_a_report_is_refused(string kind)
    {
        var report = EveryKind.Device(kind).Report.ToArray();

        Assert.True(SpdmReport.TryParse(report, out _, out _));
        for (var length = 0; length < report.Length; length++)
        {
            Assert.False(SpdmReport.TryParse(report.AsSpan(0, length), out _, out var fault), $"{kind}: {length} bytes");
            Assert.NotNull(fault);
        }

        Assert.False(SpdmReport.TryParse((byte[])[0, .. report], out _, out _));
        // One zero byte may follow (Leniency.TerminatedReport), and nothing else.
        Assert.False(SpdmReport.TryParse((byte[])[.. report, 1], out _, out _));
        Assert.False(SpdmReport.TryParse((byte[])[.. report, 0, 0], out _, out _));
    }

    [Fact]
    public void A_machines_file_with_a_flipped_bit_shows_the_same_devices_or_fewer() => NoMachineSurvives(600);

    [Fact]
    [Trait("Category", "Soak")]
    public void No_flipped_bit_at_all_of_a_machines_file_shows_another_device() => NoMachineSurvives(int.MaxValue);

    [Fact]
    public void A_machines_file_that_was_cut_off_is_refused()
    {
        var file = EveryKind.MachineFile.AsSpan().TrimEnd(" \r\n"u8).ToArray();
        var chance = new Seeded(Seed);

        Assert.Equal(12, EveryKind.Read(file).Length);
        foreach (var length in Enumerable.Range(0, 200).Select(_ => chance.Below(file.Length)).Append(0).Append(file.Length - 1))
        {
            Assert.False(EvidenceFile.TryParse(file.AsSpan(0, length), "file", out var devices, out _), $"seed {Seed}: {length} bytes");
            Assert.Empty(devices);
        }

        Assert.False(EvidenceFile.TryParse([.. file, (byte)']'], "file", out _, out _));
    }

    [Theory]
    [MemberData(nameof(Rims))]
    public void A_manifest_with_a_flipped_bit_is_refused_or_is_the_same_manifest(string id) => NoRimSurvives(id, Samples);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Rims))]
    public void No_flipped_bit_at_all_of_a_manifest_yields_another(string id) => NoRimSurvives(id, int.MaxValue);

    [Theory]
    [MemberData(nameof(Rims))]
    public void A_manifest_that_was_cut_off_is_refused(string id)
    {
        var xml = EveryKind.Rim(id).ToArray().AsSpan().TrimEnd("\r\n"u8).ToArray();
        var chance = new Seeded(Seed);

        Assert.True(RimDocument.TryParse(xml, out _, out _));
        foreach (var length in Enumerable.Range(0, 300).Select(_ => chance.Below(xml.Length)).Append(0).Append(xml.Length - 1))
        {
            Assert.False(RimDocument.TryParse(xml.AsSpan(0, length), out _, out _), $"{id}, seed {Seed}: {length} bytes");
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void An_answer_with_a_flipped_bit_is_refused_or_says_the_same(string kind) => NoAnswerSurvives(kind, Samples / 4);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Devices))]
    public void No_flipped_bit_at_all_of_an_answer_says_anything_else(string kind) => NoAnswerSurvives(kind, int.MaxValue);

    [Theory]
    [MemberData(nameof(Devices))]
    public void Every_proper_prefix_and_every_extension_of_an_answer_is_refused(string kind)
    {
        var response = EveryKind.Answers(kind).First().Response.ToArray();

        Assert.True(OcspResponse.TryParse(response, out _, out _));
        Assert.All(Enumerable.Range(0, response.Length), length => Assert.False(OcspResponse.TryParse(response.AsSpan(0, length), out _, out _)));
        Assert.False(OcspResponse.TryParse([.. response, 0], out _, out _));
    }

    [Fact]
    public void A_list_with_any_flipped_bit_is_refused()
    {
        var (issuer, list) = List();
        var cache = new VerifierCache();
        Assert.NotNull(Crl(list, issuer, cache));

        foreach (var (bit, flipped) in Flips(list, "list", int.MaxValue))
        {
            Assert.True(Crl(flipped, issuer, cache) is null, $"bit {bit}");
        }
    }

    [Fact]
    public void Every_proper_prefix_and_every_extension_of_a_list_is_refused()
    {
        var (_, list) = List();

        Assert.All(Enumerable.Range(0, list.Length), length => Assert.False(CertificateRevocationList.TryParse(list.AsSpan(0, length), out _, out _)));
        Assert.False(CertificateRevocationList.TryParse([.. list, 0], out _, out _));
    }

    private static void NoReportSurvives(string kind, int samples)
    {
        var (evidence, expected, cache) = (EveryKind.Device(kind), Expectations(), new VerifierCache());
        Assert.NotNull(AuthenticDevice.Authenticate(evidence, expected.Question, cache).Device);
        foreach (var (bit, flipped) in Flips(evidence.Report, kind, samples))
        {
            Assert.True(AuthenticDevice.Authenticate(evidence with { Report = flipped }, expected.Question, cache).Device is null, Where(kind, bit));
        }
    }

    private static void NoChainSurvives(string kind, int samples)
    {
        var (evidence, expected, cache) = (EveryKind.Device(kind), Expectations(), new VerifierCache());
        var genuine = Fingerprints(AuthenticDevice.Authenticate(evidence, expected.Question, cache).Device!);
        foreach (var (bit, flipped) in Flips(evidence.Chain, kind, samples))
        {
            if (AuthenticDevice.Authenticate(evidence with { Chain = flipped }, expected.Question, cache).Device is { } device)
            {
                Assert.True(genuine == Fingerprints(device), Where(kind, bit));
            }
        }

        static string Fingerprints(AuthenticDevice device) => string.Join(' ', device.Path.Certificates.Select(certificate => certificate.Fingerprint));
    }

    private static void NoMachineSurvives(int samples)
    {
        var (expected, cache) = (Expectations(), new VerifierCache());
        var genuine = EveryKind.Read(EveryKind.MachineFile);
        var identities = genuine.Select(item => AuthenticDevice.Authenticate(item, expected.Question, cache).Device!.Identity.Id).ToArray();
        Assert.Equal(12, identities.Distinct().Count());
        var (refused, same) = (0, 0);
        foreach (var (bit, flipped) in Flips(EveryKind.MachineFile, "machine", samples))
        {
            if (!EvidenceFile.TryParse(flipped, "simulated", out var devices, out _))
            {
                refused++;
                continue;
            }

            Assert.True(devices.Length == genuine.Length, Where("machine", bit));
            for (var index = 0; index < devices.Length; index++)
            {
                var (item, was) = (devices[index], genuine[index]);
                // What is the same to the byte was judged above.
                if (item.Report.Span.SequenceEqual(was.Report.Span) && item.Chain.Span.SequenceEqual(was.Chain.Span))
                {
                    same++;
                }
                else if (AuthenticDevice.Authenticate(item, expected.Question, cache).Device is { } device)
                {
                    Assert.True(device.Identity.Id == identities[index] && item.Report.Span.SequenceEqual(was.Report.Span), Where("machine", bit));
                }
                else
                {
                    refused++;
                }
            }
        }

        Assert.True(refused > 0 && same > 0, $"{refused} refused, {same} the same");
    }

    private static void NoRimSurvives(string id, int samples)
    {
        var (xml, cache) = (EveryKind.Rim(id), new VerifierCache());
        var genuine = RimAppraisal.TryAuthenticate(xml.Span, Simulated.Trust, cache);
        Assert.NotNull(genuine);
        foreach (var (bit, flipped) in Flips(xml, id, samples))
        {
            // The digest is over the canonical form of everything that is signed.
            if (RimAppraisal.TryAuthenticate(flipped, Simulated.Trust, cache) is { } rim)
            {
                Assert.True(rim.Document.DocumentDigest == genuine.Document.DocumentDigest && rim.Path.Leaf.Fingerprint == genuine.Path.Leaf.Fingerprint, Where(id, bit));
            }
        }
    }

    private static void NoAnswerSurvives(string kind, int samples)
    {
        var cache = new VerifierCache();
        foreach (var (about, response) in EveryKind.Answers(kind))
        {
            var (subject, issuer) = (EveryKind.Parsed(about), EveryKind.Parsed(about.Issuer!));
            var genuine = Judged(response.ToArray(), subject, issuer, cache);
            Assert.StartsWith("Good", genuine, StringComparison.Ordinal);
            foreach (var (bit, flipped) in Flips(response, $"{kind}: {about.CommonName}", samples))
            {
                Assert.True(Judged(flipped, subject, issuer, cache) is not { } other || other == genuine, Where($"{kind}: {about.CommonName}", bit));
            }
        }
    }

    private static string? Judged(byte[] bytes, Certificate subject, Certificate issuer, VerifierCache cache)
    {
        if (!OcspResponse.TryParse(bytes, out var response, out _)
            || !AuthenticOcspAnswer.TryAuthenticate(response, subject, issuer, TrustSetKind.Simulated, cache, out var answer, out _))
        {
            return null;
        }

        var judged = RevocationJudgement.Of(answer, SimulatorFixture.Now);
        return $"{judged.State} {judged.Currency} {judged.RevokedAt} {judged.Reason} {answer.About} {answer.ThisUpdate} {answer.NextUpdate} {answer.ProducedAt}";
    }

    private static AuthenticCrl? Crl(byte[] bytes, Certificate issuer, VerifierCache cache) =>
        CertificateRevocationList.TryParse(bytes, out var list, out _) && AuthenticCrl.TryAuthenticate(list, issuer, TrustSetKind.Simulated, cache, out var crl, out _) ? crl : null;

    private static (Certificate Issuer, byte[] List) List()
    {
        using var device = SimulatedDevice.Create(Simulated.Authority, DeviceProfile.Ls10);
        var brom = device.Certificate.Chain[1];
        var list = SimulatedCrl.Issue(brom.Issuer!, 7, SimulatorFixture.Now, SimulatorFixture.Now.AddDays(7), new RevokedCertificate(brom, SimulatorFixture.Now, RevocationReason.KeyCompromise));
        return (EveryKind.Parsed(brom.Issuer!), list);
    }

    /// <summary>One bit by chance of each of so many stretches of equal length; with more stretches than bits, every bit.</summary>
    private static IEnumerable<(int Bit, byte[] Flipped)> Flips(ReadOnlyMemory<byte> whole, string what, int samples)
    {
        var bits = whole.Length * 8;
        var stretch = Math.Max(1, bits / samples);
        // Another choice for each kind, and the same one in every run.
        var chance = new Seeded(Seed + (ulong)what.Sum(letter => letter));
        for (var start = 0; start < bits; start += stretch)
        {
            var bit = start + chance.Below(Math.Min(stretch, bits - start));
            var flipped = whole.ToArray();
            flipped[bit / 8] ^= (byte)(1 << bit % 8);
            yield return (bit, flipped);
        }
    }

    private static string Where(string what, int bit) => $"{what}: bit {bit} (seed {Seed})";

    private static DeviceExpectations Expectations() => new Judged { Trust = Simulated.Trust }.Expectations();
}
