using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>An event to be extended: what the gate writes, made by the code that checks it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Payload">Its payload.</param>
public sealed record RuntimeEvent(string Name, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The number by which logs know runtime events of dstack's and ours.</summary>
    public const uint Type = 0x08000001;

    /// <summary>The event of a payload that is known.</summary>
    internal static RuntimeEvent Of(BootEventPayload payload)
    {
        ArgumentNullException.ThrowIfNull(payload);
        return new RuntimeEvent(payload.Name, payload.ToBytes());
    }

    /// <summary>What is hashed: the canonical JSON of name, payload and type (S-5).</summary>
    public byte[] Preimage() => RuntimeEventDigest.Preimage(Name, Payload.Span, RuntimeEventVersion.V2);

    /// <summary>What is extended: into an RTMR by SHA-384, into a PCR by the hash of each bank.</summary>
    public Digest Digest(TcgHash bank) => bank.Of(Preimage());
}
