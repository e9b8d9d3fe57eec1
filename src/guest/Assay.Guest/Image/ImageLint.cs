using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Collateral.Files;
using Assay.Guest.Configuration;

namespace Assay.Guest.Image;

/// <summary>The answer to one question about an image.</summary>
/// <param name="Id">Permanent.</param>
/// <param name="WhyNot">Null where it holds.</param>
internal sealed record LintFinding(string Id, string? WhyNot);

/// <summary>
/// <c>assay-guest lint ROOT</c>: holds an image's tree against a hardening profile. What it answers is about files; that the image runs is not asked.
/// Its lines have one form, so that their digest can be measured or compared.
/// </summary>
internal sealed class ImageLint
{
    private const int LargestFile = 1024 * 1024;

    private static readonly string[] s_programs = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin"];
    private static readonly string[] s_shells = ["ash", "bash", "busybox", "dash", "fish", "ksh", "sh", "toybox", "zsh"];
    private static readonly string[] s_logins = ["dropbear", "in.telnetd", "sshd", "telnetd"];
    private static readonly string[] s_unitFolders = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
    private static readonly string[] s_runtimes = ["docker.service", "docker.socket", "containerd.service", "kubelet.service", "crio.service", "podman.service", "podman.socket", "kata-agent.service"];
    private static readonly string[] s_openings = ["1", "s", "S", "single", "emergency", "rescue", "init", "rdinit", "rd.break", "rd.shell", "systemd.debug_shell", "systemd.debug-shell", "systemd.mask", "systemd.run", "systemd.unit", "systemd.wants"];

    private static readonly string[] s_wiping = ["init_on_alloc=1", "init_on_free=1"];
    private static readonly string[] s_kernelSettings = ["etc/sysctl.d", "usr/lib/sysctl.d"];

    private readonly string _root;
    private readonly string[] _commandLine;
    private readonly ImmutableArray<(string Id, Func<string?> WhyNot)> _questions;

    public ImageLint(string root)
    {
        _root = root;
        _commandLine = (Text("etc/kernel/cmdline") ?? Text("usr/lib/kernel/cmdline") ?? "").Split([' ', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        // In this order. Ids are permanent.
        _questions =
        [
            ("image.guest.present", () => Exists("usr/bin/assay-guest") ? null : "usr/bin/assay-guest is not there"),
            ("image.configuration", Configuration),
            ("image.gate.enabled", () => Enabled("assay-gate.service") ? null : "no unit requires assay-gate.service: systemctl --root enable it"),
            ("image.boundary.enabled", () => Enabled("assay-seal-boot.service") || OnDstack ? null : "nothing wants assay-seal-boot.service"),
            ("image.runtimes.wait", RuntimesWait),
            ("image.console.no-login", () => First(s_unitFolders.SelectMany(folder => Files($"{folder}/getty.target.wants", "*getty*").Concat(Files(folder, "serial-getty@*.service").Where(file => !file.EndsWith("serial-getty@.service", StringComparison.Ordinal))))) is { } found ? $"{found} offers a login on a console" : null),
            ("image.no-remote-login", () => Program(s_logins) is { } found ? $"{found} lets somebody log in" : null),
            ("image.no-shell", () => Program(s_shells) is { } found ? $"{found} is a shell" : null),
            ("image.root.verity", () => _commandLine.Any(IsRootHash) ? null : "the kernel's command line (etc/kernel/cmdline) has no roothash= or usrhash= with a digest"),
            ("image.command-line.closed", () => _commandLine.Length == 0 ? "no kernel command line is in the image (etc/kernel/cmdline): what it opens cannot be told" : _commandLine.FirstOrDefault(Opens) is { } found ? $"{found} on the kernel's command line opens a shell or another program" : null),
            ("image.command-line.wipes", () => s_wiping.FirstOrDefault(word => !_commandLine.Contains(word)) is { } missing ? $"the kernel's command line lacks {missing}: freed memory keeps what was in it" : null),
            ("image.no-swap", Swap),
            ("image.no-core-dumps", CoreDumps),
            ("image.no-resume", () => _commandLine.Contains("nohibernate") || KernelConfigurations() is { Length: > 0 } kernels && !kernels.Any(file => Sets(file, "CONFIG_HIBERNATION")) ? null : "the kernel can resume from a disk, and the host writes disks: nohibernate on its command line, or a kernel without CONFIG_HIBERNATION"),
            ("image.no-hot-plug", HotPlug),
            ("image.tmp.volatile", () => Text("etc/fstab")?.Split('\n').Any(line => line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is [_, "/tmp", "tmpfs", ..]) is true || s_unitFolders.Any(folder => Exists($"{folder}/local-fs.target.wants/tmp.mount")) ? null : "/tmp is not a tmpfs: what is written there stays for the next boot"),
        ];
    }

    private bool OnDstack => Read() is { OnDstack: true };

    /// <summary>Every answer, in order.</summary>
    public ImmutableArray<LintFinding> Run() => [.. _questions.Select(question => new LintFinding(question.Id, question.WhyNot()))];

    /// <summary>One line for each, and the SHA-384 of them all: an image builder measures it beside the image, or compares two images by it.</summary>
    public static string Write(ImmutableArray<LintFinding> findings)
    {
        var lines = string.Concat(findings.Select(finding => $"{(finding.WhyNot is null ? "held  " : "failed")}  {finding.Id}{(finding.WhyNot is null ? "" : $": {finding.WhyNot}")}\n"));
        return $"{lines}sha384 {Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(lines)))}";
    }

    private GuestConfiguration? Read()
    {
        try
        {
            return GuestConfigurationReader.Read(new GuestPaths(_root).Configuration, new GuestPaths(_root), MeasuredPlace.Anywhere);
        }
        catch (GuestException)
        {
            return null;
        }
    }

    private string? Configuration()
    {
        try
        {
            return GuestConfigurationReader.Read(new GuestPaths(_root).Configuration, new GuestPaths(_root), MeasuredPlace.Anywhere).Task is GateTask.DangerouslySkip ? "the gate skips every check (dangerously-skip)" : null;
        }
        catch (GuestException exception)
        {
            return $"{exception.Fault.Id}: {exception.Fault.Reason}";
        }
    }

    // As root hashes are written: SHA-256 to SHA-512 in hexadecimal.
    private static bool IsRootHash(string word) => word.Split('=', 2) is ["roothash" or "usrhash", { Length: 64 or 96 or 128 } digest] && digest.All(char.IsAsciiHexDigitLower);

    private static bool Opens(string word) => word.Split('=', 2) is [var name, .. var value] && s_openings.Contains(name) && value is not ["0" or "no"];

    private string? Program(string[] names) => s_programs.SelectMany(folder => names.Select(name => $"{folder}/{name}")).FirstOrDefault(Exists);

    private string? RuntimesWait()
    {
        string[] gates = OnDstack ? ["assay-gate.service"] : ["assay-gate.service", "assay-seal-boot.service"];
        var there = s_runtimes.Where(unit => s_unitFolders.Any(folder => Exists($"{folder}/{unit}")));
        return there.FirstOrDefault(unit => !s_unitFolders.SelectMany(folder => Files($"{folder}/{unit}.d", "*.conf").Append($"{folder}/{unit}")).Select(Text).Any(text => text is not null && Waits(text, gates))) is { } loose
            ? $"{loose} does not wait for {string.Join(" and ", gates)}: install {(OnDstack ? "assay-workload-dstack.conf" : "assay-workload.conf")} into {loose}.d" : null;
    }

    private static bool Waits(string unit, string[] gates)
    {
        bool Names(string key) => gates.All(gate => unit.Split('\n').Any(line => line.StartsWith(key + "=", StringComparison.Ordinal) && line[(key.Length + 1)..].Split(' ').Contains(gate)));
        return Names("Requires") && Names("After") && Names("BindsTo");
    }

    private string? Swap() =>
        Text("etc/fstab")?.Split('\n').FirstOrDefault(line => !line.StartsWith('#') && line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is [_, _, "swap", ..]) is { } line ? $"etc/fstab has {line.Trim()}"
        : First(s_unitFolders.SelectMany(folder => Files(folder, "*.swap"))) is { } unit ? $"{unit} is there"
        : Exists("usr/lib/systemd/zram-generator.conf") || Exists("etc/systemd/zram-generator.conf") ? "a zram generator is configured"
        : null;

    private string? CoreDumps()
    {
        var patterns = s_kernelSettings.SelectMany(folder => Files(folder, "*.conf")).Select(Text).OfType<string>();
        var stored = s_unitFolders.Any(folder => Exists($"{folder}/systemd-coredump.socket")) && Text("etc/systemd/coredump.conf")?.Contains("Storage=none", StringComparison.Ordinal) is not true;
        return patterns.Any(text => text.Contains("kernel.core_pattern=|/bin/false", StringComparison.Ordinal) || text.Contains("kernel.core_pattern=|/usr/bin/false", StringComparison.Ordinal)) || Text("etc/systemd/coredump.conf")?.Contains("Storage=none", StringComparison.Ordinal) is true ? null
            : stored ? "systemd-coredump stores memory of processes: Storage=none in etc/systemd/coredump.conf"
            : "nothing turns core dumps off: kernel.core_pattern=|/bin/false in etc/sysctl.d";
    }

    private string? HotPlug()
    {
        var configurations = KernelConfigurations();
        return configurations.Length == 0 ? "no kernel configuration is in the image (boot/config-*): whether it takes devices while it runs cannot be told"
            : configurations.FirstOrDefault(file => Sets(file, "CONFIG_HOTPLUG_PCI")) is { } open ? $"{open} has CONFIG_HOTPLUG_PCI=y: a device can be plugged in after the gate has looked"
            : null;
    }

    private string[] KernelConfigurations() =>
        [.. Files("boot", "config-*").Concat(Directory.Exists(At("usr/lib/modules")) ? Directory.EnumerateDirectories(At("usr/lib/modules")).Select(folder => $"usr/lib/modules/{Path.GetFileName(folder)}/config") : []).Where(Exists)];

    private bool Sets(string file, string option) => Text(file)?.Contains($"\n{option}=y", StringComparison.Ordinal) is not false;

    private bool Enabled(string unit) => s_unitFolders.Any(folder => Directory.Exists(At(folder)) && Directory.EnumerateDirectories(At(folder), "*.*").Where(inner => inner.EndsWith(".wants", StringComparison.Ordinal) || inner.EndsWith(".requires", StringComparison.Ordinal)).Any(inner => IsThere(Path.Combine(inner, unit))));

    private string At(string path) => Path.Combine(_root, path);

    private bool Exists(string path) => IsThere(At(path));

    // A link counts, wherever it leads: its target is in the image and not here.
    private static bool IsThere(string path) => File.Exists(path) || new FileInfo(path).LinkTarget is not null;

    private IEnumerable<string> Files(string folder, string pattern) =>
        Directory.Exists(At(folder)) ? Directory.EnumerateFileSystemEntries(At(folder), pattern).Order(StringComparer.Ordinal).Select(file => $"{folder}/{Path.GetFileName(file)}") : [];

    private static string? First(IEnumerable<string> files) => files.FirstOrDefault();

    private string? Text(string path) => BoundedFile.TryRead(At(path), LargestFile, out var bytes, out _) ? Encoding.UTF8.GetString(bytes.Span) : null;
}
