using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Assay.Server;

/// <summary>Whether the server is about to stop.</summary>
internal sealed class Drain
{
    private int _begun;

    public bool HasBegun => Volatile.Read(ref _begun) == 1;

    public void Begin() => Interlocked.Exchange(ref _begun, 1);
}

/// <summary>What a server needs to be ready besides its database.</summary>
/// <param name="NeedsKek">The key encryption key itself: the broker alone asks it after the start.</param>
internal sealed record ReadyTerms(bool NeedsKek);

/// <summary>Ready: the database answers, the key encryption key where it is needed, and no stop has begun.</summary>
internal sealed class ReadyCheck(Drain drain, ServiceDatabase database, KeyEncryptionKey kek, ReadyTerms terms, TransparencyLog? log = null) : IHealthCheck
{
    public const string Name = "ready";

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        drain.HasBegun ? HealthCheckResult.Unhealthy("the server is about to stop")
        : !await database.AnswersAsync(cancellationToken).ConfigureAwait(false) ? HealthCheckResult.Unhealthy("the database does not answer")
        : terms.NeedsKek && !await kek.Wrapper.AnswersAsync(cancellationToken).ConfigureAwait(false) ? HealthCheckResult.Unhealthy("the key encryption key does not answer")
        : log?.Held is { } held ? HealthCheckResult.Unhealthy(held.Id)
        : HealthCheckResult.Healthy();

    // The word alone says nothing of what to do.
    public static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "text/plain";
        var why = report.Entries.Values.Select(entry => entry.Description).FirstOrDefault(text => text is not null);
        return context.Response.WriteAsync(why is null ? report.Status.ToString() : $"{report.Status}: {why}", context.RequestAborted);
    }
}
