using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>What is said about the header of a JWS, whatever it signs.</summary>
internal static class JwsText
{
    private const int MostShown = 200;

    /// <summary>Why no token that names this algorithm is believed; null when it is one of ours.</summary>
    public static string? WhyAlgorithmIsRefused(JsonElement header) =>
        StrictJson.Text(header, "alg") is "RS256" ? null : WhyCurveAlgorithmIsRefused(header, "ES384, ES256 or RS256");

    /// <summary>The same of what only keys on curves sign: RS256 is for readers of tokens that know nothing else (S-22).</summary>
    public static string? WhyCurveAlgorithmIsRefused(JsonElement header, string expected = "ES384 or ES256") => StrictJson.Text(header, "alg") switch
    {
        "ES384" or "ES256" => null,
        { } none when none.Equals("none", StringComparison.OrdinalIgnoreCase) => "it is not signed: its algorithm is \"none\"",
        { } symmetric when symmetric.StartsWith("HS", StringComparison.OrdinalIgnoreCase) => "its algorithm is symmetric: anyone who can verify it could have made it",
        null => "it names no algorithm",
        { } other => $"its algorithm is \"{Short(other)}\": {expected} is expected",
    };

    /// <summary>Foreign text, cut to what a message can hold.</summary>
    public static string Short(string text) => text.Length <= MostShown ? text : string.Concat(text.AsSpan(0, MostShown), "…");
}
