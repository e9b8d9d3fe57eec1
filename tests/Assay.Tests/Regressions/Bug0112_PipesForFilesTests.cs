using Assay.Collateral.Files;
using Assay.Collateral.Staging;
using Assay.Endorsements;
using Assay.Tests.Cli;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A named pipe for an input, or in a folder of RIMs, OCSP answers or a cache, was opened, and waited for a writer without end.</summary>
public sealed class Bug0112_PipesForFilesTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    private static readonly AssayCommand s_assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("verify", "--evidence")]
    [InlineData("verify", "--cpu-evidence")]
    [InlineData("inspect")]
    [InlineData("bundle", "inspect")]
    [InlineData("token", "jwks", "--signing-key")]
    [InlineData("policy", "check")]
    public void A_named_pipe_for_an_input_is_refused_at_once(params string[] command)
    {
        var answer = s_assay.Says(2, [.. command, Pipe(world.NewFolder(), "evidence.json")]);

        Assert.Contains("it is a pipe, a socket or a terminal, a file is expected", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_end_is_refused_by_its_size() =>
        Assert.Contains("larger than", s_assay.Says(2, "verify", "--evidence", "/dev/zero"), StringComparison.Ordinal);

    [Theory]
    [InlineData("-")]
    [InlineData("/dev/stdin")]
    [InlineData("/dev/fd/0")]
    public void Standard_input_is_read_by_each_of_its_names(string name)
    {
        // The shell makes it a pipe, as for <(command).
        var answer = Peer.Require("sh").Run("-c", "printf '{}' | dotnet \"$0\" inspect \"$1\"", Path.Combine(AppContext.BaseDirectory, "assay.dll"), name);

        Assert.DoesNotContain("is a pipe", answer.Output, StringComparison.Ordinal);
        Assert.Contains("inspect.", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_in_a_folder_of_RIMs_is_no_RIM_and_says_so()
    {
        var folder = world.NewFolder();
        Pipe(folder, world.Rim.Id + ".xml");

        var answer = await new DirectoryRimStore(folder).FetchAsync(world.Rim.Id, Cancellation);

        Assert.Contains("is a pipe", answer.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_in_a_folder_of_answers_hides_none_of_them()
    {
        var folder = world.NewFolder();
        Pipe(folder, "a.der");
        await File.WriteAllBytesAsync(Path.Combine(folder, "b.der"), SimulatedAnswer(), Cancellation);

        var answer = await new DirectoryOcspStore(folder).FetchAsync(NvidiaServices.Query(world.Brom), Cancellation);

        Assert.Single(answer.Items);
    }

    [Fact]
    public void A_pipe_for_collateral_of_processors_is_refused()
    {
        var folder = world.NewFolder();
        Pipe(folder, "collateral.json");

        Assert.Contains("is a pipe", WhyNot(folder), StringComparison.Ordinal);
        Assert.Contains("is a pipe", WhyNot(Path.Combine(folder, "collateral.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipes_in_a_cache_are_no_items_and_no_marks()
    {
        var folder = world.NewFolder();
        Directory.CreateDirectory(Path.Combine(folder, "rim"));
        Directory.CreateDirectory(Path.Combine(folder, "pools"));
        Pipe(Path.Combine(folder, "rim"), "0000.item");
        Pipe(Path.Combine(folder, "pools"), "default.json");

        await using (var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), folder))
        {
            Assert.DoesNotContain(cache.Held(), item => item.Key.Kind is CollateralKind.Rim);
            Assert.Contains("damaged", cache.Pools.WhyNot(PoolView.Default, world.Rim.Id)!, StringComparison.Ordinal);
        }

        var marks = world.NewFolder();
        Pipe(marks, "marks");
        Assert.Throws<IOException>(() => { world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), marks); });
    }

    [Fact]
    public void Folders_and_absent_files_are_told_apart_from_pipes()
    {
        var folder = world.NewFolder();

        Assert.False(BoundedFile.TryRead(folder, 10, out _, out var whyNot));
        Assert.DoesNotContain("pipe", whyNot, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => BoundedFile.Open(Path.Combine(folder, "absent")));
        Assert.Throws<FileNotFoundException>(() => BoundedFile.Open(Path.Combine(Environment.ProcessPath!, "below a file")));
        Assert.Throws<ArgumentException>(() => BoundedFile.Open("a\0b"));
        File.CreateSymbolicLink(Path.Combine(folder, "loop"), Path.Combine(folder, "loop"));
        Assert.Throws<IOException>(() => BoundedFile.Open(Path.Combine(folder, "loop")));
    }

    private static string Pipe(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        Assert.True(Peer.Require("mkfifo").Run(path).Accepted);
        return path;
    }

    private byte[] SimulatedAnswer() => Assay.Simulator.SimulatedOcsp.Respond(CacheWorld.Good(world.Brom));

    private static string WhyNot(string path)
    {
        Assert.True(Assay.Evidence.Files.ProcessorEvidence.TryParse(Cpu.SimulatedCpu.Tdx(4, false).Quote, "quote", out var evidence, out var fault), fault?.ToString());
        Assert.False(ProcessorCollateralFiles.TryRead(path, evidence, out _, out var whyNot));
        return whyNot;
    }
}
