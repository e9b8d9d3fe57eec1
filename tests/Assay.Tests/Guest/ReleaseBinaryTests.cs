using System.Text;
using Assay.Guest.Gate;

namespace Assay.Tests.Guest;

/// <summary>The release has no simulated source: no type, no option, no word of its protocol (S-29).</summary>
public sealed class ReleaseBinaryTests
{
    private static readonly string[] s_words = ["SimulatedSources", "--sources", "gpu.set-ready", "register.extend", "assay-sim guest-sources"];

    [Fact]
    public void The_release_carries_no_simulated_source_and_the_other_build_does()
    {
        var release = typeof(BootGate).Assembly;

        Assert.DoesNotContain(release.GetTypes(), type => type.FullName!.Contains("Simulated", StringComparison.Ordinal));
        Assert.All(s_words, word => Assert.False(Has(release.Location, word), word));
        // A search that finds nothing anywhere proves nothing.
        Assert.All(s_words, word => Assert.True(Has(GuestWorld.Program, word), word));
    }

    [Fact]
    public void The_release_reads_no_environment_but_the_address_of_the_service_manager()
    {
        var sources = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", "guest", "Assay.Guest"), "*.cs", SearchOption.AllDirectories).Where(file => !file.Contains("/obj/", StringComparison.Ordinal));
        var readers = sources.SelectMany(file => File.ReadLines(file).Where(line => line.Contains("GetEnvironmentVariable", StringComparison.Ordinal)));

        Assert.Equal("NOTIFY_SOCKET", Assert.Single(readers).Split('"')[1]);
    }

    private static bool Has(string file, string word)
    {
        var bytes = File.ReadAllBytes(file).AsSpan();
        return bytes.IndexOf(Encoding.UTF8.GetBytes(word)) >= 0 || bytes.IndexOf(Encoding.Unicode.GetBytes(word)) >= 0;
    }
}
