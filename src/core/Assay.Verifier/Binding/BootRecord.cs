using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Evidence.EventLogs;

namespace Assay.Binding;

/// <summary>Which of the two grammars of S-4 a log must follow. The default is neither.</summary>
public enum BootPhase
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>Before the boundary: keys are fetched while the machine boots. No <c>system-ready</c>.</summary>
    Boot,

    /// <summary>After it: exactly one <c>system-ready</c>.</summary>
    Run,
}

/// <summary>Which rule of the grammar a log breaks.</summary>
internal enum GrammarRule
{
    /// <summary>None.</summary>
    None,

    /// <summary>Every event of the register has the digest of its name and payload.</summary>
    Explained,

    /// <summary>Each name stands at most once.</summary>
    Once,

    /// <summary>Names stand in their order.</summary>
    Order,

    /// <summary>Payloads are of their event's type.</summary>
    Typed,

    /// <summary>Nothing of ours comes after the boundary.</summary>
    Late,

    /// <summary>The gate's policy and its outcome are both there.</summary>
    Complete,

    /// <summary>The boundary is there in the run phase, and not there in the boot phase.</summary>
    Boundary,
}

/// <summary>One breach of the grammar.</summary>
/// <param name="Rule">Which rule.</param>
/// <param name="Reason">What is wrong.</param>
/// <param name="Found">What was found.</param>
/// <param name="Expected">What was expected.</param>
internal sealed record GrammarFault(GrammarRule Rule, string Reason, string? Found = null, string? Expected = null);

/// <summary>An event of the register, with its payload read where its name is known.</summary>
/// <param name="Event">The log's record.</param>
/// <param name="Payload">Null for foreign names and unproven events.</param>
/// <param name="IsLate">Whether it stands after the boundary. Null after an unproven event, which may be the boundary or hide it.</param>
internal sealed record ReadEvent(BootEvent Event, BootEventPayload? Payload, bool? IsLate)
{
    /// <summary>Whether the digest is not that of a name and payload: then the event has neither (S-10b).</summary>
    public bool IsUnproven => !IsProven(Event);

    internal static bool IsProven(BootEvent item) => item is { Version: not RuntimeEventVersion.None, Name: not null };
}

/// <summary>
/// What our gate wrote into its register before the boundary, as the grammar of S-4 reads it. It says what the log says; that the log is
/// true is <see cref="AuthenticEventLog"/>'s word, without which none of this is made.
/// </summary>
internal sealed class BootRecord
{
    private BootRecord(int register, BootPhase phase, ImmutableArray<ReadEvent> events, ImmutableArray<GrammarFault> faults)
    {
        Register = register;
        Phase = phase;
        Events = events;
        Faults = faults;
        IsSound = faults.IsEmpty;
        UnprovenEvents = [.. events.Where(item => item.IsUnproven).Select(item => item.Event.Number)];
    }

    /// <summary>RTMR 3, or the PCR that was configured.</summary>
    public int Register { get; }

    /// <summary>The grammar that was asked for.</summary>
    public BootPhase Phase { get; }

    /// <summary>Every event of the register, in order: foreign ones and late ones too, which are shown and believed in nothing.</summary>
    public ImmutableArray<ReadEvent> Events { get; }

    /// <summary>Every breach; empty when the grammar is kept.</summary>
    internal ImmutableArray<GrammarFault> Faults { get; }

    /// <summary>Whether the grammar is kept.</summary>
    public bool IsSound { get; }

    /// <summary>
    /// The numbers of the events whose digest is not that of a name and payload. While there is one, the record says nothing: any event of
    /// ours, the boundary too, could be hidden in it (S-10b).
    /// </summary>
    public ImmutableArray<int> UnprovenEvents { get; }

    /// <summary>Whether the boundary stands in the log. False says that there is none only where no event is unproven.</summary>
    public bool HasBoundary => Early<SystemReadyPayload>() is not null;

    /// <summary>What the gate expected; null where no gate of ours ran.</summary>
    public GpuPolicyPayload? Policy => Early<GpuPolicyPayload>();

    /// <summary>The devices that it verified; null where it verified none.</summary>
    public GpuAttestationPayload? Attestation => Early<GpuAttestationPayload>();

    /// <summary>Whether it says that none is expected.</summary>
    public bool SaysNone => Early<GpuNonePayload>() is not null;

    /// <summary>Whether it says that it skipped the check.</summary>
    public bool SaysSkipped => Early<GpuSkippedPayload>() is not null;

    /// <summary>The model opened before the boundary.</summary>
    public ModelPayload? Model => Early<ModelPayload>();

    /// <summary>The workload that was to run.</summary>
    public WorkloadPayload? Workload => Early<WorkloadPayload>();

    /// <summary>dstack's own GPU event, which never satisfies what ours does (S-5).</summary>
    public DstackGpuAttestationPayload? DstackAttestation => Early<DstackGpuAttestationPayload>();

    /// <summary>Reads the register's events under one of the grammars.</summary>
    /// <param name="log">Replayed; a register that it does not explain has no event here.</param>
    /// <param name="register">RTMR 3, or a PCR.</param>
    /// <param name="phase">Chosen by the relying party's policy, never by the log.</param>
    public static BootRecord Read(AuthenticEventLog log, int register, BootPhase phase)
    {
        ArgumentNullException.ThrowIfNull(log);
        var reading = new Reading();
        foreach (var item in log.Events.Where(item => item.Register == register))
        {
            reading.Take(item, log);
        }

        reading.Finish(phase);
        return new BootRecord(register, phase, reading.Events.ToImmutable(), reading.Faults.ToImmutable());
    }

    private T? Early<T>()
        where T : BootEventPayload =>
        UnprovenEvents.IsEmpty ? Events.Where(item => item.IsLate is false).Select(item => item.Payload).OfType<T>().FirstOrDefault() : null;

    private sealed class Reading
    {
        private const int MostNumbers = 8;

        private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
        private int _place = -1;
        private string _last = "the beginning";
        private bool _ready;
        private bool _unproven;

        // Past an unproven event nobody knows on which side of the boundary an event stands.
        private bool? IsLate => _unproven ? null : _ready;

        public ImmutableArray<ReadEvent>.Builder Events { get; } = ImmutableArray.CreateBuilder<ReadEvent>();

        public ImmutableArray<GrammarFault>.Builder Faults { get; } = ImmutableArray.CreateBuilder<GrammarFault>();

        public void Take(BootEvent item, AuthenticEventLog log)
        {
            // In an event that nobody can read, one of ours could hide.
            if (!ReadEvent.IsProven(item) || item.Name is not { } name)
            {
                Refuse(GrammarRule.Explained, $"event {item.Number} has another digest than its name and payload", log.DigestOf(item).ToString(), "the digest of a runtime event");
                Events.Add(new ReadEvent(item, null, IsLate));
                _unproven = true;
                return;
            }

            var payload = BootEventPayload.Read(name, item.Data.Span, out var fault);
            Events.Add(new ReadEvent(item, payload, IsLate));
            var place = BootEventName.Place(name);
            if (place < 0)
            {
                // dstack's own policy event is a type of its own, wherever it stands.
                return;
            }

            if (!_seen.Add(name))
            {
                Refuse(GrammarRule.Once, $"{name} appears twice (event {item.Number})");
            }
            else if (fault is not null)
            {
                Refuse(GrammarRule.Typed, $"{name}: {fault.Field}: {fault.Problem}");
            }

            if (_ready)
            {
                Refuse(GrammarRule.Late, $"{name} (event {item.Number}) comes after system-ready: an application wrote it");
                return;
            }

            // dstack's gate has no policy event of ours before it, and takes no place in our order.
            if (payload is DstackGpuAttestationPayload)
            {
                return;
            }

            Follow(name, place);
            _ready = name is BootEventName.SystemReady;
        }

        public void Finish(BootPhase phase)
        {
            if (_unproven)
            {
                // Neither the gate nor the phase can be told from what is left: the hidden event may be any of them.
                var numbers = string.Join(", ", Events.Where(item => item.IsUnproven).Take(MostNumbers).Select(item => item.Event.Number));
                Refuse(GrammarRule.Complete, $"event {numbers} is unproven, so what the gate wrote is not known", "an unproven event", "proven events only");
                Refuse(GrammarRule.Boundary, $"event {numbers} is unproven and may be the boundary, so the phase is not known", "an unproven event", phase is BootPhase.Boot ? "no system-ready" : "one system-ready");
                return;
            }

            var outcomes = new[] { BootEventName.GpuAttestation, BootEventName.GpuNone, BootEventName.GpuSkipped };
            var ran = Events.Any(item => item is { IsLate: false, Payload: GpuPolicyPayload });
            var ended = Events.Any(item => item is { IsLate: false, Payload: GpuAttestationPayload or GpuNonePayload or GpuSkippedPayload });
            if (!ran || !ended)
            {
                Refuse(
                    GrammarRule.Complete, ran ? "the gate began but never finished" : "no boot gate ran before the boundary",
                    $"{(_seen.Count == 0 ? "no event of ours" : string.Join(", ", _seen.Order(StringComparer.Ordinal)))}", $"{BootEventName.GpuPolicy}, then one of {string.Join(", ", outcomes)}");
            }

            var boundary = phase switch
            {
                BootPhase.Run when !_ready => "the boundary is missing: the machine is still booting, or its gate never finished",
                BootPhase.Boot when _ready => "the machine has finished booting, and keys of the boot phase are asked for",
                BootPhase.None => "no phase was chosen",
                _ => null,
            };
            if (boundary is not null)
            {
                Refuse(GrammarRule.Boundary, boundary, _ready ? "system-ready" : "no system-ready", phase is BootPhase.Boot ? "no system-ready" : "one system-ready");
            }
        }

        private void Follow(string name, int place)
        {
            if (place < _place || (place == _place && place >= 0))
            {
                Refuse(GrammarRule.Order, $"{name} comes after {_last}", $"{_last}, {name}", string.Join(", ", BootEventName.Ours));
            }
            else if (place == 1 && _place != 0)
            {
                Refuse(GrammarRule.Order, $"{name} comes before {BootEventName.GpuPolicy}: what was expected was not yet measured", $"{_last}, {name}", $"{BootEventName.GpuPolicy}, {name}");
            }
            else if (place is 2 or 3 && _place < 1)
            {
                Refuse(GrammarRule.Order, $"{name} comes before the gate's outcome", $"{_last}, {name}", string.Join(", ", BootEventName.Ours));
            }

            (_place, _last) = (Math.Max(place, _place), name);
        }

        private void Refuse(GrammarRule rule, string reason, string? found = null, string? expected = null) => Faults.Add(new GrammarFault(rule, reason, found, expected));
    }
}
