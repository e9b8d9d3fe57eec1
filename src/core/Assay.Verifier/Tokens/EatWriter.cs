using System.Diagnostics.CodeAnalysis;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Writes a verdict as one compact JWS, for relying parties that take one JWT: OpenID Connect, Vault, key brokers. It has the claims of a
/// bundle's overall token, and under <c>submods</c> those of each device, of the processor (<c>CPU-0</c>) and of its boot (<c>BOOT-0</c>), as
/// objects. The names are those of a bundle.
/// </summary>
public static class EatWriter
{
    internal const string Profile = "urn:assay:eat:machine:1";

    // Where the terms name no subject it is the policy that decided: OpenID Connect requires one, and there is no other that every verdict has.
    private const string PolicySubject = "urn:assay:policy:";

    /// <summary>One compact JWS. Not written where <see cref="EatBundleWriter.TryWrite"/> would write nothing.</summary>
    public static bool TryWrite(
        Verdict verdict, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out string? token, [NotNullWhen(false)] out ParseFault? fault)
    {
        token = null;
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        if (!TokenSubjects.TryOf(verdict, terms, "GPU-", "SWITCH-", out var subjects, out fault))
        {
            return false;
        }

        var written = CompactJws.Write(key, EatParts.Overall(verdict, terms, random, subjects)
            .Add("eat_profile", Profile)
            // Percent-encoded: the policy of a relying party is called like its file.
            .Add("sub", terms.Subject ?? PolicySubject + Uri.EscapeDataString(terms.Attribution.PolicyId(verdict)))
            .With("submods", writer =>
            {
                writer.WriteStartObject();
                foreach (var (name, claims) in EatParts.Submodules(verdict, subjects, terms.Claims))
                {
                    writer.WritePropertyName(name);
                    claims.Write(writer);
                }

                writer.WriteEndObject();
            })
            .ToJson());
        if (written.Length > Limits.JwsCharacters)
        {
            fault = new ParseFault("token", Limits.JwsCharacters, $"longer than {Limits.JwsCharacters} characters, which no reader accepts: write a bundle");
            return false;
        }

        token = written;
        return true;
    }
}
