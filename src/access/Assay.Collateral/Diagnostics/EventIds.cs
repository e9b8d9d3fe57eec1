namespace Assay.Collateral.Diagnostics;

/// <summary>
/// The ids of all log lines of the cache and of the proxy. They are permanent, for alerts are written against them;
/// docs/operations/collateral.md lists them, and a test compares.
/// </summary>
public static class EventIds
{
    // The life of a server.
    /// <summary>A server listens.</summary>
    public const int Started = 1001;

    /// <summary>A server takes no new requests.</summary>
    public const int Stopping = 1002;

    /// <summary>A server has stopped.</summary>
    public const int Stopped = 1003;

    /// <summary>The clock is behind what verified: nothing is served.</summary>
    public const int ClockBehind = 1004;

    // What comes from upstreams.
    /// <summary>An upstream does not answer.</summary>
    public const int UpstreamFailed = 1101;

    /// <summary>An answer of an upstream was refused.</summary>
    public const int ItemRefused = 1102;

    // The disk.
    /// <summary>The disk did not take an item.</summary>
    public const int StoreFailed = 1201;

    /// <summary>A file was set aside because it did not verify.</summary>
    public const int FileDamaged = 1202;

    // What is brought by hand.
    /// <summary>A bundle that was brought while the server runs was taken in.</summary>
    public const int BundleTaken = 1251;

    /// <summary>A bundle that was brought while the server runs was refused.</summary>
    public const int BundleRefused = 1252;

    // Requests.
    /// <summary>A client, or all together, asked too often.</summary>
    public const int RateExceeded = 1301;

    /// <summary>Too many requests were under way.</summary>
    public const int ServerBusy = 1302;

    /// <summary>A request was malformed.</summary>
    public const int RequestMalformed = 1303;
}
