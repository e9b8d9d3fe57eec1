using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Assay.Guest.Agent;

/// <summary><c>assay-guest ctl</c>: asks the agent and prints what it answers, as it answers it.</summary>
internal static class AgentClient
{
    private const int LargestAnswer = 32 * 1024 * 1024;
    private const int Unusable = 2;
    private const int MostAttempts = 100;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    public static async Task<int> RunAsync(string path, string[] words, CancellationToken cancellation)
    {
        var (method, body) = words switch
        {
            ["health"] => ("Health", ""),
            ["attestation"] => ("GetGpuAttestation", ""),
            ["ready"] => ("EnsureGpuReady", ""),
            ["metrics"] => ("Metrics", ""),
            ["key", var key] => ("GetPublicKey", Body(("key", key))),
            ["key", var key, var kind] => ("GetPublicKey", Body(("key", key), ("kind", kind))),
            ["evidence", var challenge, var key, var kind] => ("GetEvidence", Body(("challenge", challenge), ("key", key), ("kind", kind))),
            ["evidence", var challenge, var key] => ("GetEvidence", Body(("challenge", challenge), ("key", key))),
            ["token", var audience] => ("GetToken", Body(("audience", audience))),
            _ => ("", ""),
        };
        if (method.Length == 0)
        {
            await Console.Error.WriteLineAsync("assay-guest: guest.arguments: ctl takes health, attestation, ready, metrics, key NAME [KIND], evidence CHALLENGE KEY [KIND] or token AUDIENCE").ConfigureAwait(false);
            return Unusable;
        }

        var (status, answer) = await AskAsync(path, method, body, cancellation).ConfigureAwait(false);
        await using var output = status == 200 ? Console.OpenStandardOutput() : Console.OpenStandardError();
        await output.WriteAsync(answer, cancellation).ConfigureAwait(false);
        return status == 200 ? 0 : 1;
    }

    /// <summary>One request, one answer.</summary>
    public static async Task<(int Status, ReadOnlyMemory<byte> Body)> AskAsync(string path, string method, string body, CancellationToken cancellation)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
                    break;
                }
                catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock && attempt < MostAttempts)
                {
                    // Others wait to be accepted, as many as the kernel lets: the agent turns them away faster than they come.
                    await Task.Delay(s_pause, cancellation).ConfigureAwait(false);
                }
            }

            var content = Encoding.UTF8.GetBytes(body);
            var head = string.Create(CultureInfo.InvariantCulture, $"POST /{method} HTTP/1.1\r\nHost: assay\r\nContent-Length: {content.Length}\r\n\r\n");
            await socket.SendAsync(new ReadOnlyMemory<byte>([.. Encoding.ASCII.GetBytes(head), .. content]), cancellation).ConfigureAwait(false);
            using var answer = new MemoryStream();
            var buffer = new byte[64 * 1024];
            while (await socket.ReceiveAsync(buffer.AsMemory(), cancellation).ConfigureAwait(false) is > 0 and var read && answer.Length <= LargestAnswer)
            {
                answer.Write(buffer, 0, read);
            }

            var bytes = answer.ToArray();
            var end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
            return end > 12 && int.TryParse(Encoding.ASCII.GetString(bytes, 9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status)
                ? (status, bytes.AsMemory(end + 4))
                : throw new GuestException("ctl.agent", "the agent closed the connection without an answer", "see the agent's messages in the journal");
        }
        catch (SocketException exception)
        {
            throw new GuestException("ctl.agent", File.Exists(path) ? $"{path}: {exception.Message}" : $"{path}: there is no such socket", "start assay-agent.service");
        }
    }

    /// <summary>A request's members as JSON.</summary>
    public static string Body(params ReadOnlySpan<(string Name, string Value)> members)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in members)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
