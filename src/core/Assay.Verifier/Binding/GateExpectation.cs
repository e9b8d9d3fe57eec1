using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>
/// What the measured gate expects (S-6). Its digest is extended before any evidence is collected, so that nothing unmeasured can weaken
/// it: a verifier compares the digest with those that its policy lists. Canonical JSON:
/// <c>{"architectures":[…],"bundleSigner":sha384|null,"gpus":n,"minimumBundleSequence":n,"policy":sha384,"simulated":bool,"switches":n,"version":1}</c>,
/// with <c>"foreignKey":true</c> after <c>bundleSigner</c> where the agent answers for keys that it did not make.
/// </summary>
public sealed record GateExpectation
{
    /// <summary>How many GPUs; with no switch either, none is expected.</summary>
    public required int Gpus { get; init; }

    /// <summary>How many switches.</summary>
    public required int Switches { get; init; }

    /// <summary>The accepted families in capitals, for instance <c>HOPPER</c>; written in ascending order.</summary>
    public required ImmutableArray<string> Architectures { get; init; }

    /// <summary>The policy that decides.</summary>
    public required Digest Policy { get; init; }

    /// <summary>SHA-384 of the key that signs collateral bundles; null where none is used.</summary>
    public required Digest? BundleSigner { get; init; }

    /// <summary>The oldest bundle that is accepted.</summary>
    public required long MinimumBundleSequence { get; init; }

    /// <summary>
    /// Whether a simulator's devices are accepted: said by builds with simulated sources alone (S-29), so that what such a gate writes has another
    /// digest than that of any release.
    /// </summary>
    public bool DangerouslyAcceptSimulated { get; init; }

    /// <summary>
    /// Whether the agent has evidence made over keys from outside (S-3). It is in the form only where it is true: a relying party that does not list
    /// this digest refuses such a guest, and the digests of all others stay what they were.
    /// </summary>
    public bool DangerouslyAllowForeignKey { get; init; }

    /// <summary>The canonical form.</summary>
    public byte[] ToCanonicalJson()
    {
        var form = new CanonicalObject()
            .List("architectures", Architectures.Order(StringComparer.Ordinal).Select(CanonicalObject.Quoted))
            .Raw("bundleSigner", BundleSigner is { } signer ? CanonicalObject.Quoted(signer.ToString()) : "null");
        return (DangerouslyAllowForeignKey ? form.Raw("foreignKey", "true") : form)
            .Number("gpus", Gpus)
            .Number("minimumBundleSequence", MinimumBundleSequence)
            .Text("policy", Policy.ToString())
            .Raw("simulated", DangerouslyAcceptSimulated ? "true" : "false")
            .Number("switches", Switches)
            .Number("version", 1)
            .ToBytes();
    }

    /// <summary>The payload of <c>gpu-policy</c>.</summary>
    public GpuPolicyPayload ToPayload() => new(Digest.Sha384(ToCanonicalJson()));
}
