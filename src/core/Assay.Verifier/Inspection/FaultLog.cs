using Assay.Wire;

namespace Assay.Inspection;

/// <summary>What could not be read of a file. What could is shown all the same.</summary>
public sealed class FaultLog
{
    private readonly List<(string Id, string Message)> _faults = [];

    /// <summary>Each with its permanent id. Messages quote the file as it is: whoever prints them escapes what a terminal obeys.</summary>
    public IReadOnlyList<(string Id, string Message)> Faults => _faults;

    internal void Unknown(string message) => _faults.Add(("inspect.unknown", message));

    internal void Malformed(string what, ParseFault fault) => _faults.Add(("inspect.malformed", $"{what}: {fault}"));

    /// <summary>A part that is malformed, as a node: its siblings are shown.</summary>
    internal InspectionNode MalformedPart(string name, string what, ParseFault fault)
    {
        Malformed(what, fault);
        return InspectionNode.Text(name, $"malformed: {fault}");
    }
}
