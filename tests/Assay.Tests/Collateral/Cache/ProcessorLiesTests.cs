using System.Net;
using System.Text;
using System.Text.Json;
using Assay.Simulator;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

/// <summary>The programs of whoever stands in Intel's or AMD's place: each answer is refused by its reason, kept nowhere and passed on to nobody.</summary>
public sealed class ProcessorLiesTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    private const string Tcb = "/tdx/certification/v4/tcb?fmspc=90C06F000000";
    private const string Qe = "/tdx/certification/v4/qe/identity";
    private const string PckList = "/sgx/certification/v4/pckcrl?ca=platform&encoding=der";
    private const string RootList = "/sgx/certification/v4/rootcacrl";
    private const string Pck = "/sgx/certification/v4/pckcert?qeid=00&cpusvn=00&pcesvn=00&pceid=0000";
    private const string Chain = "/vcek/v1/Milan/cert_chain";
    private const string AmdList = "/vcek/v1/Milan/crl";
    private const string Vcek = "VCEK";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Lies => new()
    {
        { Tcb, "another FMSPC's", "mismatch" },
        { Tcb, "of SGX", "mismatch" },
        { Tcb, "an identity instead", "malformed" },
        { Tcb, "half of it", "malformed" },
        { Tcb, "altered", "signature" },
        { Tcb, "no chain beside it", "chain" },
        { Tcb, "a foreign root", "chain" },
        { Tcb, "a PCK key's", "chain" },
        { Tcb, "over", "not-current" },
        { Tcb, "its signer has ended", "not-current" },
        { Qe, "of SGX", "mismatch" },
        { Qe, "half of it", "malformed" },
        { Qe, "a foreign root", "chain" },
        { Qe, "over", "not-current" },
        { PckList, "the root's list", "mismatch" },
        { PckList, "the processors' list", "mismatch" },
        { PckList, "half of it", "malformed" },
        { PckList, "another key's", "signature" },
        { PckList, "a foreign root", "chain" },
        { PckList, "the root's chain alone", "mismatch" },
        { PckList, "no chain beside it", "malformed" },
        { PckList, "over", "not-current" },
        { RootList, "the PCK authority's list", "mismatch" },
        { RootList, "another root's", "signature" },
        { RootList, "half of it", "malformed" },
        { RootList, "over", "not-current" },
        { "/sgx/certification/v4/pckcert?qeid=00&cpusvn=00&pcesvn=00&pceid=0001", "another PCE's", "mismatch" },
        { Pck, "a foreign root", "chain" },
        { Pck, "half of it", "malformed" },
        { Pck, "over", "not-current" },
        { Chain, "another product's", "mismatch" },
        { Chain, "the VLEK's", "mismatch" },
        { Chain, "a foreign root", "chain" },
        { Chain, "half of it", "malformed" },
        { AmdList, "another product's", "mismatch" },
        { AmdList, "another root's", "signature" },
        { AmdList, "half of it", "malformed" },
        { AmdList, "over", "not-current" },
        { Vcek, "another chip's", "mismatch" },
        { Vcek, "another TCB's", "mismatch" },
        { Vcek, "a VLEK", "chain" },
        { Vcek, "a foreign root", "chain" },
        { Vcek, "half of it", "malformed" },
    };

    public static TheoryData<string, string> KeySetLies => new()
    {
        { "half of it", """{"keys":[{"kty":"EC","crv":"P-3""" },
        { "HTML", "<html>sign in first</html>" },
        { "no key", """{"keys":[]}""" },
        { "a private key", """{"keys":[{"kty":"EC","crv":"P-384","kid":"a","x":"AAAA","y":"AAAA","d":"AAAA"}]}""" },
        { "a secret", """{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}""" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_lie_about_a_processor_is_neither_kept_nor_served(string path, string lie, string reason)
    {
        path = path == Vcek ? $"/vcek/v1/Milan/{services.Milan.ChipId}?{services.Milan.TcbQuery}" : path;
        var target = path.Split('?')[0];
        await using var upstream = await services.UpstreamAsync((request, honest) => request.Path == target ? Told(request, honest, lie) : honest);
        await using var proxy = await services.ServedAsync(upstream, folder: services.NewFolder(), asPccs: true);

        using var answer = await proxy.Http.GetAsync(path, Cancellation);
        var text = await answer.Content.ReadAsStringAsync(Cancellation);

        Assert.True(answer.StatusCode is HttpStatusCode.BadGateway, $"{(int)answer.StatusCode}: {text}");
        Assert.StartsWith(reason + ":", JsonDocument.Parse(text).RootElement.GetProperty("title").GetString(), StringComparison.Ordinal);
        var refused = proxy.Cache.Refused().Single();
        Assert.Equal(reason, refused.Fault.Name);
        Assert.False(proxy.Cache.TryGetHeld(refused.Key, out _));
        Assert.Equal(1, proxy.Cache.Meters.Read("refused", refused.Key.Kind, reason));
    }

    [Fact]
    public async Task A_chips_key_that_has_ended_is_neither_kept_nor_served()
    {
        var over = SimulatedSnp.Create(services.Amd, SnpLine.Milan, 3, vlek: false, services.ReportData, SnpFault.ExpiredCertificate);
        await using var upstream = await services.UpstreamAsync((request, honest) => request.Path.Value!.EndsWith(over.ChipId, StringComparison.Ordinal) ? SimulatedKds.Of(services.Amd, over).Get(request.Path.Value, over.TcbQuery) : honest);
        await using var proxy = await services.ServedAsync(upstream);

        using var answer = await proxy.Http.GetAsync($"/vcek/v1/Milan/{over.ChipId}?{over.TcbQuery}", Cancellation);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("not-current", proxy.Cache.Refused().Single().Fault.Name);
    }

    [Theory]
    [InlineData("/tdx/certification/v4/tcb?fmspc=90C06F000000")]
    [InlineData("/tdx/certification/v4/qe/identity")]
    public async Task A_statement_of_a_lower_number_replaces_nothing(string path)
    {
        var older = SimulatedPcs.Of(SimulatedTdx.Create(services.Intel, 4, false, services.ReportData, path.EndsWith("identity", StringComparison.Ordinal) ? TdxFault.OlderQeIdentity : TdxFault.OlderTcbInfo));
        var lies = false;
        await using var upstream = await services.UpstreamAsync((request, honest) => lies ? older.Get(request.Path.Value!, name => request.Query[name]) : honest);
        var time = new ManualTime(ProcessorServices.Now);
        await using var proxy = await services.ServedAsync(upstream, time);
        var first = await proxy.Http.GetStringAsync(path, Cancellation);

        lies = true;
        time.Now += TimeSpan.FromDays(1) + TimeSpan.FromMinutes(1);
        using var second = await proxy.Http.GetAsync(path, Cancellation);

        Assert.Equal(first, await second.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("stale", second.Headers.GetValues("x-assay-cache").Single());
        Assert.Equal("older", proxy.Cache.Refused().Single().Fault.Name);
    }

    [Fact]
    public async Task After_a_restart_without_upstreams_every_kind_is_verified_again_and_served()
    {
        var folder = services.NewFolder();
        var vcek = $"/vcek/v1/Turin/{services.Turin.ChipId}?{services.Turin.TcbQuery}";
        string[] paths = [Tcb, Qe, PckList, RootList, Pck, Chain, AmdList, vcek];
        var before = new Dictionary<string, string>();
        await using (var upstream = await services.UpstreamAsync())
        await using (var proxy = await services.ServedAsync(upstream, folder: folder))
        {
            foreach (var path in paths)
            {
                before[path] = Convert.ToHexString(await proxy.Http.GetByteArrayAsync(path, Cancellation));
            }
        }

        await using var gone = await Loopback.StartAsync(context => throw new InvalidOperationException("nobody is to be asked"));
        foreach (var order in new[] { paths, [.. paths.Reverse()] })
        {
            await using var next = await services.ServedAsync(gone, folder: folder);
            foreach (var path in order)
            {
                using var answer = await next.Http.GetAsync(path, Cancellation);
                Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync(Cancellation)}");
                Assert.Equal(before[path], Convert.ToHexString(await answer.Content.ReadAsByteArrayAsync(Cancellation)));
            }
        }

        Assert.Empty(gone.Requests);
    }

    [Theory]
    [MemberData(nameof(KeySetLies))]
    public async Task What_is_no_set_of_public_keys_is_not_passed_on_as_one(string lie, string body)
    {
        await using var upstream = await Loopback.StartAsync(context => context.Response.WriteAsync(body));
        await using var proxy = await KeysAsync(upstream);

        using var answer = await proxy.Http.GetAsync("/v1/jwks/issuer", Cancellation);

        Assert.True(answer.StatusCode is HttpStatusCode.BadGateway, lie);
        Assert.Equal("malformed", proxy.Cache.Refused().Single().Fault.Name);
    }

    [Fact]
    public async Task A_trusted_issuers_keys_are_served_while_it_is_down_and_of_no_other_issuer()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        var point = key.ExportParameters(false).Q;
        var body = $$"""{"keys":[{"kty":"EC","crv":"P-384","kid":"one","use":"sig","alg":"ES384","x":"{{Text(point.X!)}}","y":"{{Text(point.Y!)}}"}]}""";
        var upstream = await Loopback.StartAsync(context => context.Response.WriteAsync(body));
        await using var proxy = await KeysAsync(upstream);

        using var first = await proxy.Http.GetAsync("/v1/jwks/issuer", Cancellation);
        await upstream.DisposeAsync();

        Assert.Equal(body, await proxy.Http.GetStringAsync("/v1/jwks/issuer", Cancellation));
        Assert.Equal("application/jwk-set+json", first.Content.Headers.ContentType!.MediaType);
        using var other = await proxy.Http.GetAsync("/v1/jwks/another", Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);

        static string Text(byte[] coordinate) => System.Buffers.Text.Base64Url.EncodeToString(coordinate);
    }

    private Task<ServedProxy> KeysAsync(Loopback upstream) => ServedProxy.StartAsync(services.Trust, new ManualTime(ProcessorServices.Now), new Assay.Collateral.Upstreams.UpstreamOptions
    {
        KeySets = System.Collections.Immutable.ImmutableDictionary<string, Assay.Collateral.Http.ServiceAddress>.Empty.Add("issuer", upstream.Address),
    });

    private SimulatedAnswer Told(HttpRequest request, SimulatedAnswer honest, string lie) => lie switch
    {
        "half of it" => honest with { Body = honest.Body[..(honest.Body.Length / 4 * 2)] },
        "no chain beside it" => honest with { Headers = [] },
        "altered" => honest with { Body = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(honest.Body.Span).Replace("\"tcbType\":0", "\"tcbType\":1", StringComparison.Ordinal)) },
        _ => request.Path.Value!.StartsWith("/vcek", StringComparison.Ordinal) ? ToldOfAmd(request, honest, lie) : ToldOfIntel(request, honest, lie),
    };

    private SimulatedAnswer ToldOfIntel(HttpRequest request, SimulatedAnswer honest, string lie)
    {
        var path = request.Path.Value!;
        SimulatedAnswer By(TdxFault fault) => SimulatedPcs.Of(SimulatedTdx.Create(services.Intel, 4, false, services.ReportData, fault)).Get(path, name => request.Query[name]);
        var what = path[(path.LastIndexOf('/') + 1)..];
        return (what, lie) switch
        {
            ("tcb", "another FMSPC's") => By(TdxFault.OtherFmspc),
            ("tcb" or "identity", "of SGX") => services.Pcs.Get(path.Replace("tdx", "sgx", StringComparison.Ordinal), name => request.Query[name]),
            ("tcb", "an identity instead") => services.Pcs.Get(Qe, _ => null) with { Headers = honest.Headers },
            ("tcb", "a PCK key's") => By(TdxFault.TcbInfoSignedByPck),
            ("tcb", "over") => By(TdxFault.ExpiredTcbInfo),
            ("tcb", "its signer has ended") => By(TdxFault.ExpiredTcbSigner),
            ("identity", "over") => By(TdxFault.ExpiredQeIdentity),
            ("tcb" or "identity" or "pckcrl" or "pckcert", "a foreign root") => SimulatedPcs.Of(SimulatedTdx.Create(SimulatedIntel.Create(ProcessorServices.Now), 4, false, services.ReportData)).Get(path, name => request.Query[name]),
            ("pckcrl", "the root's list") => honest with { Body = services.Pcs.RootList },
            ("pckcrl", "the processors' list") => services.Pcs.Get(path, _ => "processor"),
            ("pckcrl", "another key's") => honest with { Body = By(TdxFault.ForgedPckCrl).Body },
            ("pckcrl", "the root's chain alone") => honest with { Headers = [(honest.Headers[0].Name, Uri.EscapeDataString(services.Intel.RootPem))] },
            ("pckcrl", "over") => By(TdxFault.StalePckCrl),
            ("rootcacrl", "the PCK authority's list") => honest with { Body = services.Pcs.Get("/sgx/certification/v4/pckcrl", _ => "platform").Body },
            ("rootcacrl", "another root's") => honest with { Body = SimulatedPcs.Of(SimulatedTdx.Create(SimulatedIntel.Create(ProcessorServices.Now), 4, false, services.ReportData)).RootList },
            ("rootcacrl", "over") => By(TdxFault.StaleRootCrl),
            ("pckcert", "another PCE's") => SimulatedPcs.Of(SimulatedTdx.Create(services.Intel, 4, false, services.ReportData)).Get(path, _ => services.Pcs.PceId),
            ("pckcert", "over") => By(TdxFault.ExpiredPck),
            _ => throw new InvalidOperationException($"{what}: {lie}"),
        };
    }

    private SimulatedAnswer ToldOfAmd(HttpRequest request, SimulatedAnswer honest, string lie)
    {
        var path = request.Path.Value!;
        SimulatedAnswer Leaf(SnpFault fault, SnpLine line = SnpLine.Milan) => honest with { Body = SimulatedSnp.Create(services.Amd, line, 3, false, services.ReportData, fault).Certificates[^1] };
        var foreign = SimulatedSnp.Create(services.Amd, SnpLine.Milan, 3, false, services.ReportData, SnpFault.ForeignRoot);
        return (path[(path.LastIndexOf('/') + 1)..], lie) switch
        {
            ("cert_chain" or "crl", "another product's") => services.Kds.Get(path.Replace("Milan", "Genoa", StringComparison.Ordinal), ""),
            ("cert_chain", "the VLEK's") => services.Kds.Get(path.Replace("vcek", "vlek", StringComparison.Ordinal), ""),
            ("cert_chain", "a foreign root") => honest with { Body = Encoding.ASCII.GetBytes(Pem(foreign.Certificates[1]) + Pem(foreign.Certificates[0])) },
            ("crl", "another root's") => honest with { Body = SimulatedSnp.Create(services.Amd, SnpLine.Milan, 3, false, services.ReportData, SnpFault.ForgedCrl).Crl },
            ("crl", "over") => honest with { Body = SimulatedSnp.Create(services.Amd, SnpLine.Milan, 3, false, services.ReportData, SnpFault.StaleCrl).Crl },
            (_, "another chip's") => Leaf(SnpFault.None),
            (_, "another TCB's") => Leaf(SnpFault.CertificateOfAnotherTcb),
            (_, "a VLEK") => honest with { Body = services.Cloud.Certificates[^1] },
            (_, "a foreign root") => Leaf(SnpFault.AuthoritiesOfAnotherLine),
            (var what, _) => throw new InvalidOperationException($"{what}: {lie}"),
        };

        static string Pem(byte[] der) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der) + "\n";
    }
}
