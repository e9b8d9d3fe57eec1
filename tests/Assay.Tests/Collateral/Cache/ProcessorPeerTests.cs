using System.Text;
using Assay.Endorsements;
using Assay.Tests.Cpu;

namespace Assay.Tests.Collateral;

/// <summary>npm @phala/dcap-qvl as a client: it fetches a quote's collateral by the proxy's base address alone, and judges the quote by it.</summary>
public sealed class ProcessorPeerTests(ProcessorServices services, TdxPeerTests.DcapQvl peer) : IClassFixture<ProcessorServices>, IClassFixture<TdxPeerTests.DcapQvl>
{
    // Arguments: quote, base address, root (PEM), seconds. Its root is Intel's own: here it is the simulator's.
    private const string Script = """
        const fs = require('fs');
        const { X509Certificate } = require('crypto');
        const { getCollateral } = require('@phala/dcap-qvl/src/collateral');
        const { QuoteVerifier } = require('@phala/dcap-qvl/src/verify');
        const [file, address, root, now] = process.argv.slice(2);
        const quote = new Uint8Array(fs.readFileSync(file));
        getCollateral(address, quote).then(collateral => {
          const verifier = QuoteVerifier.newWithRootCa(new X509Certificate(fs.readFileSync(root)).raw);
          console.log(verifier.verify(quote, collateral, Number(now)).status);
        }).catch(error => { console.log(error.message); process.exit(1); });
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Dcap_qvl_fetches_its_collateral_through_the_proxy_and_again_when_Intel_is_gone()
    {
        var (node, script) = (Peer.Require("node"), peer.Install(Script, "collateral.cjs"));
        var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);

        var first = await Task.Run(() => node.Run(Arguments(script, proxy.Address)), Cancellation);
        await upstream.DisposeAsync();
        var second = await Task.Run(() => node.Run(Arguments(script, proxy.Address + "/sgx/certification/v4/")), Cancellation);

        Assert.Equal((0, "UpToDate\n"), (first.ExitCode, first.Output));
        Assert.Equal(first, second);
        Assert.Contains(proxy.Cache.Held(), item => item.Key.Kind is CollateralKind.TcbInfo);
    }

    [Fact]
    public async Task Behind_a_lying_upstream_dcap_qvl_gets_nothing()
    {
        var (node, script) = (Peer.Require("node"), peer.Install(Script, "collateral.cjs"));
        await using var upstream = await services.UpstreamAsync((request, honest) => request.Path.Value!.EndsWith("/tcb", StringComparison.Ordinal) ? honest with { Body = honest.Body[..^20] } : honest);
        await using var proxy = await services.ServedAsync(upstream);

        var answer = await Task.Run(() => node.Run(Arguments(script, proxy.Address)), Cancellation);

        Assert.False(answer.Accepted);
        Assert.Contains("Failed to fetch TCB info: 502", answer.Output, StringComparison.Ordinal);
    }

    private string[] Arguments(string script, string address) =>
        [script, peer.Save(services.Tdx.Quote), address, peer.Save(Encoding.ASCII.GetBytes(services.Intel.RootPem)), $"{ProcessorServices.Now.ToUnixTimeSeconds()}"];
}
