using System.CommandLine;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>The options of <c>assay verify</c> about processor, boot and key.</summary>
internal sealed class MachineOptions
{
    /// <summary>The PCRs that a gate may write: those before are firmware's, and software resets some of those behind.</summary>
    public const int LeastPcr = 8;

    /// <summary>The last of them.</summary>
    public const int MostPcr = 15;

    /// <summary>The longest grace for a TCB that is out of date.</summary>
    public const int MostGraceDays = 3650;

    public MachineOptions()
    {
        AcceptBinding.OneOf("evidence-hash", "none");
        AcceptTcb.OneOf("SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded");
        BootPhase.OneOf("run", "boot");
    }

    public Option<string?> ProcessorEvidence { get; } = new("--cpu-evidence")
    {
        Description = "processor evidence: TDX quote or SNP report (binary, hexadecimal, base64), Azure's vTPM JSON, dstack's JSON",
        HelpName = "FILE",
    };

    public Option<string?> ProcessorCollateral { get; } = new("--cpu-collateral")
    {
        Description = "collateral for it: TDX collateral JSON, or a folder of Intel's or AMD's files (statements, chains, certificates, CRLs)",
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

    public Option<long> ReferenceSequence { get; } = new Option<long>("--minimum-reference-sequence") { Description = "the lowest manifest sequence to accept", HelpName = "N" }.Within(0, Limits.LargestSequence);

    public Option<string?> TeePubkey { get; } = new("--tee-pubkey") { Description = "the guest's public key (JWK) that devices and processor must have signed for; --nonce is then the challenge as text", HelpName = "FILE" };

    public Option<string?> ReportData { get; } = new("--report-data") { Description = "the 64 bytes that the processor (or Azure's vTPM quote) must have signed, where no key is given; --nonce alone does not apply to it", HelpName = "HEX" };

    public Option<string?> Expect { get; } = new("--expect") { Description = "how many devices must answer: gpus=8,switches=4", HelpName = "COUNTS" };

    public Option<string[]> GpuPolicy { get; } = new("--gpu-policy")
    {
        Description = "accepted digests of the boot gate's gpu-policy event (SHA-384)",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "HEX",
    };

    public Option<string> BootPhase { get; } = new("--boot-phase") { Description = "run: after the boundary (system-ready); boot: before it", DefaultValueFactory = _ => "run" };

    public Option<int?> GateRegister { get; } = new Option<int?>("--gate-register") { Description = "the PCR that the gate writes, 8 to 15, where the registers are a vTPM's; RTMR 3 otherwise", HelpName = "PCR" }.Within(LeastPcr, MostPcr);

    public Option<bool> RequireSecureBoot { get; } = new("--require-secure-boot") { Description = "refuse a boot log that does not prove Secure Boot" };

    public Option<bool> AcceptVlek { get; } = new("--accept-vlek") { Description = "accept SNP reports under a VLEK, which names a cloud provider and no chip" };

    public Option<string?> RequireBinding { get; } = WeakeningOptions.RequireBinding();

    public Option<string?> AcceptBinding { get; } = new("--dangerously-accept-binding") { Description = "accept the binding evidence-hash or none when both devices and processor are shown; the verdict says so", HelpName = "LEVEL" };

    public Option<string[]> AcceptTcb { get; } = new("--dangerously-accept-tcb")
    {
        Description = "accept this TCB status beside UpToDate; the verdict says so",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "STATUS",
    };

    public Option<string?> AcceptTcbFrom { get; } = new("--dangerously-accept-tcb-from") { Description = "with --dangerously-accept-tcb OutOfDate: only TDX levels with this tcbDate or later", HelpName = "DATE" };

    public Option<int?> AcceptTcbGrace { get; } = new Option<int?>("--dangerously-accept-tcb-grace") { Description = "with --dangerously-accept-tcb OutOfDate: only for this many days after the TDX level's tcbDate", HelpName = "DAYS" }.Within(1, MostGraceDays);

    public Option<string[]> RefuseAdvisory { get; } = new("--refuse-advisory")
    {
        Description = "refuse a TDX platform whose TCB has this advisory, whatever status is accepted: INTEL-SA-00837",
        AllowMultipleArgumentsPerToken = true,
        HelpName = "ID",
    };

    public Option<bool> AcceptMaskedChipId { get; } = new("--dangerously-accept-masked-chip-id") { Description = "accept an SNP report that masks its CHIP_ID (its VCEK must be given); it is never a known platform; the verdict says so" };

    public Option<bool> AcceptTextAfter { get; } = new("--dangerously-accept-text-after-quote") { Description = "with --at: accept text after a TDX quote, which nobody signed, as some recordings have it; the verdict says so" };

    public Option<bool> AcceptDebug { get; } = new("--dangerously-accept-debug") { Description = "accept a VM in debug mode, whose memory its host can read; the verdict says so" };

    public Option<bool> AcceptSeptVe { get; } = new("--dangerously-accept-sept-ve") { Description = "accept a TD whose host can inject #VE (SEPT_VE_DISABLE clear), as on Azure; the verdict says so" };

    /// <summary>Those that demand something of a processor, or allow it something: whoever gives one expects that one is shown.</summary>
    public IEnumerable<Option> AboutProcessors =>
    [
        ProcessorEvidence, ProcessorCollateral, EventLog, ReferenceValues, ReferenceKeys, ReferenceSequence, TeePubkey, ReportData, GpuPolicy, BootPhase, GateRegister, RequireSecureBoot, AcceptVlek,
        AcceptTcb, AcceptTcbFrom, AcceptTcbGrace, RefuseAdvisory, AcceptMaskedChipId, AcceptTextAfter, AcceptDebug, AcceptSeptVe, RequireBinding,
    ];

    public IEnumerable<Option> All => [.. AboutProcessors, Expect, AcceptBinding];
}
