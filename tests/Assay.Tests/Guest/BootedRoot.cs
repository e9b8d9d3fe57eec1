using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Assay.Tests.Guest;

/// <summary>
/// A Debian root file system with systemd, made once by mmdebstrap, in which a test boots systemd as process 1 of namespaces of its own: the units of deploy/systemd run as
/// they would in an image, with the gate on simulated hardware. It needs root, and says what the kernel forbids where it cannot.
/// </summary>
public sealed class BootedRoot : IDisposable
{
    // The root of the new mount namespace is this tree; /run, /tmp and /dev are memory. The network is the host's: NVIDIA's simulated services listen on its loopback.
    private const string Boot = """
        set -e
        root=$1 dotnet=$2 program=$3 world=$4
        mount --make-rprivate /
        mount --bind $root $root
        mkdir -p $root/usr/share/assay-dotnet $root/usr/lib/assay
        mount --bind -o ro $dotnet $root/usr/share/assay-dotnet
        mount --bind -o ro $program $root/usr/lib/assay
        mount -t proc proc $root/proc
        for place in run tmp dev; do mount -t tmpfs tmpfs $root/$place; done
        mkdir -p $root$world
        mount --bind $world $root$world
        mount -t sysfs -o ro sysfs $root/sys
        mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
        for device in null zero full random urandom tty; do touch $root/dev/$device; mount --bind /dev/$device $root/dev/$device; done
        mkdir $root/dev/shm $root/dev/pts
        ln -s /proc/self/fd $root/dev/fd
        # A node of its own: systemd gives the console to root and tty, and would do so to whatever a link leads to.
        mknod -m 600 $root/dev/console c 1 3
        exec chroot $root env -i container=assay /lib/systemd/systemd --log-target=null --show-status=0
        """;

    private static readonly string[] s_units = ["assay-gate.service", "assay-boot-phase.target", "assay-seal-boot.service"];

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-root-").FullName;
    private readonly string? _whyNot;

    public BootedRoot()
    {
        _whyNot = OperatingSystem.IsLinux() && Environment.UserName == "root" ? null : "booting systemd in namespaces needs root";
        if (_whyNot is null)
        {
            var made = Peer.Require("mmdebstrap").Run("--variant=minbase", "--include=systemd", "--quiet", "bookworm", Root);
            _whyNot = made.Accepted ? null : $"mmdebstrap could not make a root file system: {made.Output.Trim().Split('\n')[^1]}";
        }
    }

    public string Root => Path.Combine(_folder, "root");

    /// <summary>Boots it with the gate of this world. The units are those of the repository; a drop-in of the test names the build with simulated sources, which is no native code.</summary>
    internal BootedMachine Start(GuestWorld world, string workload)
    {
        Assert.SkipWhen(_whyNot is not null, _whyNot ?? "");
        var system = Path.Combine(Root, "etc", "systemd", "system");
        Directory.CreateDirectory(Path.Combine(system, "multi-user.target.wants"));
        var words = $"/usr/share/assay-dotnet/dotnet /usr/lib/assay/{Path.GetFileName(GuestWorld.Program)} --root {world.Root} --sources {world.Socket}";
        foreach (var unit in s_units)
        {
            File.Copy(Path.Combine(Repository.Root, "deploy", "systemd", unit), Path.Combine(Root, "usr", "lib", "systemd", "system", unit), overwrite: true);
            if (unit.EndsWith(".service", StringComparison.Ordinal))
            {
                var command = unit == "assay-gate.service" ? "gate" : "seal-boot";
                Directory.CreateDirectory(Path.Combine(system, $"{unit}.d"));
                File.WriteAllText(Path.Combine(system, $"{unit}.d", "test.conf"), $"""
                    [Service]
                    ExecStart=
                    ExecStart={words} {command}
                    {(command == "gate" ? $"ExecStopPost=\nExecStopPost={words} revoke" : "")}
                    Environment=DOTNET_CLI_TELEMETRY_OPTOUT=1
                    MemoryDenyWriteExecute=no
                    # A runtime that compiles sets its processors; native code needs none of @resources.
                    SystemCallFilter=
                    SystemCallFilter=@system-service
                    PrivateTmp=no
                    PrivateNetwork=no
                    RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
                    ReadWritePaths={world.Folder}
                    StandardOutput=append:{world.Folder}/journal
                    StandardError=append:{world.Folder}/journal

                    """);
                Enable(system, $"/usr/lib/systemd/system/{unit}");
            }
        }

        File.WriteAllText(Path.Combine(system, "workload.service"), workload);
        Enable(system, "/etc/systemd/system/workload.service");
        return new BootedMachine(this, world, Boot);
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_folder, recursive: true);
        }
        catch (IOException)
        {
            // What the kernel still holds goes with the machine that runs the tests.
        }
    }

    /// <summary>A unit of the test's own, pulled in by a target.</summary>
    public void Write(string unit, string text, string wantedBy)
    {
        Assert.SkipWhen(_whyNot is not null, _whyNot ?? "");
        var system = Path.Combine(Root, "etc", "systemd", "system");
        Directory.CreateDirectory(Path.Combine(system, $"{wantedBy}.wants"));
        File.WriteAllText(Path.Combine(system, unit), text);
        File.CreateSymbolicLink(Path.Combine(system, $"{wantedBy}.wants", unit), $"/etc/systemd/system/{unit}");
    }

    public void Remove(string unit, string wantedBy)
    {
        var system = Path.Combine(Root, "etc", "systemd", "system");
        File.Delete(Path.Combine(system, $"{wantedBy}.wants", unit));
        File.Delete(Path.Combine(system, unit));
    }

    private static void Enable(string system, string unit)
    {
        var link = Path.Combine(system, "multi-user.target.wants", Path.GetFileName(unit));
        File.Delete(link);
        File.CreateSymbolicLink(link, unit);
    }
}

/// <summary>One boot.</summary>
internal sealed class BootedMachine : IDisposable
{
    private readonly Process _namespaces;
    private readonly string _init;
    private readonly string _journal;

    public BootedMachine(BootedRoot root, GuestWorld world, string script)
    {
        _journal = Path.Combine(world.Folder, "journal");
        var dotnet = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        _namespaces = Process.Start(new ProcessStartInfo("unshare", ["--fork", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child", "bash", "-c", script, "_", root.Root, dotnet, Path.GetDirectoryName(GuestWorld.Program)!, world.Folder])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        var errors = new StringBuilder();
        _namespaces.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        _namespaces.BeginErrorReadLine();
        _namespaces.BeginOutputReadLine();
        var children = $"/proc/{_namespaces.Id}/task/{_namespaces.Id}/children";
        string? init = null;
        // Until the script has become systemd, and systemd answers.
        Until(() => _namespaces.HasExited || (init = File.ReadAllText(children).Trim()).Length > 0);
        Assert.SkipWhen(_namespaces.HasExited, $"the kernel does not allow it here: {errors.ToString().Trim()}");
        _init = init!;
        Until(() => _namespaces.HasExited || Says("systemctl", "is-system-running") is "running" or "degraded" or "starting" or "maintenance");
        Assert.SkipWhen(_namespaces.HasExited, $"the kernel does not allow it here: {errors.ToString().Trim()}");
    }

    /// <summary>Runs a command beside systemd; its output without the line's end.</summary>
    public string Says(params string[] words) => Peer.Require("nsenter").Run(["--target", _init, "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--root", .. words]).Output.Trim();

    public string StateOf(string unit) => Says("systemctl", "show", "--property=ActiveState", "--value", unit);

    public string ResultOf(string unit) => Says("systemctl", "show", "--property=Result", "--value", unit);

    public int ProcessOf(string unit) => int.Parse(Says("systemctl", "show", "--property=MainPID", "--value", unit), CultureInfo.InvariantCulture);

    public void WaitFor(string unit, string state) => Until(() =>
    {
        var isThere = StateOf(unit) == state;
        // What will not come any more is not waited for.
        Assert.True(isThere || state is "failed" || StateOf("assay-gate.service") != "failed", $"the gate failed: {Journal}");
        return isThere;
    });

    private string Journal => File.Exists(_journal) ? File.ReadAllText(_journal) : "it said nothing";

    /// <summary>Until nothing more will be started.</summary>
    public void WaitForQuiet() => Until(() => Says("systemctl", "list-jobs", "--no-legend").Length == 0 || Says("systemctl", "list-jobs", "--no-legend").Contains("No jobs", StringComparison.Ordinal));

    public static void Until(Func<bool> holds)
    {
        // The bound ends a hang, and measures nothing.
        using var hang = new CancellationTokenSource(Patience.Long);
        while (!holds())
        {
            hang.Token.ThrowIfCancellationRequested();
            hang.Token.WaitHandle.WaitOne(100);
        }
    }

    public void Dispose()
    {
        // Everything in the namespace of processes ends with its process 1.
        _namespaces.Kill();
        _namespaces.WaitForExit();
        _namespaces.Dispose();
    }
}
