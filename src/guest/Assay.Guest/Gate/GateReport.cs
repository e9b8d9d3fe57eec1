using System.Collections.Immutable;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Guest.Gate;

/// <summary>How a gate ended. The default is not open.</summary>
internal enum GateState
{
    /// <summary>It has not ended, or was killed.</summary>
    Unfinished,

    /// <summary>It ended closed.</summary>
    Failed,

    /// <summary>Every expected device was verified.</summary>
    Verified,

    /// <summary>No device was expected, and none found.</summary>
    NoDevice,

    /// <summary>Devices are used unverified, as the measured configuration says.</summary>
    Skipped,
}

/// <summary>What stands in <c>/run/assay/gate.json</c> (docs/reference/guest.md): written at every step, so that a killed gate shows where it was.</summary>
internal sealed record GateReport
{
    public GateState State { get; init; }

    /// <summary>The step that was begun last.</summary>
    public string Step { get; init; } = "";

    public DateTimeOffset At { get; init; }

    public GuestFault? Fault { get; init; }

    /// <summary>SHA-384 that <c>gpu-policy</c> extended.</summary>
    public string? Policy { get; init; }

    /// <summary>The identities of the verified devices.</summary>
    public ImmutableArray<string> Devices { get; init; } = [];

    /// <summary>The names of the events that the gate extended.</summary>
    public ImmutableArray<string> Events { get; init; } = [];

    public static string WordOf(GateState state) => state switch
    {
        GateState.Failed => "failed",
        GateState.Verified => "verified",
        GateState.NoDevice => "no-device",
        GateState.Skipped => "skipped",
        _ => "unfinished",
    };

    /// <summary>Whether the boundary may follow.</summary>
    public bool IsOpen => IsOpenState(State);

    /// <summary>Whether a gate that ended so opened.</summary>
    public static bool IsOpenState(GateState state) => state is GateState.Verified or GateState.NoDevice or GateState.Skipped;

    /// <summary>Refuses what may follow an open gate alone.</summary>
    /// <exception cref="GuestException"><paramref name="id"/>: the gate did not open.</exception>
    public static void RequireOpen(GuestPaths paths, string id)
    {
        if (StateOf(paths.GateFile) is var state && !IsOpenState(state))
        {
            throw new GuestException(id, "the gate did not open", $"read {paths.GateFile}, mend what it says, and boot again", WordOf(state), "verified, no-device or skipped");
        }
    }

    public byte[] ToJson() => HarmlessJson.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("version", 1);
        writer.WriteString("state", WordOf(State));
        writer.WriteString("step", Step);
        writer.WriteString("at", Utc.Text(At));
        if (Fault is not null)
        {
            writer.WriteStartObject("fault");
            writer.WriteString("id", Fault.Id);
            writer.WriteString("reason", Fault.Reason);
            writer.WriteString("found", Fault.Found);
            writer.WriteString("expected", Fault.Expected);
            writer.WriteString("cure", Fault.Cure);
            writer.WriteEndObject();
        }

        writer.WriteString("gpuPolicy", Policy);
        Write(writer, "devices", Devices);
        Write(writer, "events", Events);
        writer.WriteEndObject();
    });

    /// <summary>Replaces the file in one step: nobody reads half of it.</summary>
    public void Save(string path)
    {
        var next = path + ".next";
        File.WriteAllBytes(next, ToJson());
        File.SetUnixFileMode(next, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        File.Move(next, path, overwrite: true);
    }

    /// <summary>The state that a file states; <see cref="GateState.Unfinished"/> where there is none or it is malformed.</summary>
    public static GateState StateOf(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var word = document.RootElement.GetProperty("state").GetString();
            return Enum.GetValues<GateState>().FirstOrDefault(state => WordOf(state) == word);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return GateState.Unfinished;
        }
    }

    private static void Write(Utf8JsonWriter writer, string name, ImmutableArray<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (var text in texts)
        {
            writer.WriteStringValue(text);
        }

        writer.WriteEndArray();
    }
}
