using System.Buffers.Binary;
using Assay.Guest;
using Assay.Guest.Secrets;
using Assay.Guest.Sources;
using Assay.Sealing.Keys;

namespace Assay.Tests.Guest;

/// <summary>A TPM, or what answers for it, that says whatever it likes: the guest refuses with a fault, and never takes a malformed answer for a key.</summary>
public sealed class HostileTpmTests
{
    private const uint Hmac = 0x155;

    private static readonly (string Name, Func<byte[], byte[]> Of)[] s_changes =
    [
        ("nothing", _ => []),
        ("half a header", answer => answer[..5]),
        ("a header that promises more", answer => answer[..10]),
        ("no body", answer => Sized(answer[..10])),
        ("half", answer => Sized(answer[..((answer.Length / 2) + 5)])),
        ("all ones", answer => [.. answer[..10], .. Enumerable.Repeat((byte)0xFF, answer.Length - 10)]),
        ("all zeros", answer => [.. answer[..10], .. new byte[answer.Length - 10]]),
        ("the largest", answer => Sized([.. answer, .. new byte[TpmConversation.LargestResponse - answer.Length]])),
        ("a bit at the front", answer => Flipped(answer, 10)),
        ("a bit behind it", answer => Flipped(answer, 15)),
        ("a bit in the middle", answer => Flipped(answer, answer.Length / 2)),
        ("a bit at the end", answer => Flipped(answer, answer.Length - 1)),
        ("a refusal", answer => Sized([.. answer[..6], 0, 0, 1, 1])),
    ];

    [Fact]
    public async Task Whatever_is_answered_ends_as_a_fault_or_as_the_key()
    {
        await using var guest = await PersistentKeyTests.OpenAsync();
        var honest = Derive(guest, guest.Transport);
        var commands = new List<uint>();
        Derive(guest, new Changed(guest.Transport, (command, answer) => { commands.Add(command); return answer; }));

        await TryAllAsync(guest, commands, transport =>
        {
            var made = Derive(guest, transport);
            return made == honest;
        });
    }

    [Fact]
    public async Task Whatever_is_answered_about_a_release_key_ends_as_a_fault_or_as_a_key_on_the_curve()
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("agent", """{"keyStorage":"tpm"}"""));
        Assert.Null((await guest.GateAsync()).Fault);
        var commands = new List<uint>();
        Generate(new Changed(guest.Transport, (command, answer) => { commands.Add(command); return answer; }));

        await TryAllAsync(guest, commands, transport =>
        {
            Generate(transport);
            return true;
        });

        void Generate(ITpmTransport transport)
        {
            using var pair = new TpmReleaseKeys(guest.Configuration, guest.Sources with { Tpm = () => transport }).Generate(KeyKind.P256);
        }
    }

    /// <summary>Zeros in front belong to numbers. An HMAC that is too short is refused: padded with zeros it would be the disk's key.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    public async Task A_short_HMAC_is_no_key(int length)
    {
        await using var guest = await PersistentKeyTests.OpenAsync();
        // Parameters of the response: their size 4, TPM2B; then the session.
        var transport = new Changed(guest.Transport, (command, answer) => command is not Hmac ? answer : Sized([.. answer[..10], 0, 0, 0, (byte)(2 + length), 0, (byte)length, .. answer[16..(16 + length)], .. answer[48..]]));

        Assert.Equal("source.tpm.failed", Assert.Throws<GuestException>(() => Derive(guest, transport)).Fault.Id);
    }

    private static async Task TryAllAsync(VtpmGuest guest, List<uint> commands, Func<ITpmTransport, bool> isHonest)
    {
        var wrong = new List<string>();
        foreach (var (number, command) in commands.Index())
        {
            foreach (var (name, of) in s_changes)
            {
                await Task.Yield();
                var count = 0;
                try
                {
                    // A changed HMAC is another key, and nothing tells: it is the TPM's word alone.
                    if (!isHonest(new Changed(guest.Transport, (_, answer) => count++ == number ? of(answer) : answer)) && command is not Hmac)
                    {
                        wrong.Add($"{name} as the answer to command {number} ({command:x}): another key");
                    }
                }
                catch (GuestException)
                {
                }
                catch (Exception exception)
                {
                    wrong.Add($"{name} as the answer to command {number} ({command:x}): {exception.GetType().Name} {exception.Message}");
                }

                Free(guest);
            }
        }

        Assert.Equal([], wrong);
    }

    private static string Derive(VtpmGuest guest, ITpmTransport transport)
    {
        using var key = new PersistentKeys(guest.Paths, guest.Configuration, guest.Sources with { Tpm = () => transport }).Derive("disk");
        return key.Use(lease => Convert.ToHexStringLower(lease.Bytes));
    }

    // What a kernel's resource manager does when the device is closed.
    private static void Free(VtpmGuest guest)
    {
        var answer = new byte[TpmConversation.LargestResponse];
        foreach (var handle in new uint[] { 0x80000000, 0x80000001, 0x80000002, 0x03000000, 0x03000001, 0x03000002 })
        {
            byte[] command = [0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65, 0, 0, 0, 0];
            BinaryPrimitives.WriteUInt32BigEndian(command.AsSpan(10), handle);
            guest.Transport.Exchange(command, answer);
        }
    }

    private static byte[] Sized(byte[] answer)
    {
        BinaryPrimitives.WriteInt32BigEndian(answer.AsSpan(2), answer.Length);
        return answer;
    }

    private static byte[] Flipped(byte[] answer, int at)
    {
        answer[Math.Min(at, answer.Length - 1)] ^= 1;
        return answer;
    }

    private sealed class Changed(ITpmTransport honest, Func<uint, byte[], byte[]> change) : ITpmTransport
    {
        public int Exchange(ReadOnlySpan<byte> command, Span<byte> response)
        {
            var length = honest.Exchange(command, response);
            var changed = change(BinaryPrimitives.ReadUInt32BigEndian(command[6..]), response[..length].ToArray());
            changed.CopyTo(response);
            return changed.Length;
        }

        public void Dispose()
        {
        }
    }
}
