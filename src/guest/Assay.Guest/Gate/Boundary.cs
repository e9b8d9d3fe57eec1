using Assay.Guest.Configuration;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Policy;

namespace Assay.Guest.Gate;

/// <summary>
/// <c>seal-boot</c>: extends <c>system-ready</c> as the last act before workloads (S-4). Before it lies the boot phase, in which disk and model
/// keys are asked for; the unit's <c>assay-boot-phase.target</c> is the place for whoever does.
/// </summary>
internal static class Boundary
{
    /// <exception cref="GuestException">The gate is not open, or the boundary is drawn already.</exception>
    public static void Draw(GuestPaths paths, GuestConfiguration configuration, GuestSources sources, Notification notification)
    {
        if (configuration.OnDstack)
        {
            throw new GuestException("seal.dstack", "on dstack images dstack itself extends system-ready, and this command is not used", "leave assay-seal-boot.service out of the image");
        }

        // Before all that can fail: workloads or none, persistent keys end here.
        new PhaseRegister(configuration, sources).End();
        GateReport.RequireOpen(paths, "seal.gate");
        var log = MeasuredLog.Open(sources.Register(configuration.Pcr), paths, configuration.OnDstack);
        var outcome = configuration.Task switch { GateTask.Verify => "gpu-attestation", GateTask.ExpectNone => "gpu-none", _ => "gpu-skipped" };
        // The file is a hint; the register is the truth.
        if (!log.Has("gpu-policy") || !log.Has(outcome))
        {
            throw new GuestException("seal.events", "this boot's log lacks what the gate writes", "boot again", log.FirstOfOurs ?? "no event of ours", $"gpu-policy and {outcome}");
        }

        if (log.Has("system-ready"))
        {
            throw new GuestException("seal.already-ran", "the boundary is drawn already: it is drawn once in a boot", "boot again", "system-ready", "no boundary");
        }

        sources.Announce("system-ready");
        log.Append(GateEvents.SystemReady);
        sources.Announce("sealed");
        notification.Ready("the boundary is drawn");
    }
}
