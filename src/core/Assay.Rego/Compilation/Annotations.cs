using System.Collections.Immutable;
using Assay.Rego.Builtins.Documents;
using Assay.Rego.Diagnostics;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Metadata of packages and rules, and the chains that rego.metadata.chain() gives.</summary>
internal sealed class Annotations
{
    private static readonly string[] s_keys = ["authors", "compile", "custom", "description", "entrypoint", "organizations", "related_resources", "schemas", "scope", "title"];
    private static readonly string[] s_ruleScopes = ["rule", "document"];
    private static readonly string[] s_packageScopes = ["package", "subpackages"];

    private readonly Dictionary<RuleNode, List<RegoObject>> _rules = [];
    private readonly Dictionary<string, List<RegoObject>> _documents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<RegoObject>> _packages = new(StringComparer.Ordinal);
    private readonly Errors _errors;

    public Annotations(IReadOnlyList<(Source Source, ModuleNode Node)> modules, Errors errors)
    {
        _errors = errors;
        foreach (var (source, module) in modules)
        {
            _packages.TryAdd(Key(module.Package), []);
            _packages[Key(module.Package)].AddRange(Read(source, module.PackageAnnotations, "package", s_packageScopes));
            foreach (var rule in module.Rules.Where(rule => !rule.Annotations.IsEmpty))
            {
                var read = Read(source, rule.Annotations, "rule", s_ruleScopes);
                _rules[rule] = [.. read.Where(note => Scope(note) == "rule")];
                var document = DocumentKey(module, rule);
                _documents.TryAdd(document, []);
                _documents[document].AddRange(read.Where(note => Scope(note) == "document"));
            }
        }
    }

    /// <summary>The annotations of the rule itself.</summary>
    public RegoValue OfRule(LRule rule) => _rules.GetValueOrDefault(rule.Node)?.FirstOrDefault() ?? RegoObject.Empty;

    /// <summary>The rule, its document, its package, and the packages around that speak for their subpackages.</summary>
    public RegoValue Chain(LRule rule, CompileWork work)
    {
        var path = RegoArray.From([.. rule.Module.Package.Select(word => new RegoString(word)), new RegoString(rule.Node.Name.Name), .. rule.Prefix.Skip(rule.Module.Package.Length + 1)]);
        var own = _rules.GetValueOrDefault(rule.Node) ?? [];
        var chain = new List<RegoValue>();
        chain.AddRange(own.Count == 0 ? [Entry(path, null)] : own.Select(note => Entry(path, note)));
        chain.AddRange((_documents.GetValueOrDefault(DocumentKey(rule.Module, rule.Node)) ?? []).Select(note => Entry(path, note)));
        for (var length = rule.Module.Package.Length; length > 0; length--)
        {
            var package = rule.Module.Package[..length];
            var all = length == rule.Module.Package.Length;
            foreach (var note in (_packages.GetValueOrDefault(Key(package)) ?? []).Where(note => all || Scope(note) == "subpackages"))
            {
                chain.Add(Entry(RegoArray.From(package.Select(word => new RegoString(word))), note));
            }
        }

        work.Tick(chain.Count);
        return RegoArray.From(chain);
    }

    private static RegoObject Entry(RegoArray path, RegoObject? note) =>
        note is null ? RegoObject.Of(("path", path)) : RegoObject.Of(("annotations", note), ("path", path));

    private static string Scope(RegoObject note) => note.TryGetValue("scope", out var scope) && scope is RegoString text ? text.Value : "";

    private static string Key(ImmutableArray<string> package) => string.Join('\0', package);

    private static string DocumentKey(ModuleNode module, RuleNode rule) =>
        $"{Key(module.Package)}\0{rule.Name.Name}{string.Concat(rule.Path.TakeWhile(element => element is ScalarTerm).Select(element => "\0" + ((ScalarTerm)element).Value))}";

    private List<RegoObject> Read(Source source, ImmutableArray<AnnotationBlock> blocks, string scope, string[] scopes)
    {
        var notes = new List<RegoObject>();
        foreach (var block in blocks)
        {
            if (!YamlReader.TryRead(block.Yaml, _ => { }, out var value, out var fault) || value is not RegoObject written)
            {
                _errors.Add(RegoErrorCode.ParseError, source, block.At, $"the metadata are not a YAML mapping{(fault is null ? "" : $": {fault}")}");
                continue;
            }

            var note = new RegoObjectBuilder();
            foreach (var key in s_keys)
            {
                if (written.TryGetValue(key, out var part))
                {
                    note[new RegoString(key)] = key switch { "authors" => Authors(part), "related_resources" => Resources(part), _ => part };
                }
            }

            var entrypoint = written.TryGetValue("entrypoint", out var entry) && ReferenceEquals(entry, RegoBoolean.True);
            var name = new RegoString("scope");
            if (!note.TryGetValue(name, out _))
            {
                note[name] = new RegoString(entrypoint && scope == "rule" ? "document" : scope);
            }

            if (note[name] is not RegoString told || !scopes.Contains(told.Value))
            {
                _errors.Add(RegoErrorCode.ParseError, source, block.At, $"annotation scope must be one of {string.Join(", ", scopes)} here, but is {note[name]}");
                continue;
            }

            notes.Add(note.Build());
        }

        return notes;
    }

    // "Name <email>" becomes an object of both.
    private static RegoValue Authors(RegoValue authors) => authors is not RegoArray list ? authors : RegoArray.From(list.Items.ToArray().Select(author =>
    {
        if (author is not RegoString { Value: var text })
        {
            return author;
        }

        var open = text.IndexOf('<', StringComparison.Ordinal);
        return open >= 0 && text.EndsWith('>')
            ? RegoObject.Of(("email", new RegoString(text[(open + 1)..^1])), ("name", new RegoString(text[..open].Trim())))
            : RegoObject.Of(("name", new RegoString(text.Trim())));
    }));

    private static RegoValue Resources(RegoValue resources) => resources is not RegoArray list ? resources : RegoArray.From(list.Items.ToArray()
        .Select(resource => resource is RegoString ? RegoObject.Of(("ref", resource)) : resource));
}
