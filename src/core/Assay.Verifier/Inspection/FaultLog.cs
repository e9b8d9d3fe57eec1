using Assay.Wire;

namespace Assay.Cli.Inspection;

/// <summary>What could not be read of a file. What could is shown all the same.</summary>
internal sealed class FaultLog
{
    private readonly List<(string Id, string Message)> _faults = [];

    public IReadOnlyList<(string Id, string Message)> Faults => _faults;

    public void Unknown(string message) => _faults.Add(("inspect.unknown", Printable.Of(message)));

    public void Malformed(string what, ParseFault fault) => _faults.Add(("inspect.malformed", Printable.Of($"{what}: {fault}")));

    /// <summary>A part that is malformed, as a node: its siblings are shown.</summary>
    public InspectionNode MalformedPart(string name, string what, ParseFault fault)
    {
        Malformed(what, fault);
        return InspectionNode.Text(name, $"malformed: {fault}");
    }
}
