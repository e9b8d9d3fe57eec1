using System.Diagnostics;

namespace Assay.Cli.Demo;

/// <summary>A client that knows nothing of attestation: curl, and HttpClient where curl is absent.</summary>
internal sealed class DemoCaller
{
    private readonly string? _curl = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "curl")).FirstOrDefault(File.Exists);

    public bool IsCurl => _curl is not null;

    /// <summary>What it is called.</summary>
    public string Name => IsCurl ? "curl" : "HttpClient (curl is absent)";

    /// <summary>The whole answer.</summary>
    public async Task<string> GetAsync(string url, CancellationToken cancellation)
    {
        var all = new List<string>();
        await ReadAsync(url, all.Add, cancellation).ConfigureAwait(false);
        return string.Join('\n', all);
    }

    /// <summary>Tells each line when it is here.</summary>
    public async Task ReadAsync(string url, Action<string> line, CancellationToken cancellation)
    {
        if (_curl is null)
        {
            using var client = new HttpClient();
            using var answer = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
            using var body = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false));
            await ReadAsync(body, line, cancellation).ConfigureAwait(false);
            return;
        }

        using var curl = DemoVm.Begin(_curl, ["-sN", url]);
        await ReadAsync(curl.StandardOutput, line, cancellation).ConfigureAwait(false);
        await DemoVm.EndOfAsync(curl, cancellation).ConfigureAwait(false);
    }

    private static async Task ReadAsync(StreamReader body, Action<string> line, CancellationToken cancellation)
    {
        while (await body.ReadLineAsync(cancellation).ConfigureAwait(false) is { } text)
        {
            line(text);
        }
    }
}
