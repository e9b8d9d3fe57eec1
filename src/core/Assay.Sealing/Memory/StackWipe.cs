using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Assay.Sealing.Memory;

/// <summary>
/// Overwrites what calls left on the stack below the caller: libcrypto wipes its heap but not every local variable, and registers are saved
/// there when a thread is interrupted. Called at the end of each operation that touched a secret, in a finally block.
/// </summary>
internal static class StackWipe
{
    // Several times what the deepest call of libcrypto uses here (RSA decryption, about 12 KiB).
    private const int Depth = 64 * 1024;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Run()
    {
        Span<byte> below = stackalloc byte[Depth];
        CryptographicOperations.ZeroMemory(below);
    }
}
