using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Assay.Sealing.Packs;

/// <summary>
/// What a pack says of itself, before anything is opened: canonical JSON (RFC 8785), every byte of it part of the key derivation. It is true
/// only once a chunk opened.
/// </summary>
/// <param name="Id">What the content is, to those who use it. One file, one id.</param>
/// <param name="KeyId">Which data key opens it.</param>
/// <param name="Size">Plain bytes.</param>
public sealed record PackHeader(string Id, string KeyId, long Size)
{
    /// <summary>The one algorithm (C2SP chunked-encryption, Cobblestone-256).</summary>
    public const string Algorithm = "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM";

    private const int DigestDigits = 96;
    private const int RootDigits = 64;

    // None of them has an escape in JSON: an id is its own canonical form.
    private static readonly SearchValues<char> s_idCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-");
    private static readonly SearchValues<char> s_hex = SearchValues.Create("0123456789abcdef");

    /// <summary>SHA-384 of the plain content, lower-case hexadecimal; null if it is not said.</summary>
    public string? Sha384 { get; init; }

    /// <summary>The root of a dm-verity tree over the content, lower-case hexadecimal (SHA-256); null if it is not said.</summary>
    public string? Verity { get; init; }

    /// <summary>Whether it may be an id: 1 to 255 letters, digits and <c>._:/@+-</c>.</summary>
    public static bool IsId([NotNullWhen(true)] string? text) =>
        text is { Length: > 0 and <= Limits.IdCharacters } && !text.AsSpan().ContainsAnyExcept(s_idCharacters);

    /// <summary>The canonical form.</summary>
    /// <exception cref="InvalidOperationException">An id, size or digest that no header has.</exception>
    internal byte[] ToJson()
    {
        if (WhyNot() is { } problem)
        {
            throw new InvalidOperationException(problem);
        }

        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{{\"alg\":\"{Algorithm}\",\"id\":\"{Id}\",\"kid\":\"{KeyId}\"");
        text.Append(Sha384 is null ? "" : $",\"sha384\":\"{Sha384}\"");
        text.Append(CultureInfo.InvariantCulture, $",\"size\":\"{Size}\",\"v\":1");
        text.Append(Verity is null ? "" : $",\"verity\":\"{Verity}\"").Append('}');
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>Reads what <see cref="ToJson"/> writes, and nothing else: written again it is the same.</summary>
    internal static PackHeader? Read(ReadOnlySpan<byte> json)
    {
        using var document = StrictJson.Read(json);
        if (document is null || document.RootElement.ValueKind is not JsonValueKind.Object)
        {
            return null;
        }

        var root = document.RootElement;
        if (StrictJson.Text(root, "id") is not { } id || StrictJson.Text(root, "kid") is not { } keyId
            || !long.TryParse(StrictJson.Text(root, "size"), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
        {
            return null;
        }

        var header = new PackHeader(id, keyId, size) { Sha384 = StrictJson.Text(root, "sha384"), Verity = StrictJson.Text(root, "verity") };
        return header.WhyNot() is null && json.SequenceEqual(header.ToJson()) ? header : null;
    }

    /// <summary>Why there is no such header; null if it can be written.</summary>
    internal string? WhyNot() => this switch
    {
        _ when !IsId(Id) || !IsId(KeyId) => $"an id has 1 to {Limits.IdCharacters} letters, digits and ._:/@+-",
        { Size: < 0 or > Limits.PackPlainBytes } => $"a pack has 0 to {Limits.PackPlainBytes} bytes",
        _ when !IsHex(Sha384, DigestDigits) => $"sha384 has {DigestDigits} lower-case hexadecimal digits",
        _ when !IsHex(Verity, RootDigits) => $"verity has {RootDigits} lower-case hexadecimal digits",
        _ => null,
    };

    private static bool IsHex(string? text, int digits) => text is null || (text.Length == digits && !text.AsSpan().ContainsAnyExcept(s_hex));
}
