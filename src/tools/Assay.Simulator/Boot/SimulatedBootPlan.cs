using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>A device as the gate's event names it.</summary>
/// <param name="Kind"><c>gpu</c> or <c>switch</c>.</param>
/// <param name="Id">SHA-384 of the device key, 48 bytes.</param>
/// <param name="Ueid">Decimal.</param>
/// <param name="Evidence">SHA-384, 48 bytes.</param>
public sealed record SimulatedBootDevice(string Kind, ReadOnlyMemory<byte> Id, string Ueid, ReadOnlyMemory<byte> Evidence)
{
    /// <summary>A device of chance.</summary>
    public static SimulatedBootDevice Random(string kind = "gpu") =>
        new(kind, RandomNumberGenerator.GetBytes(48), $"{RandomNumberGenerator.GetInt32(1, int.MaxValue)}", RandomNumberGenerator.GetBytes(48));
}

/// <summary>What a simulated machine does while it boots.</summary>
public sealed record SimulatedBootPlan
{
    /// <summary>What the gate finds; at least one for its event to be honest.</summary>
    public required ImmutableArray<SimulatedBootDevice> Devices { get; init; }

    /// <summary>The payload of <c>gpu-policy</c>, 48 bytes.</summary>
    public required ReadOnlyMemory<byte> Policy { get; init; }

    /// <summary>The nonce that the devices signed, 32 bytes.</summary>
    public ReadOnlyMemory<byte> Nonce { get; init; } = new byte[32];

    /// <summary>RFC 7638 thumbprint of the guest's key.</summary>
    public string Thumbprint { get; init; } = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    /// <summary>The mode that the gate read from the driver: <c>on</c> or <c>ppcie</c>.</summary>
    public string Cc { get; init; } = "on";

    /// <summary>When the gate judged.</summary>
    public DateTimeOffset EvaluatedAt { get; init; } = DateTimeOffset.UnixEpoch.AddYears(56);

    /// <summary>SHA-384 of a model's manifest; null when none is opened.</summary>
    public ReadOnlyMemory<byte>? Model { get; init; }

    /// <summary>SHA-384 of a compose file; null when none is named.</summary>
    public ReadOnlyMemory<byte>? Workload { get; init; }

    /// <summary>1 or 2: the preimage of the events' digests.</summary>
    public int EventVersion { get; init; } = 2;

    /// <summary>Whether dstack's own events stand around the gate's.</summary>
    public bool OnDstack { get; init; }

    /// <summary>Whether the machine has passed the boundary.</summary>
    public bool Booted { get; init; } = true;

    /// <summary>The value of the SecureBoot variable; null when it is not set.</summary>
    public byte? SecureBoot { get; init; } = 1;

    /// <summary>What goes wrong.</summary>
    public BootFault Fault { get; init; }
}
