using System.Collections.Immutable;
using Assay.Appraisal.Machine;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust;

namespace Assay.Collateral;

/// <summary>How far an appraisal has come.</summary>
/// <param name="Done">Items that were answered.</param>
/// <param name="Total">Items needed, as far as is known.</param>
/// <param name="Item">What is being fetched.</param>
public readonly record struct AppraisalProgress(int Done, int Total, string Item)
{
    /// <summary>What kind of item that is.</summary>
    public CollateralKind Kind { get; init; }

    /// <summary>Whether the item was answered just now; otherwise it begins to be asked for.</summary>
    public bool IsAnswered { get; init; }
}

/// <summary>
/// Evidence → what it needs → fetch → verify → verdict: the one road that every program takes, for a GPU alone and for a whole machine.
/// Nothing is fetched for evidence that is not authentic, so forged evidence causes no requests. An SNP report is the exception: only its chip's
/// certificate proves it, and AMD is asked for the chip and TCB that it names.
/// </summary>
/// <param name="source">Where collateral comes from: <see cref="CollateralSources"/>, a bundle, or a cache.</param>
/// <param name="cache">What verified before; a fresh one remembers nothing.</param>
public sealed class MachineAppraiser(ICollateralSource source, VerifierCache cache)
{
    // Evidence asks for RIMs, RIMs for the status of their signers, and nothing asks further.
    private const int Rounds = 3;
    private const int Concurrency = 8;

    private readonly ICollateralSource _source = source ?? throw new ArgumentNullException(nameof(source));
    private readonly VerifierCache _cache = cache ?? throw new ArgumentNullException(nameof(cache));

    /// <summary>
    /// How long all the fetching of one appraisal may take, retries included; null: as long as it takes. What did not come in time is missing, and the
    /// verdict says so.
    /// </summary>
    public TimeSpan? Patience { get; init; }

    /// <summary>The clock of <see cref="Patience"/>.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Collateral of the processor that was given by hand: it counts before what is fetched. Null for none.</summary>
    public ProcessorCollateral? Given { get; init; }

    /// <summary>Judges what a machine shows. Throws when cancelled, and where a key or challenge is malformed.</summary>
    /// <param name="evidence">What it shows.</param>
    /// <param name="expected">What the relying party expects.</param>
    /// <param name="terms">Who decides; null: everything must hold.</param>
    /// <param name="progress">Told of what is fetched; null: no progress is told.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    /// <exception cref="ArgumentException">The key or the challenge is malformed, or one comes without the other: ask <see cref="MachineAppraisal.TryAuthenticate"/> first where these are foreign.</exception>
    public async Task<Verdict> AppraiseAsync(
        MachineEvidence evidence, MachineExpectations expected, VerdictTerms? terms = null, IProgress<AppraisalProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (!MachineAppraisal.TryAuthenticate(evidence, expected, _cache, out var machine, out var fault))
        {
            throw new ArgumentException(fault.ToString(), nameof(evidence));
        }

        var collateral = await FetchAsync(machine, progress, cancellation).ConfigureAwait(false);
        return Verdict.Of(machine, collateral, Given, terms ?? VerdictTerms.Default, _cache);
    }

    /// <summary>Everything that a machine needs and the source has. Throws only when cancelled.</summary>
    /// <param name="machine">Authenticated.</param>
    /// <param name="progress">Told of what is fetched; null: no progress is told.</param>
    /// <param name="cancellation">Ends the fetching.</param>
    public async Task<MachineCollateral> FetchAsync(AuthenticatedMachine machine, IProgress<AppraisalProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(machine);
        // Not Timeout.InfiniteTimeSpan for null: a clock of a test need not know it.
        using var deadline = Patience is { } patience ? new CancellationTokenSource(patience, Time) : new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, deadline.Token);
        var source = new PatientSource(_source, Patience, either.Token, cancellation);
        var collateral = MachineCollateral.Empty;
        for (var round = 0; round < Rounds; round++)
        {
            var needed = MachineAppraisal.RequiredCollateral(machine, collateral, _cache).Without(collateral);
            if (needed.IsEmpty)
            {
                break;
            }

            collateral = await FetchAsync(source, needed, collateral, progress, cancellation).ConfigureAwait(false);
            // A source may tell a connection that was cut as its fault: whoever cancelled gets no verdict.
            cancellation.ThrowIfCancellationRequested();
        }

        return collateral.RimFaults.IsEmpty ? collateral : collateral with { KnownRimIds = await source.ListRimsAsync(cancellation).ConfigureAwait(false) };
    }

    private static async Task<MachineCollateral> FetchAsync(PatientSource source, RequiredCollateral needed, MachineCollateral have, IProgress<AppraisalProgress>? progress, CancellationToken cancellation)
    {
        var total = needed.RimIds.Length + needed.Revocation.Length + needed.Processor.Length;
        var done = 0;
        using var places = new SemaphoreSlim(Concurrency);

        async Task<(TKey Key, Fetched<CollateralItem> Answer)> Ask<TKey>(TKey key, string item, CollateralQuestion question)
        {
            await places.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                progress?.Report(new AppraisalProgress(Volatile.Read(ref done), total, item) { Kind = question.Key.Kind });
                return (key, await source.FetchAsync(question, cancellation).ConfigureAwait(false));
            }
            finally
            {
                progress?.Report(new AppraisalProgress(Interlocked.Increment(ref done), total, item) { Kind = question.Key.Kind, IsAnswered = true });
                places.Release();
            }
        }

        var rims = needed.RimIds.Select(id => Ask(id, id, CollateralQuestion.OfRim(id))).ToArray();
        var statuses = needed.Revocation.Select(query => Ask(query.Subject, query.Certificate.Subject.CommonName ?? "OCSP", CollateralQuestion.OfStatus(query))).ToArray();
        var processor = needed.Processor.Select(key => Ask(key, key.ToString(), new CollateralQuestion(key))).ToArray();
        // All of them end before anything is thrown: no request outlives this call.
        Task[] all = [.. rims, .. statuses, .. processor];
        await Task.WhenAll(all).ConfigureAwait(false);
        var rimAnswers = await Task.WhenAll(rims).ConfigureAwait(false);
        var statusAnswers = await Task.WhenAll(statuses).ConfigureAwait(false);
        var processorAnswers = await Task.WhenAll(processor).ConfigureAwait(false);
        return have with
        {
            Rims = have.Rims.AddRange(Had(rimAnswers).Select(item => KeyValuePair.Create(item.Key, item.Answer.Item!.Body))),
            RimFaults = have.RimFaults.AddRange(Faults(rimAnswers)),
            Ocsp = have.Ocsp.AddRange(Had(statusAnswers).Select(item => KeyValuePair.Create(item.Key, item.Answer.Items))),
            OcspFaults = have.OcspFaults.AddRange(Faults(statusAnswers)),
            Processor = have.Processor.AddRange(Had(processorAnswers).Select(item => KeyValuePair.Create(item.Key, item.Answer.Item!))),
            // Without a source for it there is nothing to say but that it is missing.
            ProcessorFaults = have.ProcessorFaults.AddRange(processorAnswers.Where(item => item.Answer.Item is null)
                .Select(item => KeyValuePair.Create(item.Key, item.Answer.WasAsked ? $"{item.Answer.Source}: {item.Answer.WhyNot}" : ""))),
        };
    }

    /// <summary>A source that is asked until the time of the appraisal is over: after that everything is missing, and nothing more is asked.</summary>
    private sealed class PatientSource(ICollateralSource source, TimeSpan? patience, CancellationToken either, CancellationToken callers) : ICollateralSource
    {
        public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            try
            {
                either.ThrowIfCancellationRequested();
                return await source.FetchAsync(question, either).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!callers.IsCancellationRequested)
            {
                return Fetched.Failed(CollateralKinds.NameOf(question.Key.Kind), string.Create(
                    System.Globalization.CultureInfo.InvariantCulture, $"not answered within {patience?.TotalSeconds:0.###} s, the time for all of the verification (--timeout): see that the service can be reached, or allow more"));
            }
        }

        public async Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation)
        {
            try
            {
                either.ThrowIfCancellationRequested();
                return await source.ListRimsAsync(either).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!callers.IsCancellationRequested)
            {
                return [];
            }
        }
    }

    private static IEnumerable<(TKey Key, Fetched<CollateralItem> Answer)> Had<TKey>((TKey Key, Fetched<CollateralItem> Answer)[] answers) => answers.Where(item => item.Answer.Item is not null);

    private static IEnumerable<KeyValuePair<TKey, string>> Faults<TKey>((TKey Key, Fetched<CollateralItem> Answer)[] answers) =>
        answers.Where(item => item.Answer.Item is null).Select(item => KeyValuePair.Create(item.Key, item.Answer.WhyNot!));
}
