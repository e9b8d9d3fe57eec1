using Assay.Tests.Cpu;

namespace Assay.Tests.Collateral;

/// <summary>npm @phala/dcap-qvl as a client: it fetches a quote's collateral by the proxy's base address alone, and judges the quote by it.</summary>
public sealed class ProcessorPeerTests(ProcessorServices services, TdxPeerTests.DcapQvl peer) : IClassFixture<ProcessorServices>, IClassFixture<TdxPeerTests.DcapQvl>
{
    // Arguments: quote, base address, root (PEM), seconds. Its root is Intel's own: here it is the simulator's.
    private const string Script = """
        const fs = require('fs');
        const { createHash, X509Certificate } = require('crypto');
        const { getCollateral } = require('@phala/dcap-qvl/src/collateral');
        const [quote, address] = process.argv.slice(2);
        getCollateral(address, new Uint8Array(fs.readFileSync(quote))).then(collateral => {
          const digest = bytes => createHash('sha256').update(Buffer.from(bytes)).digest('hex');
          console.log(JSON.stringify({
            tcb_info: digest(collateral.tcb_info), qe_identity: digest(collateral.qe_identity), pck_crl: digest(collateral.pck_crl), root_ca_crl: digest(collateral.root_ca_crl),
            chain: new X509Certificate(collateral.tcb_info_issuer_chain).subject, pck: new X509Certificate(collateral.pck_crl_issuer_chain).subject,
          }));
        }).catch(error => { console.log(error.message); process.exit(1); });
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Dcap_qvl_fetches_its_collateral_through_the_proxy_and_again_when_Intel_is_gone()
    {
        var node = Peer.Require("node");
        var script = peer.Install(Script, "collateral.cjs");
        var quote = peer.Save(services.Tdx.Quote);
        var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);

        var first = await Task.Run(() => node.Run(script, quote, proxy.Address), Cancellation);
        await upstream.DisposeAsync();
        var second = await Task.Run(() => node.Run(script, quote, proxy.Address + "/sgx/certification/v4/"), Cancellation);

        Assert.True(first.Accepted, first.Output);
        Assert.Equal(first.Output, second.Output);
        Assert.Contains("Intel SGX TCB Signing", first.Output, StringComparison.Ordinal);
        Assert.Contains("Intel SGX PCK Platform CA", first.Output, StringComparison.Ordinal);
        var list = System.Security.Cryptography.SHA256.HashData(await proxy.Http.GetByteArrayAsync("/sgx/certification/v4/pckcrl?ca=platform&encoding=der", Cancellation));
        Assert.Contains($"\"pck_crl\":\"{Convert.ToHexStringLower(list)}\"", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_a_lying_upstream_dcap_qvl_gets_nothing()
    {
        var node = Peer.Require("node");
        var script = peer.Install(Script, "collateral.cjs");
        await using var upstream = await services.UpstreamAsync((request, honest) => request.Path.Value!.EndsWith("/tcb", StringComparison.Ordinal) ? honest with { Body = honest.Body[..^20] } : honest);
        await using var proxy = await services.ServedAsync(upstream);

        var answer = await Task.Run(() => node.Run(script, peer.Save(services.Tdx.Quote), proxy.Address), Cancellation);

        Assert.False(answer.Accepted);
        Assert.Contains("Failed to fetch TCB info: 502", answer.Output, StringComparison.Ordinal);
    }
}
