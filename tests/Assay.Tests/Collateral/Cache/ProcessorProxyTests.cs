using System.Text;
using Assay.Endorsements;
using Assay.Simulator;

namespace Assay.Tests.Collateral;

/// <summary>Intel's and AMD's services through the proxy: paths, bytes and headers as their own clients expect.</summary>
public sealed class ProcessorProxyTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Path and query, the header with the chain, and the bytes that the service sends.
    public static TheoryData<string, string?> Intel => new()
    {
        { "/tdx/certification/v4/tcb?fmspc=FMSPC", "TCB-Info-Issuer-Chain" },
        { "/tdx/certification/v4/tcb?fmspc=FMSPC&update=standard", "TCB-Info-Issuer-Chain" },
        { "/tdx/certification/v4/tcb?fmspc=FMSPC&update=early", "TCB-Info-Issuer-Chain" },
        { "/sgx/certification/v4/tcb?fmspc=FMSPC", "TCB-Info-Issuer-Chain" },
        { "/sgx/certification/v4/tcb?fmspc=FMSPC&update=early", "TCB-Info-Issuer-Chain" },
        { "/tdx/certification/v4/qe/identity", "SGX-Enclave-Identity-Issuer-Chain" },
        { "/tdx/certification/v4/qe/identity?update=early", "SGX-Enclave-Identity-Issuer-Chain" },
        { "/sgx/certification/v4/qe/identity?update=standard", "SGX-Enclave-Identity-Issuer-Chain" },
        { "/sgx/certification/v4/pckcrl?ca=platform&encoding=der", "SGX-PCK-CRL-Issuer-Chain" },
        { "/sgx/certification/v4/pckcrl?ca=processor&encoding=der", "SGX-PCK-CRL-Issuer-Chain" },
        { "/sgx/certification/v4/rootcacrl", null },
        { "/sgx/certification/v4/pckcert?qeid=00112233445566778899AABBCCDDEEFF&cpusvn=03030202040100050000000000000000&pcesvn=0D00&pceid=0000", "SGX-PCK-Certificate-Issuer-Chain" },
        { "/sgx/certification/v4/pckcert?encrypted_ppid=AABB&cpusvn=03030202040100050000000000000000&pcesvn=0D00&pceid=0000", "SGX-PCK-Certificate-Issuer-Chain" },
    };

    [Theory]
    [MemberData(nameof(Intel))]
    public async Task What_Intel_says_arrives_to_the_byte_with_its_chain_and_from_the_cache_when_Intel_is_gone(string path, string? header)
    {
        path = path.Replace("FMSPC", services.Pcs.Fmspc, StringComparison.Ordinal);
        var signed = new System.Collections.Concurrent.ConcurrentDictionary<string, SimulatedAnswer>();
        var upstream = await Loopback.StartAsync(context => ProcessorServices.SendAsync(context, signed.GetOrAdd(context.Request.Path + context.Request.QueryString, _ => services.Answer(context.Request))));
        await using var proxy = await services.ServedAsync(upstream, asPccs: true);

        using var first = await proxy.Http.GetAsync(path, Cancellation);
        Assert.True(first.IsSuccessStatusCode, await first.Content.ReadAsStringAsync(Cancellation));
        await upstream.DisposeAsync();
        using var second = await proxy.Http.GetAsync(path, Cancellation);

        // A root's list needs the root first, which comes with the PCK authority's.
        var sent = signed.Single(answer => answer.Key.StartsWith(path.Split('?')[0], StringComparison.Ordinal)).Value;
        Assert.Equal(("miss", "hit"), (first.Headers.GetValues("x-assay-cache").Single(), second.Headers.GetValues("x-assay-cache").Single()));
        Assert.Equal(sent.ContentType, second.Content.Headers.ContentType!.MediaType);
        Assert.Equal(Convert.ToHexString(sent.Body.Span), Convert.ToHexString(await second.Content.ReadAsByteArrayAsync(Cancellation)));
        Assert.Equal(header is null ? [] : new[] { sent.Headers.Single(pair => pair.Name == header).Value }, header is null ? [] : second.Headers.GetValues(header));
    }

    [Fact]
    public async Task The_channels_of_TCB_recoveries_are_kept_apart()
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);
        var path = $"/tdx/certification/v4/tcb?fmspc={services.Pcs.Fmspc}&update=";

        var early = await proxy.Http.GetStringAsync(path + "early", Cancellation);
        var standard = await proxy.Http.GetStringAsync(path + "standard", Cancellation);

        Assert.Contains($"\"tcbEvaluationDataNumber\":{SimulatedPcs.NumberOf("early")}", early, StringComparison.Ordinal);
        Assert.Contains($"\"tcbEvaluationDataNumber\":{SimulatedPcs.NumberOf(null)}", standard, StringComparison.Ordinal);
        Assert.Equal(2, proxy.Cache.Held().Count(item => item.Key.Kind is CollateralKind.TcbInfo));
    }

    [Fact]
    public async Task A_processors_PCK_list_comes_in_DER_or_in_PEM()
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);

        var der = await proxy.Http.GetByteArrayAsync("/sgx/certification/v4/pckcrl?ca=platform&encoding=der", Cancellation);
        using var pem = await proxy.Http.GetAsync("/sgx/certification/v4/pckcrl?ca=platform", Cancellation);

        Assert.Equal(System.Security.Cryptography.PemEncoding.WriteString("X509 CRL", der), await pem.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("application/x-pem-file", pem.Content.Headers.ContentType!.MediaType);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_list_of_Intels_root_comes_from_its_own_address_or_from_a_PCCS(bool asPccs)
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream, asPccs: asPccs);

        var text = await proxy.Http.GetStringAsync("/sgx/certification/v4/rootcacrl", Cancellation);

        Assert.True(Assay.Trust.Revocation.CertificateRevocationList.TryParse(Convert.FromHexString(text), out var list, out var fault), fault?.ToString());
        Assert.Contains("Root CA", list.Issuer.CommonName, StringComparison.Ordinal);
        Assert.Contains(upstream.Requests, request => request.Path == (asPccs ? "/sgx/certification/v4/rootcacrl" : "/root.der"));
    }

    [Fact]
    public async Task A_PCK_certificate_says_what_it_is_of()
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);

        using var answer = await proxy.Http.GetAsync($"/sgx/certification/v4/pckcert?qeid=00&cpusvn=00&pcesvn=00&pceid={services.Pcs.PceId}", Cancellation);

        Assert.Equal(services.Pcs.Fmspc, answer.Headers.GetValues("SGX-FMSPC").Single());
        Assert.Equal("platform", answer.Headers.GetValues("SGX-PCK-Certificate-CA-Type").Single());
        Assert.Equal("030302020401000500000000000000000D00", answer.Headers.GetValues("SGX-TCBm").Single());
    }

    [Theory]
    [InlineData("vcek", "Milan")]
    [InlineData("vcek", "Genoa")]
    [InlineData("vcek", "Turin")]
    [InlineData("vlek", "Milan")]
    [InlineData("vlek", "Genoa")]
    [InlineData("vlek", "Turin")]
    public async Task AMDs_chains_and_lists_arrive_to_the_byte(string leaf, string product)
    {
        var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);

        using var chain = await proxy.Http.GetAsync($"/{leaf}/v1/{product}/cert_chain", Cancellation);
        using var list = await proxy.Http.GetAsync($"/{leaf}/v1/{product}/crl", Cancellation);
        await upstream.DisposeAsync();

        var pem = Encoding.ASCII.GetString(services.Kds.Get($"/{leaf}/v1/{product}/cert_chain", "").Body.Span);
        Assert.Equal(pem, await chain.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("application/x-pem-file", chain.Content.Headers.ContentType!.MediaType);
        Assert.Equal("application/pkix-crl", list.Content.Headers.ContentType!.MediaType);
        Assert.Equal(2, upstream.Requests.Count);
        using var again = await proxy.Http.GetAsync($"/{leaf}/v1/{product}/crl", Cancellation);
        Assert.Equal(await list.Content.ReadAsByteArrayAsync(Cancellation), await again.Content.ReadAsByteArrayAsync(Cancellation));
    }

    [Theory]
    [InlineData(SnpLine.Milan)]
    [InlineData(SnpLine.Turin)]
    public async Task A_chips_key_is_found_by_its_id_and_TCB_however_the_levels_are_written(SnpLine line)
    {
        var guest = line is SnpLine.Milan ? services.Milan : services.Turin;
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);
        var address = $"/vcek/v1/{line}/{guest.ChipId}?";

        using var key = await proxy.Http.GetAsync(address + guest.TcbQuery, Cancellation);
        using var upper = await proxy.Http.GetAsync($"/vcek/v1/{line}/{guest.ChipId.ToUpperInvariant()}?{string.Join('&', guest.TcbQuery.Replace("=0", "=", StringComparison.Ordinal).Split('&').Reverse())}", Cancellation);

        Assert.Equal(guest.Certificates[^1], await key.Content.ReadAsByteArrayAsync(Cancellation));
        Assert.Equal("application/pkix-cert", key.Content.Headers.ContentType!.MediaType);
        Assert.Equal("hit", upper.Headers.GetValues("x-assay-cache").Single());
        // The chain of its product, and itself.
        Assert.Equal(2, upstream.Requests.Count);
    }

    [Fact]
    public async Task A_VLEK_is_taken_from_whoever_has_it_and_judged_like_the_others()
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);
        Assert.NotNull((await proxy.Cache.GetAsync(new CollateralKey(CollateralKind.AmdChain, "vlek/Genoa"), Cancellation)).Item);
        Assert.NotNull((await proxy.Cache.GetAsync(new CollateralKey(CollateralKind.AmdChain, "vlek/Milan"), Cancellation)).Item);
        var tcb = Convert.ToHexStringLower([213, 24, 0, 0, 0, 0, 1, 4]);
        var key = new CollateralKey(CollateralKind.Vlek, $"Genoa/simulated-cloud/{tcb}");

        Assert.True(proxy.Cache.TryAdd(key, services.Cloud.Certificates[^1], default, "test", out var item, out var fault), fault?.ToString());
        Assert.Equal(services.Cloud.Certificates[^1], item.Body.ToArray());
        Assert.False(proxy.Cache.TryAdd(key with { Id = $"Genoa/another-cloud/{tcb}" }, services.Cloud.Certificates[^1], default, "test", out _, out fault));
        Assert.Equal(ItemRefusal.Mismatch, fault.Refusal);
        Assert.False(proxy.Cache.TryAdd(key with { Id = $"Milan/simulated-cloud/{tcb}" }, services.Cloud.Certificates[^1], default, "test", out _, out fault));
        Assert.Equal(ItemRefusal.Chain, fault.Refusal);
    }
}
