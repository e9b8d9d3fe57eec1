using System.Collections.Immutable;
using Assay.Checks;
using Assay.Trust.Jose;

namespace Assay.Tokens;

/// <summary>How a form of one compact JWS is verified: it is read, then key and signature are asked for, then what form it has, then what it says.</summary>
/// <param name="SubjectOf">What the questions are about.</param>
/// <param name="Form">Whether it has the form; the rest is asked only then.</param>
/// <param name="Claims">What it says.</param>
internal sealed record SingleToken<T>(Func<CompactJws, JsonWebKeySet, EatExpectations, T> SubjectOf, ImmutableArray<Check<T>> Form, ImmutableArray<Check<T>> Claims)
    where T : TokenSubject
{
    /// <summary>Every id, in the order in which the checks run.</summary>
    public ImmutableArray<string> CheckIds { get; } =
    [
        TokenChecks.WellFormed, .. TokenChecks.Headers.Select(check => check.Id), TokenChecks.Signature, .. Form.Select(check => check.Id), .. Claims.Select(check => check.Id),
    ];

    /// <summary>Between the stages it stops, within each it answers every question. The subject where everything holds, and null otherwise.</summary>
    public T? Ask(ReadOnlySpan<char> text, JsonWebKeySet keys, EatExpectations expected, out ImmutableArray<Finding> findings)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(expected);
        if (!CompactJws.TryParse(text, out var jws, out var fault))
        {
            findings = [Outcome.Failed(fault.ToString()).Named(TokenChecks.WellFormed), .. CheckIds.Skip(1).Select(id => Outcome.Stopped("the token could not be read").Named(id))];
            return null;
        }

        var subject = SubjectOf(jws, keys, expected);
        var answers = ImmutableArray.CreateBuilder<Finding>();
        answers.Add(Outcome.Held().Named(TokenChecks.WellFormed));
        answers.AddRange(TokenChecks.AskWhoSigned(subject));
        var isSigned = TokenChecks.AllHold(answers);
        answers.AddRange(Form.Select(check => isSigned ? check.Ask(subject) : Outcome.Stopped("the token's content is not proven to come from its issuer").Named(check.Id)));
        var isKnown = TokenChecks.AllHold(answers);
        answers.AddRange(Claims.Select(check => isKnown ? check.Ask(subject) : Outcome.Stopped("its form was not checked").Named(check.Id)));
        findings = answers.ToImmutable();
        return findings.ArePassed() ? subject : null;
    }
}
