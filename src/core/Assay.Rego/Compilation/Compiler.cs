using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Turns parsed modules into a program, or into errors.</summary>
internal sealed class Compiler
{
    private readonly Errors _errors = new();
    private readonly bool _strict;
    private readonly IReadOnlyList<(Source Source, ModuleNode Node)> _modules;
    private readonly DataNode _root = new([]);
    private readonly List<LRule> _rules = [];
    private readonly Dictionary<DataNode, List<LRule>> _rulesAt = [];
    private readonly Dictionary<Group, List<LRule>> _rulesOf = [];
    private readonly List<TracePoint>? _points;
    private readonly CompileWork _work;
    private int _groups;

    public Compiler(IReadOnlyList<(Source Source, ModuleNode Node)> modules, IReadOnlyList<Builtin> builtins, bool strict, bool explain, CompileWork work)
    {
        (_modules, _strict, _work) = (modules, strict, work);
        _points = explain ? [] : null;
        Globals = new Globals(modules, builtins);
    }

    public Globals Globals { get; }

    public IReadOnlyList<RegoError> Errors => _errors.All;

    /// <summary>The program; null when there are errors, of which too much work is one.</summary>
    public Program? Compile()
    {
        try
        {
            return Compiled();
        }
        catch (CompileHalt halt)
        {
            _errors.Add(halt.Error);
            return null;
        }
    }

    private Program? Compiled()
    {
        foreach (var (source, module) in _modules)
        {
            Imports(source, module);
            Declare(source, module);
        }

        Arities();
        Lower();
        if (_errors.Any)
        {
            return null;
        }

        Tree();
        Group(_root, absorbed: null);
        Recursion();
        if (_errors.Any)
        {
            return null;
        }

        foreach (var (group, rules) in _rulesOf)
        {
            Emit(group, rules);
        }

        return _errors.Any ? null : new Program { Root = _root, Groups = _groups, Points = _points ?? [] };
    }

    private void Imports(Source source, ModuleNode module)
    {
        var names = new Dictionary<string, ImportNode>(StringComparer.Ordinal);
        var rules = module.Rules.Select(rule => rule.Name.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var import in module.Imports.Where(import => import.Path[0] is "data" or "input"))
        {
            if (import.Path.Length == 1 && import.Alias is null)
            {
                continue;
            }

            if ((module.IsV1 || _strict) && !names.TryAdd(import.Name, import))
            {
                _errors.Add(RegoErrorCode.CompileError, source, import.At, $"import must not shadow import {string.Join('.', names[import.Name].Path)}");
            }

            if (module.IsV1 && rules.Contains(import.Name))
            {
                _errors.Add(RegoErrorCode.CompileError, source, import.At, $"rule {import.Name} conflicts with an import of that name");
            }
        }
    }

    private void Declare(Source source, ModuleNode module)
    {
        var node = _root;
        foreach (var word in module.Package)
        {
            node = node.Make(new RegoString(word));
        }

        foreach (var rule in module.Rules)
        {
            if (rule.Name.Name is "input" or "data" && (module.IsV1 || _strict))
            {
                _errors.Add(RegoErrorCode.CompileError, source, rule.At, $"rules must not shadow {rule.Name.Name} (use a different rule name)");
            }

            var prefix = new List<RegoValue>(module.Package.Select(word => new RegoString(word))) { new RegoString(rule.Name.Name) };
            var constant = 0;
            while (constant < rule.Path.Length && rule.Path[constant] is ScalarTerm element)
            {
                prefix.Add(element.Value);
                constant++;
            }

            _rules.Add(new LRule
            {
                Source = source,
                Node = rule,
                Module = module,
                Prefix = [.. prefix],
                Suffix = constant,
                Arity = rule.Arguments?.Length ?? -1,
            });
        }
    }

    private void Arities()
    {
        foreach (var rule in _rules)
        {
            if (rule.IsFunction && rule.Suffix < rule.Node.Path.Length)
            {
                _errors.Add(RegoErrorCode.TypeError, rule.Source, rule.Node.At, "a function's path must not hold variables");
                continue;
            }

            if (Globals.Arities.TryGetValue(rule.PathText, out var arity) && arity != rule.Arity && rule.Suffix == rule.Node.Path.Length)
            {
                _errors.Add(RegoErrorCode.TypeError, rule.Source, rule.Node.At, $"conflicting rules {rule.PathText} found");
                continue;
            }

            Globals.Arities.TryAdd(rule.PathText, rule.Arity);
        }
    }

    private void Lower()
    {
        var annotations = new Annotations(_modules, _errors);
        foreach (var module in _rules.GroupBy(rule => rule.Module))
        {
            var (used, imports) = (new HashSet<ImportNode>(), Lowering.ImportsOf(module.Key));
            foreach (var rule in module)
            {
                var lowering = new Lowering(rule.Source, rule.Module, Globals, _errors, _strict, _work, imports)
                {
                    MetadataRule = () => annotations.OfRule(rule),
                    MetadataChain = () => annotations.Chain(rule, _work),
                };
                rule.Branches = lowering.Rule(rule.Node, rule.Suffix);
                TypeCheck.Rule(rule, _errors, _work);
                rule.FrameSize = lowering.FrameSize;
                rule.Arguments = lowering.ArgumentLocals;
                used.UnionWith(lowering.UsedImports);
            }

            if (_strict)
            {
                foreach (var import in module.Key.Imports.Where(import => import.Path[0] is "data" or "input" && !used.Contains(import)))
                {
                    _errors.Add(RegoErrorCode.CompileError, module.First().Source, import.At, $"import {string.Join('.', import.Path)} unused");
                }
            }
        }
    }

    private void Tree()
    {
        foreach (var rule in _rules)
        {
            var node = _root;
            foreach (var key in rule.Prefix)
            {
                // Each node has its whole path.
                _work.Tick(1 + (node.Path.Length / 2));
                node = node.Make(key);
            }

            if (!_rulesAt.TryGetValue(node, out var rules))
            {
                _rulesAt[node] = rules = [];
            }

            rules.Add(rule);
        }
    }

    /// <summary>Makes the groups of a node and below. Under a rule with variables in its path, everything belongs to that rule's document.</summary>
    private void Group(DataNode node, PartialGroup? absorbed)
    {
        var below = absorbed;
        if (_rulesAt.TryGetValue(node, out var rules))
        {
            var group = Made(node, rules);
            if (group is not null)
            {
                _rulesOf[group] = rules;
                node.Group = group;
                if (absorbed is not null && group is not FunctionGroup)
                {
                    absorbed.Below.Add((node.Path[absorbed.Path.Length..], group));
                }

                if (group is PartialGroup { IsSet: false } partial)
                {
                    below = absorbed ?? partial;
                }
                else if (node.Children.Count > 0)
                {
                    var other = FirstRule(node) is { } inner ? inner.PathText : PathWriter.Write(node.Children.First().Path);
                    _errors.Add(RegoErrorCode.TypeError, rules[0].Source, rules[0].Node.At, $"rule {rules[0].PathText} conflicts with [{other}]");
                }
            }
        }

        foreach (var child in node.Children)
        {
            Group(child, below);
        }
    }

    private LRule? FirstRule(DataNode node) =>
        node.Children.Select(child => _rulesAt.TryGetValue(child, out var rules) ? rules[0] : FirstRule(child)).FirstOrDefault(rule => rule is not null);

    private Group? Made(DataNode node, List<LRule> rules)
    {
        var first = rules[0];
        var at = first.Source.Locate(first.Node.At);
        var dynamic = rules.Any(rule => rule.Suffix < rule.Node.Path.Length);
        var kinds = rules.Select(rule => rule.IsFunction ? 'f' : rule.Suffix < rule.Node.Path.Length ? 'd' : rule.IsSet ? 's' : 'c').Distinct().ToArray();
        if (kinds.Length > 1)
        {
            _errors.Add(RegoErrorCode.TypeError, rules[1].Source, rules[1].Node.At, $"conflicting rules {first.PathText} found");
            return null;
        }

        if (rules.Where(rule => rule.Node.IsDefault).Skip(1).FirstOrDefault() is { } second)
        {
            _errors.Add(RegoErrorCode.TypeError, second.Source, second.Node.At, $"multiple default rules {first.PathText} found");
            return null;
        }

        return kinds[0] switch
        {
            'f' => new FunctionGroup { Id = _groups++, Path = node.Path, Arity = first.Arity, At = at },
            'c' => new CompleteGroup { Id = _groups++, Path = node.Path, At = at },
            _ => new PartialGroup { Id = _groups++, Path = node.Path, IsSet = !dynamic, At = at },
        };
    }

    private void Recursion()
    {
        var uses = new Dictionary<Group, HashSet<Group>>();
        foreach (var (group, rules) in _rulesOf)
        {
            var all = uses[group] = [];
            foreach (var rule in rules)
            {
                all.UnionWith(Dependencies.Of(rule, _root, _work));
            }

            if (group is PartialGroup partial)
            {
                all.UnionWith(partial.Below.Select(below => below.Group));
            }
        }

        Dependencies.Prune(uses);
        foreach (var (group, rules) in _rulesOf.Where(entry => uses.ContainsKey(entry.Key)))
        {
            if (!_errors.Full && Dependencies.Circle(group, uses, _work) is { } circle)
            {
                var names = circle.Select(member => PathWriter.Write(member.Path));
                _errors.Add(RegoErrorCode.RecursionError, rules[0].Source, rules[0].Node.At, $"rule {PathWriter.Write(group.Path)} is recursive: {string.Join(" -> ", names)}");
            }
        }
    }

    private void Emit(Group group, List<LRule> rules)
    {
        var constant = Constant(rules);
        var plans = new List<RulePlan>();
        foreach (var rule in rules)
        {
            var emitter = new Emitter(rule.Source, _root, _errors, _work, rule.FrameSize, _points);
            var branches = rule.Branches.Select(branch => Emit(emitter, group, rule, branch)).ToArray();
            group.FrameSize = Math.Max(group.FrameSize, emitter.FrameSize);
            if (!rule.Node.IsDefault)
            {
                plans.Add(new RulePlan(branches));
            }
            else if (group is CompleteGroup complete)
            {
                complete.Default = branches[0];
            }
            else if (group is FunctionGroup function)
            {
                function.Default = branches[0];
            }
        }

        group.Rules = [.. plans];
        group.Index = _points is null ? Indexing.Of(rules, _work) : null;
        if (group is CompleteGroup decided)
        {
            decided.FirstDecides = constant;
        }
        else if (group is FunctionGroup function)
        {
            function.FirstDecides = constant;
        }
    }

    private static bool Constant(List<LRule> rules)
    {
        RegoValue? only = null;
        foreach (var branch in rules.Where(rule => !rule.Node.IsDefault).SelectMany(rule => rule.Branches))
        {
            if (branch.Value is not LConst { Value: var value } || only is not null && !only.Equals(value))
            {
                return false;
            }

            only = value;
        }

        return true;
    }

    private Step Emit(Emitter emitter, Group group, LRule rule, LBranch branch)
    {
        // The arguments stand in the frame from the start.
        return emitter.Branch(branch.Body, rule.Arguments, body =>
        {
            var at = rule.Source.Locate(rule.Node.At);
            var missing = body.MissingIn(branch.Value);
            foreach (var element in branch.Path)
            {
                missing.UnionWith(body.MissingIn(element));
            }

            if (missing.Count > 0)
            {
                foreach (var local in missing.OrderBy(local => local.Name, StringComparer.Ordinal))
                {
                    _errors.Add(RegoErrorCode.UnsafeVarError, rule.Source, rule.Node.At, $"var {local.Name} is unsafe");
                }

                return new FailStep();
            }

            var path = body.Values(branch.Path);
            var value = body.Value(branch.Value);
            return group switch
            {
                PartialGroup => new ContributeStep(path, value, rule.IsSet, at),
                FunctionGroup => new ResultStep(value, branch.Value is LConst, "functions must not produce multiple outputs for same inputs", at),
                _ => new ResultStep(value, branch.Value is LConst, "complete rules must not produce multiple outputs", at),
            };
        });
    }
}
