using System.Collections.Immutable;
using Assay.Checks;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>A certificate whose status a revocation list tells.</summary>
/// <param name="Subject">The certificate.</param>
/// <param name="Issuer">The one above it in its path, which signs the list.</param>
/// <param name="List">DER; null when it could not be had.</param>
/// <param name="Source">Where the list comes from, for people.</param>
/// <param name="Others">Further lists: of those that are this issuer's the latest counts, and of two that are equally new the one that revokes.</param>
internal readonly record struct CrlQuery(Certificate Subject, Certificate Issuer, ReadOnlyMemory<byte>? List, string Source, ImmutableArray<ReadOnlyMemory<byte>> Others = default);

/// <summary>The answers about a path's revocation from lists.</summary>
/// <param name="NotRevoked">Whether no certificate is listed.</param>
/// <param name="StatusCurrent">Whether every list is within its times.</param>
/// <param name="LatestStatement">The latest thisUpdate of an authentic list: no honest clock is earlier (S-13).</param>
internal sealed record CrlOutcomes(Outcome NotRevoked, Outcome StatusCurrent, DateTimeOffset LatestStatement);

/// <summary>Judges paths of processors at a time: validity of their certificates, and revocation lists (which Intel and AMD publish, and no OCSP).</summary>
internal sealed class CrlJudge(TrustBasis basis, VerifierCache cache)
{
    private readonly DateTimeOffset _at = basis.Time.Instant;

    public Outcome Current(CertificationPath path) => PathValidity.Judge(path, _at, "fetch the certificate, or what it signed, again");

    /// <summary>Whether something that is valid from one instant to another is valid now.</summary>
    public Outcome Within(DateTimeOffset issued, DateTimeOffset nextUpdate, string what) =>
        issued - _at > RevocationJudgement.ClockSkewTolerance ? Outcome.Failed($"the issue date of the {what} is in the future: the clock is behind", Utc.Text(_at), $"from {Utc.Text(issued)}")
        : _at > nextUpdate ? Outcome.Failed($"the {what} is past its next update: fetch it again", Utc.Text(_at), $"until {Utc.Text(nextUpdate)}")
        : basis.MaximumAge is { } most && _at - issued > most ? Outcome.Failed($"the {what} is older than the relying party accepts: fetch it again", $"issued {Utc.Text(issued)}", $"at most {Hours(most)} before {Utc.Text(_at)}")
        : Outcome.Held($"{Utc.Text(issued)} to {Utc.Text(nextUpdate)}");

    public CrlOutcomes Revocation(ImmutableArray<CrlQuery> queries)
    {
        if (basis.Revocation is not RevocationChecking.Required)
        {
            var waived = Outcome.Waived("revocation was not checked: a revoked certificate would pass");
            return new CrlOutcomes(waived, waived, DateTimeOffset.MinValue);
        }

        var answers = queries.Select(Latest).ToArray();
        var revoked = answers.FirstOrDefault(answer => answer.Judgement?.State is RevocationState.Revoked or RevocationState.Hold or RevocationState.Unknown);
        var invalid = answers.FirstOrDefault(answer => answer.WhyInvalid is not null);
        var missing = answers.FirstOrDefault(answer => answer.WhyMissing is not null);
        var stale = answers.FirstOrDefault(answer => answer.Judgement is { Currency: not RevocationCurrency.Current });
        var notRevoked = revoked is not null ? Outcome.Failed($"{revoked.Name}: {revoked.Judgement!.WhyNot}")
            : invalid is not null ? Outcome.Failed($"{invalid.Name}: {invalid.WhyInvalid}")
            : missing is not null ? Outcome.Missing($"{missing.Name}: {missing.WhyMissing}")
            : stale is not null ? Outcome.Stopped("a revocation list is not current")
            : Outcome.Held($"{answers.Length} current signed lists");
        var current = stale is not null ? Outcome.Failed($"{stale.Name}: the revocation list is not current: {stale.Judgement!.WhyNot ?? stale.Judgement.Currency.ToString()}")
            : invalid is not null || missing is not null ? Outcome.Stopped("some certificates have no authentic revocation list")
            : Outcome.Held();
        return new CrlOutcomes(notRevoked, current, answers.Select(answer => answer.ThisUpdate).DefaultIfEmpty(DateTimeOffset.MinValue).Max());
    }

    private Answer Latest(CrlQuery query)
    {
        var best = Ask(query);
        for (var index = 0; index < (query.Others.IsDefault ? 0 : Math.Min(query.Others.Length, Limits.CollateralCandidates)); index++)
        {
            var other = query.Others[index];
            if (query.List is { } list && other.Span.SequenceEqual(list.Span))
            {
                continue;
            }

            // One that is not authentic says nothing: who sends it, or writes it into a folder, must not be able to spoil the list that is at hand. Of
            // two that are equally new the one that revokes counts.
            var next = Ask(query with { List = other });
            if (next.List is { } later && (best.List is null || best.List.IsOlderThan(later) || (!later.IsOlderThan(best.List) && next.Revokes)))
            {
                best = next;
            }
        }

        return best;
    }

    private Answer Ask(CrlQuery query)
    {
        var name = query.Subject.Subject.CommonName ?? query.Subject.Subject.ToString();
        if (query.List is not { } bytes)
        {
            return new Answer(name, null, null, $"{query.Source} is missing", null);
        }

        if (!AuthenticCrl.TryFromCache(bytes.Span, query.Issuer, basis.Trust.Kind, cache, out var crl))
        {
            if (!CertificateRevocationList.TryParse(bytes.Span, out var list, out var fault))
            {
                return new Answer(name, null, $"{query.Source} is malformed: {fault}", null, null);
            }

            if (!AuthenticCrl.TryAuthenticate(list, query.Issuer, basis.Trust.Kind, cache, out crl, out var whyNot))
            {
                return new Answer(name, null, $"{query.Source} is not authentic: {whyNot}", null, null);
            }
        }

        return new Answer(name, RevocationJudgement.Of(crl, query.Subject, query.Issuer, _at, basis.MaximumAge), null, null, crl);
    }

    private static string Hours(TimeSpan span) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{span.TotalHours:0.##} h");

    private sealed record Answer(string Name, RevocationJudgement? Judgement, string? WhyInvalid, string? WhyMissing, AuthenticCrl? List)
    {
        public DateTimeOffset ThisUpdate => List?.List.ThisUpdate ?? DateTimeOffset.MinValue;

        public bool Revokes => Judgement?.State is RevocationState.Revoked or RevocationState.Hold;
    }
}
