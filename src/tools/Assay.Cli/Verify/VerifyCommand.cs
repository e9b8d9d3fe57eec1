using System.CommandLine;
using Assay.Checks;
using Assay.Cli.Collateral;
using Assay.Cli.Configuration;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Policy;
using Spectre.Console;

namespace Assay.Cli.Verify;

/// <summary><c>assay verify</c>.</summary>
internal static class VerifyCommand
{
    /// <summary>What the help says of them.</summary>
    public const string ExitCodes = "0 verified · 1 refused · 2 unusable input · 3 incomplete, collateral is missing";

    public static DescribedCommand Create()
    {
        var options = new VerifyOptions();
        var command = new DescribedCommand(
            "verify",
            "Verifies evidence of GPUs and switches, of a processor's TEE (TDX, SEV-SNP), its boot, or all of a machine. Nothing is fetched unless a URL is given.",
            ExitCodes,
            [
                "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE",
                "assay verify --config site.yaml --evidence machine.json --nonce $CHALLENGE",
                "assay verify --evidence gpu.json switch.json --rim-store rims --ocsp-store ocsp --format json",
                "assay verify --evidence gpu.json --nonce $NONCE --bundle rack7.bundle --bundle-keys site.jwks",
                "assay verify --report report.txt --chain chain.pem --rim-store rims --dangerously-skip-revocation",
                "assay verify --cpu-evidence quote.bin --cpu-collateral collateral --event-log eventlog.json --reference-values trainer.jws --reference-keys publisher.jwks --report-data $DATA",
                "assay verify --evidence machine.json --nonce $CHALLENGE --cpu-collateral collateral --reference-values trainer.jws --reference-keys publisher.jwks --rim-url nvidia --ocsp-url nvidia --expect gpus=8,switches=4",
            ])
        {
            Groups = options.Groups,
        };
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(VerifyOptions options, ParseResult parsed, CancellationToken cancellation)
    {
        var given = parsed;
        var settings = VerifySettings.Read(options, given, Variables());
        parsed = settings.Parsed;
        if (parsed.Errors.Count > 0)
        {
            // No value can be asked of it.
            return Refuse(settings.Faults);
        }

        if (!VerifyRequest.TryRead(options, parsed, TimeProvider.System, out var request, out var faults, isWhole: settings.Faults.Count == 0) || settings.Faults.Count > 0)
        {
            request?.Dispose();
            return Refuse(settings.Faults.Concat(faults.Select(fault => (fault.Id, settings.Located(fault.Message)))));
        }

        using (request)
        {
            var shown = request.Machine.Evidence;
            // A file or a variable is for evidence of every kind; what was given with this very call was meant for it.
            UnusedOptions.Tell(given, UnusedOptions.KindsOf(!shown.Devices.IsEmpty, shown.Cpu is { } cpu ? [cpu] : []), options.ByEvidence);
            var verdict = await JudgeAsync(request, cancellation).ConfigureAwait(false) with { Configuration = settings.Configuration };
            var refused = CodeOf(verdict) == ExitCode.Verified && request.FailOnWeakened is { } names ? verdict.Weakened.Where(name => names.IsEmpty || names.Contains(name)).ToArray() : [];
            Print(verdict, request, refused);
            // A pass whose token is not there is not what was asked for; of one that is refused here none is written.
            var written = request.Token is null || (refused.Length == 0 && request.Token.TryWrite(verdict, TimeProvider.System));
            if (written && request is { Token: { } token, Json: false })
            {
                Output.Out.WriteLine();
                Output.Out.WriteLine(Printable.Of($"Token written: {token}"));
            }

            var code = CodeOf(verdict);
            if (refused.Length > 0)
            {
                Output.Error("verdict.weakened", $"exit code 1: the pass is weakened by {string.Join(", ", refused)}, which you do not accept (--accept-weakened, --fail-on-weakened or accept.weakened of --config; assay explain {refused[0]} says what it leaves open)");
            }

            return code != ExitCode.Verified ? code : refused.Length > 0 ? ExitCode.Refused : !written ? ExitCode.Unusable : code;
        }
    }

    private static int Refuse(IEnumerable<(string Id, string Message)> faults)
    {
        foreach (var (id, message) in faults)
        {
            Output.Error(id, message);
        }

        return ExitCode.Unusable;
    }

    /// <summary>The environment.</summary>
    internal static Dictionary<string, string> Variables() =>
        Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>().Where(entry => entry.Key is string && entry.Value is string).ToDictionary(entry => (string)entry.Key, entry => (string)entry.Value!, StringComparer.Ordinal);

    internal static Task<Verdict> JudgeAsync(VerifyRequest request, CancellationToken cancellation)
    {
        var (evidence, expected, given) = request.Machine;
        var appraiser = new MachineAppraiser(request.Sources, request.Cache) { Given = given, Patience = request.Patience };
        var terms = new VerdictTerms { Policy = request.Policy, Claims = request.Claims };
        return WithProgressAsync(request, progress => appraiser.AppraiseAsync(evidence, expected, terms, progress, cancellation));
    }

    /// <summary>Evidence that cannot be read is no verdict about a device; 1 beats 3.</summary>
    internal static int CodeOf(Verdict verdict) => verdict switch
    {
        { Appraisal.Unparsable: true } or { Machine.Parts.Cpu.Unparsable: true } => ExitCode.Unusable,
        { Kind: VerdictKind.Pass } => ExitCode.Verified,
        { Kind: VerdictKind.Incomplete } => ExitCode.Incomplete,
        _ => ExitCode.Refused,
    };

    private static void Print(Verdict verdict, VerifyRequest request, string[] refused)
    {
        foreach (var device in verdict.Appraisal.Devices.Where(device => device.Unparsable))
        {
            var fault = device.Findings.First(finding => finding.State is CheckState.Failed);
            Output.Error(fault.Id, $"{device.Source}: {fault.Reason}");
        }

        if (verdict.Machine?.Parts.Cpu is { Unparsable: true } cpu)
        {
            var fault = cpu.Findings.First(finding => finding.State is CheckState.Failed);
            Output.Error(fault.Id, $"{cpu.Evidence.Source}: {fault.Reason}");
        }

        if (request.Json)
        {
            using var output = Console.OpenStandardOutput();
            output.Write(VerdictJson.Write(verdict, request.Claims));
            output.Write("\n"u8);
        }
        else
        {
            new VerdictPrinter(Output.Out, request.Verbose) { Bundle = request.BundleName, Refused = refused }.Print(verdict);
            if (request.Bundle is { } bundle)
            {
                Output.Out.WriteLine();
                Output.Out.WriteLine(Printable.Of($"Collateral: bundle of sequence {bundle.Manifest.Sequence}, created {Instant.Text(bundle.Manifest.Created)}, good until {Instant.Text(bundle.Manifest.GoodUntil)}, signed by {string.Join(", ", bundle.Authentic.Signers)}"));
            }
        }
    }

    // Only the network takes longer than a moment.
    private static Task<Verdict> WithProgressAsync(VerifyRequest request, Func<IProgress<AppraisalProgress>?, Task<Verdict>> run) =>
        request.UsesNetwork ? Bar.ShowAsync("collateral", tell => run(tell is null ? null : new Told(tell, request.From))) : run(null);

    private sealed class Told(Action<Step> tell, Func<CollateralKind, string?> from) : IProgress<AppraisalProgress>
    {
        private readonly Waiting _waiting = new();

        public void Report(AppraisalProgress value) => tell(_waiting.Change(value.Done, value.Total, value.Item, from(value.Kind), value.IsAnswered));
    }
}
