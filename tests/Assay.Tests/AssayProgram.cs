namespace Assay.Tests;

/// <summary>
/// The commands that tests run as processes: those of this build, or of the folder that ASSAY_BINARIES names, as ./eng/publish wrote it. So
/// every test of the command line can be a test of the binary.
/// </summary>
internal static class AssayProgram
{
    /// <param name="name">assay or assay-sim.</param>
    public static string[] Words(string name) => Environment.GetEnvironmentVariable("ASSAY_BINARIES") is { Length: > 0 } folder
        ? [Path.GetFullPath(Path.Combine(folder, name))]
        : ["dotnet", Path.Combine(AppContext.BaseDirectory, $"{name}.dll")];

    /// <summary>
    /// A command that an interrupt reaches: a shell without job control has its background commands ignore the signal, and so does whatever they start.
    /// </summary>
    public static string[] Interruptible(IEnumerable<string> command) => OperatingSystem.IsWindows() ? [.. command] : ["env", "--default-signal=INT", .. command];
}
