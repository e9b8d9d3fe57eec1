using System.Text;
using System.Text.Json;
using Assay.Collateral.Upstreams;
using Assay.Trust;

namespace Assay.Tests.Collateral;

/// <summary>
/// Between a responder of others and a client of others: openssl answers about certificates that openssl made, and GnuTLS' ocsptool asks the
/// proxy before it. (GnuTLS cannot read the simulator's certificates: the number in the name of their mark is longer than it knows.)
/// </summary>
public sealed class OcspResponderPeerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-responder-").FullName;
    private readonly Peer _openssl = Peer.Require("openssl");
    private readonly Peer _ocsptool = Peer.Require("ocsptool");
    private int _asked;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Ocsptool_verifies_through_the_proxy_what_openssl_answered_and_again_when_that_is_gone()
    {
        MakeCertificates();
        var upstream = await Loopback.StartAsync(async context => await NvidiaServices.SendAsync(context, Respond(await NvidiaServices.BodyAsync(context))));
        await using var proxy = await ServedAsync(upstream);
        Task<PeerAnswer> AskAsync(string name) => Task.Run(
            () => _ocsptool.Run("--ask=" + proxy.Address + "/ocsp", "--load-cert", At(name), "--load-issuer", At("root.pem"), "--load-signer", At("root.pem"), "--no-nonce"), Cancellation);

        var first = await AskAsync("good.pem");
        var revoked = await AskAsync("revoked.pem");
        await upstream.DisposeAsync();
        var second = await AskAsync("good.pem");

        Assert.True(first.Accepted, first.Output);
        Assert.Contains("Certificate Status: good", second.Output, StringComparison.Ordinal);
        Assert.Contains("Verifying OCSP Response: Success", second.Output, StringComparison.Ordinal);
        Assert.Contains("Certificate Status: revoked", revoked.Output, StringComparison.Ordinal);
        Assert.Equal(2, upstream.Requests.Count);
    }

    [Fact]
    public async Task Ocsptool_gets_nothing_of_an_answer_that_was_cut()
    {
        MakeCertificates();
        await using var upstream = await Loopback.StartAsync(async context => await NvidiaServices.SendAsync(context, Respond(await NvidiaServices.BodyAsync(context)).AsMemory()[..^7]));
        await using var proxy = await ServedAsync(upstream);

        var answer = await Task.Run(() => _ocsptool.Run("--ask=" + proxy.Address + "/ocsp", "--load-cert", At("good.pem"), "--load-issuer", At("root.pem"), "--load-signer", At("root.pem"), "--no-nonce"), Cancellation);

        Assert.False(answer.Accepted, answer.Output);
        Assert.DoesNotContain("Certificate Status: good", answer.Output, StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(_folder, name);

    private void MakeCertificates()
    {
        // The second root is for manifests, of which there are none: a set of anchors has both.
        foreach (var name in new[] { "root", "manifests" })
        {
            Run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384", "-nodes", "-keyout", At(name + ".key"), "-out", At(name + ".pem"), "-days", "30", "-subj", $"/CN=Site {name}",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign");
        }

        foreach (var (name, serial) in new[] { ("good", "0x1001"), ("revoked", "0x1002") })
        {
            Run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384", "-nodes", "-keyout", At(name + ".key"), "-out", At(name + ".csr"), "-subj", $"/CN={name}");
            Run("x509", "-req", "-in", At(name + ".csr"), "-CA", At("root.pem"), "-CAkey", At("root.key"), "-set_serial", serial, "-sha384", "-days", "30", "-out", At(name + ".pem"));
        }

        // openssl's own list of what it issued: state, end, revocation, serial number, file, subject.
        var (end, now) = (TimeProvider.System.GetUtcNow().AddDays(30), TimeProvider.System.GetUtcNow().AddHours(-1));
        File.WriteAllText(At("index.txt"), $"V\t{end:yyMMddHHmmss}Z\t\t1001\tunknown\t/CN=good\nR\t{end:yyMMddHHmmss}Z\t{now:yyMMddHHmmss}Z,keyCompromise\t1002\tunknown\t/CN=revoked\n");
    }

    private byte[] Respond(byte[] request)
    {
        var number = Interlocked.Increment(ref _asked);
        File.WriteAllBytes(At($"{number}.req"), request);
        Run("ocsp", "-index", At("index.txt"), "-CA", At("root.pem"), "-rsigner", At("root.pem"), "-rkey", At("root.key"), "-reqin", At($"{number}.req"), "-respout", At($"{number}.resp"), "-ndays", "3", "-rmd", "sha384");
        return File.ReadAllBytes(At($"{number}.resp"));
    }

    private void Run(params string[] arguments)
    {
        var answer = _openssl.Run(arguments);
        Assert.True(answer.Accepted, answer.Output);
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream)
    {
        var root = File.ReadAllText(At("root.pem"));
        var json = JsonSerializer.SerializeToUtf8Bytes(new { version = 1, kind = "custom", name = "site", device = new[] { root }, rim = new[] { File.ReadAllText(At("manifests.pem")) } });
        Assert.True(TrustSet.TryParse(json, out var trust, out var fault), fault?.ToString());
        return ServedProxy.StartAsync(trust, TimeProvider.System, new UpstreamOptions { Ocsp = upstream.Address }, chain: Encoding.ASCII.GetBytes(root));
    }
}
