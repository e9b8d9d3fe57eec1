using System.Collections.Immutable;
using System.Text;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tokens;
using Assay.Trust;

namespace Assay.Cli.Demo;

/// <summary>What came of an attack.</summary>
/// <param name="Refused">It was refused, and by the check that has to catch it.</param>
/// <param name="Reason">That check's reason.</param>
internal sealed record DemoAnswer(bool Refused, string? Reason);

/// <summary>The attacks of the demonstration, and the check that must catch each.</summary>
internal static class DemoAttacks
{
    /// <param name="Title">What the attacker does.</param>
    /// <param name="Finding">The check that refuses it.</param>
    /// <param name="RunAsync">Attacks the stage.</param>
    public sealed record Attack(string Title, string Finding, Func<DemoStage, CancellationToken, Task<DemoAnswer>> RunAsync);

    public static ImmutableArray<Attack> All { get; } =
    [
        OnEvidence("an old report for a new challenge", "report.nonce.match", stage => stage.Honest with { Expected = stage.Honest.Expected with { Nonce = DemoStage.FreshNonce() } }),
        OnEvidence("a measurement changed in a signed report", "report.signature.valid", stage => stage.WithFault("forged-measurement")),
        OnEvidence("modified firmware, honestly signed by the GPU", "measurements.driver.match", stage => stage.WithFault("mismatch")),
        OnEvidence("a reference manifest altered to allow it", "rim.driver.signature.valid", stage => stage.WithFault("altered-rim")),
        OnEvidence("a stolen key, revoked by its manufacturer", "device.chain.not-revoked", stage => stage.WithFault("revoked-device")),
        OnEvidence("the answer about that key withheld", "device.chain.not-revoked", stage => stage.Honest with { Ocsp = null }),
        OnEvidence("one switch's report in place of all four", "topology.switches.match", stage => stage.WithFault("replayed-switch")),
        OnEvidence("one GPU counted twice", "set.devices.distinct", stage => stage.WithFault("gpu-twice")),
        OnEvidence("a switch of another machine", "topology.gpus.match", stage => stage.WithFault("foreign-switch")),
        OnEvidence("the clock set back, with collateral of that time", "time.floor.respected", stage => stage.WithFault("clock-set-back")),
        OnEvidence("simulated devices where real ones are expected", "device.chain.trusted", stage => stage.Honest with { Expected = stage.Honest.Expected with { Basis = stage.Honest.Expected.Basis with { Trust = TrustSet.Nvidia } } }),
        new("a token shown for another challenge", "token.nonce.match", (stage, cancellation) => OnTokenAsync(stage, "token.nonce.match", token => token, stage.ExpectToken(DemoStage.FreshNonce()), cancellation)),
        new("a device's part of a token altered", "token.signature.valid", (stage, cancellation) => OnTokenAsync(stage, "token.signature.valid", Altered, stage.ExpectToken(stage.Nonce), cancellation)),
    ];

    /// <summary>On a confidential VM: what binds devices, processor, boot and key to one another.</summary>
    public static ImmutableArray<Attack> OnMachine { get; } =
    [
        OnCvm("a VM without a GPU shows what another machine's GPUs answered to its key", "boot.gpu.attested", cvm => cvm.WithoutGpuAsync()),
        OnCvm("the same VM, with the other machine's event log", "boot.log.replayed", cvm => cvm.WithAnothersLogAsync()),
        OnCvm("a GPU swapped after the boot", "binding.boot.devices", cvm => cvm.JudgeAsync(BootFault.SwappedDevice)),
        OnCvm("the evidence shown for another key", "tdx.report-data.match", cvm => cvm.WithAnothersKeyAsync()),
        OnCvm("the gate's event written after the boundary", "boot.events.in-time", cvm => cvm.JudgeAsync(BootFault.LateEvent)),
        OnCvm("the gate's event written twice", "boot.events.once", cvm => cvm.JudgeAsync(BootFault.DoubleEvent)),
        OnCvm("a gate that never wrote its event", "boot.gate.complete", cvm => cvm.JudgeAsync(BootFault.MissingEvent)),
        OnCvm("GPUs in DEVTOOLS mode", "boot.gpu.cc.on", cvm => cvm.JudgeAsync(BootFault.DevTools)),
        OnCvm("the VM without a GPU poses as a cloud's guest, with a vTPM of its own making", "tdx.measurements.match", cvm => cvm.PosingAsParavisorAsync()),
        OnCvm("the VM without a GPU shows neither its boot log nor any device", "boot.log.replayed", cvm => cvm.LeavingOutAsync()),
        OnCvm("one GPU fewer than the relying party expects", "composite.gpus.count", cvm => cvm.JudgeAsync(BootFault.None, gpus: DemoStage.Gpus + 1)),
    ];

    private static Attack OnCvm(string title, string finding, Func<DemoMachine, Task<Verdict>> judge) => new(title, finding, async (stage, cancellation) =>
    {
        var cvm = await stage.CvmAsync(cancellation).ConfigureAwait(false);
        var verdict = await judge(cvm).ConfigureAwait(false);
        var parts = verdict.Machine!.Parts;
        var caught = parts.ProcessorFindings.Concat(parts.Boot!.Findings).Concat(verdict.Machine.Findings).FirstOrDefault(item => item.Id == finding && item.State is CheckState.Failed);
        return new DemoAnswer(verdict.Kind is VerdictKind.Fail && caught is not null, caught?.Reason);
    });

    private static Attack OnEvidence(string title, string finding, Func<DemoStage, DemoScene> scene) => new(title, finding, async (stage, cancellation) =>
    {
        var verdict = await stage.VerifyAsync(scene(stage), cancellation).ConfigureAwait(false);
        var caught = verdict.Appraisal.AllFindings.FirstOrDefault(item => item.Id == finding && item.State is not (CheckState.Held or CheckState.NotApplicable));
        return new DemoAnswer(verdict.Kind is not VerdictKind.Pass && caught is not null, caught?.Reason);
    });

    private static async Task<DemoAnswer> OnTokenAsync(DemoStage stage, string id, Func<byte[], byte[]> alter, EatExpectations expected, CancellationToken cancellation)
    {
        var token = stage.Token(await stage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false));
        var accepted = EatBundleReader.TryVerify(alter(token), stage.Keys, expected, out _, out var findings);
        var caught = findings.FirstOrDefault(item => item.Id == id && item.State is CheckState.Failed);
        return new DemoAnswer(!accepted && caught is not null, caught?.Reason);
    }

    // The last character but one of the last device's signature: the token stays well-formed.
    private static byte[] Altered(byte[] token)
    {
        var text = new StringBuilder(Encoding.ASCII.GetString(token));
        var place = text.Length - "\"}]".Length - 2;
        text[place] = text[place] == 'A' ? 'B' : 'A';
        return Encoding.ASCII.GetBytes(text.ToString());
    }
}
