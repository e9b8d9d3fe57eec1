using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Collateral.Http;

/// <summary>
/// A service key: held in memory that is zeroed on disposal, printed nowhere, and given out only as an Authorization header.
/// </summary>
public sealed class SecretText : IDisposable
{
    /// <summary>Signed tokens that serve as keys stay below this.</summary>
    private const int MostCharacters = 4096;

    // Enough to tell a key from its surroundings, and few enough that a quoted beginning is worthless to whoever reads it.
    private const int RecognisedCharacters = 8;

    private readonly char[] _characters;
    private bool _isDisposed;

    private SecretText(char[] characters) => _characters = characters;

    /// <summary>Visible ASCII without spaces: anything else cannot stand in a header, and is most often a line end of the file it was read from.</summary>
    public static bool TryCreate(ReadOnlySpan<char> text, [NotNullWhen(true)] out SecretText? secret, [NotNullWhen(false)] out ParseFault? fault)
    {
        var foreign = text.IndexOfAnyExceptInRange('!', '~');
        fault = text.IsEmpty ? new ParseFault("service key", 0, "empty")
            : text.Length > MostCharacters ? new ParseFault("service key", MostCharacters, $"longer than {MostCharacters} characters")
            : foreign >= 0 ? new ParseFault("service key", foreign, "visible ASCII characters without spaces are expected")
            : null;
        secret = fault is null ? new SecretText(text.ToArray()) : null;
        return secret is not null;
    }

    /// <summary>Forgets the key.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        CryptographicOperations.ZeroMemory(System.Runtime.InteropServices.MemoryMarshal.AsBytes(_characters.AsSpan()));
    }

    // The framework takes headers as strings, which cannot be zeroed: a copy lives as long as the request.
    internal void AddTo(HttpRequestHeaders headers, string? name)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (name is null)
        {
            headers.Authorization = new AuthenticationHeaderValue("Bearer", new string(_characters));
        }
        else
        {
            headers.Add(name, new string(_characters));
        }
    }

    /// <summary>Whether a text that somebody else wrote repeats the key, or as much of its beginning as tells it from other text.</summary>
    internal bool IsRepeatedIn(ReadOnlySpan<char> text)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return text.Contains(_characters.AsSpan(0, Math.Min(RecognisedCharacters, _characters.Length)), StringComparison.OrdinalIgnoreCase);
    }
}
