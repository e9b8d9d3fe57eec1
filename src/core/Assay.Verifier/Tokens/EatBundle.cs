using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// A detached EAT bundle as NVIDIA writes it (facts of attestation-sdk 1.x and NRAS v4): <c>[["JWT", overall], {name: JWT, …}]</c>, where
/// the overall token holds under <c>submods</c> the SHA-256 of each other's ASCII. Taken apart; nothing about it is verified.
/// </summary>
public sealed class EatBundle
{
    private EatBundle(CompactJws overall, ImmutableArray<KeyValuePair<string, CompactJws>> submodules) => (Overall, Submodules) = (overall, submodules);

    /// <summary>The token about all devices together.</summary>
    public CompactJws Overall { get; }

    /// <summary>The tokens of single devices, in the order of the bundle.</summary>
    public ImmutableArray<KeyValuePair<string, CompactJws>> Submodules { get; }

    /// <summary>Takes a bundle apart.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out EatBundle? bundle, [NotNullWhen(false)] out ParseFault? fault)
    {
        bundle = null;
        if (json.Length > Limits.EatBundleBytes)
        {
            fault = new ParseFault("bundle", Limits.EatBundleBytes, $"longer than {Limits.EatBundleBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("bundle", 0, "empty");
            return false;
        }

        fault = Read(document.RootElement, out bundle);
        return bundle is not null && fault is null;
    }

    private static ParseFault? Read(JsonElement root, out EatBundle? bundle)
    {
        bundle = null;
        if (root.ValueKind is not JsonValueKind.Array || root.GetArrayLength() != 2
            || root[0] is not { ValueKind: JsonValueKind.Array } first || first.GetArrayLength() != 2
            || first[0].ValueKind is not JsonValueKind.String || !first[0].ValueEquals("JWT") || first[1].ValueKind is not JsonValueKind.String
            || root[1].ValueKind is not JsonValueKind.Object)
        {
            return new ParseFault("bundle", 0, "[[\"JWT\", overall], {name: JWT, …}] is expected");
        }

        if (!CompactJws.TryParse(first[1].GetString(), out var overall, out var fault))
        {
            return fault.Within("overall", 0);
        }

        var submodules = ImmutableArray.CreateBuilder<KeyValuePair<string, CompactJws>>();
        foreach (var member in root[1].EnumerateObject())
        {
            if (!IsName(member.Name))
            {
                return new ParseFault("submodule", 0, $"a name of 1 to {Limits.SubmoduleNameCharacters} letters, digits, - and _ is expected");
            }

            if (member.Value.ValueKind is not JsonValueKind.String)
            {
                return new ParseFault(member.Name, 0, "a compact JWS is expected");
            }

            if (submodules.Count == Limits.Devices)
            {
                return new ParseFault("submodule", 0, $"more than {Limits.Devices}");
            }

            if (!CompactJws.TryParse(member.Value.GetString(), out var submodule, out fault))
            {
                return fault.Within(member.Name, 0);
            }

            submodules.Add(KeyValuePair.Create(member.Name, submodule));
        }

        bundle = new EatBundle(overall, submodules.ToImmutable());
        return null;
    }

    internal static bool IsName(string name) =>
        name.Length is > 0 and <= Limits.SubmoduleNameCharacters && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_');
}
