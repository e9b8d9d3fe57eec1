using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Guest.Secrets;
using Assay.Trust.Jose;

namespace Assay.Tests.Service;

/// <summary>The agent gets tokens of a service, and a program inside the VM finds them in a file, as clouds' SDKs expect.</summary>
public sealed class WebIdentityTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const string Audience = "sts.amazonaws.com";
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_program_finds_a_token_for_its_cloud_in_a_file_that_is_gone_when_it_ends()
    {
        await using var world = await StartAsync();

        var answer = await machine.Vm.RunAsync(
            ["token", "--audience", Audience, "--exec", "sh", "-c", "cat \"$AWS_WEB_IDENTITY_TOKEN_FILE\"; echo; echo \"$AZURE_FEDERATED_TOKEN_FILE $ASSAY_TOKEN_FILE\"; stat -c %a \"$ASSAY_TOKEN_FILE\"; exit 7"], Cancellation);

        Assert.True(answer.ExitCode == 7, answer.Error);
        var lines = answer.Output.Split('\n');
        Assert.True(CompactJws.TryParse(lines[0], out var token, out _));
        Assert.Equal((world.Issuer, Audience), (token.Payload.GetProperty("iss").GetString(), token.Payload.GetProperty("aud").GetString()));
        var files = lines[1].Split(' ');
        Assert.Equal((files[0], "600"), (files[1], lines[2]));
        Assert.False(File.Exists(files[0]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(machine.Vm.Root, "dev", "shm")));
    }

    [Fact]
    public async Task The_file_is_written_again_before_the_token_ends()
    {
        await using var world = await StartAsync();
        var (file, stop) = (Path.Combine(machine.Vm.Folder, "renewed"), Path.Combine(machine.Vm.Folder, "stop"));
        var clock = new HastyClock();
        var running = WebIdentity.RunAsync(new Assay.Guest.GuestPaths(machine.Vm.Root), Audience, file, ["sh", "-c", $"until [ -e '{stop}' ]; do sleep 0.05; done"], clock, Cancellation);
        var first = await ContentAsync(file, _ => true);

        await ContentAsync(file, content => content != first);

        Assert.InRange(clock.Pauses.First(), TimeSpan.FromSeconds(100), TimeSpan.FromSeconds(200));
        await File.WriteAllTextAsync(stop, "", Cancellation);
        Assert.Equal(0, await running);
        Assert.False(File.Exists(file));
        File.Delete(stop);
    }

    [Fact]
    public async Task Without_a_token_the_program_does_not_run_and_the_reason_names_what_is_wrong()
    {
        await using var world = await StartAsync();

        await RefusedAsync("agent.audience", "vault.example");
        // In the configuration of the image, and of no policy of the tenant.
        Assert.Contains("urn:assay:audience-unknown", await RefusedAsync("agent.token-refused", "https://unknown.example"), StringComparison.Ordinal);
        File.WriteAllText(Credential, $"assay_{new string('0', 16)}_{new string('A', 43)}");
        Assert.Contains("urn:assay:unauthenticated", await RefusedAsync("agent.token-refused", Audience), StringComparison.Ordinal);
        File.Delete(Credential);
        await RefusedAsync("agent.credential", Audience);
        File.WriteAllText(Credential, world.Key);
        await world.StopAsync();
        await RefusedAsync("agent.service", Audience);
        await world.StartAsync();
        var taken = Path.Combine(machine.Vm.Folder, "taken");
        await File.WriteAllTextAsync(taken, "mine", Cancellation);
        Assert.Contains("ctl.token-file", (await machine.Vm.RunAsync(["token", "--audience", Audience, "--file", taken, "--exec", "true"], Cancellation)).Error, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(taken, Cancellation));
    }

    [Fact]
    public async Task The_typed_clients_of_agent_and_service_get_a_token_and_learn_which_checks_failed()
    {
        await using var world = await StartAsync();
        using var agent = new GuestAgentClient(machine.Vm.AgentSocket);
        Assert.True(ServiceAddress.TryParse(world.Issuer, out var address, out _));
        using var client = new AttestationServiceClient(address, world.Key);

        var token = await client.AttestAsync(Audience, (nonce, cancellation) => agent.GetEvidenceAsync(nonce, "release", cancellation), Cancellation);

        Assert.Equal(("cloud", ServiceWorld.PolicyId, 5), (token.Form, token.Policy, token.Text.Split('.').Length));
        Assert.DoesNotContain(token.Text, token.ToString(), StringComparison.Ordinal);
        Assert.True(CompactJws.TryParse(await agent.GetTokenAsync(Audience, Cancellation), out _, out _));
        var other = await agent.GetEvidenceAsync(new string('1', 64), "release", Cancellation);
        var refused = await Assert.ThrowsAsync<ServiceRefusedException>(() => client.AttestAsync(Audience, (_, _) => Task.FromResult(other), Cancellation));
        Assert.Equal(("urn:assay:evidence-refused", 422, false), (refused.Problem, refused.Status, refused.IsTransient));
        Assert.Contains("report.nonce.match", refused.Failed);
        Assert.NotNull(refused.Appraisal);
        await world.StopAsync();
        Assert.True((await Assert.ThrowsAsync<ServiceRefusedException>(() => client.CreateChallengeAsync(Cancellation))).IsTransient);
        await world.StartAsync();
    }

    private string Credential => Path.Combine(machine.Vm.Folder, "service.key");

    private async Task<string> RefusedAsync(string id, string audience)
    {
        var answer = await machine.Vm.RunAsync(["token", "--audience", audience, "--exec", "echo", "it ran"], Cancellation);
        Assert.Equal((1, ""), (answer.ExitCode, answer.Output));
        Assert.Contains(id, answer.Error, StringComparison.Ordinal);
        return answer.Error;
    }

    private static async Task<string> ContentAsync(string file, Func<string, bool> isIt)
    {
        while (true)
        {
            var content = File.Exists(file) ? await File.ReadAllTextAsync(file, Cancellation) : "";
            if (content.Length > 0 && isIt(content))
            {
                return content;
            }

            await Task.Delay(50, Cancellation);
        }
    }

    // The machine boots again with an image that names the service; its gate's policy is the same.
    private async Task<ServiceWorld> StartAsync()
    {
        var world = await ServiceWorld.StartAsync(machine, policy: policy =>
        {
            policy["audiences"] = new JsonArray(Audience);
            policy["token"] = new JsonObject { ["form"] = "cloud", ["algorithm"] = "ES384", ["cloud"] = new JsonObject { ["kind"] = "aws" } };
        });
        File.WriteAllText(Credential, world.Key);
        machine.Vm.Prepare(Assay.Simulator.GuestFault.None, string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"version":1,"gate":"verify","devices":{"gpus":2,"switches":2,"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{machine.Services}}","service":{"url":"{{world.Issuer}}","credential":"/../service.key","audiences":["{{Audience}}","https://unknown.example"]} }"""));
        Assert.Null(await machine.Vm.BootAsync(Cancellation));
        return world;
    }

    /// <summary>Pauses are remembered and not made.</summary>
    private sealed class HastyClock : TimeProvider
    {
        public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Enqueue(dueTime);
            return base.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
