using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// The key of a witness: one who signs that it saw a checkpoint at a time, and none before that the log does not extend (C2SP tlog-cosignature, type 04: Ed25519,
/// <c>cosignature/v1</c>). As text <c>NAME+ID+BASE64</c>. A cosignature does not bind the witness's name, so each witness has a key of its own.
/// </summary>
public sealed class WitnessKey
{
    private const byte Cosignature = 4;

    private readonly byte[] _key;

    private WitnessKey(string name, byte[] key)
    {
        (Name, _key) = (name, key);
        Id = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', Cosignature, .. key]));
    }

    /// <summary>The witness's name.</summary>
    public string Name { get; }

    /// <summary>The identity of the key.</summary>
    public uint Id { get; }

    /// <summary>The public key of a seed.</summary>
    /// <param name="name">The witness's name.</param>
    /// <param name="seed">32 random bytes.</param>
    /// <exception cref="ArgumentException">The name cannot be a witness's, or the seed has another length.</exception>
    /// <exception cref="PlatformNotSupportedException">There is no OpenSSL 3.</exception>
    public static WitnessKey Of(string name, ReadOnlySpan<byte> seed) => NoteKey.IsName(name) ? new WitnessKey(name, Ed25519.PublicKeyOf(seed))
        : throw new ArgumentException("1 to 255 characters without space, + and control characters are expected", nameof(name));

    /// <summary>Reads a key as text. Keys of other types are not read.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out WitnessKey? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        key = null;
        // Base64 has + too: the first two separate.
        var parts = text is { Length: <= 2048 } ? text.Split('+', 3) : [];
        if (parts.Length != 3 || !NoteKey.IsName(parts[0]))
        {
            fault = new ParseFault("key", 0, "NAME+ID+BASE64 is expected");
            return false;
        }

        if (!StrictBase64.TryDecode(Encoding.UTF8.GetBytes(parts[2]), out var content) || content.Length != 1 + Ed25519.KeySize || content[0] != Cosignature)
        {
            fault = new ParseFault("key", parts[0].Length, "a key of type 04 (Ed25519 for cosignatures) in base64 is expected");
            return false;
        }

        var made = new WitnessKey(parts[0], content[1..]);
        if (parts[1] != made.Id.ToString("x8", CultureInfo.InvariantCulture))
        {
            fault = new ParseFault("key", parts[0].Length, "its identity is not that of the key");
            return false;
        }

        (key, fault) = (made, null);
        return true;
    }

    /// <summary>The line of a cosignature, for a note that the log has signed.</summary>
    /// <param name="checkpoint">What was seen: the text of the note.</param>
    /// <param name="name">The witness's name.</param>
    /// <param name="seed">Of its key.</param>
    /// <param name="at">When; whole seconds.</param>
    /// <exception cref="PlatformNotSupportedException">There is no OpenSSL 3.</exception>
    public static string Sign(string checkpoint, string name, ReadOnlySpan<byte> seed, DateTimeOffset at)
    {
        var key = Of(name, seed);
        var blob = new byte[sizeof(uint) + sizeof(long)];
        BinaryPrimitives.WriteUInt32BigEndian(blob, key.Id);
        BinaryPrimitives.WriteInt64BigEndian(blob.AsSpan(sizeof(uint)), at.ToUnixTimeSeconds());
        return SignedNote.Line(name, [.. blob, .. Ed25519.Sign(seed, Message(Encoding.UTF8.GetBytes(checkpoint), at.ToUnixTimeSeconds()))]);
    }

    /// <summary>As it is handed to those who verify.</summary>
    public override string ToString() => $"{Name}+{Id.ToString("x8", CultureInfo.InvariantCulture)}+{Convert.ToBase64String([Cosignature, .. _key])}";

    /// <summary>When this key signed that text; null if it did not.</summary>
    internal DateTimeOffset? At(ReadOnlySpan<byte> text, ReadOnlySpan<byte> blob)
    {
        if (blob.Length != sizeof(long) + Ed25519.SignatureSize || BinaryPrimitives.ReadInt64BigEndian(blob) is not (> 0 and < 253402300800 and var seconds))
        {
            return null;
        }

        return Ed25519.Verify(_key, Message(text, seconds), blob[sizeof(long)..]) ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
    }

    private static byte[] Message(ReadOnlySpan<byte> text, long seconds) => [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {seconds}\n")), .. text];
}
