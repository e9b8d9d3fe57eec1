namespace Assay.Sealing;

/// <summary>This machine cannot do what was asked: memory that cannot be locked, a library that is missing. Never a bad input.</summary>
public sealed class SealingException : Exception
{
    /// <summary>With its fault.</summary>
    public SealingException(SealingFault fault)
        : base((fault ?? throw new ArgumentNullException(nameof(fault))).ToString()) => Fault = fault;

    /// <summary>With its fault, and what caused it.</summary>
    public SealingException(SealingFault fault, Exception cause)
        : base((fault ?? throw new ArgumentNullException(nameof(fault))).ToString(), cause) => Fault = fault;

    /// <summary>Id, problem and cure.</summary>
    public SealingFault Fault { get; }
}
