using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tpm;
using Assay.Guest;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Log;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Tpm;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Guest;

/// <summary>A vTPM as a paravisor keeps it: swtpm with an attestation key in its place, firmware's events in its PCRs, and an HCL report in NV that names the key.</summary>
internal sealed class ParavisorTpm : IDisposable
{
    private const int NvSize = 2048; // The largest of swtpm; the recorded index has 2600 bytes, zeros at its end.

    private static readonly SimulatedBoot s_firmware = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [], Policy = new byte[48] });

    private readonly Swtpm _tpm = Swtpm.Start();

    public ParavisorTpm(bool isTdx, string attributes = "ownerwrite|authwrite|ownerread", ParavisorTpm? hclOf = null, string keyAttributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign", string keyScheme = "rsa2048:rsassa-sha256:null")
    {
        _tpm.Run("createprimary", "-C", "e", "-G", keyScheme, "-a", keyAttributes, "-c", _tpm.At("ak.ctx"));
        _tpm.Run("evictcontrol", "-C", "o", "-c", _tpm.At("ak.ctx"), "0x81000003");
        _tpm.Run("readpublic", "-c", "0x81000003", "-o", _tpm.At("ak.pub"));
        Assert.True(TpmPublic.TryParseSized(_tpm.Read("ak.pub"), out var key, out var fault), $"{fault}");
        Modulus = key.First.ToArray();
        Made = hclOf?.Made ?? (isTdx ? SimulatedAzure.OnTdxBeside(VtpmGuest.Intel, Modulus) : SimulatedAzure.OnSnpBeside(VtpmGuest.Amd, SnpLine.Milan, Modulus));
        Assert.False(Made.HclReport.AsSpan(NvSize).ContainsAnyExcept((byte)0));
        File.WriteAllBytes(_tpm.At("hcl"), Made.HclReport[..NvSize]);
        _tpm.Run("nvdefine", "0x01400001", "-C", "o", "-s", $"{NvSize}", "-a", attributes);
        _tpm.Run("nvwrite", "0x01400001", "-C", "o", "-i", _tpm.At("hcl"));
        Measure();
    }

    public byte[] Modulus { get; }

    public SimulatedAzure Made { get; }

    public int Port => _tpm.Port;

    public SwtpmTransport Transport => new(Port);

    /// <summary>The PCRs that name loader, Secure Boot and kernel, as a builder of images publishes them.</summary>
    public static TpmReference Boot(string? paravisor) => new()
    {
        Name = "the image",
        Bank = TcgHash.Sha256,
        Values = new[] { 4, 7, 9 }.ToImmutableSortedDictionary(register => register, register => new Digest(s_firmware.Pcrs[register].Span)),
        Paravisor = paravisor,
    };

    /// <summary>The power goes off and on; firmware measures again.</summary>
    public void Reboot(bool measures = true)
    {
        _tpm.Reset();
        if (measures)
        {
            Measure();
        }
    }

    /// <summary>The PCR's value in a bank, by tpm2-tools.</summary>
    public byte[] Pcr(int register, string bank)
    {
        _tpm.Run("pcrread", $"{bank}:{register}", "-o", _tpm.At("pcr"));
        return _tpm.Read("pcr");
    }

    public void Dispose() => _tpm.Dispose();

    private void Measure()
    {
        Assert.True(EventLog.TryParse(s_firmware.TcgLog(), out var log, out var fault), $"{fault}");
        foreach (var item in log.Events.Where(item => item.IsExtended))
        {
            SwtpmTransport.Extend(Port, (byte)item.Register, item.Digests[log.Banks.IndexOf(TcgHash.Sha256)].Bytes.ToArray(), item.Digests[log.Banks.IndexOf(TcgHash.Sha384)].Bytes.ToArray());
        }
    }
}

/// <summary>The metadata service of the cloud's hosts, on loopback.</summary>
internal sealed class MetadataServer : IAsyncDisposable
{
    private readonly Microsoft.AspNetCore.Builder.WebApplication _server;

    private MetadataServer(Microsoft.AspNetCore.Builder.WebApplication server) => _server = server;

    /// <summary>What it answers, by path; a 404 for others.</summary>
    public Dictionary<string, string> Answers { get; } = new(StringComparer.Ordinal);

    /// <summary>The last request's body.</summary>
    public string Asked { get; private set; } = "";

    public string Url => _server.Urls.Single();

    public static async Task<MetadataServer> StartAsync()
    {
        var builder = Microsoft.AspNetCore.Builder.WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var server = new MetadataServer(builder.Build());
        server._server.Urls.Add("http://127.0.0.1:0");
        Microsoft.AspNetCore.Builder.RunExtensions.Run(server._server, async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            server.Asked = await reader.ReadToEndAsync(context.RequestAborted);
            var known = server.Answers.TryGetValue(context.Request.Path, out var answer) && (context.Request.Method is "POST" || context.Request.Headers["Metadata"] == "true");
            context.Response.StatusCode = known ? 200 : 404;
            await context.Response.WriteAsync(known ? answer! : "", context.RequestAborted);
        });
        await server._server.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>What it says of a VM.</summary>
    public void Serve(SimulatedAzure made)
    {
        Answers["/metadata/THIM/amd/certification"] = made.Snp is { } snp ? new JsonObject { ["vcekCert"] = PemEncoding.WriteString("CERTIFICATE", snp.Certificates[^1]), ["tcbm"] = "DB18000000000004" }.ToJsonString() : "{}";
        Answers["/acc/tdquote"] = made.Tdx is { } tdx ? new JsonObject { ["quote"] = System.Buffers.Text.Base64Url.EncodeToString(tdx.Quote) }.ToJsonString() : "{}";
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();
}

/// <summary>
/// A confidential VM behind a simulated paravisor with the devices of <see cref="GuestWorld"/>: gate, boundary and agent's evidence in this process, on a
/// software TPM; and the relying party that knows paravisor, boot and gate.
/// </summary>
internal sealed class VtpmGuest : IAsyncDisposable
{
    public const string Paravisor = "the cloud's paravisor";

    private readonly MetadataServer _metadata;

    private VtpmGuest(GuestWorld world, MetadataServer metadata, ParavisorTpm tpm)
    {
        (World, _metadata, Tpm) = (world, metadata, tpm);
        Key = new ReleaseKeys();
        Transport = tpm.Transport;
        _metadata.Serve(tpm.Made);
        world.Hardware.Vtpm = new SimulatedVtpm(tpm.Port, metadata.Url, AnchorsJson);
    }

    public static SimulatedAmd Amd { get; } = SimulatedAmd.Create(TimeProvider.System.GetUtcNow());

    public static SimulatedIntel Intel { get; } = SimulatedIntel.Create(TimeProvider.System.GetUtcNow());

    private static byte[] AnchorsJson { get; } = CpuAnchors.ToJson("simulated guests behind a paravisor", Intel, Amd, GuestWorld.Authority);

    public static TrustSet Trust { get; } =
        TrustSet.TryParse(AnchorsJson, out var trust, out var fault) ? trust : throw new InvalidOperationException($"{fault}");

    public GuestWorld World { get; }

    public ParavisorTpm Tpm { get; }

    /// <summary>What stands between the guest and its TPM.</summary>
    public ITpmTransport Transport { get; set; }

    public ReleaseKeys Key { get; }

    public static int Pcr => SimulatedBoot.GatePcr;

    public GuestPaths Paths => new(World.Root);

    public GuestConfiguration Configuration => GuestConfigurationReader.Read(Paths.Configuration, Paths, MeasuredPlace.Anywhere);

    public GuestSources Sources => new HardwareInProcess(World.Hardware).Sources with
    {
        Cpu = new NoReports(),
        Vtpm = Cpu(Transport),
        Register = pcr => new TpmRegister(Transport, pcr!.Value),
        Tpm = () => Transport,
        Trust = Trust,
    };

    public AzureVtpm Cpu(ITpmTransport transport) => new(transport, new AzureMetadata(_metadata.Url), new NoReports());

    public static async Task<VtpmGuest> StartAsync(bool isTdx = false, ParavisorTpm? tpm = null, params (string Name, string Json)[] configuration)
    {
        var world = await GuestWorld.StartAsync();
        world.Configure([("register", $"\"pcr{SimulatedBoot.GatePcr}\""), .. configuration]);
        return new VtpmGuest(world, await MetadataServer.StartAsync(), tpm ?? new ParavisorTpm(isTdx));
    }

    /// <summary>The same up to where workloads run.</summary>
    public static async Task<VtpmGuest> BootAsync(bool isTdx = false)
    {
        var guest = await StartAsync(isTdx);
        var report = await guest.GateAsync();
        Assert.True(report.Fault is null, $"{report.Fault}");
        guest.Seal();
        return guest;
    }

    public Task<GateReport> GateAsync() =>
        new BootGate(Paths, MeasuredPlace.Anywhere, _ => Sources, new Notification(null), TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);

    /// <summary>The power goes off and on, in front of the gate.</summary>
    public void Reboot(bool measures = true)
    {
        Tpm.Reboot(measures);
        World.Reboot();
    }

    public void Seal() => Boundary.Draw(Paths, Configuration, Sources, new Notification(null));

    public DeviceVerification Devices => new(Configuration, Sources, TimeProvider.System);

    public MeasuredLog Log() => MeasuredLog.Open(Sources.Register(Pcr), Paths, onDstack: false);

    public KeyBinding Bind(string challenge) => KeyBinding.TryCreate(challenge, Key.PublicKey(0, "release"), out var binding, out var fault) ? binding : throw new InvalidOperationException($"{fault}");

    /// <summary>What the agent answers to a challenge.</summary>
    public byte[] Evidence(string challenge, MeasuredLog? log = null)
    {
        var sources = Sources;
        return EvidenceBundle.Make(challenge, Bind(challenge), Devices, sources, log ?? Log(), sources.Register(Pcr), hasDevices: true);
    }

    /// <summary>What this VM's vTPM, or another's, says about what evidence of this VM binds.</summary>
    public VtpmReport ReportFor(byte[] bundle, string challenge, ITpmTransport transport)
    {
        Assert.True(MachineEvidence.TryParse(bundle, "guest", out var evidence, out var fault), $"{fault}");
        return Assert.IsType<VtpmReport>(Cpu(transport).Report(Bind(challenge).ReportData(AdditionalEvidence.Of(evidence.Devices))));
    }

    /// <summary>The bundle with other evidence of a processor in it.</summary>
    public static byte[] With(byte[] bundle, byte[] quote)
    {
        var changed = JsonNode.Parse(bundle)!;
        changed["cpu"]!["quote"] = Convert.ToBase64String(quote);
        return Encoding.UTF8.GetBytes(changed.ToJsonString());
    }

    /// <summary>The bundle with an edited log.</summary>
    public static byte[] WithLog(byte[] bundle, Func<JsonArray, JsonArray> edit)
    {
        var changed = JsonNode.Parse(bundle)!;
        var log = JsonNode.Parse(Convert.FromBase64String(changed["cpu"]!["eventLog"]!.GetValue<string>()))!.AsArray();
        changed["cpu"]!["eventLog"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(edit(log).ToJsonString()));
        return Encoding.UTF8.GetBytes(changed.ToJsonString());
    }

    /// <summary>The relying party: paravisor, boot and gate are known, or, for the comparison, the paravisor is not.</summary>
    public async Task<Verdict> JudgeAsync(ReadOnlyMemory<byte> bundle, string challenge, bool namesParavisor = true)
    {
        Assert.True(MachineEvidence.TryParse(bundle.Span, "guest", out var evidence, out var fault), $"{fault}");
        Assert.True(ServiceAddress.TryParse(World.Url, out var url, out fault), $"{fault}");
        var digest = new Digest(Convert.FromHexString(World.Report().GetProperty("gpuPolicy").GetString()!));
        var now = TimeProvider.System.GetUtcNow();
        var time = new EvaluationTime(now, TimeSource.System);
        var references = new ReferenceManifest
        {
            // A manifest that marks nothing is one of version 1.
            Version = namesParavisor ? 2 : 1,
            ImageName = "simulated guest behind a paravisor",
            ImageVersion = "1",
            Sequence = 1,
            NotBefore = now.AddDays(-1),
            NotAfter = now.AddDays(1),
            Tdx = Tpm.Made.Tdx is null ? [] : [new TdxReference { Name = Paravisor, MrTd = new Digest(SimulatedAzure.ParavisorMrTd), Rtmr = [null, null, null, null], IsParavisor = namesParavisor }],
            Snp = Tpm.Made.Snp is null ? [] : [new SnpReference { Name = Paravisor, Measurement = new Digest(SimulatedAzure.ParavisorMeasurement), IsParavisor = namesParavisor }],
            SnpMinimumTcb = Tpm.Made.Snp is null ? null : ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty.Add(SnpProduct.Milan, new SnpTcbParts(0, 4, 1, 24, 213)),
            Pcrs = [ParavisorTpm.Boot(namesParavisor ? Paravisor : null)],
            GpuPolicies = [digest],
        };
        Assert.True(ReferenceValues.TryRead(references.ToCanonicalJson(), keys: null, time, minimumSequence: 0, out var values, out var unread), string.Join("; ", unread.Select(finding => $"{finding.Id}: {finding.Reason}")));
        using var sources = new CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        var expected = new MachineExpectations
        {
            Challenge = challenge,
            Basis = new TrustBasis(time, Trust, RevocationChecking.Required),
            References = values,
            Gpus = GuestWorld.Gpus,
            Switches = GuestWorld.Switches,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = Pcr, Policies = [digest], Outcome = GateOutcome.Attested, Devices = null },
        };
        var made = Tpm.Made;
        var given = new ProcessorCollateral
        {
            Tdx = made.Tdx is { } tdx && TdxCollateral.TryParse(tdx.Collateral, out var statements, out _) ? statements : TdxCollateral.Empty,
            Snp = made.Snp is { } snp ? new SnpCollateral { Certificates = [.. snp.Certificates.Select(der => (ReadOnlyMemory<byte>)der)], Crl = snp.Crl } : SnpCollateral.Empty,
        };
        return await new MachineAppraiser(sources, new VerifierCache()) { Given = given }.AppraiseAsync(evidence, expected, cancellation: TestContext.Current.CancellationToken);
    }

    /// <summary>The ids of the checks that failed.</summary>
    public static string[] Failed(Verdict verdict) =>
        [.. verdict.Machine!.Parts.ProcessorFindings.Concat(verdict.Machine.Parts.Boot?.Findings ?? []).Concat(verdict.Machine.Findings).Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id)];

    public async ValueTask DisposeAsync()
    {
        Key.Dispose();
        Tpm.Dispose();
        await _metadata.DisposeAsync();
        await World.DisposeAsync();
    }

    /// <summary>As on Azure: there is neither configfs-tsm nor /dev/sev-guest.</summary>
    private sealed class NoReports : ICpuSource
    {
        public CpuReport Report(ReadOnlySpan<byte> data) => throw new GuestException("source.tsm.absent", "there is none", "");

        public byte[] FirmwareLog() => [1];
    }
}
