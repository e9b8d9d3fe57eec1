namespace Assay.Client.Guest;

/// <summary>How the boot gate of this VM ended. Docs: docs/reference/guest.md.</summary>
public enum GateOutcome
{
    /// <summary>It runs, or was killed.</summary>
    Unfinished,

    /// <summary>It ended closed.</summary>
    Failed,

    /// <summary>Every configured device verified.</summary>
    Verified,

    /// <summary>No device was expected, and none was there.</summary>
    NoDevice,

    /// <summary>Devices are used without verification.</summary>
    Skipped,
}

/// <summary>Why devices are not ready, or why the latest verification did not replace the verdict.</summary>
/// <param name="Id">Permanent: docs/troubleshooting/guest.md lists them.</param>
/// <param name="Reason">What was found.</param>
/// <param name="Cure">What to do.</param>
public sealed record AgentFault(string Id, string Reason, string Cure);

/// <summary>What the agent says of the devices of this VM now.</summary>
public sealed record AgentStatus
{
    /// <summary>How the gate ended in this boot.</summary>
    public required GateOutcome Gate { get; init; }

    /// <summary>Whether the devices verified, and nothing since then says otherwise.</summary>
    public required bool IsReady { get; init; }

    /// <summary>When the latest verdict that passed was reached; null if no verdict passed in this boot.</summary>
    public required DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>How old that verdict is.</summary>
    public required TimeSpan Age { get; init; }

    /// <summary>Null where all is well.</summary>
    public required AgentFault? Fault { get; init; }
}

/// <summary>The agent's status with its latest verdict.</summary>
/// <param name="Status">What it says now.</param>
/// <param name="Verdict">JSON, UTF-8, as <c>assay verify --format json</c> writes it (docs/reference/verdict.md); empty where no verdict passed in this boot.</param>
public sealed record GpuAttestation(AgentStatus Status, ReadOnlyMemory<byte> Verdict);

/// <summary>The agent refused a request, or could not be asked.</summary>
public sealed class AgentException : Exception
{
    /// <param name="id">Permanent: docs/troubleshooting/guest.md lists them.</param>
    /// <param name="reason">What was found.</param>
    /// <param name="cure">What to do.</param>
    /// <param name="status">HTTP's, or 0 where there was no answer.</param>
    /// <param name="inner">What the system said.</param>
    public AgentException(string id, string reason, string cure, int status = 0, Exception? inner = null)
        : base($"{id}: {reason}: {cure}", inner) => (Id, Reason, Cure, Status) = (id, reason, cure, status);

    /// <summary>The id of the fault.</summary>
    public string Id { get; }

    /// <summary>What was found.</summary>
    public string Reason { get; }

    /// <summary>What to do.</summary>
    public string Cure { get; }

    /// <summary>HTTP's, or 0 where there was no answer.</summary>
    public int Status { get; }
}
