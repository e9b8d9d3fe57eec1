using Assay.Tests.Guest;

namespace Assay.Tests.Regressions;

/// <summary>A copy of a LUKS header that could not be written whole was left behind, although no file was promised then: cryptsetup would have been given it.</summary>
public sealed class Bug0296_HalfOfAHeaderTests
{
    [Fact]
    public async Task A_header_that_cannot_be_written_whole_leaves_no_file()
    {
        Peer.Require("cryptsetup");
        await using var world = await GuestWorld.StartAsync();
        var (disk, key, copy) = (Path.Combine(world.Folder, "disk"), Path.Combine(world.Folder, "key"), Path.Combine(world.Folder, "copy"));
        using (var file = File.Create(disk))
        {
            file.SetLength(32 * 1024 * 1024);
        }

        File.WriteAllText(key, "a key");
        var made = Peer.Require("cryptsetup").Run([.. LuksTests.Format.Split(' ')[1..^1], key, disk]);
        Assert.True(made.Accepted, made.Output);

        // Files end at 1 MiB, and the header with its slots has 16. Code that is compiled at run time would be a file too.
        var answer = Peer.Require("bash").Run("-c", "trap '' XFSZ; ulimit -f 1024; DOTNET_EnableWriteXorExecute=0 exec dotnet \"$@\"", "limited", GuestWorld.Program, "--root", world.Root, "--sources", world.Socket, "luks-header", disk, copy);

        Assert.Equal(1, answer.ExitCode);
        Assert.Contains("luks.copy", answer.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(copy));
        Assert.Equal(0, world.Run("luks-header", disk, copy).ExitCode);
    }
}
