using System.Buffers;
using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Cpu;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>What a command line asks about processor, boot, key and counts, with its files read.</summary>
internal sealed class MachineRequest
{
    private const int GpuPolicySize = 48;

    private MachineRequest()
    {
    }

    /// <summary>Null where none is shown.</summary>
    public CpuEvidence? Cpu { get; private init; }

    public CpuCollateral Collateral { get; private init; } = CpuCollateral.Empty;
    public ImmutableArray<ReadOnlyMemory<byte>> Logs { get; private init; } = [];
    public KeyBinding? Key { get; private init; }
    public required CpuExpectations Processor { get; init; }
    public required BootExpectations Boot { get; init; }
    public required CompositeExpectations Whole { get; init; }

    /// <summary>Judges processor and boot beside the devices, and the whole.</summary>
    public Verdict Judge(AppraisalResult? devices, VerifierCache cache, RelyingPartyPolicy policy, ClaimsVersion claims) =>
        Verdict.Of(MachineAppraisal.Join(devices, Cpu, Logs, Collateral, Processor, Boot, cache), Whole, policy, claims);

    /// <summary>Reads it; null where nothing but devices is asked about.</summary>
    /// <param name="options">Of the command.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="shown">What the evidence files hold.</param>
    /// <param name="bundle">Where the processor's collateral is, unless <c>--cpu-collateral</c> names another place; null for none.</param>
    /// <param name="nonce">The value of <c>--nonce</c>.</param>
    /// <param name="common">Time, anchors and revocation, as for devices.</param>
    /// <param name="refuse">Takes id and message of each fault.</param>
    public static MachineRequest? Read(MachineOptions options, ParseResult parsed, MachineEvidence shown, VerifiedBundle? bundle, string? nonce, AppraisalExpectations common, Action<string, string> refuse)
    {
        var reader = new Reader(options, parsed, shown, bundle, nonce, refuse);
        return reader.IsAsked ? reader.Read(common) : null;
    }

    private sealed class Reader(MachineOptions options, ParseResult parsed, MachineEvidence shown, VerifiedBundle? bundle, string? nonce, Action<string, string> refuse)
    {
        public bool IsAsked => shown.Cpu is not null || shown.Key is not null || options.All.Any(IsGiven);

        private bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };

        public MachineRequest Read(AppraisalExpectations common)
        {
            var cpu = Cpu();
            var logs = Logs(cpu);
            var (key, challenged) = Key();
            var reportData = ReportDataOf(key);
            var references = References(common.Time);
            // A nonce that nothing is asked about would look as if it had been answered.
            if (cpu is not null && key is null && nonce is not null && shown.Devices.IsEmpty)
            {
                refuse("cli.nonce", "--nonce: a processor alone answers none: give --tee-pubkey FILE with it, or the 64 bytes as --report-data");
            }

            var whole = Whole(key is null ? nonce is not null || reportData is not null : challenged);
            whole = references is { IsSigned: false } ? whole with { Weakened = ["reference-values-unsigned"] } : whole;
            var gate = Gate(whole, references);
            return new MachineRequest
            {
                Cpu = cpu,
                Collateral = CollateralOf(cpu),
                Logs = logs,
                Key = key,
                Processor = new CpuExpectations
                {
                    Key = key,
                    AdditionalEvidence = AdditionalEvidence.Of(shown.Devices),
                    ReportData = reportData,
                    TdxReferences = references?.Tdx,
                    SnpReferences = references?.Snp,
                    SnpMinimumTcb = references?.MinimumTcb,
                    TpmReferences = references?.Tpm,
                    Registers = gate is { Register: var register and not 3 } ? [register] : [],
                    Time = common.Time,
                    Trust = common.Trust,
                    Revocation = common.Revocation,
                    AcceptVlek = parsed.GetValue(options.AcceptVlek),
                    DangerouslyAcceptDebug = parsed.GetValue(options.AcceptDebug),
                    DangerouslyAcceptSeptVe = parsed.GetValue(options.AcceptSeptVe),
                    DangerouslyAcceptedTcbStatuses = [.. (parsed.GetValue(options.AcceptTcb) ?? []).Select(Enum.Parse<TcbStatus>)],
                },
                Boot = new BootExpectations { RequireSecureBoot = parsed.GetValue(options.RequireSecureBoot), RequireLog = IsGiven(options.EventLog), Gate = gate },
                Whole = whole,
            };
        }

        private CpuEvidence? Cpu()
        {
            var file = parsed.GetValue(options.CpuEvidence);
            if (file is null)
            {
                return shown.Cpu;
            }

            if (shown.Cpu is not null)
            {
                refuse("cli.cpu", "--cpu-evidence, and an evidence file with a processor's in it: give one of them");
            }

            if (!InputFile.TryRead(file, 4 * Limits.AzureEvidenceBytes, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
            }
            else if (CpuEvidence.TryParse(bytes, InputFile.NameOf(file), out var cpu, out var fault))
            {
                return cpu;
            }
            else
            {
                refuse("cpu.malformed", $"{InputFile.NameOf(file)}: {fault.Problem}");
            }

            return null;
        }

        private CpuCollateral CollateralOf(CpuEvidence? cpu)
        {
            var path = parsed.GetValue(options.CpuCollateral);
            if (path is null)
            {
                return cpu is not null && bundle is not null ? bundle.CollateralOf(cpu) : CpuCollateral.Empty;
            }

            if (cpu is null)
            {
                refuse("cli.cpu", "--cpu-collateral belongs to a processor's evidence: --cpu-evidence FILE, or a bundle with one");
            }
            else if (!File.Exists(path) && !Directory.Exists(path))
            {
                refuse("cli.file", $"--cpu-collateral: {path}: no such file or folder");
            }
            else if (CpuCollateralFiles.TryRead(path, cpu, out var collateral, out var whyNot))
            {
                return collateral;
            }
            else
            {
                refuse("cpu.collateral", whyNot);
            }

            return CpuCollateral.Empty;
        }

        private ImmutableArray<ReadOnlyMemory<byte>> Logs(CpuEvidence? cpu)
        {
            var files = parsed.GetValue(options.EventLog) ?? [];
            var logs = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
            foreach (var file in files)
            {
                if (InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
                {
                    logs.Add(bytes);
                }
                else
                {
                    refuse("cli.file", whyNot);
                }
            }

            // A log that came inside the evidence is its own; one that is given by name counts instead.
            return files.Length == 0 && cpu?.EventLog is { } own ? [own] : logs.ToImmutable();
        }

        private (KeyBinding? Key, bool Challenged) Key()
        {
            ReadOnlyMemory<byte>? jwk = shown.Key;
            if (parsed.GetValue(options.TeePubkey) is { } file)
            {
                if (!InputFile.TryRead(file, Limits.JsonWebKeyBytes, out var bytes, out var whyNot))
                {
                    refuse("cli.file", whyNot);
                    return (null, false);
                }

                jwk = bytes;
            }

            if (jwk is not { } key)
            {
                return (null, false);
            }

            var challenge = nonce ?? shown.StatedNonce;
            if (challenge is null)
            {
                refuse("cli.nonce", "a key is bound together with a challenge: give --nonce CHALLENGE, as the guest received it");
                return (null, false);
            }

            if (KeyBinding.TryCreate(challenge, key.Span, out var binding, out var fault))
            {
                return (binding, nonce is not null);
            }

            refuse("cli.tee-pubkey", $"--tee-pubkey: {fault}");
            return (null, false);
        }

        private ReportData? ReportDataOf(KeyBinding? key)
        {
            var text = parsed.GetValue(options.ReportData);
            if (text is null)
            {
                return null;
            }

            if (key is not null)
            {
                refuse("cli.report-data", "--report-data, and a key: with a key the report data follow from challenge, key and device evidence");
            }

            if (TryReadHex(text, ReportData.Size, out var bytes) && ReportData.TryCreate(bytes, out var data))
            {
                return data;
            }

            refuse("cli.report-data", $"--report-data: {2 * ReportData.Size} hexadecimal digits are expected, found {text.Length} characters");
            return null;
        }

        // Nothing of it follows from what is shown: the evidence chooses nothing by leaving something out (S-10a).
        private CompositeExpectations Whole(bool challenged)
        {
            var (gpus, switches) = Counts();
            var required = WeakeningOptions.Binding(parsed.GetValue(options.RequireBinding));
            var accepted = parsed.GetValue(options.AcceptBinding);
            if (required is not null && accepted is not null)
            {
                refuse("cli.binding", "--require-binding and --dangerously-accept-binding both say which binding is enough: give one of them");
            }

            // A binding is a processor's word: who is content with no less than evidence-hash states one. Where nothing was said of any, none is
            // demanded, whether the evidence has one or not, and the verdict's weakenings say so.
            var isStated = accepted is "evidence-hash" || options.AboutProcessors.Any(IsGiven);
            return new CompositeExpectations
            {
                Gpus = gpus,
                Switches = switches,
                RequireProcessor = isStated,
                DangerouslyAcceptNoCpuTee = true,
                RequiredBinding = required,
                DangerouslyAcceptedBinding = accepted switch
                {
                    "evidence-hash" => GpuBinding.EvidenceHash,
                    "none" => GpuBinding.None,
                    _ => isStated ? GpuBinding.BootEvent : GpuBinding.None,
                },
                Challenged = challenged,
            };
        }

        private static bool TryReadHex(string text, int size, out byte[] bytes)
        {
            bytes = new byte[size];
            return text.Length == 2 * size && Convert.FromHexString(text, bytes, out _, out _) is OperationStatus.Done;
        }

        private (int? Gpus, int? Switches) Counts()
        {
            var text = parsed.GetValue(options.Expect);
            if (text is null)
            {
                return (null, null);
            }

            var counts = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var part in text.Split(','))
            {
                var sides = part.Split('=');
                if (sides is not [("gpus" or "switches"), _] || !int.TryParse(sides[1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > Limits.Devices || !counts.TryAdd(sides[0], count))
                {
                    refuse("cli.expect", $"--expect: gpus=N,switches=N is expected, each at most {Limits.Devices} and once, found {text}");
                    break;
                }
            }

            return (counts.TryGetValue("gpus", out var gpus) ? gpus : null, counts.TryGetValue("switches", out var switches) ? switches : null);
        }

        private ReferenceValues? References(EvaluationTime time)
        {
            var (file, keyFile) = (parsed.GetValue(options.ReferenceValues), parsed.GetValue(options.ReferenceKeys));
            if (file is null)
            {
                if (keyFile is not null || parsed.GetResult(options.ReferenceSequence) is { Implicit: false })
                {
                    refuse("cli.reference-values", "--reference-keys and --minimum-reference-sequence belong to --reference-values FILE");
                }

                return null;
            }

            var sequence = parsed.GetValue(options.ReferenceSequence);
            JsonWebKeySet? keys = null;
            if (sequence < 0)
            {
                refuse("cli.reference-values", "--minimum-reference-sequence: 0 or more is expected");
            }
            else if (keyFile is not null && !TryReadKeys(keyFile, out keys))
            {
                // Said there.
            }
            else if (!InputFile.TryRead(file, Limits.JwsCharacters, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
            }
            else if (ReferenceValues.TryRead(bytes, keys, time, sequence, out var values, out var findings))
            {
                return values;
            }
            else
            {
                var failed = findings.First(finding => finding.State is CheckState.Failed);
                var sides = (failed.Found, failed.Expected) is ({ } found, { } expected) ? $": found {found}, expected {expected}" : "";
                refuse(failed.Id, $"--reference-values: {InputFile.NameOf(file)}: {failed.Reason}{sides}");
            }

            return null;
        }

        private bool TryReadKeys(string file, [NotNullWhen(true)] out JsonWebKeySet? keys)
        {
            keys = null;
            if (!InputFile.TryRead(file, Limits.KeySetBytes, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
            }
            else if (!JsonWebKeySet.TryParse(bytes, out keys, out var fault))
            {
                refuse("cli.reference-values", $"--reference-keys: {InputFile.NameOf(file)}: a key set (JWKS) of public keys is expected, as assay token jwks prints it: {fault}");
            }

            return keys is not null;
        }

        private GateRequirement? Gate(CompositeExpectations whole, ReferenceValues? references)
        {
            var texts = parsed.GetValue(options.GpuPolicy) ?? [];
            var policies = ImmutableArray.CreateBuilder<Digest>();
            policies.AddRange(references?.GpuPolicies ?? []);
            foreach (var text in texts)
            {
                if (TryReadHex(text, GpuPolicySize, out var bytes))
                {
                    policies.Add(new Digest(bytes));
                }
                else
                {
                    refuse("cli.gpu-policy", "--gpu-policy: 96 hexadecimal digits (SHA-384) are expected");
                }
            }

            var register = parsed.GetValue(options.GateRegister);
            if (policies.Count == 0)
            {
                if (IsGiven(options.GateRegister) || IsGiven(options.BootPhase))
                {
                    refuse("cli.gpu-policy", "--gate-register and --boot-phase are about a gate: name what it may have expected, with --gpu-policy or in --reference-values");
                }

                return null;
            }

            return new GateRequirement
            {
                Phase = parsed.GetValue(options.BootPhase) == "boot" ? BootPhase.Boot : BootPhase.Run,
                Register = register ?? 3,
                Policies = policies.ToImmutable(),
                Outcome = whole is { Gpus: 0, Switches: 0 or null } ? GateOutcome.NoGpu : GateOutcome.Attested,
                Devices = null,
            };
        }
    }
}
