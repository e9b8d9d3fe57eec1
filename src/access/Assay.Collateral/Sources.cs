using System.Collections.Immutable;
using Assay.Endorsements;

namespace Assay.Collateral;

/// <summary>A RIM's bytes, or why there are none: which file or URL was asked, and what came of it.</summary>
public sealed record RimAnswer
{
    /// <summary>The file; null when it could not be had.</summary>
    public ReadOnlyMemory<byte>? Bytes { get; private init; }

    /// <summary>Null exactly when there are bytes.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>Whether the source says that there is no such RIM, rather than nothing.</summary>
    public bool IsAbsent { get; private init; }

    /// <summary>These bytes were had.</summary>
    public static RimAnswer Of(ReadOnlyMemory<byte> bytes) => new() { Bytes = bytes };

    /// <summary>Nothing was had.</summary>
    public static RimAnswer None(string whyNot, bool isAbsent = false) => new() { WhyNot = whyNot, IsAbsent = isAbsent };
}

/// <summary>OCSP responses about one certificate, or why there are none.</summary>
public sealed record OcspFetch
{
    /// <summary>Responses that claim to be about the certificate; empty when none could be had.</summary>
    public ImmutableArray<OcspItem> Items { get; private init; } = [];

    /// <summary>Null exactly when there are responses.</summary>
    public string? WhyNot { get; private init; }

    /// <summary>These responses were had.</summary>
    public static OcspFetch Of(params ImmutableArray<OcspItem> items) => new() { Items = items };

    /// <summary>Nothing was had.</summary>
    public static OcspFetch None(string whyNot) => new() { WhyNot = whyNot };
}

/// <summary>Where RIMs come from. What it returns is hostile until the verifier has checked it.</summary>
public interface IRimSource
{
    /// <summary>The RIM of this id. An outage is an answer too: it throws only when cancelled.</summary>
    Task<RimAnswer> FetchAsync(string id, CancellationToken cancellation);

    /// <summary>The ids that it has, as a hint for people; empty when it cannot list.</summary>
    Task<ImmutableArray<string>> ListAsync(CancellationToken cancellation);
}

/// <summary>Where OCSP responses come from. What it returns is hostile until the verifier has checked it.</summary>
public interface IOcspSource
{
    /// <summary>Responses about this certificate. An outage is an answer too: it throws only when cancelled.</summary>
    Task<OcspFetch> FetchAsync(RevocationQuery query, CancellationToken cancellation);
}
