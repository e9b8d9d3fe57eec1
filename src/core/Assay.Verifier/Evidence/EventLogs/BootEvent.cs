using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>Which preimage a runtime event's digest is over (dstack's event log; S-5).</summary>
public enum RuntimeEventVersion
{
    /// <summary>No runtime event, or none whose digest is that of its name and payload.</summary>
    None = 0,

    /// <summary>Type, name and payload joined by colons.</summary>
    V1 = 1,

    /// <summary>The canonical JSON of name, payload and type: what we write.</summary>
    V2 = 2,
}

/// <summary>One record of a log.</summary>
public sealed record BootEvent
{
    /// <summary>Counted from 0 in its log.</summary>
    public required int Number { get; init; }

    /// <summary>What <see cref="Register"/> is where an event that extends nothing names none.</summary>
    public const int NoRegister = -1;

    /// <summary>PCR 0 to 23, or RTMR 0 to 3 whatever number the form gives it; <see cref="NoRegister"/> for an event that extends nothing under another number.</summary>
    public required int Register { get; init; }

    /// <summary>The number of <see cref="BootEventType"/>, or one that is not known here.</summary>
    public required uint Type { get; init; }

    /// <summary>What was extended, one for each of <see cref="EventLog.Banks"/>.</summary>
    public required ImmutableArray<Digest> Digests { get; init; }

    /// <summary>
    /// The event's data. The digest alone is authenticated by a replay: of data only what <see cref="BootEventData.IsCovered"/> says is.
    /// Empty for a runtime event whose digest is not that of its name and payload.
    /// </summary>
    public required ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>A runtime event's name. Null for events of firmware, and where the digest is not that of the name that the log claims.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// For a runtime event, the form in which its digest is that of exactly this name and payload. None: there is no name and no payload.
    /// </summary>
    public RuntimeEventVersion Version { get; init; }

    /// <summary>Whether it changed its register.</summary>
    public bool IsExtended => Type != BootEventType.NoAction;
}

/// <summary>Event types (PC Client Platform Firmware Profile 1.06 §10.4.1) and dstack's own.</summary>
internal static class BootEventType
{
    /// <summary>EV_NO_ACTION: never extended.</summary>
    public const uint NoAction = 0x03;

    /// <summary>EV_SEPARATOR.</summary>
    public const uint Separator = 0x04;

    /// <summary>EV_EVENT_TAG.</summary>
    public const uint EventTag = 0x06;

    /// <summary>EV_S_CRTM_VERSION.</summary>
    public const uint CrtmVersion = 0x08;

    /// <summary>EV_IPL.</summary>
    public const uint Ipl = 0x0D;

    /// <summary>EV_NONHOST_INFO.</summary>
    public const uint NonHostInfo = 0x11;

    /// <summary>EV_EFI_VARIABLE_DRIVER_CONFIG.</summary>
    public const uint EfiVariableDriverConfig = 0x80000001;

    /// <summary>EV_EFI_VARIABLE_BOOT.</summary>
    public const uint EfiVariableBoot = 0x80000002;

    /// <summary>EV_EFI_BOOT_SERVICES_APPLICATION.</summary>
    public const uint EfiBootServicesApplication = 0x80000003;

    /// <summary>EV_EFI_ACTION.</summary>
    public const uint EfiAction = 0x80000007;

    /// <summary>EV_EFI_VARIABLE_BOOT2.</summary>
    public const uint EfiVariableBoot2 = 0x8000000C;

    /// <summary>EV_EFI_VARIABLE_AUTHORITY.</summary>
    public const uint EfiVariableAuthority = 0x800000E0;

    /// <summary>Runtime events of dstack and of our gate: 134217729.</summary>
    public const uint Runtime = 0x08000001;
}
