using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>
/// dstack's event log: an array of
/// <c>{"imr":0–3,"event_type":u32,"digest":hex,"event":name,"event_payload":hex,["version":1|2],["preimage":hex]}</c>, and the same with
/// <c>pcr</c> in place of <c>imr</c> for runtime events in a PCR. Digests of RTMRs are SHA-384. A runtime event's digest may be left
/// out: it is that of its name and payload.
/// </summary>
internal static class JsonLogReader
{
    private static readonly string[] s_members = ["imr", "pcr", "event_type", "digest", "event", "event_payload", "version", "preimage"];

    private const uint HighestPcr = Limits.Pcrs - 1;
    private const uint HighestRtmr = EventLog.RtmrCount - 1;

    private static readonly ImmutableArray<TcgHash> s_rtmrBanks = [TcgHash.Sha384];
    private static readonly ImmutableArray<TcgHash> s_pcrBanks = [TcgHash.Sha256, TcgHash.Sha384];

    public static EventLog? Read(ReadOnlySpan<byte> source, out ParseFault? fault)
    {
        using var document = StrictJson.Read(source, out fault);
        return document is null ? null : Read(document.RootElement, out fault);
    }

    /// <summary>An array of events.</summary>
    public static EventLog? Read(JsonElement array, out ParseFault? fault)
    {
        var events = ImmutableArray.CreateBuilder<BootEvent>();
        var kind = RegisterKind.None;
        foreach (var element in array.EnumerateArray())
        {
            var reader = new Reader(element, events.Count);
            if (events.Count >= Limits.EventLogEvents || reader.Read(ref kind) is not { } item)
            {
                fault = reader.Fault ?? new ParseFault("event log", 0, $"more than {Limits.EventLogEvents} events");
                return null;
            }

            events.Add(item);
        }

        fault = events.Count == 0 ? new ParseFault("event log", 0, "no event") : null;
        return fault is null ? EventLog.Of(EventLogForm.Json, kind, kind is RegisterKind.Rtmr ? s_rtmrBanks : s_pcrBanks, events.ToImmutable()) : null;
    }

    private sealed class Reader(JsonElement element, int number)
    {
        public ParseFault? Fault { get; private set; }

        public BootEvent? Read(ref RegisterKind kind)
        {
            if (element.ValueKind is not JsonValueKind.Object)
            {
                Refuse("", "an object is expected");
                return null;
            }

            foreach (var member in element.EnumerateObject().Where(member => !s_members.Contains(member.Name)))
            {
                Refuse(member.Name, "unknown member");
            }

            var register = ReadRegister(ref kind);
            var type = ReadNumber("event_type", uint.MaxValue);
            var digest = ReadHex("digest", optional: true, TcgHashes.LargestSize);
            var payload = ReadHex("event_payload", optional: false, Limits.EventPayloadBytes);
            var name = StrictJson.Text(element, "event");
            if (name is null)
            {
                Refuse("event", "a string is expected");
            }

            var version = ReadVersion(name ?? "", type is BootEventType.Runtime);
            return Fault is not null ? null
                : type is BootEventType.Runtime ? Runtime(register, name!, payload, digest, version, kind)
                : Firmware(register, (uint)type, payload, digest, kind);
        }

        private BootEvent? Runtime(int register, string name, byte[] payload, byte[] digest, RuntimeEventVersion version, RegisterKind kind)
        {
            var preimage = RuntimeEventDigest.Preimage(name, payload, version);
            if (element.TryGetProperty("preimage", out _) && !ReadHex("preimage", optional: false, Limits.EventLogBytes).AsSpan().SequenceEqual(preimage))
            {
                Refuse("preimage", "not that of the event's name and payload");
                return null;
            }

            var banks = kind is RegisterKind.Rtmr ? s_rtmrBanks : s_pcrBanks;
            ImmutableArray<Digest> computed = [.. banks.Select(bank => bank.Of(preimage))];
            if (digest.Length == 0)
            {
                return Event(register, BootEventType.Runtime, computed, payload) with { Name = name, Version = version };
            }

            var stated = new Digest(digest);
            var bank = banks.IndexOf(banks.FirstOrDefault(item => item.Size == stated.Length));
            if (bank < 0)
            {
                Refuse("digest", $"{string.Join(" or ", banks.Select(item => item.Size))} bytes are expected");
                return null;
            }

            // A digest of something else is kept: it is what may have been extended. The claimed name and payload are dropped here, so that
            // nobody can print or read them by mistake (S-10b). Of a PCR's other bank nothing would be known.
            var explained = stated == computed[bank];
            if (!explained && kind is RegisterKind.Pcr)
            {
                Refuse("digest", "not that of the event's name and payload");
                return null;
            }

            return explained
                ? Event(register, BootEventType.Runtime, computed, payload) with { Name = name, Version = version }
                : Event(register, BootEventType.Runtime, [stated], []);
        }

        private BootEvent? Firmware(int register, uint type, byte[] payload, byte[] digest, RegisterKind kind)
        {
            if (kind is not RegisterKind.Rtmr || digest.Length != SHA384.HashSizeInBytes)
            {
                Refuse("digest", "a firmware event is given for an RTMR, with 48 bytes");
                return null;
            }

            return Event(register, type, [new Digest(digest)], payload);
        }

        private BootEvent Event(int register, uint type, ImmutableArray<Digest> digests, byte[] payload) => new()
        {
            Number = number,
            Register = register,
            Type = type,
            Digests = digests,
            Data = payload,
        };

        private int ReadRegister(ref RegisterKind kind)
        {
            var isPcr = element.TryGetProperty("pcr", out _);
            var found = isPcr ? RegisterKind.Pcr : RegisterKind.Rtmr;
            if (isPcr && element.TryGetProperty("imr", out _))
            {
                Refuse("pcr", "imr is given too");
            }

            if (kind is not RegisterKind.None && kind != found)
            {
                Refuse("imr", "RTMRs and PCRs in one log");
            }

            kind = found;
            return (int)ReadNumber(isPcr ? "pcr" : "imr", isPcr ? HighestPcr : HighestRtmr);
        }

        private RuntimeEventVersion ReadVersion(string name, bool isRuntime)
        {
            var version = RuntimeEventVersion.V1;
            if (element.TryGetProperty("version", out _))
            {
                version = (RuntimeEventVersion)ReadNumber("version", (uint)RuntimeEventVersion.V2);
            }

            if (version is RuntimeEventVersion.None)
            {
                Refuse("version", "1 or 2 is expected");
            }
            else if (isRuntime && RuntimeEventDigest.WhyNotName(name, version) is { } whyNot)
            {
                Refuse("event", whyNot);
            }

            return version;
        }

        private long ReadNumber(string member, uint largest)
        {
            if (element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out var read) && read >= 0 && read <= largest)
            {
                return read;
            }

            Refuse(member, $"a number from 0 to {largest} is expected");
            return 0;
        }

        private byte[] ReadHex(string member, bool optional, int largest)
        {
            if (optional && !element.TryGetProperty(member, out _))
            {
                return [];
            }

            var text = StrictJson.Text(element, member);
            // Lower case alone: one event has one spelling.
            if (text is null || text.Length > 2 * largest || text.AsSpan().ContainsAnyInRange('A', 'F') || !Hex.TryDecode(text, out var bytes))
            {
                Refuse(member, $"lower-case hexadecimal of at most {largest} bytes is expected");
                return [];
            }

            return bytes;
        }

        private void Refuse(string member, string problem) => Fault ??= new ParseFault($"[{number}].{member}", number, problem);
    }
}
