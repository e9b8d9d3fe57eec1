using Assay.Checks;
using Assay.Collateral.Http;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Tests.Collateral;

/// <summary>From evidence to verdict, with what services answer judged by the verifier.</summary>
public sealed class VerificationOverHttpTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Fact]
    public async Task Everything_holds_when_both_services_answer_rightly()
    {
        await using var server = await Loopback.StartAsync(nvidia.AnswerAsync);

        var verdict = await nvidia.VerifyAsync(server);

        Assert.True(verdict.Kind is VerdictKind.Pass, Reasons(verdict));
        Assert.True(verdict.NvidiaOverallResult);
        Assert.All(verdict.Appraisal.AllFindings, finding => Assert.True(finding.State is CheckState.Held or CheckState.NotApplicable, $"{finding.Id}: {finding.Reason}"));
        Assert.Empty(verdict.Appraisal.Missing);
        Assert.Equal(2, server.Requests.Count(asked => asked.Method == "GET"));

        // Three of the device, and three of the RIMs' common signer.
        Assert.Equal(6, server.Requests.Count(asked => asked.Method == "POST"));
    }

    [Fact]
    public async Task Requests_say_what_they_send_what_they_accept_and_who_asks()
    {
        await using var server = await Loopback.StartAsync(nvidia.AnswerAsync);

        await nvidia.VerifyAsync(server);

        Assert.All(server.Requests, asked => Assert.Matches(@"^assay/\d+\.\d+\.\d+$", asked.UserAgent));
        Assert.All(server.Requests, asked => Assert.Null(asked.Authorization is "" ? null : asked.Authorization));
        Assert.All(server.Requests.Where(asked => asked.Method == "POST"), asked =>
            Assert.Equal(("/", "application/ocsp-request", "application/ocsp-response"), (asked.Path, asked.ContentType, asked.Accept)));
        Assert.All(server.Requests.Where(asked => asked.Method == "GET"), asked => Assert.Equal("application/json", asked.Accept));
    }

    [Fact]
    public async Task The_service_key_goes_with_every_request_GETs_included()
    {
        await using var server = await Loopback.StartAsync(nvidia.AnswerAsync);
        Assert.True(SecretText.TryCreate("nvapi-secret", out var key, out _));
        using var held = key;

        var verdict = await nvidia.VerifyAsync(server, Loopback.Patient with { Time = TimeProvider.System, ServiceKey = held });

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Equal(8, server.Requests.Count);
        Assert.All(server.Requests, asked => Assert.Equal("Bearer nvapi-secret", asked.Authorization));
    }

    [Fact]
    public async Task Every_question_has_a_nonce_of_its_own()
    {
        var bodies = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var server = await Loopback.StartAsync(async context =>
        {
            bodies.Enqueue(Convert.ToHexString(await NvidiaServices.BodyAsync(context)));
            context.Response.StatusCode = 400;
        });
        using var ocsp = new OcspClient(server.Address, Loopback.Patient with { Time = TimeProvider.System });
        var query = NvidiaServices.Query(nvidia.Brom);

        await ocsp.FetchAsync(query, TestContext.Current.CancellationToken);
        await ocsp.FetchAsync(query, TestContext.Current.CancellationToken);

        Assert.Equal(2, bodies.Distinct().Count());
    }

    [Fact]
    public async Task Another_RIMs_bytes_under_the_right_id_are_refused_by_the_verifier()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "POST"
            ? nvidia.AnswerOcspAsync(context)
            : nvidia.AnswerRimAsync(context, rim => rim == nvidia.DriverRim ? nvidia.VbiosRim.Xml : rim.Xml));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains(Failed(verdict), id => id.Contains("rim", StringComparison.Ordinal) && id.EndsWith(".version.match", StringComparison.Ordinal));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task An_answer_about_another_certificate_is_refused_by_the_verifier()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, asked => NvidiaServices.Good(asked == nvidia.Brom ? nvidia.Known.First(other => other != asked && other.Issuer != asked.Issuer) : asked)));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["device.chain.not-revoked"], Failed(verdict));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task A_current_answer_with_anothers_nonce_passes_here_and_fails_NVIDIAs_formula()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, asked => NvidiaServices.Good(asked) with { NonceValue = SimulatedOcsp.NonceValue(new byte[32]) }));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.True(verdict.Kind is VerdictKind.Pass, Reasons(verdict));
        Assert.False(verdict.NvidiaOverallResult);
        Assert.All(verdict.Appraisal.Devices, device => Assert.False(device.Chain!.NonceMatches));
    }

    [Fact]
    public async Task A_current_answer_without_nonce_passes_here_and_fails_NVIDIAs_formula()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, echoNonce: false));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.True(verdict.Kind is VerdictKind.Pass, Reasons(verdict));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task A_revoked_device_fails()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, asked => asked == nvidia.Brom ? NvidiaServices.Revoked(asked, RevocationReason.KeyCompromise) : NvidiaServices.Good(asked)));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["device.chain.not-revoked"], Failed(verdict));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task A_held_RIM_signer_fails()
    {
        var signer = nvidia.DriverRim.Signer;
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, asked => asked == signer ? NvidiaServices.Revoked(asked, RevocationReason.CertificateHold) : NvidiaServices.Good(asked)));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.All(Failed(verdict), id => Assert.EndsWith(".chain.not-held", id, StringComparison.Ordinal));
        Assert.Equal(2, Failed(verdict).Length);
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public async Task An_answer_past_its_window_fails()
    {
        await using var server = await Loopback.StartAsync(context => context.Request.Method == "GET"
            ? nvidia.AnswerRimAsync(context)
            : nvidia.AnswerOcspAsync(context, asked => NvidiaServices.Good(asked) with { ThisUpdate = NvidiaServices.Now.AddDays(-9), NextUpdate = NvidiaServices.Now.AddDays(-2) }));

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(3, Failed(verdict).Length);
        Assert.All(Failed(verdict), id => Assert.EndsWith(".chain.status-current", id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Services_that_are_down_leave_the_verdict_incomplete_and_say_so()
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });

        var verdict = await nvidia.VerifyAsync(server);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.False(verdict.NvidiaOverallResult);
        Assert.Contains(verdict.Appraisal.Missing, item => item.Kind == "rim" && item.Reason.Contains($"{server.Text}/v1/rim/{nvidia.DriverRim.Id}: HTTP 503 (after 4 tries)", StringComparison.Ordinal));
        Assert.Contains(verdict.Appraisal.Missing, item => item.Kind == "ocsp" && item.Reason.Contains($"{server.Text}: HTTP 503 (after 4 tries)", StringComparison.Ordinal));
    }

    private static string[] Failed(Verdict verdict) => [.. verdict.Appraisal.AllFindings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];

    private static string Reasons(Verdict verdict) =>
        string.Join("\n", verdict.Appraisal.AllFindings.Where(finding => finding.State is CheckState.Failed or CheckState.NotChecked).Select(finding => $"{finding.Id}: {finding.Reason}"));
}
