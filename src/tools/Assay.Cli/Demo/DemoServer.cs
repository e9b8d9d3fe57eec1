using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>An attestation service of the demonstration's: <c>assay-server</c> as a process on loopback, with SQLite in a folder, and what an operator configures.</summary>
internal sealed class DemoServer : IAsyncDisposable
{
    private const string Tenant = "demo";

    private readonly Process _process;

    private DemoServer(Process process, string address, ImmutableArray<string> keys) => (_process, Address, Keys, Client) = (process, address, keys, new HttpClient { BaseAddress = new Uri(address) });

    /// <summary>Where it serves: its issuer too.</summary>
    public string Address { get; }

    /// <summary>The API keys that were made, in order.</summary>
    public ImmutableArray<string> Keys { get; }

    /// <summary>The first of them: of the VM's tenant.</summary>
    public string Key => Keys[0];

    /// <summary>A client of it without a credential.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts an attestation service with one policy. Null, with what it said, where it does not serve.</summary>
    /// <param name="program">The server's program.</param>
    /// <param name="folder">Configuration, key and database: exists.</param>
    /// <param name="anchors">Whose evidence is believed.</param>
    /// <param name="collateral">Where collateral is.</param>
    /// <param name="policy">The policy document.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<(DemoServer? Server, string? WhyNot)> StartAsync(string program, string folder, byte[] anchors, string collateral, JsonObject policy, CancellationToken cancellation)
    {
        var file = Path.Combine(folder, "policy.json");
        await File.WriteAllTextAsync(file, policy.ToJsonString(), cancellation).ConfigureAwait(false);
        var roles = new JsonObject { ["attestation"] = new JsonObject { ["policies"] = new JsonArray(new JsonObject { ["file"] = file, ["tenant"] = Tenant }) } };
        return await StartAsync(program, folder, anchors, collateral, roles, [["--tenant", Tenant, "--scope", "attest", "read"]], cancellation).ConfigureAwait(false);
    }

    /// <summary>Starts a service of any roles. Null, with what it said, where it does not serve.</summary>
    /// <param name="program">The server's program.</param>
    /// <param name="folder">Configuration, key and database: exists.</param>
    /// <param name="anchors">Whose evidence is believed.</param>
    /// <param name="collateral">Where collateral is.</param>
    /// <param name="roles">Members of the configuration beside those of every service.</param>
    /// <param name="credentials">Arguments of <c>create-key</c>, for each API key.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<(DemoServer? Server, string? WhyNot)> StartAsync(
        string program, string folder, byte[] anchors, string collateral, JsonObject roles, string[][] credentials, CancellationToken cancellation)
    {
        string PathOf(string name) => Path.Combine(folder, name);
        var (address, configuration) = (string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{DemoChannel.FreePort()}"), PathOf("server.json"));
        await File.WriteAllBytesAsync(PathOf("anchors.json"), anchors, cancellation).ConfigureAwait(false);
        var server = new JsonObject
        {
            ["issuer"] = address,
            ["listen"] = new JsonArray(address["http://".Length..]),
            ["database"] = PathOf("assay.db"),
            ["kek"] = PathOf("kek"),
            ["anchors"] = PathOf("anchors.json"),
            ["collateral"] = new JsonObject { ["url"] = collateral },
            ["drain"] = new JsonObject { ["notReadySeconds"] = 0 },
        };
        foreach (var (name, value) in roles.ToArray())
        {
            server[name] = value?.DeepClone();
        }

        await File.WriteAllTextAsync(configuration, server.ToJsonString(), cancellation).ConfigureAwait(false);
        var keys = ImmutableArray.CreateBuilder<string>();
        foreach (var words in (string[][])[["init-key", PathOf("kek")], .. credentials.Select(words => (string[])["create-key", "--config", configuration, .. words])])
        {
            using var command = DemoVm.Begin("dotnet", [program, .. words]);
            var answer = await DemoVm.EndOfAsync(command, cancellation).ConfigureAwait(false);
            if (answer.ExitCode != 0)
            {
                return (null, answer.Error);
            }

            keys.Add(answer.Output.Trim());
        }

        return await RunAsync(program, configuration, address, keys.ToImmutable()[1..], cancellation).ConfigureAwait(false);
    }

    /// <summary>Posts JSON, with the tenant's key unless another one is given; empty for none.</summary>
    public async Task<(int Status, JsonElement Body)> PostAsync(string path, string json, string? key, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        if (key is not { Length: 0 })
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key ?? Key);
        }

        using var response = await Client.SendAsync(request, cancellation).ConfigureAwait(false);
        var body = await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
        return ((int)response.StatusCode, body.Length == 0 ? default : JsonElement.Parse(body));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private static async Task<(DemoServer? Server, string? WhyNot)> RunAsync(string program, string configuration, string address, ImmutableArray<string> keys, CancellationToken cancellation)
    {
        var process = DemoVm.Begin("dotnet", [program, "run", "--config", configuration]);
        // Its first line says that it serves; a server that cannot start ends without one. What it logs is not shown here, and must not fill the pipe.
        var log = process.StandardError.ReadToEndAsync(CancellationToken.None);
        if (await process.StandardOutput.ReadLineAsync(cancellation).ConfigureAwait(false) is null)
        {
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            process.Dispose();
            return (null, await log.ConfigureAwait(false));
        }

        return (new DemoServer(process, address, keys), null);
    }
}
