using System.Collections.Immutable;
using Assay.Broker.Hosted;
using Assay.Broker.Kbs;
using Assay.Broker.Release;
using Assay.Collateral.Cache;
using Assay.Service.Log;
using Assay.Tokens;
using Assay.Trust;

namespace Assay.Broker;

/// <summary>What the broker role of a host is made of.</summary>
public sealed record BrokerTerms
{
    /// <summary>The service's name in verdicts.</summary>
    public required TokenIssuer Issuer { get; init; }

    /// <summary>Under whose anchors evidence is judged.</summary>
    public required TrustSet Trust { get; init; }

    /// <summary>Where collateral comes from. The host disposes it.</summary>
    public required CachedSource Collateral { get; init; }

    /// <summary>The log's name: a URL without scheme and final slash.</summary>
    public required string LogOrigin { get; init; }

    /// <summary>The witnesses that cosign the log; empty: the operator can set the whole database back (S-25).</summary>
    public ImmutableArray<LogWitness> Witnesses { get; init; } = [];

    /// <summary>How often they are shown the log.</summary>
    public TimeSpan WitnessEvery { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a challenge can be answered.</summary>
    public TimeSpan ChallengeLife { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a key that is destroyed can be taken back; zero: it cannot.</summary>
    public TimeSpan DestroyWait { get; init; } = TimeSpan.FromDays(7);

    /// <summary>In a confidential VM of its own: what shows evidence of it; null: the broker is run by its owner.</summary>
    public HostedTerms? Hosted { get; init; }

    /// <summary>Whose tokens of NVIDIA's service are taken in place of evidence, where a policy names that; null: none are.</summary>
    public NrasTerms? Nras { get; init; }

    /// <summary>The attestation services whose tokens are taken in place of evidence, where a policy names that; empty: none are.</summary>
    public ImmutableArray<TokenIssuerTerms> Issuers { get; init; } = [];

    /// <summary>How the KBS protocol is served; null: not at all.</summary>
    public KbsTerms? Kbs { get; init; }

    /// <summary>How often the role looks what is due.</summary>
    public TimeSpan Upkeep { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long all the fetching of one release may take.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);
}
