using System.Buffers.Binary;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Hpke;

/// <summary>The keys of one exchange, and the number of the next message (RFC 9180 §5.2, §5.3). Not safe for concurrent use.</summary>
internal sealed class HpkeContext : IDisposable
{
    public const int TagBytes = 16;
    private const int NonceBytes = 12;

    private readonly HpkeSuite _suite;
    private readonly SecretMemory _memory;
    private readonly SecretBuffer _key;
    private readonly byte[] _baseNonce;
    private readonly SecretBuffer _exporter;
    private long _sequence;

    public HpkeContext(HpkeSuite suite, SecretBuffer shared, ReadOnlySpan<byte> info, SecretMemory memory)
    {
        (_suite, _memory) = (suite, memory);
        (_key, _baseNonce, _exporter) = HpkeSchedule.Keys(suite, shared, info, memory);
    }

    public byte[] Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated)
    {
        try
        {
            var sealedText = new byte[plaintext.Length + TagBytes];
            using var key = _key.Borrow();
            using var gcm = new AesGcm(key.Bytes, TagBytes);
            gcm.Encrypt(Nonce(), plaintext, sealedText.AsSpan(0, plaintext.Length), sealedText.AsSpan(plaintext.Length), associated);
            _sequence++;
            return sealedText;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>Null where it does not authenticate; then the number of the next message stays.</summary>
    public SecretBuffer? Open(ReadOnlySpan<byte> sealedText, ReadOnlySpan<byte> associated)
    {
        var plaintext = _memory.Allocate(sealedText.Length - TagBytes);
        try
        {
            using SecretBuffer.Borrowed key = _key.Borrow(), output = plaintext.Borrow();
            using var gcm = new AesGcm(key.Bytes, TagBytes);
            gcm.Decrypt(Nonce(), sealedText[..^TagBytes], sealedText[^TagBytes..], output.Bytes, associated);
            _sequence++;
            return plaintext;
        }
        catch (AuthenticationTagMismatchException)
        {
            plaintext.Dispose();
            return null;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    public SecretBuffer Export(ReadOnlySpan<byte> context, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(context.Length, Limits.HpkeInfoBytes, nameof(context));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, 255 * _suite.HashBytes);
        try
        {
            return HpkeSchedule.Expand(_suite.KdfHash, _suite.SuiteId, _exporter, "sec"u8, context, length, _memory);
        }
        finally
        {
            StackWipe.Run();
        }
    }

    public void Dispose()
    {
        _key.Dispose();
        _exporter.Dispose();
    }

    private byte[] Nonce()
    {
        if (_sequence >= Limits.HpkeMessages)
        {
            throw new InvalidOperationException("one HPKE context seals no more messages: make another");
        }

        var nonce = (byte[])_baseNonce.Clone();
        Span<byte> number = stackalloc byte[NonceBytes];
        number.Clear();
        BinaryPrimitives.WriteInt64BigEndian(number[4..], _sequence);
        for (var index = 0; index < NonceBytes; index++)
        {
            nonce[index] ^= number[index];
        }

        return nonce;
    }
}
