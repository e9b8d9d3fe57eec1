using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Collateral.Files;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Guest.Agent;

/// <summary>What the agent answers from: swapped as a whole, never changed.</summary>
internal sealed record AgentSnapshot
{
    /// <summary>How the gate ended.</summary>
    public required GateState Gate { get; init; }

    /// <summary>Whether the devices may be used: they verified, and nothing since then says otherwise.</summary>
    public required bool IsReady { get; init; }

    /// <summary>The latest verdict that passed, as <c>assay verify --format json</c> writes it; empty where there is none.</summary>
    public required byte[] Verdict { get; init; }

    /// <summary>When it was reached.</summary>
    public required DateTimeOffset VerifiedAt { get; init; }

    /// <summary>When it was reached or, by an agent before this one, read: of a clock that only goes on.</summary>
    public required long Timestamp { get; init; }

    /// <summary>Why the devices are not ready, or why the latest verification did not replace the verdict; null where all is well.</summary>
    public GuestFault? Fault { get; init; }

    /// <summary>Why the devices are not ready, where they are not.</summary>
    public GuestFault WhyNotReady => Fault ?? new GuestFault("agent.not-ready", "the devices are not ready", "boot again");
}

/// <summary>
/// Holds the latest verdict, verifies again, and takes the ready state away (a revoked, mismatching, replaced or missing device at
/// once; collateral that cannot be fetched only after a measured time). It never writes an event: the boot's record is the gate's alone (S-4).
/// </summary>
internal sealed class AgentState
{
    private const int LargestVerdict = 16 * 1024 * 1024;
    private const string TooOld = "agent.collateral-too-old";
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(5);

    // What says nothing against the devices: it could not be asked.
    private static readonly ImmutableHashSet<string> s_unreachable = ["gate.collateral.missing", "gate.bundle.missing", DeviceVerification.Expired];

    private readonly GuestConfiguration _configuration;
    private readonly GuestSources _sources;
    private readonly TimeProvider _clock;
    private readonly DeviceVerification _devices;
    private readonly ImmutableArray<string> _bootDevices;
    private readonly GuestPaths _paths;
    private readonly Lock _publishing = new();
    private readonly VerifierCache _cache = new();
    private AgentSnapshot _snapshot;
    private Task<AgentSnapshot>? _running;
    private long _dropped;
    private long _passed;
    private long _failed;

    public AgentState(GuestConfiguration configuration, GuestSources sources, GuestPaths paths, TimeProvider clock)
    {
        (_configuration, _sources, _paths, _clock) = (configuration, sources, paths, clock);
        _devices = new DeviceVerification(configuration, sources, clock);
        Register = sources.Register(configuration.Pcr);
        _bootDevices = BootDevices(OpenLog());
        var gate = GateReport.StateOf(paths.GateFile);
        var verified = gate is GateState.Verified && !_bootDevices.IsEmpty;
        var verdict = verified && BoundedFile.TryRead(paths.VerdictFile, LargestVerdict, out var bytes, out _) ? bytes.ToArray() : [];
        _snapshot = new AgentSnapshot
        {
            Gate = gate,
            IsReady = verified,
            Verdict = verdict,
            VerifiedAt = verified ? File.GetLastWriteTimeUtc(paths.VerdictFile) : DateTimeOffset.UnixEpoch,
            Timestamp = clock.GetTimestamp(),
            Fault = verified ? null : new GuestFault("agent.not-verified", $"the gate ended as {GateReport.WordOf(gate)}: no device was verified", $"read {paths.GateFile}"),
        };
    }

    /// <summary>What is answered now.</summary>
    public AgentSnapshot Snapshot => Volatile.Read(ref _snapshot);

    public IMeasuredRegister Register { get; }

    /// <summary>This boot's log as it is now: events after the gate's, the boundary among them, are written while the agent runs.</summary>
    public MeasuredLog OpenLog() => MeasuredLog.Open(Register, _paths, _configuration.OnDstack);

    public DeviceVerification Devices => _devices;

    public bool Verifies => _configuration.Task is GateTask.Verify;

    public long Passed => Interlocked.Read(ref _passed);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>How old the verdict is: by the clock, and at least what passed since it was reached here, whatever the host did to the clock.</summary>
    public TimeSpan Age => AgeOf(Snapshot);

    /// <summary>Looks whether the devices are still there and in their mode, which costs no signature. One that is not takes the ready state with it.</summary>
    public void Look()
    {
        if (!Verifies || !Snapshot.IsReady)
        {
            return;
        }

        try
        {
            RequirePresent();
            if (!_sources.Gpus.IsReady())
            {
                throw new GuestException("agent.ready.lost", "the driver's ready state is off: it was reset, or switched off", "ask for EnsureGpuReady, which verifies again", "off", "on");
            }
        }
        catch (Exception exception)
        {
            Drop(FaultOf(exception));
        }
    }

    /// <summary>
    /// Evidence is made only of devices that may be used. It says nothing of DevTools or of a switch's lock: that a verified machine shows it says that this
    /// guest looked (S-8). Collateral that is too old says nothing against the devices, and the relying party has its own.
    /// </summary>
    /// <exception cref="GuestException">A reason against the devices.</exception>
    public void RequireUsable()
    {
        Look();
        var snapshot = Snapshot;
        if (!Verifies || snapshot.IsReady)
        {
            return;
        }

        if (snapshot.Fault is not { Id: TooOld })
        {
            throw new GuestException(snapshot.WhyNotReady);
        }

        // Nothing looks at devices that are not ready, but for this.
        RequirePresent();
    }

    /// <summary>Verifies every device again, as the gate did. Callers at the same time share one verification.</summary>
    public Task<AgentSnapshot> VerifyAsync(CancellationToken cancellation)
    {
        if (!Verifies || Snapshot.Gate is not GateState.Verified)
        {
            return Task.FromResult(Snapshot);
        }

        lock (_publishing)
        {
            if (_running is not { IsCompleted: false })
            {
                _running = Task.Run(VerifyOnceAsync, CancellationToken.None);
            }

            return _running.WaitAsync(cancellation);
        }
    }

    private async Task<AgentSnapshot> VerifyOnceAsync()
    {
        var dropped = Interlocked.Read(ref _dropped);
        try
        {
            await ReplaceVerdictAsync(dropped).ConfigureAwait(false);
            Interlocked.Increment(ref _passed);
        }
        catch (Exception exception)
        {
            Interlocked.Increment(ref _failed);
            Weigh(FaultOf(exception), dropped);
        }

        return Snapshot;
    }

    private async Task ReplaceVerdictAsync(long dropped)
    {
        RequireClock();
        RequirePresent();
        var binding = _devices.FreshNonce(Register.Read());
        var verified = await _devices.VerifyAsync(binding, _devices.Collect(binding.DeviceNonce()), _cache, CancellationToken.None).ConfigureAwait(false);
        string[] found = [.. verified.Verdict.Appraisal.Devices.Select(device => device.Device!.Identity.Id.ToString()).Order(StringComparer.Ordinal)];
        if (!found.AsSpan().SequenceEqual(_bootDevices.AsSpan()))
        {
            throw new GuestException("agent.device.replaced", "other devices answer than those that the gate verified in this boot (S-2)", "boot again", string.Join(", ", found), string.Join(", ", _bootDevices));
        }

        lock (_publishing)
        {
            // What was seen meanwhile counts more than what was asked before it.
            if (_dropped != dropped)
            {
                throw new GuestException(Snapshot.Fault ?? new GuestFault("agent.not-ready", "a device was lost while the devices were verified", "ask again"));
            }

            if (!_sources.Gpus.IsReady())
            {
                _sources.Gpus.SetReady(true);
            }

            Volatile.Write(ref _snapshot, Snapshot with { IsReady = true, Verdict = verified.Verdict.ToJson(), VerifiedAt = _clock.GetUtcNow(), Timestamp = _clock.GetTimestamp(), Fault = null });
        }
    }

    private void RequirePresent()
    {
        _devices.RequireCounts();
        _devices.RequireMode();
    }

    // A host that sets the clock back could show an answer about revocation that was current once (S-13).
    private void RequireClock()
    {
        var snapshot = Snapshot;
        var least = snapshot.VerifiedAt + _clock.GetElapsedTime(snapshot.Timestamp) - s_skew;
        if (_clock.GetUtcNow() < least)
        {
            throw new GuestException("gate.clock", "this machine's clock was set back behind what the agent has seen", "set the clock, or have the host set it right", Utc.Text(_clock.GetUtcNow()), $"{Utc.Text(least)} or later");
        }
    }

    // A bug must not end the watch over the devices and leave them ready.
    private static GuestFault FaultOf(Exception exception) =>
        exception is GuestException guest ? guest.Fault : new GuestFault("agent.internal", $"{exception.GetType().Name}: {exception.Message}", "this is a bug, please report it");

    private TimeSpan AgeOf(AgentSnapshot snapshot)
    {
        var (told, passed) = (_clock.GetUtcNow() - snapshot.VerifiedAt, _clock.GetElapsedTime(snapshot.Timestamp));
        return told > passed ? told : passed;
    }

    private void Weigh(GuestFault fault, long dropped)
    {
        // The network took its time: what happened meanwhile decides first, and stays the reason.
        Look();
        if (s_unreachable.Contains(fault.Id) && Interlocked.Read(ref _dropped) != dropped)
        {
            return;
        }

        if (!s_unreachable.Contains(fault.Id) || !Snapshot.IsReady)
        {
            Drop(fault);
            return;
        }

        if (Age > _configuration.Agent.MaximumCollateralAge)
        {
            Drop(new GuestFault(TooOld, $"collateral could not be fetched for longer than the measured configuration allows: {fault.Reason}", "see that the cache can be reached, or bring a new bundle")
            {
                Found = $"{Age.TotalSeconds:0} s",
                Expected = $"at most {_configuration.Agent.MaximumCollateralAge.TotalSeconds:0} s",
            });
            return;
        }

        lock (_publishing)
        {
            if (Snapshot.IsReady)
            {
                Volatile.Write(ref _snapshot, Snapshot with { Fault = fault });
            }
        }
    }

    private void Drop(GuestFault fault)
    {
        lock (_publishing)
        {
            _dropped++;
            Volatile.Write(ref _snapshot, Snapshot with { IsReady = false, Fault = fault });
            Console.Error.WriteLine($"assay-guest: the GPUs are no longer ready: {fault}");
            try
            {
                _sources.Gpus.SetReady(false);
            }
            catch (Exception exception)
            {
                Console.Error.WriteLine($"assay-guest: {FaultOf(exception)}");
            }
        }
    }

    // From the log that explains the register, and not from a file beside it.
    private static ImmutableArray<string> BootDevices(MeasuredLog log)
    {
        if (log.Events.FirstOrDefault(item => item.Name is "gpu-attestation") is not { } item)
        {
            return [];
        }

        using var payload = JsonDocument.Parse(Encoding.UTF8.GetString(item.Data.Span));
        return payload.RootElement.TryGetProperty("provider", out var provider) && provider.GetString() is "assay"
            ? [.. payload.RootElement.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("id").GetString()!).Order(StringComparer.Ordinal)] : [];
    }
}
