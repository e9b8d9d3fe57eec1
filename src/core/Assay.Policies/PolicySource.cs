using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Policies;

/// <summary>The text of one policy.</summary>
/// <param name="Name">What errors call it, usually its file. Tests are found by the ending <c>_test.rego</c> of the name.</param>
/// <param name="Text">Rego.</param>
public sealed record PolicySource(string Name, string Text)
{
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the bytes of a file; false when they are not UTF-8.</summary>
    public static bool TryDecode(string name, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out PolicySource? source)
    {
        ArgumentNullException.ThrowIfNull(name);
        try
        {
            source = new PolicySource(name, s_strict.GetString(bytes));
            return true;
        }
        catch (DecoderFallbackException)
        {
            source = null;
            return false;
        }
    }
}
