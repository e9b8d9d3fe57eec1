using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Client.Channels;
using Assay.Policy;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Channels;

/// <summary>What stands behind an address, for people: the channel, the machine in a few lines, and then the verdict with everything that it proves and does not.</summary>
internal sealed class ChannelPrinter(IAnsiConsole console, bool verbose)
{
    private const int LabelWidth = 20;

    public void Print(ChannelCheck check)
    {
        var (word, colour) = check.Result is not null ? ("ATTESTED", "green") : ("NOT ATTESTED", "red");
        console.MarkupLineInterpolated($"[bold {colour}]{word}[/] · {Printable.Of(check.Server.ToString())}");
        if (check.Refusal is { } refusal)
        {
            Row("because", $"{refusal.Id}: {refusal.Reason}");
            Row("demanded", check.Policy.Summary);
        }

        if (check.Result is { } result)
        {
            PrintChannel(result);
        }

        if (check.Verdict is { } verdict)
        {
            PrintMachine(verdict);
            console.WriteLine();
            var refused = verdict.Kind is VerdictKind.Pass && check.Refusal is not null ? check.Policy.Unaccepted(verdict.Weakened) : [];
            new VerdictPrinter(console, verbose) { Bundle = check.Policy.Request.BundleName, Refused = refused }.Print(verdict);
        }
    }

    private void PrintChannel(ChannelResult result)
    {
        Row("whose", result.Operator);
        Row("level", $"{ChannelBinding.WordOf(result.Level)}{Meaning(result.Level)}");
        Row("purpose", result.Purpose);
        Row("key", $"SHA-384 of its certificate {Convert.ToHexStringLower(result.Leaf.Span)}");
        Row("certificate ends", Instant.Text(result.NotAfter));
        Row("boot", $"{Convert.ToHexStringLower(result.Epoch.Span)} (another one after each reboot)");
        Row("weakened", result.Weakened.IsEmpty ? "no" : string.Join(", ", result.Weakened));
    }

    private void PrintMachine(Verdict verdict)
    {
        // What is not authentic says nothing about the machine; the verdict says why it is not.
        if (verdict.Machine?.Parts.Cpu is { Tee: { IsAuthentic: true } tee })
        {
            Row("processor", $"{tee.Title}, platform {(verdict.Platform is "not-asked" ? "not asked" : verdict.Platform)}");
        }

        Row("image", Found(verdict, "tdx.measurements.match", "snp.measurement.match", "tpm.measurements.match") ?? "not one that you listed");
        Row("boot event", verdict.Binding is "boot-event" ? $"a measured gate verified the devices at boot: {Found(verdict, "boot.gpu.attested")}" : $"none that binds the devices (binding {verdict.Binding})");
        foreach (var line in Devices(verdict))
        {
            Row("device", line);
        }

        if (verdict.Appraisal.Devices.IsEmpty)
        {
            Row("device", "no GPU and no switch answered");
        }
    }

    // The claims are what everybody else reads of a device, too.
    private static IEnumerable<string> Devices(Verdict verdict)
    {
        var mode = Found(verdict, "set.mode.same");
        foreach (var device in JsonNode.Parse(verdict.ToJson())!["devices"]!.AsArray())
        {
            var (type, claims) = ((string?)device!["type"], device["claims"] as JsonObject);
            if (claims is null)
            {
                yield return "not authentic";
                continue;
            }

            string Version(string part, string label) => claims.FirstOrDefault(claim => claim.Key.EndsWith($"-{part}-version", StringComparison.Ordinal)).Value is { } value ? $", {label} {value}" : "";
            yield return $"{(type is "gpu" ? "GPU" : "switch")} {(string?)claims["hwmodel"]}{(type is "gpu" && mode is not null ? $", mode {mode}" : "")}{Version("driver", "driver")}{Version("vbios", "VBIOS")}{Version("bios", "BIOS")}";
        }
    }

    private static string Meaning(ChannelLevel level) => level switch
    {
        ChannelLevel.Exporter => ": the evidence is bound to the keys of this very connection",
        ChannelLevel.Challenge => ": the evidence answers this connection's challenge; a thief of the TLS key can relay it",
        _ => ": the evidence is as old as the certificate; a thief of the TLS key passes until it ends",
    };

    private static string? Found(Verdict verdict, params ReadOnlySpan<string> ids)
    {
        var parts = verdict.Machine?.Parts;
        foreach (var finding in (parts?.ProcessorFindings ?? []).Concat(parts?.Boot?.Findings ?? []).Concat(verdict.Machine?.Findings ?? []).Concat(verdict.Appraisal.Findings))
        {
            if (finding.State is CheckState.Held && ids.Contains(finding.Id))
            {
                return finding.Found;
            }
        }

        return null;
    }

    private void Row(string label, string value) => Folded.Print(console, Folded.To(Printable.Of($"  {label,-18}{value}"), console.Profile.Width, LabelWidth));
}
