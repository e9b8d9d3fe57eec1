using System.Buffers.Binary;
using System.Globalization;

namespace Assay.Guest.Sources;

/// <summary>
/// Commands to a TPM and their answers (TPM 2.0 Library, part 1 §18; all numbers big-endian). A command that the TPM asks to have repeated is
/// repeated as it is: what failed so has changed nothing.
/// </summary>
internal sealed class TpmConversation(ITpmTransport transport)
{
    private const ushort WithoutSessions = 0x8001;
    private const ushort WithSessions = 0x8002;
    private const uint PasswordHandle = 0x40000009;
    private const uint Yielded = 0x908;
    private const uint Testing = 0x90A;
    private const uint NoRate = 0x920;
    private const uint Retry = 0x922;
    private const int Tries = 12;
    private const int HeaderSize = 10;

    // One area: the password's handle, no nonce, no attributes, an empty password.
    private const int AuthorizationSize = 9;

    /// <summary>Runs a command without authorization.</summary>
    /// <param name="code">TPM_CC.</param>
    /// <param name="body">Handles and parameters.</param>
    /// <returns>Everything behind the response's header.</returns>
    /// <exception cref="GuestException"><c>source.tpm.failed</c>: the TPM cannot be asked, or refuses.</exception>
    public byte[] Run(uint code, TpmWriter body) => Accepted(code, Exchange(WithoutSessions, code, body));

    /// <summary>The same for a command that may be refused; null where the TPM answers with <paramref name="refusal"/>.</summary>
    public byte[]? TryRun(uint code, TpmWriter body, uint refusal)
    {
        var answer = Exchange(WithoutSessions, code, body);
        return answer.Status == refusal ? null : Accepted(code, answer);
    }

    /// <summary>Runs a command whose first handle is authorized by an empty password.</summary>
    /// <param name="code">TPM_CC.</param>
    /// <param name="handles">The handle area: the one that is authorized first.</param>
    /// <param name="parameters">What follows the authorization.</param>
    /// <returns>The response's parameters.</returns>
    /// <exception cref="GuestException"><c>source.tpm.failed</c>: the TPM cannot be asked, or refuses.</exception>
    public byte[] RunAuthorized(uint code, ReadOnlySpan<uint> handles, TpmWriter parameters)
    {
        var body = new TpmWriter();
        foreach (var handle in handles)
        {
            body.U32(handle);
        }

        body.U32(AuthorizationSize).U32(PasswordHandle).U16(0).U8(0).U16(0).Bytes(parameters.Written);
        var answer = new TpmReader(Accepted(code, Exchange(WithSessions, code, body)), "a response with sessions");
        return answer.Bytes((int)Math.Min(answer.U32(), int.MaxValue)).ToArray();
    }

    /// <summary>What is thrown where the TPM does not do what it must.</summary>
    public static GuestException Failed(string reason, string cure) => new("source.tpm.failed", $"the TPM: {reason}", cure);

    private static byte[] Accepted(uint code, (uint Status, byte[] Body) answer) => answer.Status == 0 ? answer.Body
        : throw Failed(string.Create(CultureInfo.InvariantCulture, $"command {code:x} was answered with {answer.Status:x}"), "see what the code means (tpm2_rc_decode), and that nobody gave the TPM a password");

    private (uint Status, byte[] Body) Exchange(ushort tag, uint code, TpmWriter body)
    {
        var command = new TpmWriter().U16(tag).U32((uint)(HeaderSize + body.Written.Length)).U32(code).Bytes(body.Written).Written;
        var wait = TimeSpan.FromMilliseconds(20);
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var response = transport.Exchange(command);
            if (response.Length < HeaderSize || BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(2)) != response.Length)
            {
                throw Failed("a response is truncated", "replace the TPM");
            }

            var status = BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(6));
            if (status is not (Retry or Yielded or Testing or NoRate))
            {
                return (status, response[HeaderSize..]);
            }

            Thread.Sleep(wait);
            wait = wait < TimeSpan.FromSeconds(1) ? wait * 2 : wait;
        }

        throw Failed("it asks to be asked again, and again", "see that nothing else keeps the TPM busy");
    }
}

/// <summary>Writes what a TPM reads, big-endian.</summary>
internal sealed class TpmWriter
{
    private readonly List<byte> _bytes = [];

    /// <summary>All of it.</summary>
    public byte[] Written => [.. _bytes];

    public TpmWriter U8(byte value)
    {
        _bytes.Add(value);
        return this;
    }

    public TpmWriter U16(ushort value) => Bytes([(byte)(value >> 8), (byte)(value & 0xFF)]);

    public TpmWriter U32(uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return Bytes(bytes);
    }

    public TpmWriter Bytes(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    /// <summary>A TPM2B: two bytes of length before the bytes.</summary>
    public TpmWriter Sized(ReadOnlySpan<byte> bytes) => U16(checked((ushort)bytes.Length)).Bytes(bytes);

    /// <summary>A TPML_PCR_SELECTION of one bank, with three bytes of bitmap: bit n of byte m is PCR 8m + n.</summary>
    public TpmWriter Selection(ushort bank, uint bitmap) =>
        U32(1).U16(bank).U8(3).Bytes([(byte)(bitmap & 0xFF), (byte)(bitmap >> 8 & 0xFF), (byte)(bitmap >> 16 & 0xFF)]);
}

/// <summary>Reads what a TPM writes, big-endian. What is too short or too long ends as <c>source.tpm.failed</c>: no TPM answers so.</summary>
/// <param name="source">A response's parameters, or a structure in them.</param>
/// <param name="what">Its name, for the message.</param>
internal ref struct TpmReader(ReadOnlySpan<byte> source, string what)
{
    private ReadOnlySpan<byte> _rest = source;

    public readonly int Remaining => _rest.Length;

    public byte U8() => Bytes(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16BigEndian(Bytes(sizeof(ushort)));

    public uint U32() => BinaryPrimitives.ReadUInt32BigEndian(Bytes(sizeof(uint)));

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (count > _rest.Length)
        {
            throw TpmConversation.Failed($"{what} is too short", "replace the TPM");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }

    /// <summary>A TPM2B.</summary>
    public ReadOnlySpan<byte> Sized() => Bytes(U16());

    /// <summary>The bank and bitmap of a TPML_PCR_SELECTION that selects in one bank, as every bank of a PC client TPM has them: three bytes. Null for none.</summary>
    public (ushort Bank, uint Bitmap)? Selection()
    {
        var count = U32();
        if (count == 0)
        {
            return null;
        }

        var bank = U16();
        if (count != 1 || U8() != 3)
        {
            throw TpmConversation.Failed($"{what} selects in several banks, or has not 24 PCRs", "use a TPM of the PC Client profile");
        }

        var bitmap = Bytes(3);
        return (bank, (uint)(bitmap[0] | bitmap[1] << 8 | bitmap[2] << 16));
    }

    /// <summary>Nothing may be left.</summary>
    public readonly void End()
    {
        if (!_rest.IsEmpty)
        {
            throw TpmConversation.Failed($"{what} is too long", "replace the TPM");
        }
    }
}
