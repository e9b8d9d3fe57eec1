namespace Assay.Evidence.Tdx;

/// <summary>TDATTRIBUTES of a trust domain (Intel TDX module ABI, "ATTRIBUTES"): 8 bytes, little-endian, by the specification's names.</summary>
/// <param name="Value">The field whole.</param>
public readonly record struct TdAttributes(ulong Value)
{
    // DEBUG; SEPT_VE_DISABLE, MIGRATABLE, PKS, KL; PERFMON.
    private const ulong Named = 1UL << 0 | 1UL << 28 | 1UL << 29 | 1UL << 30 | 1UL << 31 | 1UL << 63;

    /// <summary>Bit 0, DEBUG: the host reads and writes the TD's memory and registers.</summary>
    public bool Debug => Bit(0);

    /// <summary>Bit 28, SEPT_VE_DISABLE: the host cannot make the TD take #VE on access to its own pages.</summary>
    public bool SeptVeDisable => Bit(28);

    /// <summary>Bit 29, MIGRATABLE: a service TD may move it to another platform.</summary>
    public bool Migratable => Bit(29);

    /// <summary>Bit 30, PKS: supervisor protection keys.</summary>
    public bool ProtectionKeys => Bit(30);

    /// <summary>Bit 31, KL: Key Locker.</summary>
    public bool KeyLocker => Bit(31);

    /// <summary>Bit 63, PERFMON: performance monitoring.</summary>
    public bool PerformanceMonitoring => Bit(63);

    /// <summary>Bits without a name here, bits 1 to 7 (other ways of being under debug) among them. Zero in every sound TD.</summary>
    public ulong Unknown => Value & ~Named;

    private bool Bit(int number) => (Value >> number & 1) == 1;
}

/// <summary>XFAM of a trust domain: the processor state it may use (Intel SDM volume 1 §13.1, the bits of XCR0 and IA32_XSS).</summary>
/// <param name="Value">The field whole.</param>
public readonly record struct Xfam(ulong Value)
{
    // 0-2 x87 SSE AVX, 5-7 AVX-512, 8 PT, 9 PKRU, 11-12 CET, 14 UINTR, 15 LBR, 17-18 AMX, 19 APX.
    private const ulong Named = 0xFDBE7;

    /// <summary>Bits 0 and 1, x87 and SSE: always set.</summary>
    public bool X87AndSse => (Value & 0x3) == 0x3;

    /// <summary>Bit 2, AVX.</summary>
    public bool Avx => Bit(2);

    /// <summary>Bits 5 to 7, AVX-512.</summary>
    public bool Avx512 => (Value & 0xE0) == 0xE0;

    /// <summary>Bit 8, processor trace.</summary>
    public bool ProcessorTrace => Bit(8);

    /// <summary>Bit 9, user protection keys.</summary>
    public bool UserProtectionKeys => Bit(9);

    /// <summary>Bits 11 and 12, control-flow enforcement.</summary>
    public bool ControlFlowEnforcement => (Value & 0x1800) == 0x1800;

    /// <summary>Bit 14, user interrupts.</summary>
    public bool UserInterrupts => Bit(14);

    /// <summary>Bit 15, last branch records.</summary>
    public bool LastBranchRecords => Bit(15);

    /// <summary>Bits 17 and 18, AMX.</summary>
    public bool Amx => (Value & 0x60000) == 0x60000;

    /// <summary>Bit 19, APX.</summary>
    public bool Apx => Bit(19);

    /// <summary>Bits without a name here.</summary>
    public ulong Unknown => Value & ~Named;

    private bool Bit(int number) => (Value >> number & 1) == 1;
}
