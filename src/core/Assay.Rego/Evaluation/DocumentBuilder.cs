using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>A document in the making: an object of documents, a set, or a value.</summary>
internal sealed class DocumentBuilder
{
    private Dictionary<RegoValue, DocumentBuilder>? _children;
    private HashSet<RegoValue>? _members;
    private RegoValue? _value;

    public void BeSet() => _members = [];

    public void BeObject() => _children = [];

    public DocumentBuilder Child(RegoValue key, SourceLocation at)
    {
        if (_value is not null || _members is not null)
        {
            throw Run.Conflict("object keys must be unique", at);
        }

        _children ??= [];
        if (!_children.TryGetValue(key, out var child))
        {
            _children[key] = child = new DocumentBuilder();
        }

        return child;
    }

    public void Add(RegoValue value, bool toSet, SourceLocation at)
    {
        if (toSet)
        {
            if (_value is not null || _children is not null)
            {
                throw Run.Conflict("object keys must be unique", at);
            }

            (_members ??= []).Add(value);
        }
        else if (_members is not null || _children is not null || _value is not null && !_value.Equals(value))
        {
            throw Run.Conflict("object keys must be unique", at);
        }
        else
        {
            _value = value;
        }
    }

    /// <summary>Adds the document of a rule with a constant path: sets unite.</summary>
    public void Put(RegoValue value, bool isSet, SourceLocation at)
    {
        if (isSet && value is RegoSet set)
        {
            if (_members is null && _value is null && _children is null)
            {
                _members = [];
            }

            foreach (var member in set)
            {
                Add(member, true, at);
            }
        }
        else
        {
            Add(value, false, at);
        }
    }

    public RegoValue Build(EvaluationMeter meter)
    {
        RegoValue made;
        if (_members is not null)
        {
            made = RegoSet.OverUnsorted([.. _members]);
        }
        else if (_children is not null)
        {
            var builder = new RegoObjectBuilder();
            foreach (var (key, child) in _children)
            {
                builder[key] = child.Build(meter);
            }

            made = builder.Build();
        }
        else
        {
            return _value!;
        }

        meter.Charge(made.OwnSize);
        return made;
    }
}
