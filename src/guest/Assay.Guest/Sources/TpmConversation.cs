using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

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

    /// <summary>TPM_PT_MAX_RESPONSE_SIZE of what is known; the kernel drops what does not fit.</summary>
    public const int LargestResponse = 4096;

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

    /// <summary>Runs a command whose first handle is authorized: by an empty password, or by a policy session.</summary>
    /// <param name="code">TPM_CC.</param>
    /// <param name="handles">The handle area: the one that is authorized first.</param>
    /// <param name="parameters">What follows the authorization.</param>
    /// <returns>The response's parameters.</returns>
    /// <exception cref="GuestException"><c>source.tpm.failed</c>: the TPM cannot be asked, or refuses.</exception>
    public byte[] RunAuthorized(uint code, ReadOnlySpan<uint> handles, TpmWriter parameters)
    {
        var answer = new TpmReader(Accepted(code, Exchange(WithSessions, code, Authorized(handles, PasswordHandle, parameters))), "a response with sessions");
        return answer.Bytes((int)Math.Min(answer.U32(), int.MaxValue)).ToArray();
    }

    /// <summary>The same for a command that makes an object: its handle stands before the parameters.</summary>
    public (uint Handle, byte[] Parameters) RunCreating(uint code, uint parent, TpmWriter parameters)
    {
        var answer = new TpmReader(Accepted(code, Exchange(WithSessions, code, Authorized([parent], PasswordHandle, parameters))), "a response with a handle");
        var handle = answer.U32();
        return (handle, answer.Bytes((int)Math.Min(answer.U32(), int.MaxValue)).ToArray());
    }

    /// <summary>
    /// Runs a command whose answer is a secret. It goes from the kernel to the stack, from there into secret memory, and the stack is overwritten.
    /// </summary>
    /// <param name="code">TPM_CC.</param>
    /// <param name="handle">The one handle.</param>
    /// <param name="session">A policy session, which the command ends.</param>
    /// <param name="parameters">What follows the authorization.</param>
    /// <param name="shape">What the secret looks like.</param>
    /// <param name="status">TPM_RC.</param>
    /// <returns>Null where the TPM refuses, with <paramref name="status"/>.</returns>
    /// <exception cref="GuestException"><c>source.tpm.failed</c>: the TPM cannot be asked.</exception>
    public SecretBuffer? RunSecret(uint code, uint handle, uint session, TpmWriter parameters, TpmSecret shape, out uint status)
    {
        Span<byte> response = stackalloc byte[LargestResponse];
        Span<byte> secret = stackalloc byte[shape.Size];
        try
        {
            (status, var length) = Exchange(WithSessions, code, Authorized([handle], session, parameters), response);
            if (status != 0)
            {
                return null;
            }

            var answer = new TpmReader(response[HeaderSize..length], "a response with a secret");
            answer.U32(); // parameterSize
            answer.Bytes(shape.Before);
            var found = answer.Sized();
            if (found.Length > shape.Size || (found.Length < shape.Size && !shape.IsNumber))
            {
                throw Failed("a secret has another length than it must have", "replace the TPM");
            }

            found.CopyTo(secret[(shape.Size - found.Length)..]);
            return SecretMemory.Locked.Take(secret);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(response);
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    /// <summary>What is thrown where the TPM does not do what it must.</summary>
    public static GuestException Failed(string reason, string cure) => new("source.tpm.failed", $"the TPM: {reason}", cure);

    /// <summary>What is thrown where it refuses a command.</summary>
    public static GuestException Refused(uint code, uint status) =>
        Failed(string.Create(CultureInfo.InvariantCulture, $"command {code:x} was answered with {status:x}"), "see what the code means (tpm2_rc_decode), and that the TPM has no passwords");

    private static byte[] Accepted(uint code, (uint Status, byte[] Body) answer) => answer.Status == 0 ? answer.Body : throw Refused(code, answer.Status);

    // TPMS_AUTH_COMMAND: handle 4 · nonce TPM2B · attributes 1 · password or HMAC TPM2B. A policy session whose policy asks for no secret has neither.
    private static TpmWriter Authorized(ReadOnlySpan<uint> handles, uint session, TpmWriter parameters)
    {
        var body = new TpmWriter();
        foreach (var handle in handles)
        {
            body.U32(handle);
        }

        return body.U32(AuthorizationSize).U32(session).U16(0).U8(0).U16(0).Bytes(parameters.Written);
    }

    private (uint Status, byte[] Body) Exchange(ushort tag, uint code, TpmWriter body)
    {
        var response = new byte[LargestResponse];
        var (status, length) = Exchange(tag, code, body, response);
        return (status, response[HeaderSize..length]);
    }

    private (uint Status, int Length) Exchange(ushort tag, uint code, TpmWriter body, Span<byte> response)
    {
        var command = new TpmWriter().U16(tag).U32((uint)(HeaderSize + body.Written.Length)).U32(code).Bytes(body.Written).Written;
        var wait = TimeSpan.FromMilliseconds(20);
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var length = transport.Exchange(command, response);
            if (length < HeaderSize || BinaryPrimitives.ReadUInt32BigEndian(response[2..]) != length)
            {
                throw Failed("a response is truncated", "replace the TPM");
            }

            var status = BinaryPrimitives.ReadUInt32BigEndian(response[6..]);
            if (status is not (Retry or Yielded or Testing or NoRate))
            {
                return (status, length);
            }

            Thread.Sleep(wait);
            wait = wait < TimeSpan.FromSeconds(1) ? wait * 2 : wait;
        }

        throw Failed("it asks to be asked again, and again", "see that nothing else keeps the TPM busy");
    }
}

/// <summary>A secret in the parameters of a response: a TPM2B.</summary>
/// <param name="Before">How many bytes stand before it.</param>
/// <param name="Size">Its length.</param>
/// <param name="IsNumber">Whether it may come without its leading zeros.</param>
internal readonly record struct TpmSecret(int Before, int Size, bool IsNumber);

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
