using Assay.Appraisal.Snp;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Cpu;

/// <summary>Each simulated report with each fault: exactly the named findings fail. The table is the contract.</summary>
public class SnpFaultTests
{
    private static readonly Dictionary<SnpFault, string> s_failures = new()
    {
        [SnpFault.None] = "",
        [SnpFault.ReservedByte] = "snp.report.wellformed",
        [SnpFault.MissingAuthority] = "",
        [SnpFault.ForeignRoot] = "snp.chain.trusted",
        [SnpFault.NoProductName] = "snp.endorsement.wellformed",
        [SnpFault.NoMicrocodeLevel] = "snp.endorsement.wellformed",
        [SnpFault.AuthoritiesOfAnotherLine] = "snp.product.match",
        [SnpFault.ProcessorOfAnotherLine] = "snp.product.match",
        [SnpFault.MaskChipKey] = "snp.signing-key.match",
        [SnpFault.CertificateOfAnotherTcb] = "snp.endorsement.tcb.match",
        [SnpFault.CertificateOfAnotherChip] = "snp.endorsement.chip.match",
        [SnpFault.MaskedChipId] = "snp.endorsement.chip.match",
        [SnpFault.AlteredMeasurement] = "snp.report.signature.valid",
        [SnpFault.OtherReportData] = "snp.report-data.match",
        [SnpFault.ExpiredCertificate] = "snp.chain.current",
        [SnpFault.RevokedAuthority] = "snp.chain.not-revoked",
        [SnpFault.StaleCrl] = "snp.chain.status-current",
        [SnpFault.ForgedCrl] = "snp.chain.not-revoked",
        [SnpFault.ReportedAboveCommitted] = "snp.tcb.consistent",
        [SnpFault.CurrentBelowCommitted] = "snp.tcb.consistent",
        [SnpFault.ReservedTcbByte] = "snp.tcb.consistent",
        [SnpFault.LaunchedBelowMinimum] = "snp.tcb.accepted",
        [SnpFault.Debug] = "snp.debug.off",
        [SnpFault.UnknownPolicy] = "snp.policy.known",
        [SnpFault.PolicyWithoutItsOne] = "snp.policy.known",
        [SnpFault.SmtAgainstPolicy] = "snp.policy.enforced",
        // They inform, and permit nothing: newer hardware is not refused for them.
        [SnpFault.UnknownPlatform] = "",
        [SnpFault.MigrationAllowed] = "snp.migration-agent.off",
        [SnpFault.MigrationAgentAgainstPolicy] = "snp.migration-agent.off",
        [SnpFault.LessPrivileged] = "snp.vmpl.accepted",
        [SnpFault.OtherImage] = "snp.measurement.match",
        [SnpFault.OtherHostData] = "snp.measurement.match",
    };

    public static TheoryData<SnpLine, int, bool, SnpFault> Cases
    {
        get
        {
            var cases = new TheoryData<SnpLine, int, bool, SnpFault>();
            foreach (var line in Enum.GetValues<SnpLine>())
            {
                cases.Add(line, 3, false, SnpFault.None);
                cases.Add(line, 4, false, SnpFault.None);
                cases.Add(line, 5, true, SnpFault.None);
                foreach (var (version, vlek) in new[] { (2, false), (3, true), (5, false) })
                {
                    foreach (var fault in Enum.GetValues<SnpFault>().Where(fault => Applies(fault, version, vlek)))
                    {
                        cases.Add(line, version, vlek, fault);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_simulated_report_fails_exactly_where_it_is_wrong(SnpLine line, int version, bool vlek, SnpFault fault)
    {
        var result = SimulatedCpu.Snp(line, version, vlek, fault).Result();

        Assert.Equal(s_failures[fault], string.Join(' ', JudgedTdx.Failed(result.Findings)));
        Assert.Equal(fault is SnpFault.None or SnpFault.UnknownPlatform, result.Passed);
        Assert.Equal(fault is SnpFault.UnknownPlatform, result.Weakened.Contains("snp-platform-bits-unknown"));
        Assert.Equal(fault is SnpFault.MissingAuthority ? ["snp-certificates"] : [], result.Missing);
        Assert.Equal(SnpAppraisal.CheckIds, result.Findings.Select(finding => finding.Id));
        Assert.All(result.Findings.Where(finding => finding.State is CheckState.Failed), finding => Assert.NotNull(finding.Reason));
    }

    [Fact]
    public void Every_question_but_those_of_the_relying_party_has_a_fault()
    {
        string[] elsewhere = ["snp.platform.known", "snp.chain.available", "time.source.chosen", "time.floor.respected", "revocation.chosen"];

        Assert.Empty(SnpAppraisal.CheckIds.Except(s_failures.Values.SelectMany(ids => ids.Split(' '))).Except(elsewhere));
    }

    [Fact]
    public void A_real_trust_set_refuses_simulated_reports_and_a_simulated_one_real_reports()
    {
        Assert.Equal(["snp.chain.trusted"], JudgedTdx.Failed((SimulatedCpu.Snp(SnpLine.Milan, 3, false) with { Trust = TrustSet.BuiltIn }).Result().Findings));
        Assert.Equal(["snp.chain.trusted"], JudgedTdx.Failed((JudgedSnp.Recorded("dstack", "2026-07-01T00:00:00Z") with { Trust = SimulatedCpu.Trust }).Result().Findings));
    }

    [Fact]
    public void Nothing_chosen_is_refused()
    {
        var judged = SimulatedCpu.Snp(SnpLine.Genoa, 5, false);
        string[] Under(Func<SnpExpectations, SnpExpectations> with) => JudgedTdx.Failed((judged with { With = expected => with(judged.With(expected)) }).Result().Findings);

        Assert.Equal(["snp.signing-key.match"], Under(expected => expected with { AcceptedSigningKeys = [] }));
        Assert.Equal(["snp.signing-key.match"], Under(expected => expected with { AcceptedSigningKeys = [SnpSigningKey.Vlek] }));
        Assert.Equal(["snp.vmpl.accepted"], Under(expected => expected with { AcceptedVmpls = [] }));
        Assert.Equal(["snp.measurement.match"], Under(expected => expected with { References = [] }));
        Assert.Equal(["time.source.chosen"], Under(expected => expected with { Basis = expected.Basis with { Time = expected.Basis.Time with { Source = TimeSource.None } } }));
        Assert.Equal(["revocation.chosen"], Under(expected => expected with { Basis = expected.Basis with { Revocation = RevocationChecking.None } }));
        Assert.Equal(["time.floor.respected"], Under(expected => expected with { Basis = expected.Basis with { Time = new EvaluationTime(EvaluationTime.ReleaseDate.AddDays(-1), TimeSource.System) } }));
    }

    [Fact]
    public void A_weakening_is_named_where_it_was_used_and_nowhere_else()
    {
        SnpResult Under(SnpFault fault, Func<SnpExpectations, SnpExpectations> with)
        {
            var judged = SimulatedCpu.Snp(SnpLine.Turin, 5, false, fault);
            return (judged with { With = expected => with(judged.With(expected)) }).Result();
        }

        Func<SnpExpectations, SnpExpectations> lax = expected => expected with { DangerouslyAcceptDebug = true, DangerouslyAcceptOutOfDateTcb = true };
        Assert.Empty(Under(SnpFault.None, lax).Weakened);
        Assert.Equal(["snp-debug-accepted"], Under(SnpFault.Debug, lax).Weakened);
        Assert.Equal(["snp-tcb-status-accepted"], Under(SnpFault.LaunchedBelowMinimum, lax).Weakened);
        Assert.True(Under(SnpFault.Debug, lax).Passed && Under(SnpFault.LaunchedBelowMinimum, lax).Passed);
        Assert.True(Under(SnpFault.MigrationAllowed, expected => expected with { RefuseMigrationAgent = false }).Passed);
        // Without a minimum the four versions must agree, and the result says that nobody said what is new enough.
        Assert.Equal(["snp-no-minimum-tcb"], Under(SnpFault.None, expected => expected with { MinimumTcb = null }).Weakened);
        Assert.False(Under(SnpFault.LaunchedBelowMinimum, expected => expected with { MinimumTcb = null }).Passed);
    }

    // Version 2 names no processor; a VLEK no chip.
    private static bool Applies(SnpFault fault, int version, bool vlek) => fault switch
    {
        SnpFault.ProcessorOfAnotherLine => version >= 3,
        SnpFault.MaskChipKey or SnpFault.CertificateOfAnotherChip or SnpFault.MaskedChipId => !vlek,
        _ => true,
    };
}
