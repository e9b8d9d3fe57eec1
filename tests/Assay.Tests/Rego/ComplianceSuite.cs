using System.Text;
using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Builtins;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>One case of OPA's compliance suite (shared/vectors/rego/README.md gives the fields).</summary>
internal sealed record ComplianceCase(string Group, string Note, string Query, string[] Modules, JsonElement Json)
{
    public JsonElement? Field(string name) => Json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public string? Text(string name) => Field(name)?.GetString();

    public bool Flag(string name) => Field(name)?.GetBoolean() ?? false;
}

/// <summary>Reads the suite, and says of a case why it fails.</summary>
internal static class ComplianceSuite
{
    // Helpers that the suite's own runner has: a pause, and a runtime without configuration.
    private static readonly Builtin[] s_helpers =
    [
        new("test.sleep", [RegoTypes.String], RegoTypes.Null, (_, _) => RegoNull.Value) { Nondeterministic = true },
    ];

    // Only so that a hang ends: no case is about time.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    public static IEnumerable<ComplianceCase> Cases()
    {
        var folder = Recorded.PathOf("rego");
        foreach (var file in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
        {
            var document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var item in document.RootElement.GetProperty("cases").EnumerateArray())
            {
                string[] modules = item.TryGetProperty("modules", out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(module => module.GetString()!)] : [];
                yield return new ComplianceCase(Path.GetFileNameWithoutExtension(file), item.GetProperty("note").GetString()!, item.GetProperty("query").GetString()!, modules, item);
            }
        }
    }

    /// <summary>Why the case fails; null when it passes.</summary>
    public static string? WhyNot(ComplianceCase item)
    {
        var modules = new List<RegoModule>();
        for (var i = 0; i < item.Modules.Length; i++)
        {
            if (!RegoModule.TryParse($"test-{i}.rego", item.Modules[i], out var module, out var error, RegoVersion.V1))
            {
                return error.ToDisplay();
            }

            modules.Add(module);
        }

        var data = item.Field("data") is { } given ? Value(given) as RegoObject : RegoObject.Empty;
        if (!CompiledPolicy.TryCompile(modules, data, out var policy, out var errors, new CompileOptions { Builtins = s_helpers }))
        {
            return string.Join("\n", errors.Select(error => error.ToDisplay()));
        }

        if (!policy.TryPrepare(item.Query, out var query, out errors))
        {
            return string.Join("\n", errors.Select(error => error.ToDisplay()));
        }

        RegoValue? input = item.Field("input") is { } json ? Value(json) : item.Json.TryGetProperty("input", out _) ? RegoNull.Value : null;
        if (item.Text("input_term") is { } term && !TryTerm(term, out input))
        {
            return $"input_term is not read: {term}";
        }

        using var limit = new CancellationTokenSource(s_limit);
        var random = 7;
        var environment = new EvaluationEnvironment
        {
            Clock = TimeProvider.System,
            Random = span =>
            {
                foreach (ref var one in span.Span)
                {
                    random = (random * 75 + 74) % 65537;
                    one = (byte)(random & 0xFF);
                }
            },
            Runtime = RegoObject.Empty,
        };
        var result = query.Evaluate(input, new EvaluationOptions { StrictBuiltinErrors = item.Flag("strict_error"), Environment = environment }, limit.Token);
        return Compare(item, result);
    }

    private static string? Compare(ComplianceCase item, EvaluationResult result)
    {
        var (code, text) = (item.Text("want_error_code"), item.Text("want_error"));
        if (code is not null || text is not null)
        {
            return result.Error is not { } error ? $"no error, but {Show(result)}; wanted {code} {text}"
                : code is not null && error.CodeText != code ? $"wanted {code}, got {error}"
                : text is not null && !error.ToString().Contains(text, StringComparison.Ordinal) ? $"wanted \"{text}\", got {error}" : null;
        }

        if (result.Error is not null)
        {
            return $"unexpected error {result.Error}";
        }

        var wanted = item.Field("want_result") is { } rows ? [.. rows.EnumerateArray().Select(row => (RegoObject)Plain(Value(row)))] : (List<RegoObject>)[];
        var got = result.Rows.Select(row => (RegoObject)Plain(row)).ToList();
        if (item.Flag("sort_bindings"))
        {
            (wanted, got) = ([.. wanted.Select(Sorted)], [.. got.Select(Sorted)]);
        }

        return RegoSet.From(wanted) == RegoSet.From(got) && wanted.Count == got.Count ? null
            : $"wanted {string.Join(" ", wanted.Select(row => row.ToJson()))}, got {string.Join(" ", got.Select(row => row.ToJson()))}";
    }

    private static string Show(EvaluationResult result) => string.Join(" ", result.Rows.Select(row => row.ToJson()));

    private static RegoObject Sorted(RegoObject row) =>
        RegoObject.From(row.Select(pair => KeyValuePair.Create(pair.Key, pair.Value is RegoArray array ? RegoArray.From(array.Items.ToArray().Order()) : pair.Value)));

    /// <summary>The value as JSON has it: sets are arrays, keys are strings.</summary>
    private static RegoValue Plain(RegoValue value) => RegoJson.TryRead(value.ToJson(), out var plain, out var problem) ? plain : throw new InvalidOperationException(problem);

    private static RegoValue Value(JsonElement element) => RegoJson.TryRead(Encoding.UTF8.GetBytes(element.GetRawText()), out var value, out var problem) ? value : throw new InvalidOperationException(problem);

    private static bool TryTerm(string text, out RegoValue? value)
    {
        value = null;
        if (!CompiledPolicy.TryCompile([], null, out var policy, out _) || !policy.TryPrepare(text, out var query, out _))
        {
            return false;
        }

        value = query.Evaluate(null).Value;
        return value is not null;
    }
}
