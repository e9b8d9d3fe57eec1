using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// A key that signs notes (C2SP signed-note), of type 02: ECDSA on P-256, P-384 or P-521 over the SHA-256 of the text, the signature in DER. As text
/// <c>NAME+ID+BASE64</c>, where the identity is the first four bytes of the SHA-256 of the SubjectPublicKeyInfo. That identity does not cover the name, so both
/// are compared.
/// </summary>
public sealed class NoteKey : IDisposable
{
    private const byte Ecdsa = 2;

    // The beginning of a SubjectPublicKeyInfo on each curve, up to the uncompressed point: another curve is not even tried.
    private static readonly byte[][] s_curves =
    [
        Convert.FromHexString("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
        Convert.FromHexString("3076301006072a8648ce3d020106052b8104002203620004"),
        Convert.FromHexString("30819b301006072a8648ce3d020106052b810400230381860004"),
    ];

    private readonly ECDsa _key;
    private readonly byte[] _spki;

    private NoteKey(string name, ECDsa key, byte[] spki) => (Name, _key, _spki, Id) = (name, key, spki, BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(spki)));

    /// <summary>The signer's name; of a log its origin.</summary>
    public string Name { get; }

    /// <summary>The identity of the key.</summary>
    public uint Id { get; }

    /// <summary>The key of a signer, as it is handed to those who verify.</summary>
    /// <exception cref="ArgumentException">The name cannot be a signer's.</exception>
    public static NoteKey Of(string name, ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!IsName(name))
        {
            throw new ArgumentException("1 to 255 characters without space, + and control characters are expected", nameof(name));
        }

        var spki = key.ExportSubjectPublicKeyInfo();
        var copy = ECDsa.Create();
        copy.ImportSubjectPublicKeyInfo(spki, out _);
        return new NoteKey(name, copy, spki);
    }

    /// <summary>Reads a key as text. Ed25519 and other types are not read.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out NoteKey? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        key = null;
        fault = null;
        // Base64 has + too: the first two separate.
        var parts = text is { Length: <= 2048 } ? text.Split('+', 3) : [];
        if (parts.Length != 3 || !IsName(parts[0]))
        {
            fault = new ParseFault("key", 0, "NAME+ID+BASE64 is expected");
            return false;
        }

        if (!StrictBase64.TryDecode(Encoding.UTF8.GetBytes(parts[2]), out var content) || content.Length == 0 || content[0] != Ecdsa)
        {
            fault = new ParseFault("key", parts[0].Length, "a key of type 02 (ECDSA) in base64 is expected");
            return false;
        }

        if (Import(content[1..]) is not { } ecdsa)
        {
            fault = new ParseFault("key", parts[0].Length, "a public key on P-256, P-384 or P-521 in DER is expected");
            return false;
        }

        var made = new NoteKey(parts[0], ecdsa, content[1..]);
        if (parts[1] != made.Id.ToString("x8", CultureInfo.InvariantCulture))
        {
            made.Dispose();
            fault = new ParseFault("key", parts[0].Length, "its identity is not that of the key");
            return false;
        }

        key = made;
        return true;
    }

    // Null where it is no such key, or has another encoding.
    private static ECDsa? Import(byte[] spki)
    {
        if (!s_curves.Any(curve => spki.AsSpan().StartsWith(curve)))
        {
            return null;
        }

        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(spki, out _);
            if (key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(spki))
            {
                return key;
            }
        }
        catch (CryptographicException)
        {
            // The point is not on the curve, or the end is missing.
        }

        key.Dispose();
        return null;
    }

    /// <summary>As it is handed to those who verify.</summary>
    public override string ToString() => $"{Name}+{Id.ToString("x8", CultureInfo.InvariantCulture)}+{Convert.ToBase64String([Ecdsa, .. _spki])}";

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();

    internal static bool IsName(string? name) => name is { Length: > 0 and < 256 } && !name.Any(c => c is '+' || char.IsWhiteSpace(c) || char.IsControl(c) || char.IsSurrogate(c));

    internal bool Verifies(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature) => _key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
}
