using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>
/// Binary logs, little-endian (PC Client Platform Firmware Profile 1.06 §10.2).
/// <code>
/// TCG_PCR_EVENT       pcrIndex 4 · eventType 4 · SHA-1 digest 20 · eventSize 4 · event         (the first record, or all of a legacy log)
/// TCG_EfiSpecIdEvent  "Spec ID Event03" NUL 16 · platformClass 4 · minor 1 · major 1 · errata 1 · uintnSize 1
///                     · numberOfAlgorithms 4 · { algorithmId 2 · digestSize 2 } · vendorInfoSize 1 · vendorInfo
/// TCG_PCR_EVENT2      pcrIndex 4 · eventType 4 · count 4 · { algorithmId 2 · digest } · eventSize 4 · event
/// </code>
/// </summary>
internal static class TcgLogReader
{
    private const int LegacyDigestSize = 20;
    private const int RecordStart = 2 * sizeof(uint);
    private const uint NoMoreEvents = 0xFFFFFFFF;

    /// <summary>
    /// Leniency: td-shim writes its header with index 0, as a TPM's log has it, and counts registers of a TD from 1 behind it. Its name in the
    /// header, and SHA-384 alone, tell; the log proves nothing before it is replayed.
    /// </summary>
    private const bool AcceptShimHeader = true;

    /// <summary>
    /// Leniency: EV_NO_ACTION extends nothing, and firmware writes it under any number: 0, 0xFFFFFFFF, or what was in the buffer. Only that type may name
    /// no register.
    /// </summary>
    private const bool AcceptAnyRegisterOfNoAction = true;

    private static ReadOnlySpan<byte> Shim => "td-shim"u8;

    private static ReadOnlySpan<byte> SpecId => "Spec ID Event03\0"u8;

    private static ReadOnlySpan<byte> StartupLocality => "StartupLocality\0"u8;

    public static EventLog? Read(ReadOnlySpan<byte> source, out ParseFault? fault)
    {
        // One copy; the events' data are slices of it.
        var bytes = source.ToArray();
        var wire = new WireReader(bytes);
        var reading = new Reading(bytes);
        reading.ReadFirst(ref wire);
        while (wire.HasMore && !reading.AtPadding(ref wire))
        {
            wire.Require(reading.Events.Count < Limits.EventLogEvents, "event log", $"more than {Limits.EventLogEvents} events");
            reading.ReadRecord(ref wire);
        }

        fault = wire.Fault;
        return fault is null ? reading.ToLog() : null;
    }

    /// <summary>The log as far as it is read.</summary>
    private sealed class Reading(byte[] bytes)
    {
        private ImmutableArray<(ushort Id, int Size)> _algorithms = [];
        private EventLogForm _form = EventLogForm.LegacyTcg;
        private byte _locality;
        private bool _localityTold;
        private bool _pcr0Extended;

        public ImmutableArray<BootEvent>.Builder Events { get; } = ImmutableArray.CreateBuilder<BootEvent>();

        private bool IsCcel => _form is EventLogForm.Ccel;

        public EventLog ToLog()
        {
            ImmutableArray<TcgHash> banks = _form is EventLogForm.LegacyTcg ? [TcgHash.Sha1] : [.. _algorithms.Select(item => (TcgHash)item.Id).Where(bank => bank.Size > 0)];
            return EventLog.Of(_form, IsCcel ? RegisterKind.Rtmr : RegisterKind.Pcr, banks, Events.ToImmutable(), _locality);
        }

        public void ReadFirst(ref WireReader wire)
        {
            var start = wire;
            var register = wire.U32("pcrIndex");
            var type = wire.U32("eventType");
            var digest = wire.Bytes(LegacyDigestSize, "digest");
            var data = wire.Bytes(Size(ref wire), "event");
            if (wire.Fault is not null || type != BootEventType.NoAction || !data.StartsWith(SpecId))
            {
                // No header: every record is a legacy one, this first one too.
                wire = start;
                return;
            }

            wire.Require(!digest.ContainsAnyExcept((byte)0), "digest", "the header extends nothing, and its digest is not zero");
            wire.Require(register <= 1, "pcrIndex", "the header is at 0 in a TPM's log and at 1 in a confidential VM's");
            ReadHeader(data, wire.Offset - data.Length, register == 1, ref wire);
        }

        private void ReadHeader(ReadOnlySpan<byte> data, int offset, bool isOfRtmrs, ref WireReader outer)
        {
            var wire = new WireReader(data);
            wire.Bytes(SpecId.Length, "signature");
            wire.U32("platformClass");
            wire.U8("specVersionMinor");
            wire.Require(wire.U8("specVersionMajor") == 2, "specVersionMajor", "not 2");
            wire.U8("specErrata");
            wire.Require(wire.U8("uintnSize") is 1 or 2, "uintnSize", "neither 1 (32 bits) nor 2 (64 bits)");
            var count = wire.U32("numberOfAlgorithms");
            wire.Require(count is > 0 and <= Limits.EventLogBanks, "numberOfAlgorithms", $"1 to {Limits.EventLogBanks} are expected");
            var algorithms = ImmutableArray.CreateBuilder<(ushort Id, int Size)>();
            for (var index = 0u; wire.Fault is null && index < count; index++)
            {
                var (id, size) = (wire.U16("algorithmId"), wire.U16("digestSize"));
                var known = ((TcgHash)id).Size;
                wire.Require(size is > 0 and <= TcgHashes.LargestSize && (known == 0 || known == size), "digestSize", "not the algorithm's");
                wire.Require(algorithms.All(item => item.Id != id), "algorithmId", "repeated");
                algorithms.Add((id, size));
            }

            var vendor = wire.Bytes(wire.U8("vendorInfoSize"), "vendorInfo");
            wire.End("TCG_EfiSpecIdEvent");
            _form = isOfRtmrs || (AcceptShimHeader && vendor.SequenceEqual(Shim) && algorithms is [((ushort)TcgHash.Sha384, _)]) ? EventLogForm.Ccel : EventLogForm.Tcg;
            wire.Require(!IsCcel || algorithms is [((ushort)TcgHash.Sha384, _)], "algorithmId", "a confidential VM's log has SHA-384 alone");
            wire.Require(algorithms.Any(item => ((TcgHash)item.Id).Size > 0), "algorithmId", "no algorithm is known");
            _algorithms = algorithms.ToImmutable();
            if (wire.Fault is { } fault)
            {
                outer.Adopt(fault.Within("TCG_EfiSpecIdEvent", offset));
            }
        }

        /// <summary>The unused rest of a CCEL area: one byte repeated to the end. Other logs end where their last event does.</summary>
        public bool AtPadding(ref WireReader wire)
        {
            if (!IsCcel)
            {
                return false;
            }

            var ahead = wire;
            var (register, type) = (ahead.U32("pcrIndex"), ahead.U32("eventType"));
            if (wire.Remaining >= RecordStart && (type == BootEventType.NoAction || (register != NoMoreEvents && (register != 0 || type != 0))))
            {
                return false;
            }

            var rest = wire.Bytes(wire.Remaining, "padding");
            wire.Require(!rest.ContainsAnyExcept(rest[0]) && rest[0] is 0x00 or 0xFF, "padding", "the rest of the area is neither all 00 nor all FF");
            return true;
        }

        public void ReadRecord(ref WireReader wire)
        {
            var register = wire.U32("pcrIndex");
            // A confidential VM counts MRTD as 0 and RTMR0 as 1; MRTD is extended by nobody who writes a log.
            var isRegister = IsCcel ? register is >= 1 and <= EventLog.RtmrCount : register < Limits.Pcrs;
            var type = wire.U32("eventType");
            wire.Require(isRegister || (AcceptAnyRegisterOfNoAction && type == BootEventType.NoAction), "pcrIndex", IsCcel ? "not an RTMR (1 to 4)" : $"not a PCR (0 to {Limits.Pcrs - 1})");
            var digests = _form is EventLogForm.LegacyTcg ? [new Digest(wire.Bytes(LegacyDigestSize, "digest"))] : ReadDigests(ref wire);
            var data = wire.Bytes(Size(ref wire), "event");
            if (wire.Fault is not null)
            {
                return;
            }

            var item = new BootEvent
            {
                Number = Events.Count,
                Register = !isRegister ? BootEvent.NoRegister : (int)(IsCcel ? register - 1 : register),
                Type = type,
                Digests = digests,
                Data = bytes.AsMemory(wire.Offset - data.Length, data.Length),
            };
            NoteLocality(item, data, ref wire);
            Events.Add(item);
        }

        private ImmutableArray<Digest> ReadDigests(ref WireReader wire)
        {
            var count = wire.U32("digestCount");
            wire.Require(count == _algorithms.Length, "digestCount", $"{_algorithms.Length} are expected, as the header lists");
            var digests = ImmutableArray.CreateBuilder<Digest>(_algorithms.Length);
            foreach (var (id, size) in _algorithms)
            {
                // In the order of the header, as every firmware writes them: so none can be missing or stand twice.
                wire.Require(wire.U16("algorithmId") == id, "algorithmId", "not in the order of the header");
                var digest = wire.Bytes(size, "digest");
                if (((TcgHash)id).Size > 0)
                {
                    digests.Add(new Digest(digest));
                }
            }

            return digests.ToImmutable();
        }

        // PC Client Platform Firmware Profile §10.4.5.3: before PCR 0 is extended, and once.
        private void NoteLocality(BootEvent item, ReadOnlySpan<byte> data, ref WireReader wire)
        {
            if (item is { IsExtended: false, Register: 0 } && !IsCcel && data.StartsWith(StartupLocality))
            {
                wire.Require(data.Length == StartupLocality.Length + 1 && data[^1] is 0 or 3 or 4, "StartupLocality", "0, 3 or 4 is expected");
                wire.Require(!_localityTold && !_pcr0Extended, "StartupLocality", "given twice, or after PCR 0 was extended");
                (_localityTold, _locality) = (true, data[^1]);
            }

            _pcr0Extended |= item is { IsExtended: true, Register: 0 };
        }

        private static int Size(ref WireReader wire)
        {
            var size = wire.U32("eventSize");
            wire.Require(size <= Limits.EventLogBytes, "eventSize", $"larger than {Limits.EventLogBytes} bytes");
            return wire.Fault is null ? (int)size : 0;
        }
    }
}
