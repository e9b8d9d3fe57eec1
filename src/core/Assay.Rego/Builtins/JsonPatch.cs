using System.Globalization;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>
/// One operation of RFC 6902 on a document that may also hold sets: there a path's segment is the member itself, of any kind.
/// Null stands for "cannot be done".
/// </summary>
internal readonly struct JsonPatch(BuiltinContext context)
{
    public RegoValue? Apply(RegoValue document, RegoObject step)
    {
        if (!step.TryGetValue("op", out var op) || op is not RegoString name
            || !step.TryGetValue("path", out var to) || DocumentBuiltins.Segments(to) is not { } path)
        {
            return null;
        }

        step.TryGetValue("value", out var value);
        var source = step.TryGetValue("from", out var from) ? DocumentBuiltins.Segments(from) : null;
        return name.Value switch
        {
            "add" => value is null ? null : Add(document, path, value),
            "remove" => Remove(document, path),
            "replace" => value is null ? null : Replace(document, path, value),
            "move" => source is null ? null : Move(document, source, path),
            "copy" => source is not null && Find(document, source) is { } copied ? Add(document, path, copied) : null,
            "test" => value is not null && Find(document, path) is { } found && found.Equals(value) ? document : null,
            _ => null,
        };
    }

    private static RegoValue? Find(RegoValue document, ReadOnlySpan<RegoValue> path)
    {
        RegoValue? found = document;
        foreach (var segment in path)
        {
            found = Child(found, segment);
            if (found is null)
            {
                return null;
            }
        }

        return found;
    }

    private static RegoValue? Child(RegoValue parent, RegoValue segment) =>
        parent is RegoArray array ? (Position(segment) is { } at && at < array.Count ? array[at] : null) : parent.Lookup(segment);

    /// <summary>An array position: an integer, or its digits without leading zeros.</summary>
    private static int? Position(RegoValue segment)
    {
        if (segment is RegoNumber number)
        {
            return number.TryGetInt32(out var index) && index >= 0 ? index : null;
        }

        return segment is RegoString { Value: { Length: > 0 } text } && (text == "0" || text[0] != '0')
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed)
            ? parsed
            : null;
    }

    private RegoValue? Move(RegoValue document, ReadOnlySpan<RegoValue> source, ReadOnlySpan<RegoValue> path)
    {
        if (Find(document, source) is not { } moved || Remove(document, source) is not { } without)
        {
            return null;
        }

        return Add(without, path, moved);
    }

    private RegoValue? Add(RegoValue document, ReadOnlySpan<RegoValue> path, RegoValue value)
    {
        if (path.IsEmpty)
        {
            return value;
        }

        if (path.Length > 1)
        {
            return Child(document, path[0]) is { } child && Add(child, path[1..], value) is { } changed ? With(document, path[0], changed) : null;
        }

        Count(document);
        switch (document)
        {
            case RegoObject members:
                return RegoObject.From([.. members, new(path[0], value)]);
            case RegoArray array:
                var at = path[0] is RegoString { Value: "-" } ? array.Count : Position(path[0]);
                return at is { } position && position <= array.Count ? RegoArray.Of([.. array.Items[..position], value, .. array.Items[position..]]) : null;
            case RegoSet set:
                return path[0].Equals(value) ? RegoSet.Of([.. set.Items, value]) : null;
            default:
                return null;
        }
    }

    private RegoValue? Remove(RegoValue document, ReadOnlySpan<RegoValue> path)
    {
        if (path.IsEmpty || Child(document, path[0]) is not { } child)
        {
            return null;
        }

        if (path.Length > 1)
        {
            return Remove(child, path[1..]) is { } changed ? With(document, path[0], changed) : null;
        }

        Count(document);
        var segment = path[0];
        return document switch
        {
            RegoObject members => RegoObject.From(members.Where(pair => !pair.Key.Equals(segment))),
            RegoArray array => RegoArray.Of([.. array.Items[..Position(segment)!.Value], .. array.Items[(Position(segment)!.Value + 1)..]]),
            RegoSet set => RegoSet.From(set.Where(item => !item.Equals(segment))),
            _ => null,
        };
    }

    private RegoValue? Replace(RegoValue document, ReadOnlySpan<RegoValue> path, RegoValue value)
    {
        if (path.IsEmpty)
        {
            return value;
        }

        if (Child(document, path[0]) is not { } child)
        {
            return null;
        }

        if (path.Length > 1)
        {
            return Replace(child, path[1..], value) is { } changed ? With(document, path[0], changed) : null;
        }

        // In a set a member is named by its value, so that replacing it by another puts it under another name.
        return document is RegoSet && !path[0].Equals(value) ? null : With(document, path[0], value);
    }

    private RegoValue With(RegoValue document, RegoValue segment, RegoValue changed)
    {
        Count(document);
        switch (document)
        {
            case RegoObject members:
                return RegoObject.From([.. members, new(segment, changed)]);
            case RegoArray array:
                var items = array.Items.ToArray();
                items[Position(segment)!.Value] = changed;
                return RegoArray.Over(items);
            default:
                return RegoSet.From([.. ((RegoSet)document).Where(item => !item.Equals(segment)), changed]);
        }
    }

    private void Count(RegoValue document)
    {
        context.Tick(1 + (document.OwnSize / 4));
        context.Charge(document.OwnSize);
    }
}
