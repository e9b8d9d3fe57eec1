using Assay.Endorsements;
using Assay.Trust.Revocation;

namespace Assay.Collateral;

/// <summary>What an upstream is asked for.</summary>
/// <param name="Key">The item.</param>
/// <param name="CertId">Whom an OCSP request is about; null for other kinds.</param>
public sealed record UpstreamQuestion(CollateralKey Key, OcspCertId? CertId);

/// <summary>What an upstream answered: bytes that nobody believes yet, or why there are none.</summary>
public sealed record UpstreamAnswer
{
    /// <summary>The item; null when there is none.</summary>
    public ReadOnlyMemory<byte>? Body { get; private init; }

    /// <summary>PEM of the chain that came beside it; empty for kinds without.</summary>
    public ReadOnlyMemory<byte> Chain { get; private init; }

    /// <summary>Where it was asked for, without query.</summary>
    public string Source { get; private init; } = "";

    /// <summary>Null exactly when there is a body.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>Whether the upstream says that there is no such item, rather than nothing.</summary>
    public bool IsAbsent { get; private init; }

    /// <summary>How long the upstream asks to wait.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>These bytes were had.</summary>
    public static UpstreamAnswer Of(string source, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain = default) => new() { Source = source, Body = body, Chain = chain };

    /// <summary>There is no such item.</summary>
    public static UpstreamAnswer Absent(string source, string whyNot) => new() { Source = source, WhyNot = whyNot, IsAbsent = true };

    /// <summary>Nothing was had.</summary>
    public static UpstreamAnswer Failed(string source, string whyNot, TimeSpan? retryAfter = null) => new() { Source = source, WhyNot = whyNot, RetryAfter = retryAfter };
}

/// <summary>Where a cache asks. An outage is an answer too: it throws only when cancelled.</summary>
public interface ICollateralUpstream
{
    /// <summary>One request.</summary>
    Task<UpstreamAnswer> FetchAsync(UpstreamQuestion question, CancellationToken cancellation);
}
