using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Collateral.Upstreams;
using OcspRequest = Assay.Trust.Revocation.OcspRequest;

namespace Assay.Tests.Collateral;

/// <summary>
/// What each request gets, as the transcript proxy-requests.txt says: the ordinary ones, and those of an attacker who tries other spellings
/// of an address. ASSAY_UPDATE_GOLDEN=1 writes the file anew; the change is then seen in review.
/// </summary>
public sealed class ProxyTranscriptTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static readonly string s_file = Path.Combine(Repository.Root, "tests", "Assay.Tests", "Collateral", "Cache", "proxy-requests.txt");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_request_gets_what_the_transcript_says()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedProxy.StartAsync(
            nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, chain: nvidia.Evidence[0].Chain);
        var (found, lines) = (new StringBuilder(), await File.ReadAllLinesAsync(s_file, Cancellation));
        foreach (var line in lines)
        {
            found.Append(line.Length == 0 || line[0] == '#' ? line : $"{line.Split(" => ")[0]} => {await AnswerAsync(proxy, Filled(line.Split(" => ")[0]))}").Append('\n');
        }

        if (Environment.GetEnvironmentVariable("ASSAY_UPDATE_GOLDEN") is "1")
        {
            await File.WriteAllTextAsync(s_file, found.ToString(), Cancellation);
            return;
        }

        Assert.InRange(lines.Length, 80, 1000);
        Assert.Equal(string.Join('\n', lines) + "\n", found.ToString());
    }

    private string Filled(string request)
    {
        var query = NvidiaServices.Query(nvidia.Brom);
        // A nonce of ones brings slashes, and one of bits 1111 1011 plus signs: both have a meaning in addresses.
        var slashes = Convert.ToBase64String(OcspRequest.Encode(query.Certificate, query.Issuer, Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        var pluses = Enumerable.Range(0, 3).Select(shift => Convert.ToBase64String(OcspRequest.Encode(query.Certificate, query.Issuer, [.. Enumerable.Range(shift, 32).Select(at => (byte)((0xFBEFBE >> (16 - (8 * (at % 3)))) & 0xFF))])))
            .First(text => text.Contains("+++", StringComparison.Ordinal));
        Assert.Contains("///", slashes, StringComparison.Ordinal);
        return request.Replace("{rim}", nvidia.DriverRim.Id, StringComparison.Ordinal)
            .Replace("{slashes}", slashes, StringComparison.Ordinal).Replace("{slashes escaped}", Uri.EscapeDataString(slashes), StringComparison.Ordinal)
            .Replace("{pluses}", pluses, StringComparison.Ordinal).Replace("{pluses escaped}", Uri.EscapeDataString(pluses), StringComparison.Ordinal)
            .Replace("{long}", new string('a', 60_000), StringComparison.Ordinal).Replace("{segments}", string.Concat(Enumerable.Repeat("/a", 10_000)), StringComparison.Ordinal);
    }

    // Over a bare socket: clients of ours would tidy the address.
    private static async Task<string> AnswerAsync(ServedProxy proxy, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", new Uri(proxy.Address).Port, Cancellation);
        var stream = client.GetStream();
        var (method, target) = (request[..request.IndexOf(' ', StringComparison.Ordinal)], request[(request.IndexOf(' ', StringComparison.Ordinal) + 1)..].Trim());
        var host = method == "CONNECT" ? target : "cache:8093";
        var body = method is "POST" or "PUT" or "PATCH" ? "Content-Type: application/ocsp-request\r\nContent-Length: 3\r\n\r\nabc" : "\r\n";
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{body}"), Cancellation);
        using var answer = new MemoryStream();
        await stream.CopyToAsync(answer, Cancellation);
        var (head, content) = Encoding.UTF8.GetString(answer.ToArray()).Split("\r\n\r\n", 2) is [var before, var after] ? (before, after) : ("", "");
        var headers = head.Split("\r\n").Skip(1).Select(line => line.Split(": ", 2)).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        var status = head.Split(' ') is [_, var code, ..] ? code : "none";
        var type = headers.GetValueOrDefault("Content-Type", "no content");
        var problem = type == "application/problem+json" && content.Length > 0 ? JsonDocument.Parse(content).RootElement : (JsonElement?)null;
        return string.Join(' ', (string[])
        [
            status, problem is { } found ? found.GetProperty("type").GetString()! : type, .. content.Length > 0 || type == "no content" ? [] : new[] { "without its body" },
            .. new[] { "Allow", "x-assay-ocsp", "x-assay-cache" }.Where(headers.ContainsKey).Select(name => string.Create(CultureInfo.InvariantCulture, $"{name}={headers[name]}")),
        ]);
    }
}
