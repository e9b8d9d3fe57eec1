using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Assay.Wire;

/// <summary>Strict hexadecimal: an even number of digits and nothing else.</summary>
internal static class Hex
{
    public static bool TryDecode(ReadOnlySpan<char> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text.Length % 2 != 0)
        {
            return false;
        }

        var decoded = new byte[text.Length / 2];
        if (Convert.FromHexString(text, decoded, out _, out _) is not OperationStatus.Done)
        {
            return false;
        }

        bytes = decoded;
        return true;
    }
}
