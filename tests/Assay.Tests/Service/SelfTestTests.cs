using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Attestation.SelfTests;
using Assay.Cli.Demo;
using Assay.Server;
using Assay.Service;
using Assay.Simulator;
using Assay.Trust.Jose;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>A configuration is tried before it takes traffic.</summary>
public sealed class SelfTestTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private static readonly string s_program = Path.Combine(Repository.Root, "src", "services", "Assay.Server", "bin", Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!, "net10.0", "assay-server.dll");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_policy_refuses_what_an_attacker_makes_of_its_evidence_and_the_report_is_signed_and_no_token()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        var test = world.Host.Services.GetRequiredService<SelfTest>();

        var report = await test.RunAsync([], Cancellation);

        Assert.True(report.Passed, string.Join("\n", report.Lines.Where(line => !line.Passed)));
        Assert.Equal(
            ["another challenge", "one bit of gpus[0]'s report", "one bit of gpus[1]'s report", "one bit of switches[0]'s report", "one bit of switches[1]'s report", "gpus[1] left out", "gpus[0] in place of gpus[1]", "switches[1] left out", "switches[0] in place of switches[1]", "one bit of the processor's quote", "the event log left out", "the processor left out", "another key"],
            report.Lines.Where(line => line.Part == "tampered").Select(line => line.Name.Split(": ")[^1]));
        Assert.Equal(3, report.Lines.Count(line => line.Part == "key"));
        Assert.True(JsonWebKeySet.TryParse(await world.Client.GetByteArrayAsync(new Uri("/.well-known/jwks.json", UriKind.Relative), Cancellation), out var keys, out _));
        Assert.True(CompactJws.TryParse(test.Sign(report), out var signed, out _) && signed.IsSignedBy(keys));
        Assert.Equal((SelfTest.MediaType, true), (signed.Header.GetProperty("typ").GetString(), signed.Payload.GetProperty("passed").GetBoolean()));
        Assert.False(Assay.Tokens.EatReader.IsFor(signed));
    }

    [Fact]
    public async Task A_policy_whose_test_does_not_hold_under_the_anchors_of_now_fails_the_self_test()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        await world.StopAsync();
        var now = TimeProvider.System.GetUtcNow();
        using var others = SimulatedAuthority.Create(now);
        await File.WriteAllBytesAsync(Path.Combine(world.Folder, "anchors.json"), CpuAnchors.ToJson("others", SimulatedIntel.Create(now), null, others), Cancellation);

        // The active version was tested when it was activated, and is not again at a start.
        await world.StartAsync();
        var report = await world.Host.Services.GetRequiredService<SelfTest>().RunAsync([], Cancellation);

        Assert.False(report.Passed);
        Assert.Contains(report.Lines, line => line is { Part: "policy", Passed: false, Expected: "pass", Found: "fail" } && line.Detail!.Contains("chain", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_command_prints_every_case_writes_the_report_and_ends_with_1_where_the_audit_log_was_changed()
    {
        await using var world = await ServiceWorld.StartAsync(machine);
        await world.StopAsync();
        try
        {
            var (configuration, file) = (Path.Combine(world.Folder, "server.json"), Path.Combine(world.Folder, "report.jws"));
            var passed = await RunAsync("selftest", "--config", configuration, "--report", file);
            Assert.True(passed.ExitCode == 0, passed.Error + passed.Output);
            Assert.Matches(@"(?m)^ok +tampered  demo/demo-machines version 1: the machine passes: one bit of gpus\[0\]'s report: no token \(.*report\.signature\.valid", passed.Output);
            Assert.EndsWith($"as expected, release 0.1.0, {world.Issuer}", passed.Output.TrimEnd(), StringComparison.Ordinal);
            Assert.True(CompactJws.TryParse((await File.ReadAllTextAsync(file, Cancellation)).Trim(), out _, out _));
            Assert.Contains("service.selftest.report", (await RunAsync("selftest", "--config", configuration, "--report", file)).Error, StringComparison.Ordinal);

            Change(Path.Combine(world.Folder, "assay.db"));
            var changed = await RunAsync("selftest", "--config", configuration, "--format", "json");
            Assert.Equal(1, changed.ExitCode);
            Assert.Equal("audit", JsonElement.Parse(changed.Output).GetProperty("lines").EnumerateArray().Single(line => !line.GetProperty("passed").GetBoolean()).GetProperty("part").GetString());

            var options = JsonNode.Parse(await File.ReadAllTextAsync(configuration, Cancellation))!;
            options["attestation"]!["selfTest"] = true;
            await File.WriteAllTextAsync(configuration, options.ToJsonString(), Cancellation);
            Assert.Equal("service.selftest", (await Assert.ThrowsAsync<ServiceException>(world.StartAsync)).Id);
            options["attestation"]!["selfTest"] = false;
            await File.WriteAllTextAsync(configuration, options.ToJsonString(), Cancellation);
        }
        finally
        {
            await world.StartAsync();
        }
    }

    [Theory]
    [InlineData("array")]
    [InlineData("request")]
    [InlineData("cmw")]
    public void Evidence_of_devices_in_any_form_is_tampered_with_or_said_to_be_in_another_form(string form)
    {
        JsonElement evidence = form switch
        {
            "array" => JsonElement.Parse("""[{"evidence":"AAEz"},{"evidence":"000102"}]"""),
            "request" => JsonElement.Parse("""{"nonce":"00","evidence_list":[{"evidence":"AAEz"},{"evidence":7}]}"""),
            _ => JsonElement.Parse("""{"__cmwc_t":"x","gpu":["application/x","AAEz"]}"""),
        };

        var attacks = Tampering.Of(evidence, new Assay.Service.Judging.PolicyExpectations { Gpus = 2 }).Select(attack => $"{attack.Name} {System.Text.Encoding.UTF8.GetString(attack.Evidence)}").ToArray();

        Assert.Equal(form switch
        {
            "array" =>
            [
                """one bit of devices[0]'s report [{"evidence":"AAEy"},{"evidence":"000102"}]""", """one bit of devices[1]'s report [{"evidence":"AAEz"},{"evidence":"000103"}]""",
                """devices[1] left out [{"evidence":"AAEz"}]""", """devices[0] in place of devices[1] [{"evidence":"AAEz"},{"evidence":"AAEz"}]""",
            ],
            "request" =>
            [
                """one bit of evidence_list[0]'s report {"nonce":"00","evidence_list":[{"evidence":"AAEy"},{"evidence":7}]}""",
                """evidence_list[1] left out {"nonce":"00","evidence_list":[{"evidence":"AAEz"}]}""", """evidence_list[0] in place of evidence_list[1] {"nonce":"00","evidence_list":[{"evidence":"AAEz"},{"evidence":"AAEz"}]}""",
            ],
            _ => Array.Empty<string>(),
        }, attacks);
    }

    private static async Task<ProgramAnswer> RunAsync(params string[] words)
    {
        using var process = DemoVm.Begin("dotnet", [s_program, .. words]);
        return await DemoVm.EndOfAsync(process, Cancellation);
    }

    private static void Change(string database)
    {
        using var connection = new SqliteConnection($"Data Source={database};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "UPDATE audit SET kind = 'policy.read' WHERE position = 2";
        Assert.True(command.ExecuteNonQuery() > 0);
    }
}
