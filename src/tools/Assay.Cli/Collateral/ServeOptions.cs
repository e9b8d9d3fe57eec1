using System.CommandLine;
using Assay.Cli.Bundles;

namespace Assay.Cli.Collateral;

/// <summary>The options of <c>assay collateral serve</c>.</summary>
internal sealed class ServeOptions
{
    private const int MostRequests = 1_000_000;

    public ServeOptions() => Nonce.OneOf("cached", "forward");

    public Option<string[]> Listen { get; } = new("--listen")
    {
        Description = "address and port, for example 127.0.0.1:8093 or [::]:8093; port 0 for any free one; =POOL behind it serves that pool's RIMs, =POOL+staged its staged ones too",
        HelpName = "ADDRESS",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => ["127.0.0.1:8093"],
    };

    public Option<string?> TlsCertificate { get; } = new("--tls-cert") { Description = "serve over TLS with this certificate and its chain, PEM", HelpName = "FILE" };

    public Option<string?> TlsKey { get; } = new("--tls-key") { Description = "its key, PEM", HelpName = "FILE" };

    public Option<string?> Cache { get; } = new("--cache") { Description = "keep verified items in this folder; without it, in memory only", HelpName = "DIR" };

    public Option<string[]> Learn { get; } = new("--learn")
    {
        Description = "evidence files or PEM chains of the devices to answer for: their issuers judge the answers",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string[]> Bundle { get; } = new("--bundle")
    {
        Description = "import these bundles at the start (assay bundle create), and again when a file is replaced, or on SIGHUP",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public BundleTrust BundleTrust { get; } = new();

    public UpstreamArguments Upstreams { get; } = new();

    public Option<string?> Anchors { get; } = AnchorsFile.Option();

    public Option<string> Nonce { get; } = new("--nonce") { Description = "what a request with an OCSP nonce gets: the cached answer without it, or one made for it", DefaultValueFactory = _ => "cached" };

    public Option<int> MostStaleHours { get; } = new Option<int>("--max-stale") { Description = "hours that an item is served past its refresh time while no upstream answers, never past its own expiry; -1: as docs/operations/collateral.md says", HelpName = "HOURS", DefaultValueFactory = _ => -1 }.Within(-1, 24 * 365);

    public Option<int> MostEntries { get; } = new Option<int>("--max-items") { Description = "items kept", HelpName = "N", DefaultValueFactory = _ => 50_000 }.Within(1, 10_000_000);

    public Option<int> MostMegabytes { get; } = new Option<int>("--max-megabytes") { Description = "megabytes kept on disk", HelpName = "N", DefaultValueFactory = _ => 1024 }.Within(1, 10_000_000);

    public Option<int> Rate { get; } = new Option<int>("--rate") { Description = "requests per second from one address, with bursts of twice as many; an IPv6 /64 counts as one address; 0: unlimited", HelpName = "N", DefaultValueFactory = _ => 2000 }.Within(0, MostRequests);

    public Option<int> TotalRate { get; } = new Option<int>("--total-rate") { Description = "requests per second from all addresses together, with bursts of twice as many; 0: unlimited", HelpName = "N", DefaultValueFactory = _ => 0 }.Within(0, MostRequests);

    public Option<int> Concurrency { get; } = new Option<int>("--concurrency") { Description = "requests under way at one time", HelpName = "N", DefaultValueFactory = _ => 2000 }.Within(1, 100_000);

    public IEnumerable<Option> All =>
    [
        Listen, TlsCertificate, TlsKey, Cache, Learn, Bundle, .. BundleTrust.All, .. Upstreams.All, Anchors, Nonce,
        MostStaleHours, MostEntries, MostMegabytes, Rate, TotalRate, Concurrency,
    ];
}
