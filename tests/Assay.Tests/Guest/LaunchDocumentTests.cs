using System.Security.Cryptography;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Sources;
using Assay.Simulator;

namespace Assay.Tests.Guest;

/// <summary>S-6: expectations in a document that the launch of the VM committed to. The host chooses it once, and a relying party sees which.</summary>
public sealed class LaunchDocumentTests
{
    private const string Document = "/run/config/guest.json";

    [Fact]
    public async Task The_gate_takes_the_document_whose_digest_is_MRCONFIGID()
    {
        await using var world = await StartAsync();

        var answer = world.Run("gate");

        Assert.True(answer.ExitCode == 0, answer.Error);
        Assert.Equal(world.Run("digest", world.At(Document)).Output.Trim(), world.Report().GetProperty("gpuPolicy").GetString());
        Assert.Equal(0, world.Run("seal-boot").ExitCode);
    }

    [Fact]
    public async Task Another_document_than_that_of_the_launch_closes_the_gate_before_any_event()
    {
        await using var world = await StartAsync();
        world.Write(Document, """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""");

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.document.mismatch", world.FaultId());
        Assert.Empty(world.Events());
        Assert.False(world.Hardware.IsReady);
        Assert.Equal(1, world.Run("seal-boot").ExitCode);
    }

    [Fact]
    public async Task A_document_that_is_missing_closes_the_gate()
    {
        await using var world = await StartAsync();
        File.Delete(world.At(Document));

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.document.missing", world.FaultId());
    }

    [Fact]
    public async Task The_report_that_commits_to_the_document_is_this_VMs_own_and_fresh()
    {
        await using var world = await StartAsync();
        world.Hardware.Fault = Assay.Simulator.GuestFault.OtherReport;

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.report.other", world.FaultId());
    }

    [Theory]
    [InlineData("""{"version":1,"document":"/run/config/guest.json","gate":"dangerously-skip"}""")]
    [InlineData("""{"version":1,"document":"guest.json"}""")]
    [InlineData("""{"document":"/run/config/guest.json"}""")]
    public async Task A_configuration_that_names_a_document_states_nothing_else(string json)
    {
        await using var world = await StartAsync();
        world.Write("/usr/lib/assay/guest.json", json);

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.config.malformed", world.FaultId());
    }

    [Fact]
    public async Task A_document_names_no_further_document()
    {
        await using var world = await StartAsync();
        var further = """{"version":1,"document":"/run/config/other.json"}""";
        world.Write(Document, further);
        world.Hardware.MrConfigId = SHA384.HashData(System.Text.Encoding.UTF8.GetBytes(further));

        Assert.Equal(1, world.Run("gate").ExitCode);
        Assert.Equal("gate.config.malformed", world.FaultId());
    }

    [Fact]
    public void An_SNP_guest_commits_by_HOST_DATA()
    {
        var document = "a document"u8.ToArray();
        var amd = SimulatedAmd.Create(TimeProvider.System.GetUtcNow());

        LaunchDocument.Require("a", document, new Snp(amd, SHA256.HashData(document)));

        var refused = Assert.Throws<GuestException>(() => LaunchDocument.Require("a", document, new Snp(amd, SHA256.HashData("another"u8))));
        Assert.Equal("gate.document.mismatch", refused.Fault.Id);
        Assert.Contains("HOST_DATA", refused.Fault.Reason, StringComparison.Ordinal);
    }

    // The whole configuration moves into the document, and the measured place only names it.
    private static async Task<GuestWorld> StartAsync()
    {
        var world = await GuestWorld.StartAsync();
        var configuration = File.ReadAllText(world.At("/usr/lib/assay/guest.json"));
        world.Write(Document, configuration);
        world.Write("/usr/lib/assay/guest.json", $$"""{"version":1,"document":"{{Document}}"}""");
        world.Hardware.MrConfigId = SHA384.HashData(System.Text.Encoding.UTF8.GetBytes(configuration));
        return world;
    }

    private sealed class Snp(SimulatedAmd amd, byte[] hostData) : ICpuSource
    {
        public CpuReport Report(ReadOnlySpan<byte> data) => new("snp", SimulatedSnp.Create(amd, SnpLine.Genoa, 3, vlek: false, data.ToArray(), guest: new SnpGuest { HostData = hostData }).Report);

        public byte[] FirmwareLog() => [];
    }
}
