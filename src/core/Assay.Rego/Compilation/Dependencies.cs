using Assay.Rego.Evaluation;

namespace Assay.Rego.Compilation;

/// <summary>Finds which rules a rule may need, and refuses circles.</summary>
internal sealed class Dependencies(DataNode root, CompileWork work)
{
    private readonly HashSet<Group> _found = [];

    public static HashSet<Group> Of(LRule rule, DataNode root, CompileWork work)
    {
        var search = new Dependencies(root, work);
        foreach (var branch in rule.Branches)
        {
            search.Body(branch.Body);
            search.Terms(branch.Path);
            search.Term(branch.Value);
        }

        return search._found;
    }

    /// <summary>Takes out what uses nothing that is left, again and again: what stays is on a circle or leads to one. Linear in the uses.</summary>
    public static void Prune(Dictionary<Group, HashSet<Group>> uses)
    {
        var users = new Dictionary<Group, List<Group>>();
        var left = new Dictionary<Group, int>();
        foreach (var (group, used) in uses)
        {
            left[group] = used.Count;
            foreach (var one in used)
            {
                if (!users.TryGetValue(one, out var list))
                {
                    users[one] = list = [];
                }

                list.Add(group);
            }
        }

        var done = new Queue<Group>(left.Where(entry => entry.Value == 0).Select(entry => entry.Key));
        while (done.TryDequeue(out var group))
        {
            uses.Remove(group);
            foreach (var user in users.GetValueOrDefault(group) ?? [])
            {
                if (--left[user] == 0)
                {
                    done.Enqueue(user);
                }
            }
        }
    }

    /// <summary>A circle through the group, from it back to it; null when there is none.</summary>
    public static List<Group>? Circle(Group start, IReadOnlyDictionary<Group, HashSet<Group>> uses, CompileWork work)
    {
        // Breadth first, so that the circle told is a shortest one.
        var from = new Dictionary<Group, Group>();
        var queue = new Queue<Group>([start]);
        while (queue.TryDequeue(out var group))
        {
            foreach (var used in uses.GetValueOrDefault(group) ?? [])
            {
                work.Tick();
                if (used == start)
                {
                    var circle = new List<Group> { start };
                    for (var at = group; at != start; at = from[at])
                    {
                        circle.Insert(0, at);
                    }

                    circle.Insert(0, start);
                    return circle;
                }

                if (from.TryAdd(used, group))
                {
                    queue.Enqueue(used);
                }
            }
        }

        return null;
    }

    private void Body(LStatement[] body)
    {
        foreach (var statement in body)
        {
            foreach (var with in statement.With)
            {
                if (with.ByPath is not null)
                {
                    Function(with.ByPath);
                }
                else
                {
                    Term(with.Value);
                }
            }

            foreach (var equation in statement.Before)
            {
                Term(equation.Right);
            }

            switch (statement)
            {
                case LExpression expression:
                    Term(expression.Term);
                    break;
                case LEquation equation:
                    Term(equation.Left);
                    Term(equation.Right);
                    break;
                case LSomeIn some:
                    Terms([some.Value, some.Collection, .. some.Key is null ? (ReadOnlySpan<LTerm>)[] : [some.Key]]);
                    break;
                case LEvery every:
                    Term(every.Domain);
                    Body(every.Body);
                    break;
            }
        }
    }

    private void Terms(ReadOnlySpan<LTerm> terms)
    {
        foreach (var term in terms)
        {
            Term(term);
        }
    }

    private void Term(LTerm term)
    {
        work.Tick();
        switch (term)
        {
            case LData:
                Reach(root, [], 0);
                break;
            case LRef { Head: LData } reference:
                Reach(root, reference.Path, 0);
                Terms(reference.Path);
                break;
            case LRef reference:
                Term(reference.Head);
                Terms(reference.Path);
                break;
            case LCall call:
                if (call.Path is not null)
                {
                    Function(call.Path);
                }

                Terms(call.Arguments);
                break;
            case LArray array:
                Terms(array.Items);
                break;
            case LSet set:
                Terms(set.Items);
                break;
            case LObject pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Term(key);
                    Term(value);
                }

                break;
            case LComprehension comprehension:
                Body(comprehension.Body);
                Terms([comprehension.Value, .. comprehension.Key is null ? (ReadOnlySpan<LTerm>)[] : [comprehension.Key]]);
                break;
        }
    }

    private void Function(Values.RegoValue[] path)
    {
        var node = root;
        foreach (var key in path)
        {
            node = node?.Find(key);
        }

        if (node?.Group is { } group)
        {
            Found(group);
        }
    }

    // What is kept for each pair of rules counts for more than a look.
    private void Found(Group group)
    {
        if (_found.Add(group))
        {
            work.Tick(4);
        }
    }

    private void Reach(DataNode node, LTerm[] path, int at)
    {
        work.Tick();
        if (node.Group is { } group)
        {
            if (group is not FunctionGroup)
            {
                Found(group);
            }
        }
        else if (at < path.Length && path[at] is LConst key)
        {
            if (node.Find(key.Value) is { } child)
            {
                Reach(child, path, at + 1);
            }
        }
        else
        {
            foreach (var child in node.Children)
            {
                Reach(child, path, at + 1);
            }
        }
    }
}
