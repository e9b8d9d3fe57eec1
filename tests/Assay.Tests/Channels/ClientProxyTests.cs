using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Assay.Cli.Channels;

namespace Assay.Tests.Channels;

/// <summary><c>assay proxy</c> before <c>assay-guest proxy</c>, each a process, with clients that know nothing of channels. What is streamed is gated on the client's receipt and on no time.</summary>
public sealed class ClientProxyTests
{
    private const string Python = """
        import http.client, sys
        connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        print(answer.status, flush=True)
        while line := answer.readline():
            print(line.decode().strip(), flush=True)
        """;

    private const string PythonTls = """
        import http.client, ssl, sys
        context = ssl.create_default_context(cafile=sys.argv[3])
        connection = http.client.HTTPSConnection(sys.argv[1], int(sys.argv[2]), context=context)
        connection.request("GET", "/stream")
        answer = connection.getresponse()
        print(answer.status, flush=True)
        while line := answer.readline():
            print(line.decode().strip(), flush=True)
        """;

    [Fact]
    public async Task Curl_gets_a_streamed_answer_line_by_line_and_calls_share_one_channel()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync(more: ["--metrics-listen", "127.0.0.1:0"]);
        var curl = Peer.Require("curl").Program;

        using (var streamed = Begin(curl, "-sN", $"{proxy.Address}stream"))
        {
            await LinesAsync(streamed, server, "one", "two", "three");
        }

        for (var call = 0; call < 3; call++)
        {
            Assert.Equal("hello\n", Peer.Require("curl").Run("-s", $"{proxy.Address}hello").Output);
        }

        Assert.Equal($"127.0.0.1:{worker.Port}", server.LastHost);
        var body = new string('x', 300_000);
        File.WriteAllText(Path.Combine(worker.Folder, "body"), body);
        Assert.Equal(body, Peer.Require("curl").Run("-s", "--data-binary", $"@{Path.Combine(worker.Folder, "body")}", $"{proxy.Address}echo").Output);
        Assert.Contains("level exporter, verdict pass, a certificate of the configured CA for worker.example", await proxy.SaidAsync("channel open"), StringComparison.Ordinal);
        var counts = (await proxy.SaidAsync("counts at ")).Split(' ')[^1];
        var metrics = Peer.Require("curl").Run("-s", counts).Output;
        Assert.Contains("\nassay_proxy_channels_opened_total 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nassay_proxy_channels 1\n", metrics, StringComparison.Ordinal);
        Assert.Matches(@"\nassay_proxy_received_bytes_total 3\d{5}\n", metrics);

        await proxy.SignalAsync("TERM");
        Assert.Equal(0, await proxy.EndAsync());
    }

    [Fact]
    public async Task Python_and_events_and_a_web_socket_pass_unbuffered()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync();

        using (var python = Begin("/usr/bin/python3", "-c", Python, proxy.Address.Host, $"{proxy.Address.Port}"))
        {
            Assert.Equal("200", await python.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            await LinesAsync(python, server, "one", "two", "three");
        }

        using var client = new HttpClient { BaseAddress = proxy.Address };
        // The headers are here before there is an event.
        using var answer = await client.GetAsync("events", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        foreach (var word in (string[])["one", "two", "three"])
        {
            server.Continue();
            Assert.Equal($"data: {word}", await events.ReadLineAsync(TestContext.Current.CancellationToken));
            Assert.Equal("", await events.ReadLineAsync(TestContext.Current.CancellationToken));
        }

        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{proxy.Address.Authority}/socket"), TestContext.Current.CancellationToken);
        foreach (var word in (string[])["first", "second"])
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(word), WebSocketMessageType.Text, endOfMessage: true, TestContext.Current.CancellationToken);
            var buffer = new byte[64];
            var received = await socket.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            Assert.Equal(word, Encoding.ASCII.GetString(buffer, 0, received.Count));
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Raw_bytes_pass_so_that_Pythons_ssl_reaches_a_TLS_server_inside_the_channel()
    {
        using var authority = ChannelWorld.Authority("the inner server");
        using var certificate = Leaf(authority);
        await using var server = await StreamingServer.StartAsync(certificate);
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync(isTcp: true);
        var roots = Path.Combine(worker.Folder, "inner.pem");
        File.WriteAllText(roots, authority.ExportCertificatePem());

        using var python = Begin("/usr/bin/python3", "-c", PythonTls, "127.0.0.1", $"{proxy.Address.Port}", roots);
        Assert.Equal("200", await python.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        await LinesAsync(python, server, "one", "two", "three");
    }

    [Fact]
    public async Task A_policy_that_is_read_again_counts_for_new_channels_and_open_streams_go_on()
    {
        await using var server = await StreamingServer.StartAsync();
        await using var worker = await ProxiedWorker.StartAsync(server.Port);
        using var proxy = await worker.ProxyAsync();
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var answer = await client.GetAsync("stream", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.Equal("one", await lines.ReadLineAsync(TestContext.Current.CancellationToken));

        worker.Files.Policy("channel.yaml", ProxiedWorker.Others);
        await proxy.SignalAsync("HUP");
        await proxy.SaidAsync("was read again");
        using var refused = await client.GetAsync("hello", TestContext.Current.CancellationToken);
        Assert.Equal("urn:assay:channel.operator.ca", await ProblemAsync(refused));

        File.WriteAllText(worker.Policy, "version: 1\npurpose: inference\n");
        await proxy.SignalAsync("HUP");
        await proxy.SaidAsync("channel.policy.kept");
        using var still = await client.GetAsync("hello", TestContext.Current.CancellationToken);
        Assert.Equal("urn:assay:channel.operator.ca", await ProblemAsync(still));

        worker.Files.Policy("channel.yaml", ProxiedWorker.Ours);
        await proxy.SignalAsync("HUP");
        await proxy.SaidAsync("new channels take level exporter, purpose inference, a certificate of operator.pem");
        Assert.Equal("hello\n", await client.GetStringAsync("hello", TestContext.Current.CancellationToken));

        server.Continue();
        Assert.Equal("two", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
        server.Continue();
        Assert.Equal("three", await lines.ReadLineAsync(TestContext.Current.CancellationToken));
        server.Continue();
        Assert.Null(await lines.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_channel_that_is_refused_is_answered_by_its_id_and_no_byte_of_the_request_arrives()
    {
        await using var sink = new Sink();
        await using var worker = await ProxiedWorker.StartAsync(sink.Port);
        using var proxy = await worker.ProxyAsync(worker.Files.Policy("others.yaml", ProxiedWorker.Others));
        using var tcp = await worker.ProxyAsync(worker.Files.Policy("purpose.yaml", ProxiedWorker.Ours, purpose: "training"), isTcp: true);
        using var client = new HttpClient { BaseAddress = proxy.Address };

        using var answer = await client.PostAsync("secret", new StringContent("the secret"), TestContext.Current.CancellationToken);
        Assert.Equal("urn:assay:channel.operator.ca", await ProblemAsync(answer));

        using var raw = new TcpClient();
        await raw.ConnectAsync(IPAddress.Loopback, tcp.Address.Port, TestContext.Current.CancellationToken);
        await raw.GetStream().WriteAsync("the secret"u8.ToArray(), TestContext.Current.CancellationToken);
        await tcp.SaidAsync("channel.purpose");
        Assert.Equal(0, await EndOfAsync(raw.GetStream()));
        Assert.Equal(0, sink.Bytes);
    }

    [Fact]
    public async Task An_ordinary_server_and_one_that_is_not_there_get_nothing()
    {
        await using var sink = new Sink();
        await using var worker = await ProxiedWorker.StartAsync(sink.Port);
        var gone = ProxiedWorker.FreePort();
        using var proxy = await RunningProxy.StartAsync(["proxy", "--listen", "127.0.0.1:0", "--upstream", $"https://127.0.0.1:{gone}", "--policy", worker.Policy]);
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var answer = await client.GetAsync("secret", TestContext.Current.CancellationToken);
        Assert.Equal("urn:assay:channel.connection", await ProblemAsync(answer));

        // A page in a browser whose name leads to loopback.
        using var request = new HttpRequestMessage(HttpMethod.Get, "secret") { Headers = { Host = "attacker.example" } };
        using var rebound = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MisdirectedRequest, rebound.StatusCode);
        Assert.Equal(0, sink.Bytes);
    }

    private static async Task LinesAsync(Process process, StreamingServer server, params string[] words)
    {
        foreach (var word in words)
        {
            Assert.Equal(word, await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            server.Continue();
        }

        Assert.Null(await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, process.ExitCode);
    }

    private static Process Begin(string program, params string[] words) => Process.Start(new ProcessStartInfo(program, words) { RedirectStandardOutput = true })!;

    private static async Task<string?> ProblemAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(502, problem.RootElement.GetProperty("status").GetInt32());
        return problem.RootElement.GetProperty("type").GetString();
    }

    private static async Task<int> EndOfAsync(Stream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // Closed with bytes of ours unread.
            return 0;
        }
    }

    [Fact]
    public void The_counts_are_in_the_form_that_Prometheus_reads()
    {
        var counts = new ProxyCounts();
        counts.CountOpened();
        counts.CountRefused("channel.verdict");
        counts.CountReload(isTaken: false);
        var metrics = counts.Metrics();
        Assert.Contains("assay_proxy_channels_refused_total{id=\"channel.verdict\"} 1\n", metrics, StringComparison.Ordinal);
        using var process = Process.Start(new ProcessStartInfo(Peer.Require("promtool").Program, ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(metrics);
        process.StandardInput.Close();
        var said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, said);
    }

    private static X509Certificate2 Leaf(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=inner", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var now = TimeProvider.System.GetUtcNow();
        using var issued = request.Create(authority, now.AddMinutes(-5), now.AddHours(1), [1, 2, 3]);
        return issued.CopyWithPrivateKey(key);
    }

    /// <summary>A server that counts what it gets.</summary>
    private sealed class Sink : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _ending = new();
        private readonly Task _accepting;
        private long _bytes;

        public Sink()
        {
            _listener.Start();
            _accepting = AcceptAsync();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        /// <summary>And connections, each as a byte.</summary>
        public long Bytes => Interlocked.Read(ref _bytes);

        public async ValueTask DisposeAsync()
        {
            await _ending.CancelAsync();
            await _accepting;
            _listener.Dispose();
            _ending.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync(_ending.Token);
                    Interlocked.Increment(ref _bytes);
                    var buffer = new byte[1024];
                    while (await client.GetStream().ReadAsync(buffer, _ending.Token) is > 0 and var read)
                    {
                        Interlocked.Add(ref _bytes, read);
                    }
                }
            }
            catch (OperationCanceledException)
            {
                // It ends.
            }
        }
    }
}
