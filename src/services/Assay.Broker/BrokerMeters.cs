using System.Diagnostics.Metrics;

namespace Assay.Broker;

/// <summary>What is counted: releases by outcome, never by tenant, key or machine.</summary>
public sealed class BrokerMeters
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Assay.Broker";

    private readonly Counter<long> _releases;

    /// <param name="factory">Of the host.</param>
    public BrokerMeters(IMeterFactory factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        _releases = factory.Create(MeterName).CreateCounter<long>("assay.releases", description: "Requests for keys that were decided, by outcome.");
    }

    /// <summary>One more.</summary>
    public void Count(string outcome) => _releases.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
}
