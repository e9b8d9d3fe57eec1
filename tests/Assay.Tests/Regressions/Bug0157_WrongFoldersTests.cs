using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A folder that does not exist counted as one that lacks what was asked for, and a bundle was made without it.</summary>
public sealed class Bug0157_WrongFoldersTests(NvidiaServices nvidia, ProcessorServices processors, CacheWorld world) : IClassFixture<NvidiaServices>, IClassFixture<ProcessorServices>, IClassFixture<CacheWorld>, IDisposable
{
    private string? _closed;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Wrong => ["missing", "a file", "closed"];

    public void Dispose()
    {
        if (_closed is not null && !OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_wrong_folder_is_an_error_with_its_path(string what)
    {
        var path = PathOf(what);
        var next = new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("next", "404")));
        var local = new LocalUpstream(path, path, next);
        var status = CollateralQuestion.OfStatus(NvidiaServices.Query(nvidia.Brom));
        Fetched<CollateralItem>[] answers =
        [
            await new DirectoryRimStore(path).FetchAsync(CollateralQuestion.OfRim(nvidia.DriverRim.Id), Cancellation),
            await local.FetchAsync(CollateralQuestion.OfRim(nvidia.DriverRim.Id), Cancellation),
            await new DirectoryOcspStore(path).FetchAsync(status, Cancellation),
            await local.FetchAsync(status with { CertId = CacheWorld.CertId(nvidia.Brom) }, Cancellation),
        ];

        Assert.All(answers, answer =>
        {
            Assert.Null(answer.Item);
            Assert.False(answer.IsAbsent, answer.WhyNot);
            Assert.Contains(path, answer.WhyNot, StringComparison.Ordinal);
        });
        Assert.True(Assay.Evidence.Files.ProcessorEvidence.TryParse(processors.Tdx.Quote, "evidence", out var evidence, out _));
        Assert.False(ProcessorCollateralFiles.TryRead(path, evidence, out _, out var whyNot));
        Assert.Contains(path, whyNot, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a file")]
    [InlineData("closed")]
    public void A_cache_and_its_pools_say_what_is_wrong_with_their_folder(string what)
    {
        var path = PathOf(what);

        Assert.Contains(path, Assert.Throws<IOException>(() => world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), path)).Message, StringComparison.Ordinal);
        Assert.Contains(path, Assert.Throws<IOException>(() => new PoolFolder(path)).Message, StringComparison.Ordinal);
    }

    private string PathOf(string what)
    {
        var path = Path.Combine(world.NewFolder(), "store");
        if (what == "a file")
        {
            File.WriteAllText(path, "");
        }
        else if (what == "closed" && !OperatingSystem.IsWindows())
        {
            Assert.SkipWhen(Environment.IsPrivilegedProcess, "every folder is open to an administrator");
            _closed = path;
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, UnixFileMode.None);
        }

        return path;
    }
}
