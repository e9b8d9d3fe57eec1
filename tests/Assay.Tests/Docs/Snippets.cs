using System.Collections.Immutable;
using System.Net;
using System.Security.Claims;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Client.AspNetCore;
using Assay.Client.Channels;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Rego;
using Assay.Rego.Values;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Assay.Tests.Docs;

/// <summary>The code that the documents show, compiled and run. A snippet there is a region here, word for word.</summary>
public class Snippets
{
    [Fact]
    public void Verify_offline_gives_a_verdict()
    {
        var file = Recorded.Bytes("nvidia/switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json");
        var rims = new Appraisal.Judged().WithRimsOf("rims/fsstore_switch").Rims;

        var verdict = VerifyOffline(file, rims, new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero));

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
    }

    private static Verdict VerifyOffline(byte[] file, ImmutableDictionary<string, ReadOnlyMemory<byte>> rims, DateTimeOffset now)
    {
        #region VerifyOffline
        if (!EvidenceFile.TryParse(file, "evidence.json", out var evidence, out var fault))
        {
            throw new InvalidDataException(fault?.ToString());
        }

        var expected = new DeviceExpectations
        {
            Nonce = null, // better: the challenge that you chose, Nonce.TryParse(…)
            Basis = new TrustBasis(new EvaluationTime(now, TimeSource.Stated), TrustSet.Nvidia, RevocationChecking.DangerouslySkipped),
        };
        var cache = new VerifierCache();
        var devices = DevicesAppraisal.Authenticate(evidence, expected, cache);
        var result = DevicesAppraisal.Appraise(devices, new MachineCollateral { Rims = rims }, expected, cache);
        var verdict = DefaultPolicy.Decide(result);
        #endregion
        return verdict;
    }

    [Fact]
    public async Task Without_an_agent_the_snippet_throws_its_fault() =>
        Assert.Equal("ctl.agent", (await Assert.ThrowsAsync<AgentException>(() => AskAgentAsync("c"))).Id);

    private static async Task<ReadOnlyMemory<byte>> AskAgentAsync(string challenge)
    {
        #region AskAgent
        // On the agent's own socket.
        using var agent = new GuestAgentClient();
        await agent.EnsureGpuReadyAsync();
        var evidence = await agent.GetEvidenceAsync(challenge, key: "release");
        #endregion
        return evidence;
    }

    [Fact]
    public async Task Without_a_service_the_snippet_says_so() =>
        Assert.Equal("urn:assay:unreachable", (await Assert.ThrowsAsync<ServiceRefusedException>(() => AttestAsync("http://127.0.0.1:1", "assay_0", "https://broker.example", (_, _) => Task.FromResult<ReadOnlyMemory<byte>>("{}"u8.ToArray())))).Problem);

    private static async Task<string> AttestAsync(string service, string key, string audience, Func<string, CancellationToken, Task<ReadOnlyMemory<byte>>> collect)
    {
        #region AttestWithService
        if (!ServiceAddress.TryParse(service, out var address, out var fault))
        {
            throw new InvalidDataException(fault.ToString());
        }

        using var client = new AttestationServiceClient(address, key);
        // In a VM: (nonce, cancellation) => agent.GetEvidenceAsync(nonce, "release", cancellation). What is refused throws, and names the checks that failed.
        var token = await client.AttestAsync(audience, collect);
        #endregion
        return token.Text;
    }

    [Fact]
    public void The_handler_of_tokens_is_added_with_issuer_and_audience()
    {
        using var provider = AcceptTokens(new ServiceCollection().AddLogging()).BuildServiceProvider();
        Assert.Equal("https://models.example", provider.GetRequiredService<IOptionsMonitor<AssayTokenOptions>>().Get("AssayToken").Audience);
    }

    private static IServiceCollection AcceptTokens(IServiceCollection services)
    {
        #region AcceptTokens
        services.AddAuthentication("AssayToken").AddAssayToken(options =>
        {
            options.Issuer = "https://attest.example";
            options.Audience = "https://models.example";
        });
        #endregion
        return services;
    }

    [Fact]
    public void A_Rego_policy_in_code_decides()
    {
        const string Source = "package policy\n\ndefault allow := false\n\nallow if {\n\tinput.mode == \"confidential\"\n\tinput.version >= 3\n}";
        Assert.True(Allows(Source, """{"mode":"confidential","version":3}"""u8.ToArray(), TestContext.Current.CancellationToken));
        Assert.False(Allows(Source, """{"mode":"confidential","version":2}"""u8.ToArray(), TestContext.Current.CancellationToken));
        Assert.Throws<InvalidDataException>(() => Allows(Source + "\nallow if 1 + \"a\"", "{}"u8.ToArray(), TestContext.Current.CancellationToken));
    }

    private static bool Allows(string source, byte[] json, CancellationToken deadline)
    {
        #region EvaluateRego
        // Once: parse, compile, prepare. Every error has file, line and column.
        if (!RegoModule.TryParse("policy.rego", source, out var module, out var error))
        {
            throw new InvalidDataException(error.ToDisplay());
        }

        if (!CompiledPolicy.TryCompile([module], data: null, out var policy, out var errors) || !policy.TryPrepare("data.policy.allow", out var query, out errors))
        {
            throw new InvalidDataException(string.Join('\n', errors.Select(one => one.ToDisplay())));
        }

        // As often as you like, from as many threads: evaluate.
        if (!RegoJson.TryRead(json, out var input, out var problem))
        {
            throw new InvalidDataException(problem);
        }

        var result = query.Evaluate(input, new EvaluationOptions { Budget = new EvaluationBudget { Steps = 1_000_000 } }, deadline);

        // True only for `true` itself: undefined, another value, an error or too much work is no pass. result.Error says which.
        return result.IsTrue;
        #endregion
    }

    [Fact]
    public void Reference_values_are_read_in_code()
    {
        var (tdx, _, _, _, _, signed) = ReadReferenceValues(Reference.Manifest.ManifestWorld.Signed, Reference.Manifest.ManifestWorld.Keys, Reference.Manifest.ManifestWorld.Now);
        Assert.True(signed);
        Assert.Equal(2, tdx.Length);
        Assert.Throws<InvalidDataException>(() => ReadReferenceValues(Reference.Manifest.ManifestWorld.Whole.ToCanonicalJson(), Reference.Manifest.ManifestWorld.Keys, Reference.Manifest.ManifestWorld.Now));
    }

    private static (ImmutableArray<TdxReference> Tdx, ImmutableArray<SnpReference> Snp, ImmutableDictionary<SnpProduct, SnpTcbParts>? MinimumTcb, ImmutableArray<TpmReference> Tpm, ImmutableArray<Digest> GpuPolicies, bool IsSigned)
        ReadReferenceValues(byte[] file, JsonWebKeySet? keys, DateTimeOffset now)
    {
        #region ReadReferenceValues
        if (!ReferenceValues.TryRead(file, keys, new EvaluationTime(now, TimeSource.System), minimumSequence: 7, out var values, out var findings))
        {
            throw new InvalidDataException(findings.First(finding => finding.State is CheckState.Failed).Reason);
        }

        // For TdxExpectations.References, SnpExpectations.References and MinimumTcb, TpmExpectations.References, GateRequirement.Policies.
        return (values.Tdx, values.Snp, values.MinimumTcb, values.Tpm, values.GpuPolicies, values.IsSigned);
        #endregion
    }

    [Fact]
    public async Task The_demonstrations_machine_is_judged_by_fifteen_lines()
    {
        using var machine = new Cli.MachineVerifyTests.Machine();
        Assert.True(TrustSet.TryParse(await File.ReadAllBytesAsync(Path.Combine(machine.Folder, "machine_anchors.json"), TestContext.Current.CancellationToken), out var trust, out var fault), fault?.ToString());

        var verdict = await JudgeMachineAsync(machine.Folder, "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=", trust, TimeProvider.System);

        Assert.Equal((VerdictKind.Pass, "boot-event", "proven"), (verdict.Kind, verdict.Binding, verdict.Freshness));
        Assert.Equal(["reference-values-unsigned"], verdict.Weakened);
        var replayed = await JudgeMachineAsync(machine.Folder, "another challenge", trust, TimeProvider.System);
        Assert.Equal((VerdictKind.Fail, "not-proven"), (replayed.Kind, replayed.Freshness));
    }

    [Fact]
    public void The_sample_judges_the_demonstrations_machine_and_refuses_another_challenge()
    {
        using var machine = new Cli.MachineVerifyTests.Machine();
        var sample = System.Reflection.Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, "Assay.Samples.JudgeMachine.dll"));
        int Run(string challenge) => (int)sample.EntryPoint!.Invoke(null, [new[] { machine.Folder, challenge }])!;

        Assert.Equal(0, Run("bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U="));
        Assert.Equal(1, Run("another challenge"));
        // A sample that sees what is internal would show nobody how to write one.
        Assert.DoesNotContain(sample.GetName().Name, typeof(Assay.Wire.Nonce).Assembly.GetCustomAttributes(typeof(System.Runtime.CompilerServices.InternalsVisibleToAttribute), false)
            .Cast<System.Runtime.CompilerServices.InternalsVisibleToAttribute>().Select(friend => friend.AssemblyName));
    }

    [Fact]
    public async Task The_short_form_refuses_a_challenge_that_nothing_shown_could_answer()
    {
        var quote = Recorded.PathOf("cpu/tdx/tdx_quote");
        using var verifier = new MachineVerifier(new MachineVerifierOptions());

        var thrown = await Assert.ThrowsAsync<InvalidDataException>(() => verifier.VerifyAsync(quote, new string('a', 64), TestContext.Current.CancellationToken));
        Assert.StartsWith("challenge: ", thrown.Message, StringComparison.Ordinal);
        Assert.Equal("not-proven", (await verifier.VerifyAsync(quote, null, TestContext.Current.CancellationToken)).Freshness);
    }

    [Fact]
    public async Task The_short_form_names_a_file_that_is_not_there_once()
    {
        var (evidence, anchors) = (Path.Combine(AppContext.BaseDirectory, "absent", "evidence.json"), Path.Combine(AppContext.BaseDirectory, "absent-anchors.json"));
        using var verifier = new MachineVerifier(new MachineVerifierOptions());

        Assert.Equal($"{evidence} cannot be read: no such file", (await Assert.ThrowsAsync<IOException>(() => verifier.VerifyAsync(evidence, null, TestContext.Current.CancellationToken))).Message);
        Assert.Equal($"{anchors} cannot be read: no such file", Assert.Throws<IOException>(() => new MachineVerifier(new MachineVerifierOptions { Anchors = anchors }).Dispose()).Message);
    }

    private static async Task<Verdict> JudgeMachineAsync(string folder, string challenge, TrustSet trust, TimeProvider clock)
    {
        #region JudgeMachine
        byte[] Read(string name) => File.ReadAllBytes(Path.Combine(folder, name));
        var time = new EvaluationTime(clock.GetUtcNow(), TimeSource.System);
        if (!MachineEvidence.TryParse(Read("machine.json"), "machine.json", out var evidence, out _)
            || !ReferenceValues.TryRead(Read("reference_values.json"), keys: null, time, minimumSequence: 0, out var references, out _)
            || !TdxCollateral.TryParse(Read("tdx_collateral.json"), out var tdx, out _))
        {
            throw new InvalidDataException(folder);
        }

        var expected = new MachineExpectations { Challenge = challenge, Basis = new TrustBasis(time, trust, RevocationChecking.Required), References = references, Gpus = 8, Switches = 4 };
        var sources = new CollateralSources { Rims = new DirectoryRimStore(Path.Combine(folder, "rims")), Ocsp = new DirectoryOcspStore(Path.Combine(folder, "ocsp")) };
        var appraiser = new MachineAppraiser(sources, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = tdx } };
        var verdict = await appraiser.AppraiseAsync(evidence, expected);
        #endregion
        return verdict;
    }

    [Fact]
    public async Task A_key_that_a_broker_sealed_is_used_and_wiped()
    {
        var used = 0;
        await UnwrapKey(
            jwk =>
            {
                Assert.True(SealingPublicKey.TryParse(System.Text.Encoding.ASCII.GetBytes(jwk), out var key, out _));
                return Task.FromResult(System.Text.Encoding.ASCII.GetBytes(Assay.Sealing.Jose.Jwe.SealCompact(key, new byte[32])));
            },
            key => used = key.Length);

        Assert.Equal(32, used);
    }

    private delegate void Decryption(ReadOnlySpan<byte> key);

    private static async Task UnwrapKey(Func<string, Task<byte[]>> broker, Decryption decrypt)
    {
        #region UnwrapKey
        // Made in this process, and wiped with the handle.
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var wrapped = await broker(pair.PublicKey.Jwk);
        if (!pair.TryUnwrapKey(wrapped, out var key, out var fault))
        {
            throw new InvalidOperationException(fault.ToString());
        }

        using (key)
        {
            key.Use(lease => decrypt(lease.Bytes));
        }
        #endregion
    }

    [Fact]
    public async Task A_client_and_a_service_of_attested_channels_talk()
    {
        await using var world = await Channels.ChannelWorld.StartAsync();
        using var identities = world.Identities();
        using var own = world.Identities(options => options with { Role = Assay.Binding.ChannelRole.Client });

        await using var app = await ServeAttestedAsync(identities, world.Policy());
        var answer = await AskAttestedAsync(world.Appraiser, world.Operator.RawData, own, app.Urls.Single());

        Assert.Matches("^hello, key [0-9a-f]{96}$", answer);
    }

    private static async Task<WebApplication> ServeAttestedAsync(ChannelIdentities identities, ChannelPolicy clients, int port = 0)
    {
        #region AttestedService
        var server = new ChannelServer(new ChannelServerOptions { Identities = identities, Clients = clients }); // without Clients: one-sided
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.UseAssayChannel(server)));
        builder.Services.AddAuthentication().AddAssayAttestation();
        builder.Services.AddAuthorization();
        var app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapGet("/", (ClaimsPrincipal user) => $"hello, key {user.Identity!.Name}").RequireAuthorization();
        await app.StartAsync();
        #endregion
        return app;
    }

    private static async Task<string> AskAttestedAsync(IChannelAppraiser appraiser, ReadOnlyMemory<byte> operatorCa, ChannelIdentities own, string address)
    {
        #region AttestedHttpClient
        var policy = new ChannelPolicy
        {
            Purpose = "inference",
            Operator = ChannelOperator.OfCa([operatorCa], "worker.example"), // whose
            Appraiser = appraiser, // what: a MachineChannelAppraiser
            DangerouslyAcceptedWeakenings = ["reference-values-unsigned"], // leave it out where yours are signed
        };
        var client = new ChannelClient(policy, own); // without own: for servers that demand nothing of clients
        using var http = new HttpClient(ChannelHttp.CreateHandler(client));
        var answer = await http.GetStringAsync(address); // http://worker.example:8443/
        #endregion
        return answer;
    }
}
