using System.Collections.Immutable;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Tdx;

/// <summary>What became of one of Intel's statements.</summary>
/// <param name="Findings">Its checks.</param>
/// <param name="Value">What it says; null when it is missing, forged or malformed.</param>
/// <param name="LatestStatement">Its issue date and those of the lists it was checked with (S-13).</param>
internal sealed record StatementResult<T>(ImmutableArray<Finding> Findings, T? Value, DateTimeOffset LatestStatement)
    where T : class;

/// <summary>The questions put to TCB information and to the quoting enclave's identity alike.</summary>
internal static class StatementAppraisal
{
    private static readonly ImmutableArray<string> s_suffixes =
        [".available", ".chain.trusted", ".signature.valid", ".wellformed", ".current", ".number.met", ".chain.current", ".chain.not-revoked", ".chain.status-current"];

    public delegate bool Reader<T>(ReadOnlySpan<byte> json, out T? value, out ParseFault? fault)
        where T : class;

    /// <summary>The ids under a prefix, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds(string prefix) => s_suffixes.Select(suffix => prefix + suffix);

    /// <summary>
    /// Asks everything that does not depend on the quote about the statement that counts. Of those that verify and are about the platform it is the
    /// one with the highest number, and of one number the one that was issued last, wherever they came from (S-17). One that does not verify says
    /// nothing: who sends it, or writes it into a folder, must not be able to spoil the one that is at hand.
    /// </summary>
    public static StatementResult<T> AppraiseLatest<T>(
        string prefix, string what, IntelStatement? statement, ImmutableArray<IntelStatement> others, Func<T, bool> isAbout, Reader<T> read,
        Func<T, (DateTimeOffset Issued, DateTimeOffset NextUpdate, int Number)> datesOf, TdxCollateral collateral, TdxExpectations expected, CrlJudge judge, VerifierCache cache)
        where T : class
    {
        var best = Appraise(prefix, what, statement, read, datesOf, collateral, expected, judge, cache);
        for (var index = 0; index < (others.IsDefault ? 0 : Math.Min(others.Length, Limits.CollateralCandidates)); index++)
        {
            if (statement is not null && IsSame(statement, others[index]))
            {
                continue;
            }

            // Where nothing that is at hand is authentic, one that is says more, even if it does not hold; where something is, only one that holds takes
            // its place.
            var next = Appraise(prefix, what, others[index], read, datesOf, collateral, expected, judge, cache);
            var held = best.Value is { } value && isAbout(value) ? value : null;
            if (next.Value is { } candidate && isAbout(candidate) && (held is null || (next.Findings.IsPassed() && IsLater(datesOf(candidate), datesOf(held)))))
            {
                best = next;
            }
        }

        return best;
    }

    private static bool IsLater((DateTimeOffset Issued, DateTimeOffset NextUpdate, int Number) one, (DateTimeOffset Issued, DateTimeOffset NextUpdate, int Number) other) =>
        one.Number != other.Number ? one.Number > other.Number : one.Issued > other.Issued;

    private static bool IsSame(IntelStatement one, IntelStatement other) =>
        one.Content.Span.SequenceEqual(other.Content.Span) && one.Signature.Span.SequenceEqual(other.Signature.Span) && one.IssuerChain.Span.SequenceEqual(other.IssuerChain.Span);

    private static StatementResult<T> Appraise<T>(
        string prefix, string what, IntelStatement? statement, Reader<T> read, Func<T, (DateTimeOffset Issued, DateTimeOffset NextUpdate, int Number)> datesOf,
        TdxCollateral collateral, TdxExpectations expected, CrlJudge judge, VerifierCache cache)
        where T : class
    {
        var findings = ImmutableArray.CreateBuilder<Finding>(s_suffixes.Length);
        if (statement is null)
        {
            Add(findings, prefix, Outcome.Missing($"the {what} is missing"));
            Fill(findings, prefix, $"the {what} is missing");
            return new(findings.ToImmutable(), null, DateTimeOffset.MinValue);
        }

        Add(findings, prefix, Outcome.Held());
        var (authentic, chainFault, signatureFault) = AuthenticStatement.Authenticate(statement, expected.Basis.Trust, cache);
        Add(findings, prefix, chainFault is null ? Outcome.Held($"to {(authentic is null ? "a trusted root" : authentic.Path.Anchor.Label)}") : Outcome.Failed(chainFault));
        Add(findings, prefix, chainFault is not null ? Outcome.Stopped("its signer's chain is not trusted") : signatureFault is null ? Outcome.Held("ECDSA P-256 with SHA-256") : Outcome.Failed(signatureFault));
        if (authentic is null)
        {
            Fill(findings, prefix, $"the {what} is not authentic");
            return new(findings.ToImmutable(), null, DateTimeOffset.MinValue);
        }

        var value = Parsed(authentic, read, out var fault);
        var (issued, nextUpdate, number) = value is not null ? datesOf(value) : default;
        Add(findings, prefix, fault is null ? Outcome.Held() : Outcome.Failed($"the {what} is malformed: {fault}"));
        Add(findings, prefix, fault is null ? judge.Within(issued, nextUpdate, what) : Outcome.Stopped($"the {what} is malformed"));
        Add(findings, prefix, fault is not null ? Outcome.Stopped($"the {what} is malformed")
            : number >= expected.MinimumEvaluationDataNumber ? Outcome.Held($"{number}")
            : Outcome.Failed($"an older {what} than one that was seen (tcbEvaluationDataNumber): fetch it again", $"{number}", $"at least {expected.MinimumEvaluationDataNumber}"));
        var revocation = SignerRevocation(authentic, collateral, judge);
        Add(findings, prefix, judge.Current(authentic.Path));
        Add(findings, prefix, revocation.NotRevoked);
        Add(findings, prefix, revocation.StatusCurrent);
        return new(findings.ToImmutable(), value, value is not null && issued > revocation.LatestStatement ? issued : revocation.LatestStatement);
    }

    // The JSON is read only after its signature held, and once for as long as the cache keeps it.
    private static T? Parsed<T>(AuthenticStatement authentic, Reader<T> read, out ParseFault? fault)
        where T : class
    {
        fault = null;
        if (authentic.Parsed is T value)
        {
            return value;
        }

        read(authentic.Content.Span, out var fresh, out fault);
        authentic.Parsed = fresh;
        return fault is null ? fresh : null;
    }

    private static CrlOutcomes SignerRevocation(AuthenticStatement authentic, TdxCollateral collateral, CrlJudge judge) => judge.Revocation(
        [new CrlQuery(authentic.Path.Leaf, authentic.Path.Certificates[^1], collateral.RootCrl, "the revocation list of Intel's root", collateral.OtherRootCrls)]);

    private static void Add(ImmutableArray<Finding>.Builder findings, string prefix, Outcome outcome) => findings.Add(outcome.Named(prefix + s_suffixes[findings.Count]));

    private static void Fill(ImmutableArray<Finding>.Builder findings, string prefix, string reason)
    {
        while (findings.Count < s_suffixes.Length)
        {
            findings.Add(Outcome.Stopped(reason).Named(prefix + s_suffixes[findings.Count]));
        }
    }
}
