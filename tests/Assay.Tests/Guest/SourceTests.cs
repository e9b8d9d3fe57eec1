using System.Security.Cryptography;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Tests.Tpm;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>The sources that need no GPU: a PCR of a software TPM, files that look like the kernel's, and the place where measured files lie.</summary>
public sealed class SourceTests
{
    [Fact]
    public void A_PCR_of_a_TPM_is_extended_in_both_banks_and_its_log_explains_it()
    {
        using var tpm = Swtpm.Start();
        using var folder = new TemporaryFolder();
        var register = new TpmRegister(new SwtpmTransport(tpm.Port), 13);
        var paths = new GuestPaths(folder.Path);
        var log = MeasuredLog.Open(register, paths, onDstack: false);

        log.Append(GateEvents.None);
        log.Append(GateEvents.SystemReady);

        Digest Extended(Digest value, Assay.Binding.RuntimeEvent item) => new(SHA256.HashData([.. value.Bytes, .. item.Digest(TcgHash.Sha256).Bytes]));
        var expected = Extended(Extended(new Digest(new byte[32]), GateEvents.None), GateEvents.SystemReady);
        Assert.Equal(expected, register.Read());
        Assert.Equal(["gpu-none", "system-ready"], MeasuredLog.Open(register, paths, onDstack: false).Events.Select(item => item.Name));
    }

    [Fact]
    public void A_register_that_was_extended_beside_the_log_is_found()
    {
        using var tpm = Swtpm.Start();
        using var folder = new TemporaryFolder();
        var register = new TpmRegister(new SwtpmTransport(tpm.Port), 13);
        var log = MeasuredLog.Open(register, new GuestPaths(folder.Path), onDstack: false);

        register.Extend(GateEvents.SystemReady);

        Assert.Equal("gate.log.mismatch", Assert.Throws<GuestException>(() => log.Append(GateEvents.None)).Fault.Id);
        Assert.Equal("gate.log.mismatch", Assert.Throws<GuestException>(() => MeasuredLog.Open(register, new GuestPaths(folder.Path), onDstack: false)).Fault.Id);
    }

    [Fact]
    public void Events_before_the_gate_in_dstacks_log_are_kept_and_ours_follow_in_its_form()
    {
        using var tpm = Swtpm.Start();
        using var folder = new TemporaryFolder();
        var register = new TpmRegister(new SwtpmTransport(tpm.Port), 14);
        var paths = new GuestPaths(folder.Path);
        Directory.CreateDirectory(Path.GetDirectoryName(paths.DstackEvents)!);
        // As dstack extends it: version 1, of type, name and payload between colons.
        byte[] preimage = [1, 0, 0, 8, (byte)':', .. "system-preparing"u8, (byte)':'];
        File.WriteAllText(paths.DstackEvents, "{\"event\":\"system-preparing\",\"payload\":\"\"}\n");
        SwtpmTransport.Extend(tpm.Port, 14, SHA256.HashData(preimage), SHA384.HashData(preimage));

        var log = MeasuredLog.Open(register, paths, onDstack: true);
        log.Append(GateEvents.Skipped);

        Assert.Equal(["system-preparing", "gpu-skipped"], MeasuredLog.Open(register, paths, onDstack: true).Events.Select(item => item.Name));
        Assert.Contains("{\"event\":\"gpu-skipped\",\"payload\":\"\",\"version\":2}", File.ReadAllLines(paths.DstackEvents));
    }

    [Theory]
    [InlineData("ext4", "ro", "CRYPT-VERITY-aa-root", null)]
    [InlineData("erofs", "ro,relatime", "CRYPT-VERITY-aa-root", null)]
    [InlineData("ext4", "rw", "CRYPT-VERITY-aa-root", "is writable")]
    [InlineData("ext4", "ro", "CRYPT-LUKS2-aa-data", "is not a dm-verity device")]
    [InlineData("ext4", "ro", null, "is not a dm-verity device")]
    [InlineData("overlay", "ro", null, "is not a dm-verity device")]
    [InlineData("rootfs", "rw", null, null)]
    [InlineData("tmpfs", "rw", null, "is writable")]
    public void A_file_is_measured_on_verity_or_in_the_initial_file_system_and_nowhere_else(string kind, string options, string? uuid, string? expected)
    {
        using var folder = new TemporaryFolder();
        var mounts = Path.Combine(folder.Path, "mountinfo");
        File.WriteAllText(mounts, $"21 1 0:19 / / ro - tmpfs other ro\n22 21 254:0 / {folder.Path} {options} shared:1 - {kind} /dev/mapper/root {options}\n");
        if (uuid is not null)
        {
            Directory.CreateDirectory(Path.Combine(folder.Path, "block", "254:0", "dm"));
            File.WriteAllText(Path.Combine(folder.Path, "block", "254:0", "dm", "uuid"), uuid);
        }

        var file = Path.Combine(folder.Path, "guest.json");
        File.WriteAllText(file, "{}");
        var whyNot = new MeasuredPlace(mounts, Path.Combine(folder.Path, "block")).WhyNot(file);

        Assert.Equal(expected is null, whyNot is null);
        Assert.Contains(expected ?? "", whyNot ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_out_of_the_measured_root_is_followed_to_what_it_names()
    {
        using var folder = new TemporaryFolder();
        var (measured, loose) = (Directory.CreateDirectory(Path.Combine(folder.Path, "measured")).FullName, Directory.CreateDirectory(Path.Combine(folder.Path, "loose")).FullName);
        File.WriteAllText(Path.Combine(loose, "guest.json"), "{}");
        Directory.CreateSymbolicLink(Path.Combine(measured, "etc"), loose);
        var mounts = Path.Combine(folder.Path, "mountinfo");
        File.WriteAllText(mounts, $"22 21 0:1 / {measured} rw - rootfs rootfs rw\n23 21 8:1 / {loose} rw - ext4 /dev/sda1 rw\n");

        Assert.Contains("/dev/sda1", new MeasuredPlace(mounts, folder.Path).WhyNot(Path.Combine(measured, "etc", "guest.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_bus_is_read_by_class_and_vendor()
    {
        using var folder = new TemporaryFolder();
        foreach (var (address, vendor, kind) in new[] { ("0000:01:00.0", "0x10de", "0x030200"), ("0000:02:00.0", "0x1234", "0x030000"), ("0000:03:00.0", "0x10de", "0x068000"), ("0000:04:00.0", "0x8086", "0x020000"), ("0000:05:00.0", "0x10de", "0x120000") })
        {
            var device = Directory.CreateDirectory(Path.Combine(folder.Path, address)).FullName;
            File.WriteAllText(Path.Combine(device, "vendor"), vendor + "\n");
            File.WriteAllText(Path.Combine(device, "class"), kind + "\n");
        }

        var devices = new SysfsBus(folder.Path).Devices();

        Assert.Equal(["0000:01:00.0", "0000:02:00.0", "0000:05:00.0"], devices.Where(device => device.IsGpu).Select(device => device.Address));
        Assert.Equal(["0000:02:00.0"], devices.Where(device => device is { IsGpu: true, IsNvidia: false }).Select(device => device.Address));
    }

    [Fact]
    public void An_RTMR_is_one_file_of_48_bytes()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "rtmr3:sha384");
        File.WriteAllBytes(file, new byte[48]);
        var register = new RtmrRegister(file);

        Assert.True(register.Read().IsZero);
        register.Extend(GateEvents.SystemReady);
        Assert.Equal(GateEvents.SystemReady.Digest(TcgHash.Sha384), new Digest(File.ReadAllBytes(file)));
        File.WriteAllBytes(file, new byte[49]);
        Assert.Equal("source.rtmr.failed", Assert.Throws<GuestException>(() => register.Read()).Fault.Id);
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("assay-source-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
