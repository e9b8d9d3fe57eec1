using System.Buffers.Binary;
using System.Globalization;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>One exchange with a TPM: a whole command in, a whole response out.</summary>
internal interface ITpmTransport : IDisposable
{
    byte[] Exchange(ReadOnlySpan<byte> command);
}

/// <summary><c>/dev/tpmrm0</c>: the kernel's resource manager gives each open its own TPM.</summary>
internal sealed class TpmDevice(string path = "/dev/tpmrm0") : ITpmTransport
{
    private const int LargestResponse = 4096;

    public byte[] Exchange(ReadOnlySpan<byte> command)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(command);
            var response = new byte[LargestResponse];
            var length = stream.Read(response);
            return response[..length];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("source.tpm.failed", $"{path}: {exception.Message}", "give the VM a TPM inside the TEE, and run as root");
        }
    }

    public void Dispose()
    {
    }
}

/// <summary>
/// A PCR of a TPM inside the TEE (TPM 2.0 Library, part 3: TPM2_PCR_Read, TPM2_PCR_Extend; big-endian). The SHA-256 bank is extended, and
/// SHA-384 with it where it is active, so that a verifier may quote either.
/// </summary>
internal sealed class TpmRegister : IMeasuredRegister
{
    private const ushort WithoutSessions = 0x8001;
    private const ushort WithSessions = 0x8002;
    private const uint PcrRead = 0x17E;
    private const uint PcrExtend = 0x182;
    private const uint PasswordHandle = 0x40000009;
    private const uint Retry = 0x922;
    private const uint Yielded = 0x908;
    private const uint Testing = 0x90A;
    private const int Tries = 12;
    private const int HeaderSize = 10;
    private const int Sha256Size = 32;

    private readonly ITpmTransport _transport;
    private readonly bool _hasSha384;

    public TpmRegister(ITpmTransport transport, int index)
    {
        (_transport, Index) = (transport, index);
        _hasSha384 = TryRead(TcgHash.Sha384, 48) is not null;
    }

    public RegisterKind Kind => RegisterKind.Pcr;

    public int Index { get; }

    public TcgHash Bank => TcgHash.Sha256;

    public Digest Read() => TryRead(TcgHash.Sha256, Sha256Size) ?? throw Failed("the SHA-256 bank is not active", "activate the SHA-256 bank");

    public void Extend(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var command = new List<byte>();
        U32(command, (uint)Index);
        U32(command, 9);
        U32(command, PasswordHandle);
        command.AddRange([0, 0, 0, 0, 0]);
        U32(command, _hasSha384 ? 2u : 1u);
        Digest(command, item, TcgHash.Sha256);
        if (_hasSha384)
        {
            Digest(command, item, TcgHash.Sha384);
        }

        Run(WithSessions, PcrExtend, command);
    }

    private static void Digest(List<byte> command, RuntimeEvent item, TcgHash bank)
    {
        U16(command, (ushort)bank);
        command.AddRange(item.Digest(bank).Bytes);
    }

    // Null where the bank is not active: the TPM then selects nothing.
    private Digest? TryRead(TcgHash bank, int size)
    {
        var command = new List<byte>();
        U32(command, 1);
        U16(command, (ushort)bank);
        command.Add(3);
        var bitmap = new byte[3];
        bitmap[Index / 8] = (byte)(1 << Index % 8);
        command.AddRange(bitmap);
        var answer = Run(WithoutSessions, PcrRead, command).AsSpan();
        // updateCounter, then the selection as it was read, then the digests.
        const int selection = 4 + 4 + 6;
        if (answer.Length < selection + 4 || BinaryPrimitives.ReadUInt32BigEndian(answer[4..]) != 1)
        {
            return answer.Length >= 8 ? null : throw Failed("a response to TPM2_PCR_Read is too short", "replace the TPM");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(answer[selection..]) != 1)
        {
            return null;
        }

        var digest = answer[(selection + 4)..];
        return digest.Length == 2 + size && BinaryPrimitives.ReadUInt16BigEndian(digest) == size ? new Digest(digest[2..]) : throw Failed("a digest of TPM2_PCR_Read has another size", "replace the TPM");
    }

    private byte[] Run(ushort tag, uint code, List<byte> body)
    {
        var command = new List<byte>();
        U16(command, tag);
        U32(command, (uint)(HeaderSize + body.Count));
        U32(command, code);
        command.AddRange(body);
        var wait = TimeSpan.FromMilliseconds(20);
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var response = _transport.Exchange(command.ToArray());
            if (response.Length < HeaderSize || BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(2)) != response.Length)
            {
                throw Failed("a response is truncated", "replace the TPM");
            }

            var status = BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(6));
            if (status == 0)
            {
                return response[HeaderSize..];
            }

            if (status is not (Retry or Yielded or Testing))
            {
                throw Failed(string.Create(CultureInfo.InvariantCulture, $"command {code:x} was answered with {status:x}"), "see that the PCR may be extended at this locality");
            }

            Thread.Sleep(wait);
            wait = wait < TimeSpan.FromSeconds(1) ? wait * 2 : wait;
        }

        throw Failed("it asks to be asked again, and again", "see that nothing else keeps the TPM busy");
    }

    private static void U16(List<byte> list, ushort value) => list.AddRange([(byte)(value >> 8), (byte)(value & 0xFF)]);

    private static void U32(List<byte> list, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        list.AddRange(bytes);
    }

    private static GuestException Failed(string reason, string cure) => new("source.tpm.failed", $"the TPM: {reason}", cure);
}
