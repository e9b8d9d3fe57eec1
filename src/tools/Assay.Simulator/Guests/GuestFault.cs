namespace Assay.Simulator;

/// <summary>One way in which what a guest's gate sees is not what it should be. Faults of devices themselves are <see cref="SimulatedFault"/>.</summary>
public enum GuestFault
{
    /// <summary>Honest.</summary>
    None,

    /// <summary>The driver says that CC is off.</summary>
    CcOff,

    /// <summary>The driver says that CC is on in DevTools mode.</summary>
    DevTools,

    /// <summary>The driver says CC on where the machine is configured for Protected PCIe.</summary>
    NotProtected,

    /// <summary>A switch is not locked for Protected PCIe.</summary>
    SwitchUnlocked,

    /// <summary>The driver lists one GPU fewer than the bus.</summary>
    DriverMissesGpu,

    /// <summary>One GPU is missing on the bus and from the driver.</summary>
    MissingGpu,

    /// <summary>A second kind of display device is on the bus.</summary>
    ForeignDisplay,

    /// <summary>The devices answer the nonce of an earlier boot.</summary>
    Replayed,

    /// <summary>One GPU answers for another one, too.</summary>
    Twice,

    /// <summary>A GPU does not answer.</summary>
    DeadGpu,

    /// <summary>The driver's library is not there.</summary>
    NoDriver,

    /// <summary>The switches' library is not there.</summary>
    NoSwitchLibrary,

    /// <summary>The driver reports a GPU's evidence without certificates.</summary>
    EmptyChain,

    /// <summary>The processor makes no report.</summary>
    NoReport,

    /// <summary>The processor's report is about other data.</summary>
    OtherReport,

    /// <summary>The measured register cannot be extended.</summary>
    RegisterRefuses,

    /// <summary>The measured register accepts what is extended, and does not change.</summary>
    RegisterIgnores,

    /// <summary>Somebody extended the register before the gate.</summary>
    RegisterTouched,

    /// <summary>The ready state cannot be set.</summary>
    ReadyRefuses,

    /// <summary>The ready state is accepted, and does not change.</summary>
    ReadyIgnores,

    /// <summary>The ready state is on before the gate, and cannot be set off.</summary>
    ReadySticks,
}
