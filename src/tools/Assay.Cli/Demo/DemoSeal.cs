using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>What the lines of the chapter about sealing are about.</summary>
internal enum DemoSealPart
{
    /// <summary>From the boot to the opened file.</summary>
    Honest,

    /// <summary>Inside the VM, but not as the owner sealed it.</summary>
    Changed,

    /// <summary>Where the key is not, or may not be used.</summary>
    Elsewhere,

    /// <summary>The owner seals nothing.</summary>
    Owner,
}

/// <summary>One line of the chapter.</summary>
/// <param name="Part">Where it belongs.</param>
/// <param name="Word">What happened.</param>
/// <param name="Title">What was tried.</param>
/// <param name="Fault">The id of what has to refuse it; null where it has to work.</param>
/// <param name="AsExpected">Whether it came out so.</param>
/// <param name="Reason">What the program said.</param>
internal sealed record DemoSealLine(DemoSealPart Part, string Word, string Title, string? Fault, bool AsExpected, string Reason);

/// <summary>
/// A model owner judges a simulated VM's evidence and seals a file to the key in it with <c>assay seal</c>; <c>assay-guest unseal</c> opens it in that VM.
/// Then everything is tried that must not open it. Every answer is one of the programs'.
/// </summary>
internal sealed class DemoSeal : IAsyncDisposable
{
    private const string Id = "models/demo@1";
    private const string Key = "release";
    private const int ContentBytes = 40_000;

    private readonly SimulatedAuthority _authority;
    private readonly DemoVm _vm;
    private readonly DemoVm _other;
    private readonly RelyingParty _owner;
    private readonly string _challenge = NewChallenge();
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(ContentBytes);
    private string _evidence = "";
    private string _thumbprint = "";

    private DemoSeal(SimulatedAuthority authority, DemoVm vm, DemoVm other, RelyingParty owner) => (_authority, _vm, _other, _owner) = (authority, vm, other, owner);

    private string Model => Path.Combine(_vm.Folder, "model");

    private string Sealed => Model + ".sealed";

    // What the VM is given. The host gives it what it likes.
    private string Given => Path.Combine(_vm.Folder, "given", "model.sealed");

    /// <summary>Two machines of the same makers and the same image, not booted yet.</summary>
    public static async Task<DemoSeal> StartAsync(string program, DateTimeOffset now, CancellationToken cancellation)
    {
        var (authority, intel) = (SimulatedAuthority.Create(now), SimulatedIntel.Create(now));
        var vm = await DemoVm.StartAsync(program, authority, intel, now, cancellation).ConfigureAwait(false);
        var other = await DemoVm.StartAsync(program, authority, intel, now, cancellation).ConfigureAwait(false);
        return new DemoSeal(authority, vm, other, await vm.RelyingPartyAsync(cancellation).ConfigureAwait(false));
    }

    /// <summary>The lines, as they come out. None follows where there is nothing to attack.</summary>
    public async IAsyncEnumerable<DemoSealLine> RunAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var step in (Func<CancellationToken, Task<DemoSealLine>>[])[BootAsync, JudgeAsync, SealAsync, OpenAsync])
        {
            var line = await step(cancellation).ConfigureAwait(false);
            yield return line;
            if (!line.AsExpected)
            {
                yield break;
            }
        }

        foreach (var part in (Func<CancellationToken, IAsyncEnumerable<DemoSealLine>>[])[ChangedAsync, ElsewhereAsync, OwnerAsync])
        {
            await foreach (var line in part(cancellation).ConfigureAwait(false))
            {
                yield return line;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _vm.DisposeAsync().ConfigureAwait(false);
        await _other.DisposeAsync().ConfigureAwait(false);
        _authority.Dispose();
    }

    private async Task<DemoSealLine> BootAsync(CancellationToken cancellation)
    {
        var whyNot = await _vm.BootAsync(cancellation).ConfigureAwait(false);
        return Honest("booted", "the VM boots through its gate, and its agent serves", whyNot is null, whyNot ?? string.Join(" → ", _vm.Events()));
    }

    private async Task<DemoSealLine> JudgeAsync(CancellationToken cancellation)
    {
        const string title = "the owner judges the VM's evidence for a challenge of his own";
        var shown = await _vm.EvidenceAsync(_challenge, Key, cancellation).ConfigureAwait(false);
        if (shown.ExitCode != 0)
        {
            return Honest("judged", title, false, Problem(shown).Text);
        }

        _evidence = shown.Output;
        var verdict = await JudgeAsync(_vm, _evidence, _challenge, cancellation).ConfigureAwait(false);
        var isGood = verdict is { Kind: VerdictKind.Pass, Binding: "boot-event", Freshness: "proven" };
        _thumbprint = verdict.Machine?.Parts.Key?.Thumbprint ?? "";
        var storage = (string?)JsonNode.Parse(_evidence)!["key"]!["x-assay-key-storage"];
        return Honest("judged", title, isGood && storage == "cvm-memory", isGood
            ? $"PASS, binding {verdict.Binding}, freshness {verdict.Freshness}, weakened by {string.Join(", ", verdict.Weakened)}; its key {_thumbprint} was made in {storage}"
            : Why(verdict).Text);
    }

    private async Task<DemoSealLine> SealAsync(CancellationToken cancellation)
    {
        var jwk = Path.Combine(_vm.Folder, "vm.jwk");
        await File.WriteAllTextAsync(jwk, JsonNode.Parse(_evidence)!["key"]!.ToJsonString(), cancellation).ConfigureAwait(false);
        await File.WriteAllBytesAsync(Model, _content, cancellation).ConfigureAwait(false);
        using var process = OwnCommand.Begin(["seal", Model, "--to", jwk, "--id", Id, "--format", "json"]);
        var answer = await DemoVm.EndOfAsync(process, cancellation).ConfigureAwait(false);
        // The owner's file stays with the owner.
        File.Delete(Model);
        var to = answer.ExitCode == 0 ? (string?)JsonNode.Parse(answer.Output)!["recipients"]![0]!["thumbprint"] : null;
        return Honest("sealed", $"assay seal model --to vm.jwk --id {Id}", to == _thumbprint, to is null ? answer.Error.Trim() : $"{ContentBytes} bytes, to the key {to} and no other");
    }

    private async Task<DemoSealLine> OpenAsync(CancellationToken cancellation)
    {
        var answer = await UnsealAsync(_vm, Sealed, Id, Key, cancellation).ConfigureAwait(false);
        var (read, expected) = (answer.Output.Split(' ')[0], Convert.ToHexStringLower(SHA256.HashData(_content)));
        return Honest("opened", $"assay-guest unseal model.sealed --id {Id} --key {Key} --exec sha256sum", answer.ExitCode == 0 && read == expected, answer.ExitCode == 0
            ? $"sha256sum read {read} from its standard input, {(read == expected ? "and so has the owner's file" : $"and the owner's file has {expected}")}" : answer.Error.Trim());
    }

    /// <summary>In the VM to which it was sealed.</summary>
    private async IAsyncEnumerable<DemoSealLine> ChangedAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var file = new SealedBytes(await File.ReadAllBytesAsync(Sealed, cancellation).ConfigureAwait(false));
        yield return await RefusedAsync(DemoSealPart.Changed, "another id is expected than the one it was sealed under", "sealing.pack.id", _vm, cancellation, id: "models/demo@2").ConfigureAwait(false);
        yield return await RefusedAsync(DemoSealPart.Changed, "another key of the same VM and user", "sealing.pack.recipient", _vm, cancellation, key: "another").ConfigureAwait(false);
        (string Title, string Fault, byte[] Altered)[] changes =
        [
            ("one bit of a chunk is flipped", "sealing.pack.chunk", file.WithBitFlipped()),
            ("two chunks change places", "sealing.pack.chunk", file.WithChunksSwapped()),
            ("the last chunk is cut off", "sealing.pack.length", file.Cut()),
            ("the last chunk is cut off, and the header's size agrees", "sealing.not-opened", file.CutWithHeader(ContentBytes)),
        ];
        foreach (var (title, fault, altered) in changes)
        {
            yield return await RefusedAsync(DemoSealPart.Changed, title, fault, _vm, cancellation, altered).ConfigureAwait(false);
        }
    }

    /// <summary>The same file, where the key is not or may not be used.</summary>
    private async IAsyncEnumerable<DemoSealLine> ElsewhereAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        yield return await _other.BootAsync(cancellation).ConfigureAwait(false) is { } whyNot
            ? new DemoSealLine(DemoSealPart.Elsewhere, "FAILED", "a second VM boots", null, false, whyNot)
            : await RefusedAsync(DemoSealPart.Elsewhere, "a second VM of the same image, behind the same gate", "sealing.pack.recipient", _other, cancellation).ConfigureAwait(false);
        var key = await _other.RunAsync(["ctl", "key", Key], cancellation).ConfigureAwait(false);
        var others = KeyBinding.TryCreate(_challenge, Encoding.UTF8.GetBytes(key.Output), out var binding, out _) ? binding.Thumbprint : "";
        var renamed = new SealedBytes(await File.ReadAllBytesAsync(Sealed, cancellation).ConfigureAwait(false)).ForKey(_thumbprint, others);
        yield return await RefusedAsync(DemoSealPart.Elsewhere, "the same, and the file's list names the second VM's key", "sealing.not-opened", _other, cancellation, renamed).ConfigureAwait(false);
        await _vm.UnplugAsync(gpu: 1, cancellation).ConfigureAwait(false);
        yield return await RefusedAsync(DemoSealPart.Elsewhere, "a GPU is taken from the VM to which it was sealed", "gate.devices.count", _vm, cancellation).ConfigureAwait(false);
        _vm.Prepare(GuestFault.None);
        yield return await _vm.BootAsync(cancellation).ConfigureAwait(false) is { } refused
            ? new DemoSealLine(DemoSealPart.Elsewhere, "FAILED", "the VM boots again", null, false, refused)
            : await RefusedAsync(DemoSealPart.Elsewhere, "that VM after a reboot: its keys ended with the last boot", "sealing.pack.recipient", _vm, cancellation).ConfigureAwait(false);
    }

    /// <summary>Evidence that a key must not be taken from.</summary>
    private async IAsyncEnumerable<DemoSealLine> OwnerAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var foreign = JsonNode.Parse(_evidence)!;
        foreign["key"] = JsonNode.Parse(DemoMachine.NewKey().Jwk);
        foreign["key"]!["x-assay-key-storage"] = "cvm-memory";
        yield return await NotSealedAsync("the host puts a key of its own into the VM's evidence", "tdx.report-data.match", _vm, foreign.ToJsonString(), _challenge, cancellation).ConfigureAwait(false);
        yield return await NotSealedAsync("the host shows evidence that another challenge got", "tdx.report-data.match", _vm, _evidence, NewChallenge(), cancellation).ConfigureAwait(false);

        _other.Prepare(GuestFault.CcOff);
        var gate = await _other.BootAsync(cancellation).ConfigureAwait(false);
        var served = await _other.StartAgentAsync(cancellation).ConfigureAwait(false);
        var shown = await _other.EvidenceAsync(_challenge, Key, cancellation).ConfigureAwait(false);
        var (id, text) = Problem(shown);
        yield return Owner("a VM with CC off: the gate is closed, and the agent shows no evidence", "agent.not-verified", gate is not null && served is null && shown.ExitCode == 1 && id == "agent.not-verified", text);

        _other.Prepare(GuestFault.CcOff, """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""");
        gate = await _other.BootAsync(cancellation).ConfigureAwait(false);
        shown = await _other.EvidenceAsync(_challenge, Key, cancellation).ConfigureAwait(false);
        yield return gate is null && shown.ExitCode == 0
            ? await NotSealedAsync("the same with a gate that skips the GPUs: now there is evidence", "boot.gpu.attested", _other, shown.Output, _challenge, cancellation).ConfigureAwait(false)
            : Owner("an image whose gate skips the GPUs", "boot.gpu.attested", false, gate ?? Problem(shown).Text);
    }

    private async Task<DemoSealLine> RefusedAsync(DemoSealPart part, string title, string fault, DemoVm vm, CancellationToken cancellation, byte[]? altered = null, string id = Id, string key = Key)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Given)!);
        await File.WriteAllBytesAsync(Given, altered ?? await File.ReadAllBytesAsync(Sealed, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
        var answer = await UnsealAsync(vm, Given, id, key, cancellation).ConfigureAwait(false);
        var text = answer.Error.Replace("assay-guest: ", "", StringComparison.Ordinal).Replace(Path.GetDirectoryName(Given) + "/", "", StringComparison.Ordinal).Trim();
        // Refused, for this reason, and no command ran.
        var refused = answer.ExitCode == 1 && text.StartsWith($"{fault}:", StringComparison.Ordinal) && answer.Output.Length == 0;
        return new DemoSealLine(part, answer.ExitCode == 0 ? "OPENED" : refused ? "refused" : "FAILED", title, fault, refused, text);
    }

    private async Task<DemoSealLine> NotSealedAsync(string title, string finding, DemoVm vm, string evidence, string challenge, CancellationToken cancellation)
    {
        var verdict = await JudgeAsync(vm, evidence, challenge, cancellation).ConfigureAwait(false);
        var (id, text) = Why(verdict, finding);
        return Owner(title, finding, verdict.Kind is VerdictKind.Fail && id == finding, text);
    }

    private static DemoSealLine Honest(string word, string title, bool asExpected, string reason) => new(DemoSealPart.Honest, asExpected ? word : "FAILED", title, null, asExpected, reason);

    private static DemoSealLine Owner(string title, string fault, bool asExpected, string reason) => new(DemoSealPart.Owner, asExpected ? "refused" : "FAILED", title, fault, asExpected, reason);

    private static Task<ProgramAnswer> UnsealAsync(DemoVm vm, string file, string id, string key, CancellationToken cancellation) =>
        vm.RunAsync(["unseal", file, "--id", id, "--key", key, "--exec", "sha256sum"], cancellation);

    private Task<Verdict> JudgeAsync(DemoVm vm, string evidence, string challenge, CancellationToken cancellation) =>
        _owner.JudgeAsync(vm.Hardware, Encoding.UTF8.GetBytes(evidence), challenge, cancellation);

    // The finding that is asked for, or else the first that failed.
    private static (string Id, string Text) Why(Verdict verdict, string? finding = null)
    {
        var parts = verdict.Machine!.Parts;
        Finding[] failed = [.. parts.ProcessorFindings.Concat(parts.Boot?.Findings ?? []).Concat(verdict.Machine.Findings).Concat(verdict.Appraisal.AllFindings).Where(item => item.State is CheckState.Failed)];
        var found = failed.FirstOrDefault(item => item.Id == finding) ?? failed.FirstOrDefault();
        return (found?.Id ?? "", found is null ? verdict.Word : $"{found.Id}: {found.Reason}");
    }

    // RFC 9457: the type ends with the fault's id.
    private static (string Id, string Text) Problem(ProgramAnswer answer)
    {
        try
        {
            var problem = JsonNode.Parse(answer.Error)!;
            var id = ((string?)problem["type"])!.Split(':')[^1];
            return (id, $"{id}: {(string?)problem["title"]}");
        }
        catch (JsonException)
        {
            return ("", answer.Error.Trim());
        }
    }

    private static string NewChallenge() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
