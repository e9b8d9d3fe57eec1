using System.Globalization;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Cutting and editing documents by path: json.filter, json.remove, json.patch.</summary>
internal static class DocumentBuiltins
{
    private const RegoTypes Sequences = RegoTypes.Array | RegoTypes.Set;

    public static readonly Builtin[] All =
    [
        new("json.filter", [RegoTypes.Object, Sequences], RegoTypes.Any, (context, arguments) => Cut(context, arguments, keep: true)),
        new("json.remove", [RegoTypes.Object, Sequences], RegoTypes.Any, (context, arguments) => Cut(context, arguments, keep: false)),
        new("json.patch", [RegoTypes.Any, RegoTypes.Array], RegoTypes.Any, Patch),
    ];

    /// <summary>The segments of a path given as <c>a/b/c</c> (with JSON pointer escapes) or as an array; null for anything else.</summary>
    public static RegoValue[]? Segments(RegoValue path)
    {
        switch (path)
        {
            case RegoArray segments:
                return segments.Items.ToArray();
            case RegoString { Value.Length: 0 }:
                return [];
            case RegoString text:
                return [.. text.Value.TrimStart('/').Split('/').Select(segment =>
                    new RegoString(segment.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))];
            default:
                return null;
        }
    }

    private static RegoValue? Cut(BuiltinContext context, ReadOnlySpan<RegoValue> arguments, bool keep)
    {
        if (!context.TryObject(arguments, 0, out var document) || !Operands.TryItems(context, arguments, 1, out var paths))
        {
            return null;
        }

        var tree = new PathTree();
        foreach (var path in paths)
        {
            if (Segments(path) is not { } segments)
            {
                return context.FailOperand(2, $"must be one of {{set, array}} containing string paths or array of path segments but got {path.KindName}");
            }

            context.Tick(segments.Length + 1);
            tree.Add(segments);
        }

        return keep ? Keep(context, document, tree) : Drop(context, document, tree);
    }

    private static RegoValue Keep(BuiltinContext context, RegoValue value, PathTree tree) =>
        tree.IsLeaf ? value : Rebuild(context, value, (key, child) => tree.Find(key) is { } below ? Keep(context, child, below) : null);

    private static RegoValue Drop(BuiltinContext context, RegoValue value, PathTree tree) =>
        Rebuild(context, value, (key, child) => tree.Find(key) switch
        {
            null => child,
            { IsLeaf: true } => null,
            var below => Drop(context, child, below),
        });

    // Documents nest to RegoValue.MaxDepth, so the recursion is bounded.
    private static RegoValue Rebuild(BuiltinContext context, RegoValue value, Func<RegoValue, RegoValue, RegoValue?> child)
    {
        context.Tick();
        context.Charge(value.OwnSize);
        switch (value)
        {
            case RegoObject members:
                var kept = new RegoObjectBuilder();
                foreach (var (key, member) in members)
                {
                    if (child(key, member) is { } changed)
                    {
                        kept[key] = changed;
                    }
                }

                return kept.Build();
            case RegoArray array:
                return RegoArray.From(array.Select((item, index) => child(RegoNumber.Of(index), item)).OfType<RegoValue>());
            case RegoSet set:
                return RegoSet.From(set.Select(item => child(item, item)).OfType<RegoValue>());
            default:
                return value;
        }
    }

    private static RegoValue? Patch(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryArray(arguments, 1, out var operations))
        {
            return null;
        }

        RegoValue? document = arguments[0];
        foreach (var operation in operations)
        {
            if (operation is not RegoObject step)
            {
                return Operands.FailElement(context, 1, operations, operation, "objects");
            }

            // Whatever goes wrong from here on makes the result undefined and is no error.
            document = new JsonPatch(context).Apply(document, step);
            if (document is null)
            {
                return null;
            }
        }

        return document;
    }

    /// <summary>Paths as a tree; a leaf takes all that is below it.</summary>
    private sealed class PathTree
    {
        private readonly Dictionary<RegoValue, PathTree> _below = [];

        public bool IsLeaf { get; private set; }

        public void Add(ReadOnlySpan<RegoValue> segments)
        {
            if (segments.IsEmpty)
            {
                return;
            }

            var node = this;
            foreach (var segment in segments)
            {
                if (node.IsLeaf)
                {
                    return;
                }

                if (!node._below.TryGetValue(segment, out var next))
                {
                    node._below[segment] = next = new PathTree();
                }

                node = next;
            }

            node.IsLeaf = true;
            node._below.Clear();
        }

        /// <summary>What is below a key; array positions are also known by their text.</summary>
        public PathTree? Find(RegoValue key) =>
            _below.GetValueOrDefault(key) ?? (key is RegoNumber number && number.TryGetInt32(out var index)
                ? _below.GetValueOrDefault(new RegoString(index.ToString(CultureInfo.InvariantCulture)))
                : null);
    }
}
