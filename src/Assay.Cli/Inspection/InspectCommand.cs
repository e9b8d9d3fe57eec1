using System.CommandLine;

namespace Assay.Cli.Inspection;

/// <summary><c>assay inspect</c>.</summary>
internal static class InspectCommand
{
    public static Command Create() => new("inspect", "Shows an evidence file, report, chain, RIM or OCSP response field by field.");
}
