using System.Runtime.InteropServices;

namespace Assay.Sealing.Memory;

/// <summary>The calls of libc on Linux, with the numbers of its headers; those are the same on x86-64 and arm64.</summary>
internal static unsafe partial class Libc
{
    public const int ReadWrite = 0x1 | 0x2;
    public const int PrivateAnonymous = 0x02 | 0x20;
    public const int DoNotDump = 16;
    public const int WipeOnFork = 18;
    public const int GetDumpable = 3;
    public const int SetDumpable = 4;
    public const int CoreSize = 4;
    public const int LockedMemory = 8;
    public const uint CloseOnExec = 1;
    public const uint AllowSealing = 2;
    public const int AddSeals = 1033;
    public const int SealAll = 0x1 | 0x2 | 0x4 | 0x8;

    private const string Library = "libc";

    public static nint Failed => -1;

    /// <summary>Bounds of a resource, bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Limit
    {
        public ulong Current;
        public ulong Most;
    }

    [LibraryImport(Library, EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport(Library, EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nuint length);

    [LibraryImport(Library, EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport(Library, EntryPoint = "mlock", SetLastError = true)]
    public static partial int Lock(nint address, nuint length);

    [LibraryImport(Library, EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport(Library, EntryPoint = "prctl", SetLastError = true)]
    public static partial int ProcessControl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport(Library, EntryPoint = "setrlimit", SetLastError = true)]
    public static partial int SetLimit(int resource, in Limit limit);

    [LibraryImport(Library, EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetLimit(int resource, out Limit limit);

    [LibraryImport(Library, EntryPoint = "memfd_create", SetLastError = true)]
    public static partial int CreateMemoryFile(byte* name, uint flags);

    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    public static partial int ControlFile(int file, int command, int argument);
}
