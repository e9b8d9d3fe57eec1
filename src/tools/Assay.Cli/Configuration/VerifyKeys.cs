using System.Collections.Immutable;
using System.CommandLine;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Wire;

namespace Assay.Cli.Configuration;

/// <summary>Every key of a configuration of <c>assay verify</c>. The reader, the schema and <c>assay init</c> are all made from this list.</summary>
internal static class VerifyKeys
{
    /// <summary>The version of the format.</summary>
    public const int Version = 1;

    /// <summary>What each section is about, in order.</summary>
    public static ImmutableArray<(string Name, string About)> Sections =>
    [
        ("expect", "What must be shown. Evidence and nonce are given for each call, as options."),
        ("referenceValues", "Known-good images, and who may sign them (docs/reference/reference-values.md)."),
        ("collateral", "Where RIMs, revocation answers and certificates come from. Nothing is fetched unless an address is stated."),
        ("trust", "Whose roots are trusted; the manufacturers' are built in (assay anchors lists them)."),
        ("policy", "What decides about an authentic machine (docs/reference/policies.md)."),
        ("accept", "How weak a pass may be. Nothing is accepted that is not stated here."),
        ("output", "What is printed."),
    ];

    public static ImmutableArray<ConfigKey> Of(VerifyOptions options) =>
    [
        .. Expect(options, options.Machine), .. ReferenceValues(options.Machine), .. Collateral(options), .. TrustAndPolicy(options), .. Accept(options, options.Machine), .. Output(options),
    ];

    /// <summary>What is given for one call alone: never in a file, never in a variable.</summary>
    public static ImmutableArray<Option> OfOneCall(VerifyOptions options) =>
    [
        options.Config, options.Evidence, options.Report, options.Chain, options.Nonce, options.At, options.Machine.ProcessorEvidence, options.Machine.EventLog, options.Machine.TeePubkey, options.Machine.ReportData, options.Machine.AcceptTextAfter,
        options.FailOnWeakened, options.PolicyInputOut, options.EatOut, options.SigningKey, options.Issuer, options.Audience, options.TokenLifetime, options.TokenFormat,
    ];

    private static ConfigKey[] Expect(VerifyOptions options, MachineOptions machine) =>
    [
        new("expect.gpus", machine.Expect, ConfigKind.Number, "How many GPUs must answer.", "8") { PartOf = "gpus", Most = Limits.Devices },
        new("expect.switches", machine.Expect, ConfigKind.Number, "How many NVSwitches must answer.", "4") { PartOf = "switches", Most = Limits.Devices },
        new("expect.binding", machine.RequireBinding, ConfigKind.Word, "How devices must be bound to a confidential VM, at the least.", "boot-event") { Allowed = ["evidence-hash", "boot-event"], Question = "binding" },
        new("expect.gpuPolicies", machine.GpuPolicy, ConfigKind.Texts, "Accepted digests of the boot gate's gpu-policy event (SHA-384, hexadecimal).", $"[\"{new string('0', 96)}\"]"),
        new("expect.bootPhase", machine.BootPhase, ConfigKind.Word, "Whether the machine is asked after the boundary (system-ready) or before it.", "run") { Allowed = ["run", "boot"] },
        new("expect.gateRegister", machine.GateRegister, ConfigKind.Number, "The PCR that the gate writes, where the registers are a vTPM's.", "8") { Least = MachineOptions.LeastPcr, Most = MachineOptions.MostPcr },
        new("expect.secureBoot", machine.RequireSecureBoot, ConfigKind.Switch, "Refuse a boot log that does not prove Secure Boot.", "true"),
        new("expect.fwid", options.RequireFwid, ConfigKind.Switch, "Refuse firmware that reports no FWID.", "true"),
    ];

    private static ConfigKey[] ReferenceValues(MachineOptions machine) =>
    [
        new("referenceValues.file", machine.ReferenceValues, ConfigKind.Path, "The manifest.", "trainer.jws"),
        new("referenceValues.keys", machine.ReferenceKeys, ConfigKind.Path, "The keys that may sign it (JWKS).", "publisher.jwks"),
        new("referenceValues.minimumSequence", machine.ReferenceSequence, ConfigKind.Number, "The lowest sequence that is accepted.", "1") { Most = Limits.LargestSequence },
    ];

    private static ConfigKey[] Collateral(VerifyOptions options) =>
    [
        new("collateral.rimUrl", options.RimUrl, ConfigKind.Text, "RIM service: nvidia, none or a URL.", "nvidia") { MayBeVariable = true, Stated = "nvidia", Question = "rim" },
        new("collateral.rimStore", options.RimStore, ConfigKind.Path, "Folder with <id>.xml, in the place of rimUrl.", "rims") { MayBeVariable = true, Question = "rim" },
        new("collateral.ocspUrl", options.OcspUrl, ConfigKind.Text, "OCSP responder: nvidia, none or a URL.", "nvidia") { MayBeVariable = true, Stated = "nvidia", Question = "ocsp" },
        new("collateral.ocspStore", options.OcspStore, ConfigKind.Path, "Folder with OCSP responses in DER, in the place of ocspUrl.", "ocsp") { MayBeVariable = true, Question = "ocsp" },
        new("collateral.intelUrl", options.IntelUrl, ConfigKind.Text, "For TDX quotes: intel, none, or the URL of a PCCS.", "intel") { MayBeVariable = true },
        new("collateral.amdUrl", options.AmdUrl, ConfigKind.Text, "For SNP reports: amd, none or a URL.", "amd") { MayBeVariable = true },
        new("collateral.proxyUrl", options.CollateralUrl, ConfigKind.Text, "One proxy for all that no other key names (assay collateral serve).", "http://127.0.0.1:8093") { MayBeVariable = true },
        new("collateral.processor", options.Machine.ProcessorCollateral, ConfigKind.Path, "A processor's collateral: TDX JSON, or a folder of Intel's or AMD's files. It demands a processor.", "collateral"),
        new("collateral.bundle", options.Bundle, ConfigKind.Path, "One signed file instead of the folders and addresses of this section.", "rack7.bundle"),
        new("collateral.bundleKeys", options.BundleTrust.Keys, ConfigKind.Paths, "The keys that may sign bundles (JWKS).", "[site.jwks]"),
        new("collateral.bundleThreshold", options.BundleTrust.Threshold, ConfigKind.Number, "How many of them must have signed.", "1") { Least = 1 },
        new("collateral.minimumBundleSequence", options.BundleTrust.MinimumSequence, ConfigKind.Number, "The lowest sequence of a bundle that is accepted.", "1") { Most = Limits.LargestSequence },
        new("collateral.maximumAgeHours", options.MostAgeHours, ConfigKind.Number, "How old OCSP answers, revocation lists, TCB information and identities may be, in hours.", "24") { Least = 1, Most = VerifyOptions.MostCollateralHours },
        new("collateral.timeoutSeconds", options.Timeout, ConfigKind.Number, "How long services may take, all together, in seconds.", "60") { Least = 1, Most = VerifyOptions.MostSeconds, MayBeVariable = true },
    ];

    private static ConfigKey[] TrustAndPolicy(VerifyOptions options) =>
    [
        new("trust.anchors", options.Anchors, ConfigKind.Path, "Roots in the place of those built in.", "anchors.json"),
        new("policy.files", options.Policy, ConfigKind.Paths, "Rego (.rego), or NVIDIA's authorization-rules (.json).", "[policy.rego]"),
        new("policy.query", options.Query, ConfigKind.Text, "The rule of a Rego policy that decides.", "data.policy.allow"),
        new("policy.data", options.PolicyData, ConfigKind.Path, "Base documents of a Rego policy: one JSON object.", "data.json"),
    ];

    private static ConfigKey[] Accept(VerifyOptions options, MachineOptions machine) =>
    [
        new("accept.weakened", options.AcceptWeakened, ConfigKind.Words, "A pass that is weakened by any other name exits 1; [] accepts none. Add the names that you accept (assay explain NAME says what each leaves open).", "[gpu-binding-none, no-cpu-tee, processor-not-expected, boot-not-expected]")
        {
            Allowed = [.. WeakeningOptions.Known(WeakeningScope.VerdictsAndChannels)], PartOf = "", Question = "weakened", Stated = "[]",
        },
        new("accept.vlek", machine.AcceptVlek, ConfigKind.Switch, "Accept SNP reports under a VLEK, which names a cloud provider and no chip.", "true"),
        new("accept.dangerouslyAcceptBinding", machine.AcceptBinding, ConfigKind.Word, "Be content with this binding where devices and processor are shown.", "evidence-hash") { Allowed = ["evidence-hash", "none"], Question = "binding" },
        new("accept.dangerouslyAcceptTcb", machine.AcceptTcb, ConfigKind.Words, "TCB statuses that are accepted beside UpToDate.", "[SWHardeningNeeded]")
        {
            Allowed = ["SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded", "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"],
        },
        new("accept.dangerouslyAcceptTcbFrom", machine.AcceptTcbFrom, ConfigKind.Text, "With OutOfDate accepted: the lowest tcbDate.", "2025-01-01"),
        new("accept.dangerouslyAcceptTcbGraceDays", machine.AcceptTcbGrace, ConfigKind.Number, "With OutOfDate accepted: for so many days after the level's tcbDate.", "90") { Least = 1, Most = MachineOptions.MostGraceDays },
        new("accept.refusedAdvisories", machine.RefuseAdvisory, ConfigKind.Texts, "Intel advisories that refuse a platform, whatever its status.", "[INTEL-SA-00837]") { AddsUp = true },
        new("accept.dangerouslyAcceptMaskedChipId", machine.AcceptMaskedChipId, ConfigKind.Switch, "Accept an SNP report that masks its chip id.", "false"),
        new("accept.dangerouslyAcceptDebug", machine.AcceptDebug, ConfigKind.Switch, "Accept a VM in debug mode, whose memory its host can read.", "false"),
        new("accept.dangerouslyAcceptSeptVe", machine.AcceptSeptVe, ConfigKind.Switch, "Accept a TD with SEPT_VE_DISABLE clear, as Azure's are.", "false"),
        new("accept.dangerouslySkipRevocation", options.SkipRevocation, ConfigKind.Switch, "Do not ask about revocation.", "false") { Question = "ocsp" },
        new("accept.dangerouslyAcceptHeldRimSigner", options.AcceptHeld, ConfigKind.Switch, "Tolerate certificateHold on RIM signers.", "false"),
    ];

    private static ConfigKey[] Output(VerifyOptions options) =>
    [
        new("output.format", options.Format, ConfigKind.Word, "text for people, json for programs.", "text") { Allowed = ["text", "json"], MayBeVariable = true },
        new("output.claims", options.Claims, ConfigKind.Word, "Version of NVIDIA's claims in JSON.", "\"4.0\"") { Allowed = ["4.0", "3.0", "2.0", "legacy"], MayBeVariable = true },
        new("output.verbose", options.Verbose, ConfigKind.Switch, "Show every check of every device.", "false") { MayBeVariable = true },
    ];
}
