using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Guest.Agent;

namespace Assay.Tests.Guest;

/// <summary>The agent of a guest whose gate has run, as a process of its own.</summary>
internal sealed class RunningAgent : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _error;

    private RunningAgent(Process process, string socket)
    {
        (_process, Socket) = (process, socket);
        _error = process.StandardError.ReadToEndAsync();
    }

    public string Socket { get; }

    public int Id => _process.Id;

    public static RunningAgent Start(GuestWorld world)
    {
        var socket = world.At("/run/assay/agent.sock");
        var agent = new RunningAgent(world.Begin("agent"), socket);
        Assert.True(SpinWait.SpinUntil(() => agent._process.HasExited || CanConnect(socket), Patience.Long));
        Assert.False(agent._process.HasExited, agent._process.HasExited ? agent._error.Result : "");
        return agent;
    }

    public static async Task<RunningAgent> StartVerifiedAsync(GuestWorld world)
    {
        var answer = world.Run("gate");
        Assert.True(answer.ExitCode == 0, answer.Error);
        Assert.Equal(0, world.Run("seal-boot").ExitCode);
        await Task.CompletedTask;
        return Start(world);
    }

    public async Task<(int Status, ReadOnlyMemory<byte> Body)> AskAsync(string method, string body = "") => await AgentClient.AskAsync(Socket, method, body, TestContext.Current.CancellationToken);

    public async Task<JsonElement> JsonAsync(string method, string body = "", int status = 200)
    {
        var (found, answer) = await AskAsync(method, body);
        Assert.True(found == status, $"{found}: {Encoding.UTF8.GetString(answer.Span)}");
        using var document = JsonDocument.Parse(answer);
        return document.RootElement.Clone();
    }

    /// <summary>Sends bytes, and reads all of the answer.</summary>
    public async Task<string> RawAsync(byte[] request, bool closes = false)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket));
        try
        {
            await socket.SendAsync(request);
        }
        catch (SocketException)
        {
            // It answers before all is sent.
        }

        if (closes)
        {
            socket.Shutdown(SocketShutdown.Send);
        }

        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer) is > 0 and var read)
            {
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
            }
        }
        catch (SocketException)
        {
            // Closed with bytes of ours unread.
        }

        return text.ToString();
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    /// <summary>Whether something serves there.</summary>
    public static bool CanConnect(string path)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
