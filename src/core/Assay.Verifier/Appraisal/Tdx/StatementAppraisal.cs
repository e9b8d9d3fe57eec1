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
    /// Asks everything that does not depend on the quote about the statement that counts. Of two that verify and are about the platform it is the
    /// one with the higher number, and of one number the one that was issued later, wherever they came from (S-17). A second one that does not
    /// verify says nothing: who sends it must not be able to spoil the one that is at hand.
    /// </summary>
    public static StatementResult<T> AppraiseLatest<T>(
        string prefix, string what, IntelStatement? statement, IntelStatement? other, Func<T, bool> isAbout, Reader<T> read,
        Func<T, (DateTimeOffset Issued, DateTimeOffset NextUpdate, int Number)> datesOf, TdxCollateral collateral, TdxExpectations expected, CrlJudge judge, VerifierCache cache)
        where T : class
    {
        var first = Appraise(prefix, what, statement, read, datesOf, collateral, expected, judge, cache);
        if (statement is null || other is null || IsSame(statement, other))
        {
            return first;
        }

        var second = Appraise(prefix, what, other, read, datesOf, collateral, expected, judge, cache);
        return second.Findings.IsPassed() && second.Value is { } candidate && isAbout(candidate)
            && (first.Value is not { } held || !isAbout(held) || IsLater(datesOf(candidate), datesOf(held))) ? second : first;
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
        void Add(Outcome outcome) => findings.Add(outcome.Named(prefix + s_suffixes[findings.Count]));

        if (statement is null)
        {
            Add(Outcome.Missing($"the {what} is missing"));
            Fill(findings, prefix, $"the {what} is missing");
            return new(findings.ToImmutable(), null, DateTimeOffset.MinValue);
        }

        Add(Outcome.Held());
        var (authentic, chainFault, signatureFault) = AuthenticStatement.Authenticate(statement, expected.Basis.Trust, cache);
        Add(chainFault is null ? Outcome.Held($"to {(authentic is null ? "a trusted root" : authentic.Path.Anchor.Label)}") : Outcome.Failed(chainFault));
        Add(chainFault is not null ? Outcome.Stopped("its signer's chain is not trusted") : signatureFault is null ? Outcome.Held("ECDSA P-256 with SHA-256") : Outcome.Failed(signatureFault));
        if (authentic is null)
        {
            Fill(findings, prefix, $"the {what} is not authentic");
            return new(findings.ToImmutable(), null, DateTimeOffset.MinValue);
        }

        // The JSON is read only after its signature held, and once for as long as the cache keeps it.
        ParseFault? fault = null;
        if (authentic.Parsed is not T value)
        {
            read(authentic.Content.Span, out var fresh, out fault);
            authentic.Parsed = fresh;
            value = fresh!;
        }

        Add(fault is null ? Outcome.Held() : Outcome.Failed($"the {what} is malformed: {fault}"));
        var (issued, nextUpdate, number) = fault is null ? datesOf(value) : default;
        Add(fault is null ? judge.Within(issued, nextUpdate, what) : Outcome.Stopped($"the {what} is malformed"));
        Add(fault is not null ? Outcome.Stopped($"the {what} is malformed")
            : number >= expected.MinimumEvaluationDataNumber ? Outcome.Held($"{number}")
            : Outcome.Failed($"an older {what} than one that was seen (tcbEvaluationDataNumber): fetch it again", $"{number}", $"at least {expected.MinimumEvaluationDataNumber}"));
        Add(judge.Current(authentic.Path));
        var (leaf, root) = (authentic.Path.Leaf, authentic.Path.Certificates[^1]);
        var revocation = judge.Revocation([new CrlQuery(leaf, root, collateral.RootCrl, "the revocation list of Intel's root", collateral.OtherRootCrl)]);
        Add(revocation.NotRevoked);
        Add(revocation.StatusCurrent);
        var latest = fault is null && issued > revocation.LatestStatement ? issued : revocation.LatestStatement;
        return new(findings.ToImmutable(), fault is null ? value : null, latest);
    }

    private static void Fill(ImmutableArray<Finding>.Builder findings, string prefix, string reason)
    {
        while (findings.Count < s_suffixes.Length)
        {
            findings.Add(Outcome.Stopped(reason).Named(prefix + s_suffixes[findings.Count]));
        }
    }
}
