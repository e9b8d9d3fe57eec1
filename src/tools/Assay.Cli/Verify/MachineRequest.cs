using System.Buffers;
using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>What a command line asks about a machine, with its files read.</summary>
/// <param name="Evidence">What is shown, with what options bring along.</param>
/// <param name="Expected">What is expected of it.</param>
/// <param name="Given">The processor's collateral that was given; null for none.</param>
internal sealed record MachineRequest(MachineEvidence Evidence, MachineExpectations Expected, ProcessorCollateral? Given)
{
    private const int GpuPolicySize = 48;
    private const int MostDays = 3650;
    private const string AdvisoryPrefix = "INTEL-SA-";

    /// <summary>Reads it.</summary>
    /// <param name="options">Of the command.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="shown">What the evidence files hold.</param>
    /// <param name="isRead">Whether every one of these files could be read: what follows from an unread one is no second fault.</param>
    /// <param name="nonce">The value of <c>--nonce</c>.</param>
    /// <param name="common">Time, anchors and revocation, and what is about devices alone.</param>
    /// <param name="refuse">Takes id and message of each fault.</param>
    public static MachineRequest Read(MachineOptions options, ParseResult parsed, MachineEvidence shown, bool isRead, string? nonce, MachineExpectations common, Action<string, string> refuse) =>
        new Reader(options, parsed, shown, nonce, refuse) { IsRead = isRead }.Read(common);

    private sealed class Reader(MachineOptions options, ParseResult parsed, MachineEvidence shown, string? nonce, Action<string, string> refuse)
    {
        public required bool IsRead { get; set; }

        private bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };

        public MachineRequest Read(MachineExpectations common)
        {
            var cpu = Cpu();
            var logs = Logs();
            var (jwk, isBound) = Key();
            // With a key the challenge is text, whatever becomes of the key.
            var isText = shown.Key is not null || parsed.GetValue(options.TeePubkey) is not null;
            var reportData = ReportDataOf(isBound);
            var references = References(common.Basis.Time);
            // A nonce that nothing is asked about would look as if it had been answered.
            if (cpu is not null && jwk is null && nonce is not null && shown.Devices.IsEmpty && IsRead && parsed.GetValue(options.TeePubkey) is null)
            {
                refuse("cli.nonce", "--nonce: a processor alone answers none: give --tee-pubkey FILE with it, or the 64 bytes as --report-data");
            }

            var (gpus, switches) = Counts();
            var (required, accepted) = Bindings();
            ImmutableArray<TcbStatus> statuses = [.. (parsed.GetValue(options.AcceptTcb) ?? []).Select(Enum.Parse<TcbStatus>)];
            var (from, grace) = Terms(statuses);
            var expected = common with
            {
                Challenge = isText ? nonce : null,
                Nonce = isText ? null : ReadNonce(),
                Key = parsed.GetValue(options.TeePubkey) is null ? null : jwk,
                ReportData = reportData,
                References = references,
                Gpus = gpus,
                Switches = switches,
                RequireProcessor = options.AboutProcessors.Any(IsGiven),
                RequiredBinding = required,
                DangerouslyAcceptedBinding = accepted,
                RequireSecureBoot = parsed.GetValue(options.RequireSecureBoot),
                RequireLog = IsGiven(options.EventLog),
                AcceptVlek = parsed.GetValue(options.AcceptVlek),
                DangerouslyAcceptDebug = parsed.GetValue(options.AcceptDebug),
                DangerouslyAcceptSeptVe = parsed.GetValue(options.AcceptSeptVe),
                DangerouslyAcceptMaskedChipId = parsed.GetValue(options.AcceptMaskedChipId),
                DangerouslyAcceptTextBehindQuote = TextBehind(common.Basis.Time),
                DangerouslyAcceptedTcbStatuses = statuses,
                DangerouslyAcceptedTcbFrom = from,
                DangerouslyAcceptedTcbGrace = grace,
                RefusedAdvisories = Advisories(),
            };
            return new MachineRequest(shown with { Cpu = cpu, EventLogs = logs }, expected with { Gate = Gate(gpus, switches, references) }, CollateralOf(cpu));
        }

        private ProcessorEvidence? Cpu()
        {
            var file = parsed.GetValue(options.ProcessorEvidence);
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
            else if (ProcessorEvidence.TryParse(bytes, InputFile.NameOf(file), out var cpu, out var fault))
            {
                return cpu;
            }
            else
            {
                refuse("cpu.malformed", WrongFile.Message(
                    InputFile.NameOf(file), "--cpu-evidence", "a TDX quote or an SNP report (binary, hexadecimal, base64, or in JSON), or Azure's vTPM evidence", bytes,
                    fault.Field is "CPU evidence" ? fault.Problem : $"{fault.Field}: {fault.Problem}",
                    ContentKind.TdxQuote, ContentKind.SnpReport, ContentKind.ProcessorEvidence, ContentKind.AzureVtpm));
            }

            IsRead = false;
            return null;
        }

        private ProcessorCollateral? CollateralOf(ProcessorEvidence? cpu)
        {
            var path = parsed.GetValue(options.ProcessorCollateral);
            if (path is null)
            {
                return null;
            }

            if (cpu is null)
            {
                if (!IsRead)
                {
                    return null;
                }

                refuse("cli.cpu", "--cpu-collateral belongs to a processor's evidence: --cpu-evidence FILE, or a bundle with one");
            }
            else if (!File.Exists(path) && !Directory.Exists(path))
            {
                refuse("cli.file", $"--cpu-collateral: {path}: no such file or folder");
            }
            else if (ProcessorCollateralFiles.TryRead(path, cpu, out var collateral, out var passedOver, out var whyNot))
            {
                // They change no verdict, and what is missing may be in one of them.
                foreach (var other in passedOver)
                {
                    Output.Error("cli.unused", Printable.Of($"--cpu-collateral: not used: {other}"));
                }

                return collateral;
            }
            else
            {
                refuse("cpu.collateral", whyNot);
            }

            return null;
        }

        private ImmutableArray<ReadOnlyMemory<byte>> Logs()
        {
            var files = parsed.GetValue(options.EventLog) ?? [];
            var logs = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
            foreach (var file in files)
            {
                if (!InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
                {
                    refuse("cli.file", whyNot);
                }
                else if (!EventLog.TryParse(bytes, out _, out var fault) && FileContent.Of(bytes).Kind is not ContentKind.EventLog)
                {
                    refuse("log.malformed", WrongFile.Message(InputFile.NameOf(file), "--event-log", "an event log (CCEL, TCG or dstack's JSON)", bytes, $"{fault}", ContentKind.DstackTcbInfo));
                }
                else
                {
                    logs.Add(bytes);
                }
            }

            return logs.ToImmutable();
        }

        // The key, and whether it can be bound: said here with the option's name, and done by the verifier.
        private (ReadOnlyMemory<byte>? Jwk, bool IsBound) Key()
        {
            ReadOnlyMemory<byte>? jwk = shown.Key;
            if (parsed.GetValue(options.TeePubkey) is { } file)
            {
                if (!InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
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

            if ((nonce ?? shown.StatedNonce) is not { } challenge)
            {
                refuse("cli.nonce", "a key is bound together with a challenge: give --nonce CHALLENGE, as the guest received it");
            }
            else if (KeyBinding.TryCreate(challenge, key.Span, out _, out var fault))
            {
                return (key, true);
            }
            else
            {
                refuse("cli.tee-pubkey", $"--tee-pubkey: {WrongFile.Message(parsed.GetValue(options.TeePubkey) is { } given ? InputFile.NameOf(given) : "key", "it", "a public key (JWK)", key.Span, $"{fault}", ContentKind.PublicKey)}");
            }

            return (key, false);
        }

        private Nonce? ReadNonce()
        {
            if (nonce is not null)
            {
                if (Nonce.TryParse(nonce, out var value, out var fault))
                {
                    return value;
                }

                refuse("cli.nonce", $"--nonce: {fault.Problem}");
            }

            return null;
        }

        private ReportData? ReportDataOf(bool isBound)
        {
            var text = parsed.GetValue(options.ReportData);
            if (text is null)
            {
                return null;
            }

            if (isBound)
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
        private (GpuBinding? Required, GpuBinding? Accepted) Bindings()
        {
            var required = WeakeningOptions.Binding(parsed.GetValue(options.RequireBinding));
            var accepted = parsed.GetValue(options.AcceptBinding);
            if (required is not null && accepted is not null)
            {
                refuse("cli.binding", "--require-binding and --dangerously-accept-binding both say which binding is enough: give one of them");
            }

            return (required, accepted switch { "evidence-hash" => GpuBinding.EvidenceHash, "none" => GpuBinding.None, _ => null });
        }

        // They narrow what is accepted; without that they would read as if they accepted something.
        private (DateTimeOffset? From, TimeSpan? Grace) Terms(ImmutableArray<TcbStatus> statuses)
        {
            var (text, days) = (parsed.GetValue(options.AcceptTcbFrom), parsed.GetValue(options.AcceptTcbGrace));
            foreach (var (option, given) in new (Option, bool)[] { (options.AcceptTcbFrom, text is not null), (options.AcceptTcbGrace, days is not null) })
            {
                if (given && !statuses.Contains(TcbStatus.OutOfDate))
                {
                    refuse("cli.tcb", $"{option.Name} narrows --dangerously-accept-tcb OutOfDate, which is not given: give both, or neither");
                }
            }

            DateTimeOffset? from = null;
            if (text is not null)
            {
                if (Instant.TryReadDay(text, out var instant))
                {
                    from = instant;
                }
                else
                {
                    refuse("cli.tcb", $"{options.AcceptTcbFrom.Name}: a date is expected, for instance 2025-05-14 or 2025-05-14T00:00:00Z, found \"{text}\"");
                }
            }

            if (days is <= 0 or > MostDays)
            {
                refuse("cli.tcb", $"{options.AcceptTcbGrace.Name}: 1 to {MostDays} days are expected");
            }

            return (from, days is > 0 and <= MostDays ? TimeSpan.FromDays(days.Value) : null);
        }

        // For recordings: a machine that answers now has no need of it.
        private bool TextBehind(EvaluationTime time)
        {
            var accepted = parsed.GetValue(options.AcceptTextBehind);
            if (accepted && time.Source is TimeSource.System)
            {
                refuse("cli.at", $"{options.AcceptTextBehind.Name} is for recorded quotes, which are judged at their own time: give --at RFC3339 too");
            }

            return accepted;
        }

        // A name that no statement of Intel's can have would refuse nothing.
        private ImmutableArray<string> Advisories()
        {
            string[] ids = [.. parsed.GetValue(options.RefuseAdvisory) ?? []];
            foreach (var id in ids.Where(id => !(id.StartsWith(AdvisoryPrefix, StringComparison.OrdinalIgnoreCase) && id.Length == AdvisoryPrefix.Length + 5 && id.AsSpan(AdvisoryPrefix.Length).ContainsAnyExceptInRange('0', '9') is false)))
            {
                refuse("cli.advisory", $"{options.RefuseAdvisory.Name}: an advisory of Intel's is expected, for instance INTEL-SA-00837, found \"{id}\"");
            }

            return [.. ids];
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
                var how = keys is null && failed.Id is "reference.signature.valid" ? " (--reference-keys)" : "";
                refuse(failed.Id, $"--reference-values: {WrongFile.Message(InputFile.NameOf(file), "it", "reference values, as assay measure makes them", bytes, $"{failed.Reason}{how}{sides}", ContentKind.ReferenceManifest, ContentKind.SignedReferenceManifest)}");
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
                refuse("cli.reference-values", $"--reference-keys: {WrongFile.Message(InputFile.NameOf(file), "it", "a key set (JWKS) of public keys, as assay token jwks prints it", bytes, $"{fault}", ContentKind.KeySet)}");
            }

            return keys is not null;
        }

        private GateRequirement? Gate(int? gpus, int? switches, ReferenceValues? references)
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

            return GateRequirement.Of(policies.ToImmutable(), gpus, switches) with
            {
                Phase = parsed.GetValue(options.BootPhase) == "boot" ? BootPhase.Boot : BootPhase.Run,
                Register = register ?? GateRequirement.Rtmr,
            };
        }
    }
}
