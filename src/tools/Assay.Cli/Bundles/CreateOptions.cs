using System.CommandLine;
using Assay.Cli.Collateral;
using Assay.Endorsements;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary>The options of <c>assay bundle create</c>.</summary>
internal sealed class CreateOptions
{
    public CreateOptions() => CertIds.OneOf("sha1", "sha256", "sha384");

    public Option<string[]> For { get; } = new("--for")
    {
        Description = "evidence of the devices and processors that are to be verified: files of any kind that assay verify takes; old ones do as well",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string?> Ids { get; } = new("--ids") { Description = "further items, one per line: kind and id (assay bundle plan --ids-out writes such a file)", HelpName = "FILE" };

    public Option<string[]> Learn { get; } = new("--learn")
    {
        Description = "PEM chains of devices whose OCSP answers --ids names",
        HelpName = "FILE",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string> Out { get; } = new("--out") { Description = "the bundle file to write; it must not exist", HelpName = "FILE", Required = true };

    public Option<string[]> Keys { get; } = new("--key")
    {
        Description = "the site's private keys that sign it, P-384 (assay token keygen); several for a threshold",
        HelpName = "FILE",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string?> Created { get; } = new("--created") { Description = "the creation time to state; now, if not given", HelpName = "RFC3339" };

    public Option<long?> Sequence { get; } = new Option<long?>("--sequence") { Description = "higher than that of all earlier bundles of the site; seconds since 1970 of --created, if not given", HelpName = "N" }.Within(1, Limits.LargestSequence);

    public Option<string?> Cache { get; } = new("--cache") { Description = "fetch through this cache folder and include its high-water marks; without it, fetch into memory", HelpName = "DIR" };

    public Option<string?> RimStore { get; } = new("--rim-store") { Description = "take RIMs from this folder with <id>.xml", HelpName = "DIR" };

    public Option<string?> OcspStore { get; } = new("--ocsp-store") { Description = "take OCSP answers from this folder, found by CertID", HelpName = "DIR" };

    public Option<string?> ProcessorCollateral { get; } = new("--cpu-collateral") { Description = "take the processors' collateral from this file or folder", HelpName = "FILE|DIR" };

    public Option<string> Channel { get; } = ChannelOption();

    public Option<string[]> CertIds { get; } = new("--certid")
    {
        Description = "CertID hash algorithms to fetch OCSP answers for: NVIDIA's Python verifier asks with sha384, all others with sha1",
        DefaultValueFactory = _ => ["sha1"],
        AllowMultipleArgumentsPerToken = true,
    };

    public UpstreamArguments Upstreams { get; } = new();

    public Option<string?> Anchors { get; } = AnchorsFile.Option();

    public Option<string> Format { get; } = Options.Format();

    /// <summary>Those that serve evidence of one kind alone.</summary>
    public IEnumerable<(Option Option, EvidenceKinds Of)> ByEvidence => [(RimStore, EvidenceKinds.Devices), (OcspStore, EvidenceKinds.Devices), (ProcessorCollateral, EvidenceKinds.Processor), .. Upstreams.ByEvidence];

    public IEnumerable<Option> All =>
        [For, Ids, Learn, Out, Keys, Created, Sequence, Cache, RimStore, OcspStore, ProcessorCollateral, Channel, CertIds, .. Upstreams.All, Anchors, Format];

    /// <summary>For every command that names a processor's items.</summary>
    public static Option<string> ChannelOption()
    {
        Option<string> option = new("--tcb-update") { Description = "Intel's channel of TCB recoveries", DefaultValueFactory = _ => ProcessorNeeds.StandardChannel };
        return option.OneOf(ProcessorNeeds.StandardChannel, ProcessorNeeds.EarlyChannel);
    }
}
