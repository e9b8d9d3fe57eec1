using Assay.Wire;

namespace Assay.Inspection;

/// <summary>What could not be read of a file. What could is shown all the same.</summary>
public sealed class FaultLog
{
    private readonly List<(string Id, string Message)> _faults = [];

    /// <summary>Each with its permanent id.</summary>
    public IReadOnlyList<(string Id, string Message)> Faults => _faults;

    internal void Unknown(string message) => _faults.Add(("inspect.unknown", Printable.Of(message)));

    internal void Malformed(string what, ParseFault fault) => _faults.Add(("inspect.malformed", Printable.Of($"{what}: {fault}")));

    /// <summary>A part that is malformed, as a node: its siblings are shown.</summary>
    internal InspectionNode MalformedPart(string name, string what, ParseFault fault)
    {
        Malformed(what, fault);
        return InspectionNode.Text(name, $"malformed: {fault}");
    }
}
