using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>Which registers a log is about.</summary>
public enum RegisterKind
{
    /// <summary>Not told: nothing is replayed.</summary>
    None,

    /// <summary>Platform configuration registers of a TPM, 0 to 23.</summary>
    Pcr,

    /// <summary>Runtime measurement registers of a TD, 0 to 3.</summary>
    Rtmr,
}

/// <summary>How a log is written.</summary>
public enum EventLogForm
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>TCG_PCR_EVENT records with SHA-1 digests, as TPM 1.2 firmware left them.</summary>
    LegacyTcg,

    /// <summary>A TCG_EfiSpecIdEvent, then TCG_PCR_EVENT2 records: <c>binary_bios_measurements</c>.</summary>
    Tcg,

    /// <summary>The same in the ACPI area CCEL of a confidential VM: SHA-384, measurement registers counted from 1, padded.</summary>
    Ccel,

    /// <summary>dstack's JSON array.</summary>
    Json,
}

/// <summary>
/// A log of what was extended into registers, in any of its forms. Anybody may have written it: until it is replayed against registers
/// that were signed, it is a story. Sources: TCG PC Client Platform Firmware Profile 1.06 §10; TDX Virtual Firmware Design Guide §8;
/// dstack's event log.
/// </summary>
public sealed class EventLog
{
    private EventLog(EventLogForm form, RegisterKind registers, ImmutableArray<TcgHash> banks, ImmutableArray<BootEvent> events, byte startupLocality)
    {
        Form = form;
        Registers = registers;
        Banks = banks;
        Events = events;
        StartupLocality = startupLocality;
    }

    /// <summary>How it was written.</summary>
    public EventLogForm Form { get; }

    /// <summary>Which registers it is about.</summary>
    public RegisterKind Registers { get; }

    /// <summary>The hash algorithms for which every event has a digest, in the order of <see cref="BootEvent.Digests"/>.</summary>
    public ImmutableArray<TcgHash> Banks { get; }

    /// <summary>In the order of the log; events that extend nothing included.</summary>
    public ImmutableArray<BootEvent> Events { get; }

    /// <summary>0, or what firmware says of the locality of TPM2_Startup (3, or 4 after an H-CRTM): the last byte that PCR 0 starts with.</summary>
    public byte StartupLocality { get; }

    /// <summary>
    /// Reads a log. JSON begins with a bracket, which is no PCR of a binary log: an array of events, or dstack's TCB information that holds one
    /// (<see cref="DstackTcbInfo"/>).
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out EventLog? log, [NotNullWhen(false)] out ParseFault? fault)
    {
        log = null;
        if (source.IsEmpty || source.Length > Limits.EventLogBytes)
        {
            fault = new ParseFault("event log", 0, source.IsEmpty ? "empty" : $"larger than {Limits.EventLogBytes} bytes");
            return false;
        }

        var text = FileText.WithoutMark(source);
        if (text.TrimStart(" \t\r\n"u8) is [(byte)'{', ..])
        {
            log = DstackTcbInfo.TryParse(text, out var info, out fault) ? info.Log : null;
            return log is not null;
        }

        log = text.TrimStart(" \t\r\n"u8) is [(byte)'[', ..] ? JsonLogReader.Read(text, out fault) : TcgLogReader.Read(source, out fault);
        fault = log is null ? fault ?? new ParseFault("event log", 0, "unreadable") : null;
        return log is not null;
    }

    /// <summary>
    /// This log and then <paramref name="later"/>, as where firmware wrote the one and the guest the other. Null when they are about
    /// different registers or share no bank.
    /// </summary>
    public EventLog? Then(EventLog later)
    {
        ArgumentNullException.ThrowIfNull(later);
        ImmutableArray<TcgHash> shared = [.. Banks.Where(bank => later.Banks.Contains(bank))];
        if (Registers != later.Registers || shared.IsEmpty || later.StartupLocality != 0 || Events.Length + later.Events.Length > Limits.EventLogEvents)
        {
            return null;
        }

        var events = Events.Select(item => Reduced(item, this)).Concat(later.Events.Select(item => Reduced(item, later)));
        return new EventLog(Form, Registers, shared, [.. events.Select((item, number) => item with { Number = number })], StartupLocality);

        BootEvent Reduced(BootEvent item, EventLog home) => item with { Digests = [.. shared.Select(bank => item.Digests[home.Banks.IndexOf(bank)])] };
    }

    /// <summary>
    /// The value of each register that the log extends: v = H(v ‖ digest) from the register's start. What nothing extends stands not in it.
    /// </summary>
    /// <param name="bank">One of <see cref="Banks"/>.</param>
    public ImmutableSortedDictionary<int, Digest> Replay(TcgHash bank)
    {
        var index = Banks.IndexOf(bank);
        ArgumentOutOfRangeException.ThrowIfNegative(index, nameof(bank));
        var size = bank.Size;
        var registers = Registers is RegisterKind.Rtmr ? RtmrCount : Limits.Pcrs;
        // One buffer for each register: its value, and room for the digest that follows it.
        Span<byte> values = stackalloc byte[registers * size];
        Span<byte> step = stackalloc byte[2 * TcgHashes.LargestSize];
        step = step[..(2 * size)];
        Start(values, size);
        Span<bool> touched = stackalloc bool[registers];

        foreach (var item in Events)
        {
            if (item.IsExtended)
            {
                var value = values.Slice(item.Register * size, size);
                value.CopyTo(step);
                item.Digests[index].Bytes.CopyTo(step[size..]);
                bank.Compute(step, value);
                touched[item.Register] = true;
            }
        }

        var result = ImmutableSortedDictionary.CreateBuilder<int, Digest>();
        for (var register = 0; register < registers; register++)
        {
            if (touched[register])
            {
                result.Add(register, new Digest(values.Slice(register * size, size)));
            }
        }

        return result.ToImmutable();
    }

    internal const int RtmrCount = 4;

    internal static EventLog Of(EventLogForm form, RegisterKind registers, ImmutableArray<TcgHash> banks, ImmutableArray<BootEvent> events, byte startupLocality = 0) =>
        new(form, registers, banks, events, startupLocality);

    // PCRs 17 to 22 start with ones until a dynamic launch; PCR 0 with the locality of startup (PC Client Platform TPM Profile §4.6.2).
    private void Start(Span<byte> values, int size)
    {
        if (Registers is RegisterKind.Pcr)
        {
            values[(17 * size)..(23 * size)].Fill(0xFF);
            values[size - 1] = StartupLocality;
        }
    }
}
