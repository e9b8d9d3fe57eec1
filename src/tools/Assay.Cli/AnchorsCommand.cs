using System.CommandLine;
using System.CommandLine.Completions;
using Assay.Trust;
using Spectre.Console;

namespace Assay.Cli;

/// <summary><c>assay anchors</c>: the roots that are believed without proof, where each comes from, and how to compare it.</summary>
internal static class AnchorsCommand
{
    private const string NvidiaChain = "the last certificate of a device's chain; compiled into github.com/NVIDIA/nvtrust and github.com/NVIDIA/attestation-sdk";
    private const string RimChain = "the last certificate in the signature of a RIM (rim.attestation.nvidia.com); compiled into github.com/NVIDIA/attestation-sdk";

    public static DescribedCommand Create()
    {
        var file = AnchorsFile.Option();
        file.Description = "list the roots of this file (docs/reference/anchors.md) instead of those built in";
        var pem = new Option<string?>("--pem") { Description = "print the certificates of the built-in roots in PEM: all of them, or those of a name or of device, rim, intel or amd", HelpName = "NAME", Arity = ArgumentArity.ZeroOrOne };
        // Only when completion asks: reading the roots hashes them, and hashing loads OpenSSL, which every other command would pay for at its start.
        pem.CompletionSources.Add(_ => Of(TrustSet.BuiltIn).SelectMany(root => new[] { root.Member, root.Anchor.Label }).Distinct().Select(name => new CompletionItem(name)));
        var format = Options.Format();
        var command = new DescribedCommand(
            "anchors",
            "Lists the roots that are trusted, with their SHA-256 fingerprints, where each comes from, and how to compare it with openssl.",
            "0 listed · 2 unusable command line or file",
            [
                "assay anchors",
                "assay anchors --format json",
                "assay anchors --pem intel > intel-root.pem",
                "assay anchors --anchors anchors.json",
            ])
        {
            file, pem, format,
        };
        command.SetAction(parsed => parsed.GetResult(pem) is { Implicit: false }
            ? PrintPem(parsed.GetValue(pem), WhyNotPem(parsed, file, format))
            : Run(parsed.GetValue(file), parsed.GetValue(format) == Options.Json));
        return command;
    }

    private static string? WhyNotPem(ParseResult parsed, Option<string?> file, Option<string> format) =>
        parsed.GetValue(file) is { } name ? $"--pem prints the built-in roots, and {name} holds its own in PEM: give one of --pem and --anchors"
        : parsed.GetValue(format) == Options.Json ? "--pem prints PEM and nothing else: leave --format json out"
        : null;

    private static int PrintPem(string? name, string? whyNot)
    {
        var known = Of(TrustSet.BuiltIn);
        var asked = known.Where(root => name is null || root.Member == name || string.Equals(root.Anchor.Label, name, StringComparison.OrdinalIgnoreCase)).ToArray();
        if (whyNot is null && asked.Length == 0)
        {
            string[] names = [.. known.Select(root => root.Member).Concat(known.Select(root => root.Anchor.Label)).Distinct()];
            whyNot = $"--pem: \"{name}\" is not the name of a root{Nearest.Asked(name!, names)}; they are {string.Join(", ", names)}";
        }

        if (whyNot is not null)
        {
            Output.Error("cli.anchors", whyNot);
            return ExitCode.Unusable;
        }

        foreach (var root in asked)
        {
            Console.Out.Write(RootCertificates.PemOf(root.Anchor));
        }

        return ExitCode.Verified;
    }

    private static int Run(string? file, bool json)
    {
        var fault = false;
        var set = AnchorsFile.Read(file, (id, message) =>
        {
            fault = true;
            Output.Error(id, message);
        });
        if (fault)
        {
            return ExitCode.Unusable;
        }

        if (json)
        {
            WriteJson(set, Of(set));
        }
        else
        {
            WriteText(set, Of(set));
        }

        return ExitCode.Verified;
    }

    private static Root[] Of(TrustSet set) =>
    [
        .. set.DeviceAnchors.Select(anchor => new Root("device", "GPUs and switches", anchor)),
        .. set.RimAnchors.Select(anchor => new Root("rim", "signers of RIMs, and nothing else", anchor)),
        .. set.IntelAnchors.Select(anchor => new Root("intel", "TDX quotes and Intel's statements", anchor)),
        .. set.AmdAnchors.Select(anchor => new Root("amd", "SEV-SNP reports", anchor)),
    ];

    private static void WriteText(TrustSet set, Root[] roots)
    {
        Output.Out.WriteLine(Printable.Of($"{roots.Length} roots, {set.Name} ({KindWord(set.Kind)})"));
        foreach (var root in roots)
        {
            Output.Out.WriteLine();
            Output.Out.MarkupLineInterpolated($"[bold]{Printable.Of(root.Anchor.Label)}[/]");
            Line($"  for          {root.For} (\"{root.Member}\")");
            Line($"  SHA-256      {root.Anchor.Fingerprint}");
            if (set.Kind is TrustSetKind.BuiltIn)
            {
                Line($"  from         {SourceOf(root)}");
                Line($"  compare      {CheckOf(root)}");
            }
        }

        Output.Out.WriteLine();
        Line("openssl prints the fingerprint with colons and capitals; assay anchors --pem prints the certificates, and docs/security/verify-by-hand.md checks a report and a quote up to these roots with openssl alone.");
    }

    private static void WriteJson(TrustSet set, Root[] roots)
    {
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("name", Printable.Of(set.Name));
            writer.WriteString("kind", KindWord(set.Kind));
            writer.WriteStartArray("roots");
            foreach (var root in roots)
            {
                writer.WriteStartObject();
                writer.WriteString("label", Printable.Of(root.Anchor.Label));
                writer.WriteString("for", root.Member);
                writer.WriteString("sha256", root.Anchor.Fingerprint.ToString());
                if (set.Kind is TrustSetKind.BuiltIn)
                {
                    writer.WriteString("from", SourceOf(root));
                    writer.WriteString("compare", CheckOf(root));
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static string SourceOf(Root root) => root.Member switch
    {
        "device" => NvidiaChain,
        "rim" => RimChain,
        "intel" => "https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.pem",
        _ => $"https://kdsintf.amd.com/vcek/v1/{ProductOf(root)}/cert_chain (the second certificate)",
    };

    private static string CheckOf(Root root) => root.Member switch
    {
        "device" or "rim" => "openssl x509 -in root.pem -noout -fingerprint -sha256",
        "intel" => "curl -s https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.pem | openssl x509 -noout -fingerprint -sha256",
        _ => $"curl -s https://kdsintf.amd.com/vcek/v1/{ProductOf(root)}/cert_chain | awk '/BEGIN/{{n++}} n==2' | openssl x509 -noout -fingerprint -sha256",
    };

    private static string ProductOf(Root root) => root.Anchor.Label.Replace("ARK-", "", StringComparison.Ordinal);

    private static string KindWord(TrustSetKind kind) => kind switch { TrustSetKind.BuiltIn => "built-in", TrustSetKind.Custom => "custom", TrustSetKind.Simulated => "simulated", _ => "none" };

    private static void Line(string text) => Output.Out.WriteLine(Folded.To(Printable.Of(text), Output.Out.Profile.Width, 15));

    private sealed record Root(string Member, string For, TrustAnchor Anchor);
}
