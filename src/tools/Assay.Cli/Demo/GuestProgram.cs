namespace Assay.Cli.Demo;

/// <summary>The guest's own program with simulated sources, built from the checkout into a folder of its own. A published command brings no such program (S-29).</summary>
internal static class GuestProgram
{
    /// <summary>Builds it. Null, with the reason, where there is no checkout or it does not build.</summary>
    public static async Task<(string? Program, string? WhyNot)> BuildAsync(CancellationToken cancellation)
    {
        var root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Assay.slnx")))
        {
            root = Path.GetDirectoryName(root);
        }

        if (root is null)
        {
            return (null, "this chapter builds the guest's program, and needs a checkout: run ./assay demo guest, seal or channel there");
        }

        var output = Path.Combine(root, "artifacts", "demo-guest");
        Directory.CreateDirectory(output);
        // Two builds at a time would write the same files: the second waits, and then finds the work done.
        await using var held = await HoldAsync(Path.Combine(root, "artifacts", "demo-guest.lock"), cancellation).ConfigureAwait(false);
        // No server of the build outlives it.
        using var build = DemoVm.Begin("dotnet", ["build", Path.Combine(root, "src", "guest", "Assay.Guest"), "-c", "Release", "-nologo", "-v", "quiet", "-p:SimulatedSources=true", "-o", output, "-nodeReuse:false", "-p:UseSharedCompilation=false"]);
        var answer = await DemoVm.EndOfAsync(build, cancellation).ConfigureAwait(false);
        return answer.ExitCode == 0 ? (Path.Combine(output, "assay-guest-simulated.dll"), null) : (null, $"the guest's program does not build: {answer.Output}");
    }

    private static async Task<FileStream> HoldAsync(string path, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
            }
            catch (IOException) when (!cancellation.IsCancellationRequested)
            {
                await Task.Delay(200, cancellation).ConfigureAwait(false);
            }
        }
    }
}
