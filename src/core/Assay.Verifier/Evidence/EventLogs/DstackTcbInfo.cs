using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>
/// dstack's TCB information: <c>{"mrtd","rtmr0" to "rtmr3":hex,"event_log":[…] or its text,…}</c>, alone or as the member <c>tcb_info</c> of what
/// its agent answers to Info. No key signs it: registers are proven by a quote alone, and the log by a replay against that quote.
/// </summary>
public sealed record DstackTcbInfo
{
    /// <summary>MRTD, as it says.</summary>
    public required Digest MrTd { get; init; }

    /// <summary>RTMR0 to RTMR3, as it says.</summary>
    public required ImmutableArray<Digest> Rtmr { get; init; }

    /// <summary>The event log that came with it.</summary>
    public required EventLog Log { get; init; }

    /// <summary>Whether replaying the log gives the registers that it names.</summary>
    public bool LogGivesRegisters => Log.Registers is RegisterKind.Rtmr && Log.Replay(TcgHash.Sha384).All(item => Rtmr[item.Key] == item.Value);

    /// <summary>Reads it. Members that are not named here are ignored: they are about the application.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out DstackTcbInfo? info, [NotNullWhen(false)] out ParseFault? fault)
    {
        info = null;
        if (json.Length > Limits.EvidenceFileBytes)
        {
            fault = new ParseFault("tcb_info", 0, $"larger than {Limits.EvidenceFileBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("tcb_info", 0, "empty");
            return false;
        }

        info = Within(document.RootElement, "tcb_info", Read, out fault);
        fault = info is null ? fault ?? new ParseFault("tcb_info", 0, "an object is expected") : null;
        return info is not null;
    }

    private static DstackTcbInfo? Read(JsonElement root, out ParseFault? fault)
    {
        fault = null;
        var registers = ImmutableArray.CreateBuilder<Digest>();
        foreach (var name in (string[])["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"])
        {
            if (!Hex.TryDecode(StrictJson.Text(root, name) ?? "", out var bytes) || bytes.Length != SHA384.HashSizeInBytes)
            {
                fault ??= new ParseFault(name, 0, "96 hexadecimal digits are expected, as dstack's TCB information has them; an event log alone is a JSON array");
                return null;
            }

            registers.Add(new Digest(bytes));
        }

        var log = Within(root, "event_log", ReadLog, out fault);
        return log is null ? null : new DstackTcbInfo { MrTd = registers[0], Rtmr = [.. registers.Skip(1)], Log = log };
    }

    private static EventLog? ReadLog(JsonElement element, out ParseFault? fault)
    {
        fault = element.ValueKind is JsonValueKind.Array ? null : new ParseFault("event_log", 0, "an array of events is expected");
        return fault is null ? JsonLogReader.Read(element, out fault) : null;
    }

    // The member as JSON or as the text of it; the element itself where it has none of that name.
    private static T? Within<T>(JsonElement root, string member, Reader<T> read, out ParseFault? fault)
        where T : class
    {
        var element = root.ValueKind is JsonValueKind.Object && root.TryGetProperty(member, out var inner) ? inner : root;
        if (element.ValueKind is not JsonValueKind.String)
        {
            return read(element, out fault);
        }

        using var document = StrictJson.Read(Encoding.UTF8.GetBytes(element.GetString()!), out fault);
        if (document is null)
        {
            fault = (fault ?? new ParseFault("JSON", 0, "empty")).Within(member, 0);
            return null;
        }

        return read(document.RootElement, out fault);
    }

    private delegate T? Reader<T>(JsonElement element, out ParseFault? fault)
        where T : class;
}
