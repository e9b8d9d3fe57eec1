using System.Collections.Immutable;
using Assay.Endorsements;
using Assay.Trust.Revocation;

namespace Assay.Collateral;

/// <summary>What a source of collateral is asked for.</summary>
/// <param name="Key">The item.</param>
public sealed record CollateralQuestion(CollateralKey Key)
{
    /// <summary>Of an OCSP response: exactly this CertID, as caches keep them; null for other kinds, or where <see cref="Status"/> is asked.</summary>
    public OcspCertId? CertId { get; init; }

    /// <summary>Of an OCSP response: the certificate, under any CertID and with a fresh nonce where the source can send one; null otherwise.</summary>
    public RevocationQuery? Status { get; init; }

    /// <summary>Asks for a RIM by NVIDIA's id.</summary>
    public static CollateralQuestion OfRim(string id) => new(new CollateralKey(CollateralKind.Rim, id));

    /// <summary>Asks whether a certificate is revoked.</summary>
    public static CollateralQuestion OfStatus(RevocationQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        return new(new CollateralKey(CollateralKind.Ocsp, $"{query.Subject.IssuerKey}/{query.Subject.SerialNumber}")) { Status = query };
    }
}

/// <summary>What a source answered: items that are not verified yet, or why there are none. An outage is an answer too.</summary>
public sealed record Fetched<T>
    where T : class
{
    internal Fetched()
    {
    }

    /// <summary>Several where a folder holds several; empty when there is none.</summary>
    public ImmutableArray<T> Items { get; internal init; } = [];

    /// <summary>The first; null when there is none.</summary>
    public T? Item => Items.IsEmpty ? null : Items[0];

    /// <summary>Where it was asked for, without query: an address or a folder; empty where nothing was asked.</summary>
    public string Source { get; internal init; } = "";

    /// <summary>Null exactly when there is an item.</summary>
    public string? WhyNot { get; internal init; }

    /// <summary>Whether the source says that there is no such item, rather than nothing.</summary>
    public bool IsAbsent { get; internal init; }

    /// <summary>How long the source asks to wait; null where it does not say.</summary>
    public TimeSpan? RetryAfter { get; internal init; }

    /// <summary>Whether anything was asked: false where no source is configured for it.</summary>
    public bool WasAsked { get; internal init; } = true;
}

/// <summary>Makes answers of a source.</summary>
public static class Fetched
{
    /// <summary>The source has these items.</summary>
    public static Fetched<T> Of<T>(string source, params ImmutableArray<T> items)
        where T : class
    {
        ArgumentOutOfRangeException.ThrowIfZero(items.IsDefault ? 0 : items.Length, nameof(items));
        return new() { Source = source, Items = items };
    }

    /// <summary>The source has this item.</summary>
    public static Fetched<CollateralItem> Item(string source, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain = default) => Of(source, new CollateralItem(body, chain));

    /// <summary>There is no such item.</summary>
    public static Fetched<CollateralItem> Absent(string source, string whyNot) => new() { Source = source, WhyNot = whyNot, IsAbsent = true };

    /// <summary>The source could not be asked, or did not answer.</summary>
    public static Fetched<CollateralItem> Failed(string source, string whyNot, TimeSpan? retryAfter = null) => new() { Source = source, WhyNot = whyNot, RetryAfter = retryAfter };
}

/// <summary>
/// Where collateral comes from: services, folders, a bundle, a cache. What it returns is hostile until the verifier has checked it.
/// </summary>
public interface ICollateralSource
{
    /// <summary>One item. An outage is an answer too: it throws only when cancelled.</summary>
    Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation);

    /// <summary>The ids of RIMs that it has, as a hint for people; empty when it cannot list.</summary>
    Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => Task.FromResult(ImmutableArray<string>.Empty);
}

/// <summary>Sources by what they are asked for, as one. What has none is not asked for.</summary>
public sealed class CollateralSources : ICollateralSource, IDisposable
{
    /// <summary>Nothing is asked anywhere: what is at hand decides.</summary>
    public static CollateralSources None { get; } = new();

    /// <summary>RIMs; null to ask for none.</summary>
    public ICollateralSource? Rims { get; init; }

    /// <summary>OCSP responses; null to ask for none.</summary>
    public ICollateralSource? Ocsp { get; init; }

    /// <summary>TCB information, identities and revocation lists of Intel's; null to ask for none.</summary>
    public ICollateralSource? Intel { get; init; }

    /// <summary>Certificates and revocation lists of AMD's; null to ask for none.</summary>
    public ICollateralSource? Amd { get; init; }

    /// <summary>What to say about a kind that is not asked for: how a user of the program has it asked for.</summary>
    public Func<CollateralKind, string> WhyNotAsked { get; init; } = static kind => $"no source is configured for it ({CollateralKinds.NameOf(kind)})";

    /// <inheritdoc/>
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        return Of(question.Key.Kind)?.FetchAsync(question, cancellation) ?? Task.FromResult(new Fetched<CollateralItem> { WhyNot = WhyNotAsked(question.Key.Kind), WasAsked = false });
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => Rims?.ListRimsAsync(cancellation) ?? Task.FromResult(ImmutableArray<string>.Empty);

    /// <summary>Closes the connections of those that have some.</summary>
    public void Dispose()
    {
        foreach (var source in new[] { Rims, Ocsp, Intel, Amd }.Distinct())
        {
            (source as IDisposable)?.Dispose();
        }
    }

    private ICollateralSource? Of(CollateralKind kind) => kind switch
    {
        CollateralKind.Rim => Rims,
        CollateralKind.Ocsp => Ocsp,
        CollateralKind.TcbInfo or CollateralKind.QeIdentity or CollateralKind.PckCrl or CollateralKind.RootCrl or CollateralKind.PckCertificate => Intel,
        CollateralKind.AmdChain or CollateralKind.AmdCrl or CollateralKind.Vcek or CollateralKind.Vlek => Amd,
        _ => null,
    };
}
