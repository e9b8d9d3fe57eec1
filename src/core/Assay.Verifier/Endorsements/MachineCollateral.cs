using System.Collections.Immutable;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Endorsements;

/// <summary>An item as it was fetched, not verified yet.</summary>
/// <param name="Body">In the form of its service.</param>
/// <param name="Chain">PEM of the chain that came beside it; empty for kinds without.</param>
/// <param name="NonceSent">Of an OCSP response: the nonce of the request; empty when none was sent, as for stored responses.</param>
public sealed record CollateralItem(ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> Chain = default, ReadOnlyMemory<byte> NonceSent = default);

/// <summary>Bytes that were fetched for a verification, believed by nobody: the verifier checks every one of them.</summary>
public sealed record MachineCollateral
{
    /// <summary>Nothing at hand.</summary>
    public static MachineCollateral Empty { get; } = new();

    /// <summary>RIM files by id.</summary>
    public ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims { get; init; } = ImmutableDictionary<string, ReadOnlyMemory<byte>>.Empty;

    /// <summary>Why a RIM could not be had, by id: where it was asked for, and what came back.</summary>
    public ImmutableDictionary<string, string> RimFaults { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>OCSP responses by the certificate that they are about.</summary>
    public ImmutableDictionary<RevocationSubject, ImmutableArray<CollateralItem>> Ocsp { get; init; } = ImmutableDictionary<RevocationSubject, ImmutableArray<CollateralItem>>.Empty;

    /// <summary>Why an OCSP answer could not be had, by certificate.</summary>
    public ImmutableDictionary<RevocationSubject, string> OcspFaults { get; init; } = ImmutableDictionary<RevocationSubject, string>.Empty;

    /// <summary>What a processor needs, by its key.</summary>
    public ImmutableDictionary<CollateralKey, CollateralItem> Processor { get; init; } = ImmutableDictionary<CollateralKey, CollateralItem>.Empty;

    /// <summary>Why an item of a processor could not be had, by its key.</summary>
    public ImmutableDictionary<CollateralKey, string> ProcessorFaults { get; init; } = ImmutableDictionary<CollateralKey, string>.Empty;

    /// <summary>The ids that the RIM source lists, where it can list: a hint for people, never a proof.</summary>
    public ImmutableArray<string> KnownRimIds { get; init; } = [];
}

/// <summary>A certificate whose revocation status is needed, with its issuer.</summary>
/// <param name="Certificate">The one that is asked about.</param>
/// <param name="Issuer">The one above it in its path.</param>
public sealed record RevocationQuery(Certificate Certificate, Certificate Issuer)
{
    /// <summary>The key of answers to this query.</summary>
    public RevocationSubject Subject => RevocationSubject.Of(Certificate, Issuer);
}

/// <summary>What a verification needs before it can be complete. Sorted, without repeats.</summary>
/// <param name="RimIds">RIMs by id.</param>
/// <param name="Revocation">Certificates whose status is needed.</param>
public sealed record RequiredCollateral(ImmutableArray<string> RimIds, ImmutableArray<RevocationQuery> Revocation)
{
    /// <summary>What a processor needs, in the order of its kinds.</summary>
    public ImmutableArray<CollateralKey> Processor { get; init; } = [];

    /// <summary>Whether <paramref name="collateral"/> has an answer, or a reason for having none, to everything.</summary>
    public RequiredCollateral Without(MachineCollateral collateral)
    {
        ArgumentNullException.ThrowIfNull(collateral);
        if (RimIds.IsDefault || Revocation.IsDefault || Processor.IsDefault)
        {
            throw new InvalidOperationException("what is needed was never set");
        }

        return new(
            [.. RimIds.Where(id => !collateral.Rims.ContainsKey(id) && !collateral.RimFaults.ContainsKey(id))],
            [.. Revocation.Where(query => !collateral.Ocsp.ContainsKey(query.Subject) && !collateral.OcspFaults.ContainsKey(query.Subject))])
        {
            Processor = [.. Processor.Where(key => !collateral.Processor.ContainsKey(key) && !collateral.ProcessorFaults.ContainsKey(key))],
        };
    }

    /// <summary>Whether nothing is needed.</summary>
    public bool IsEmpty => RimIds.IsDefaultOrEmpty && Revocation.IsDefaultOrEmpty && Processor.IsDefaultOrEmpty;
}
