using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>
/// A model owner stores a key at a broker, which runs as a process with SQLite; a simulated VM, whose image names the broker, boots through its gate, fetches the
/// key and opens a file with it. Impostors are denied, and the log is verified. Every answer is one of the programs'.
/// </summary>
internal sealed partial class DemoBroker : IDemoSteps
{
    private static readonly DemoGroup s_honest = new("steps", "A model owner's key goes to the confidential VM that its policy describes");
    private static readonly DemoGroup s_protocols = new("protocols", "The same broker, by protocols that software speaks already");
    private static readonly DemoGroup s_attacks = new("attacks", "Impostors ask for it, with the same API key", "refused");
    private static readonly DemoGroup s_log = new("log", "What an auditor sees", "proven");
    private static readonly DemoGroup[] s_groups = [s_honest, s_protocols, s_attacks, s_log];

    private const string Key = "weights";
    private const int TagSize = 16;
    private const int NonceSize = 12;

    private readonly SimulatedAuthority _authority;
    private readonly DemoVm _vm;
    private readonly string _program;
    private readonly bool _isKept;
    private readonly string _folder;
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(40_000);
    private DemoServer? _server;
    private string _answered = "";

    private DemoBroker(SimulatedAuthority authority, DemoVm vm, string program, string? folder)
    {
        (_authority, _vm, _program, _isKept) = (authority, vm, program, folder is not null);
        _folder = folder is null ? Directory.CreateTempSubdirectory("assay-demo-broker-").FullName : Directory.CreateDirectory(folder).FullName;
    }

    /// <param name="guest">The guest's program.</param>
    /// <param name="server">The server's.</param>
    /// <param name="now">When.</param>
    /// <param name="folder">Where everything is left, for commands in another terminal; null: nothing is left, and the attacks are shown.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<DemoBroker> StartAsync(string guest, string server, DateTimeOffset now, string? folder, CancellationToken cancellation)
    {
        var authority = SimulatedAuthority.Create(now);
        return new DemoBroker(authority, await DemoVm.StartAsync(guest, authority, SimulatedIntel.Create(now), now, cancellation).ConfigureAwait(false), server, folder);
    }

    /// <inheritdoc/>
    public string Opening => "Everything here is simulated and proves nothing about hardware. The broker is assay-server, as a process on loopback.";

    /// <inheritdoc/>
    public string Closing => _isKept ? "The key went to the attested VM. Broker and VM run until this command is interrupted." : "The key went to the attested VM alone, and every release and denial is in the log.";

    /// <inheritdoc/>
    public IReadOnlyList<DemoGroup> Groups => s_groups;

    /// <inheritdoc/>
    public IReadOnlyList<Func<CancellationToken, Task<DemoStep>>> Steps => _isKept ? [ServeAsync, StoreAsync, BootAsync, PolicyAsync, FetchAsync, LeaveAsync] : [ServeAsync, StoreAsync, BootAsync, PolicyAsync, FetchAsync, ContainersAsync, CloudAsync, ReplayAsync, OtherKeyAsync, NoGpuAsync, NoLogAsync, FrozenAsync, VerifyAsync, ProveAsync];

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync().ConfigureAwait(false);
        }

        await _vm.DisposeAsync().ConfigureAwait(false);
        _authority.Dispose();
        if (!_isKept)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task<DemoStep> ServeAsync(CancellationToken cancellation)
    {
        const string title = "the broker starts, with SQLite and an empty log";
        string[][] credentials = [["--tenant", "demo", "--scope", "release"], ["--tenant", "demo", "--scope", "broker", "read", "audit"], ["--scope", "operator", "audit"]];
        (_server, var whyNot) = await DemoServer.StartAsync(
            _program, _folder, _vm.Hardware.Anchors, _vm.Services, new JsonObject { ["roles"] = new JsonArray("broker"), ["broker"] = new JsonObject { ["kbs"] = new JsonObject { ["tenant"] = "demo" } } }, credentials, cancellation).ConfigureAwait(false);
        if (_server is null)
        {
            return Honest(title, false, whyNot!);
        }

        foreach (var (name, key) in ((string[])["machine.key", "owner.key", "operator.key"]).Zip(_server.Keys))
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            await using var file = new StreamWriter(PathOf(name), options);
            await file.WriteAsync(key.AsMemory(), cancellation).ConfigureAwait(false);
        }

        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/log/key");
        request.Headers.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", _server.Keys[1]);
        using var answer = await _server.Client.SendAsync(request, cancellation).ConfigureAwait(false);
        await File.WriteAllTextAsync(PathOf("log.key"), await answer.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
        return Honest(title, answer.IsSuccessStatusCode, $"{_server.Address}, roles: broker");
    }

    // The owner encrypts with a key of its own, and gives the key to the broker alone.
    private async Task<DemoStep> StoreAsync(CancellationToken cancellation)
    {
        const string title = "the owner encrypts a file, and stores its key: assay key import";
        var key = RandomNumberGenerator.GetBytes(32);
        var file = new byte[NonceSize + _content.Length + TagSize];
        RandomNumberGenerator.Fill(file.AsSpan(0, NonceSize));
        using (var gcm = new AesGcm(key, TagSize))
        {
            gcm.Encrypt(file.AsSpan(0, NonceSize), _content, file.AsSpan(NonceSize, _content.Length), file.AsSpan(^TagSize..));
        }

        await File.WriteAllBytesAsync(PathOf("model.encrypted"), file, cancellation).ConfigureAwait(false);
        await File.WriteAllBytesAsync(PathOf("secret"), key, cancellation).ConfigureAwait(false);
        var answer = await OwnAsync(["key", "import", Key, "--secret", PathOf("secret"), .. Account("owner"), "--format", "json"], cancellation).ConfigureAwait(false);
        File.Delete(PathOf("secret"));
        CryptographicOperations.ZeroMemory(key);
        return Honest(title, answer.ExitCode == 0, answer.ExitCode == 0 ? $"{Key}, {_content.Length} bytes are encrypted under it; without a policy it is released to no machine" : answer.Error);
    }

    private async Task<DemoStep> BootAsync(CancellationToken cancellation)
    {
        const string title = "the VM, whose image names the broker, boots through its gate";
        File.Copy(PathOf("machine.key"), Path.Combine(_vm.Folder, "broker.key"));
        _vm.Broker = new JsonObject { ["url"] = _server!.Address, ["credential"] = "/../broker.key" }.ToJsonString();
        _vm.Prepare(GuestFault.None);
        var whyNot = await _vm.BootAsync(cancellation).ConfigureAwait(false);
        return Honest(title, whyNot is null, whyNot ?? string.Join(" → ", _vm.Events()));
    }

    private async Task<DemoStep> PolicyAsync(CancellationToken cancellation)
    {
        const string title = "the owner sets the release policy: assay key policy";
        // The platform has collateral from its first quote on.
        await EvidenceAsync(new string('0', 64), cancellation).ConfigureAwait(false);
        var party = await _vm.RelyingPartyAsync(cancellation).ConfigureAwait(false);
        await File.WriteAllBytesAsync(PathOf("references.json"), party.ReferenceFile(_vm.Hardware), cancellation).ConfigureAwait(false);
        await File.WriteAllTextAsync(PathOf("policy.json"), new JsonObject
        {
            ["version"] = 1,
            ["expect"] = new JsonObject
            {
                ["gpus"] = party.Gpus,
                ["switches"] = party.Switches,
                ["binding"] = "boot-event",
                ["secureBoot"] = true,
                ["referenceValues"] = JsonNode.Parse(party.ReferenceFile(_vm.Hardware)),
                ["acceptWeakened"] = new JsonArray("reference-values-unsigned"),
            },
        }.ToJsonString(), cancellation).ConfigureAwait(false);
        var answer = await OwnAsync(["key", "policy", Key, "--file", PathOf("policy.json"), .. Account("owner"), "--format", "json"], cancellation).ConfigureAwait(false);
        return Honest(title, answer.ExitCode == 0, answer.ExitCode == 0 ? $"{party.Gpus} GPUs, {party.Switches} switches, binding boot-event, the measured values of this image" : answer.Error);
    }

    private async Task<DemoStep> FetchAsync(CancellationToken cancellation)
    {
        const string title = "in the VM: assay-guest key fetch --key weights, and the workload opens the file with what it got";
        using var process = _vm.Begin(["key", "fetch", "--key", Key, "--proof", PathOf("proof.json"), "--out-fd", "1"]);
        using var key = new MemoryStream();
        var error = process.StandardError.ReadToEndAsync(cancellation);
        await process.StandardOutput.BaseStream.CopyToAsync(key, cancellation).ConfigureAwait(false);
        await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        if (process.ExitCode != 0)
        {
            return Honest(title, false, await error.ConfigureAwait(false));
        }

        var file = await File.ReadAllBytesAsync(PathOf("model.encrypted"), cancellation).ConfigureAwait(false);
        var opened = new byte[file.Length - NonceSize - TagSize];
        using (var gcm = new AesGcm(key.ToArray(), TagSize))
        {
            gcm.Decrypt(file.AsSpan(0, NonceSize), file.AsSpan(NonceSize, opened.Length), file.AsSpan(^TagSize..), opened);
        }

        return Honest(title, opened.AsSpan().SequenceEqual(_content), $"{(await error.ConfigureAwait(false)).Replace("assay-guest: ", "", StringComparison.Ordinal).Trim()}; {opened.Length} bytes decrypted");
    }

    private async Task<DemoStep> ContainersAsync(CancellationToken cancellation)
    {
        const string title = "a client that was written from Confidential Containers' KBS protocol gets its resource";
        var secret = RandomNumberGenerator.GetBytes(48);
        await File.WriteAllBytesAsync(PathOf("secret"), secret, cancellation).ConfigureAwait(false);
        if (await KeyWithPolicyAsync("container", ["import", "container", "--secret", PathOf("secret"), "--resource", DemoProtocols.Resource], cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return new DemoStep(s_protocols, title, false, whyNot);
        }

        var log = JsonNode.Parse(await EvidenceAsync(new string('1', 64), cancellation).ConfigureAwait(false))!["cpu"]!["eventLog"]!.GetValue<string>();
        var (got, told) = await new DemoProtocols(_server!, _vm).GetResourceAsync(log, cancellation).ConfigureAwait(false);
        return new DemoStep(s_protocols, title, got.AsSpan().SequenceEqual(secret), told);
    }

    private async Task<DemoStep> CloudAsync(CancellationToken cancellation)
    {
        const string title = "a client of AWS KMS's attested decryption opens what the owner encrypted";
        if (await KeyWithPolicyAsync("records", ["create", "records", "--use", "data-keys"], cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return new DemoStep(s_protocols, title, false, whyNot);
        }

        var plain = RandomNumberGenerator.GetBytes(100);
        var (got, told) = await new DemoProtocols(_server!, _vm).DecryptAsync("records", plain, cancellation).ConfigureAwait(false);
        return new DemoStep(s_protocols, title, got.AsSpan().SequenceEqual(plain), told);
    }

    private async Task<string?> KeyWithPolicyAsync(string id, string[] words, CancellationToken cancellation)
    {
        foreach (var command in (string[][])[words, ["policy", id, "--file", PathOf("policy.json")]])
        {
            var answer = await OwnAsync(["key", .. command, .. Account("owner"), "--format", "json"], cancellation).ConfigureAwait(false);
            if (answer.ExitCode != 0)
            {
                return answer.Error;
            }
        }

        return null;
    }

    private async Task<DemoStep> ReplayAsync(CancellationToken cancellation)
    {
        var (first, nonce) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        _answered = await EvidenceAsync(nonce, cancellation).ConfigureAwait(false);
        await ReleaseAsync(first, _answered, cancellation).ConfigureAwait(false);
        var (second, _) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        return Denied("evidence that was recorded on its way, for a new challenge", "report.nonce.match", await ReleaseAsync(second, _answered, cancellation).ConfigureAwait(false));
    }

    private Task<DemoStep> OtherKeyAsync(CancellationToken cancellation) => ImpostorAsync("the VM's evidence, with the attacker's key in place of its own", "report.nonce.match", evidence =>
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var point = pair.ExportParameters(includePrivateParameters: false).Q;
        evidence["key"] = new JsonObject { ["crv"] = "P-384", ["kty"] = "EC", ["x"] = System.Buffers.Text.Base64Url.EncodeToString(point.X), ["y"] = System.Buffers.Text.Base64Url.EncodeToString(point.Y) };
    }, cancellation);

    private Task<DemoStep> NoGpuAsync(CancellationToken cancellation) =>
        ImpostorAsync("a confidential VM without GPUs", "composite.gpus.count", evidence => evidence["gpus"] = new JsonArray(), cancellation);

    private Task<DemoStep> NoLogAsync(CancellationToken cancellation) =>
        ImpostorAsync("GPUs of elsewhere beside a VM that never verified them: no boot event", "binding.level.met", evidence => evidence["cpu"]!.AsObject().Remove("eventLog"), cancellation);

    private async Task<DemoStep> FrozenAsync(CancellationToken cancellation)
    {
        var freeze = await OwnAsync(["key", "freeze", "--reason", "a driver may be forged", .. Account("owner"), "--format", "json"], cancellation).ConfigureAwait(false);
        var answer = await _vm.RunAsync(["key", "fetch", "--key", Key, "--exec", "true"], cancellation).ConfigureAwait(false);
        return new DemoStep(
            s_attacks, "after assay key freeze not even the honest VM gets it", freeze.ExitCode == 0 && answer.ExitCode == 1 && answer.Error.Contains("urn:assay:release-denied", StringComparison.Ordinal), answer.Error.Trim());
    }

    private async Task<DemoStep> VerifyAsync(CancellationToken cancellation)
    {
        var answer = await OwnAsync(["audit", "verify", "--log-key", PathOf("log.key"), .. Account("operator")], cancellation).ConfigureAwait(false);
        return new DemoStep(s_log, "every entry leads to the signed checkpoint: assay audit verify", answer.ExitCode == 0, answer.ExitCode == 0 ? answer.Output.Split('\n')[0] : answer.Error);
    }

    private async Task<DemoStep> ProveAsync(CancellationToken cancellation)
    {
        const string title = "the release is proven from the VM's file alone, without asking the broker: assay audit prove";
        var answer = await OwnAsync(["audit", "prove", PathOf("proof.json"), "--log-key", PathOf("log.key"), "--format", "json"], cancellation).ConfigureAwait(false);
        if (answer.ExitCode != 0)
        {
            return new DemoStep(s_log, title, false, answer.Error);
        }

        var root = JsonElement.Parse(answer.Output);
        var told = root.GetProperty("entry").GetProperty("event");
        return new DemoStep(
            s_log, title, told.GetProperty("outcome").GetString() == "allowed" && told.GetProperty("key").GetString() == Key,
            $"entry {root.GetProperty("position").GetInt64()}: key {Key} version {told.GetProperty("version").GetInt64()} released, binding {told.GetProperty("binding").GetString()}, {told.GetProperty("devices").GetInt64()} devices, sealed to {told.GetProperty("recipient").GetString()}");
    }

    private async Task<DemoStep> ImpostorAsync(string title, string check, Action<JsonObject> change, CancellationToken cancellation)
    {
        var (id, nonce) = await ChallengeAsync(cancellation).ConfigureAwait(false);
        var evidence = JsonNode.Parse(await EvidenceAsync(nonce, cancellation).ConfigureAwait(false))!.AsObject();
        change(evidence);
        return Denied(title, check, await ReleaseAsync(id, evidence.ToJsonString(), cancellation).ConfigureAwait(false));
    }

    private static DemoStep Honest(string title, bool asExpected, string reason) => new(s_honest, title, asExpected, reason);

    // Denied, and for this reason among others.
    private static DemoStep Denied(string title, string check, (int Status, JsonElement Body) answer)
    {
        var type = answer.Body.ValueKind is JsonValueKind.Object && answer.Body.TryGetProperty("type", out var value) ? value.GetString() : "no problem";
        string?[] failed = answer.Body.ValueKind is JsonValueKind.Object && answer.Body.TryGetProperty("failed", out var ids) ? [.. ids.EnumerateArray().Select(id => id.GetString())] : [];
        return new DemoStep(s_attacks, title, type == "urn:assay:release-denied" && failed.Contains(check), $"{answer.Status} {type}: {string.Join(", ", failed)}");
    }

    private async Task<(string Id, string Nonce)> ChallengeAsync(CancellationToken cancellation)
    {
        var (_, body) = await _server!.PostAsync("/v1/release-challenges", "{}", null, cancellation).ConfigureAwait(false);
        return (body.GetProperty("id").GetString()!, body.GetProperty("nonce").GetString()!);
    }

    private Task<(int Status, JsonElement Body)> ReleaseAsync(string challenge, string evidence, CancellationToken cancellation) =>
        _server!.PostAsync($"/v1/keys/{Key}/release", $$"""{"challenge":"{{challenge}}","evidence":{{evidence}}}""", null, cancellation);

    private async Task<string> EvidenceAsync(string challenge, CancellationToken cancellation)
    {
        var answer = await _vm.EvidenceAsync(challenge, "release", cancellation).ConfigureAwait(false);
        return answer.ExitCode == 0 ? answer.Output : throw new InvalidOperationException(answer.Error);
    }

    private static async Task<ProgramAnswer> OwnAsync(IEnumerable<string> words, CancellationToken cancellation)
    {
        using var process = OwnCommand.Begin(words);
        return await DemoVm.EndOfAsync(process, cancellation).ConfigureAwait(false);
    }

    private string[] Account(string credential) => ["--service", _server!.Address, "--credential", PathOf($"{credential}.key")];

    private string PathOf(string name) => Path.Combine(_folder, name);
}
