using System.Diagnostics;
using System.Text;

namespace Assay.Tests.Channels;

/// <summary>An openssl that goes on while a test talks to it: what it prints is kept, and can be waited for.</summary>
internal sealed class OpensslProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task _reading;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly SemaphoreSlim _more = new(0);

    private OpensslProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput.BaseStream, _output), ReadAsync(process.StandardError.BaseStream, _error));
    }

    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Each byte as one character.</summary>
    public string Output => Text(_output);

    public string Error => Text(_error);

    public bool HasEnded => _process.HasExited;

    public static OpensslProcess Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Peer.Require("openssl").Program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        return new OpensslProcess(Process.Start(start)!);
    }

    /// <summary>Waits for a text in either output.</summary>
    public async Task<string> WaitForAsync(string text)
    {
        using var deadline = new CancellationTokenSource(Patience.Long);
        while (true)
        {
            var ended = _reading.IsCompleted;
            if ((Output + Error) is var all && all.Contains(text, StringComparison.Ordinal))
            {
                return all;
            }

            Assert.False(ended, $"openssl ended without \"{text}\": {all}");
            await Task.WhenAny(_more.WaitAsync(deadline.Token), _reading);
            deadline.Token.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Waits for its end.</summary>
    public async Task<int> EndAsync()
    {
        using var deadline = new CancellationTokenSource(Patience.Long);
        await _process.WaitForExitAsync(deadline.Token);
        await _reading;
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _reading.ContinueWith(_ => { }, TaskScheduler.Default);
        _process.Dispose();
        _more.Dispose();
    }

    private static string Text(StringBuilder kept)
    {
        lock (kept)
        {
            return kept.ToString();
        }
    }

    private async Task ReadAsync(Stream from, StringBuilder to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer) is var length and > 0)
        {
            lock (to)
            {
                to.Append(Encoding.Latin1.GetString(buffer, 0, length));
            }

            _more.Release();
        }
    }
}
