namespace Assay.Simulator;

/// <summary>One way in which a simulated boot is not what it should be.</summary>
public enum BootFault
{
    /// <summary>Honest.</summary>
    None,

    /// <summary>The attestation event is written after the boundary, by an application.</summary>
    LateEvent,

    /// <summary>The attestation event is written twice.</summary>
    DoubleEvent,

    /// <summary>The gate writes its policy and no outcome.</summary>
    MissingEvent,

    /// <summary>The outcome comes before the policy.</summary>
    WrongOrder,

    /// <summary>The event names another device than the machine has.</summary>
    SwappedDevice,

    /// <summary>The gate expected something else.</summary>
    OtherPolicy,

    /// <summary>The log states another digest than was extended.</summary>
    BrokenDigest,

    /// <summary>The log states another payload than was extended, under the digest that was.</summary>
    TamperedPayload,

    /// <summary>The log lacks its last event.</summary>
    Truncated,

    /// <summary>The boundary is never written.</summary>
    NoBoundary,

    /// <summary>The gate skipped the check.</summary>
    Skipped,

    /// <summary>The GPUs are in DevTools mode.</summary>
    DevTools,

    /// <summary>dstack's own gate ran instead of ours.</summary>
    DstackGate,

    /// <summary>The attestation's payload is no canonical JSON.</summary>
    LoosePayload,

    /// <summary>An application writes an event of its own name after the boundary, which is nobody's fault.</summary>
    ForeignLateEvent,

    /// <summary>The log gives the model's event another name, under the digest that was extended.</summary>
    RenamedEvent,

    /// <summary>The log gives the boundary another name: a machine in the run phase looks as if it were booting.</summary>
    HiddenBoundary,

    /// <summary>The host has firmware measure a blob that is spelled like SecureBoot 01, and the log hides firmware's own variable.</summary>
    RelabelledSecureBoot,
}
