using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Assay.Collateral.Upstreams;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>The proxy answered 500 to a chunk whose size does not fit 32 bits, and took a request with two lengths.</summary>
public sealed class Bug0114_MalformedBodiesTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private const string Chunked = "Transfer-Encoding: chunked\r\n";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Bodies
    {
        get
        {
            var bodies = new (string Body, string Statuses)[]
            {
                (Chunked + "\r\nffffffff\r\n", "400"),
                (Chunked + "\r\nffffffffffffffffffffffff\r\n", "400"),
                (Chunked + "\r\n80000000\r\n", "400"),
                (Chunked + "\r\nzz\r\n", "400"),
                (Chunked + "\r\n-1\r\n", "400"),
                (Chunked + "\r\n\r\n", "400"),
                (Chunked + "\r\n3\r\nabcXX0\r\n\r\n", "400"),
                (Chunked + "\r\n0\r\nno trailer\r\n\r\n", "400"),
                (Chunked + $"\r\n3;{new string('a', 100_000)}\r\nabc\r\n0\r\n\r\n", "400 413"),
                (Chunked + "Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "400"),
                ("Content-Length: 3\r\n" + Chunked + "\r\n3\r\nabc\r\n0\r\n\r\n", "400"),
                (Chunked + "Content-Length: 0\r\n\r\n0\r\n\r\n", "400"),
                ("Transfer-Encoding: gzip\r\n\r\nabc", "400 501"),
                ("Content-Length: 99999999999999999999\r\n\r\nabc", "400 413"),
                ("Content-Length: -1\r\n\r\n", "400"),
                ("Content-Length: 1e3\r\n\r\n", "400"),
                ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
                ("Content-Length: 9999999\r\n\r\nabc", "400 413"),
            };
            var data = new TheoryData<string, string, string>();
            foreach (var request in (string[])["POST /ocsp HTTP/1.1\r\nContent-Type: application/ocsp-request", "POST /v1/chains HTTP/1.1"])
            {
                foreach (var (body, statuses) in bodies)
                {
                    data.Add(request, body, statuses);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_malformed_body_is_the_senders_error(string request, string body, string statuses)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);

        var status = await StatusAsync(proxy, $"{request}\r\nHost: a\r\n{body}");

        Assert.Contains(status, statuses.Split(' '));
        Assert.Empty(upstream.Requests);
    }

    [Theory]
    [InlineData("GET /v1/collateral HTTP/1.1")]
    [InlineData("GET /healthz HTTP/1.1")]
    [InlineData("GET /v1/rim/ids HTTP/1.1")]
    [InlineData("PUT / HTTP/1.1")]
    public async Task Two_lengths_are_refused_wherever_they_are_sent_and_nothing_behind_them_is_a_request(string request)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);

        var answer = await AnswerAsync(proxy, $"{request}\r\nHost: a\r\nContent-Length: 5\r\n{Chunked}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", toTheEnd: true);

        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Equal(1, answer.Split("HTTP/1.1 ").Length - 1);
    }

    [Fact]
    public async Task A_body_in_chunks_is_read_as_ever()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);

        Assert.Equal("200", await StatusAsync(proxy, $"POST /ocsp HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nConnection: close\r\n{Chunked}\r\n3\r\nabc\r\n0\r\n\r\n"));
    }

    private static async Task<string> StatusAsync(ServedProxy proxy, string request) => (await AnswerAsync(proxy, request)).Split(' ') is [_, var status, ..] ? status : "none";

    /// <param name="proxy">Who is asked.</param>
    /// <param name="request">What is sent.</param>
    /// <param name="toTheEnd">Whether all is read until it closes, or the head of the first answer.</param>
    private static async Task<string> AnswerAsync(ServedProxy proxy, string request, bool toTheEnd = false)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", int.Parse(proxy.Address.Split(':')[^1], CultureInfo.InvariantCulture), Cancellation);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Cancellation);
        var answer = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while ((toTheEnd || !answer.ToString().Contains("\r\n\r\n", StringComparison.Ordinal)) && await stream.ReadAsync(buffer, Cancellation) is > 0 and var read)
            {
                answer.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        catch (IOException) when (answer.Length > 0)
        {
            // It answers before it has read everything, and closes.
        }

        return answer.ToString();
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, chain: nvidia.Evidence[0].Chain);
}
