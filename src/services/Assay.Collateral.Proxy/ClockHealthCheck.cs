using Assay.Collateral.Cache;
using Assay.Collateral.Diagnostics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Assay.Collateral.Proxy;

/// <summary>Whether the clock allows judging: behind what verified before, nothing is served.</summary>
internal sealed partial class ClockHealthCheck(CollateralCache cache, ILogger<ClockHealthCheck> logger, TimeProvider time) : IHealthCheck
{
    public const string Name = "collateral-clock";

    private readonly LogThrottle _throttle = new(time);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (cache.WhyNotClock() is not { } whyNot)
        {
            return Task.FromResult(HealthCheckResult.Healthy());
        }

        if (_throttle.MayWrite(Name, out var leftOut))
        {
            Log.ClockBehind(logger, whyNot, leftOut);
        }

        return Task.FromResult(HealthCheckResult.Unhealthy(whyNot));
    }
}
