using Assay.Sealing;

namespace Assay.Guest;

/// <summary>Why the guest ends closed, or refuses: a permanent id, what is wrong, and what to do (docs/reference/guest.md lists the ids).</summary>
/// <param name="Id">For instance <c>gate.cc.devtools</c>.</param>
/// <param name="Reason">What is wrong, in a sentence.</param>
/// <param name="Cure">What to do.</param>
internal sealed record GuestFault(string Id, string Reason, string Cure)
{
    /// <summary>A fault of sealing, as the guest reports it.</summary>
    public static GuestFault Of(SealingFault fault) => new(fault.Id, fault.Problem, fault.Cure);

    /// <summary>What was found; null where the reason says it.</summary>
    public string? Found { get; init; }

    /// <summary>What was expected; null where the reason says it.</summary>
    public string? Expected { get; init; }

    public override string ToString() => $"{Id}: {Reason}{(Found is null ? "" : $"; found {Found}")}{(Expected is null ? "" : $", expected {Expected}")}; {Cure}";
}

/// <summary>Ends whatever is being done, closed. Hardware that does not answer is an outage; a gate that refuses is one too.</summary>
internal sealed class GuestException(GuestFault fault, Exception? inner = null) : Exception(fault.ToString(), inner)
{
    public GuestException(string id, string reason, string cure, string? found = null, string? expected = null)
        : this(new GuestFault(id, reason, cure) { Found = found, Expected = expected })
    {
    }

    public GuestFault Fault => fault;
}
