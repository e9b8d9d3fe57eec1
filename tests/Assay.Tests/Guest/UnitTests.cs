using Assay.Guest.Image;

namespace Assay.Tests.Guest;

/// <summary>The units of the guest (S-28), and the check of an image's tree.</summary>
public sealed class UnitTests
{
    private const string RootHash = "roothash=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    private static readonly string[] s_services = ["assay-gate.service", "assay-seal-boot.service", "assay-agent.service", "assay-proxy.service"];

    private static string Folder => Path.Combine(Repository.Root, "deploy", "systemd");

    [Fact]
    public void Systemd_accepts_the_units_together_and_finds_them_confined()
    {
        var peer = Peer.Require("systemd-analyze");
        using var folder = new Tree();
        foreach (var unit in s_services.Append("assay-boot-phase.target"))
        {
            // The program is not installed where this runs, and nothing else may be amiss.
            var lines = File.ReadAllLines(Path.Combine(Folder, unit)).Select(line => line.Contains("=/usr/bin/assay-guest", StringComparison.Ordinal) ? line.Split('=')[0] + "=/bin/true" : line);
            File.WriteAllLines(Path.Combine(folder.Root, unit), lines);
        }

        var answer = peer.Run(["verify", "--man=no", .. s_services.Append("assay-boot-phase.target").Select(unit => Path.Combine(folder.Root, unit))]);
        Assert.Equal((0, ""), (answer.ExitCode, answer.Output));
        // Threshold in tenths: 3.0 of 10, where 0 is best.
        Assert.All(s_services, unit => Assert.True(peer.Run("security", "--offline=true", "--threshold=30", "--no-pager", Path.Combine(folder.Root, unit)).Accepted, unit));
    }

    [Fact]
    public void The_data_disk_is_opened_between_gate_and_boundary()
    {
        var peer = Peer.Require("systemd-analyze");
        using var folder = new Tree();
        foreach (var unit in s_services.Append("assay-boot-phase.target").Append("assay-data-disk.service"))
        {
            File.WriteAllLines(Path.Combine(folder.Root, unit), File.ReadAllLines(Path.Combine(Folder, unit)).Select(line => line.Contains("=/usr/bin/assay-guest", StringComparison.Ordinal) ? line.Split('=')[0] + "=/bin/true" : line));
        }

        var answer = peer.Run("verify", "--man=no", Path.Combine(folder.Root, "assay-data-disk.service"));

        Assert.Equal((0, ""), (answer.ExitCode, answer.Output));
        string[] disk = File.ReadAllLines(Path.Combine(Folder, "assay-data-disk.service"));
        Assert.All(["Requires=assay-gate.service", "Before=assay-boot-phase.target", "WantedBy=assay-boot-phase.target"], line => Assert.Contains(line, disk));
        // The commands of the recipe, with the paths of an image.
        var recipe = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "disk-keys.md"));
        foreach (var line in disk.Where(line => line.StartsWith("ExecStart", StringComparison.Ordinal)))
        {
            Assert.Contains($"\n{line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].Replace("/usr/bin/", "", StringComparison.Ordinal).Replace("/usr/sbin/", "", StringComparison.Ordinal)}\n", recipe, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_gate_is_one_shot_revokes_when_it_ends_and_everything_else_hangs_on_it()
    {
        string[] gate = File.ReadAllLines(Path.Combine(Folder, "assay-gate.service"));
        Assert.All(["Type=notify", "RemainAfterExit=yes", "Restart=no", "ExecStart=/usr/bin/assay-guest gate", "ExecStopPost=/usr/bin/assay-guest revoke"], line => Assert.Contains(line, gate));
        Assert.DoesNotContain(gate, line => line.StartsWith("Environment", StringComparison.Ordinal));
        foreach (var unit in s_services[1..])
        {
            Assert.All(["Requires=assay-gate.service", "BindsTo=assay-gate.service"], line => Assert.Contains(line, File.ReadAllLines(Path.Combine(Folder, unit))));
        }

        var workload = File.ReadAllLines(Path.Combine(Folder, "assay-workload.conf"));
        Assert.All(["Requires", "BindsTo", "After"], key => Assert.Contains($"{key}=assay-gate.service assay-seal-boot.service", workload));
    }

    [Fact]
    public void A_tree_that_follows_the_profile_passes_and_its_answers_have_one_digest()
    {
        using var tree = Tree.Hardened();

        var findings = new ImageLint(tree.Root).Run();

        Assert.Empty(findings.Where(finding => finding.WhyNot is not null));
        Assert.Equal(ImageLint.Write(findings), ImageLint.Write(new ImageLint(tree.Root).Run()));
        Assert.Matches("\nsha384 [0-9a-f]{96}$", ImageLint.Write(findings));
    }

    [Fact]
    public void A_command_line_that_is_not_there_answers_no_question_about_it()
    {
        using var tree = Tree.Hardened();
        File.Delete(Path.Combine(tree.Root, "etc/kernel/cmdline"));

        Assert.Equal(["image.root.verity", "image.command-line.closed", "image.command-line.wipes"], new ImageLint(tree.Root).Run().Where(finding => finding.WhyNot is not null).Select(finding => finding.Id));
    }

    [Theory]
    [InlineData("usr/bin/bash", "", "image.no-shell")]
    [InlineData("usr/sbin/sshd", "", "image.no-remote-login")]
    [InlineData("etc/systemd/system/getty.target.wants/getty@tty1.service", "", "image.console.no-login")]
    [InlineData("etc/systemd/system/serial-getty@ttyS0.service", "", "image.console.no-login")]
    [InlineData("etc/kernel/cmdline", "root=/dev/vda2 init_on_alloc=1 init_on_free=1", "image.root.verity")]
    [InlineData("etc/kernel/cmdline", RootHash + " init_on_alloc=1 init_on_free=1 rd.break", "image.command-line.closed")]
    [InlineData("etc/kernel/cmdline", RootHash, "image.command-line.wipes")]
    [InlineData("etc/kernel/cmdline", "roothash= init_on_alloc=1 init_on_free=1", "image.root.verity")]
    [InlineData("etc/kernel/cmdline", RootHash + " init_on_alloc=1 init_on_free=1 rd.shell=1", "image.command-line.closed")]
    [InlineData("etc/kernel/cmdline", RootHash + " init_on_alloc=1 init_on_free=1 systemd.debug_shell=ttyS0", "image.command-line.closed")]
    [InlineData("etc/kernel/cmdline", RootHash + " init_on_alloc=1 init_on_free=1 init=/usr/bin/other", "image.command-line.closed")]
    [InlineData("usr/local/bin/sh", "", "image.no-shell")]
    [InlineData("usr/lib/systemd/system/docker.socket", "[Unit]\nRequires=assay-gate.service\nAfter=assay-gate.service\nBindsTo=assay-gate.service\n", "image.runtimes.wait")]
    [InlineData("etc/fstab", "/dev/vdb none swap sw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", "image.no-swap")]
    [InlineData("etc/fstab", "", "image.tmp.volatile")]
    [InlineData("etc/sysctl.d/50-cores.conf", "kernel.core_pattern=core\n", "image.no-core-dumps")]
    [InlineData("boot/config-6.17", "#\nCONFIG_HOTPLUG_PCI=y\n", "image.no-hot-plug")]
    [InlineData("boot/config-6.17", "#\nCONFIG_HIBERNATION=y\n", "image.no-resume")]
    [InlineData("usr/lib/systemd/system/containerd.service", "[Unit]\n", "image.runtimes.wait")]
    [InlineData("usr/lib/assay/guest.json", """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""", "image.configuration")]
    public void What_departs_from_the_profile_is_found_by_its_own_question(string path, string content, string expected)
    {
        using var tree = Tree.Hardened();
        tree.Write(path, content);

        Assert.Equal([expected], new ImageLint(tree.Root).Run().Where(finding => finding.WhyNot is not null).Select(finding => finding.Id));
    }

    private sealed class Tree : IDisposable
    {
        public string Root { get; } = Directory.CreateTempSubdirectory("assay-image-").FullName;

        public static Tree Hardened()
        {
            var tree = new Tree();
            tree.Write("usr/bin/assay-guest", "");
            tree.Write("usr/lib/assay/guest.json", """{"version":1,"gate":"expect-none","register":"rtmr3","boundary":"assay"}""");
            tree.Write("etc/systemd/system/assay-seal-boot.service.requires/assay-gate.service", "");
            tree.Write("etc/systemd/system/multi-user.target.wants/assay-seal-boot.service", "");
            tree.Write("usr/lib/systemd/system/docker.service", "[Unit]\n");
            tree.Write("etc/systemd/system/docker.service.d/assay-workload.conf", File.ReadAllText(Path.Combine(Folder, "assay-workload.conf")));
            tree.Write("etc/kernel/cmdline", RootHash + " init_on_alloc=1 init_on_free=1\n");
            tree.Write("etc/sysctl.d/50-cores.conf", "kernel.core_pattern=|/bin/false\n");
            tree.Write("etc/fstab", "tmpfs /tmp tmpfs rw 0 0\n");
            tree.Write("boot/config-6.17", "#\n# CONFIG_HOTPLUG_PCI is not set\n");
            return tree;
        }

        public void Write(string path, string content)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Root, path))!);
            File.WriteAllText(Path.Combine(Root, path), content);
        }

        public void Dispose() => Directory.Delete(Root, recursive: true);
    }
}
