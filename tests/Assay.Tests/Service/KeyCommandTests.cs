using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Service.Identity;
using Assay.Tests.Cli;
using Microsoft.Data.Sqlite;

namespace Assay.Tests.Service;

/// <summary>Model owner, machine and auditor at their command lines: <c>assay key</c>, <c>assay-guest key fetch</c>, <c>assay audit</c>.</summary>
public sealed class KeyCommandTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private readonly AssayCommand _assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_goes_from_its_owner_into_a_program_in_the_machine_and_its_release_is_proven_from_a_file()
    {
        await using var world = await StartAsync();
        var secret = RandomNumberGenerator.GetBytes(32);
        await File.WriteAllBytesAsync(PathOf(world, "secret"), secret, Cancellation);
        Assert.Contains("released to no machine", _assay.Says(0, ["key", "import", "weights", "--secret", PathOf(world, "secret"), .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("key-exists", _assay.Says(1, ["key", "create", "weights", .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("version 1", _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]), StringComparison.Ordinal);
        await BootAsync(world);
        var proof = PathOf(world, "proof.json");

        var fetched = await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--proof", proof, "--exec", "sha256sum"], Cancellation);

        Assert.True(fetched.ExitCode == 0, fetched.Error);
        Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(secret)), fetched.Output, StringComparison.Ordinal);
        Assert.Contains("weights version 1, binding boot-event, entry 3", fetched.Error, StringComparison.Ordinal);
        var written = await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--out-fd", "1"], Cancellation);
        Assert.Equal(0, written.ExitCode);
        Assert.False((await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--proof", proof, "--exec", "sha256sum"], Cancellation)).ExitCode == 0);

        Assert.Contains("entry 3 of", _assay.Says(0, "audit", "prove", proof, "--log-key", PathOf(world, "log.key")), StringComparison.Ordinal);
        var changed = JsonNode.Parse(await File.ReadAllTextAsync(proof, Cancellation))!;
        var entry = Convert.FromBase64String((string)changed["logEntry"]!);
        entry[^4] ^= 1;
        changed["logEntry"] = Convert.ToBase64String(entry);
        await File.WriteAllTextAsync(proof, changed.ToJsonString(), Cancellation);
        Assert.Contains("cli.log", _assay.Says(1, "audit", "prove", proof, "--log-key", PathOf(world, "log.key")), StringComparison.Ordinal);

        Assert.Contains("--confirm weights", _assay.Says(2, ["key", "rotate", "weights", .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("Version 1 is kept", _assay.Says(0, ["key", "rotate", "weights", "--confirm", "weights", .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("--confirm", _assay.Says(2, ["key", "destroy", "weights", "--confirm", "other", .. Account(world, "owner")]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "destroy", "weights", "--confirm", "weights", .. Account(world, "owner")]);
        var denied = await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "echo", "it ran"], Cancellation);
        Assert.Equal((1, ""), (denied.ExitCode, denied.Output));
        Assert.Contains("agent.key-denied", denied.Error, StringComparison.Ordinal);
        Assert.Contains("entry ", denied.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_for_data_keys_is_made_and_listed_as_such_and_never_fetched()
    {
        await using var world = await StartAsync();
        Assert.Contains("enabled, data-keys", _assay.Says(0, ["key", "create", "records", "--use", "data-keys", .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("--use: one of data-keys is expected", _assay.Says(2, ["key", "create", "more", "--use", "release", .. Account(world, "owner")]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "policy", "records", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]);
        await BootAsync(world);

        await RefusedAsync("agent.key-denied", "records");
        Assert.Contains("other-use", _assay.Says(0, ["audit", "tail", "--format", "json", .. Log(world, "owner")]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_keeps_a_key_from_the_machine_is_told_and_the_program_does_not_run()
    {
        await using var world = await StartAsync();
        await BootAsync(world);

        await RefusedAsync("agent.key-denied", "weights");
        File.WriteAllText(Credential, "not an api key\n");
        await RefusedAsync("agent.credential", "weights");
        File.Delete(Credential);
        await RefusedAsync("agent.credential", "weights");
        File.Copy(PathOf(world, "owner"), Credential);
        await world.StopAsync();
        await RefusedAsync("agent.broker", "weights");
        await world.StartAsync();
        machine.Vm.Broker = null;
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None);
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        await RefusedAsync("agent.no-broker", "weights");
        Assert.Contains("guest.arguments", (await machine.Vm.RunAsync(["key", "fetch", "--key"], Cancellation)).Error, StringComparison.Ordinal);
        Assert.Contains("key.out", (await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--out-fd", "2"], Cancellation)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_boot_phase_key_is_released_between_gate_and_boundary_to_each_boot_once_and_run_phase_keys_are_not()
    {
        await using var world = await StartAsync();
        foreach (var id in (string[])["disk", "weights"])
        {
            _assay.Says(0, ["key", "create", id, .. Account(world, "owner")]);
        }

        var policy = JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "release.json"), Cancellation))!;
        _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]);
        policy["phase"] = "boot";
        await File.WriteAllTextAsync(PathOf(world, "boot.json"), policy.ToJsonString(), Cancellation);
        _assay.Says(0, ["key", "policy", "disk", "--file", PathOf(world, "boot.json"), .. Account(world, "owner")]);
        File.Copy(PathOf(world, "owner"), Credential, overwrite: true);
        machine.Vm.Broker = string.Create(CultureInfo.InvariantCulture, $$"""{"url":"{{world.Issuer}}","credential":"/../broker.key"}""");
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None);
        Task<Assay.Cli.Demo.ProgramAnswer> BootKeyAsync(string id) => machine.Vm.RunAsync(["key", "boot", "--key", id, "--exec", "sha256sum"], Cancellation);

        Assert.Contains("key.gate", (await BootKeyAsync("disk")).Error, StringComparison.Ordinal);
        Assert.Equal(0, (await machine.Vm.RunAsync(["gate"], Cancellation)).ExitCode);
        var first = await BootKeyAsync("disk");
        Assert.True(first.ExitCode == 0, first.Error);
        Assert.Contains("disk version 1, binding boot-event", first.Error, StringComparison.Ordinal);
        // Once in a boot; and what is of the run phase is not for one that boots.
        Assert.Contains("agent.key-denied", (await BootKeyAsync("disk")).Error, StringComparison.Ordinal);
        Assert.Contains("agent.key-denied", (await BootKeyAsync("weights")).Error, StringComparison.Ordinal);
        Assert.Equal(0, (await machine.Vm.RunAsync(["seal-boot"], Cancellation)).ExitCode);
        Assert.Contains("key.boundary", (await BootKeyAsync("disk")).Error, StringComparison.Ordinal);
        Assert.Null(await machine.Vm.StartAgentAsync(Cancellation));
        await RefusedAsync("agent.key-denied", "disk");
        Assert.Equal(0, (await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "true"], Cancellation)).ExitCode);

        // The next boot gets it again.
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None);
        Assert.Equal(0, (await machine.Vm.RunAsync(["gate"], Cancellation)).ExitCode);
        var again = await BootKeyAsync("disk");
        Assert.Equal(first.Output, again.Output);
        Assert.Equal(0, (await machine.Vm.RunAsync(["seal-boot"], Cancellation)).ExitCode);
        Assert.Null(await machine.Vm.StartAgentAsync(Cancellation));

        var lines = _assay.Says(0, ["audit", "tail", "--format", "json", .. Log(world, "owner")]).TrimEnd().Split('\n').Select(line => JsonElement.Parse(line).GetProperty("entry")).ToArray();
        var released = lines.Where(entry => entry.GetProperty("event").TryGetProperty("phase", out _)).ToArray();
        Assert.Equal(["allowed", "denied", "denied", "allowed"], released.Select(entry => entry.GetProperty("event").GetProperty("outcome").GetString()!));
        Assert.Equal("boot-had-it", released[1].GetProperty("event").GetProperty("why").GetString());
        Assert.Equal("evidence-refused", released[2].GetProperty("event").GetProperty("why").GetString());
        Assert.NotEqual(released[0].GetProperty("subject").GetString(), released[3].GetProperty("subject").GetString());
    }

    [Fact]
    public async Task A_sample_key_shows_whether_a_machine_would_get_the_real_one_and_leaves_a_folder()
    {
        await using var world = await StartAsync();
        _assay.Says(0, ["key", "create", "weights", .. Account(world, "owner")]);
        await BootAsync(world);
        string Out(string name) => PathOf(world, name);
        string[] Trial(string policy, string folder) => ["release", "test-key", "--policy", PathOf(world, policy), "--out", Out(folder), "--agent", machine.Vm.AgentSocket, .. Log(world, "owner")];

        Assert.Contains("got the sample key and opened it", _assay.Says(0, Trial("release.json", "good")), StringComparison.Ordinal);

        Assert.Equal(["guest-log.json", "health.txt", "release.json", "verdict.json"], Directory.EnumerateFiles(Out("good")).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal));
        Assert.Contains("system-ready", await File.ReadAllTextAsync(Path.Combine(Out("good"), "guest-log.json"), Cancellation), StringComparison.Ordinal);
        Assert.True(JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(Out("good"), "verdict.json"), Cancellation)).GetProperty("released").GetBoolean());
        _assay.Says(0, "audit", "prove", Path.Combine(Out("good"), "release.json"), "--log-key", PathOf(world, "log.key"));
        var keys = JsonElement.Parse(_assay.Says(0, ["key", "list", "--format", "json", .. Account(world, "owner")])).EnumerateArray().ToArray();
        Assert.Equal(["destroying", "enabled"], keys.Select(key => key.GetProperty("state").GetString()!).Order(StringComparer.Ordinal));
        // The real key was not asked for.
        Assert.Equal(1, keys.Single(key => key.GetProperty("id").GetString() == "weights").GetProperty("revision").GetInt32());

        var strict = JsonNode.Parse(await File.ReadAllTextAsync(PathOf(world, "release.json"), Cancellation))!;
        strict["conditions"] = JsonNode.Parse("""{"StringEquals":{"assay:cpu:tee":"snp"}}""");
        await File.WriteAllTextAsync(PathOf(world, "strict.json"), strict.ToJsonString(), Cancellation);
        Assert.Contains("condition:StringEquals:assay:cpu:tee", _assay.Says(1, Trial("strict.json", "denied")), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Out("denied"), "release.json")));
        Assert.Contains("exists", _assay.Says(2, Trial("release.json", "good")), StringComparison.Ordinal);
        Assert.Contains("--policy", _assay.Says(2, Trial("nothing.json", "none")), StringComparison.Ordinal);
        Assert.Contains("ctl.agent", _assay.Says(2, ["release", "test-key", "--policy", PathOf(world, "release.json"), "--out", Out("other"), "--agent", "/nowhere", .. Log(world, "owner")]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_typed_clients_fetch_a_key_and_learn_which_checks_failed()
    {
        await using var world = await StartAsync();
        _assay.Says(0, ["key", "create", "weights", "--bytes", "48", .. Account(world, "owner")]);
        _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]);
        await BootAsync(world);
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);

        using (var key = await agent.FetchKeyAsync("weights", Cancellation))
        {
            Assert.Equal((48, 1, "boot-event"), (key.Secret.Length, key.Version, key.Binding));
            Assert.DoesNotContain(Convert.ToBase64String(key.Secret.Use(lease => lease.Bytes.ToArray())), key.ToString(), StringComparison.Ordinal);
        }

        Assert.True(ServiceAddress.TryParse(world.Issuer, out var address, out _));
        using var broker = new KeyBrokerClient(address, await File.ReadAllTextAsync(PathOf(world, "owner"), Cancellation));
        var old = await agent.GetEvidenceAsync(new string('1', 64), "release", Cancellation);
        var denied = await Assert.ThrowsAsync<ServiceRefusedException>(() => broker.FetchAsync("weights", (_, _) => Task.FromResult(old), Cancellation));
        Assert.Equal(("urn:assay:release-denied", 403, false), (denied.Problem, denied.Status, denied.IsTransient));
        Assert.Contains("report.nonce.match", denied.Failed);
        Assert.NotNull(denied.LogPosition);
        Assert.Equal("agent.key-denied", (await Assert.ThrowsAsync<AgentException>(() => agent.FetchKeyAsync("other", Cancellation))).Id);
    }

    [Fact]
    public async Task An_auditor_sees_every_entry_of_the_tenant_and_the_operator_every_entry_of_all()
    {
        await using var world = await StartAsync();
        _assay.Says(0, ["key", "create", "weights", .. Account(world, "owner")]);
        _assay.Says(0, ["key", "create", "theirs", .. Account(world, "neighbour")]);
        _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]);
        Assert.Contains("lift freeze", _assay.Says(0, ["key", "freeze", "weights", "--reason", "a test", .. Account(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("a test", _assay.Says(0, ["key", "freezes", .. Account(world, "owner")]), StringComparison.Ordinal);

        var lines = _assay.Says(0, ["audit", "tail", .. Log(world, "owner")]).TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.All(lines, line => Assert.DoesNotContain("theirs", line, StringComparison.Ordinal));
        var json = JsonElement.Parse(_assay.Says(0, ["audit", "tail", "--from", "1", "--format", "json", .. Log(world, "owner")]).Split('\n')[0]);
        Assert.Equal((2, 0), (json.GetProperty("position").GetInt32(), json.GetProperty("entry").GetProperty("previous").GetInt32()));
        Assert.Contains("all 4 entries", _assay.Says(0, ["audit", "verify", "--state", PathOf(world, "seen"), .. Log(world, "operator")]), StringComparison.Ordinal);
        Assert.Contains("forbidden", _assay.Says(1, ["audit", "verify", .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("entry 0 of", _assay.Says(0, ["audit", "prove", "0", .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("not-found", _assay.Says(1, ["audit", "prove", "1", .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("--service", _assay.Says(2, "audit", "prove", "1", "--log-key", PathOf(world, "log.key")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Releases_to_a_device_whose_certificate_is_revoked_are_found_in_the_log()
    {
        await using var world = await StartAsync();
        _assay.Says(0, ["key", "create", "weights", .. Account(world, "owner")]);
        _assay.Says(0, ["key", "policy", "weights", "--file", PathOf(world, "release.json"), .. Account(world, "owner")]);
        await BootAsync(world);
        Assert.Equal(0, (await machine.Vm.RunAsync(["key", "fetch", "--key", "weights", "--exec", "true"], Cancellation)).ExitCode);
        var chain = Convert.FromBase64String(machine.Vm.Devices(new byte[32]).First().Chain);
        await File.WriteAllBytesAsync(PathOf(world, "device.pem"), chain, Cancellation);

        Assert.Contains("1 releases are affected", _assay.Says(0, ["audit", "affected", "--certificate", PathOf(world, "device.pem"), .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("0 releases are affected", _assay.Says(0, ["audit", "affected", "--fingerprint", new string('0', 64), .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("--certificate or --fingerprint", _assay.Says(2, ["audit", "affected", .. Log(world, "owner")]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_that_was_set_back_or_forked_contradicts_what_a_monitor_has_seen()
    {
        await using var world = await StartAsync();
        _assay.Says(0, ["key", "create", "first", .. Account(world, "owner")]);
        await world.StopAsync();
        var (database, earlier) = (Path.Combine(world.Folder, "assay.db"), Path.Combine(world.Folder, "earlier.db"));
        Copy(database, earlier);
        await world.StartAsync();
        _assay.Says(0, ["key", "create", "second", .. Account(world, "owner")]);
        Assert.Contains("kept in", _assay.Says(0, ["audit", "monitor", "--state", PathOf(world, "seen"), .. Log(world, "owner")]), StringComparison.Ordinal);
        _assay.Says(0, ["key", "create", "third", .. Account(world, "owner")]);
        Assert.Contains("extends the 2", _assay.Says(0, ["audit", "monitor", "--state", PathOf(world, "seen"), .. Log(world, "owner")]), StringComparison.Ordinal);

        // The operator restores an older database, and goes on with other entries: one log for this client, another one for that.
        await world.StopAsync();
        Copy(earlier, database);
        await world.StartAsync();
        var back = _assay.Says(1, ["audit", "monitor", "--state", PathOf(world, "seen"), .. Log(world, "owner")]);
        Assert.Contains("was set back", back, StringComparison.Ordinal);
        foreach (var name in (string[])["other", "another", "more"])
        {
            _assay.Says(0, ["key", "create", name, .. Account(world, "owner")]);
        }

        Assert.Contains("does not begin with", _assay.Says(1, ["audit", "monitor", "--state", PathOf(world, "seen"), .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.Contains("does not begin with", _assay.Says(1, ["audit", "monitor", "--state", PathOf(world, "own"), "--against", PathOf(world, "seen"), .. Log(world, "owner")]), StringComparison.Ordinal);
        Assert.False(File.Exists(PathOf(world, "own")));
    }

    private string Credential => Path.Combine(machine.Vm.Folder, "broker.key");

    private async Task RefusedAsync(string id, string key)
    {
        var answer = await machine.Vm.RunAsync(["key", "fetch", "--key", key, "--exec", "echo", "it ran"], Cancellation);
        Assert.Equal((1, ""), (answer.ExitCode, answer.Output));
        Assert.Contains(id, answer.Error, StringComparison.Ordinal);
    }

    private async Task<ServiceWorld> StartAsync()
    {
        var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("attestation", "broker"));
        var owner = await world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);
        await File.WriteAllTextAsync(PathOf(world, "owner"), owner, Cancellation);
        await File.WriteAllTextAsync(PathOf(world, "neighbour"), await world.KeyOfAsync("neighbour", Scopes.Broker, Scopes.Read), Cancellation);
        await File.WriteAllTextAsync(PathOf(world, "operator"), await world.KeyOfAsync(TenantStore.Operators, Scopes.Operator, Scopes.Audit), Cancellation);
        await File.WriteAllTextAsync(PathOf(world, "log.key"), await (await world.GetAsync("/v1/log/key", owner)).Response.Content.ReadAsStringAsync(Cancellation), Cancellation);
        var expect = machine.Policy("x", "x", "{}")["expect"]!.DeepClone();
        await File.WriteAllTextAsync(PathOf(world, "release.json"), new JsonObject { ["version"] = 1, ["expect"] = expect }.ToJsonString(), Cancellation);
        return world;
    }

    private async Task BootAsync(ServiceWorld world)
    {
        File.Copy(PathOf(world, "owner"), Credential, overwrite: true);
        machine.Vm.Broker = string.Create(CultureInfo.InvariantCulture, $$"""{"url":"{{world.Issuer}}","credential":"/../broker.key"}""");
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None);
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        // The platform has collateral from its first quote on.
        await machine.EvidenceAsync(new string('1', 64));
    }

    private static void Copy(string from, string to)
    {
        SqliteConnection.ClearAllPools();
        foreach (var part in (string[])["", "-wal", "-shm"])
        {
            File.Delete(to + part);
            if (File.Exists(from + part))
            {
                File.Copy(from + part, to + part);
            }
        }
    }

    private static string[] Account(ServiceWorld world, string credential) => ["--service", world.Issuer, "--credential", PathOf(world, credential)];

    private static string[] Log(ServiceWorld world, string credential) => ["--log-key", PathOf(world, "log.key"), .. Account(world, credential)];

    private static string PathOf(ServiceWorld world, string name) => Path.Combine(world.Folder, name);
}
