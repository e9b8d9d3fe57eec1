using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Memory;

namespace Assay.Service.Keys;

/// <summary>
/// A secret under a data encryption key of its own, with that key wrapped by the key encryption key (envelope encryption). Bytes: <c>00 "assayenv" 01 ‖
/// u8 length, id of the key encryption key ‖ u8 length, mechanism ‖ u16 length, wrapped key ‖ record</c>, numbers big-endian. Id and mechanism say who is
/// asked, and decide nothing: a wrapped key that another one wrapped is refused.
/// </summary>
internal sealed record Envelope(string Kek, string Mechanism, ReadOnlyMemory<byte> WrappedKey, ReadOnlyMemory<byte> Record)
{
    private const int MostText = 64;
    private const int MostWrapped = 4096;

    private static ReadOnlySpan<byte> Magic => "\0assayenv\x01"u8;

    /// <summary>Encrypts a secret under a new data encryption key.</summary>
    public static async Task<Envelope> SealAsync(IKeyWrapper wrapper, ReadOnlyMemory<byte> plain, string context, CancellationToken cancellation)
    {
        var key = RandomNumberGenerator.GetBytes(RecordCipher.KeySize);
        try
        {
            var wrapped = await wrapper.WrapAsync(key, context, cancellation).ConfigureAwait(false);
            using var held = SecretMemory.Locked.Take(key);
            return new Envelope(wrapper.Id, wrapper.Mechanism, wrapped, RecordCipher.Seal(held, plain.Span, context));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Null if the key encryption key refuses, or the record was changed.</summary>
    public async Task<byte[]?> OpenAsync(IKeyWrapper wrapper, string context, CancellationToken cancellation)
    {
        if (Kek != wrapper.Id || Mechanism != wrapper.Mechanism || await wrapper.UnwrapAsync(WrappedKey, context, cancellation).ConfigureAwait(false) is not { } key)
        {
            return null;
        }

        if (key.Length != RecordCipher.KeySize)
        {
            CryptographicOperations.ZeroMemory(key);
            return null;
        }

        using var held = SecretMemory.Locked.Take(key);
        return RecordCipher.Open(held, Record.Span, context);
    }

    /// <summary>The same secret with its data encryption key under another key encryption key; null if the first one refuses, or the record was changed.</summary>
    public async Task<Envelope?> RewrapAsync(IKeyWrapper from, IKeyWrapper to, string context, CancellationToken cancellation)
    {
        if (Kek != from.Id || Mechanism != from.Mechanism || await from.UnwrapAsync(WrappedKey, context, cancellation).ConfigureAwait(false) is not { } key)
        {
            return null;
        }

        try
        {
            using var held = SecretMemory.Locked.Take((byte[])key.Clone());
            if (key.Length != RecordCipher.KeySize || RecordCipher.Open(held, Record.Span, context) is not { } secret)
            {
                return null;
            }

            CryptographicOperations.ZeroMemory(secret);
            return this with { Kek = to.Id, Mechanism = to.Mechanism, WrappedKey = await to.WrapAsync(key, context, cancellation).ConfigureAwait(false) };
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public static bool TryParse(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out Envelope? envelope)
    {
        envelope = null;
        if (!bytes.Span.StartsWith(Magic))
        {
            return false;
        }

        var rest = bytes[Magic.Length..];
        if (!TryText(ref rest, out var kek) || !TryText(ref rest, out var mechanism) || rest.Length < sizeof(ushort))
        {
            return false;
        }

        var size = BinaryPrimitives.ReadUInt16BigEndian(rest.Span);
        rest = rest[sizeof(ushort)..];
        if (size is 0 or > MostWrapped || rest.Length < size)
        {
            return false;
        }

        envelope = new Envelope(kek, mechanism, rest[..size], rest[size..]);
        return true;
    }

    public byte[] ToBytes()
    {
        var bytes = new MemoryStream();
        bytes.Write(Magic);
        foreach (var text in (string[])[Kek, Mechanism])
        {
            bytes.WriteByte(checked((byte)text.Length));
            bytes.Write(Encoding.ASCII.GetBytes(text));
        }

        Span<byte> size = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(size, checked((ushort)WrappedKey.Length));
        bytes.Write(size);
        bytes.Write(WrappedKey.Span);
        bytes.Write(Record.Span);
        return bytes.ToArray();
    }

    private static bool TryText(ref ReadOnlyMemory<byte> rest, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (rest.IsEmpty || rest.Span[0] is 0 or > MostText || rest.Length <= rest.Span[0])
        {
            return false;
        }

        var bytes = rest.Slice(1, rest.Span[0]);
        text = Encoding.ASCII.GetString(bytes.Span);
        rest = rest[(1 + bytes.Length)..];
        return Ascii.IsValid(bytes.Span);
    }
}
