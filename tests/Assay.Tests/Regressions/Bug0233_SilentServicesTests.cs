using Assay.Appraisal.Machine;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tests.Collateral;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>A service that took connections and said nothing held a verification up for minutes: each item waited through all of its tries.</summary>
public sealed class Bug0233_SilentServicesTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_the_time_of_the_verification_nothing_more_is_asked_and_what_did_not_come_is_missing()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var silent = await Loopback.StartAsync(async context =>
        {
            asked.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        });
        // The clients themselves would wait as long as a slow machine needs, and try again.
        using var rims = new RimServiceClient(silent.Address, Loopback.Patient);
        using var ocsp = new OcspClient(silent.Address, Loopback.Patient);
        var clock = new StoppedTime();
        var appraiser = new MachineAppraiser(new CollateralSources { Rims = rims, Ocsp = ocsp }, new VerifierCache()) { Patience = TimeSpan.FromSeconds(20), Time = clock };

        var judging = appraiser.AppraiseAsync(
            new MachineEvidence { Devices = [.. nvidia.Evidence] }, new MachineExpectations { Basis = nvidia.Expectations.Basis, Nonce = nvidia.Expectations.Nonce }, cancellation: Cancellation);
        await asked.Task.WaitAsync(Patience.Long, Cancellation);
        Assert.False(judging.IsCompleted);
        clock.End();
        var verdict = await judging.WaitAsync(Patience.Long, Cancellation);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Equal(TimeSpan.FromSeconds(20), clock.Asked);
        var reasons = verdict.Appraisal.Devices.SelectMany(device => device.Findings).Select(finding => finding.Reason ?? "").Where(reason => reason.Contains("not answered within 20 s", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(reasons);
        // What was under way, and neither a second try nor a second round.
        Assert.InRange(silent.Requests.Count, 1, 8);
    }

    [Fact]
    public async Task A_caller_who_gives_up_is_no_outage()
    {
        using var end = new CancellationTokenSource();
        var appraiser = new MachineAppraiser(new ScriptedUpstream(async _ =>
        {
            await end.CancelAsync();
            end.Token.ThrowIfCancellationRequested();
            return null!;
        }), new VerifierCache())
        { Patience = TimeSpan.FromHours(1) };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => appraiser.AppraiseAsync(
            new MachineEvidence { Devices = [.. nvidia.Evidence] }, new MachineExpectations { Basis = nvidia.Expectations.Basis, Nonce = nvidia.Expectations.Nonce }, cancellation: end.Token));
    }

    /// <summary>A clock whose one timer ends when a test says so.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        private TimerCallback? _callback;
        private object? _state;

        public TimeSpan Asked { get; private set; }

        public void End() => _callback!(_state);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state, Asked) = (callback, state, dueTime);
            return new Never();
        }

        private sealed class Never : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
