using System.Net;
using System.Net.Sockets;
using System.Text;
using Assay.Collateral.Upstreams;
using Assay.Trust.Revocation;

namespace Assay.Tests.Collateral;

/// <summary>
/// Requests as clients send them that cannot run here, replayed byte by byte from their sources: NVIDIA's attestation SDKs (libcurl and
/// Python's requests), dstack's guests, which run NVIDIA's, and tools that ask AMD's KDS. That their answers are then accepted, nobody saw.
/// </summary>
public sealed class ClientShapeTests(NvidiaServices nvidia, ProcessorServices processors) : IClassFixture<NvidiaServices>, IClassFixture<ProcessorServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Client, path, and the headers that it adds.</summary>
    public static TheoryData<string, string, string> Ocsp => new()
    {
        { "attestation SDK 2.x, NVAT_OCSP_BASE_URL=…/ocsp", "/ocsp", "User-Agent: nv-attestation-sdk/1.2.2\r\nContent-Type: application/ocsp-request\r\nAccept: application/ocsp-response\r\n" },
        { "with a service key", "/ocsp", "User-Agent: nv-attestation-sdk/1.2.2\r\nContent-Type: application/ocsp-request\r\nAccept: application/ocsp-response\r\nAuthorization: Bearer secret\r\n" },
        { "base address without a path", "/", "Content-Type: application/ocsp-request\r\nAccept: application/ocsp-response\r\n" },
        { "nvtrust, Python's requests", "/ocsp", "User-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Type: application/ocsp-request\r\n" },
        { "libcurl of a large body", "/ocsp", "Content-Type: application/ocsp-request\r\nExpect: 100-continue\r\n" },
    };

    public static TheoryData<string, string, string> Rim => new()
    {
        { "attestation SDK 2.x", "/v1/rim/ID", "User-Agent: nv-attestation-sdk/1.2.2\r\nAccept: */*\r\n" },
        { "nvtrust, NV_RIM_URL=…/v1/rim/", "/v1/rim/ID", "Accept-Encoding: identity\r\nUser-Agent: Python-urllib/3.11\r\nConnection: close\r\n" },
        { "with an empty key", "/v1/rim/ID", "Authorization: Bearer \r\nAccept-Encoding: gzip, br\r\n" },
    };

    /// <summary>How tools write levels: padded to two digits, or not.</summary>
    public static TheoryData<string> Kds => ["blSPL=04&teeSPL=01&snpSPL=24&ucodeSPL=213", "blSPL=4&teeSPL=1&snpSPL=24&ucodeSPL=213", "teeSPL=1&blSPL=4&ucodeSPL=213&snpSPL=24"];

    [Theory]
    [MemberData(nameof(Ocsp))]
    public async Task A_replayed_OCSP_request_with_a_nonce_gets_a_verified_answer(string client, string path, string headers)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);
        var query = NvidiaServices.Query(nvidia.Brom);
        var body = OcspRequest.Encode(query.Certificate, query.Issuer, new byte[32]);

        var (status, answer) = await ReplayAsync(proxy, $"POST {path} HTTP/1.1\r\nHost: cache:8093\r\n{headers}Content-Length: {body.Length}\r\n\r\n", body);

        Assert.True(status == 200, $"{client}: {status}");
        Assert.True(OcspResponse.TryParse(answer, out var response, out var fault), fault?.ToString());
        Assert.Equal(OcspResponseStatus.Successful, response.Status);
    }

    [Theory]
    [MemberData(nameof(Rim))]
    public async Task A_replayed_request_for_a_manifest_gets_it_or_is_told_that_there_is_none(string client, string path, string headers)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream);

        var (status, answer) = await ReplayAsync(proxy, $"GET {path.Replace("ID", nvidia.DriverRim.Id, StringComparison.Ordinal)} HTTP/1.1\r\nHost: cache:8093\r\n{headers}\r\n", []);
        var (none, message) = await ReplayAsync(proxy, $"GET {path.Replace("ID", "NV_GPU_DRIVER_GH100_1.2.3", StringComparison.Ordinal)} HTTP/1.1\r\nHost: cache:8093\r\n{headers}\r\n", []);

        Assert.True(status == 200, $"{client}: {status}");
        Assert.Equal(nvidia.DriverRim.Xml.ToArray(), System.Text.Json.JsonDocument.Parse(answer).RootElement.GetProperty("rim").GetBytesFromBase64());
        Assert.Equal((404, """{"message":"RIM_NOT_FOUND"}"""), (none, Encoding.UTF8.GetString(message)));
    }

    [Theory]
    [MemberData(nameof(Kds))]
    public async Task A_replayed_request_for_a_chips_key_gets_it(string query)
    {
        await using var upstream = await processors.UpstreamAsync();
        await using var proxy = await processors.ServedAsync(upstream);

        var (status, answer) = await ReplayAsync(proxy, $"GET /vcek/v1/Milan/{processors.Milan.ChipId}?{query} HTTP/1.1\r\nHost: cache:8093\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n", []);

        Assert.Equal(200, status);
        Assert.Equal(processors.Milan.Certificates[^1], answer);
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, chain: nvidia.Evidence[0].Chain);

    // Over a bare socket, so that no library of ours rewrites what the client sent.
    private static async Task<(int Status, byte[] Body)> ReplayAsync(ServedProxy proxy, string head, byte[] body)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(proxy.Address).Port, Cancellation);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), Cancellation);
        var (status, length) = (0, 0);
        if (head.Contains("100-continue", StringComparison.Ordinal))
        {
            (status, _) = await HeadAsync(stream);
            Assert.Equal(100, status);
        }

        await stream.WriteAsync(body, Cancellation);
        (status, length) = await HeadAsync(stream);
        var answer = new byte[length];
        await stream.ReadExactlyAsync(answer, Cancellation);
        return (status, answer);
    }

    private static async Task<(int Status, int Length)> HeadAsync(NetworkStream stream)
    {
        var (text, octet) = (new StringBuilder(), new byte[1]);
        while (!text.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(octet, Cancellation);
            text.Append((char)octet[0]);
        }

        var lines = text.ToString().Split("\r\n");
        var length = lines.FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))?.Split(':')[1] ?? "0";
        return (int.Parse(lines[0].Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture), int.Parse(length, System.Globalization.CultureInfo.InvariantCulture));
    }
}
