namespace Assay.Evidence.Files;

/// <summary>Families of devices whose evidence is understood. Told by certificate names alone (S-11).</summary>
public enum DeviceArchitecture
{
    /// <summary>Not told, or not known: nothing verifies.</summary>
    None,

    /// <summary>GH100 GPUs.</summary>
    Hopper,

    /// <summary>GB100 and later GB GPUs.</summary>
    Blackwell,

    /// <summary>GR100 GPUs.</summary>
    Rubin,

    /// <summary>The NVSwitch of Hopper systems.</summary>
    Ls10,
}

/// <summary>GPU or switch: what claims call the device type.</summary>
public enum DeviceKind
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A GPU.</summary>
    Gpu,

    /// <summary>An NVSwitch.</summary>
    Switch,
}

/// <summary>The processor inside the device that signs reports.</summary>
public enum Responder
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>The GPU system processor: reports with opaque data and 64 digests.</summary>
    Gsp,

    /// <summary>The foundation security processor: of LS10 always, of Blackwell a second responder without opaque data.</summary>
    Fsp,
}
