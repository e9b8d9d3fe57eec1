using System.Diagnostics;

namespace Assay.Cli.Demo;

/// <summary>The command <c>assay</c> itself, as a process of its own.</summary>
internal static class OwnCommand
{
    public static Process Begin(IEnumerable<string> words)
    {
        var library = Path.Combine(AppContext.BaseDirectory, "assay.dll");
        return File.Exists(library) ? DemoVm.Begin("dotnet", [library, .. words]) : DemoVm.Begin(Environment.ProcessPath!, words);
    }
}
