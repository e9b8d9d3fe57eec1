using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Assay.Guest.Agent;

/// <summary>A request as the agent understands it.</summary>
/// <param name="Path">Without a query, which no method takes.</param>
/// <param name="Body">Empty where there is none.</param>
internal sealed record HttpRequest(string Path, ReadOnlyMemory<byte> Body);

/// <summary>An answer.</summary>
/// <param name="Status">Of RFC 9110.</param>
/// <param name="Type">Of the body.</param>
/// <param name="Body">Its bytes.</param>
internal sealed record HttpAnswer(int Status, string Type, byte[] Body);

/// <summary>
/// The part of HTTP/1.1 that a local agent needs (RFC 9112): one request in a connection, a body by Content-Length, everything within limits. A web
/// server would be larger than all the rest of the guest, and all of the guest is measured.
/// </summary>
internal static class HttpMessage
{
    public const int LargestHead = 8 * 1024;
    public const int LargestBody = 16 * 1024;
    private const int MostHeaders = 64;

    /// <summary>Reads one request. Null, with the status to answer, where it is no request that is understood.</summary>
    public static async Task<(HttpRequest? Request, int Refused)> ReadAsync(Socket socket, CancellationToken cancellation)
    {
        var buffer = new byte[LargestHead + LargestBody];
        var (length, head) = (0, -1);
        while (head < 0)
        {
            if (length >= LargestHead)
            {
                return (null, 431);
            }

            var read = await socket.ReceiveAsync(buffer.AsMemory(length, LargestHead - length), cancellation).ConfigureAwait(false);
            if (read == 0)
            {
                return (null, 400);
            }

            length += read;
            head = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        }

        if (ReadHead(Encoding.Latin1.GetString(buffer, 0, head), out var path, out var size) is var refused && refused != 0)
        {
            return (null, refused);
        }

        var begin = head + 4;
        if (length - begin > size)
        {
            // A second request, or bytes that nobody announced.
            return (null, 400);
        }

        while (length - begin < size)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length, size - (length - begin)), cancellation).ConfigureAwait(false);
            if (read == 0)
            {
                return (null, 400);
            }

            length += read;
        }

        return (new HttpRequest(path, buffer.AsMemory(begin, size)), 0);
    }

    public static byte[] Write(HttpAnswer answer)
    {
        var head = string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {answer.Status} {Reason(answer.Status)}\r\nContent-Type: {answer.Type}\r\nContent-Length: {answer.Body.Length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
        return [.. Encoding.ASCII.GetBytes(head), .. answer.Body];
    }

    private static int ReadHead(string head, out string path, out int size)
    {
        (path, size) = ("", 0);
        var lines = head.Split("\r\n");
        if (lines[0].Split(' ') is not [var method, ['/', ..] target, "HTTP/1.1" or "HTTP/1.0"] || lines.Length > MostHeaders + 1 || target.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            return 400;
        }

        path = target;
        var seen = false;
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1 || line[..colon].AsSpan().ContainsAny(' ', '\t'))
            {
                return 400;
            }

            var (name, value) = (line[..colon].ToLowerInvariant(), line[(colon + 1)..].Trim(' ', '\t'));
            if (name is "transfer-encoding" or "upgrade" or "expect")
            {
                return 501;
            }

            if (name is "content-length")
            {
                if (seen || value.Length is 0 or > 9 || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out size))
                {
                    return 400;
                }

                seen = true;
            }
        }

        return method is not ("GET" or "POST") ? 405 : size > LargestBody ? 413 : 0;
    }

    private static string Reason(int status) => status switch
    {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Error",
    };
}
