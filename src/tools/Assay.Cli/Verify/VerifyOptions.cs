using System.CommandLine;
using Assay.Cli.Bundles;
using Assay.Cli.Collateral;

namespace Assay.Cli.Verify;

/// <summary>The options of <c>assay verify</c>.</summary>
internal sealed class VerifyOptions
{
    /// <summary>A leap year.</summary>
    public const int MostCollateralHours = 366 * 24;

    /// <summary>An hour for all services together.</summary>
    public const int MostSeconds = 3600;

    private const int MostTokenSeconds = 24 * 60 * 60;

    public VerifyOptions()
    {
        Claims.OneOf("4.0", "3.0", "2.0", "legacy");
        TokenFormat.OneOf("eat", "assay-eat", "nvidia-ear", "trustee-ear");
    }

    public MachineOptions Machine { get; } = new();

    public Option<string[]> Evidence { get; } = new("--evidence")
    {
        Description = "evidence files: nvattest JSON, CMW JSON, or a bundle with a processor and key too (docs/reference/machines.md); - for standard input",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "FILE",
    };

    public Option<string?> Report { get; } = new("--report") { Description = "a report alone: binary, hexadecimal or base64", HelpName = "FILE" };

    public Option<string?> Chain { get; } = new("--chain") { Description = "the PEM chain of --report", HelpName = "FILE" };

    public Option<string?> Nonce { get; } = new("--nonce") { Description = "the challenge that every device must answer; without it freshness is not proven. With a key, the processor must answer it too: give the challenge as the guest received it", HelpName = "HEX|TEXT" };

    public Option<string?> RimStore { get; } = new("--rim-store") { Description = "folder with <id>.xml", HelpName = "DIR" };

    public Option<string?> RimUrl { get; } = ServiceWords.Optional("--rim-url", "RIM service", ServiceWords.Nvidia);

    public Option<string?> OcspUrl { get; } = ServiceWords.Optional("--ocsp-url", "OCSP responder", ServiceWords.Nvidia);

    public Option<string?> OcspStore { get; } = new("--ocsp-store") { Description = "folder with OCSP responses in DER, found by CertID", HelpName = "DIR" };

    public Option<string?> IntelUrl { get; } = ServiceWords.Optional("--intel-url", "Intel's PCS or a PCCS, for a TDX quote's collateral", ServiceWords.Intel);

    public Option<string?> AmdUrl { get; } = ServiceWords.Optional("--amd-url", "AMD's KDS, for an SNP report's collateral", ServiceWords.Amd);

    public Option<string?> CollateralUrl { get; } = new("--collateral-url") { Description = "one proxy for everything that no other option names (assay collateral serve)", HelpName = "URL" };

    /// <summary>Those that name a service to ask.</summary>
    public IEnumerable<Option<string?>> Urls => [RimUrl, OcspUrl, IntelUrl, AmdUrl, CollateralUrl];

    /// <summary>Those that serve evidence of one kind alone.</summary>
    public IEnumerable<(Option Option, EvidenceKinds Of)> ByEvidence =>
    [
        (RimStore, EvidenceKinds.Devices), (RimUrl, EvidenceKinds.Devices), (OcspStore, EvidenceKinds.Devices), (OcspUrl, EvidenceKinds.Devices), (AcceptHeld, EvidenceKinds.Devices), (RequireFwid, EvidenceKinds.Devices),
        (IntelUrl, EvidenceKinds.Tdx), (Machine.AcceptSeptVe, EvidenceKinds.Tdx), (Machine.AcceptTextAfter, EvidenceKinds.Tdx), (Machine.AcceptTcbFrom, EvidenceKinds.Tdx), (Machine.AcceptTcbGrace, EvidenceKinds.Tdx), (Machine.RefuseAdvisory, EvidenceKinds.Tdx),
        (AmdUrl, EvidenceKinds.Snp), (Machine.AcceptVlek, EvidenceKinds.Snp), (Machine.AcceptMaskedChipId, EvidenceKinds.Snp),
    ];

    public Option<string?> Bundle { get; } = new("--bundle") { Description = "take all collateral from this signed file (assay bundle create); folders and addresses of other sources do not go with it", HelpName = "FILE" };

    public BundleTrust BundleTrust { get; } = new();

    public Option<bool> SkipRevocation { get; } = new("--dangerously-skip-revocation") { Description = "do not ask about revocation; the verdict says so" };

    public Option<bool> AcceptHeld { get; } = new("--dangerously-accept-held-rim-signer") { Description = "tolerate certificateHold on RIM signers; the verdict says so" };

    public Option<bool> RequireFwid { get; } = new("--require-fwid") { Description = "refuse firmware that reports no FWID" };

    public Option<int> MostAgeHours { get; } = new Option<int>("--max-collateral-age") { Description = "refuse OCSP answers, revocation lists, TCB information and QE identities that are older, even within their validity; 0: no limit", HelpName = "HOURS", DefaultValueFactory = _ => 0 }.Within(0, MostCollateralHours);

    public Option<int> Timeout { get; } = new Option<int>("--timeout") { Description = "the time limit in seconds for all fetching; whatever did not arrive counts as missing", HelpName = "SECONDS", DefaultValueFactory = _ => 60 }.Within(1, MostSeconds);

    public Option<string?> At { get; } = new("--at") { Description = "judge at this instant instead of now; the verdict says so", HelpName = "RFC3339" };

    public Option<string?> Anchors { get; } = new("--anchors") { Description = "trust these roots instead of those built in (NVIDIA's, Intel's, AMD's)", HelpName = "FILE" };

    public Option<string> Claims { get; } = new("--claims") { Description = "version of NVIDIA's claims in JSON: 4.0, 3.0, 2.0 or legacy (x-nv-gpu-*)", DefaultValueFactory = _ => "4.0" };

    public Option<string[]> Policy { get; } = new("--policy")
    {
        Description = "apply this policy to the claims: .rego files, with .json data beside them, or folders of both; or one .json of NVIDIA's (authorization-rules). The verdict says what the policy allowed",
        HelpName = "FILE|DIR",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<string?> PolicyInputOut { get; } = new("--policy-input-out") { Description = "write what a policy in Rego sees (its input) to this file", HelpName = "FILE" };

    public Option<string?> Query { get; } = new("--query") { Description = "the rule of a Rego policy that decides, for example data.policy.allow", HelpName = "RULE" };

    public Option<string?> PolicyData { get; } = new("--policy-data") { Description = "base documents of a Rego policy: one JSON object, under data", HelpName = "FILE" };

    public Option<string?> EatOut { get; } = new("--eat-out") { Description = "also write the verdict as a signed token", HelpName = "FILE" };

    public Option<string?> SigningKey { get; } = new("--signing-key") { Description = "the key that signs it: P-384, P-256 or RSA, PEM", HelpName = "FILE" };

    public Option<string?> Issuer { get; } = new("--issuer") { Description = "the issuer to state: an https URL, or http on this machine", HelpName = "URI" };

    public Option<string?> Audience { get; } = new("--audience") { Description = "the audience", HelpName = "A" };

    public Option<int> TokenLifetime { get; } = new Option<int>("--token-lifetime") { Description = "lifetime, in seconds", HelpName = "SECONDS", DefaultValueFactory = _ => 3600 }.Within(1, MostTokenSeconds);

    public Option<string> TokenFormat { get; } = new("--token-format") { Description = "its form: eat (a bundle), assay-eat (one JWT), nvidia-ear or trustee-ear", DefaultValueFactory = _ => "eat" };

    public Option<string?> FailOnWeakened { get; } = new("--fail-on-weakened")
    {
        Description = "exit 1 if the verdict passes but is weakened, by any of these names or by anything",
        Arity = ArgumentArity.ZeroOrOne,
        HelpName = "NAME,…",
    };

    public Option<string?> AcceptWeakened { get; } = new("--accept-weakened") { Description = "exit 1 if the verdict passes but is weakened by any name other than these; \"\" accepts none", HelpName = "NAME,…" };

    public Option<string?> Config { get; } = new("--config") { Description = "your expectations in one file (YAML or JSON; assay init writes one); options given with it override it", HelpName = "FILE" };

    public Option<bool> Verbose { get; } = new("--verbose", "-v") { Description = "show every check of every device" };

    public Option<string> Format { get; } = Options.Format();

    /// <summary>All of them, by what they are about.</summary>
    public IReadOnlyList<(string Title, IReadOnlyList<Option> Options)> Groups =>
    [
        ("Evidence", [Evidence, Report, Chain, Machine.ProcessorEvidence, Machine.EventLog]),
        ("What it must answer", [Nonce, Machine.TeePubkey, Machine.ReportData]),
        ("What is expected (or in one file: --config)", [Config, Machine.Expect, Machine.RequireBinding, Machine.ReferenceValues, Machine.ReferenceKeys, Machine.ReferenceSequence, Machine.GpuPolicy, Machine.BootPhase, Machine.GateRegister, Machine.RequireSecureBoot, RequireFwid, Machine.AcceptVlek, Machine.RefuseAdvisory, Anchors, At]),
        ("Where collateral comes from", [RimUrl, RimStore, OcspUrl, OcspStore, IntelUrl, AmdUrl, CollateralUrl, Machine.ProcessorCollateral, Bundle, .. BundleTrust.All, MostAgeHours, Timeout]),
        ("What decides", [Policy, Query, PolicyData, PolicyInputOut, FailOnWeakened, AcceptWeakened]),
        ("Options that weaken the verdict, which says so", [SkipRevocation, AcceptHeld, Machine.AcceptBinding, Machine.AcceptTcb, Machine.AcceptTcbFrom, Machine.AcceptTcbGrace, Machine.AcceptMaskedChipId, Machine.AcceptDebug, Machine.AcceptSeptVe, Machine.AcceptTextAfter]),
        ("Output", [Format, Verbose, Claims]),
        ("A token of the verdict", [EatOut, SigningKey, Issuer, Audience, TokenLifetime, TokenFormat]),
    ];

    public IEnumerable<Option> All =>
    [
        Evidence, Report, Chain, Nonce, RimStore, RimUrl, OcspUrl, OcspStore, IntelUrl, AmdUrl, CollateralUrl, Bundle, .. BundleTrust.All, SkipRevocation, AcceptHeld, RequireFwid, .. Machine.All, MostAgeHours, Timeout, At, Anchors, Claims, Policy, Query, PolicyData, PolicyInputOut,
        EatOut, SigningKey, Issuer, Audience, TokenLifetime, TokenFormat, FailOnWeakened, AcceptWeakened, Config, Verbose, Format,
    ];
}
