using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Who a token says it is from (S-22): an https URL, or http on loopback, in its canonical spelling, and never a host of NVIDIA's: a
/// token that names NVIDIA must be NVIDIA's.
/// </summary>
public sealed class TokenIssuer
{
    private TokenIssuer(string text, bool isLoopback) => (Text, IsLoopback) = (text, isLoopback);

    /// <summary>Whether it is on this machine: the only kind under which a simulated trust set may issue (S-12).</summary>
    public bool IsLoopback { get; }

    private string Text { get; }

    /// <summary>Reads an issuer under which tokens are to be written.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out TokenIssuer? issuer, [NotNullWhen(false)] out ParseFault? fault)
    {
        fault = WhyNot(text, out var loopback);
        issuer = fault is null ? new TokenIssuer(text!, loopback) : null;
        return issuer is not null;
    }

    /// <summary>The value of <c>iss</c>.</summary>
    public override string ToString() => Text;

    /// <summary>Whether the issuer of a token that was read is on loopback.</summary>
    internal static bool IsLoopbackUrl(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" && uri.IsLoopback;

    private static ParseFault? WhyNot(string? text, out bool loopback)
    {
        loopback = false;
        if (string.IsNullOrEmpty(text) || text.Length > Limits.TokenNameCharacters)
        {
            return new ParseFault("issuer", 0, $"an https URL of at most {Limits.TokenNameCharacters} characters is expected");
        }

        // Other letters look like Latin ones, or are folded into them before a name is resolved: a host of NVIDIA's can be spelt in them.
        if (!Ascii.IsValid(text))
        {
            return new ParseFault("issuer", 0, "only ASCII is expected: write an international name in punycode, xn--…");
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http"))
        {
            return new ParseFault("issuer", 0, "an absolute URL is expected, for example https://verifier.example");
        }

        loopback = uri.IsLoopback;
        var host = uri.IdnHost.TrimEnd('.');
        return host.Equals("nvidia.com", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".nvidia.com", StringComparison.OrdinalIgnoreCase)
                ? new ParseFault("issuer", 0, "a host of NVIDIA's: this verifier is not NVIDIA, and its tokens must not look like NVIDIA's")
            : uri.Scheme is "http" && !loopback ? new ParseFault("issuer", 0, "plain http is for loopback only")
            : uri.UserInfo.Length + uri.Query.Length + uri.Fragment.Length > 0 ? new ParseFault("issuer", 0, "an issuer must not have user, query or fragment")
            // Verifiers compare issuers as text: one spelling.
            : uri.AbsoluteUri != text && uri.AbsoluteUri != text + "/" ? new ParseFault("issuer", 0, $"its canonical spelling is {uri.AbsoluteUri}")
            : null;
    }
}
