using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Assay.Tests.Channels;

/// <summary>What a server or a page in a browser might do to lead a client out of the channel, or a page into it.</summary>
public sealed class ProxyBoundaryTests
{
    [Fact]
    public async Task A_redirect_to_the_servers_own_name_stays_inside_and_one_elsewhere_is_refused()
    {
        await using var server = new OneAnswer();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync();
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = proxy.Address };
        var own = $"http://127.0.0.1:{worker.Port}";
        foreach (var (location, expected) in new[] { ($"{own}/v1/chat/?a=b", "/v1/chat/?a=b"), ("/v1/chat/", "/v1/chat/"), ("chat/", "chat/") })
        {
            server.Answer = $"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n";
            using var answer = await client.PostAsync(new Uri("v1/chat", UriKind.Relative), new StringContent("the prompt"), TestContext.Current.CancellationToken);
            Assert.Equal((HttpStatusCode.TemporaryRedirect, expected), (answer.StatusCode, answer.Headers.Location!.OriginalString));
        }

        foreach (var location in new[] { "http://elsewhere.example/", "//elsewhere.example/x", "https://127.0.0.1:1/", "javascript:alert(1)" })
        {
            server.Answer = $"HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n";
            using var answer = await client.GetAsync(new Uri("v1/chat", UriKind.Relative), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
            Assert.Null(answer.Headers.Location);
            Assert.Contains("urn:assay:channel.redirect", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("Origin", "http://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Sec-Fetch-Site", "cross-site")]
    [InlineData("Sec-Fetch-Site", "same-site")]
    [InlineData("Host", "evil.example")]
    public async Task A_page_of_another_origin_gets_nothing(string header, string value)
    {
        await using var server = new OneAnswer();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync();
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var request = new HttpRequestMessage(HttpMethod.Get, "hello");
        request.Headers.TryAddWithoutValidation(header, value);

        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.MisdirectedRequest, answer.StatusCode);
        Assert.Equal(0, server.Asked);
    }

    /// <summary>A server that gives one answer to everything.</summary>
    private sealed class OneAnswer : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _asked;

        public OneAnswer()
        {
            _listener.Start();
            _ = Task.Run(AcceptAsync);
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Asked => Volatile.Read(ref _asked);

        public string Answer { get; set; } = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

        public ValueTask DisposeAsync()
        {
            _listener.Dispose();
            return default;
        }

        private async Task AcceptAsync()
        {
            while (true)
            {
                var accepted = await _listener.AcceptTcpClientAsync();
                _ = Task.Run(async () =>
                {
                    using (accepted)
                    {
                        var (stream, buffer) = (accepted.GetStream(), new byte[4096]);
                        while (await stream.ReadAsync(buffer) is > 0 and var read)
                        {
                            // A head, whose body may come in a piece of its own.
                            if (Encoding.ASCII.GetString(buffer, 0, read).Contains("HTTP/1.1", StringComparison.Ordinal))
                            {
                                Interlocked.Increment(ref _asked);
                                await stream.WriteAsync(Encoding.ASCII.GetBytes(Answer));
                            }
                        }
                    }
                });
            }
        }
    }
}
