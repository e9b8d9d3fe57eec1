using System.Diagnostics.CodeAnalysis;
using Assay.Rego;

namespace Assay.Policies;

/// <summary>Policies that belong together, parsed: they can be checked, and asked questions.</summary>
public sealed class PolicySet
{
    private readonly RegoModule[] _modules;

    private PolicySet(RegoModule[] modules, IReadOnlyList<PolicyError> errors) => (_modules, Errors) = (modules, errors);

    /// <summary>Errors of the parser, of all sources. A set with errors is neither checked nor asked.</summary>
    public IReadOnlyList<PolicyError> Errors { get; }

    /// <summary>How many sources were parsed without an error.</summary>
    public int Count => _modules.Length;

    /// <summary>The paths of the rules, such as <c>data.policy.allow</c>, in the order of the sources.</summary>
    public IEnumerable<string> Rules => _modules.SelectMany(module => module.Rules);

    /// <summary>The dialects in which the sources were read, each once: v0 before v1.</summary>
    public IEnumerable<PolicyDialect> Dialects => _modules.Select(module => module.Version.ToDialect()).Distinct().Order();

    /// <summary>The modules, for the suite of tests.</summary>
    internal IReadOnlyList<RegoModule> Modules => _modules;

    /// <summary>Parses sources. Their number is for the caller to limit.</summary>
    public static PolicySet Parse(IEnumerable<PolicySource> sources, PolicyDialect dialect)
    {
        ArgumentNullException.ThrowIfNull(sources);
        var (modules, errors) = (new List<RegoModule>(), new List<PolicyError>());
        foreach (var source in sources)
        {
            if (RegoModule.TryParse(source.Name, source.Text, out var module, out var error, dialect.ToVersion()))
            {
                modules.Add(module);
            }
            else
            {
                errors.Add(new PolicyError(error));
            }
        }

        return new PolicySet([.. modules], errors);
    }

    /// <summary>Compiles the policies together, and gives every error. Strict: unused assignments and imports are errors as well.</summary>
    public IReadOnlyList<PolicyError> Check(bool strict, CancellationToken cancellation) => Check(_modules, strict, cancellation);

    /// <summary>Whether each policy compiles without the others.</summary>
    public bool CompilesOneByOne(bool strict, CancellationToken cancellation) => Array.TrueForAll(_modules, module => Check([module], strict, cancellation).Count == 0);

    /// <summary>
    /// The rule of NVIDIA or of Trustee, when the policies have one of them. The problem begins a sentence: "neither … nor … stands" or "both … and … stand".
    /// </summary>
    public bool TryFindKnownRule([NotNullWhen(true)] out string? rule, [NotNullWhen(false)] out string? problem) => KnownRules.TryFind(Rules, out rule, out problem);

    /// <summary>The rules at whose places base documents hold a value, the first one of each source: where such a rule is undefined, the data would answer for it.</summary>
    public IEnumerable<(string Rule, string Name)> RulesIn(PolicyDocument data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var documents = PolicyDocument.BaseOf(data)!;
        return from module in _modules let rule = module.FirstRuleIn(documents) where rule is not null select (rule, module.File);
    }

    /// <summary>Compiles the policies together with a question: the path of a rule, or statements such as <c>x := data.users[_]; x.age &gt; 17</c>.</summary>
    /// <param name="query">What is asked.</param>
    /// <param name="data">Base documents under <c>data</c>, an object; null: none.</param>
    /// <param name="explain">Prepares the answer to tell which statements were reached. Slower by some tenths.</param>
    /// <param name="question">The question.</param>
    /// <param name="errors">Why it cannot be asked.</param>
    /// <param name="cancellation">Ends compiling with an error.</param>
    public bool TryAsk(
        string query, PolicyDocument? data, bool explain, [NotNullWhen(true)] out PolicyQuestion? question, out IReadOnlyList<PolicyError> errors, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(query);
        question = null;
        var budget = new CompileBudget { Cancellation = cancellation };
        if (CompiledPolicy.TryCompile(_modules, PolicyDocument.BaseOf(data), out var compiled, out var found, new CompileOptions { Explain = explain, Budget = budget })
            && compiled.TryPrepare(query, out var prepared, out found, budget))
        {
            question = new PolicyQuestion(prepared);
        }

        errors = PolicyError.Of(found);
        return question is not null;
    }

    private static IReadOnlyList<PolicyError> Check(IReadOnlyList<RegoModule> modules, bool strict, CancellationToken cancellation)
    {
        CompiledPolicy.TryCompile(modules, null, out _, out var errors, new CompileOptions { Strict = strict, Budget = new CompileBudget { Cancellation = cancellation } });
        return PolicyError.Of(errors);
    }
}
