using System.Security.Cryptography;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Benchmarks;

/// <summary>TDX quotes against bare P-256 verifications, SNP reports against bare RSA-PSS and P-384 ones, with keys imported once.</summary>
internal static class CpuRows
{
    // A single verification of P-256 takes a twentieth of a millisecond: several are measured as one.
    private const int Many = 20;

    public static IEnumerable<Row> Rows()
    {
        var now = EvaluationTime.ReleaseDate.AddDays(1);
        var (intel, amd) = (SimulatedIntel.Create(now), SimulatedAmd.Create(now));
        _ = TrustSet.TryParse(CpuAnchors.ToJson("bench", intel, amd), out var trust, out _);
        var data = RandomNumberGenerator.GetBytes(ReportData.Size);
        _ = ReportData.TryCreate(data, out var reportData);
        var time = new EvaluationTime(now, TimeSource.System);

        var tdx = SimulatedTdx.Create(intel, 5, is15: true, data);
        _ = TdxCollateral.TryParse(tdx.Collateral, out var collateral, out _);
        var tdxExpected = new TdxExpectations
        {
            ReportData = reportData,
            References = null,
            Basis = new TrustBasis(time, trust!, RevocationChecking.Required),
            RequireSeptVeDisable = true,
            RefuseMigratable = true,
            AcceptedServiceTds = [],
        };
        Action<VerifierCache> verifyTdx = cache => Require(TdxAppraisal.Appraise(TdxAppraisal.Authenticate(tdx.Quote, tdxExpected, cache), collateral!, tdxExpected, cache).Passed);
        var p256 = Bare(ECCurve.NamedCurves.nistP256, HashAlgorithmName.SHA256);
        yield return Measure("cold: TDX quote, given collateral", 1.5, cold: true, verifyTdx, count => Repeat(p256, count));
        yield return Measure("warm: TDX quote of the same platform", null, cold: false, verifyTdx, count => Repeat(p256, count));

        var snp = SimulatedSnp.Create(amd, SnpLine.Milan, 3, vlek: false, data);
        var snpCollateral = new SnpCollateral { Certificates = [.. snp.Certificates.Select(der => (ReadOnlyMemory<byte>)der)], Crl = snp.Crl };
        var snpExpected = new SnpExpectations
        {
            ReportData = reportData,
            References = null,
            MinimumTcb = null,
            AcceptedSigningKeys = [SnpSigningKey.Vcek],
            AcceptedVmpls = [0],
            RefuseMigrationAgent = true,
            Basis = new TrustBasis(time, trust!, RevocationChecking.Required),
        };
        Action<VerifierCache> verifySnp = cache => Require(SnpAppraisal.Appraise(snp.Report, snpCollateral, snpExpected, cache).Passed);
        var (p384, rsa) = (Bare(ECCurve.NamedCurves.nistP384, HashAlgorithmName.SHA384), BareRsa());
        // All but the report's own signature are RSA.
        Action<long> bareSnp = count =>
        {
            p384();
            Repeat(rsa, count - 1);
        };
        yield return Measure("cold: SNP report, given certificates and list", 1.3, cold: true, verifySnp, bareSnp);
        yield return Measure("warm: SNP report of the same chip", null, cold: false, verifySnp, bareSnp);
    }

    private static Row Measure(string name, double? target, bool cold, Action<VerifierCache> work, Action<long> bare)
    {
        VerifierCache[] Caches()
        {
            VerifierCache[] caches = [.. Enumerable.Range(0, cold ? Many : 1).Select(_ => new VerifierCache())];
            foreach (var cache in cold ? [] : caches)
            {
                work(cache);
            }

            return caches;
        }

        var counted = Caches()[0];
        var (verifications, imports) = (counted.Meter.SignatureVerifications, counted.Meter.KeyImports);
        work(counted);
        (verifications, imports) = (counted.Meter.SignatureVerifications - verifications, counted.Meter.KeyImports - imports);
        var pairs = Suite.Pair(
            () =>
            {
                for (var time = 0; time < Many; time++)
                {
                    bare(verifications);
                }
            },
            Caches,
            caches =>
            {
                for (var time = 0; time < Many; time++)
                {
                    work(caches[time % caches.Length]);
                }
            });
        return new Row(
            name, verifications, imports,
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds)) / Many,
            Suite.Median(pairs.Select(pair => pair.Work.WallMilliseconds)) / Many,
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds / pair.Bare.CpuMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.AllocatedKilobytes)) / Many,
            target);
    }

    private static Action Bare(ECCurve curve, HashAlgorithmName hash)
    {
        var key = ECDsa.Create(curve);
        var content = RandomNumberGenerator.GetBytes(1024);
        var signature = key.SignData(content, hash);
        return () => Require(key.VerifyData(content, signature, hash));
    }

    private static Action BareRsa()
    {
        var key = RSA.Create(4096);
        var content = RandomNumberGenerator.GetBytes(1024);
        var signature = key.SignData(content, HashAlgorithmName.SHA384, RSASignaturePadding.Pss);
        return () => Require(key.VerifyData(content, signature, HashAlgorithmName.SHA384, RSASignaturePadding.Pss));
    }

    private static void Repeat(Action action, long times)
    {
        for (var time = 0L; time < times; time++)
        {
            action();
        }
    }

    private static void Require(bool holds)
    {
        if (!holds)
        {
            throw new CryptographicException("what the benchmark verifies does not verify");
        }
    }
}
