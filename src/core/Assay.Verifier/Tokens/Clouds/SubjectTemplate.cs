using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>
/// The form of a subject: text with names of claims between braces. A value has neither colon nor slash, and one of them stands between any two values, so
/// that no value of one claim can be read as that of another.
/// </summary>
internal sealed class SubjectTemplate
{
    private static readonly SearchValues<char> s_separators = SearchValues.Create(":/");
    private static readonly SearchValues<char> s_literal = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:/._@+=-");
    private static readonly SearchValues<char> s_value = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+=-");

    private readonly ImmutableArray<(string Literal, CloudClaim? Claim)> _parts;

    private SubjectTemplate(string text, ImmutableArray<(string Literal, CloudClaim? Claim)> parts) => (Text, _parts) = (text, parts);

    public string Text { get; }

    /// <summary>The claims that it names, each once.</summary>
    public ImmutableArray<CloudClaim> Claims => [.. _parts.Select(part => part.Claim).OfType<CloudClaim>().Distinct()];

    public static bool TryParse(string text, [NotNullWhen(true)] out SubjectTemplate? template, [NotNullWhen(false)] out ParseFault? fault)
    {
        var parts = ImmutableArray.CreateBuilder<(string Literal, CloudClaim? Claim)>();
        fault = Read(text, parts) ?? (parts.Any(part => part.Claim?.Name is "policy") ? null
            : new ParseFault(CloudLimits.Subject, 0, "{policy} is expected in the template: without it a token under any policy of this issuer is accepted (S-20)"));
        template = fault is null ? new SubjectTemplate(text, parts.ToImmutable()) : null;
        return template is not null;
    }

    /// <summary>Why a value cannot stand in a subject; null when it can.</summary>
    public static ParseFault? WhyNotValue(CloudClaim claim, string? value) =>
        string.IsNullOrEmpty(value) ? new ParseFault(CloudLimits.Subject, 0, $"the template has {{{claim.Placeholder}}}, and the machine has no {claim.Name}")
        : value.AsSpan().IndexOfAnyExcept(s_value) is >= 0 and var at ? new ParseFault(CloudLimits.Subject, 0, $"the value of {{{claim.Placeholder}}} has the character U+{(int)value[at]:X4}: letters, digits and ._@+=- are expected")
        : null;

    /// <summary>The subject with these values, each of which may stand in one.</summary>
    public string Fill(Func<CloudClaim, string> valueOf) => string.Concat(_parts.Select(part => part.Claim is { } claim ? valueOf(claim) : part.Literal));

    private static ParseFault? Read(string text, ImmutableArray<(string Literal, CloudClaim? Claim)>.Builder parts)
    {
        var separated = true;
        for (var at = 0; at < text.Length;)
        {
            var end = text[at] is '{' ? text.IndexOf('}', at) : text.AsSpan(at).IndexOf('{') is >= 0 and var length ? at + length : text.Length;
            if (end < 0)
            {
                return new ParseFault(CloudLimits.Subject, at, "a brace is opened and not closed");
            }

            if (text[at] is not '{')
            {
                if (text.AsSpan(at, end - at).IndexOfAnyExcept(s_literal) is >= 0 and var wrong)
                {
                    return new ParseFault(CloudLimits.Subject, at + wrong, $"the character U+{(int)text[at + wrong]:X4}: letters, digits and :/._@+=- are expected in the template, and claims between braces");
                }

                parts.Add((text[at..end], null));
                separated |= text.AsSpan(at, end - at).ContainsAny(s_separators);
                at = end;
                continue;
            }

            var name = text[(at + 1)..end];
            if (CloudClaim.All.FirstOrDefault(claim => claim.Placeholder == name) is not { } named)
            {
                return new ParseFault(CloudLimits.Subject, at, $"{{{Printable.Of(name)}}} is not a placeholder: one of {string.Join(", ", CloudClaim.All.Select(claim => claim.Placeholder).OfType<string>())} is expected");
            }

            if (!separated)
            {
                return new ParseFault(CloudLimits.Subject, at, $"a colon or a slash is expected between {{{name}}} and the placeholder before it");
            }

            parts.Add(("", named));
            (separated, at) = (false, end + 1);
        }

        return null;
    }
}
