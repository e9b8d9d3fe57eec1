using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Assay.Cli.Verify;

/// <summary>Hexadecimal of an option, of exactly one length.</summary>
internal static class HexText
{
    public static bool TryRead(string text, int size, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = new byte[size];
        if (text.Length == 2 * size && Convert.FromHexString(text, bytes, out _, out _) is OperationStatus.Done)
        {
            return true;
        }

        bytes = null;
        return false;
    }
}
