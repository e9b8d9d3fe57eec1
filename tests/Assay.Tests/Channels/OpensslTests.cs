using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Tests.Channels;

/// <summary>The TLS of channels against openssl's own programs: exporters agree, bytes pass, and nothing is resumed.</summary>
public sealed partial class OpensslTests : IDisposable
{
    private const string Label = "EXPORTER-assay-channel-v1-server";
    private const int Bulk = 2 * 1024 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-openssl-").FullName;
    private readonly ChannelIdentities _identities = new(new ChannelIdentityOptions { Purpose = "inference", Epoch = RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize), Evidence = new NoEvidence(), Names = ["localhost"] });
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _port = FreePort();

    public OpensslTests() => _listener.Start();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Address => $"{_listener.LocalEndpoint}";

    public void Dispose()
    {
        _listener.Dispose();
        _identities.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task A_client_of_openssl_exports_what_the_managed_server_exports(string suite)
    {
        await using var client = Client("-ciphersuites", suite, "-keymatexport", Label, "-keymatexportlen", "48");
        await using var server = (ManagedTlsEnd)await AcceptAsync(managed: true);
        // What it says about the handshake, it says before what it reads.
        await server.Stream.WriteAsync("~~~"u8.ToArray(), Cancellation);
        var printed = await client.WaitForAsync("~~~");

        Assert.Contains($"New, TLSv1.3, Cipher is {suite}", printed, StringComparison.Ordinal);
        Assert.Contains($"ALPN protocol: {ChannelMessage.Protocol}", printed, StringComparison.Ordinal);
        Assert.True(server.SpeaksChannel);
        // RFC 8446 §7.5: no context, and an empty one, are the same. openssl's option gives none.
        Assert.Equal(KeyingMaterial(printed), Convert.ToHexString(server.Export(Label, [], 48)));
        Assert.NotEqual(KeyingMaterial(printed), Convert.ToHexString(server.Export("EXPORTER-assay-channel-v1-client", [], 48)));
        Assert.NotEqual(KeyingMaterial(printed), Convert.ToHexString(server.Export(Label, new byte[32], 48)));
    }

    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task A_server_of_openssl_exports_what_the_managed_client_exports(string suite)
    {
        await using var server = await ServerAsync("-ciphersuites", suite, "-keymatexport", Label, "-keymatexportlen", "48");
        await using var client = await ConnectAsync(server);
        var printed = await server.WaitForAsync("Keying material: ");
        printed = await server.WaitForAsync("Secure Renegotiation IS");

        Assert.Contains($"CIPHER is {suite}", printed, StringComparison.Ordinal);
        Assert.True(client.SpeaksChannel);
        Assert.Equal(KeyingMaterial(printed), Convert.ToHexString(client.Export(Label, [], 48)));
    }

    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task Two_mebibytes_pass_both_ways_between_a_client_of_openssl_and_the_managed_server(string suite)
    {
        await using var client = Client("-quiet", "-ciphersuites", suite);
        await using var server = await AcceptAsync(managed: true);

        await ExchangeAsync(client, server.Stream);
    }

    [Theory]
    [InlineData("TLS_AES_256_GCM_SHA384")]
    [InlineData("TLS_AES_128_GCM_SHA256")]
    public async Task Two_mebibytes_pass_both_ways_between_a_server_of_openssl_and_the_managed_client(string suite)
    {
        await using var server = await ServerAsync("-quiet", "-ciphersuites", suite);
        await using var client = await ConnectAsync(server);

        await ExchangeAsync(server, client.Stream);
    }

    [Fact]
    public async Task Keys_that_openssl_updates_in_the_middle_are_updated_here_too_and_answered()
    {
        var log = Path.Combine(_folder, "messages");
        await using var client = Client("-msg", "-msgfile", log);
        await using var server = await AcceptAsync(managed: true);
        var toClient = server.Stream.WriteAsync(Filled('~'), Cancellation).AsTask();
        await client.Input.WriteAsync(Filled('a'), Cancellation);
        Assert.Equal(Filled('a'), await ReadAsync(server.Stream, Bulk));

        // openssl takes a line "K" as a command where nothing else is read with it: all before it has come, and the next waits for it. K asks for new keys of this end too, k does not.
        foreach (var (command, number) in new[] { ("K\n", 1), ("k\n", 2), ("K\n", 3) })
        {
            await client.Input.WriteAsync(Encoding.ASCII.GetBytes(command), Cancellation);
            await client.Input.FlushAsync(Cancellation);
            while (Count(client.Error, "KEYUPDATE") < number)
            {
                await Task.Delay(10, Cancellation);
            }

            await client.Input.WriteAsync(Filled('b'), Cancellation);
            Assert.Equal(Filled('b'), await ReadAsync(server.Stream, Bulk));
            await toClient;
            toClient = server.Stream.WriteAsync(Filled('~'), Cancellation).AsTask();
        }

        await toClient;
        await server.DisposeAsync();
        await client.EndAsync();
        Assert.Equal(4 * Bulk, client.Output.Count(letter => letter == '~'));
        var messages = File.ReadAllText(log);
        Assert.Equal(3, Count(messages, ">>> TLS 1.3, Handshake [length 0005], KeyUpdate"));
        Assert.Equal(2, Count(messages, "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_knows_only_TLS_1_2_is_refused(bool managed)
    {
        await using var client = OpensslProcess.Start("s_client", "-connect", Address, "-tls1_2", "-alpn", ChannelMessage.Protocol);

        var refused = await Assert.ThrowsAsync<ChannelException>(() => AcceptAsync(managed));
        Assert.Equal("channel.tls", refused.Id);
        Assert.NotEqual(0, await client.EndAsync());
        Assert.Contains("New, (NONE), Cipher is (NONE)", client.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_managed_server_gives_no_ticket_and_resumes_no_ticket_of_others()
    {
        var own = Path.Combine(_folder, "own.pem");
        Assert.DoesNotContain("NewSessionTicket", await HandshakeAsync(managed: true, "-sess_out", own), StringComparison.Ordinal);
        Assert.False(File.Exists(own));

        var others = await TicketOfOpensslAsync();
        var printed = await HandshakeAsync(managed: true, "-sess_in", others);
        Assert.Contains("New, TLSv1.3", printed, StringComparison.Ordinal);
        Assert.DoesNotContain("Reused", printed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_platforms_server_resumes_neither_its_own_tickets_nor_those_of_others()
    {
        var own = Path.Combine(_folder, "own.pem");
        await HandshakeAsync(managed: false, "-sess_out", own);
        foreach (var ticket in new[] { own, await TicketOfOpensslAsync() }.Where(File.Exists))
        {
            var printed = await HandshakeAsync(managed: false, "-sess_in", ticket);
            Assert.Contains("New, TLSv1.3", printed, StringComparison.Ordinal);
            Assert.DoesNotContain("Reused", printed, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_platforms_client_and_the_managed_server_open_a_channel_at_the_level_of_the_challenge()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy(ChannelLevel.Challenge)), world.Server(ChannelLevel.Exporter, lowest: ChannelLevel.Challenge));
        await using (client)
        await using (server)
        {
            Assert.Equal(ChannelLevel.Challenge, client.Peer!.Level);
            Assert.Contains("channel-level-challenge", client.Peer.Weakened);
            var reading = ReadAsync(server.Stream, Bulk);
            await client.Stream.WriteAsync(Filled('c'), Cancellation);
            Assert.Equal(Filled('c'), await reading);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static byte[] Filled(char letter)
    {
        var bytes = new byte[Bulk];
        bytes.AsSpan().Fill((byte)letter);
        return bytes;
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static string KeyingMaterial(string printed) => Material().Match(printed) is { Success: true } found ? found.Groups[1].Value : throw new FormatException(printed);

    private static async Task<byte[]> ReadAsync(Stream stream, int size)
    {
        var bytes = new byte[size];
        await stream.ReadExactlyAsync(bytes, Cancellation);
        return bytes;
    }

    // Both ways at once, in bytes of every value: with -quiet nothing of its input is a command, and nothing is in its output but what came.
    private static async Task ExchangeAsync(OpensslProcess openssl, Stream managed)
    {
        var (there, back) = (RandomNumberGenerator.GetBytes(Bulk), RandomNumberGenerator.GetBytes(Bulk));
        var writing = managed.WriteAsync(back, Cancellation).AsTask();
        var reading = ReadAsync(managed, Bulk);
        await openssl.Input.WriteAsync(there, Cancellation);
        await openssl.Input.FlushAsync(Cancellation);
        Assert.Equal(there, await reading);
        await writing;
        await managed.DisposeAsync();
        await openssl.EndAsync();
        Assert.Equal(back, Encoding.Latin1.GetBytes(openssl.Output));
    }

    private OpensslProcess Client(params string[] more) => OpensslProcess.Start(["s_client", "-connect", Address, "-tls1_3", "-alpn", ChannelMessage.Protocol, .. more]);

    private async Task<OpensslProcess> ServerAsync(params string[] more)
    {
        var identity = await _identities.CurrentAsync(Cancellation);
        await File.WriteAllTextAsync(Path.Combine(_folder, "key.pem"), identity.Key.ExportPkcs8PrivateKeyPem(), Cancellation);
        await File.WriteAllTextAsync(Path.Combine(_folder, "leaf.pem"), PemEncoding.WriteString("CERTIFICATE", identity.Chain[0]), Cancellation);
        return OpensslProcess.Start(["s_server", "-accept", $"127.0.0.1:{_port}", "-naccept", "1", "-tls1_3", "-alpn", ChannelMessage.Protocol, "-cert", Path.Combine(_folder, "leaf.pem"), "-key", Path.Combine(_folder, "key.pem"), .. more]);
    }

    private async Task<TlsEnd> AcceptAsync(bool managed)
    {
        var socket = await _listener.AcceptSocketAsync(Cancellation);
        var (transport, own) = (new NetworkStream(socket, ownsSocket: true), await _identities.CurrentAsync(Cancellation));
        return managed ? await ManagedTlsEnd.AcceptAsync(transport, own, null, Cancellation) : await SslStreamEnd.AcceptAsync(transport, own, null, Cancellation);
    }

    // With -quiet it does not say that it listens: until it does, connections are refused.
    private async Task<ManagedTlsEnd> ConnectAsync(OpensslProcess server)
    {
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, _port, Cancellation);
                return await ManagedTlsEnd.ConnectAsync(new NetworkStream(socket, ownsSocket: true), "localhost", _ => { }, null, Cancellation);
            }
            catch (SocketException)
            {
                socket.Dispose();
                Assert.False(server.HasEnded, server.Error);
                await Task.Delay(20, Cancellation);
            }
        }
    }

    // One whole connection: a byte each way, so that what follows the handshake has come.
    private async Task<string> HandshakeAsync(bool managed, params string[] more)
    {
        await using var client = Client(["-msg", .. more]);
        var accepting = AcceptAsync(managed);
        Assert.True(await Task.WhenAny(accepting, client.EndAsync()) == accepting, client.Error);
        await using var server = await accepting;
        await server.Stream.WriteAsync("~~~"u8.ToArray(), Cancellation);
        await client.WaitForAsync("~~~");
        await server.DisposeAsync();
        await client.EndAsync();
        return client.Output;
    }

    private async Task<string> TicketOfOpensslAsync()
    {
        var file = Path.Combine(_folder, "others.pem");
        await using var server = await ServerAsync();
        await server.WaitForAsync("ACCEPT");
        await using var client = OpensslProcess.Start("s_client", "-connect", $"127.0.0.1:{_port}", "-tls1_3", "-alpn", ChannelMessage.Protocol, "-sess_out", file);
        // What it says about the ticket stays in its buffer until it ends: the file is there first.
        while (!File.Exists(file) || !(await File.ReadAllTextAsync(file, Cancellation)).Contains("END SSL SESSION", StringComparison.Ordinal))
        {
            Assert.False(client.HasEnded, client.Error);
            await Task.Delay(20, Cancellation);
        }

        await client.Input.WriteAsync("Q\n"u8.ToArray(), Cancellation);
        await client.Input.FlushAsync(Cancellation);
        await client.EndAsync();
        Assert.Contains("TLS session ticket:", client.Output, StringComparison.Ordinal);
        return file;
    }

    [GeneratedRegex("Keying material: ([0-9A-F]{96})\r?\n")]
    private static partial Regex Material();

    private sealed class NoEvidence : IChannelEvidenceSource
    {
        public Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation) => throw new NotSupportedException("none is asked for here");
    }
}
