namespace Assay.Collateral;

/// <summary>
/// The ids of all log lines of the cache and of the proxy. They are permanent, for alerts are written against them;
/// docs/operations/collateral.md lists them, and a test compares.
/// </summary>
internal static class EventIds
{
    // The life of a server.
    public const int Started = 1001;
    public const int Stopping = 1002;
    public const int Stopped = 1003;
    public const int ClockBehind = 1004;

    // What comes from upstreams.
    public const int UpstreamFailed = 1101;
    public const int ItemRefused = 1102;

    // The disk.
    public const int StoreFailed = 1201;
    public const int FileDamaged = 1202;

    // Requests.
    public const int RateExceeded = 1301;
    public const int ServerBusy = 1302;
    public const int RequestMalformed = 1303;
}
