using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Assay.Sealing.Memory;

/// <summary>
/// A file without a name, in memory (memfd_create(2)): a child that inherits it, or opens <c>/proc/self/fd/N</c>, reads plaintext that was never
/// on a disk. Its pages are not locked: a confidential VM that has swap encrypts it.
/// </summary>
public static unsafe class AnonymousFile
{
    /// <summary>An empty one, closed in children unless they are given it.</summary>
    /// <param name="name">What /proc shows; ASCII, no secret.</param>
    /// <exception cref="SealingException"><see cref="SealingFaults.MemoryUnavailable"/>.</exception>
    public static SafeFileHandle Create(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var bytes = new byte[System.Text.Encoding.ASCII.GetByteCount(name) + 1];
        System.Text.Encoding.ASCII.GetBytes(name, bytes);
        fixed (byte* text = bytes)
        {
            var file = Libc.CreateMemoryFile(text, Libc.CloseOnExec | Libc.AllowSealing);
            return file >= 0 ? new SafeFileHandle(file, ownsHandle: true) : throw Refused("memfd_create");
        }
    }

    /// <summary>From here on nobody changes it: neither content, nor size, nor this rule (F_ADD_SEALS).</summary>
    /// <exception cref="SealingException"><see cref="SealingFaults.MemoryUnavailable"/>.</exception>
    public static void Freeze(SafeFileHandle file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            if (Libc.ControlFile((int)file.DangerousGetHandle(), Libc.AddSeals, Libc.SealAll) != 0)
            {
                throw Refused("fcntl(F_ADD_SEALS)");
            }
        }
        finally
        {
            if (held)
            {
                file.DangerousRelease();
            }
        }
    }

    private static SealingException Refused(string call) =>
        new(new SealingFault(SealingFaults.MemoryUnavailable, $"{call}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}", "free memory, or remove the filter (seccomp) that forbids the call"));
}
