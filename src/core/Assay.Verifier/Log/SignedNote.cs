using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// A note with signatures (C2SP signed-note): text that ends with a line end, an empty line, and a line <c>— NAME BASE64</c> for each signature, of four bytes
/// of the key's identity and the signature over the text.
/// </summary>
public sealed class SignedNote
{
    private const int MostBytes = 64 * 1024;
    private const int MostSignatures = 64;
    private const string Dash = "— ";

    private readonly byte[] _text;
    private readonly ImmutableArray<(string Name, uint Id, byte[] Signature)> _signatures;

    private SignedNote(byte[] text, ImmutableArray<(string, uint, byte[])> signatures) => (_text, _signatures) = (text, signatures);

    /// <summary>What is signed, with its last line end.</summary>
    public string Text => Encoding.UTF8.GetString(_text);

    /// <summary>Who is said to have signed, by name and identity of the key.</summary>
    public IEnumerable<(string Name, uint Id)> Signers => _signatures.Select(signature => (signature.Name, signature.Id));

    /// <summary>A note with one signature.</summary>
    /// <param name="text">Lines, the last one ended too.</param>
    /// <param name="name">The signer's name.</param>
    /// <param name="key">On P-256, P-384 or P-521.</param>
    public static string Sign(string text, string name, ECDsa key) => $"{text}\n{SignatureOf(text, name, key)}";

    /// <summary>The line of one signature, for a note that has others.</summary>
    public static string SignatureOf(string text, string name, ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!IsText(text))
        {
            throw new ArgumentException("lines without control characters are expected, the last one ended", nameof(text));
        }

        using var own = NoteKey.Of(name, key);
        Span<byte> id = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(id, own.Id);
        return Line(name, [.. id, .. key.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)]);
    }

    internal static string Line(string name, byte[] blob) => $"{Dash}{name} {Convert.ToBase64String(blob)}\n";

    /// <summary>Reads a note. Nothing of it is verified yet.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out SignedNote? note, [NotNullWhen(false)] out ParseFault? fault)
    {
        note = null;
        fault = Read(source, out var text, out var signatures);
        if (fault is not null)
        {
            return false;
        }

        note = new SignedNote(text, signatures);
        return true;
    }

    /// <summary>
    /// Whether a key signed it. Signatures of other keys do not matter; a signature under this key's name and identity that does not verify makes the whole note
    /// worthless, as a second one would.
    /// </summary>
    public bool IsSignedBy(NoteKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var own = _signatures.Where(signature => signature.Name == key.Name && signature.Id == key.Id).ToArray();
        return own.Length > 0 && own.All(signature => key.Verifies(_text, signature.Signature));
    }

    /// <summary>When a witness signed it; null if it did not, or if one of the signatures under its name and identity does not verify.</summary>
    public DateTimeOffset? CosignedAt(WitnessKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var own = _signatures.Where(signature => signature.Name == key.Name && signature.Id == key.Id).Select(signature => key.At(_text, signature.Signature)).ToArray();
        return own.Length > 0 && own.All(at => at is not null) ? own.Max() : null;
    }

    private static ParseFault? Read(ReadOnlySpan<byte> source, out byte[] text, out ImmutableArray<(string, uint, byte[])> signatures)
    {
        (text, signatures) = ([], []);
        string all;
        try
        {
            all = source.Length <= MostBytes ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(source) : "";
        }
        catch (DecoderFallbackException)
        {
            return new ParseFault("note", 0, "UTF-8 is expected");
        }

        var end = all.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !all.EndsWith('\n') || !IsText(all[..(end + 1)]))
        {
            return new ParseFault("note", 0, $"text, an empty line and signatures of at most {MostBytes} bytes are expected, without control characters but line ends");
        }

        var lines = all[(end + 2)..].Split('\n')[..^1];
        if (lines.Length is 0 or > MostSignatures)
        {
            return new ParseFault("signatures", end, $"1 to {MostSignatures} are expected");
        }

        var read = ImmutableArray.CreateBuilder<(string, uint, byte[])>(lines.Length);
        foreach (var line in lines)
        {
            var parts = line.StartsWith(Dash, StringComparison.Ordinal) ? line[Dash.Length..].Split(' ') : [];
            if (parts.Length != 2 || !NoteKey.IsName(parts[0]) || !StrictBase64.TryDecode(Encoding.UTF8.GetBytes(parts[1]), out var blob) || blob.Length <= sizeof(uint))
            {
                return new ParseFault("signatures", end, "a dash (U+2014), a name, and base64 of an identity and a signature are expected");
            }

            read.Add((parts[0], BinaryPrimitives.ReadUInt32BigEndian(blob), blob[sizeof(uint)..]));
        }

        (text, signatures) = (Encoding.UTF8.GetBytes(all[..(end + 1)]), read.ToImmutable());
        return null;
    }

    private static bool IsText(string? text) => text is { Length: > 1 } && text.EndsWith('\n') && !text.Any(c => c < ' ' && c != '\n');
}
