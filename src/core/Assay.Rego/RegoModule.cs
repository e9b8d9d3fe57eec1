using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego;

/// <summary>A parsed module.</summary>
public sealed partial class RegoModule
{
    private RegoModule(Source source, ModuleNode node) => (Source, Node) = (source, node);

    /// <summary>The name under which errors tell of it.</summary>
    public string File => Source.File;

    /// <summary>The package, as a path under data: <c>data.policy</c>.</summary>
    public string Package => Compilation.PathWriter.Write([.. Node.Package.Select(word => (RegoValue)new RegoString(word))]);

    /// <summary>Where its rules stand: <c>data.policy.allow</c>, as far as their heads are constant. A path for each rule, in source order.</summary>
    public IEnumerable<string> Rules => Node.Rules.Select(rule => string.Join('.', Rooted(rule)));

    /// <summary>The dialect in which it was read.</summary>
    public RegoVersion Version => Node.IsV1 ? RegoVersion.V1 : RegoVersion.V0;

    internal Source Source { get; }

    internal ModuleNode Node { get; }

    /// <summary>Parses a module. The error has file, line and column.</summary>
    public static bool TryParse(
        string file, string text, [NotNullWhen(true)] out RegoModule? module, [NotNullWhen(false)] out RegoError? error, RegoVersion version = RegoVersion.Auto)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(text);
        var source = new Source(file, text);
        var (node, fault) = Parser.ParseModule(source, version);
        module = node is null ? null : new RegoModule(source, node);
        error = fault!;
        return module is not null;
    }

    /// <summary>
    /// The first rule at whose place base documents hold a value, or null. OPA refuses such documents: where the rule is undefined, their
    /// value would stand for it.
    /// </summary>
    public string? FirstRuleIn(RegoObject documents)
    {
        ArgumentNullException.ThrowIfNull(documents);
        foreach (var rule in Node.Rules)
        {
            RegoValue? place = documents;
            foreach (var word in Node.Package.Append(rule.Name.Name))
            {
                place = place?.Lookup(new RegoString(word));
            }

            foreach (var term in rule.Path.TakeWhile(term => term is ScalarTerm { Value: RegoString } && place is RegoObject))
            {
                place = place?.Lookup(((ScalarTerm)term).Value);
            }

            if (place is not null)
            {
                return string.Join('.', Rooted(rule));
            }
        }

        return null;
    }

    /// <summary>
    /// The paths under data that the module names with dots, such as <c>data.limits.driver</c>, each once and in no particular order: what it may
    /// want of base documents. Paths that it computes are not among them.
    /// </summary>
    public IEnumerable<string> DataPaths => DataPath().Matches(Text().Replace(Print(), "\"\"")).Select(match => match.Value).Distinct(StringComparer.Ordinal);

    [GeneratedRegex(@"(?<![\w.])data(\.[A-Za-z_]\w*)+")]
    private static partial Regex DataPath();

    // Strings as the printer writes them; it writes no comments.
    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`")]
    private static partial Regex Text();

    private IEnumerable<string> Rooted(RuleNode rule) =>
        [Package, rule.Name.Name, .. rule.Path.TakeWhile(term => term is ScalarTerm { Value: RegoString }).Select(term => ((RegoString)((ScalarTerm)term).Value).Value)];

    /// <summary>The module written back as source, in a layout of its own.</summary>
    public string Print() => Printer.Print(Node);
}
