using Assay.Appraisal;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>What to do about a check that did not hold, by the end of its id.</summary>
internal static class Advice
{
    private static readonly (string Check, string Text)[] s_failed =
    [
        ("report.wellformed", "The report cannot be read: collect it again, and check that the file was not cut or converted."),
        ("device.chain.wellformed", "The chain cannot be read: it is five PEM certificates, leaf first, as the driver gives them."),
        ("device.chain.trusted", "The chain does not end at a trusted root: the device is not genuine, or --anchors names other roots than it has."),
        ("report.signature.valid", "Do not use this device: its report was altered, or its chain is another device's. Collect both again in one call."),
        ("report.nonce.match", "Collect evidence with the nonce that you pass as --nonce; an old recording never matches."),
        ("report.fwid.match", "Do not use this device: its firmware is not the one that its key was made for. Power-cycle it and collect again."),
        ("device.chain.current", "A device certificate is outside its time: check the clock, or --at."),
        ("device.chain.not-revoked", "Drain this device and ask its manufacturer: its certificate was revoked, or no valid answer says that it was not."),
        ("device.chain.status-current", "Fetch the OCSP answers again (--ocsp-url nvidia), or check the clock: they are not of this time."),
        (".signature.valid", "The RIM was altered: delete it and fetch it again from the RIM service."),
        (".chain.trusted", "The RIM is signed by nobody you trust: delete it and fetch it again from the RIM service."),
        (".chain.current", "The RIM's signer is outside its time: fetch the RIM again (NVIDIA signs the same id anew), or check the clock."),
        (".chain.not-revoked", "The RIM's signer was revoked, or no valid answer says that it was not: fetch the RIM again."),
        (".chain.status-current", "Fetch the OCSP answers again (--ocsp-url nvidia), or check the clock: they are not of this time."),
        (".wellformed", "The RIM's file is damaged: delete it and fetch it again."),
        (".edition.match", "The RIM's file is that of another device: delete it and fetch it again by its id."),
        (".product.match", "The RIM's file is that of another chip: delete it and fetch it again by its id."),
        (".version.match", "The RIM's file is that of another version: delete it and fetch it again by its id."),
        (".chain.not-held", "The RIM's signer is on hold, as for drivers that are not released: install a released driver."),
        ("measurements.driver.match", "The driver does not run as released: reboot the host (a CC mode toggle can leave index 52 wrong), or reinstall the driver of this version."),
        ("measurements.vbios.match", "The VBIOS does not match its RIM: power-cycle the GPU (index 9 is known to differ after a warm reboot), then update the VBIOS."),
        ("measurements.switch.match", "The switch BIOS does not match its RIM: power-cycle the host, then update the switch firmware."),
        ("measurements.min-svn.met", "Update the GPU's firmware: a component is older than NVIDIA allows."),
        ("set.devices.distinct", "Give each device's evidence once; a repeated report hides a device that did not answer."),
        ("policy.rules.satisfied", "Your policy refuses: compare the rules above with the claims (--format json), and see docs/policies.md for rules that only NVIDIA's own verifiers can satisfy."),
        ("time.floor.respected", "Set the clock: it is behind what has verifiably happened."),
    ];

    public static List<string> For(Verdict verdict)
    {
        var failed = verdict.Appraisal.AllFindings.Concat(verdict.PolicyFindings).Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id).Distinct().ToArray();
        var advice = failed
            .Select(id => s_failed.FirstOrDefault(entry => entry.Check == id || (entry.Check[0] == '.' && id.StartsWith("rim.", StringComparison.Ordinal) && id.EndsWith(entry.Check, StringComparison.Ordinal))).Text)
            .OfType<string>().Distinct().ToList();
        foreach (var kind in verdict.Appraisal.Missing.GroupBy(item => item.Kind))
        {
            advice.Add(kind.Key switch
            {
                "rim" => $"Get {string.Join(", ", kind.Select(item => item.Id))}: --rim-url nvidia fetches them, or put <id>.xml into --rim-store. A driver or VBIOS without a RIM cannot be verified: use a released one.",
                "corim" => "These devices can be authenticated but not measured by this version: their reference values exist only as CoRIM.",
                _ => "Get OCSP answers: --ocsp-url nvidia, or a folder of them as --ocsp-store.",
            });
        }

        return advice;
    }
}
