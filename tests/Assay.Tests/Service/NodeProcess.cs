using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Assay.Tests.Service;

/// <summary>A program of node that answers each line of JSON by one, until its input ends.</summary>
internal sealed class NodeProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _error;

    private NodeProcess(Process process) => (_process, _error) = (process, process.StandardError.ReadToEndAsync());

    /// <summary>Starts a script of this folder beside the packages of a folder of eng/peers.</summary>
    /// <param name="script">Its file name.</param>
    /// <param name="environment">Its whole environment, beside PATH; null: this process's.</param>
    /// <param name="peers">The folder.</param>
    public static NodeProcess Start(string script, IReadOnlyDictionary<string, string>? environment = null, string peers = "oidc")
    {
        var path = NpmPackages.Install(peers, script, File.ReadAllText(Path.Combine(Repository.Root, "tests", "Assay.Tests", "Service", script)));
        var start = new ProcessStartInfo(Peer.Require("node").Program, [path]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        if (environment is not null)
        {
            start.Environment.Clear();
            start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
            foreach (var (name, value) in environment)
            {
                start.Environment[name] = value;
            }
        }

        return new NodeProcess(Process.Start(start)!);
    }

    /// <summary>Sends a line and waits for its answer.</summary>
    public async Task<JsonElement> AskAsync(JsonObject line)
    {
        await _process.StandardInput.WriteLineAsync(line.ToJsonString());
        await _process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        var answer = await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience.Long, TestContext.Current.CancellationToken);
        return JsonElement.Parse(answer ?? throw new InvalidOperationException($"node ended: {await _error}"));
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(30)))
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
