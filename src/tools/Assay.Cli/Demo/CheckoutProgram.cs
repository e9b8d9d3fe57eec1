namespace Assay.Cli.Demo;

/// <summary>A program that a chapter runs as a process, built from the checkout into a folder of its own: a published command brings none of them.</summary>
/// <param name="Project">Below src.</param>
/// <param name="Assembly">What the build makes.</param>
/// <param name="Folder">Below artifacts.</param>
/// <param name="What">In words.</param>
/// <param name="Properties">Of the build.</param>
internal sealed record CheckoutProgram(string Project, string Assembly, string Folder, string What, params string[] Properties)
{
    /// <summary>The guest's own program with simulated sources (S-29).</summary>
    public static CheckoutProgram Guest { get; } = new("guest/Assay.Guest", "assay-guest-simulated.dll", "demo-guest", "the guest's program", "-p:SimulatedSources=true");

    /// <summary>The services' host.</summary>
    public static CheckoutProgram Server { get; } = new("services/Assay.Server", "assay-server.dll", "demo-server", "the server");

    /// <summary>Builds it. Null, with the reason, where there is no checkout or it does not build.</summary>
    public async Task<(string? Program, string? WhyNot)> BuildAsync(CancellationToken cancellation)
    {
        var root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Assay.slnx")))
        {
            root = Path.GetDirectoryName(root);
        }

        if (root is null)
        {
            return (null, $"this chapter builds {What}, and needs a checkout: run ./assay demo guest, seal, channel or service there");
        }

        var output = Path.Combine(root, "artifacts", Folder);
        Directory.CreateDirectory(output);
        // Two builds at a time would write the same files: the second waits, and then finds the work done.
        await using var held = await HoldAsync(Path.Combine(root, "artifacts", $"{Folder}.lock"), cancellation).ConfigureAwait(false);
        // No server of the build outlives it.
        using var build = DemoVm.Begin("dotnet", ["build", Path.Combine(root, "src", Project), "-c", "Release", "-nologo", "-v", "quiet", .. Properties, "-o", output, "-nodeReuse:false", "-p:UseSharedCompilation=false"]);
        var answer = await DemoVm.EndOfAsync(build, cancellation).ConfigureAwait(false);
        return answer.ExitCode == 0 ? (Path.Combine(output, Assembly), null) : (null, $"{What} does not build: {answer.Output}");
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
