using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Trust;

namespace Assay.Tests.Attacks;

/// <summary>Nothing that was not asked, or was asked of somebody else, may end as a pass; and a verdict says what it rests on.</summary>
public sealed class PolicyTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Fact]
    public async Task A_question_that_was_not_put_for_no_reason_is_no_pass()
    {
        var passed = await PassAsync();
        var device = passed.Devices[0] with { Findings = passed.Devices[0].Findings.Add(new Finding("x", CheckState.NotChecked)) };

        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(passed).Kind);
        Assert.Equal(VerdictKind.Incomplete, DefaultPolicy.Decide(passed with { Devices = [device] }).Kind);
        Assert.NotEqual(VerdictKind.Pass, DefaultPolicy.Decide(passed with { Findings = passed.Findings.Add(new Finding("x", default)) }).Kind);
    }

    [Fact]
    public async Task A_set_without_devices_or_a_device_without_findings_fails()
    {
        var passed = await PassAsync();

        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(passed with { Devices = [] }).Kind);
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(passed with { Devices = [passed.Devices[0] with { Findings = [] }] }).Kind);
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(passed with { Devices = [passed.Devices[0], passed.Devices[0] with { Findings = default }] }).Kind);
    }

    [Fact]
    public void Devices_authenticated_under_other_expectations_are_not_appraised()
    {
        var cache = new VerifierCache();
        var authenticated = DevicesAppraisal.Authenticate(nvidia.Evidence, nvidia.Expectations with { Nonce = null }, cache);

        // The verdict would not list nonce-not-given, and under the built-in set not say simulated.
        Assert.Throws<ArgumentException>(() => DevicesAppraisal.Appraise(authenticated, MachineCollateral.Empty, nvidia.Expectations, cache));
        Assert.Throws<ArgumentException>(() => DevicesAppraisal.Appraise(authenticated, MachineCollateral.Empty, nvidia.Expectations with { Nonce = null, Basis = nvidia.Expectations.Basis with { Trust = TrustSet.Nvidia } }, cache));
        Assert.Throws<ArgumentException>(() => DevicesAppraisal.Appraise(authenticated, MachineCollateral.Empty, nvidia.Expectations with { Nonce = null, RequireFwid = true }, cache));
    }

    [Fact]
    public async Task A_revoked_device_proves_nothing_by_what_it_signed()
    {
        var verdict = DefaultPolicy.Decide(await AppraiseAsync(asked => asked == nvidia.Brom ? NvidiaServices.Revoked(asked, Assay.Simulator.RevocationReason.KeyCompromise) : NvidiaServices.Good(asked), nvidia.Expectations));

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Empty(verdict.Proven);
    }

    [Fact]
    public async Task A_tolerated_hold_stands_among_the_weakenings_and_among_what_is_not_proven()
    {
        var signer = nvidia.DriverRim.Signer;
        var verdict = DefaultPolicy.Decide(await AppraiseAsync(
            asked => asked == signer ? NvidiaServices.Revoked(asked, Assay.Simulator.RevocationReason.CertificateHold) : NvidiaServices.Good(asked),
            nvidia.Expectations with { DangerouslyAcceptHeldRimSigner = true }));

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Contains("held-rim-signer-accepted", verdict.Appraisal.Weakened);
        Assert.Contains(verdict.NotProven, sentence => sentence.Contains("hold", StringComparison.Ordinal));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task A_hold_on_an_authority_above_the_RIM_signer_is_never_tolerated()
    {
        var authority = nvidia.DriverRim.Signer.Issuer!;
        var verdict = DefaultPolicy.Decide(await AppraiseAsync(
            asked => asked == authority ? NvidiaServices.Revoked(asked, Assay.Simulator.RevocationReason.CertificateHold) : NvidiaServices.Good(asked),
            nvidia.Expectations with { DangerouslyAcceptHeldRimSigner = true }));

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
    }

    [Fact]
    public async Task A_chain_that_one_cache_knows_under_one_trust_set_is_unknown_under_another()
    {
        var cache = new VerifierCache();
        var known = await AppraiseAsync(NvidiaServices.Good, nvidia.Expectations, cache);

        var foreign = await AppraiseAsync(NvidiaServices.Good, nvidia.Expectations with { Basis = nvidia.Expectations.Basis with { Trust = TrustSet.Nvidia } }, cache);

        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(known).Kind);
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(foreign).Kind);
        Assert.Contains(foreign.AllFindings, finding => finding is { Id: "device.chain.trusted", State: CheckState.Failed });
    }

    [Fact]
    public async Task A_device_that_was_verified_and_then_revoked_is_refused_by_the_same_cache()
    {
        var cache = new VerifierCache();
        var before = await AppraiseAsync(NvidiaServices.Good, nvidia.Expectations, cache);
        var after = await AppraiseAsync(asked => asked == nvidia.Brom ? NvidiaServices.Revoked(asked, Assay.Simulator.RevocationReason.KeyCompromise) : NvidiaServices.Good(asked), nvidia.Expectations, cache);

        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(before).Kind);
        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(after).Kind);
    }

    private Task<DevicesResult> PassAsync() => AppraiseAsync(NvidiaServices.Good, nvidia.Expectations);

    private async Task<DevicesResult> AppraiseAsync(Func<SimulatedCertificate, OcspAnswer> answer, DeviceExpectations expected, VerifierCache? cache = null)
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "POST" ? nvidia.AnswerOcspAsync(context, answer) : nvidia.AnswerRimAsync(context));
        var options = Loopback.Patient;
        using var rims = new RimServiceClient(server.Address, options);
        using var ocsp = new OcspClient(server.Address, options);
        return await new Appraiser(rims, ocsp, cache ?? new VerifierCache()).AppraiseAsync(nvidia.Evidence, expected, null, TestContext.Current.CancellationToken);
    }
}
