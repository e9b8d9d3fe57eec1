using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Assay.Sealing.Memory;

/// <summary>What a process says of itself to the kernel: no core, no reading by others of its user.</summary>
public static class ProcessProtection
{
    /// <summary>
    /// Makes the process not dumpable (PR_SET_DUMPABLE 0: processes of the same user can neither trace it nor read /proc/PID/mem) and sets
    /// its limit for cores to nothing. Both are read back. Root of the machine is not kept out. Idempotent; call it before there are secrets.
    /// </summary>
    /// <exception cref="SealingException"><see cref="SealingFaults.ProcessOpen"/>, or <see cref="SealingFaults.Platform"/> where it is not Linux.</exception>
    public static void Harden()
    {
        if (!OperatingSystem.IsLinux())
        {
            throw new SealingException(new SealingFault(SealingFaults.Platform, "this is not Linux", "run on Linux"));
        }

        if (Libc.ProcessControl(Libc.SetDumpable, 0, 0, 0, 0) != 0 || Libc.ProcessControl(Libc.GetDumpable, 0, 0, 0, 0) != 0)
        {
            throw Refused("prctl(PR_SET_DUMPABLE, 0)");
        }

        var none = default(Libc.Limit);
        if (Libc.SetLimit(Libc.CoreSize, in none) != 0 || Libc.GetLimit(Libc.CoreSize, out var found) != 0 || found.Current != 0 || found.Most != 0)
        {
            throw Refused("setrlimit(RLIMIT_CORE, 0)");
        }
    }

    private static SealingException Refused(string call) =>
        new(new SealingFault(SealingFaults.ProcessOpen, $"{call}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}", "remove the filter (seccomp) that forbids the call"));
}
