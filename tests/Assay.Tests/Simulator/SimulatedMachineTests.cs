using System.Text.Json;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

public class SimulatedMachineTests(SimulatorFixture simulator) : IClassFixture<SimulatorFixture>
{
    [Fact]
    public void Gpus_and_switches_of_a_machine_name_each_other()
    {
        using var machine = Machine();
        var switches = machine.Switches.Select(device => device.Pdi).Order();
        var gpus = machine.Gpus.Select(device => device.Pdi).Order();

        Assert.Equal((8, 4), (machine.Gpus.Length, machine.Switches.Length));
        foreach (var gpu in machine.Gpus)
        {
            var links = Field(gpu, 22).Chunk(8).Select(link => Convert.ToHexString([.. link.AsEnumerable().Reverse()])).ToList();
            Assert.Equal(18, links.Count);
            Assert.Equal(switches, links.Distinct().Order());
        }

        foreach (var nvSwitch in machine.Switches)
        {
            var field = Field(nvSwitch, 26);
            Assert.Equal(128, field.Length);
            Assert.Equal(gpus, field[..64].Chunk(8).Select(Convert.ToHexString).Order());
            Assert.Equal(nvSwitch.Pdi, Convert.ToHexString(Field(nvSwitch, 22)));
            Assert.Equal("50" + nvSwitch.Pdi, nvSwitch.Certificate.Issuer?.SerialNumber);
        }
    }

    [Fact]
    public void A_protected_pcie_report_has_the_size_and_fields_of_the_recorded_one()
    {
        using var machine = SimulatedMachine.Create(
            simulator.Authority, DeviceProfile.HopperProtectedPcie with { DriverVersion = "590.12" }, DeviceProfile.Ls10, gpus: 1);

        var report = machine.Gpus[0].Report(SimulatorFixture.Nonce);

        Assert.Equal(4274, report.Length);
        Assert.Equal(
            [6, 14, 15, 16, 17, 18, 19, 3, 4, 12, 13, 11, 20, 21, 22, 34, 36],
            SimulatedReportTests.Opaque(report).Select(field => field.Type));
    }

    [Fact]
    public void A_switch_alone_is_written_as_a_whole_offline_set()
    {
        using var device = SimulatedDevice.Create(simulator.Authority, DeviceProfile.Ls10);
        var folder = Path.Combine(simulator.Folder, "switch");

        SimulatedSet.Of(simulator.Authority, device, SimulatorFixture.Nonce, SimulatorFixture.Now).Write(folder);

        Assert.Equal(["anchors.json", "crl", "ocsp", "rims", "set.json", "switch_evidence.json"], Listing(folder));
        Assert.Equal(["NV_SWITCH_BIOS_5612_0002_890_9610550001.xml"], Listing(Path.Combine(folder, "rims")));
        Assert.Equal(6, Listing(Path.Combine(folder, "ocsp")).Count);
        Assert.Contains($"50{device.Pdi}.der", Listing(Path.Combine(folder, "ocsp")));
    }

    [Fact]
    public void A_machine_is_written_under_one_nonce_with_one_file_per_rim()
    {
        using var machine = Machine();
        var folder = Path.Combine(simulator.Folder, "machine");

        SimulatedSet.Of(simulator.Authority, machine, SimulatorFixture.Nonce, SimulatorFixture.Now).Write(folder);

        using var gpus = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "gpu_evidence.json")));
        using var switches = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "switch_evidence.json")));
        Assert.Equal((8, 4), (gpus.RootElement.GetArrayLength(), switches.RootElement.GetArrayLength()));
        foreach (var entry in gpus.RootElement.EnumerateArray().Concat(switches.RootElement.EnumerateArray()))
        {
            Assert.Equal(Convert.ToHexStringLower(SimulatorFixture.Nonce), entry.GetProperty("nonce").GetString());
            Assert.Equal(SimulatorFixture.Nonce, entry.GetProperty("evidence").GetBytesFromBase64()[4..36]);
            Assert.StartsWith("-----BEGIN CERTIFICATE-----\n", System.Text.Encoding.ASCII.GetString(entry.GetProperty("certificate").GetBytesFromBase64()), StringComparison.Ordinal);
        }

        Assert.Equal(3, Listing(Path.Combine(folder, "rims")).Count);
        Assert.Equal(12 + 3 + 6, Listing(Path.Combine(folder, "ocsp")).Count);
    }

    [Fact]
    public void The_anchors_file_says_that_it_is_simulated_and_names_both_roots()
    {
        using var anchors = JsonDocument.Parse(SimulatedAnchors.ToJson(simulator.Authority, "a test"));

        Assert.Equal("simulated", anchors.RootElement.GetProperty("kind").GetString());
        Assert.Equal(1, anchors.RootElement.GetProperty("version").GetInt32());
        Assert.Equal(simulator.Authority.DeviceRoot.Pem, anchors.RootElement.GetProperty("device")[0].GetString());
        Assert.Equal(simulator.Authority.RimRoot.Pem, anchors.RootElement.GetProperty("rim")[0].GetString());
    }

    private SimulatedMachine Machine() => SimulatedMachine.Create(simulator.Authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10);

    private static byte[] Field(SimulatedDevice device, int type) =>
        SimulatedReportTests.Opaque(device.Report(SimulatorFixture.Nonce)).Single(field => field.Type == type).Data;

    private static List<string> Listing(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal)];
}
