using System.CommandLine;

namespace Assay.Cli.Demo;

/// <summary><c>assay demo</c>.</summary>
internal static class DemoCommand
{
    public static Command Create() => new("demo", "Verifies simulated devices, and shows attacks refused.");
}
