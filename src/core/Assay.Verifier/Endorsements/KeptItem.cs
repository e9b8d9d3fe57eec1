using System.Diagnostics.CodeAnalysis;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>
/// An item of collateral as caches keep it and pass it on, with its exact bytes. What they are worth its type says: a
/// <see cref="VerifiedItem"/> is signed and was checked, a <see cref="KeySetItem"/> is not signed at all.
/// </summary>
public abstract class KeptItem
{
    private protected KeptItem()
    {
    }

    /// <summary>Which one it is.</summary>
    public required CollateralKey Key { get; init; }

    /// <summary>Its bytes, as they arrived.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>PEM of the chain that came with it, as it arrived; empty for kinds that need none.</summary>
    public ReadOnlyMemory<byte> Chain { get; init; }

    /// <summary>The first instant at which it holds.</summary>
    public required DateTimeOffset ValidFrom { get; init; }

    /// <summary>The last instant at which it holds: its own end, or the first end of a certificate that it rests on.</summary>
    public required DateTimeOffset ValidUntil { get; init; }

    /// <summary>When the first certificate that it rests on ends: NVIDIA signs manifests anew before that (S-19).</summary>
    public required DateTimeOffset SignersUntil { get; init; }

    /// <summary>Whether it holds at a time; why not.</summary>
    public bool IsCurrent(DateTimeOffset at, [NotNullWhen(false)] out ItemFault? fault)
    {
        fault = ValidFrom - at > RevocationJudgement.ClockSkewTolerance ? new ItemFault(ItemRefusal.NotCurrent, $"it is valid from {Utc.Text(ValidFrom)} on, it is {Utc.Text(at)}")
            : at > ValidUntil ? new ItemFault(ItemRefusal.NotCurrent, $"it was valid until {Utc.Text(ValidUntil)}, it is {Utc.Text(at)}")
            : null;
        return fault is null;
    }
}
