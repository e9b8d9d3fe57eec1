using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Broker;
using Assay.Broker.Keys;
using Assay.Cli.Demo;
using Assay.Client.Guest;
using Assay.Sealing.Keys;
using Assay.Service;
using Assay.Service.Identity;
using Assay.Tests.Collateral;
using Assay.Tests.Sealing;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>From a key's first day to its last, and what peers make of what is sealed: derived keys, HPKE, and the wait before a key is destroyed.</summary>
public sealed class KeyLifeTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    // Arguments: JWE JWK CURVE ENC CT INFO. Both plaintexts, in hexadecimal.
    private const string OpenScript = """
        import { CipherSuite, Aes256Gcm, DhkemP256HkdfSha256, DhkemP384HkdfSha384, HkdfSha256, HkdfSha384 } from '@hpke/core';
        import { compactDecrypt, importJWK } from 'jose';
        const [jwe, text, curve, enc, ct, info] = process.argv.slice(2);
        const jwk = JSON.parse(text);
        const { plaintext, protectedHeader } = await compactDecrypt(jwe, await importJWK(jwk, JSON.parse(Buffer.from(jwe.split('.')[0], 'base64url')).alg));
        const [kem, kdf] = { P256: [DhkemP256HkdfSha256, HkdfSha256], P384: [DhkemP384HkdfSha384, HkdfSha384] }[curve];
        const suite = new CipherSuite({ kem: new kem(), kdf: new kdf(), aead: new Aes256Gcm() });
        const of = base64 => new Uint8Array(Buffer.from(base64, 'base64')).buffer;
        const recipient = await suite.createRecipientContext({ recipientKey: await suite.kem.importKey('jwk', { ...jwk, key_ops: ['deriveBits'] }, false), enc: of(enc), info: Buffer.from(info) });
        console.log([protectedHeader.typ, Buffer.from(plaintext).toString('hex'), Buffer.from(await recipient.open(of(ct))).toString('hex')].join('\n'));
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_destroyed_key_can_be_taken_back_until_the_wait_is_over_and_then_has_no_secret()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        foreach (var id in (string[])["weights", "taken-back"])
        {
            Assert.Equal(201, (await world.PostAsync("/v1/keys", new JsonObject { ["id"] = id, ["bytes"] = 32 }.ToJsonString(), owner)).Status);
            Assert.Equal(204, (await StateAsync(id, 1, "destroyed")).Status);
        }

        var waiting = (await world.GetAsync("/v1/keys/weights", owner)).Body;
        Assert.Equal("destroying", waiting.GetProperty("state").GetString());
        Assert.InRange(waiting.GetProperty("destroyAt").GetDateTimeOffset() - TimeProvider.System.GetUtcNow(), TimeSpan.FromHours(167), TimeSpan.FromHours(168));
        Assert.Equal(2L, Secrets(world));
        // Until then nothing but taking it back is done with it, which leaves it disabled.
        Assert.Equal("urn:assay:key-state", (await StateAsync("weights", 2, "enabled")).Problem);
        Assert.Equal("urn:assay:key-state", (await StateAsync("weights", 2, "destroyed")).Problem);
        Assert.Equal("urn:assay:key-state", (await world.PostAsync("/v1/keys/weights/rotate", """{"revision":2,"bytes":32}""", owner)).Problem);
        Assert.Equal(204, (await StateAsync("taken-back", 2, "disabled")).Status);

        var clock = new ManualTime(TimeProvider.System.GetUtcNow());
        var services = world.Host.Services;
        var later = new KeyStore(services.GetRequiredService<Assay.Service.Storage.ServiceDatabase>(), services.GetRequiredService<Assay.Service.Log.TransparencyLog>(), services.GetRequiredService<Assay.Service.Keys.KeyEncryptionKey>(), services.GetRequiredService<BrokerTerms>(), clock);
        clock.Now += TimeSpan.FromHours(167);
        Assert.Empty(await later.DueAsync(Cancellation));
        Assert.False(await later.DestroyDueAsync("demo", "weights", Cancellation));
        clock.Now += TimeSpan.FromHours(2);
        Assert.Equal([("demo", "weights")], await later.DueAsync(Cancellation));
        // Of two processes one does it.
        var both = await Task.WhenAll(later.DestroyDueAsync("demo", "weights", Cancellation), later.DestroyDueAsync("demo", "weights", Cancellation));
        Assert.Single(both, done => done);
        Assert.False(await later.DestroyDueAsync("demo", "taken-back", Cancellation));

        Assert.Equal(("destroyed", "disabled"), (await StateOfAsync("weights"), await StateOfAsync("taken-back")));
        Assert.Equal(1L, Secrets(world));
        Assert.Equal("urn:assay:key-state", (await StateAsync("weights", 3, "disabled")).Problem);

        Task<ServiceAnswer> StateAsync(string id, int revision, string state) => world.PostAsync($"/v1/keys/{id}/state", $$"""{"revision":{{revision}},"state":"{{state}}"}""", owner);
        async Task<string?> StateOfAsync(string id) => (await world.GetAsync($"/v1/keys/{id}", owner)).Body.GetProperty("state").GetString();
    }

    [Fact]
    public async Task An_operator_who_writes_the_time_into_the_row_destroys_nothing_early()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        foreach (var id in (string[])["waits", "lives"])
        {
            Assert.Equal(201, (await world.PostAsync("/v1/keys", new JsonObject { ["id"] = id, ["bytes"] = 32 }.ToJsonString(), owner)).Status);
        }

        Assert.Equal(204, (await world.PostAsync("/v1/keys/waits/state", """{"revision":1,"state":"destroyed"}""", owner)).Status);
        Execute(world, "UPDATE broker_key SET destroy_at = 1");

        Assert.Equal(0, await world.Host.Services.GetRequiredService<BrokerUpkeep>().DestroyAsync(Cancellation));

        Assert.Equal(2L, Secrets(world));
    }

    [Fact]
    public async Task A_derived_key_is_the_same_after_a_reboot_another_one_of_each_key_and_version_and_its_secret_is_never_released()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(48);
        foreach (var id in (string[])["disk", "other"])
        {
            Assert.Equal(201, (await world.PostAsync("/v1/keys", new JsonObject { ["id"] = id, ["secret"] = Convert.ToBase64String(secret), ["derived"] = true }.ToJsonString(), owner)).Status);
        }

        Assert.Contains("at least 32", (await world.PostAsync("/v1/keys", """{"id":"short","bytes":16,"derived":true}""", owner)).Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        // Without reference values no image has a name.
        var nameless = await PolicyAsync(world, owner, "disk", expect => expect.Remove("referenceValues"));
        Assert.Equal("urn:assay:release-policy-refused", nameless.Problem);
        Assert.Contains("referenceValues", nameless.Body.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal(204, (await PolicyAsync(world, owner, "disk")).Status);
        Assert.Equal(204, (await PolicyAsync(world, owner, "other")).Status);

        var (first, image) = await ReleaseAsync("disk");
        // The image's own name: a later version of it has the same.
        Assert.Equal((string)machine.References["image"]!["name"]!, image);
        Assert.Equal(Expected("disk", 1), first);
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None);
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        Assert.Equal(first, (await ReleaseAsync("disk")).Key);
        Assert.Equal(Expected("other", 1), (await ReleaseAsync("other")).Key);
        Assert.Equal(204, (await world.PostAsync("/v1/keys/disk/rotate", new JsonObject { ["revision"] = 2, ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), owner)).Status);
        Assert.Equal(Expected("disk", 2), (await ReleaseAsync("disk")).Key);

        byte[] Expected(string id, int version) => HKDF.DeriveKey(HashAlgorithmName.SHA384, secret, 32, [], Encoding.UTF8.GetBytes($"assay-derived-key/v1/demo/{id}/{version}/{image}"));
        async Task<(byte[] Key, string Image)> ReleaseAsync(string id)
        {
            var (challenge, nonce) = await world.ReleaseChallengeAsync(owner);
            var released = await world.PostAsync($"/v1/keys/{id}/release", $$"""{"challenge":"{{challenge}}","evidence":{{await machine.EvidenceAsync(nonce)}}}""", owner);
            Assert.True(released.Status == 200, released.Body.ToString());
            using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
            using var opened = await agent.UnwrapKeyAsync("release", released.Body.GetProperty("jwe").GetString()!, Cancellation);
            return (opened.Use(lease => lease.Bytes.ToArray()), released.Body.GetProperty("image").GetString()!);
        }
    }

    [Theory]
    [InlineData(KeyKind.P256)]
    [InlineData(KeyKind.P384)]
    public async Task Npm_jose_npm_hpke_and_José_open_what_the_broker_seals(KeyKind kind)
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", new JsonObject { ["id"] = "weights", ["secret"] = Convert.ToBase64String(secret) }.ToJsonString(), owner)).Status);
        await GpuOnlyAsync(world, owner);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);

        var jwe = (await ReleaseToAsync(world, owner, pair.PublicKey.Jwk, "jwe")).Body.GetProperty("jwe").GetString()!;
        var released = (await ReleaseToAsync(world, owner, pair.PublicKey.Jwk, "hpke")).Body;

        Assert.False(released.TryGetProperty("jwe", out _));
        var hpke = released.GetProperty("hpke");
        var jwk = TestKeys.Export(pair).Jwk;
        var opened = Peer.Require("node").Run(NpmPackages.Install("sealing", "released.mjs", OpenScript), jwe, jwk, $"{kind}", hpke.GetProperty("enc").GetString()!, hpke.GetProperty("ciphertext").GetString()!, "assay-key/v1/weights/1");
        Assert.True(opened.Accepted, opened.Output);
        Assert.Equal(["assay-key+jwe", Convert.ToHexStringLower(secret), Convert.ToHexStringLower(secret)], opened.Output.TrimEnd().Split('\n'));
        var (sealedFile, keyFile, plain) = (Path.Combine(world.Folder, "jwe"), Path.Combine(world.Folder, "jwk"), Path.Combine(world.Folder, "plain"));
        await File.WriteAllTextAsync(sealedFile, jwe, Cancellation);
        await File.WriteAllTextAsync(keyFile, jwk, Cancellation);
        var jose = Peer.Require("jose").Run("jwe", "dec", "-i", sealedFile, "-k", keyFile, "-O", plain);
        Assert.True(jose.Accepted, jose.Output);
        Assert.Equal(secret, await File.ReadAllBytesAsync(plain, Cancellation));
    }

    [Fact]
    public async Task Hpke_is_not_for_RSA_keys_and_another_way_to_seal_is_refused()
    {
        await using var world = await StartAsync();
        var owner = await OwnerAsync(world);
        Assert.Equal(201, (await world.PostAsync("/v1/keys", """{"id":"weights","bytes":32}""", owner)).Status);
        await GpuOnlyAsync(world, owner);
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);

        Assert.Equal("urn:assay:release-denied", (await ReleaseToAsync(world, owner, pair.PublicKey.Jwk, "hpke")).Problem);
        Assert.Equal("urn:assay:bad-request", (await ReleaseToAsync(world, owner, pair.PublicKey.Jwk, "plain")).Problem);
        Assert.Equal(200, (await ReleaseToAsync(world, owner, pair.PublicKey.Jwk, "jwe")).Status);
    }

    // Devices answer a challenge together with a key that this test holds: what a policy of the weakest tier releases to.
    private async Task<ServiceAnswer> ReleaseToAsync(ServiceWorld world, string owner, string jwk, string seal)
    {
        var (challenge, nonce) = await world.ReleaseChallengeAsync(owner);
        Assert.True(KeyBinding.TryCreate(nonce, Encoding.UTF8.GetBytes(jwk), out var binding, out _));
        JsonArray Devices(string kind) => [.. machine.Vm.Devices(binding.DeviceNonce().Bytes.ToArray()).Where(device => device.Kind == kind).Select(device => new JsonObject { ["evidence"] = device.Report, ["certificate"] = device.Chain })];
        var evidence = new JsonObject { ["version"] = 1, ["nonce"] = nonce, ["key"] = JsonNode.Parse(jwk), ["gpus"] = Devices("gpu"), ["switches"] = Devices("switch") };
        return await world.PostAsync("/v1/keys/weights/release", new JsonObject { ["challenge"] = challenge, ["evidence"] = evidence, ["seal"] = seal }.ToJsonString(), owner);
    }

    private static async Task GpuOnlyAsync(ServiceWorld world, string owner)
    {
        string[] weakened = ["no-cpu-tee", "gpu-binding-none", "boot-not-expected", "processor-not-expected"];
        var policy = new JsonObject
        {
            ["version"] = 1,
            ["expect"] = new JsonObject { ["gpus"] = DemoVm.Gpus, ["switches"] = DemoVm.Switches, ["binding"] = "none", ["acceptWeakened"] = new JsonArray([.. weakened.Select(name => (JsonNode)name)]) },
        };
        var set = await world.PostAsync("/v1/keys/weights/policy", new JsonObject { ["revision"] = 1, ["policy"] = policy }.ToJsonString(), owner);
        Assert.True(set.Status == 204, set.Body.ToString());
    }

    private Task<ServiceAnswer> PolicyAsync(ServiceWorld world, string owner, string id, Action<JsonObject>? change = null)
    {
        var expect = machine.Policy("x", "x", "{}")["expect"]!.DeepClone().AsObject();
        change?.Invoke(expect);
        return world.PostAsync($"/v1/keys/{id}/policy", new JsonObject { ["revision"] = 1, ["policy"] = new JsonObject { ["version"] = 1, ["expect"] = expect } }.ToJsonString(), owner);
    }

    private static Task<string> OwnerAsync(ServiceWorld world) => world.KeyOfAsync("demo", Scopes.Release, Scopes.Broker, Scopes.Read, Scopes.Audit);

    private static long Secrets(ServiceWorld world) => (long)Execute(world, "SELECT COUNT(*) FROM broker_key_version")!;

    private static object? Execute(ServiceWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Folder, "assay.db")};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private Task<ServiceWorld> StartAsync() => ServiceWorld.StartAsync(machine, configure: configuration => configuration["roles"] = new JsonArray("attestation", "broker"));
}
