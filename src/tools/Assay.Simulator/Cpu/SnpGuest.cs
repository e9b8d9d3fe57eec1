using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>Who is launched under SEV-SNP: what the launch measured and who signed it. The default is the known bare-metal image.</summary>
public sealed record SnpGuest
{
    private const int DigestSize = 48;

    /// <summary>The guest image that is known to be good: MEASUREMENT and HOST_DATA of <see cref="SimulatedSnp.GoodMeasurement"/>, launched by nobody's key.</summary>
    public static SnpGuest BareMetal { get; } = new();

    /// <summary>Azure's paravisor as the recorded report shows it: an ID key, GUEST_SVN 5, no author key, no HOST_DATA.</summary>
    public static SnpGuest Paravisor { get; } = new()
    {
        Measurement = SHA384.HashData("simulated paravisor"u8),
        HostData = new byte[SHA256.HashSizeInBytes],
        IdKeyDigest = SHA384.HashData("simulated id key of the cloud"u8),
        Svn = 5,
    };

    /// <summary>MEASUREMENT, 48 bytes.</summary>
    public ReadOnlyMemory<byte> Measurement { get; init; } = SHA384.HashData("simulated guest"u8);

    /// <summary>HOST_DATA, 32 bytes.</summary>
    public ReadOnlyMemory<byte> HostData { get; init; } = SHA256.HashData("simulated configuration"u8);

    /// <summary>ID_KEY_DIGEST, 48 bytes; zeros where no ID block was given.</summary>
    public ReadOnlyMemory<byte> IdKeyDigest { get; init; } = new byte[DigestSize];

    /// <summary>AUTHOR_KEY_DIGEST, 48 bytes; null: AUTHOR_KEY_EN is clear and the digest zeros.</summary>
    public ReadOnlyMemory<byte>? AuthorKeyDigest { get; init; }

    /// <summary>GUEST_SVN.</summary>
    public uint Svn { get; init; }

    /// <summary>The VMPL that asked for the report.</summary>
    public uint Vmpl { get; init; }

    /// <summary>The TCB that its processor reports, has committed, was launched with and runs.</summary>
    public SnpLevels Tcb { get; init; } = new(2, 4, 1, 24, 213);
}
