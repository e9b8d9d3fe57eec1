using System.Collections.Immutable;
using System.Net;
using Assay.Binding;
using Assay.Collateral.Http;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Guest.Configuration;

/// <summary>What the gate does about GPUs. The default is chosen by nobody.</summary>
internal enum GateTask
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>Verify every device that is expected.</summary>
    Verify,

    /// <summary>No device is expected: one that is found is refused.</summary>
    ExpectNone,

    /// <summary>Devices are used unverified. The event says so, and satisfies nobody who requires GPUs.</summary>
    DangerouslySkip,
}

/// <summary>In which mode the GPUs must be.</summary>
internal enum ProtectionMode
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>CC on.</summary>
    On,

    /// <summary>Protected PCIe: GPUs and switches as one machine.</summary>
    ProtectedPcie,
}

/// <summary>A collateral bundle, and whose.</summary>
/// <param name="Path">The file. It is signed, and need not be measured.</param>
/// <param name="Keys">The site's keys, from a measured file.</param>
/// <param name="MinimumSequence">The oldest that is accepted.</param>
internal sealed record BundleSetting(string Path, JsonWebKeySet Keys, long MinimumSequence)
{
    /// <summary>What <c>gpu-policy</c> names: SHA-384 of the key set in its one form.</summary>
    public Digest Signer => new(System.Security.Cryptography.SHA384.HashData(Keys.ToJson()));
}

/// <summary>What will run: a digest, or a file whose digest is taken.</summary>
internal sealed record WorkloadSetting(string Kind, Digest? Digest, string? Path);

/// <summary>What the agent does, and for whom.</summary>
internal sealed record AgentSetting
{
    /// <summary>Users beside root who may ask.</summary>
    public required ImmutableArray<uint> Users { get; init; }

    /// <summary>Groups who may ask.</summary>
    public required ImmutableArray<uint> Groups { get; init; }

    /// <summary>How often it verifies again.</summary>
    public required TimeSpan Reattest { get; init; }

    /// <summary>How long the ready state stays while collateral cannot be fetched.</summary>
    public required TimeSpan MaximumCollateralAge { get; init; }

    /// <summary>Whether release keys are made in the TPM of the TEE, and stay there; otherwise they are in the agent's memory.</summary>
    public bool KeysInTpm { get; init; }

    /// <summary>Whether evidence is made over keys that a caller brings along, who may be anywhere (S-3).</summary>
    public bool DangerouslyAllowForeignKey { get; init; }
}

/// <summary>What a boot must look like for the keys that survive it (docs/reference/guest.md, "Persistent keys").</summary>
/// <param name="PhaseRegister">A PCR of their own, which says whether the gate is open and the boundary not drawn.</param>
/// <param name="BootRegisters">PCRs in which firmware, boot loader and kernel are measured: bit n is PCR n.</param>
internal sealed record PersistentKeySetting(int PhaseRegister, uint BootRegisters);

/// <summary>The attested channels that end in this VM, and where they lead.</summary>
internal sealed record ProxySetting
{
    /// <summary>Where channels are accepted.</summary>
    public required IPEndPoint Listen { get; init; }

    /// <summary>A server in this VM, on loopback: what leaves the channel is in the clear.</summary>
    public required IPEndPoint Upstream { get; init; }

    /// <summary>What the channels are for.</summary>
    public required string Purpose { get; init; }

    /// <summary>The lowest level that clients may ask for.</summary>
    public required ChannelLevel LowestLevel { get; init; }

    /// <summary>Names in the certificate.</summary>
    public required ImmutableArray<string> Names { get; init; }

    /// <summary>Folder with the operator's <c>certificate.pem</c> and <c>key.pem</c>; null: the certificate is self-signed.</summary>
    public required string? Operator { get; init; }
}

/// <summary>The attestation service whose tokens the agent gets.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Credential">A file with its API key, brought to this VM at run time.</param>
/// <param name="Audiences">For whom tokens are got.</param>
internal sealed record ServiceSetting(ServiceAddress Url, string Credential, ImmutableArray<string> Audiences);

/// <summary>The key broker that the agent asks for keys.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Credential">A file with an API key of the scope <c>release</c>, brought to this VM at run time.</param>
/// <param name="Token">The audience of the attestation service's tokens that are shown in place of evidence; null: evidence is.</param>
internal sealed record BrokerSetting(ServiceAddress Url, string Credential, string? Token);

/// <summary>The measured configuration of gate and agent (S-6, S-30): docs/reference/guest.md describes each member.</summary>
internal sealed record GuestConfiguration
{
    public required GateTask Task { get; init; }

    public required int Gpus { get; init; }

    public required int Switches { get; init; }

    public required ImmutableArray<string> Architectures { get; init; }

    public required ProtectionMode Mode { get; init; }

    /// <summary>Null for RTMR3; else a PCR of a TPM in the TEE, 8 to 15.</summary>
    public required int? Pcr { get; init; }

    /// <summary>Whether dstack's log and boundary are used.</summary>
    public required bool OnDstack { get; init; }

    public required BundleSetting? Bundle { get; init; }

    public required ServiceAddress? CollateralUrl { get; init; }

    public required DateTimeOffset MinimumTime { get; init; }

    public required TimeSpan Timeout { get; init; }

    public required WorkloadSetting? Workload { get; init; }

    public required Digest? Model { get; init; }

    public required AgentSetting Agent { get; init; }

    /// <summary>Null if the image has no persistent keys.</summary>
    public PersistentKeySetting? PersistentKeys { get; init; }

    /// <summary>Null if the image has no proxy.</summary>
    public ProxySetting? Proxy { get; init; }

    /// <summary>Null if the image gets no tokens.</summary>
    public ServiceSetting? Service { get; init; }

    /// <summary>Null if the image gets no keys.</summary>
    public BrokerSetting? Broker { get; init; }

    /// <summary>SHA-384 of the text that all of this was read from.</summary>
    public Digest Source { get; init; } = new(new byte[System.Security.Cryptography.SHA384.HashSizeInBytes]);

    /// <summary>SHA-384 of the rule that decides. It is one: everything must hold.</summary>
    public static Digest PolicyDigest { get; } = new(System.Security.Cryptography.SHA384.HashData("assay gate policy 1: every check holds"u8));

    /// <summary>What <c>gpu-policy</c> commits to.</summary>
    public GateExpectation Expectation(bool dangerouslyAcceptSimulated) => new()
    {
        Gpus = Gpus,
        Switches = Switches,
        Architectures = Architectures,
        Policy = PolicyDigest,
        BundleSigner = Bundle?.Signer,
        MinimumBundleSequence = Bundle?.MinimumSequence ?? 0,
        DangerouslyAcceptSimulated = dangerouslyAcceptSimulated,
        DangerouslyAllowForeignKey = Agent.DangerouslyAllowForeignKey,
    };
}
