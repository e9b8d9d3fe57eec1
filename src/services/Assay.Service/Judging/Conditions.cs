using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Service.Judging;

/// <summary>
/// Conditions in the form of AWS's policies, compiled: all must hold, and any of a condition's values is enough. They see a verdict that passed and nothing else,
/// and fail closed: a key without a value satisfies no condition, negated ones and ForAllValues included (docs/reference/broker.md).
/// </summary>
public sealed class Conditions
{
    /// <summary>Of one policy.</summary>
    public const int Most = 64;

    /// <summary>Of one condition.</summary>
    public const int MostValues = 32;

    private const string AllValues = "ForAllValues:";
    private const string AnyValue = "ForAnyValue:";
    private const int LongestShown = 60;

    private readonly ImmutableArray<Condition> _all;

    private Conditions(ImmutableArray<Condition> all) => _all = all;

    /// <summary>No condition.</summary>
    public static Conditions None { get; } = new([]);

    /// <summary>The operators, as policies write them, without their prefixes.</summary>
    public static ImmutableArray<string> Operators { get; } = [.. ConditionOperator.All.Select(item => item.Name)];

    /// <summary>Compiles operator → key → value or values.</summary>
    /// <param name="source">As in the policy; null: no condition.</param>
    /// <param name="conditions">Ready to ask.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    public static bool TryCompile(ImmutableDictionary<string, ImmutableDictionary<string, JsonElement>>? source, [NotNullWhen(true)] out Conditions? conditions, [NotNullWhen(false)] out string? fault)
    {
        conditions = source is null ? None : null;
        fault = source is { IsEmpty: true } ? "$.conditions: at least one operator is expected, or no member conditions" : null;
        var all = ImmutableArray.CreateBuilder<Condition>();
        foreach (var (name, keys) in (source ?? []).OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            fault ??= keys is null or { IsEmpty: true } ? $"$.conditions.{Shown(name)}: an object with at least one key is expected" : null;
            foreach (var (key, values) in (fault is null ? keys! : []).OrderBy(pair => pair.Key, StringComparer.Ordinal))
            {
                if (all.Count == Most)
                {
                    fault ??= $"$.conditions: at most {Most} conditions are expected";
                }
                else if (fault is null && TryCompile(name, key, values, out var condition, out fault))
                {
                    all.Add(condition);
                }
            }
        }

        conditions ??= fault is null ? new Conditions(all.ToImmutable()) : null;
        return conditions is not null;
    }

    /// <summary>The conditions that do not hold, by their names (<c>condition:StringEquals:assay:cpu:tee</c>), sorted; of a verdict that did not pass, all.</summary>
    public ImmutableArray<string> Unmet(Verdict verdict)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        return Unmet(key => key.Of(verdict));
    }

    /// <summary>The same of something that is no verdict of ours.</summary>
    /// <param name="of">The values of a key, different ones; empty where it has none.</param>
    public ImmutableArray<string> Unmet(Func<ConditionKey, ImmutableArray<string>> of)
    {
        ArgumentNullException.ThrowIfNull(of);
        return [.. _all.Where(condition => !condition.Holds(of(condition.Key))).Select(condition => condition.Name)];
    }

    private static bool TryCompile(string name, string keyName, JsonElement element, [NotNullWhen(true)] out Condition? condition, [NotNullWhen(false)] out string? fault)
    {
        condition = null;
        var at = $"$.conditions.{Shown(name)}";
        var quantity = name.StartsWith(AllValues, StringComparison.Ordinal) ? Quantity.All : name.StartsWith(AnyValue, StringComparison.Ordinal) ? Quantity.Any : Quantity.One;
        var bare = quantity switch { Quantity.All => name[AllValues.Length..], Quantity.Any => name[AnyValue.Length..], _ => name };
        if (ConditionOperator.Find(bare) is not { } relation)
        {
            fault = bare.EndsWith("IfExists", StringComparison.Ordinal) || bare is "Null" ? $"{at}: a condition on a key without a value never holds, so this operator is not taken" : $"{at}: not an operator; one of {string.Join(", ", Operators)} is expected";
            return false;
        }

        at = $"{at}.{Shown(keyName)}";
        if (ConditionKey.Find(keyName) is not { } key)
        {
            fault = $"{at}: not a condition key, whose names are in lower case";
            return false;
        }

        fault = !relation.Types.Contains(key.Type) ? $"{at}: {bare} takes no such key: its values are {Word(key.Type)}"
            : key.IsOfEachDevice && quantity is Quantity.One ? $"{at}: each device has a value of its own: {AllValues}{bare} or {AnyValue}{bare} is expected"
            : !key.IsOfEachDevice && quantity is not Quantity.One ? $"{at}: this key has one value: {bare} is expected"
            : quantity is Quantity.Any && relation.IsNegated ? $"{at}: it would hold as soon as one device differs: {AllValues}{bare} is expected"
            : null;
        ImmutableArray<ConditionValue> values = [];
        if (fault is null && !TryValues(element, key.Type, relation, out values, out var problem))
        {
            fault = $"{at}: {problem}";
        }

        condition = fault is null ? new Condition($"condition:{name}:{keyName}", key, relation, quantity, values) : null;
        return condition is not null;
    }

    private static bool TryValues(JsonElement element, ConditionKeyType type, ConditionOperator relation, out ImmutableArray<ConditionValue> values, [NotNullWhen(false)] out string? problem)
    {
        values = [];
        problem = null;
        JsonElement[] all = element.ValueKind is JsonValueKind.Array ? [.. element.EnumerateArray().Take(MostValues + 1)] : [element];
        if (all.Length is 0 or > MostValues || (type is ConditionKeyType.Bool && all.Length != 1))
        {
            problem = type is ConditionKeyType.Bool ? "one value is expected" : $"1 to {MostValues} values are expected";
            return false;
        }

        var read = ImmutableArray.CreateBuilder<ConditionValue>(all.Length);
        foreach (var item in all)
        {
            var text = item.ValueKind switch
            {
                JsonValueKind.String => item.GetString()!,
                JsonValueKind.Number when type is ConditionKeyType.Number => item.GetRawText(),
                JsonValueKind.True when type is ConditionKeyType.Bool => "true",
                JsonValueKind.False when type is ConditionKeyType.Bool => "false",
                _ => "",
            };
            problem = !ConditionValue.TryRead(text, type, out var value) ? $"{ConditionValue.Expected(type)} is expected"
                : text.Contains("${", StringComparison.Ordinal) ? "policy variables are not known here"
                : relation.IsPattern && text.All(c => c is '*' or '?') ? "a pattern without a character of its own would hold for every value"
                : !relation.IsPattern && type is ConditionKeyType.Text && text.AsSpan().IndexOfAny('*', '?') >= 0 ? "* and ? are patterns, which StringLike takes"
                : null;
            if (problem is not null)
            {
                return false;
            }

            read.Add(value!);
        }

        values = read.ToImmutable();
        return true;
    }

    private static string Word(ConditionKeyType type) => type switch
    {
        ConditionKeyType.Number => "numbers (Numeric…)",
        ConditionKeyType.Version or ConditionKeyType.HexVersion => "versions (Version…)",
        ConditionKeyType.Date => "dates (Date…)",
        ConditionKeyType.Bool => "true or false (Bool)",
        _ => "text (String…)",
    };

    private static string Shown(string name) => Printable.Of(name.Length <= LongestShown ? name : $"{name[..LongestShown]}…");

    private enum Quantity
    {
        None,
        One,
        All,
        Any,
    }

    private sealed record Condition(string Name, ConditionKey Key, ConditionOperator Relation, Quantity Quantity, ImmutableArray<ConditionValue> Values)
    {
        public bool Holds(ImmutableArray<string> values)
        {
            var found = ImmutableArray.CreateBuilder<ConditionValue>();
            foreach (var text in values)
            {
                if (!ConditionValue.TryRead(text, Key.Type, out var value))
                {
                    return false;
                }

                found.Add(value);
            }

            // ForAllValues of no values is true in AWS, and false here.
            return found.Count > 0 && Quantity switch
            {
                Quantity.One => found.Count == 1 && Matches(found[0]),
                Quantity.All => found.All(Matches),
                Quantity.Any => found.Any(Matches),
                _ => false,
            };
        }

        private bool Matches(ConditionValue found) => Values.Any(wanted => Relation.Matches(found, wanted)) != Relation.IsNegated;
    }
}
