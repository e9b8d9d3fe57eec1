using Assay.Attestation.Policies;
using Assay.Attestation.Tpm;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Service;
using Assay.Service.Judging;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Assay.Attestation.Appraisals;

/// <summary>
/// What the role does beside requests: takes over policies that another process activated, removes what is over, and judges the machines of live tokens
/// again. A token whose machine fails now, because its collateral was revoked since, is put on the list of revoked ones.
/// </summary>
internal sealed partial class AttestationUpkeep(AttestationTerms terms, PolicyStore policies, AppraisalStore appraisals, TpmKeyStore tpmKeys, AttestationService service, TimeProvider clock, ILogger<AttestationUpkeep> logger) : BackgroundService
{
    private const int MostReappraised = 1000;

    /// <summary>Judges the machines of live tokens again. Returns how many tokens were revoked.</summary>
    internal async Task<int> ReappraiseAsync(CancellationToken cancellation)
    {
        var revoked = 0;
        foreach (var (row, _, evidence) in await appraisals.LiveAsync(MostReappraised, cancellation).ConfigureAwait(false))
        {
            // Under the policy that is active now; where there is none any more, what was decided stands.
            if (evidence is null || policies.Find(row.Tenant, row.Audience) is not { } policy || !MachineEvidence.TryParse(evidence, "stored", out var machine, out _))
            {
                continue;
            }

            var (verdict, _) = await service.JudgeAsync(machine, policy, row.Nonce, service.Now(), cancellation).ConfigureAwait(false);
            // Revoked alone: an outage, or a newer policy, takes no token away that was rightly given.
            if (verdict is { Kind: VerdictKind.Fail } && RevokedCheck(verdict) is { } check)
            {
                revoked += await appraisals.RevokeAsync(row, check, "service", cancellation).ConfigureAwait(false) ? 1 : 0;
            }
        }

        return revoked;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(terms.PolicyReload, clock);
        var last = clock.GetUtcNow();
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                var isDue = terms.Reappraisal > TimeSpan.Zero && clock.GetUtcNow() - last >= terms.Reappraisal;
                last = isDue ? clock.GetUtcNow() : last;
                await TryAsync(isDue, stoppingToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The host stops.
        }
    }

    private async Task TryAsync(bool isDue, CancellationToken cancellation)
    {
        try
        {
            await policies.ReloadAsync(cancellation).ConfigureAwait(false);
            if (isDue)
            {
                await appraisals.PurgeAsync(terms.KeepAppraisals, cancellation).ConfigureAwait(false);
                await tpmKeys.PurgeAsync(cancellation).ConfigureAwait(false);
                await ReappraiseAsync(cancellation).ConfigureAwait(false);
            }
        }
        catch (ServiceException exception)
        {
            Log.Failed(logger, exception.Id, exception.Message);
        }
    }

    private static string? RevokedCheck(Verdict verdict) => VerdictFindings.Of(verdict)
        .FirstOrDefault(finding => finding.State is CheckState.Failed && (finding.Id.EndsWith("not-revoked", StringComparison.Ordinal) || finding.Id.EndsWith("not-held", StringComparison.Ordinal)))?.Id;

    private static partial class Log
    {
        [LoggerMessage(2020, LogLevel.Warning, "upkeep of appraisals failed and is tried again: {Id}: {Reason}")]
        public static partial void Failed(ILogger logger, string id, string reason);
    }
}
