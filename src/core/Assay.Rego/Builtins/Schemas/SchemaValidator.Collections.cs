using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Schemas;

// Arrays and objects.
internal sealed partial class SchemaValidator
{
    private void VisitArray(RegoArray array, RegoObject schema, string field)
    {
        VisitItems(array, schema, field);
        if (TryNumber(schema, "minItems", out var least) && RegoNumber.Of(array.Count).CompareTo(least) < 0)
        {
            Report(field, "array_min_items", $"Array must have at least {least.ToText()} items");
        }

        if (TryNumber(schema, "maxItems", out var most) && RegoNumber.Of(array.Count).CompareTo(most) > 0)
        {
            Report(field, "array_max_items", $"Array must have at most {most.ToText()} items");
        }

        if (schema.TryGetValue("uniqueItems", out var unique) && !unique.IsFalse)
        {
            ReportRepeats(array, field);
        }

        if (schema.TryGetValue("contains", out var contained) && !array.Any(item => Matches(item, contained, field)))
        {
            Report(field, "contains", "At least one of the items must match");
        }
    }

    private void VisitItems(RegoArray array, RegoObject schema, string field)
    {
        if (!schema.TryGetValue("items", out var items))
        {
            return;
        }

        if (items is not RegoArray tuple)
        {
            for (var index = 0; index < array.Count; index++)
            {
                Visit(array[index], items, Below(field, Position(index)));
            }

            return;
        }

        schema.TryGetValue("additionalItems", out var additional);
        if (array.Count > tuple.Count && additional is RegoBoolean { Value: false })
        {
            Report(field, "array_no_additional_items", "No additional items allowed on array");
        }

        for (var index = 0; index < array.Count; index++)
        {
            var below = index < tuple.Count ? tuple[index] : additional as RegoObject;
            if (below is not null)
            {
                Visit(array[index], below, Below(field, Position(index)));
            }
        }
    }

    private void ReportRepeats(RegoArray array, string field)
    {
        var seen = new Dictionary<RegoValue, int>();
        for (var index = 0; index < array.Count; index++)
        {
            context.Tick();
            if (!seen.TryAdd(array[index], index))
            {
                Report(field, "unique", $"array items[{Position(seen[array[index]])},{Position(index)}] must be unique");
            }
        }
    }

    private void VisitObject(RegoObject members, RegoObject schema, string field)
    {
        if (schema.TryGetValue("required", out var required))
        {
            foreach (var name in (RegoArray)required)
            {
                if (!members.ContainsKey(name))
                {
                    Report(field, "required", $"{((RegoString)name).Value} is required");
                }
            }
        }

        if (TryNumber(schema, "minProperties", out var least) && RegoNumber.Of(members.Count).CompareTo(least) < 0)
        {
            Report(field, "array_min_properties", $"Must have at least {least.ToText()} properties");
        }

        if (TryNumber(schema, "maxProperties", out var most) && RegoNumber.Of(members.Count).CompareTo(most) > 0)
        {
            Report(field, "array_max_properties", $"Must have at most {most.ToText()} properties");
        }

        foreach (var (key, value) in members)
        {
            VisitProperty(((RegoString)key).Value, value, schema, field);
        }

        VisitDependencies(members, schema, field);
    }

    private void VisitProperty(string name, RegoValue value, RegoObject schema, string field)
    {
        context.Tick();
        if (schema.TryGetValue("propertyNames", out var names) && !Matches(new RegoString(name), names, field))
        {
            Report(field, "invalid_property_name", $"Property name of \"{name}\" does not match");
        }

        var known = false;
        if (schema.TryGetValue("properties", out var properties) && ((RegoObject)properties).TryGetValue(name, out var own))
        {
            known = true;
            Visit(value, own, Below(field, name));
        }

        if (schema.TryGetValue("patternProperties", out var patterns))
        {
            foreach (var (pattern, below) in (RegoObject)patterns)
            {
                if (IsMatch(((RegoString)pattern).Value, name))
                {
                    known = true;
                    Visit(value, below, Below(field, name));
                }
            }
        }

        if (known || !schema.TryGetValue("additionalProperties", out var additional))
        {
            return;
        }

        if (additional.IsFalse)
        {
            Report(field, "additional_property_not_allowed", $"Additional property {name} is not allowed");
        }
        else
        {
            Visit(value, additional, Below(field, name));
        }
    }

    private void VisitDependencies(RegoObject members, RegoObject schema, string field)
    {
        if (!schema.TryGetValue("dependencies", out var dependencies))
        {
            return;
        }

        foreach (var (name, needed) in (RegoObject)dependencies)
        {
            if (!members.ContainsKey(name))
            {
                continue;
            }

            if (needed is not RegoArray others)
            {
                Visit(members, needed, field);
                continue;
            }

            foreach (var other in others)
            {
                if (!members.ContainsKey(other))
                {
                    Report(field, "missing_dependency", $"Has a dependency on {((RegoString)other).Value}");
                }
            }
        }
    }
}
