using Assay.Appraisal.Devices;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Collateral;

/// <summary>How far an appraisal has come.</summary>
/// <param name="Done">Items had.</param>
/// <param name="Total">Items needed, as far as is known.</param>
/// <param name="Item">What is being fetched.</param>
public readonly record struct AppraisalProgress(int Done, int Total, string Item);

/// <summary>
/// Evidence → what it needs → fetch → verify: the one road that every program takes. Devices are authenticated before anything is
/// fetched for them, so that forged evidence sends nobody anywhere.
/// </summary>
/// <param name="rims">Where RIMs come from; null to fetch none.</param>
/// <param name="ocsp">Where OCSP responses come from; null to fetch none.</param>
/// <param name="cache">What verified before; a fresh one remembers nothing.</param>
public sealed class Appraiser(IRimSource? rims, IOcspSource? ocsp, VerifierCache cache)
{
    // Evidence asks for RIMs, RIMs for the status of their signers, and nothing asks further.
    private const int Rounds = 3;
    private const int Concurrency = 8;

    /// <summary>Appraises a set of devices. Throws only when cancelled.</summary>
    public async Task<AppraisalResult> AppraiseAsync(
        IReadOnlyList<DeviceEvidence> evidence, AppraisalExpectations expected, IProgress<AppraisalProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        var authenticated = SetAppraisal.Authenticate(evidence, expected, cache);
        var collateral = CollateralSet.Empty;
        for (var round = 0; round < Rounds; round++)
        {
            var needed = SetAppraisal.RequiredCollateral(authenticated, collateral, expected, cache).Without(collateral);
            if (needed.IsEmpty)
            {
                break;
            }

            collateral = await FetchAsync(needed, collateral, progress, cancellation).ConfigureAwait(false);
        }

        if (rims is not null && !collateral.RimFaults.IsEmpty)
        {
            collateral = collateral with { KnownRimIds = await rims.ListAsync(cancellation).ConfigureAwait(false) };
        }

        return SetAppraisal.Appraise(authenticated, collateral, expected, cache);
    }

    private async Task<CollateralSet> FetchAsync(
        RequiredCollateral needed, CollateralSet have, IProgress<AppraisalProgress>? progress, CancellationToken cancellation)
    {
        var total = needed.RimIds.Length + needed.Revocation.Length;
        var done = 0;
        using var places = new SemaphoreSlim(Concurrency);

        async Task<T> Limited<T>(string item, Func<Task<T>> fetch)
        {
            await places.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                progress?.Report(new AppraisalProgress(Volatile.Read(ref done), total, item));
                return await fetch().ConfigureAwait(false);
            }
            finally
            {
                progress?.Report(new AppraisalProgress(Interlocked.Increment(ref done), total, item));
                places.Release();
            }
        }

        var rimTasks = needed.RimIds.Select(async id => (Id: id, Answer: rims is null
            ? RimAnswer.None("no RIM source was asked; give --rim-store DIR or --rim-url URL")
            : await Limited(id, () => rims.FetchAsync(id, cancellation)).ConfigureAwait(false))).ToArray();
        var ocspTasks = needed.Revocation.Select(async query => (query.Subject, Answer: ocsp is null
            ? OcspFetch.None("no OCSP source was asked; give --ocsp-url URL or --ocsp-store DIR")
            : await Limited(query.Certificate.Subject.CommonName ?? "OCSP", () => ocsp.FetchAsync(query, cancellation)).ConfigureAwait(false))).ToArray();
        var rimAnswers = await Task.WhenAll(rimTasks).ConfigureAwait(false);
        var ocspAnswers = await Task.WhenAll(ocspTasks).ConfigureAwait(false);
        return have with
        {
            Rims = have.Rims.AddRange(rimAnswers.Where(item => item.Answer.Bytes is not null).Select(item => KeyValuePair.Create(item.Id, item.Answer.Bytes!.Value))),
            RimFaults = have.RimFaults.AddRange(rimAnswers.Where(item => item.Answer.Bytes is null).Select(item => KeyValuePair.Create(item.Id, item.Answer.WhyNot!))),
            Ocsp = have.Ocsp.AddRange(ocspAnswers.Where(item => !item.Answer.Items.IsEmpty).Select(item => KeyValuePair.Create(item.Subject, item.Answer.Items))),
            OcspFaults = have.OcspFaults.AddRange(ocspAnswers.Where(item => item.Answer.Items.IsEmpty).Select(item => KeyValuePair.Create(item.Subject, item.Answer.WhyNot!))),
        };
    }
}
