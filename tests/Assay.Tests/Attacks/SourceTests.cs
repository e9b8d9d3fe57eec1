using System.Globalization;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Simulator;
using Assay.Tests.Collateral;

namespace Assay.Tests.Attacks;

/// <summary>Whoever keeps the folders, or answers for the services, lies, withholds or tries to exhaust.</summary>
public sealed class SourceTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-attacks-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("//[")]
    [InlineData("//a:99999999/")]
    [InlineData("http://[")]
    [InlineData("\\\\")]
    [InlineData("///")]
    [InlineData("//%")]
    [InlineData("http:")]
    [InlineData("//a b")]
    public async Task A_redirect_to_no_address_is_an_outage_and_no_crash(string location)
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = location;
            return Task.CompletedTask;
        });
        using var rims = new RimServiceClient(server.Address, Loopback.Patient);

        var answer = await rims.FetchAsync(nvidia.DriverRim.Id, TestContext.Current.CancellationToken);

        Assert.Null(answer.Bytes);
        Assert.Contains("redirects", answer.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_hides_no_revocation_behind_it()
    {
        File.WriteAllBytes(Path.Combine(_folder, "a-good.der"), Assay.Simulator.SimulatedOcsp.Respond(NvidiaServices.Good(nvidia.Brom)));
        File.CreateSymbolicLink(Path.Combine(_folder, "b-nowhere"), Path.Combine(_folder, "absent"));
        File.WriteAllBytes(Path.Combine(_folder, "c-revoked.der"), Assay.Simulator.SimulatedOcsp.Respond(
            NvidiaServices.Revoked(nvidia.Brom, Assay.Simulator.RevocationReason.KeyCompromise) with { ThisUpdate = NvidiaServices.Now.AddMinutes(-1) }));

        var fetched = await new DirectoryOcspStore(_folder).FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken);

        Assert.Equal(2, fetched.Items.Length);
    }

    [Fact]
    public async Task A_folder_with_too_many_responses_answers_nothing_rather_than_some()
    {
        File.WriteAllBytes(Path.Combine(_folder, "good.der"), SimulatedOcsp.Respond(NvidiaServices.Good(nvidia.Brom)));
        for (var index = 0; index < 10_000; index++)
        {
            File.WriteAllBytes(Path.Combine(_folder, index.ToString(CultureInfo.InvariantCulture)), []);
        }

        var fetched = await new DirectoryOcspStore(_folder).FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken);

        Assert.Empty(fetched.Items);
        Assert.Contains("more than 10000 files", fetched.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_RIM_file_without_end_is_not_read_to_its_end()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "no /dev/zero here");
        File.CreateSymbolicLink(Path.Combine(_folder, "NV_GPU_X.xml"), "/dev/zero");
        File.CreateSymbolicLink(Path.Combine(_folder, "zero.der"), "/dev/zero");
        var before = GC.GetTotalAllocatedBytes();

        var rim = await new DirectoryRimStore(_folder).FetchAsync("NV_GPU_X", TestContext.Current.CancellationToken);
        var ocsp = await new DirectoryOcspStore(_folder).FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken);

        Assert.Null(rim.Bytes);
        Assert.Empty(ocsp.Items);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 64 * 1024 * 1024);
    }

    [Fact]
    public async Task Names_of_files_that_are_no_RIM_ids_are_not_listed()
    {
        File.WriteAllText(Path.Combine(_folder, "NV_GPU_VBIOS_\u001b[2J.xml"), "");
        File.WriteAllText(Path.Combine(_folder, "NV_GPU_VBIOS_1.xml"), "");

        Assert.Equal(["NV_GPU_VBIOS_1"], await new DirectoryRimStore(_folder).ListRimsAsync(TestContext.Current.CancellationToken));
    }
}
