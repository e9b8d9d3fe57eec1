using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>A place in the tree of documents that rules and packages make.</summary>
internal sealed class DataNode(RegoValue[] path)
{
    private readonly Dictionary<RegoValue, DataNode> _children = [];

    public RegoValue[] Path { get; } = path;

    public Group? Group { get; set; }

    public IReadOnlyCollection<DataNode> Children => _children.Values;

    public DataNode? Find(RegoValue key) => _children.GetValueOrDefault(key);

    public DataNode Make(RegoValue key)
    {
        if (!_children.TryGetValue(key, out var child))
        {
            _children[key] = child = new DataNode([.. Path, key]);
        }

        return child;
    }

    /// <summary>The node below, unless a <c>with</c> hides it.</summary>
    public DataNode? Child(Run run, RegoValue key) =>
        _children.TryGetValue(key, out var child) && (run.Context.Overrides is null || !run.Context.Hides(child.Path)) ? child : null;

    /// <summary>What base data hold under a key. Keys of objects there are strings: a number finds the key with its digits.</summary>
    public static RegoValue? Base(RegoValue? place, RegoValue key) => place switch
    {
        null => null,
        RegoObject members => members.Lookup(key) ?? (key is RegoNumber number ? members.Lookup(new RegoString(number.ToText())) : null),
        _ => place.Lookup(key),
    };

    /// <summary>The keys of rules and base data together, in order.</summary>
    public IReadOnlyList<RegoValue> Keys(RegoValue? place)
    {
        var keys = new SortedSet<RegoValue>(_children.Keys);
        if (place is RegoObject members)
        {
            Work.Tick(members.Count);
            foreach (var key in members.Keys)
            {
                keys.Add(key);
            }
        }

        return [.. keys];
    }

    /// <summary>The whole document: every defined rule and package below, and base data, which win where both have a leaf.</summary>
    public RegoValue? Extent(Run run, RegoValue? place)
    {
        run.Step();
        if (place is not null and not RegoObject)
        {
            return place;
        }

        var builder = new RegoObjectBuilder();
        if (place is RegoObject members)
        {
            Work.Tick(members.Count / 4);
            for (var i = 0; i < members.Count; i++)
            {
                builder[members.Keys[i]] = members.Values[i];
            }
        }

        foreach (var (key, listed) in _children)
        {
            if (listed.Group is FunctionGroup || Child(run, key) is not { } child)
            {
                continue;
            }

            builder.TryGetValue(key, out var below);
            if (child.Group is { } group)
            {
                if (below is null && group.Value(run) is { } value)
                {
                    builder[key] = value;
                }
                else if (below is RegoObject && group.Value(run) is RegoObject made)
                {
                    builder[key] = Merged(made, (RegoObject)below);
                }
            }
            else
            {
                builder[key] = child.Extent(run, below)!;
            }
        }

        var extent = builder.Build();
        run.Meter.Charge(extent.OwnSize);
        return extent;
    }

    private static RegoObject Merged(RegoObject rules, RegoObject data)
    {
        var builder = new RegoObjectBuilder();
        for (var i = 0; i < rules.Count; i++)
        {
            builder[rules.Keys[i]] = rules.Values[i];
        }

        for (var i = 0; i < data.Count; i++)
        {
            builder[data.Keys[i]] = data.Values[i];
        }

        return builder.Build();
    }
}
