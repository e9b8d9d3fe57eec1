using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Appraisal.Boot;

/// <summary>The questions put to a boot log: is it the one that was measured, what did firmware do, and what did our gate write.</summary>
internal static class BootAppraisal
{
    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_log =
    [
        new(Checks.CheckIds.BootLogWellformed, LogIsWellFormed),
        new(Checks.CheckIds.BootLogReplayed, LogIsReplayed),
        new(Checks.CheckIds.BootLogSeparators, SeparatorsAreSound),
        new(Checks.CheckIds.BootLogDataMatch, DataMatch),
        new(Checks.CheckIds.BootSecureBootOn, SecureBootIsOn),
        new(Checks.CheckIds.BootEventsExplained, EventsAreExplained),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_gate =
    [
        new(Checks.CheckIds.BootRegisterInTee, RegisterIsInTee),
        new(Checks.CheckIds.BootEventsOnce, candidate => Grammar(candidate, GrammarRule.Once)),
        new(Checks.CheckIds.BootEventsOrder, candidate => Grammar(candidate, GrammarRule.Order)),
        new(Checks.CheckIds.BootEventsTyped, candidate => Grammar(candidate, GrammarRule.Typed)),
        new(Checks.CheckIds.BootEventsInTime, candidate => Grammar(candidate, GrammarRule.Late)),
        new(Checks.CheckIds.BootGateComplete, candidate => Grammar(candidate, GrammarRule.Complete)),
        new(Checks.CheckIds.BootBoundaryMatch, candidate => Grammar(candidate, GrammarRule.Boundary)),
        new(Checks.CheckIds.BootGpuPolicyAccepted, PolicyIsAccepted),
        new(Checks.CheckIds.BootGpuAttested, GpusAreAttested),
        new(Checks.CheckIds.BootGpuCcOn, CcIsOn),
        new(Checks.CheckIds.BindingBootDevices, DevicesAreTheSame),
        new(Checks.CheckIds.BootModelMatch, candidate => Named(candidate, candidate.Gate!.Model, candidate.Record!.Model?.Digest, "model")),
        new(Checks.CheckIds.BootWorkloadMatch, candidate => Named(candidate, candidate.Gate!.Workload, candidate.Record!.Workload?.Digest, "workload")),
    ];

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => s_log.Concat(s_gate).Select(check => check.Id);

    /// <summary>Judges a log against register values that were signed.</summary>
    /// <param name="log">The log as it was given, in any form.</param>
    /// <param name="quoted">Registers of a TD quote or a TPM quote that verified.</param>
    /// <param name="expected">What the relying party expects.</param>
    public static BootResult Appraise(ReadOnlyMemory<byte> log, QuotedRegisters quoted, BootExpectations expected)
    {
        ArgumentNullException.ThrowIfNull(quoted);
        ArgumentNullException.ThrowIfNull(expected);
        var read = EventLog.TryParse(log.Span, out var parsed, out var fault);
        return Judge(new Candidate(quoted, expected) { Parsed = read ? parsed : null, Fault = fault });
    }

    /// <summary>Judges a log that was read, for instance two that were joined by <see cref="EventLog.Then"/>.</summary>
    public static BootResult Appraise(EventLog log, QuotedRegisters quoted, BootExpectations expected)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(quoted);
        ArgumentNullException.ThrowIfNull(expected);
        return Judge(new Candidate(quoted, expected) { Parsed = log });
    }

    /// <summary>
    /// A log with nothing signed to compare it with. Where the evidence could have had registers and is not authentic, that is its own
    /// failure, and stops here; where it has none, the log says nothing, and that is this one's.
    /// </summary>
    /// <param name="reason">Why there is no register.</param>
    /// <param name="stopped">Whether the reason is another part's failure.</param>
    public static BootResult WithoutRegisters(string reason, bool stopped)
    {
        var log = (stopped ? Outcome.Stopped(reason) : Outcome.Failed(reason)).Named(Checks.CheckIds.BootLogReplayed);
        return new BootResult
        {
            Findings = [.. CheckIds.Select(id => id == log.Id ? log : Outcome.Stopped(reason).Named(id))],
            Log = null,
            Facts = null,
            Record = null,
            CarriesBootEvent = false,
        };
    }

    /// <summary>A log that is looked at by nobody, and of which nothing is demanded.</summary>
    internal static BootResult NotBelieved(string reason) => new()
    {
        Findings = [.. CheckIds.Select(id => Outcome.NotApplicable(reason).Named(id))],
        Log = null,
        Facts = null,
        Record = null,
        CarriesBootEvent = false,
    };

    private static BootResult Judge(Candidate candidate)
    {
        var findings = ImmutableArray.CreateBuilder<Finding>();
        findings.AddRange(s_log.Select(check => check.Ask(candidate)));
        var whyNot = candidate.Gate is null ? Outcome.NotApplicable("no boot gate is expected")
            : candidate.Record is null ? Outcome.Stopped("the log could not be compared with what was signed")
            : !candidate.Log!.Replayed.Contains(candidate.Gate.Register) ? Outcome.Stopped($"the log does not explain {candidate.RegisterName(candidate.Gate.Register)}, where the gate writes")
            : (Outcome?)null;
        findings.AddRange(s_gate.Select(check => whyNot is { } outcome ? outcome.Named(check.Id) : check.Ask(candidate)));

        var all = findings.ToImmutable();
        return new BootResult
        {
            Findings = all,
            Log = candidate.Log,
            Facts = candidate.Facts,
            Record = candidate.Record,
            CarriesBootEvent = whyNot is null && candidate.Record is { Attestation: not null } && candidate.Gate!.Outcome is GateOutcome.Attested
                && all.All(finding => finding.State is not CheckState.Failed) && all.Single(finding => finding.Id == Checks.CheckIds.BootRegisterInTee).State is CheckState.Held,
        };
    }

    private static Outcome LogIsWellFormed(Candidate candidate) => candidate.Parsed is { } log
        ? Outcome.Held($"{log.Form}, {log.Events.Length} events")
        : Outcome.Failed(candidate.Fault!.ToString());

    private static Outcome LogIsReplayed(Candidate candidate)
    {
        if (candidate.Parsed is not { } parsed)
        {
            return Outcome.Stopped("the log could not be read");
        }

        if (!AuthenticEventLog.TryReplay(parsed, candidate.Quoted, out var log, out var whyNot))
        {
            return Outcome.Failed(whyNot);
        }

        candidate.Log = log;
        candidate.Facts = BootFacts.Of(log);
        candidate.Record = candidate.Gate is { } gate ? BootRecord.Read(log, gate.Register, gate.Phase) : null;
        var unquoted = parsed.Events.Where(item => item.IsExtended && !candidate.Quoted.Values.ContainsKey(item.Register)).Select(item => item.Register).Distinct().Order().ToArray();
        return log.Mismatches is [var first, ..]
            ? Outcome.Failed(
                $"this log was not measured: {string.Join(", ", log.Mismatches.Select(item => candidate.RegisterName(item.Register)))} would have a different value; events are missing, added or altered",
                first.Replayed.ToString(), first.Quoted.ToString())
            : log.Replayed.IsEmpty ? Outcome.Failed("no signed register is explained by the log")
            : Outcome.Held(string.Join(", ", log.Replayed.Select(candidate.RegisterName)) + (unquoted.Length == 0 ? "" : $"; not quoted, so not believed: {string.Join(", ", unquoted.Select(candidate.RegisterName))}"));
    }

    // PC Client Platform Firmware Profile §3.3.4.3: firmware that fails extends another value, and what follows is no firmware's word.
    private static Outcome SeparatorsAreSound(Candidate candidate)
    {
        if (candidate.Log is not { } log)
        {
            return Outcome.Stopped("the log could not be compared with what was signed");
        }

        // By digest as well as by type: an error separator under another name is one all the same.
        // A type that is wrong makes more of them separators, never fewer: it hurts only the one who shows the log.
        var separators = log.Events.Where(item => item.Type == BootEventType.Separator || Separators.IsSound(log.DigestOf(item), log.Bank)).ToArray();
        var error = log.Bank.Of([1, 0, 0, 0]);
        var wrong = separators.FirstOrDefault(item => !Separators.IsSound(log.DigestOf(item), log.Bank)) ?? log.Events.FirstOrDefault(item => log.DigestOf(item) == error);
        // Several PCRs share an RTMR, and their separators with it.
        var twice = log.Quoted.Kind is RegisterKind.Pcr ? separators.GroupBy(item => item.Register).FirstOrDefault(group => group.Count() > 1) : null;
        return wrong is not null ? Outcome.Failed($"event {wrong.Number} is an error separator: firmware failed", log.DigestOf(wrong).ToString(), log.Bank.Of([0, 0, 0, 0]).ToString())
            : twice is not null ? Outcome.Failed($"{candidate.RegisterName(twice.Key)} has {twice.Count()} separators", $"{twice.Count()}", "1")
            : separators.Length == 0 ? Outcome.NotApplicable("the log has no separator")
            : Outcome.Held($"{separators.Length}");
    }

    private static Outcome DataMatch(Candidate candidate)
    {
        if (candidate.Log is not { } log)
        {
            return Outcome.Stopped("the log could not be compared with what was signed");
        }

        // Data may be left out of a log to make it smaller; then nothing is told, which is no lie. Types are not measured: whoever calls an
        // event something else escapes this check and gains nothing, for no check believes data without asking its digest.
        var covered = log.Events.Where(item => BootEventData.MustBeCovered(item) && !item.Data.IsEmpty).ToArray();
        var wrong = covered.Where(item => !BootEventData.IsCovered(item, log.Bank, log.Position)).ToArray();
        return wrong.Length > 0 ? Outcome.Failed($"the data of event {string.Join(", ", wrong.Take(8).Select(item => item.Number))} do not match their measured digests", log.Bank.Of(wrong[0].Data.Span).ToString(), log.DigestOf(wrong[0]).ToString())
            : covered.Length == 0 ? Outcome.NotApplicable("no event's data can be compared with its digest")
            : Outcome.Held($"{covered.Length} events");
    }

    private static Outcome SecureBootIsOn(Candidate candidate) => candidate.Facts switch
    {
        null => Outcome.Stopped("the log could not be compared with what was signed"),
        { SecureBoot: SecureBootState.On } facts => Outcome.Held(facts.SecureBootReason),
        { SecureBoot: SecureBootState.Off } facts => candidate.Expected.RequireSecureBoot ? Outcome.Failed("Secure Boot is off", facts.SecureBootReason, "SecureBoot 01") : Outcome.NotApplicable($"off, and not required: {facts.SecureBootReason}"),
        var facts => candidate.Expected.RequireSecureBoot ? Outcome.Failed("the log does not prove that Secure Boot is on", facts.SecureBootReason, "SecureBoot 01") : Outcome.NotApplicable($"not stated, and not required: {facts.SecureBootReason}"),
    };

    private static Outcome RegisterIsInTee(Candidate candidate) =>
        GateRequirement.WhyNotRegister(candidate.Quoted.Kind, candidate.Gate!.Register) is { } whyNot ? Outcome.Failed(whyNot, candidate.RegisterName(candidate.Gate.Register))
        : candidate.Quoted.IsInTee ? Outcome.Held(candidate.RegisterName(candidate.Gate.Register))
        : Outcome.NotApplicable("the register does not belong to the confidential VM: its events bind no GPU to the VM");

    // S-10b: where an event's digest is not that of its name and payload, any event of ours could hide in it. Whoever depends on names asks
    // for the gate, and then it fails; to the others the verdict says that the register's names are not proven.
    private static Outcome EventsAreExplained(Candidate candidate)
    {
        if (candidate.Log is not { } log)
        {
            return Outcome.Stopped("the log could not be compared with what was signed");
        }

        if (candidate.Gate is null && log.Quoted.Kind is not RegisterKind.Rtmr)
        {
            return Outcome.NotApplicable("no boot gate is expected, and which PCR would hold a guest's events is not known");
        }

        var register = candidate.Gate?.Register ?? BootResult.GuestRtmr;
        var name = candidate.RegisterName(register);
        if (!log.Replayed.Contains(register))
        {
            return candidate.Gate is null && !log.Log.Events.Any(item => item.IsExtended && item.Register == register)
                ? Outcome.NotApplicable($"the log has no event of {name}")
                : Outcome.Stopped($"the log does not explain {name}");
        }

        var record = candidate.Record ?? BootRecord.Read(log, register, BootPhase.Run);
        if (record.Faults.FirstOrDefault(fault => fault.Rule is GrammarRule.Explained) is not { } first)
        {
            return Outcome.Held($"{record.Events.Length} events of {name}");
        }

        // By number alone: the name that the log claims is anybody's word.
        var reason = $"{Numbers(record)} of {name} {(record.UnprovenEvents.Length == 1 ? "is" : "are")} unproven: the digest is not that of the name and payload";
        return candidate.Gate is null
            ? Outcome.Waived($"{reason}; what the guest wrote is not known, and no boot gate is expected")
            : Outcome.Failed($"{reason}; an event of the gate could hide there", first.Found, first.Expected);
    }

    private static string Numbers(BootRecord record)
    {
        const int most = 8;
        var numbers = record.UnprovenEvents;
        return $"event{(numbers.Length == 1 ? "" : "s")} {string.Join(", ", numbers.Take(most))}{(numbers.Length > most ? $" and {numbers.Length - most} more" : "")}";
    }

    private static Outcome Grammar(Candidate candidate, GrammarRule rule)
    {
        var faults = candidate.Record!.Faults.Where(fault => fault.Rule == rule).ToArray();
        return faults is [var first, ..] ? Outcome.Failed(string.Join("; ", faults.Select(fault => fault.Reason)), first.Found, first.Expected) : Outcome.Held();
    }

    private static Outcome PolicyIsAccepted(Candidate candidate)
    {
        var accepted = candidate.Gate!.Policies;
        return accepted.IsDefaultOrEmpty ? Outcome.Failed("no gate policy is accepted: name at least one digest")
            : candidate.WhyUnproven is { } whyNot ? Outcome.Failed(whyNot, "not known", string.Join(" or ", accepted))
            : candidate.Record!.Policy is not { } policy ? Outcome.Failed("the gate measured no policy", "absent", string.Join(" or ", accepted))
            : accepted.Contains(policy.Expectation) ? Outcome.Held(policy.Expectation.ToString())
            : Outcome.Failed("the gate's policy is not one you accept", policy.Expectation.ToString(), string.Join(" or ", accepted));
    }

    private static Outcome GpusAreAttested(Candidate candidate)
    {
        var record = candidate.Record!;
        var found = record.Attestation is { } attestation ? $"{attestation.Devices.Length} devices"
            : record.SaysSkipped ? BootEventName.GpuSkipped
            : candidate.WhyUnproven is { } whyNot ? whyNot
            : record.SaysNone ? BootEventName.GpuNone
            : record.DstackAttestation is { } dstack ? $"dstack's gpu-attestation version {dstack.Version}, which names no device"
            : "no outcome";
        return candidate.Gate!.Outcome switch
        {
            GateOutcome.Attested when record.Attestation is not null => Outcome.Held(found),
            GateOutcome.NoGpu when record.SaysNone => Outcome.Held(found),
            GateOutcome.Attested => Outcome.Failed("the gate did not verify any device", found, BootEventName.GpuAttestation),
            GateOutcome.NoGpu => Outcome.Failed("the gate does not say that no GPU is expected", found, BootEventName.GpuNone),
            _ => Outcome.Failed("no outcome of the gate was chosen", found),
        };
    }

    private static Outcome CcIsOn(Candidate candidate) => candidate.Record!.Attestation switch
    {
        null => candidate.Gate!.Outcome is GateOutcome.NoGpu ? Outcome.NotApplicable("no GPU is expected") : Outcome.Failed(candidate.WhyUnproven ?? "no attestation event states the mode", "absent", "on"),
        { Cc: BootCcMode.On or BootCcMode.Ppcie } attestation => Outcome.Held($"{attestation.Cc}, stated by the measured guest"),
        { Cc: BootCcMode.DevTools } => Outcome.Failed("the GPUs were in DevTools mode, which protects nothing", "devtools", "on"),
        var attestation => Outcome.Failed("confidential computing was not on", $"{attestation.Cc}", "on"),
    };

    private static Outcome DevicesAreTheSame(Candidate candidate)
    {
        var named = candidate.Record!.Attestation?.Devices.Select(device => device.Id.ToString()).Order(StringComparer.Ordinal).ToArray();
        if (candidate.Gate!.Devices is not { } fresh)
        {
            return Outcome.NotApplicable("there is no fresh evidence to compare with");
        }

        if (candidate.WhyUnproven is { } whyNot)
        {
            return Outcome.Failed(whyNot);
        }

        var found = fresh.Select(id => id.ToString()).Order(StringComparer.Ordinal).ToArray();
        return named is null ? (candidate.Gate.Outcome is GateOutcome.NoGpu && found.Length == 0 ? Outcome.Held("none") : Outcome.Failed("the boot event names no device", "none", Brief(found)))
            : named.AsSpan().SequenceEqual(found) ? Outcome.Held($"{named.Length} of {named.Length}")
            : Outcome.Failed("the devices that answer now are not those that were verified at boot: a device was swapped, added or removed", Brief(found), Brief(named));
    }

    private static Outcome Named(Candidate candidate, Digest? expected, Digest? found, string what)
    {
        return expected is not { } wanted ? (found is null ? Outcome.NotApplicable($"no {what} is asked for") : Outcome.NotApplicable($"no {what} is required; the log names {found}"))
            : candidate.WhyUnproven is { } whyNot ? Outcome.Failed(whyNot, "not known", wanted.ToString())
            : found is not { } digest ? Outcome.Failed($"no {what} was measured before the boundary", "absent", wanted.ToString())
            : digest == wanted ? Outcome.Held(digest.ToString())
            : Outcome.Failed($"another {what} was measured", digest.ToString(), wanted.ToString());
    }

    private static string Brief(IEnumerable<string> ids) => string.Join(", ", ids.Select(id => id[..16] + "…"));

    private sealed class Candidate(QuotedRegisters quoted, BootExpectations expected)
    {
        public QuotedRegisters Quoted => quoted;
        public BootExpectations Expected => expected;
        public GateRequirement? Gate => expected.Gate;
        public EventLog? Parsed { get; init; }
        public ParseFault? Fault { get; init; }
        public AuthenticEventLog? Log { get; set; }
        public BootFacts? Facts { get; set; }
        public BootRecord? Record { get; set; }

        /// <summary>Why nothing in the gate's register is believed; null where every event is proven.</summary>
        public string? WhyUnproven => Record is { UnprovenEvents.IsEmpty: false } record ? $"{Numbers(record)} of {RegisterName(record.Register)} cannot be read, so nothing that the register's events say is believed" : null;

        public string RegisterName(int register) => quoted.Kind is RegisterKind.Rtmr ? $"RTMR{register}" : $"PCR {register}";
    }
}
