using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Graphs given as objects from a node to its neighbours, and the walk over a document.</summary>
internal static class GraphBuiltins
{
    private const RegoTypes Sequences = RegoTypes.Array | RegoTypes.Set;

    // Paths through a graph can be exponentially many; the budget ends that, and this the depth of our own recursion.
    private const int MaxPathLength = 2_000;

    public static readonly Builtin[] All =
    [
        new("graph.reachable", [RegoTypes.Object, Sequences], RegoTypes.Set, Reachable),
        new("graph.reachable_paths", [RegoTypes.Object, Sequences], RegoTypes.Set, ReachablePaths),
        new("walk", [RegoTypes.Any], RegoTypes.Array, Walk) { IsRelation = true, NotMockable = true },
    ];

    private static RegoValue? Reachable(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var graph) || !TryInitial(context, arguments, out var initial))
        {
            return null;
        }

        var reached = new HashSet<RegoValue>();
        var pending = new Stack<RegoValue>(initial);
        while (pending.TryPop(out var node))
        {
            context.Tick();
            if (graph.Lookup(node) is { } neighbours && reached.Add(node))
            {
                foreach (var neighbour in Neighbours(neighbours))
                {
                    context.Tick();
                    pending.Push(neighbour);
                }
            }
        }

        context.Charge(64 + (8L * reached.Count));
        return RegoSet.From(reached);
    }

    private static bool TryInitial(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, out RegoValue[] initial)
    {
        var holds = Operands.TryItems(context, arguments, 1, out var items);
        initial = items.ToArray();
        return holds;
    }

    private static IEnumerable<RegoValue> Neighbours(RegoValue value) => value switch
    {
        RegoArray array => array,
        RegoSet set => set,
        _ => [],
    };

    private static RegoValue? ReachablePaths(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var graph) || !TryInitial(context, arguments, out var initial))
        {
            return null;
        }

        var paths = new PathWalk(context, graph);
        foreach (var node in initial)
        {
            if (graph.Lookup(node) is not { } value)
            {
                continue;
            }

            var any = false;
            foreach (var neighbour in Neighbours(value))
            {
                any = true;
                paths.Visit(neighbour, [node], [node]);
            }

            if (!any)
            {
                paths.Emit([node]);
            }
        }

        return RegoSet.From(paths.Found);
    }

    private static RegoArray Walk(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        var found = new List<RegoValue>();
        Visit(context, [], arguments[0], found);
        return RegoArray.From(found);
    }

    // Documents nest to RegoValue.MaxDepth, so the recursion is bounded.
    private static void Visit(BuiltinContext context, RegoValue[] path, RegoValue value, List<RegoValue> found)
    {
        context.Tick();
        context.Charge(128 + (8L * path.Length));
        found.Add(RegoArray.Of(RegoArray.Of(path), value));
        switch (value)
        {
            case RegoArray array:
                for (var index = 0; index < array.Count; index++)
                {
                    Visit(context, [.. path, RegoNumber.Of(index)], array[index], found);
                }

                break;
            case RegoObject members:
                foreach (var (key, member) in members)
                {
                    Visit(context, [.. path, key], member, found);
                }

                break;
            case RegoSet set:
                foreach (var item in set)
                {
                    Visit(context, [.. path, item], item, found);
                }

                break;
            default:
                break;
        }
    }

    /// <summary>Walks all paths; what was visited is shared by all branches of one walk, as OPA's answers show.</summary>
    private sealed class PathWalk(BuiltinContext context, RegoObject graph)
    {
        public HashSet<RegoValue> Found { get; } = [];

        public void Emit(List<RegoValue> path)
        {
            context.Charge(64 + (8L * path.Count));
            Found.Add(RegoArray.From(path));
        }

        public void Visit(RegoValue root, List<RegoValue> path, HashSet<RegoValue> visited)
        {
            context.Tick();
            if (graph.Lookup(root) is not { } value)
            {
                Emit(path);
                return;
            }

            if (path.Count >= MaxPathLength)
            {
                throw EvaluationHalt.OverBudget($"a path has more than {MaxPathLength} nodes");
            }

            path = [.. path, root];
            context.Charge(8L * path.Count);
            var any = false;
            foreach (var neighbour in Neighbours(value))
            {
                any = true;
                if (visited.Contains(neighbour))
                {
                    Emit(path);
                    continue;
                }

                visited.Add(root);
                Visit(neighbour, path, visited);
            }

            if (!any)
            {
                Emit(path);
            }
        }
    }
}
