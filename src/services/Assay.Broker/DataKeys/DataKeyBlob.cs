using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Broker.Release;
using Assay.Sealing.Memory;
using Assay.Service.Http;
using Assay.Service.Keys;

namespace Assay.Broker.DataKeys;

/// <summary>
/// What a key of the use <c>data-keys</c> encrypted: <c>"AKB1" ‖ u8 length ‖ key ‖ u64 version ‖ record</c>, big-endian. The key is its name in ASCII, and the
/// version is the one that encrypted, from 1.
/// </summary>
/// <remarks>
/// The record is <c>salt[24] ‖ commitment[32] ‖ ciphertext ‖ tag[16]</c> (<see cref="RecordCipher"/>): AES-256-GCM under a key, with a nonce and a commitment
/// that HKDF-SHA384 makes of the broker key's secret for this salt and the context <c>assay-kms/v1/TENANT/KEY/VERSION/CONTEXT</c>, CONTEXT the SHA-384 of the
/// canonical encryption context in hexadecimal. So a random salt takes the place of a random nonce, of which one key has too few, and no blob opens under two
/// keys. The header is authenticated because the context is made of it.
/// </remarks>
/// <param name="Key">Which key.</param>
/// <param name="Version">Which version.</param>
/// <param name="Record">The record.</param>
internal sealed record DataKeyBlob(string Key, long Version, ReadOnlyMemory<byte> Record)
{
    /// <summary>Of the content.</summary>
    public const int MostPlaintext = 4096;

    /// <summary>AWS's limit; ours are shorter.</summary>
    public const int MostBytes = 6144;

    private const int Overhead = 24 + 32 + 16;

    private static ReadOnlySpan<byte> Magic => "AKB1"u8;

    /// <summary>Takes it apart. One blob has one spelling, and what it says is believed only where it opens.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out DataKeyBlob? blob)
    {
        blob = null;
        var span = bytes.Span;
        if (span.Length is > MostBytes || span.Length < Magic.Length + 1 || !span.StartsWith(Magic))
        {
            return false;
        }

        var at = Magic.Length + 1;
        var length = span[Magic.Length];
        if (span.Length < at + length + sizeof(long) + Overhead || !Ascii.IsValid(span.Slice(at, length)))
        {
            return false;
        }

        var key = Encoding.ASCII.GetString(span.Slice(at, length));
        var version = BinaryPrimitives.ReadInt64BigEndian(span[(at + length)..]);
        blob = ResourceName.IsValid(key) && version > 0 ? new DataKeyBlob(key, version, bytes[(at + length + sizeof(long))..]) : null;
        return blob is not null;
    }

    /// <summary>Encrypts. It wipes the secret; the content is the caller's to wipe.</summary>
    public static byte[] Seal(byte[] secret, SecretName name, EncryptionContext context, ReadOnlySpan<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, MostPlaintext, nameof(content));
        using var key = SecretMemory.Locked.Take(secret);
        var record = RecordCipher.Seal(key, content, ContextOf(name, context));
        Span<byte> version = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(version, name.Version);
        return [.. Magic, checked((byte)name.Key.Length), .. Encoding.ASCII.GetBytes(name.Key), .. version, .. record];
    }

    /// <summary>Decrypts; null if it is of another key, version, tenant or context, or was changed. It wipes the secret; the caller wipes what it gets.</summary>
    public byte[]? Open(byte[] secret, SecretName name, EncryptionContext context)
    {
        using var key = SecretMemory.Locked.Take(secret);
        return (Key, Version) == (name.Key, name.Version) ? RecordCipher.Open(key, Record.Span, ContextOf(name, context)) : null;
    }

    // Names of tenants and keys have no slash.
    private static string ContextOf(SecretName name, EncryptionContext context) =>
        string.Create(CultureInfo.InvariantCulture, $"assay-kms/v1/{name.Tenant}/{name.Key}/{name.Version}/{context.Digest}");
}
