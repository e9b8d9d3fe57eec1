using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Collateral.Files;
using Assay.Evidence.EventLogs;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Guest.Log;

/// <summary>
/// The runtime events of this boot and the register that they are in. The log explains the register, or nothing is done: whoever extends without
/// logging, or edits the log, is found before every append. Ours has the verifier's JSON, one event in a line; dstack's has its own
/// (<c>{"event","payload":base64,"version"}</c>), under dstack's lock.
/// </summary>
internal sealed class MeasuredLog
{
    private const int LargestLog = 1024 * 1024;
    private const int LockAttempts = 200;
    private static readonly TimeSpan s_lockPause = TimeSpan.FromMilliseconds(50);
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly IMeasuredRegister _register;
    private readonly string _path;
    private readonly string _lock;
    private readonly bool _isDstack;
    private readonly List<string> _lines;

    private MeasuredLog(IMeasuredRegister register, string path, string lockPath, bool isDstack, List<string> lines) =>
        (_register, _path, _lock, _isDstack, _lines) = (register, path, lockPath, isDstack, lines);

    /// <summary>Reads the log and holds it against the register.</summary>
    /// <exception cref="GuestException">It cannot be read, or does not explain the register.</exception>
    public static MeasuredLog Open(IMeasuredRegister register, GuestPaths paths, bool onDstack)
    {
        var path = onDstack ? paths.DstackEvents : paths.Events;
        var lines = new List<string>();
        if (File.Exists(path))
        {
            if (!BoundedFile.TryRead(path, LargestLog, out var bytes, out var whyNot))
            {
                throw new GuestException("gate.log.unreadable", whyNot, "boot again");
            }

            lines.AddRange(Encoding.UTF8.GetString(bytes.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        var log = new MeasuredLog(register, path, onDstack ? paths.DstackLock : paths.Events + ".lock", onDstack, [.. lines.Select((line, number) => onDstack ? OfDstack(line, number, register) : line)]);
        log.RequireExplained();
        return log;
    }

    /// <summary>The register's value that these events make, as it was when the log was opened.</summary>
    public Digest Explained { get; private set; }

    /// <summary>The events in their order, as the verifier reads them.</summary>
    public ImmutableArray<BootEvent> Events => Parse()?.Events ?? [];

    /// <summary>Whether the register is a PCR.</summary>
    public bool IsOfPcrs => _register.Kind is RegisterKind.Pcr;

    /// <summary>The log as the JSON array that verifiers read; empty where there is no event.</summary>
    public string ToJson() => _lines.Count == 0 ? "" : $"[{string.Join(',', _lines)}]";

    /// <summary>Whether an event of this name is in it.</summary>
    public bool Has(string name) => Events.Any(item => item.Name == name);

    /// <summary>The first event that only our gate writes; null where it has not run in this boot.</summary>
    public string? FirstOfOurs => Events.Select(item => item.Name).FirstOrDefault(name => name is not null && GateEvents.IsOurs(name));

    /// <summary>Extends the register, sees that it changed as it must, and only then logs the event.</summary>
    /// <exception cref="GuestException">Any of it failed. The register may have changed: nothing more can be written in this boot.</exception>
    public void Append(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        using var held = Hold();
        RequireExplained();
        var expected = Extended(_register.Read(), item.Digest(_register.Bank));
        _register.Extend(item);
        if (_register.Read() is var found && found != expected)
        {
            throw new GuestException("gate.register.ignored", $"{Name} did not become what {item.Name} makes of it", "the register is not what it seems: do not use this machine", $"{found}", $"{expected}");
        }

        Explained = expected;
        Write(_isDstack ? DstackLine(item) : Line(item, _register));
        _lines.Add(Line(item, _register));
    }

    private string Name => _register.Kind is RegisterKind.Rtmr ? $"RTMR{_register.Index}" : $"PCR {_register.Index}";

    // One line, in the form of the verifier's array. Names and payloads of ours need no escape but these.
    private static string Line(RuntimeEvent item, IMeasuredRegister register) => Json(writer =>
    {
        writer.WriteNumber(register.Kind is RegisterKind.Rtmr ? "imr" : "pcr", register.Index);
        writer.WriteNumber("event_type", RuntimeEvent.Type);
        writer.WriteString("digest", item.Digest(register.Bank).ToString());
        writer.WriteString("event", item.Name);
        writer.WriteString("event_payload", Convert.ToHexStringLower(item.Payload.Span));
        writer.WriteNumber("version", 2);
    });

    private static string DstackLine(RuntimeEvent item) => Json(writer =>
    {
        writer.WriteString("event", item.Name);
        writer.WriteString("payload", Convert.ToBase64String(item.Payload.Span));
        writer.WriteNumber("version", 2);
    });

    // The digest is left out: a verifier computes it of name and payload.
    private static string OfDstack(string line, int number, IMeasuredRegister register)
    {
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
            var root = document.RootElement;
            var (name, payload) = (root.GetProperty("event").GetString()!, root.GetProperty("payload").GetBytesFromBase64());
            var version = root.TryGetProperty("version", out var told) ? told.GetInt32() : 1;
            return Json(writer =>
            {
                writer.WriteNumber(register.Kind is RegisterKind.Rtmr ? "imr" : "pcr", register.Index);
                writer.WriteNumber("event_type", RuntimeEvent.Type);
                writer.WriteString("event", name);
                writer.WriteString("event_payload", Convert.ToHexStringLower(payload));
                writer.WriteNumber("version", version);
            });
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new GuestException("gate.log.unreadable", string.Create(CultureInfo.InvariantCulture, $"line {number + 1} of dstack's log is not an event"), "boot again");
        }
    }

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private EventLog? Parse()
    {
        if (_lines.Count == 0)
        {
            return null;
        }

        return EventLog.TryParse(Encoding.UTF8.GetBytes(ToJson()), out var log, out var fault) ? log
            : throw new GuestException("gate.log.unreadable", $"{_path}: {fault}", "boot again: somebody wrote into this boot's log");
    }

    private void RequireExplained()
    {
        var log = Parse();
        var zero = new Digest(new byte[_register.Bank is TcgHash.Sha256 ? 32 : 48]);
        var told = log is null ? zero : log.Replay(_register.Bank).GetValueOrDefault(_register.Index, zero);
        var found = _register.Read();
        Explained = told;
        if (found != told)
        {
            throw new GuestException(
                "gate.log.mismatch", $"the log of this boot's events does not explain {Name}: something was extended without being logged, or the log was changed",
                "boot again; if it stays, something in the image extends the register before the gate", $"{found}", $"{told}");
        }
    }

    private Digest Extended(Digest value, Digest item)
    {
        byte[] both = [.. value.Bytes, .. item.Bytes];
        return new Digest(_register.Bank is TcgHash.Sha256 ? System.Security.Cryptography.SHA256.HashData(both) : System.Security.Cryptography.SHA384.HashData(both));
    }

    private void Write(string line)
    {
        try
        {
            using var stream = new FileStream(_path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, BufferSize = 0, UnixCreateMode = OwnerAlone });
            stream.Write(Encoding.UTF8.GetBytes(line + "\n"));
            stream.Flush(flushToDisk: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("gate.log.unwritable", $"{_path}: {exception.Message}", "mount a tmpfs on /run");
        }
    }

    private FileStream Hold()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(_lock)!);
                // FileShare.None is flock(LOCK_EX | LOCK_NB) on Linux; dstack takes the same lock while it extends, for moments.
                return new FileStream(_lock, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, UnixCreateMode = OwnerAlone });
            }
            catch (IOException) when (attempt < LockAttempts && File.Exists(_lock))
            {
                Thread.Sleep(s_lockPause);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new GuestException("gate.log.unwritable", $"{_lock}: {exception.Message}", "see that nothing else extends the register");
            }
        }
    }
}
