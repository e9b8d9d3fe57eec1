using System.Text;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Files;
using Assay.Collateral.Gathering;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Tests.Cpu;
using Assay.Trust;
using OcspHash = Assay.Trust.Revocation.OcspHash;

namespace Assay.Tests.Regressions;

/// <summary>
/// 255: of several files of one item the newest was chosen by a date that nobody had verified, so that whoever can write one file into a folder could
/// withhold the good one that lies beside it.
/// </summary>
public sealed class Bug0255_ForgedFilesHideGoodOnesTests(CacheWorld world) : IClassFixture<CacheWorld>, IDisposable
{
    private static readonly SimulatedTdx s_tdx = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, SimulatedCpu.Data);
    private static readonly SimulatedTdx s_forgedTdx = SimulatedTdx.Create(SimulatedIntel.Create(SimulatedCpu.Now), 5, is15: true, SimulatedCpu.Data);
    private static readonly SimulatedSnp s_snp = SimulatedSnp.Create(SimulatedCpu.Amd, SnpLine.Genoa, 5, vlek: false, SimulatedCpu.Data);
    private static readonly SimulatedSnp s_forgedSnp = SimulatedSnp.Create(SimulatedAmd.Create(SimulatedCpu.Now), SnpLine.Genoa, 5, vlek: false, SimulatedCpu.Data);

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-forged-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static DateTimeOffset Later => SimulatedCpu.Now.AddMinutes(-1);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("0-")]
    [InlineData("~-")]
    public void Of_a_quotes_collateral_what_verifies_counts_whatever_lies_beside_it(string prefix)
    {
        AddTdx();
        ForgeTdx(prefix);

        var result = (SimulatedCpu.Tdx(5, true) with { Quote = s_tdx.Quote, Collateral = Read(s_tdx.Quote).Tdx }).Result();

        Assert.True(result.Passed, string.Join(' ', JudgedTdx.Failed(result.Findings)));
    }

    [Fact]
    public void A_forged_list_hides_no_revocation()
    {
        AddTdx();
        Add("pck.crl", s_tdx.PckAuthority.IssueCrl(2, SimulatedCpu.Now.AddDays(-1), SimulatedCpu.Now.AddDays(20), s_tdx.Pck));
        ForgeTdx("0-");

        var result = (SimulatedCpu.Tdx(5, true) with { Quote = s_tdx.Quote, Collateral = Read(s_tdx.Quote).Tdx }).Result();

        Assert.Equal(["tdx.chain.not-revoked"], JudgedTdx.Failed(result.Findings));
    }

    [Fact]
    public void Two_hundred_forged_lists_hide_none_either()
    {
        AddTdx();
        for (var index = 0; index < 200; index++)
        {
            Add($"{index}.crl", s_forgedTdx.PckAuthority.IssueCrl(index + 1, Later, SimulatedCpu.Now.AddDays(20)));
        }

        Assert.True((SimulatedCpu.Tdx(5, true) with { Quote = s_tdx.Quote, Collateral = Read(s_tdx.Quote).Tdx }).Result().Passed);
    }

    [Fact]
    public void Where_nothing_verifies_that_is_the_finding()
    {
        ForgeTdx("0-");
        File.Delete(Path.Combine(_folder, "0-malformed.json"));

        var result = (SimulatedCpu.Tdx(5, true) with { Quote = s_tdx.Quote, Collateral = Read(s_tdx.Quote).Tdx }).Result();

        Assert.False(result.Passed);
        Assert.Empty(result.Missing);
        Assert.Contains("tdx.chain.not-revoked", JudgedTdx.Failed(result.Findings));
        Assert.Contains("tdx.tcb-info.chain.trusted", JudgedTdx.Failed(result.Findings));
    }

    [Theory]
    [InlineData("0-")]
    [InlineData("~-")]
    public void Of_a_reports_collateral_what_verifies_counts_whatever_lies_beside_it(string prefix)
    {
        AddSnp("", s_snp);
        AddSnp(prefix, s_forgedSnp);

        var result = (SimulatedCpu.Snp(SnpLine.Genoa, 5, vlek: false) with { Report = s_snp.Report, Collateral = Read(s_snp.Report).Snp }).Result();

        Assert.True(result.Passed, string.Join(' ', JudgedTdx.Failed(result.Findings)));
    }

    [Theory]
    [InlineData("tdx")]
    [InlineData("snp")]
    public async Task A_bundle_is_made_of_what_verifies(string technology)
    {
        var quote = technology == "tdx" ? s_tdx.Quote : s_snp.Report;
        if (technology == "tdx")
        {
            AddTdx();
            ForgeTdx("0-");
        }
        else
        {
            AddSnp("", s_snp);
            AddSnp("0-", s_forgedSnp);
        }

        Assert.True(ProcessorEvidence.TryParse(quote, technology, out var evidence, out _));
        var verification = new ItemVerification(SimulatedCpu.Trust, new VerifierCache());
        var local = new LocalUpstream(null, null, new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("test", "404"))));
        Assert.Null(local.Add(evidence, Read(quote), ProcessorNeeds.StandardChannel, "files"));
        await using var cache = new CollateralCache(verification, null, local, CacheWorld.Patient, new ManualTime(SimulatedCpu.Now), refreshes: false);
        var needs = new CollateralNeeds(cache, verification, [OcspHash.Sha1]);

        Assert.Null(await needs.AddAsync(evidence, ProcessorNeeds.StandardChannel, Cancellation));

        Assert.Empty(needs.Missing);
    }

    [Fact]
    public async Task A_forged_OCSP_answer_hides_none()
    {
        Add("answer", SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
        Add("0", Forged());
        Add("~", Forged());

        var answer = await AskAsync();

        Assert.True(answer.Item is VerifiedItem, answer.WhyNot);
    }

    [Fact]
    public async Task A_forged_OCSP_answer_hides_no_revocation()
    {
        Add("older", SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(-5))));
        Add("revoked", SimulatedOcsp.Respond(CacheWorld.Revoked(world.Brom, CacheWorld.Now.AddHours(-2))));
        Add("0", Forged());

        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, Assert.IsType<VerifiedItem>((await AskAsync()).Item).Status);
    }

    // S-17: what verified and does not hold any more is not followed by what is older.
    [Fact]
    public async Task An_authentic_answer_that_is_over_is_not_replaced_by_an_older_one()
    {
        Add("older", SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(-5))));
        Add("over", SimulatedOcsp.Respond(CacheWorld.Revoked(world.Brom, CacheWorld.Now.AddHours(-2)) with { NextUpdate = CacheWorld.Now.AddHours(-1) }));

        Assert.Null((await AskAsync()).Item);
    }

    private async Task<CacheAnswer> AskAsync()
    {
        var verification = new ItemVerification(world.Trust, new VerifierCache());
        var local = new LocalUpstream(null, _folder, new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("test", "404"))));
        await using var cache = new CollateralCache(verification, null, local, CacheWorld.Patient, new ManualTime(CacheWorld.Now), refreshes: false);
        Assert.True(verification.TryVerifyAuthority(world.DeviceChain, out var proof, out var fault), fault?.ToString());
        cache.AddAuthorities(proof);
        return await cache.GetAsync(CacheWorld.OcspKey(cache, world.Brom), Cancellation);
    }

    // By a responder of another hierarchy, with the names of this one, and later than every other.
    private static byte[] ForgedBy(SimulatedCertificate about, SimulatedAuthority authority)
    {
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Hopper580);
        var responder = SimulatedAuthority.IssueOcspResponder(device.Certificate.Issuer!.Issuer!, CacheWorld.Now.AddDays(-30), CacheWorld.Now.AddDays(30));
        return SimulatedOcsp.Respond(CacheWorld.Good(about, CacheWorld.Now.AddMinutes(-1)) with { Responder = responder });
    }

    private byte[] Forged()
    {
        using var authority = SimulatedAuthority.Create(CacheWorld.Now);
        return ForgedBy(world.Brom, authority);
    }

    private void AddTdx()
    {
        Add("tcb.json", s_tdx.TcbInfoBody("tdx", SimulatedTdx.EvaluationDataNumber));
        Add("tcb.pem", Encoding.ASCII.GetBytes(s_tdx.TcbSigner.ChainPem));
        Add("qe.json", s_tdx.QeIdentityBody("tdx", SimulatedTdx.EvaluationDataNumber));
        Add("pck.crl", s_tdx.PckCrl());
        Add("root.crl", s_tdx.RootCrl());
    }

    private void ForgeTdx(string prefix)
    {
        Add($"{prefix}tcb.json", s_forgedTdx.TcbInfoBody("tdx", 99));
        Add($"{prefix}tcb.pem", Encoding.ASCII.GetBytes(s_forgedTdx.TcbSigner.ChainPem));
        Add($"{prefix}qe.json", s_forgedTdx.QeIdentityBody("tdx", 99));
        Add($"{prefix}pck.crl", s_forgedTdx.PckAuthority.IssueCrl(99, Later, SimulatedCpu.Now.AddDays(20)));
        Add($"{prefix}root.crl", s_forgedTdx.PckAuthority.Issuer!.IssueCrl(99, Later, SimulatedCpu.Now.AddDays(20)));
        Add($"{prefix}whole.json", s_forgedTdx.Collateral);
        Add($"{prefix}malformed.json", "{\"tcb_info\":1,\"qe_identity\":2}"u8.ToArray());
        Add($"{prefix}malformed.crl", "-----BEGIN X509 CRL-----\nA\n"u8.ToArray());
    }

    private void AddSnp(string prefix, SimulatedSnp snp)
    {
        foreach (var (index, der) in snp.Certificates.Index())
        {
            Add($"{prefix}{index}.der", der);
        }

        Add($"{prefix}ark.crl", snp.Crl);
    }

    private ProcessorCollateral Read(byte[] evidence)
    {
        Assert.True(ProcessorEvidence.TryParse(evidence, "evidence", out var read, out var fault), fault?.ToString());
        Assert.True(ProcessorCollateralFiles.TryRead(_folder, read, out var collateral, out var whyNot), whyNot);
        return collateral;
    }

    private void Add(string name, byte[] bytes) => File.WriteAllBytes(Path.Combine(_folder, name), bytes);
}
