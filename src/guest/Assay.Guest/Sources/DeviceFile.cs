using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Assay.Guest.Sources;

/// <summary>A device of the kernel's that is asked by ioctl(2).</summary>
internal static unsafe class DeviceFile
{
    /// <summary>Opens it for both directions.</summary>
    /// <param name="path">For instance /dev/sev-guest.</param>
    /// <param name="fault">Makes the fault of what the system said.</param>
    public static SafeFileHandle Open(string path, Func<string, GuestException> fault)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw fault($"{path}: {exception.Message}");
        }
    }

    /// <summary>One request. Not 0 is an error, whose number <see cref="Marshal.GetLastSystemError"/> has.</summary>
    public static int Control(SafeFileHandle device, uint request, void* argument) => NativeMethods.Control((int)device.DangerousGetHandle(), request, argument);

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "ioctl")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Control(int descriptor, nuint request, void* argument);
    }
}
