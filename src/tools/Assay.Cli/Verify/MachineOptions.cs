using System.CommandLine;

namespace Assay.Cli.Verify;

/// <summary>The options of <c>assay verify</c> about processor, boot and key.</summary>
internal sealed class MachineOptions
{
    public MachineOptions()
    {
        AcceptBinding.AcceptOnlyFromAmong("evidence-hash", "none");
        AcceptTcb.AcceptOnlyFromAmong("SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded");
        BootPhase.AcceptOnlyFromAmong("run", "boot");
    }

    public Option<string?> ProcessorEvidence { get; } = new("--cpu-evidence")
    {
        Description = "the processor's evidence: TDX quote or SNP report (binary, hexadecimal, base64), Azure's vTPM JSON, dstack's JSON",
        HelpName = "FILE",
    };

    public Option<string?> ProcessorCollateral { get; } = new("--cpu-collateral")
    {
        Description = "what it needs: TDX collateral JSON, or a folder of Intel's or AMD's files (statements, chains, certificates, CRLs)",
        HelpName = "FILE|DIR",
    };

    public Option<string[]> EventLog { get; } = new("--event-log")
    {
        Description = "the boot log: dstack's JSON, CCEL or TCG; firmware's first, then the guest's",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "FILE",
    };

    public Option<string?> ReferenceValues { get; } = new("--reference-values") { Description = "known-good images, minimum TCB and accepted gpu-policies: a manifest of assay measure", HelpName = "FILE" };

    public Option<string?> ReferenceKeys { get; } = new("--reference-keys") { Description = "the keys that may sign it (JWKS); without them it must be unsigned, and the verdict says so", HelpName = "JWKS" };

    public Option<long> ReferenceSequence { get; } = new("--minimum-reference-sequence") { Description = "the lowest sequence of a manifest that is accepted", HelpName = "N" };

    public Option<string?> TeePubkey { get; } = new("--tee-pubkey") { Description = "the guest's public key (JWK) that devices and processor must vouch for; --nonce is then the challenge as text", HelpName = "FILE" };

    public Option<string?> ReportData { get; } = new("--report-data") { Description = "the 64 bytes that the processor (or Azure's vTPM quote) must have signed, where no key is given; --nonce alone is not asked of it", HelpName = "HEX" };

    public Option<string?> Expect { get; } = new("--expect") { Description = "how many devices must answer: gpus=8,switches=4", HelpName = "COUNTS" };

    public Option<string[]> GpuPolicy { get; } = new("--gpu-policy")
    {
        Description = "accepted digests of the boot gate's gpu-policy event (SHA-384)",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "HEX",
    };

    public Option<string> BootPhase { get; } = new("--boot-phase") { Description = "run: after the boundary (system-ready); boot: before it", DefaultValueFactory = _ => "run" };

    public Option<int?> GateRegister { get; } = new("--gate-register") { Description = "the PCR that the gate writes, 8 to 15, where the registers are a vTPM's; RTMR 3 otherwise", HelpName = "PCR" };

    public Option<bool> RequireSecureBoot { get; } = new("--require-secure-boot") { Description = "refuse a boot log that does not prove Secure Boot" };

    public Option<bool> AcceptVlek { get; } = new("--accept-vlek") { Description = "accept SNP reports under a VLEK, which names a cloud provider and no chip" };

    public Option<string?> RequireBinding { get; } = WeakeningOptions.RequireBinding();

    public Option<string?> AcceptBinding { get; } = new("--dangerously-accept-binding") { Description = "be content with evidence-hash or none where devices and processor are shown; the verdict says so", HelpName = "LEVEL" };

    public Option<string[]> AcceptTcb { get; } = new("--dangerously-accept-tcb")
    {
        Description = "accept this TCB status beside UpToDate; the verdict says so",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "STATUS",
    };

    public Option<string?> AcceptTcbFrom { get; } = new("--dangerously-accept-tcb-from") { Description = "with --dangerously-accept-tcb OutOfDate: of a TDX level with this tcbDate or a later one alone", HelpName = "DATE" };

    public Option<int?> AcceptTcbGrace { get; } = new("--dangerously-accept-tcb-grace") { Description = "with --dangerously-accept-tcb OutOfDate: for this many days after the TDX level's tcbDate alone", HelpName = "DAYS" };

    public Option<string[]> RefuseAdvisory { get; } = new("--refuse-advisory")
    {
        Description = "refuse a TDX platform whose TCB has this advisory, whatever status is accepted: INTEL-SA-00837",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "ID",
    };

    public Option<bool> AcceptMaskedChipId { get; } = new("--dangerously-accept-masked-chip-id") { Description = "accept an SNP report that masks its CHIP_ID (its VCEK must be given); it is never a known platform; the verdict says so" };

    public Option<bool> AcceptTextBehind { get; } = new("--dangerously-accept-text-behind-quote") { Description = "with --at: accept text behind a TDX quote, which nobody signed, as some recordings have it; the verdict says so" };

    public Option<bool> AcceptDebug { get; } = new("--dangerously-accept-debug") { Description = "accept a VM under debug, which its host reads; the verdict says so" };

    public Option<bool> AcceptSeptVe { get; } = new("--dangerously-accept-sept-ve") { Description = "accept a TD whose host can make it take #VE on its own pages (SEPT_VE_DISABLE clear), as Azure's are; the verdict says so" };

    /// <summary>Those that demand something of a processor, or allow it something: whoever gives one expects that one is shown.</summary>
    public IEnumerable<Option> AboutProcessors =>
    [
        ProcessorEvidence, ProcessorCollateral, EventLog, ReferenceValues, ReferenceKeys, ReferenceSequence, TeePubkey, ReportData, GpuPolicy, BootPhase, GateRegister, RequireSecureBoot, AcceptVlek,
        AcceptTcb, AcceptTcbFrom, AcceptTcbGrace, RefuseAdvisory, AcceptMaskedChipId, AcceptTextBehind, AcceptDebug, AcceptSeptVe, RequireBinding,
    ];

    public IEnumerable<Option> All => [.. AboutProcessors, Expect, AcceptBinding];
}
