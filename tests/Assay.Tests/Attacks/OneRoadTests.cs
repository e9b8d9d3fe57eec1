using System.Collections.Immutable;
using System.Text;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Demo;
using Assay.Collateral;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Tests.Properties;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Attacks;

/// <summary>
/// Attacks on the one road from evidence to verdict: the host that leaves things out or brings things along, and the source of collateral
/// that lies.
/// </summary>
public sealed class OneRoadTests(LeftOutTests.Honest honest, ProcessorServices services) : IClassFixture<LeftOutTests.Honest>, IClassFixture<ProcessorServices>
{
    private const string Theirs = "another session's challenge";
    private static readonly byte[] s_jwk =
        """{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"""u8.ToArray();

    private static readonly Nonce s_mine = Nonce.TryParse(new string('5', 64), out var nonce, out _) ? nonce : throw new InvalidOperationException();
    private static readonly Nonce s_old = Nonce.TryParse(new string('7', 64), out var nonce, out _) ? nonce : throw new InvalidOperationException();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stated_challenge_is_answered_or_refused_whether_a_key_is_shown_or_left_out(bool withKey)
    {
        var evidence = new MachineEvidence { Devices = Devices(s_old), Key = withKey ? s_jwk : (ReadOnlyMemory<byte>?)null, StatedNonce = Theirs };

        Assert.NotEqual(VerdictKind.Pass, await DevicesAsync(evidence, Expected with { Challenge = "mine" }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stated_nonce_is_answered_or_refused_whether_a_key_is_brought_along_or_not(bool withKey)
    {
        Assert.True(KeyBinding.TryCreate(Theirs, s_jwk, out var key, out _));
        var evidence = new MachineEvidence { Devices = Devices(key.DeviceNonce()), Key = withKey ? s_jwk : (ReadOnlyMemory<byte>?)null, StatedNonce = Theirs };

        Assert.NotEqual(VerdictKind.Pass, await DevicesAsync(evidence, Expected with { Nonce = s_mine }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stated_report_data_are_answered_or_refused_whether_a_key_is_brought_along_or_not(bool withKey)
    {
        Assert.True(KeyBinding.TryCreate(Theirs, s_jwk, out var key, out _));
        var made = SimulatedTdx.Create(services.Intel, 4, false, key.ReportData(""));
        var evidence = new MachineEvidence { Devices = [], Cpu = Cpu(made.Quote), Key = withKey ? s_jwk : (ReadOnlyMemory<byte>?)null, StatedNonce = Theirs };

        var (kind, _) = await JudgeAsync(evidence, OfProcessors, CollateralSources.None, Given(made.Collateral));

        Assert.NotEqual(VerdictKind.Pass, kind);
    }

    [Theory]
    [InlineData(GpuBinding.BootEvent)]
    [InlineData(GpuBinding.EvidenceHash)]
    public async Task A_binding_that_must_be_met_beside_a_processor_is_not_met_by_leaving_the_processor_out(GpuBinding accepted) =>
        Assert.NotEqual(VerdictKind.Pass, await DevicesAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Nonce = s_mine, DangerouslyAcceptedBinding = accepted }));

    [Fact]
    public async Task Devices_that_answer_pass_so_that_there_is_something_to_lose() =>
        Assert.Equal(VerdictKind.Pass, await DevicesAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Nonce = s_mine, Gpus = 2, Switches = 2 }));

    [Fact]
    public async Task A_key_of_the_relying_party_counts_before_the_one_that_is_shown()
    {
        Assert.True(KeyBinding.TryCreate("mine", s_jwk, out var theirs, out _));
        var evidence = new MachineEvidence { Devices = Devices(theirs.DeviceNonce()), Key = s_jwk, StatedNonce = "mine" };
        using var vm = new SimulatedCvm();

        Assert.Equal(VerdictKind.Pass, await DevicesAsync(evidence, Expected with { Challenge = "mine" }));
        Assert.NotEqual(VerdictKind.Pass, await DevicesAsync(evidence, Expected with { Challenge = "mine", Key = vm.Key }));
    }

    [Fact]
    public async Task A_key_that_is_brought_along_shortens_nothing_that_is_weakened()
    {
        Assert.True(KeyBinding.TryCreate(Theirs, s_jwk, out var key, out _));
        var plain = await JudgeAsync(new MachineEvidence { Devices = Devices(s_old) }, Expected, World);
        var brought = await JudgeAsync(new MachineEvidence { Devices = Devices(key.DeviceNonce()), Key = s_jwk, StatedNonce = Theirs }, Expected, World);

        Assert.Equal((VerdictKind.Pass, VerdictKind.Pass), (plain.Kind, brought.Kind));
        Assert.Empty(plain.Verdict!.Weakened.Except(brought.Verdict!.Weakened));
        Assert.False(brought.Verdict.IsFresh);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_older_list_that_was_given_does_not_hide_what_a_later_one_revokes(bool ofTheRoot)
    {
        Assert.True(Endorsements.TdxCollateral.TryParse(services.Tdx.Collateral, out var old, out _));
        var (from, to) = (ProcessorServices.Now.AddDays(-1), ProcessorServices.Now.AddDays(20));
        var later = ofTheRoot ? services.Intel.Root.IssueCrl(2, from, to, services.Tdx.PckAuthority) : services.Tdx.PckAuthority.IssueCrl(2, from, to, services.Tdx.Pck);
        var source = new Lying((key, honestly) => key.Kind == (ofTheRoot ? CollateralKind.RootCrl : CollateralKind.PckCrl) ? Fetched.Item("intel", later) : honestly, Items());
        var evidence = new MachineEvidence { Devices = [], Cpu = Cpu(services.Tdx.Quote) };

        Assert.Equal(VerdictKind.Fail, (await JudgeAsync(evidence, OfProcessors, source)).Kind);
        Assert.Equal(VerdictKind.Fail, (await JudgeAsync(evidence, OfProcessors, source, new ProcessorCollateral { Tdx = old })).Kind);
    }

    [Fact]
    public async Task A_list_under_another_key_does_not_spoil_the_one_that_was_given()
    {
        Assert.True(Endorsements.TdxCollateral.TryParse(services.Tdx.Collateral, out var good, out _));
        var forged = services.Intel.NewRoot().IssueCrl(9, ProcessorServices.Now.AddDays(-1), ProcessorServices.Now.AddDays(20), services.Tdx.PckAuthority);
        var source = new Lying((_, _) => Fetched.Item("liar", forged), Items());

        Assert.Equal(VerdictKind.Pass, (await JudgeAsync(new MachineEvidence { Devices = [], Cpu = Cpu(services.Tdx.Quote) }, OfProcessors, source, new ProcessorCollateral { Tdx = good })).Kind);
    }

    [Fact]
    public async Task No_item_passes_in_the_place_of_another()
    {
        var items = Items();
        foreach (var (cpu, keys) in new[] { (services.Tdx.Quote, items.Keys.Where(key => key.Kind is CollateralKind.TcbInfo or CollateralKind.QeIdentity or CollateralKind.PckCrl or CollateralKind.RootCrl)), (services.Turin.Report, items.Keys.Where(key => key.Kind is CollateralKind.AmdChain or CollateralKind.AmdCrl or CollateralKind.Vcek)) })
        {
            foreach (var asked in keys)
            {
                foreach (var (other, item) in items.Where(item => item.Key != asked && !item.Value.Body.Span.SequenceEqual(items[asked].Body.Span)))
                {
                    var source = new Lying((key, honestly) => key == asked ? Fetched.Of("liar", item) : honestly, items);
                    var (kind, _) = await JudgeAsync(new MachineEvidence { Devices = [], Cpu = Cpu(cpu) }, OfProcessors, source);
                    Assert.True(source.Asked.Contains(asked) == (kind is not VerdictKind.Pass), $"{other} for {asked}: {kind}");
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1 << 20)]
    [InlineData(16 << 20)]
    public async Task No_body_of_whatever_length_is_a_pass_or_a_crash(int length)
    {
        var body = new byte[length];
        body.AsSpan().Fill(0x30);
        var source = new Lying((_, _) => Fetched.Item("liar", body, body), Items());

        foreach (var cpu in new[] { services.Tdx.Quote, services.Turin.Report })
        {
            Assert.NotEqual(VerdictKind.Pass, (await JudgeAsync(new MachineEvidence { Devices = [], Cpu = Cpu(cpu) }, OfProcessors, source)).Kind);
        }

        Assert.NotEqual(VerdictKind.Pass, await DevicesAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Nonce = s_mine }, new CollateralSources { Rims = source, Ocsp = source }));
    }

    [Fact]
    public async Task What_verified_for_one_never_helps_a_forgery_and_a_liar_never_spoils_what_comes_after()
    {
        var cache = new VerifierCache();
        var (honestly, lying) = (new Lying((_, item) => item, Items()), new Lying((_, item) => item.Item is { } good ? Fetched.Item("liar", Flipped(good.Body), good.Chain) : item, Items()));
        foreach (var cpu in new[] { services.Tdx.Quote, services.Turin.Report })
        {
            var evidence = new MachineEvidence { Devices = [], Cpu = Cpu(cpu) };
            Assert.NotEqual(VerdictKind.Pass, (await JudgeAsync(evidence, OfProcessors, lying, cache: cache)).Kind);
            var first = await JudgeAsync(evidence, OfProcessors, honestly, cache: cache);
            Assert.Equal(VerdictKind.Pass, first.Kind);
            Assert.NotEqual(VerdictKind.Pass, (await JudgeAsync(evidence, OfProcessors, lying, cache: cache)).Kind);
            Assert.Equal(VerdictKind.Fail, (await JudgeAsync(evidence with { Cpu = evidence.Cpu! with { Bytes = Flipped(cpu, 0x90) } }, OfProcessors, honestly, cache: cache)).Kind);
            Assert.Equal(Texts(first.Verdict!), Texts((await JudgeAsync(evidence, OfProcessors, honestly, cache: new VerifierCache())).Verdict!));
        }
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task The_road_finds_what_one_call_finds(TdxFault fault)
    {
        var made = SimulatedTdx.Create(services.Intel, 5, true, services.ReportData, fault);
        Assert.True(Endorsements.TdxCollateral.TryParse(made.Collateral, out var collateral, out _));
        if (!ProcessorEvidence.TryParse(made.Quote, "quote", out var cpu, out _))
        {
            return;
        }

        var expected = OfProcessors;
        var direct = ProcessorAppraisal.Appraise(cpu, new ProcessorCollateral { Tdx = collateral }, expected.OfProcessor(null, AdditionalEvidence.Of([])), new VerifierCache());
        var road = await JudgeAsync(new MachineEvidence { Devices = [], Cpu = cpu }, expected, CollateralSources.None, new ProcessorCollateral { Tdx = collateral });

        Assert.Equal(direct.Findings.Select(Text), road.Verdict!.Machine!.Parts.ProcessorFindings.Select(Text));
    }

    public static TheoryData<TdxFault> Faults => [.. Enum.GetValues<TdxFault>()];

    [Fact]
    public async Task What_was_never_set_is_refused_by_name_and_dereferenced_nowhere()
    {
        Func<Task>[] calls =
        [
            () => JudgeAsync(new MachineEvidence { Devices = default }, Expected, World),
            () => JudgeAsync(new MachineEvidence { Devices = [null!] }, Expected, World),
            () => JudgeAsync(new MachineEvidence { Devices = [], EventLogs = default }, Expected, World),
            () => JudgeAsync(new MachineEvidence { Devices = [], Key = s_jwk, StatedNonce = "" }, Expected, World),
            () => JudgeAsync(new MachineEvidence { Devices = [], Key = default(ReadOnlyMemory<byte>), StatedNonce = "x" }, Expected, World),
            () => JudgeAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Basis = Expected.Basis with { Trust = null! } }, World),
            () => JudgeAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Basis = Expected.Basis with { Time = default! } }, World),
            () => JudgeAsync(new MachineEvidence { Devices = [], Cpu = Cpu(services.Tdx.Quote) }, OfProcessors with { DangerouslyAcceptedTcbStatuses = default }, World),
            () => JudgeAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected, null!),
            () => new MachineAppraiser(World, null!).AppraiseAsync(new MachineEvidence { Devices = [] }, Expected, cancellation: Cancellation),
            () => new MachineAppraiser(World, new VerifierCache()).FetchAsync(null!, null, Cancellation),
            () => Task.FromResult(new RequiredCollateral(default, default).IsEmpty),
            () => CollateralSources.None.FetchAsync(new CollateralQuestion(default), Cancellation),
            () => Task.FromResult(default(CollateralKey).ToString() + default(AppraisalProgress)),
            () => Task.FromResult(Fetched.Of<CollateralItem>(null!, null!)),
        ];
        var bad = new List<string>();
        for (var index = 0; index < calls.Length; index++)
        {
            try
            {
                await calls[index]();
            }
            catch (Exception exception) when (exception is NullReferenceException or IndexOutOfRangeException or KeyNotFoundException or InvalidCastException)
            {
                bad.Add($"{index}: {exception.GetType().Name} {exception.StackTrace!.Split('\n')[0].Trim()}");
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
            {
                // Refused by name.
            }
        }

        Assert.True(bad.Count == 0, string.Join('\n', bad));
    }

    [Fact]
    public async Task An_upstream_that_is_asked_about_a_certificate_answers_whatever_it_has()
    {
        await using var upstream = await Loopback.StartAsync(async context =>
        {
            using var request = new MemoryStream();
            await context.Request.Body.CopyToAsync(request, Cancellation);
            context.Response.ContentType = "application/ocsp-response";
            await context.Response.Body.WriteAsync(honest.World.AnswerOcsp(request.ToArray()), Cancellation);
        });
        using var http = new HttpUpstream(new UpstreamOptions { Ocsp = upstream.Address, Http = Loopback.Patient });

        Assert.Equal(VerdictKind.Pass, await DevicesAsync(new MachineEvidence { Devices = Devices(s_mine) }, Expected with { Nonce = s_mine }, new CollateralSources { Rims = new WorldRims(honest.World), Ocsp = http }));
    }

    [Fact]
    public async Task The_proxy_takes_no_other_spelling_of_a_path_for_one_of_its_own()
    {
        await using var upstream = await services.UpstreamAsync();
        await using var proxy = await services.ServedAsync(upstream);
        var bad = new List<string>();
        foreach (var path in (string[])
        [
            "/VCEK/v1/Turin/cert_chain", "/vcek/v1/Turin/cert_chain/", "/vcek//v1/Turin/cert_chain", "//vcek/v1/Turin/cert_chain", "/vcek%2Fv1/Turin/cert_chain", "/vcek/v1/Turin%2Fcert_chain", "/vcek/v1/turin/cert_chain",
            "/vcek/v1/Turin%00/cert_chain", "/vcek/v1/Turin/cert_chain%20", "/vcek/v1/..%2FTurin/cert_chain", "/vcek/v1/Turin/%63ert_chain/x", "/tdx/certification/V4/tcb", "/tdx/certification/v4/qe/identity/", "/Healthz", "/metrics/",
            "/v1/rim/..%2F..%2Fetc%2Fpasswd", "/crl/..%2F..%2Fetc%2Fpasswd", "/v1/jwks/..%2f..%2fx", "/v1/rim//", "/v1/rim/%2e%2e/", "/crl/%2e%2e%2f%2e%2e",
        ])
        {
            foreach (var method in new[] { HttpMethod.Get, HttpMethod.Head, HttpMethod.Delete })
            {
                using var request = new HttpRequestMessage(method, new Uri(proxy.Address + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
                using var response = await proxy.Http.SendAsync(request, Cancellation);
                if ((int)response.StatusCode is < 400 or >= 500)
                {
                    bad.Add($"{method} {path}: {(int)response.StatusCode}");
                }
            }
        }

        Assert.True(bad.Count == 0, string.Join('\n', bad));
    }

    private MachineExpectations Expected => new() { Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), honest.Trust, RevocationChecking.Required) };

    private MachineExpectations OfProcessors => new()
    {
        Basis = new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), services.Trust, RevocationChecking.Required),
        ReportData = ReportData.TryCreate(services.ReportData, out var data) ? data : null,
    };

    private CollateralSources World => new() { Rims = new WorldRims(honest.World), Ocsp = new WorldOcsp(honest.World) };

    private static ProcessorEvidence Cpu(ReadOnlyMemory<byte> bytes) => ProcessorEvidence.TryParse(bytes.Span, "evidence", out var cpu, out var fault) ? cpu : throw new InvalidOperationException(fault.ToString());

    private static ProcessorCollateral Given(byte[] json) => new() { Tdx = Endorsements.TdxCollateral.TryParse(json, out var collateral, out var fault) ? collateral : throw new InvalidOperationException(fault.ToString()) };

    private static byte[] Flipped(ReadOnlyMemory<byte> bytes, int? at = null)
    {
        var copy = bytes.ToArray();
        copy[at ?? copy.Length / 2] ^= 1;
        return copy;
    }

    private static string Text(Finding finding) => $"{finding.Id} {finding.State} {finding.Reason}";

    private static IEnumerable<string> Texts(Verdict verdict) => verdict.Machine!.Parts.ProcessorFindings.Concat(verdict.Machine.Findings).Select(Text).Concat(verdict.Weakened);

    private ImmutableArray<DeviceEvidence> Devices(Nonce nonce) =>
        EvidenceFile.TryParse(SimulatedEvidence.ToJson(honest.World.Evidence(nonce.Bytes.ToArray())), "machine", out var devices, out var fault) ? devices : throw new InvalidOperationException($"{fault}");

    private async Task<VerdictKind> DevicesAsync(MachineEvidence evidence, MachineExpectations expected, CollateralSources? source = null) => (await JudgeAsync(evidence, expected, source ?? World)).Kind;

    // What the first step does not take is refused, and that is no pass.
    private static async Task<(VerdictKind Kind, Verdict? Verdict)> JudgeAsync(MachineEvidence evidence, MachineExpectations expected, ICollateralSource source, ProcessorCollateral? given = null, VerifierCache? cache = null)
    {
        cache ??= new VerifierCache();
        if (!MachineAppraisal.TryAuthenticate(evidence, expected, cache, out _, out _))
        {
            return (VerdictKind.Fail, null);
        }

        var verdict = await new MachineAppraiser(source, cache) { Given = given }.AppraiseAsync(evidence, expected, cancellation: Cancellation);
        return (verdict.Kind, verdict);
    }

    // What both manufacturers answer for the honest quote and report, by key.
    private ImmutableDictionary<CollateralKey, CollateralItem> Items()
    {
        Assert.True(Endorsements.TdxCollateral.TryParse(services.Tdx.Collateral, out var tdx, out _));
        Assert.True(ProcessorNeeds.TryName(Cpu(services.Tdx.Quote), ProcessorNeeds.StandardChannel, out var intel, out _));
        Assert.True(ProcessorNeeds.TryName(Cpu(services.Turin.Report), ProcessorNeeds.StandardChannel, out var amd, out _));
        Assert.True(ProcessorNeeds.TryName(Cpu(services.Milan.Report), ProcessorNeeds.StandardChannel, out var milan, out _));
        CollateralItem Of(CollateralKey key, SimulatedSnp snp) => key.Kind switch
        {
            CollateralKind.TcbInfo => new(Get("/tdx/certification/v4/tcb", ("fmspc", services.Pcs.Fmspc)), tdx.TcbInfo!.IssuerChain),
            CollateralKind.QeIdentity => new(Get("/tdx/certification/v4/qe/identity"), tdx.QeIdentity!.IssuerChain),
            CollateralKind.PckCrl => new(tdx.PckCrl!.Value),
            CollateralKind.RootCrl => new(tdx.RootCrl!.Value),
            CollateralKind.AmdCrl => new(snp.Crl),
            CollateralKind.Vcek => new(snp.Certificates[0]),
            _ => new(Encoding.ASCII.GetBytes(string.Concat(snp.Certificates[1..].Select(der => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der) + "\n")))),
        };

        return intel.Concat(amd).Select(key => KeyValuePair.Create(key, Of(key, services.Turin))).Concat(milan.Select(key => KeyValuePair.Create(key, Of(key, services.Milan)))).ToImmutableDictionary();
    }

    private ReadOnlyMemory<byte> Get(string path, params (string Name, string Value)[] query) =>
        services.Pcs.Get(path, name => query.FirstOrDefault(pair => pair.Name == name).Value).Body;

    private sealed class Lying(Func<CollateralKey, Fetched<CollateralItem>, Fetched<CollateralItem>> lie, ImmutableDictionary<CollateralKey, CollateralItem> items) : ICollateralSource
    {
        public System.Collections.Concurrent.ConcurrentBag<CollateralKey> Asked { get; } = [];

        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            Asked.Add(question.Key);
            var honestly = items.GetValueOrDefault(question.Key) is { } item ? Fetched.Of("services", item) : Fetched.Absent("services", "none");
            return Task.FromResult(lie(question.Key, honestly));
        }
    }
}
