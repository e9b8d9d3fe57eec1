using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Cpu;

/// <summary>Each simulated quote with each fault: exactly the named findings fail. The table is the contract.</summary>
public class TdxFaultTests
{
    // What fails with each fault, and nothing else. The root's list is asked about three chains.
    private static readonly Dictionary<TdxFault, string> s_failures = new()
    {
        [TdxFault.None] = "",
        [TdxFault.TrailingByte] = "tdx.quote.wellformed",
        [TdxFault.BrokenChain] = "tdx.chain.wellformed",
        [TdxFault.ForeignPckRoot] = "tdx.chain.trusted",
        [TdxFault.NoSgxExtension] = "tdx.pck.wellformed",
        [TdxFault.UnknownSgxField] = "tdx.pck.wellformed",
        [TdxFault.QeReportSignedByAnother] = "tdx.qe-report.signature.valid",
        [TdxFault.ForeignAttestationKey] = "tdx.attestation-key.bound",
        [TdxFault.AlteredBody] = "tdx.quote.signature.valid",
        [TdxFault.ExpiredPck] = "tdx.chain.current",
        [TdxFault.RevokedPck] = "tdx.chain.not-revoked",
        [TdxFault.RevokedPckCa] = "tdx.chain.not-revoked",
        [TdxFault.StalePckCrl] = "tdx.chain.status-current",
        [TdxFault.ForgedPckCrl] = "tdx.chain.not-revoked",
        [TdxFault.StaleRootCrl] = "tdx.chain.status-current tdx.tcb-info.chain.status-current tdx.qe-identity.chain.status-current",
        [TdxFault.ForeignTcbRoot] = "tdx.tcb-info.chain.trusted",
        [TdxFault.TcbInfoSignedByPck] = "tdx.tcb-info.chain.trusted",
        [TdxFault.AlteredTcbInfo] = "tdx.tcb-info.signature.valid",
        [TdxFault.TcbInfoOfVersion2] = "tdx.tcb-info.wellformed",
        [TdxFault.ExpiredTcbInfo] = "tdx.tcb-info.current",
        [TdxFault.OlderTcbInfo] = "tdx.tcb-info.number.met",
        [TdxFault.ExpiredTcbSigner] = "tdx.tcb-info.chain.current",
        [TdxFault.RevokedTcbSigner] = "tdx.tcb-info.chain.not-revoked",
        [TdxFault.OtherFmspc] = "tdx.tcb-info.platform.match",
        [TdxFault.OtherPceId] = "tdx.tcb-info.platform.match",
        [TdxFault.ForeignQeRoot] = "tdx.qe-identity.chain.trusted",
        [TdxFault.AlteredQeIdentity] = "tdx.qe-identity.signature.valid",
        [TdxFault.QeIdentityOfSgx] = "tdx.qe-identity.wellformed",
        [TdxFault.ExpiredQeIdentity] = "tdx.qe-identity.current",
        [TdxFault.OlderQeIdentity] = "tdx.qe-identity.number.met",
        [TdxFault.ExpiredQeSigner] = "tdx.qe-identity.chain.current",
        [TdxFault.RevokedQeSigner] = "tdx.qe-identity.chain.not-revoked",
        [TdxFault.PlatformOutOfDate] = "tdx.tcb.platform.accepted",
        [TdxFault.PlatformRelaunchAdvised] = "tdx.tcb.platform.accepted",
        [TdxFault.PlatformRelaunchAdvisedConfiguration] = "tdx.tcb.platform.accepted",
        [TdxFault.PlatformRevoked] = "tdx.tcb.platform.accepted",
        [TdxFault.NoTcbLevel] = "tdx.tcb.platform.accepted",
        [TdxFault.ForeignModule] = "tdx.module.genuine",
        [TdxFault.ModuleAttributes] = "tdx.module.genuine",
        [TdxFault.UnknownModule] = "tdx.module.genuine",
        [TdxFault.ModuleOutOfDate] = "tdx.tcb.module.accepted",
        [TdxFault.ModuleBelowAll] = "tdx.tcb.module.accepted",
        [TdxFault.ForeignQe] = "tdx.qe.genuine",
        [TdxFault.DebugQe] = "tdx.qe.genuine",
        [TdxFault.OtherEnclave] = "tdx.qe.genuine",
        [TdxFault.QeOutOfDate] = "tdx.tcb.qe.accepted",
        [TdxFault.Debug] = "tdx.debug.off",
        [TdxFault.UnknownAttribute] = "tdx.attributes.known",
        [TdxFault.UnknownXfam] = "tdx.xfam.known",
        [TdxFault.SeptVeEnabled] = "tdx.sept-ve.disabled",
        [TdxFault.Migratable] = "tdx.migration.off",
        [TdxFault.ServiceTd] = "tdx.service-td.accepted",
        [TdxFault.OtherImage] = "tdx.measurements.match",
        [TdxFault.OtherRegister] = "tdx.measurements.match",
        [TdxFault.OtherReportData] = "tdx.report-data.match",
    };

    public static TheoryData<int, bool, TdxFault> Cases
    {
        get
        {
            var cases = new TheoryData<int, bool, TdxFault>();
            foreach (var (version, is15) in new[] { (4, false), (5, false), (5, true) })
            {
                // A report of TDX 1.0 cannot name a service TD.
                foreach (var fault in Enum.GetValues<TdxFault>().Where(fault => is15 || fault is not TdxFault.ServiceTd))
                {
                    cases.Add(version, is15, fault);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_simulated_quote_fails_exactly_where_it_is_wrong(int version, bool is15, TdxFault fault)
    {
        var result = SimulatedCpu.Tdx(version, is15, fault).Result();

        Assert.Equal(s_failures[fault], string.Join(' ', JudgedTdx.Failed(result.Findings)));
        Assert.Equal(fault is TdxFault.None, result.Passed);
        Assert.Equal(TdxAppraisal.CheckIds, result.Findings.Select(finding => finding.Id));
        Assert.All(result.Findings.Where(finding => finding.State is CheckState.Failed), finding => Assert.NotNull(finding.Reason));
        Assert.Equal(TrustSetKind.Simulated, result.Basis.Trust.Kind);
    }

    [Fact]
    public void Every_question_but_those_of_the_relying_party_has_a_fault()
    {
        // Missing items, and choices that nobody made, are tested below.
        string[] elsewhere = ["tdx.tcb.advisories.accepted", "tdx.tcb-info.available", "tdx.qe-identity.available", "time.source.chosen", "time.floor.respected", "revocation.chosen"];

        Assert.Empty(TdxAppraisal.CheckIds.Except(s_failures.Values.SelectMany(ids => ids.Split(' '))).Except(elsewhere));
    }

    [Fact]
    public void A_real_trust_set_refuses_simulated_quotes_and_a_simulated_one_real_quotes()
    {
        Assert.Equal(["tdx.chain.trusted"], JudgedTdx.Failed((SimulatedCpu.Tdx(5, true) with { Trust = TrustSet.BuiltIn }).Result().Findings));

        var real = JudgedTdx.Recorded("tdx/tdx_quote", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z") with { Trust = SimulatedCpu.Trust };
        Assert.Equal(["tdx.chain.trusted"], JudgedTdx.Failed(real.Result().Findings));
    }

    [Theory]
    [InlineData("tcb-info")]
    [InlineData("qe-identity")]
    [InlineData("pck-crl")]
    [InlineData("root-crl")]
    public void What_is_missing_is_named_and_never_good(string item)
    {
        var judged = SimulatedCpu.Tdx(4, false);
        var collateral = judged.Collateral;
        judged = judged with
        {
            Collateral = item switch
            {
                "tcb-info" => collateral with { TcbInfo = null },
                "qe-identity" => collateral with { QeIdentity = null },
                "pck-crl" => collateral with { PckCrl = null },
                _ => collateral with { RootCrl = null },
            },
        };
        var result = judged.Result();

        Assert.Equal([item], result.Missing);
        Assert.Empty(JudgedTdx.Failed(result.Findings));
        Assert.False(result.Passed);
    }

    [Fact]
    public void Nothing_chosen_is_refused()
    {
        var judged = SimulatedCpu.Tdx(4, false);
        string[] Under(Func<TdxExpectations, TdxExpectations> with) => JudgedTdx.Failed((judged with { With = expected => with(judged.With(expected)) }).Result().Findings);

        Assert.Equal(["time.source.chosen"], Under(expected => expected with { Basis = expected.Basis with { Time = expected.Basis.Time with { Source = TimeSource.None } } }));
        Assert.Equal(["revocation.chosen"], Under(expected => expected with { Basis = expected.Basis with { Revocation = RevocationChecking.None } }));
        Assert.Equal(["tdx.measurements.match"], Under(expected => expected with { References = [] }));
        // A day before the release of this software, which no honest clock shows, and still inside every window.
        Assert.Equal(["time.floor.respected"], Under(expected => expected with { Basis = expected.Basis with { Time = new EvaluationTime(EvaluationTime.ReleaseDate.AddDays(-1), TimeSource.System) } }));
    }

    [Fact]
    public void A_weakening_is_named_where_it_was_used_and_nowhere_else()
    {
        TdxResult Under(TdxFault fault, Func<TdxExpectations, TdxExpectations> with)
        {
            var judged = SimulatedCpu.Tdx(5, true, fault);
            return (judged with { With = expected => with(judged.With(expected)) }).Result();
        }

        var debug = Under(TdxFault.Debug, expected => expected with { DangerouslyAcceptDebug = true });
        Assert.True(debug.Passed);
        Assert.Equal(["tdx-debug-accepted"], debug.Weakened);
        Assert.Empty(Under(TdxFault.None, expected => expected with { DangerouslyAcceptDebug = true }).Weakened);

        var outdated = Under(TdxFault.PlatformOutOfDate, expected => expected with { DangerouslyAcceptedTcbStatuses = [TcbStatus.OutOfDate] });
        Assert.True(outdated.Passed);
        Assert.Equal(["tdx-tcb-status-accepted"], outdated.Weakened);
        Assert.Equal(["INTEL-SA-00837"], outdated.Tcb!.AdvisoryIds);

        // Nobody accepts a revoked TCB, not even by name.
        Assert.False(Under(TdxFault.PlatformRevoked, expected => expected with { DangerouslyAcceptedTcbStatuses = [TcbStatus.Revoked] }).Passed);

        var service = Under(TdxFault.ServiceTd, expected => expected with { AcceptedServiceTds = [new Digest(System.Security.Cryptography.SHA384.HashData("migration TD"u8))] });
        Assert.True(service.Passed);
        var septVe = Under(TdxFault.SeptVeEnabled, expected => expected with { RequireSeptVeDisable = false });
        Assert.True(septVe.Passed);
        Assert.Contains("tdx-sept-ve-accepted", septVe.Weakened);
        Assert.True(Under(TdxFault.Migratable, expected => expected with { RefuseMigratable = false }).Passed);
    }

    [Fact]
    public void A_quote_may_not_be_judged_by_other_expectations_than_it_was_authenticated_with()
    {
        var judged = SimulatedCpu.Tdx(4, false);
        var expected = judged.Expectations();
        var authenticated = TdxAppraisal.Authenticate(judged.Quote, expected, judged.Cache);

        Assert.Throws<ArgumentException>(() => TdxAppraisal.Appraise(authenticated, judged.Collateral, expected with { ReportData = null }, judged.Cache));
        Assert.Throws<ArgumentException>(() => TdxAppraisal.Appraise(authenticated, judged.Collateral, expected with { Basis = expected.Basis with { Trust = TrustSet.BuiltIn } }, judged.Cache));
    }
}
