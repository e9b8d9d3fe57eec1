using System.Net;
using System.Net.Sockets;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Policy;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Attacks;

/// <summary>Bytes that no honest device or service sends end as findings and outages, never as exceptions and never as a pass.</summary>
public sealed class HostileBytesTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static readonly byte[] s_values = [0x00, 0x7F, 0x84, 0xFF];

    [Fact]
    public void A_certificate_with_any_byte_replaced_is_refused_or_harmless_to_look_at()
    {
        var meter = new OperationMeter();
        foreach (var der in new[] { nvidia.Brom.Der, nvidia.DriverRim.Signer.Der })
        {
            var copy = der.ToArray();
            for (var index = 0; index < copy.Length; index++)
            {
                var original = copy[index];
                foreach (var value in s_values)
                {
                    copy[index] = value;
                    if (Certificate.TryParse(copy, out var certificate, out _))
                    {
                        _ = (certificate.SerialNumberDecimal, certificate.ExtensionTexts.Length, certificate.KeyIdentity, certificate.Subject.ToString());
                        certificate.TryReadFwid(out var _, out var _);
                        certificate.Key.Verifies("x"u8, new byte[96], SignatureAlgorithm.EcdsaSha384, System.Security.Cryptography.DSASignatureFormat.IeeeP1363FixedFieldConcatenation, meter);
                    }
                }

                copy[index] = original;
            }
        }
    }

    [Fact]
    public void A_report_with_any_byte_replaced_never_passes_and_throws_nothing()
    {
        var expected = nvidia.Expectations with { Basis = nvidia.Expectations.Basis with { Revocation = RevocationChecking.DangerouslySkipped } };
        var cache = new VerifierCache();
        var evidence = nvidia.Evidence[0];
        var copy = evidence.Report.ToArray();
        for (var index = 0; index < copy.Length; index++)
        {
            var original = copy[index];
            copy[index] = (byte)(original ^ 0xFF);
            Assert.Null(DevicesAppraisal.Authenticate([evidence with { Report = copy }], expected, cache)[0].Device);
            copy[index] = original;
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxxx")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: ;;;\u0080\r\nContent-Length: 2\r\n\r\n{}")]
    [InlineData("HTTP/1.1 999 \u001b[2J\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Switching\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx")]
    [InlineData("HTTP/1.1 503 No\r\nRetry-After: 999999999\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 503 No\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 500 No\r\nContent-Type: text/plain; charset=utf-7\r\nContent-Length: 9\r\n\r\n\u001b[2J PASS")]
    [InlineData("HTTP/1.1 302 No\r\nLocation: http://a\u001b[2J/\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n{\"id\":")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"\\ud800\":1,\"id\":null }")]
    public async Task An_answer_that_is_no_answer_is_an_outage(string answer)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        var serving = ServeAsync(listener, Encoding.Latin1.GetBytes(answer), stop.Token);
        var address = Loopback.Addressed($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var options = Loopback.Patient;
        using var rims = new RimServiceClient(address, options);
        using var ocsp = new OcspClient(address, options);

        var rim = await rims.FetchAsync(nvidia.DriverRim.Id, TestContext.Current.CancellationToken);
        var list = await rims.ListRimsAsync(TestContext.Current.CancellationToken);
        var status = await ocsp.FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken);

        await stop.CancelAsync();
        listener.Stop();
        await serving;
        Assert.Null(rim.Bytes);
        Assert.Empty(list);
        Assert.Empty(status.Items);
        Assert.DoesNotContain(rim.WhyNot + status.WhyNot, character => char.IsControl(character));
    }

    [Fact]
    public async Task One_small_cache_under_many_threads_and_two_trust_sets_confuses_nothing()
    {
        var cache = new VerifierCache(capacity: 3);
        var real = TrustSet.Nvidia;
        await Parallel.ForEachAsync(Enumerable.Range(0, 64), TestContext.Current.CancellationToken, (number, _) =>
        {
            var basis = nvidia.Expectations.Basis with { Revocation = number % 4 < 2 ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required };
            var expected = nvidia.Expectations with { Basis = number % 2 == 0 ? basis : basis with { Trust = real } };
            var rims = nvidia.Set.Rims.Aggregate(MachineCollateral.Empty, (set, rim) => set with { Rims = set.Rims.Add(rim.Id, rim.Xml) });
            var verdict = DefaultPolicy.Decide(DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(nvidia.Evidence, expected, cache), rims, expected, cache));

            Assert.Equal((number % 4) switch { 0 => VerdictKind.Pass, 2 => VerdictKind.Incomplete, _ => VerdictKind.Fail }, verdict.Kind);
            return ValueTask.CompletedTask;
        });
    }

    private static async Task ServeAsync(TcpListener listener, byte[] answer, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(stop);
                var stream = client.GetStream();
                _ = await stream.ReadAsync(new byte[4096], stop);
                await stream.WriteAsync(answer, stop);
                client.Client.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or IOException or InvalidOperationException)
        {
            // The test is over, or the client left.
        }
    }
}
