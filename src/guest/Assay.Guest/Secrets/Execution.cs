using System.Runtime.InteropServices;
using System.Text;
using Assay.Sealing.Memory;
using Microsoft.Win32.SafeHandles;

namespace Assay.Guest.Secrets;

/// <summary>Replaces this process by another program (execvp(3)): nothing of this one's memory is left, and no parent waits with secrets in it.</summary>
internal static unsafe class Execution
{
    private const int StandardInput = 0;
    private const int PipeSignal = 13;
    private const int CloseOnExecution = 4;
    private const int SetFlags = 2;

    /// <summary>The same with a key as the standard input, in memory without a name. The key is disposed.</summary>
    public static GuestException Replace(SecretBuffer key, string[] command)
    {
        var memory = AnonymousFile.Create("assay-key");
        using (key)
        {
            key.Use(lease => RandomAccess.Write(memory, lease.Bytes, fileOffset: 0));
        }

        AnonymousFile.Freeze(memory);
        return Replace(memory, command);
    }

    /// <summary>Returns only where it did not happen, with the fault.</summary>
    /// <param name="input">Becomes the standard input, from its first byte on.</param>
    /// <param name="command">The program, looked for in PATH, and its arguments.</param>
    public static GuestException Replace(SafeFileHandle input, string[] command)
    {
        var words = (nint*)NativeMemory.AllocZeroed((nuint)(command.Length + 1), (nuint)sizeof(nint));
        for (var index = 0; index < command.Length; index++)
        {
            words[index] = Text(command[index]);
        }

        var file = (int)input.DangerousGetHandle();
        // What others left open in this process is not the command's: all but the standard three close when it starts.
        // Where this process began without a standard input, the file may be that descriptor already: then dup2 leaves it to be closed, and the command
        // would read its key out of whatever it opens first.
        if (NativeMethods.Seek(file, 0, 0) != 0 || NativeMethods.Duplicate(file, StandardInput) < 0 || NativeMethods.Control(StandardInput, SetFlags, 0) != 0 || NativeMethods.CloseRange(StandardInput + 3, uint.MaxValue, CloseOnExecution) != 0)
        {
            return Failed("standard input");
        }

        // The runtime ignores it, and what is ignored stays so in the next program (signal(7)).
        NativeMethods.Signal(PipeSignal, 0);
        // It comes back only where it failed.
        _ = NativeMethods.Execute(words[0], words);
        return Failed(command[0]);
    }

    private static nint Text(string word)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        var text = (byte*)NativeMemory.AllocZeroed((nuint)bytes.Length + 1);
        bytes.CopyTo(new Span<byte>(text, bytes.Length));
        return (nint)text;
    }

    private static GuestException Failed(string what) => new("unseal.exec", $"{what}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError())}", "give a program that exists and may be run");

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "lseek")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern long Seek(int file, long offset, int origin);

        [DllImport("libc", EntryPoint = "dup2")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Duplicate(int file, int target);

        [DllImport("libc", EntryPoint = "fcntl")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Control(int file, int command, int value);

        [DllImport("libc", EntryPoint = "close_range")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int CloseRange(uint first, uint last, int flags);

        [DllImport("libc", EntryPoint = "signal")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern nint Signal(int number, nint handler);

        [DllImport("libc", EntryPoint = "execvp")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Execute(nint file, nint* words);
    }
}
