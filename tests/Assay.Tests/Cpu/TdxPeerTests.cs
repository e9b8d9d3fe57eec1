namespace Assay.Tests.Cpu;

/// <summary>Another verifier of the same bytes: npm @phala/dcap-qvl, on every recorded quote with every collateral at several instants.</summary>
public sealed class TdxPeerTests(TdxPeerTests.DcapQvl peer) : IClassFixture<TdxPeerTests.DcapQvl>
{
    // Arguments: quote, collateral, seconds. Prints the status, or why not.
    private const string Script = """
        const fs = require('fs');
        const { verify } = require('@phala/dcap-qvl/src/verify');
        const [quote, collateral, now] = process.argv.slice(2);
        const file = JSON.parse(fs.readFileSync(collateral));
        for (const name of ['tcb_info_signature', 'qe_identity_signature', 'root_ca_crl', 'pck_crl']) file[name] = new Uint8Array(Buffer.from(file[name], 'hex'));
        try { console.log(verify(new Uint8Array(fs.readFileSync(quote)), file, Number(now)).status); }
        catch (error) { let text = error.message; for (let cause = error.cause; cause; cause = cause.cause) text += ': ' + cause.message; console.log(text); process.exit(1); }
        """;

    private static readonly string[] s_quotes =
    [
        "tdx/tdx_quote", "tdx/tdx_quote_outdated", "tdx/quote-from-tappd.hex", "tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat",
        "tdx/trustee/tdx_quote_4.dat", "dstack/quote-report.quote.bin", "dstack/guest-agent.quote.bin", "az-vtpm/az-tdx-vtpm/td-quote.bin",
    ];

    private static readonly (string File, string[] Instants)[] s_collateral =
    [
        ("tdx_quote_collateral.json", ["2025-06-18T00:00:00Z", "2025-07-01T00:00:00Z", "2025-07-20T12:00:00Z"]),
        ("tdx_quote_outdated_collateral.json", ["2026-02-17T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-21T12:00:00Z"]),
        ("go-tdx-guest/spr_e4_collateral_2023-06.json", ["2023-06-17T00:00:00Z", "2023-07-01T00:00:00Z", "2023-07-19T12:00:00Z"]),
    ];

    [Fact]
    public void Dcap_qvl_agrees_on_every_recorded_quote()
    {
        var node = Peer.Require("node");
        var script = peer.Install(Script);
        var passed = 0;
        foreach (var quote in s_quotes)
        {
            var file = peer.Save(JudgedTdx.QuoteOf(quote));
            foreach (var (collateral, instants) in s_collateral)
            {
                foreach (var at in instants)
                {
                    var judged = JudgedTdx.Recorded(quote, collateral, at);
                    var result = judged.Result();
                    var answer = node.Run(script, file, Recorded.PathOf("cpu/tdx/" + collateral), $"{judged.At.ToUnixTimeSeconds()}");

                    Assert.True(result.Passed == answer.Accepted, $"{quote} {collateral} {at}: {answer.Output} and {string.Join(' ', JudgedTdx.Failed(result.Findings))}");
                    Assert.Equal(answer.Accepted ? answer.Output.Trim() : "UpToDate", answer.Accepted ? $"{result.Tcb!.Status}" : "UpToDate");
                    passed += result.Passed ? 1 : 0;
                }
            }
        }

        Assert.Equal(2, passed);
    }

    /// <summary>The package, installed once into artifacts/peers, which is ignored by version control.</summary>
    public sealed class DcapQvl : IDisposable
    {
        private const string Package = "@phala/dcap-qvl@0.3.9";

        private readonly string _folder = Path.Combine(Repository.Root, "artifacts", "peers", "dcap-qvl");
        private readonly string _files = Directory.CreateTempSubdirectory("assay-dcap-").FullName;

        /// <summary>The path of the script, beside the package that it uses.</summary>
        public string Install(string script, string name = "verify.cjs")
        {
            Directory.CreateDirectory(_folder);
            if (!Directory.Exists(Path.Combine(_folder, "node_modules", "@phala", "dcap-qvl")))
            {
                var answer = Peer.Require("npm").Run("install", Package, "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", _folder);
                if (!answer.Accepted && Environment.GetEnvironmentVariable("CI") == "true")
                {
                    Assert.Fail($"npm install {Package}: {answer.Output}");
                }

                Assert.SkipUnless(answer.Accepted, $"npm could not install {Package}");
            }

            var path = Path.Combine(_folder, name);
            File.WriteAllText(path, script);
            return path;
        }

        public string Save(byte[] bytes)
        {
            var path = Path.Combine(_files, Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes)));
            File.WriteAllBytes(path, bytes);
            return path;
        }

        public void Dispose() => Directory.Delete(_files, recursive: true);
    }
}
