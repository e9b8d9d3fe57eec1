using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal;
using Assay.Cli.Verify;
using Assay.Collateral;
using Assay.Evidence;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>
/// <c>assay demo</c>: makes a simulated switch with a CA and a RIM of its own, verifies it, then attacks it. Needs no hardware, no
/// network and no file.
/// </summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var output = new Option<string?>("--out") { Description = "also write the simulated set to this folder, to play with", HelpName = "DIR" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "show every check" };
        var format = Options.Format();
        var command = new Command("demo", "Verifies a simulated switch, then shows attacks refused. Needs no hardware and no network.") { output, verbose, format };
        command.SetAction((parsed, cancellation) => parsed.GetValue(format) == Options.Json
            ? RunAsJsonAsync(cancellation)
            : RunAsync(parsed.GetValue(output), parsed.GetValue(verbose), cancellation));
        return command;
    }

    private static async Task<int> RunAsJsonAsync(CancellationToken cancellation)
    {
        using var stage = DemoStage.Create(TimeProvider.System.GetUtcNow());
        var honest = await DemoStage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        var shipped = ShippedSet.TryFind() is { } scene ? await DemoStage.VerifyAsync(scene, cancellation).ConfigureAwait(false) : null;
        var asExpected = honest.Kind is VerdictKind.Pass && (shipped is null || shipped.Kind is VerdictKind.Pass);
        using var writer = new Utf8JsonWriter(Console.OpenStandardOutput(), new JsonWriterOptions { Indented = true });
        writer.WriteStartObject();
        writer.WriteString("shipped", shipped?.Word);
        writer.WriteString("honest", honest.Word);
        writer.WriteStartArray("attacks");
        foreach (var attack in DemoAttacks.All)
        {
            var (caught, finding) = await AttackAsync(stage, attack, cancellation).ConfigureAwait(false);
            asExpected &= caught;
            writer.WriteStartObject();
            writer.WriteString("attack", attack.Title);
            writer.WriteBoolean("refused", caught);
            writer.WriteString("finding", attack.Finding);
            writer.WriteString("reason", finding?.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteBoolean("asExpected", asExpected);
        writer.WriteEndObject();
        await writer.FlushAsync(cancellation).ConfigureAwait(false);
        await Console.Out.WriteLineAsync().ConfigureAwait(false);
        return asExpected ? ExitCode.Verified : ExitCode.Refused;
    }

    private static async Task<(bool Caught, Finding? Finding)> AttackAsync(DemoStage stage, DemoAttacks.Attack attack, CancellationToken cancellation)
    {
        var refused = await DemoStage.VerifyAsync(attack.Stage(stage), cancellation).ConfigureAwait(false);
        var finding = refused.Appraisal.AllFindings.FirstOrDefault(item => item.Id == attack.Finding);
        return (refused.Kind is not VerdictKind.Pass && finding is not null && finding.State is not (CheckState.Held or CheckState.NotApplicable), finding);
    }

    private static async Task<int> RunAsync(string? folder, bool verbose, CancellationToken cancellation)
    {
        if (folder is not null && (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())))
        {
            Output.Error("cli.folder", $"--out: {folder} exists and is not an empty folder");
            return ExitCode.Unusable;
        }

        var console = Output.Out;
        var now = TimeProvider.System.GetUtcNow();
        using var stage = DemoStage.Create(now);
        var asExpected = await VerifyShippedAsync(console, cancellation).ConfigureAwait(false);
        console.MarkupLine("[bold]A simulated NVSwitch, with a certificate authority and a reference manifest of its own[/]");
        console.WriteLine("Simulated devices prove nothing about hardware: every certificate says so in a critical extension.");
        console.WriteLine();

        var verdict = await DemoStage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        new VerdictPrinter(console, verbose).Print(verdict);
        asExpected &= verdict.Kind is VerdictKind.Pass;

        console.WriteLine();
        console.MarkupLine("[bold]Attacks, each refused for its own reason[/]");
        foreach (var attack in DemoAttacks.All)
        {
            var (caught, finding) = await AttackAsync(stage, attack, cancellation).ConfigureAwait(false);
            asExpected &= caught;
            console.MarkupLineInterpolated($"  [{(caught ? "green" : "red")}]{(caught ? "refused" : "PASSED")}[/]  {attack.Title}");
            console.WriteLine($"           {attack.Finding}: {finding?.Reason ?? "not found"}");
        }

        if (folder is not null)
        {
            try
            {
                stage.Write(folder);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Output.Error("cli.folder", $"--out: {exception.Message}");
                return ExitCode.Unusable;
            }

            console.WriteLine();
            console.WriteLine($"Written to {folder}. Try:");
            var quoted = $"'{folder.Replace("'", "'\\''", StringComparison.Ordinal)}'";
            var command = Environment.GetEnvironmentVariable("ASSAY_COMMAND") ?? "assay";
            console.WriteLine($"  {command} verify --evidence {quoted}/switch_evidence.json --anchors {quoted}/anchors.json --rim-store {quoted}/rims --ocsp-store {quoted}/ocsp --nonce {stage.Nonce}");
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The honest device passed, every attack was refused.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected ? ExitCode.Verified : ExitCode.Refused;
    }

    // The set that ships with the source, judged at the time of its making: the same bytes for everybody, today and in ten years.
    private static async Task<bool> VerifyShippedAsync(IAnsiConsole console, CancellationToken cancellation)
    {
        if (ShippedSet.TryFind() is not { } shipped)
        {
            // A published command brings no vectors; in a checkout a missing set is an error, not a pass.
            return true;
        }

        var verdict = await DemoStage.VerifyAsync(shipped, cancellation).ConfigureAwait(false);
        console.MarkupLineInterpolated($"[bold]The simulated NVSwitch that ships in vectors/[/]: {verdict.Word}, {verdict.Appraisal.Devices.Sum(device => device.Measurements?.Matched ?? 0)} measurements match");
        console.WriteLine();
        return verdict.Kind is VerdictKind.Pass;
    }
}

/// <summary>One verification of the demonstration: evidence, and what it is judged with.</summary>
internal sealed record DemoScene(byte[] Evidence, AppraisalExpectations Expected, IRimSource Rims, IOcspSource? Ocsp);

/// <summary>The simulated world of the demonstration.</summary>
internal sealed class DemoStage : IDisposable
{
    private readonly SimulatedSet _set;
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-demo-").FullName;

    private DemoStage(SimulatedAuthority authority, SimulatedDevice device, Nonce nonce, DateTimeOffset now, TrustSet trust)
    {
        (Authority, Device, Nonce, Now) = (authority, device, nonce, now);
        _set = SimulatedSet.Of(authority, device, nonce.Bytes, now);
        _set.Write(_folder);
        Honest = new DemoScene(SimulatedEvidence.ToJson(_set.Evidence), Expect(nonce, trust, now), new DirectoryRimStore(Path.Combine(_folder, "rims")), new DirectoryOcspStore(Path.Combine(_folder, "ocsp")));
    }

    public SimulatedAuthority Authority { get; }

    public SimulatedDevice Device { get; }

    public Nonce Nonce { get; }

    public DateTimeOffset Now { get; }

    public DemoScene Honest { get; }

    public string Folder => _folder;

    public static DemoStage Create(DateTimeOffset now)
    {
        var authority = SimulatedAuthority.Create(now);
        var anchors = SimulatedAnchors.ToJson(authority, "demonstration");
        if (!TrustSet.TryParse(anchors, out var trust, out var fault) || !Nonce.TryCreate(RandomNumberGenerator.GetBytes(Nonce.Size), out var nonce))
        {
            throw new InvalidOperationException($"the simulator's own anchors cannot be read: {fault}");
        }

        return new DemoStage(authority, SimulatedDevice.Create(authority, DeviceProfile.Ls10), nonce, now, trust);
    }

    public static AppraisalExpectations Expect(Nonce nonce, TrustSet trust, DateTimeOffset now) => new()
    {
        Nonce = nonce,
        Time = new EvaluationTime(now, TimeSource.System),
        Trust = trust,
        Revocation = RevocationChecking.Required,
    };

    public static async Task<Verdict> VerifyAsync(DemoScene scene, CancellationToken cancellation)
    {
        if (!EvidenceFile.TryParse(scene.Evidence, "switch_evidence.json", out var devices, out var fault))
        {
            throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");
        }

        var appraisal = await new Appraiser(scene.Rims, scene.Ocsp, new VerifierCache()).AppraiseAsync(devices, scene.Expected, null, cancellation).ConfigureAwait(false);
        return DefaultPolicy.Decide(appraisal);
    }

    public void Write(string folder) => _set.Write(folder);

    public void Dispose()
    {
        Device.Dispose();
        Authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
