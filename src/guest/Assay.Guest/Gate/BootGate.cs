using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Guest.Configuration;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Guest.Gate;

/// <summary>
/// The boot gate (S-28): verify → extend → set ready → notify, once in a boot. Its steps are a list that can be read; what a step does not find
/// right ends the gate closed, with the GPUs' ready state off.
/// </summary>
internal sealed class BootGate
{
    private const int LargestWorkload = 16 * 1024 * 1024;

    private readonly GuestPaths _paths;
    private readonly MeasuredPlace _place;
    private readonly Func<GuestConfiguration, GuestSources> _open;
    private readonly Notification _notification;
    private readonly TimeProvider _clock;
    private readonly VerifierCache _cache = new();
    private readonly ImmutableArray<(string Name, Func<CancellationToken, Task> Take)> _steps;

    private GuestConfiguration? _configuration;
    private GuestSources? _sources;
    private MeasuredLog? _log;
    private IMeasuredRegister? _register;
    private DeviceVerification? _devices;
    private KeyBinding? _binding;
    private ImmutableArray<DeviceEvidence> _evidence = [];
    private VerifiedDevices? _verified;
    private GateReport _report = new();

    /// <param name="paths">Where everything lies.</param>
    /// <param name="place">Whether files are measured.</param>
    /// <param name="open">Opens the hardware.</param>
    /// <param name="notification">Who is told of readiness.</param>
    /// <param name="clock">This machine's.</param>
    public BootGate(GuestPaths paths, MeasuredPlace place, Func<GuestConfiguration, GuestSources> open, Notification notification, TimeProvider clock)
    {
        (_paths, _place, _open, _notification, _clock) = (paths, place, open, notification, clock);
        // In this order, each before the next. Names appear in gate.json and documents: add freely, never rename.
        _steps =
        [
            ("configuration", Now(ReadConfiguration)),
            ("log", Now(OpenLog)),
            ("ready-off", Now(() => SetReady(false))),
            ("gpu-policy", Now(() => Extend(GateEvents.Policy(_configuration!.Expectation(_sources!.Trust.Kind is TrustSetKind.Simulated))))),
            ("devices", Now(RequireDevices)),
            ("mode", Now(RequireMode)),
            ("nonce", Now(MakeNonce)),
            ("collect", Now(Collect)),
            ("verify", VerifyAsync),
            ("gpu-attestation", Now(ExtendOutcome)),
            ("model", Now(ExtendModel)),
            ("workload", Now(ExtendWorkload)),
            ("ready", Now(() => SetReady(_configuration!.Task is not GateTask.ExpectNone))),
            ("phase", Now(() => Phase.Begin())),
            ("notify", Now(Notify)),
        ];
    }

    /// <summary>Runs all steps. The report says how it ended; null faults mean that workloads may start after the boundary.</summary>
    public async Task<GateReport> RunAsync(CancellationToken cancellation)
    {
        try
        {
            foreach (var (name, take) in _steps)
            {
                _report = _report with { Step = name, At = _clock.GetUtcNow() };
                Save();
                _sources?.Announce(name);
                await take(cancellation).ConfigureAwait(false);
            }
        }
        catch (GuestException exception)
        {
            Close(exception.Fault);
        }
        // Whatever else goes wrong is a bug or an outage, and ends closed too.
        catch (Exception exception)
        {
            Close(new GuestFault("gate.internal", exception is OperationCanceledException ? "the gate was told to end" : $"{exception.GetType().Name}: {exception.Message}", "report this"));
        }
        finally
        {
            _sources?.Dispose();
        }

        return _report;
    }

    /// <summary>What this gate verified.</summary>
    internal VerifierCache Cache => _cache;

    private PhaseRegister Phase => new(_configuration!, _sources!);

    private bool Verifies => _configuration!.Task is GateTask.Verify;

    private static Func<CancellationToken, Task> Now(Action step) => _ =>
    {
        step();
        return Task.CompletedTask;
    };

    private void ReadConfiguration()
    {
        // A document that the launch committed to is asked of the processor, so the hardware is open before it is configured.
        _sources = _open(GuestConfigurationReader.Empty);
        _configuration = GuestConfigurationReader.Read(_paths, _place, _sources.Cpu);
        _register = _sources.Register(_configuration.Pcr);
        _devices = new DeviceVerification(_configuration, _sources, _clock);
        _sources.Announce("configuration");
    }

    // A second gate in one boot could name other devices than the first: it writes nothing, and leaves nothing open (S-28).
    private void OpenLog()
    {
        _log = MeasuredLog.Open(_register!, _paths, _configuration!.OnDstack);
        if (_log.FirstOfOurs is { } first)
        {
            throw new GuestException("gate.already-ran", $"this boot's log has the event {first} already: the gate runs once in a boot", "boot again", first, "no event of the gate");
        }
    }

    private void Extend(RuntimeEvent item)
    {
        _log!.Append(item);
        _report = _report with
        {
            Events = _report.Events.Add(item.Name),
            Policy = item.Name is "gpu-policy" ? Convert.ToHexStringLower(item.Payload.Span) : _report.Policy,
        };
    }

    private void RequireDevices()
    {
        if (_configuration!.Task is not GateTask.DangerouslySkip)
        {
            _devices!.RequireCounts();
        }
    }

    private void RequireMode()
    {
        if (Verifies)
        {
            _devices!.RequireMode();
        }
    }

    private void MakeNonce() => _binding = Verifies ? _devices!.FreshNonce(_register!.Read()) : null;

    private void Collect() => _evidence = Verifies ? _devices!.Collect(_binding!.DeviceNonce()) : [];

    private async Task VerifyAsync(CancellationToken cancellation)
    {
        if (!Verifies)
        {
            return;
        }

        _verified = await _devices!.VerifyAsync(_binding!, _evidence, _cache, cancellation).ConfigureAwait(false);
        _report = _report with { Devices = [.. _verified.Verdict.Appraisal.Devices.Select(device => device.Device!.Identity.Id.ToString())] };
        WriteState(_paths.VerdictFile, _verified.Verdict.ToJson());
    }

    private void ExtendOutcome() => Extend(_configuration!.Task switch
    {
        GateTask.Verify => GateEvents.Attestation(_verified!.Verdict, _verified.Facts),
        GateTask.ExpectNone => GateEvents.None,
        GateTask.DangerouslySkip => GateEvents.Skipped,
        _ => throw new InvalidOperationException("no task was chosen"),
    });

    // Before the workload: the grammar's order (S-4). Only measured configuration names a model here (S-7).
    private void ExtendModel()
    {
        if (_configuration!.Model is { } model)
        {
            Extend(GateEvents.Model(model));
        }
    }

    private void ExtendWorkload()
    {
        if (_configuration!.Workload is not { } workload)
        {
            return;
        }

        if (workload.Path is { } path)
        {
            Extend(BoundedFile.TryRead(path, LargestWorkload, out var content, out var whyNot) ? GateEvents.Workload(workload.Kind, new Digest(SHA384.HashData(content.Span)))
                : throw new GuestException("gate.workload.missing", whyNot, "put the workload's file where the configuration names it"));
            return;
        }

        Extend(GateEvents.Workload(workload.Kind, workload.Digest!.Value));
    }

    private void SetReady(bool ready)
    {
        if (_configuration!.Task is GateTask.ExpectNone)
        {
            return;
        }

        _sources!.Gpus.SetReady(ready);
        if (_sources.Gpus.IsReady() != ready)
        {
            throw new GuestException("gate.ready.ignored", "the driver accepted the ready state and did not take it", "update the driver", ready ? "off" : "on", ready ? "on" : "off");
        }
    }

    private void Notify()
    {
        _report = _report with
        {
            State = _configuration!.Task switch { GateTask.Verify => GateState.Verified, GateTask.ExpectNone => GateState.NoDevice, _ => GateState.Skipped },
            At = _clock.GetUtcNow(),
        };
        Save();
        _notification.Ready($"{GateReport.WordOf(_report.State)}: {_report.Devices.Length} devices");
    }

    private void Close(GuestFault fault)
    {
        _report = _report with { State = GateState.Failed, Fault = fault, At = _clock.GetUtcNow() };
        TryRevoke();
        TryEndPhase();
        try
        {
            Save();
        }
        catch (GuestException exception)
        {
            Console.Error.WriteLine($"assay-guest: {exception.Fault}");
        }
    }

    // Off again, whatever was reached: without a configuration, too. What ends the driver's answers has ended its work.
    private void TryRevoke()
    {
        if (_configuration?.Task is GateTask.ExpectNone)
        {
            return;
        }

        try
        {
            if (_sources is not null)
            {
                _sources.Gpus.SetReady(false);
                return;
            }

            using var sources = _open(GuestConfigurationReader.Empty);
            sources.Gpus.SetReady(false);
        }
        catch (GuestException exception)
        {
            Console.Error.WriteLine($"assay-guest: the ready state could not be set off: {exception.Fault}");
        }
    }

    // A gate that is closed releases no key that an open one would.
    private void TryEndPhase()
    {
        try
        {
            if (_configuration is not null)
            {
                Phase.End();
            }
        }
        catch (GuestException exception)
        {
            Console.Error.WriteLine($"assay-guest: the boot phase could not be ended: {exception.Fault}");
        }
    }

    private void Save() => WriteState(_paths.GateFile, null);

    private void WriteState(string path, byte[]? content)
    {
        try
        {
            Directory.CreateDirectory(_paths.State);
            if (content is null)
            {
                _report.Save(path);
            }
            else
            {
                File.WriteAllBytes(path, content);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("gate.state.unwritable", $"{path}: {exception.Message}", "mount a tmpfs on /run");
        }
    }
}
