using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Server;
using Assay.Service;
using Assay.Service.Http;
using Assay.Service.Keys;

namespace Assay.Tests.Service;

/// <summary>A server whose key encryption key is in AWS KMS or in Vault: releases, an outage, and its configuration.</summary>
public sealed class RemoteKekServerTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Arn = "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef";

    private static readonly string s_program = typeof(ServerOptions).Assembly.Location;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("awsKms")]
    [InlineData("vault")]
    public async Task A_key_is_released_while_the_service_answers_and_its_outage_is_no_denial(string kind)
    {
        var folder = Directory.CreateTempSubdirectory("assay-kek-").FullName;
        await using var kms = await AwsKmsStandIn.StartAsync();
        await using var vault = await VaultStandIn.StartAsync();
        var asked = kind == "vault" ? vault : (KeyServiceStandIn)kms;
        var terms = kind == "vault" ? new KekTerms { Vault = vault.Terms(vault.CreateKey(), folder) } : new KekTerms { AwsKms = kms.Terms(kms.CreateKey(), folder) };
        await using var world = await ServiceWorld.StartAsync(machine, null, configuration =>
        {
            configuration["roles"] = new JsonArray("attestation", "broker");
            configuration["kek"] = JsonSerializer.SerializeToNode(terms, StrictJsonOptions.Value);
        });
        var owner = await BrokerTokenTests.OwnerAsync(world);
        var secret = RandomNumberGenerator.GetBytes(32);
        await BrokerTokenTests.CreateAsync(world, owner, secret);
        await BrokerTokenTests.SetPolicyAsync(machine, world, owner);
        Assert.Equal(secret, await BrokerTokenTests.OpenAsync(machine, await BrokerTokenTests.ReleaseAsync(machine, world, owner)));
        await ReadyAsync(world, 200);

        asked.IsDown = true;

        var answer = await BrokerTokenTests.ReleaseAsync(machine, world, owner);
        Assert.Equal((503, "urn:assay:kek-unavailable"), (answer.Status, answer.Problem));
        Assert.True(answer.Response.Headers.Contains("Retry-After"));
        await ReadyAsync(world, 503);

        asked.IsDown = false;

        await ReadyAsync(world, 200);
        Assert.Equal(secret, await BrokerTokenTests.OpenAsync(machine, await BrokerTokenTests.ReleaseAsync(machine, world, owner)));
        foreach (var hidden in (string[])[Convert.ToBase64String(secret), AwsKmsStandIn.SecretKey, .. vault.Tokens.Keys])
        {
            Assert.DoesNotContain(world.Logged, line => line.Contains(hidden, StringComparison.Ordinal));
        }

        await world.StopAsync();
        await world.StartAsync();
        Assert.Equal(secret, await BrokerTokenTests.OpenAsync(machine, await BrokerTokenTests.ReleaseAsync(machine, world, owner)));
        Assert.Empty(asked.Departures);
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("{}", "exactly one of the members")]
    [InlineData("\"\"", "a path, or an object")]
    [InlineData("""{"awsKms":{"key":"ARN"},"vault":{"address":"https://vault.example","key":"k","token":"t"}}""", "exactly one of the members")]
    [InlineData("""{"awsKms":{}}""", "missing: \"key\"")]
    [InlineData("""{"awsKms":{"key":"ARN","keys":"x"}}""", "unknown member")]
    [InlineData("""{"gcpKms":{}}""", "unknown member")]
    [InlineData("""{"awsKms":{"key":"arn:aws:kms:eu-central-1:111122223333:alias/assay"}}""", "kek.awsKms.key: an alias can be pointed at another key")]
    [InlineData("""{"awsKms":{"key":"alias/assay"}}""", "kek.awsKms.key: an alias can be pointed at another key")]
    [InlineData("""{"awsKms":{"key":"01234567-89ab-cdef-0123-456789abcdef"}}""", "kek.awsKms.key: the key's whole ARN")]
    [InlineData("""{"awsKms":{"key":"arn:aws:s3:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"}}""", "kek.awsKms.key: the key's whole ARN")]
    [InlineData("""{"awsKms":{"key":"ARN","endpoint":"http://kms.example"}}""", "kek.awsKms.endpoint: plain http")]
    [InlineData("""{"awsKms":{"key":"ARN","endpoint":"https://kms.example/path"}}""", "kek.awsKms.endpoint: a URL without path")]
    [InlineData("""{"awsKms":{"key":"x","endpoint":"http://kms.example","credentials":""}}""", "kek.awsKms.key:|kek.awsKms.endpoint:|kek.awsKms.credentials:")]
    [InlineData("""{"vault":{"address":"http://vault.example","key":"k","token":"t"}}""", "kek.vault.address: plain http")]
    [InlineData("""{"vault":{"address":"https://user:password@vault.example","key":"k","token":"t"}}""", "kek.vault.address:")]
    [InlineData("""{"vault":{"address":"https://vault.example/v1","key":"k","token":"t"}}""", "kek.vault.address: a URL without path")]
    [InlineData("""{"vault":{"address":"https://vault.example","key":"../sys/seal","token":"t"}}""", "kek.vault.key:")]
    [InlineData("""{"vault":{"address":"https://vault.example","key":"..","mount":"a//b","namespace":"/a","token":"t"}}""", "kek.vault.key:|kek.vault.mount:|kek.vault.namespace:")]
    [InlineData("""{"vault":{"address":"https://vault.example","key":"k"}}""", "kek.vault.token, appRole: exactly one")]
    [InlineData("""{"vault":{"address":"https://vault.example","key":"k","token":"t","appRole":{"roleIdFile":"r","secretIdFile":"s"}}}""", "kek.vault.token, appRole: exactly one")]
    [InlineData("""{"vault":{"address":"https://vault.example","key":"k","appRole":{"roleIdFile":"r"}}}""", "missing: \"secretIdFile\"")]
    [InlineData("""{"vault":{"address":"http://127.0.0.1:8200","key":"k","token":"t","ca":"ca.pem"}}""", "kek.vault.ca: the address is not https")]
    [InlineData("""{"pkcs11":{"module":"x.so","token":"","key":"k","pin":""}}""", "kek.pkcs11.module:|kek.pkcs11.token|kek.pkcs11.pin:")]
    public void A_key_encryption_key_that_cannot_be_meant_is_refused_with_all_its_faults(string json, string expected)
    {
        var found = Faults(json.Replace("ARN", Arn, StringComparison.Ordinal));

        Assert.All(expected.Split('|'), part => Assert.Contains(found, fault => fault.Contains(part, StringComparison.Ordinal)));
        Assert.Equal(expected.Split('|').Length, found.Count);
    }

    [Theory]
    [InlineData("""{"awsKms":{"key":"ARN"}}""")]
    [InlineData("""{"awsKms":{"key":"ARN","endpoint":"https://vpce-1.kms.eu-central-1.vpce.amazonaws.com","credentials":"/run/aws"}}""")]
    [InlineData("""{"vault":{"address":"https://vault.example:8200","key":"assay","token":"/run/token"}}""")]
    [InlineData("""{"vault":{"address":"https://vault.example","mount":"eu/transit","key":"assay","namespace":"team/one","appRole":{"mount":"approle-eu","roleIdFile":"r","secretIdFile":"s"},"ca":"ca.pem"}}""")]
    public void What_the_manual_shows_is_read(string json) => Assert.Empty(Faults(json.Replace("ARN", Arn, StringComparison.Ordinal)));

    [Theory]
    [InlineData("""{"awsKms":{"key":"ARN"}}""", "aws kms create-key")]
    [InlineData("""{"vault":{"address":"https://vault.example","mount":"eu/transit","key":"assay","token":"t"}}""", "vault write -f eu/transit/keys/assay type=aes256-gcm96")]
    public void Where_the_key_is_made_by_another_tool_init_key_says_by_which(string json, string expected)
    {
        var path = Written(json.Replace("ARN", Arn, StringComparison.Ordinal));

        var said = Peer.Require("dotnet").Run(s_program, "init-key", "--config", path);

        Assert.Equal(1, said.ExitCode);
        Assert.Contains("service.kek.create", said.Output, StringComparison.Ordinal);
        Assert.Contains(expected, said.Output, StringComparison.Ordinal);
        Assert.Equal(2, Peer.Require("dotnet").Run(s_program, "init-key", "--config", path, "--from", path).ExitCode);
        File.Delete(path);
    }

    [Fact]
    public async Task Credentials_of_the_environment_are_found_and_an_address_in_it_is_not_followed()
    {
        await using var kms = await AwsKmsStandIn.StartAsync();
        await using var elsewhere = await Collateral.Loopback.StartAsync(_ => Task.CompletedTask);
        var folder = Directory.CreateTempSubdirectory("assay-kek-").FullName;
        var path = Written(new JsonObject { ["awsKms"] = new JsonObject { ["key"] = kms.CreateKey(), ["endpoint"] = kms.Address } }.ToJsonString(), Path.Combine(folder, "assay.db"));
        string[] environment = [$"AWS_ACCESS_KEY_ID={AwsKmsStandIn.AccessKey}", $"AWS_SECRET_ACCESS_KEY={AwsKmsStandIn.SecretKey}", $"AWS_ENDPOINT_URL_KMS={elsewhere.Text}", $"AWS_ENDPOINT_URL={elsewhere.Text}"];

        var made = await Task.Run(() => Peer.Require("env").Run([.. environment, "dotnet", s_program, "create-key", "--config", path, "--scope", "operator"]), Cancellation);

        Assert.True(made.Accepted, made.Output);
        Assert.Empty(kms.Departures);
        Assert.Contains("Encrypt", kms.Asked);
        Assert.Empty(elsewhere.Requests);
        File.Delete(path);
        Directory.Delete(folder, recursive: true);
    }

    private static string Written(string kek, string database = "assay.db")
    {
        var path = Path.GetTempFileName();
        File.WriteAllText(path, $$"""{"issuer":"http://127.0.0.1:8080","database":"{{database}}","kek":{{kek}}}""");
        return path;
    }

    private static IReadOnlyList<string> Faults(string kek)
    {
        var path = Written(kek);
        ServerConfiguration.TryRead(path, _ => null, out _, out var faults);
        File.Delete(path);
        return faults;
    }

    // What was answered last is believed for some seconds.
    private static async Task ReadyAsync(ServiceWorld world, int expected)
    {
        var status = 0;
        for (var attempt = 0; attempt < 300 && (status = (await world.GetAsync("/readyz", "")).Status) != expected; attempt++)
        {
            await Task.Delay(100, Cancellation);
        }

        Assert.Equal(expected, status);
    }
}
