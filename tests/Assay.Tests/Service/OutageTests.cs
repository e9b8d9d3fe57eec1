using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Attestation;
using Assay.Cli.Demo;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Service;

/// <summary>Servers as processes: killed, upgraded one after the other, and asked by clients that send as slowly as they may.</summary>
public sealed class OutageTests(AttestedMachine machine) : IClassFixture<AttestedMachine>
{
    private const int Clients = 8;
    private static readonly string s_program = Path.Combine(Repository.Root, "src", "services", "Assay.Server", "bin", Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!, "net10.0", "assay-server.dll");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgresql")]
    public async Task A_server_that_is_killed_under_load_loses_nothing_that_it_acknowledged(string kind)
    {
        await using var postgres = kind == "postgresql" ? await PostgresServer.StartAsync() : null;
        await using var world = await ServiceWorld.StartAsync(machine, postgres?.Connection);
        await world.StopAsync();
        var acknowledged = new ConcurrentBag<string>();
        var spent = new ConcurrentBag<string>();
        for (var round = 0; round < 2; round++)
        {
            using var process = await RunAsync(world.Folder, "server.json");
            using var stop = new CancellationTokenSource();
            var load = LoadAsync([world.Issuer], world.Key, acknowledged, spent, stop.Token);
            var before = acknowledged.Count;
            await UntilAsync(() => acknowledged.Count > before + 50);

            process.Kill();
            await process.WaitForExitAsync(Cancellation);
            await stop.CancelAsync();
            await load;
        }

        await world.StartAsync();
        var kept = (await world.GetAsync("/v1/api-keys")).Body.EnumerateArray().Select(key => key.GetProperty("id").GetString()!).ToHashSet(StringComparer.Ordinal);
        Assert.All(acknowledged, id => Assert.Contains(id, kept));
        Assert.NotEmpty(spent);
        foreach (var challenge in spent)
        {
            Assert.Equal("urn:assay:challenge-spent", (await world.AppraiseAsync(challenge, "{}")).Problem);
        }

        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
        Assert.Equal(200, (await world.AttestAsync()).Status);
    }

    [Fact]
    public async Task An_upgrade_of_one_process_after_the_other_refuses_no_client_that_knows_both()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var world = await ServiceWorld.StartAsync(machine, postgres.Connection);
        await world.StopAsync();
        var second = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{DemoChannel.FreePort()}");
        var configuration = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(world.Folder, "server.json"), Cancellation))!;
        configuration["listen"] = new JsonArray(second["http://".Length..]);
        await File.WriteAllTextAsync(Path.Combine(world.Folder, "second.json"), configuration.ToJsonString(), Cancellation);
        var (acknowledged, spent) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
        using var stop = new CancellationTokenSource();
        using var before = await RunAsync(world.Folder, "server.json");
        using var other = await RunAsync(world.Folder, "second.json");
        var load = LoadAsync([world.Issuer, second], world.Key, acknowledged, spent, stop.Token);
        await UntilAsync(() => acknowledged.Count > 20);

        // What a process of a next release does when it starts: its script adds. The processes of this release are under load meanwhile.
        await using (var database = ServiceDatabase.Of(postgres.Connection))
        {
            await database.PrepareAsync([.. AttestationRole.Schema, new SchemaScript("9001-next.sql", "ALTER TABLE challenge ADD COLUMN next_release TEXT; ALTER TABLE api_key ADD COLUMN next_release TEXT; CREATE TABLE next_release (id TEXT)")], Cancellation);
        }

        await EndAsync(before);
        var at = acknowledged.Count;
        await UntilAsync(() => acknowledged.Count > at + 20);
        using var after = await RunAsync(world.Folder, "server.json");
        await EndAsync(other);
        at = acknowledged.Count;
        await UntilAsync(() => acknowledged.Count > at + 20);
        await stop.CancelAsync();

        // A request that one of them could not take went to the other: none was answered by a failure.
        Assert.Empty(await load);
        await EndAsync(after);
        await world.StartAsync();
        var kept = (await world.GetAsync("/v1/api-keys")).Body.EnumerateArray().Select(key => key.GetProperty("id").GetString()!).ToHashSet(StringComparer.Ordinal);
        Assert.All(acknowledged, id => Assert.Contains(id, kept));
        Assert.True((await world.GetAsync("/v1/audit/verify", world.OperatorKey)).Body.GetProperty("intact").GetBoolean());
    }

    [Fact]
    public async Task A_tenant_whose_clients_send_without_end_does_not_take_the_places_of_its_neighbours()
    {
        await using var world = await ServiceWorld.StartAsync(machine, configure: configuration => configuration["limits"] = new JsonObject { ["perAddress"] = 100_000, ["perTenant"] = 100_000, ["concurrency"] = 8, ["waiting"] = 8 });
        var slow = await world.KeyOfAsync("next-door", Scopes.Attest);
        var sockets = new List<TcpClient>();
        try
        {
            // Four under way and four waiting: all that the tenant may have.
            var limits = world.Host.Services.GetRequiredService<RequestLimits>();
            Task<string>[] ends = [];
            while (limits.FreeOf("next-door") > 0)
            {
                if (ends.All(end => end.IsCompleted))
                {
                    TcpClient[] begun = [.. await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => BeginAsync(world, slow)))];
                    sockets.AddRange(begun);
                    ends = [.. begun.Select(AnswerAsync)];
                }

                await Task.Delay(5, Cancellation);
            }

            // The other tenant waits for none of them to end.
            var served = 0;
            while (served < 20 && (await world.PostAsync("/v1/challenges", "{}")).Status == 201 && !ends.Any(end => end.IsCompleted))
            {
                served++;
            }

            Assert.NotEqual(0, served);
            // And they end: whoever sends less than 4 kB a second is cut off.
            Assert.All(await Task.WhenAll(ends), answer => Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 4", StringComparison.Ordinal), answer));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    private static async Task<string> AnswerAsync(TcpClient socket)
    {
        var answer = new byte[4096];
        return Encoding.ASCII.GetString(answer, 0, await socket.GetStream().ReadAsync(answer, Cancellation));
    }

    // A head, and of the body one byte.
    private static async Task<TcpClient> BeginAsync(ServiceWorld world, string key)
    {
        var (socket, address) = (new TcpClient(), new Uri(world.Issuer));
        await socket.ConnectAsync(address.Host, address.Port, Cancellation);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /v1/appraisals HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"), Cancellation);
        return socket;
    }

    // Makes API keys and spends challenges, at any of the addresses: where a connection breaks it goes to the next. Returns what was answered by a failure.
    private static async Task<string[]> LoadAsync(string[] addresses, string key, ConcurrentBag<string> acknowledged, ConcurrentBag<string> spent, CancellationToken stop)
    {
        var failures = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(number => Task.Run(async () =>
        {
            using var client = new HttpClient();
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            for (var turn = number; !stop.IsCancellationRequested; turn++)
            {
                try
                {
                    var address = addresses[turn % addresses.Length];
                    var made = await PostAsync(client, $"{address}/v1/api-keys", """{"name":"load","scopes":["read"]}""");
                    acknowledged.Add(made.GetProperty("description").GetProperty("id").GetString()!);
                    var challenge = (await PostAsync(client, $"{address}/v1/challenges", "{}")).GetProperty("id").GetString()!;
                    var refused = await PostAsync(client, $"{address}/v1/appraisals", $$"""{"challenge":"{{challenge}}","audience":"{{ServiceWorld.Audience}}","evidence":{} }""");
                    if (refused.GetProperty("type").GetString() == "urn:assay:evidence-malformed")
                    {
                        spent.Add(challenge);
                    }
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    // No answer: nothing was acknowledged, and the next one is asked.
                }
                catch (InvalidDataException exception)
                {
                    failures.Add(exception.Message);
                }
            }
        })));
        return [.. failures];
    }

    private static async Task<JsonElement> PostAsync(HttpClient client, string address, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(new Uri(address), content);
        var text = await answer.Content.ReadAsStringAsync();
        return (int)answer.StatusCode < 500 ? JsonElement.Parse(text) : throw new InvalidDataException($"{(int)answer.StatusCode} {text}");
    }

    internal static async Task<Process> RunAsync(string folder, string configuration)
    {
        var process = DemoVm.Begin("dotnet", [s_program, "run", "--config", Path.Combine(folder, configuration)]);
        var log = process.StandardError.ReadToEndAsync(CancellationToken.None);
        return await process.StandardOutput.ReadLineAsync(Cancellation) is not null ? process : throw new InvalidOperationException(await log);
    }

    private static async Task EndAsync(Process process)
    {
        using var terminate = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await terminate.WaitForExitAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        Assert.Equal(0, process.ExitCode);
    }

    internal static async Task UntilAsync(Func<bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience.Long);
        while (!holds())
        {
            await Task.Delay(20, patience.Token);
        }
    }
}
