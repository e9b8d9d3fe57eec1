using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Demo;
using Assay.Collateral;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Docs;

/// <summary>
/// The files that commands of the documents name, made by the simulator: a machine of 8 GPUs and 4 switches in a TDX VM, an SNP report,
/// their collateral, and the services of NVIDIA, Intel and AMD on loopback.
/// </summary>
public sealed class DocumentWorld : IAsyncLifetime
{
    private readonly SimulatedAuthority _authority;
    private readonly SimulatedWorld _world;
    private readonly SimulatedIntel _intel;
    private readonly SimulatedAmd _amd;
    private SimulatedKds? _kds;
    private JsonObject? _statements;
    private Loopback? _services;

    public DocumentWorld()
    {
        var now = TimeProvider.System.GetUtcNow();
        _authority = SimulatedAuthority.Create(now);
        Assert.True(SimulatedWorld.TryCreateMachine(
            _authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, DemoStage.Gpus, DemoStage.Switches, SimulatedFault.None, new FaultTarget(), now, out var world, out var whyNot), whyNot);
        (_world, _intel, _amd) = (world, SimulatedIntel.Create(now), SimulatedAmd.Create(now));
    }

    /// <summary>What devices alone answered.</summary>
    public static string Nonce { get; } = Convert.ToHexStringLower(SHA256.HashData("the nonce of the documents"u8));

    /// <summary>What the machine answered.</summary>
    public static string Challenge => DemoMachine.Challenge;

    /// <summary>What the TDX quote and the SNP report carry, hexadecimal.</summary>
    public string ReportData { get; private set; } = "";

    /// <summary>Where the manufacturers' services are.</summary>
    public string Services => _services!.Text;

    /// <summary>A folder with the files; copied for each document.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("assay-documents-").FullName;

    public async ValueTask InitializeAsync()
    {
        var trust = CpuAnchors.ToJson("documents", _intel, _amd, _authority);
        SimulatedSet.Of(_world, Convert.FromHexString(Nonce)).Write(Folder);
        Rename("gpu_evidence.json", "gpu.json");
        Rename("switch_evidence.json", "switch.json");
        var machine = await MachineAsync(trust);
        DemoMachineFiles.Write(Folder, machine, trust);
        Rename("reference_values.json", "references.json");
        Write("anchors.json", trust);

        var bundle = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, DemoMachineFiles.Bundle)))!;
        Write("quote.bin", Convert.FromBase64String((string)bundle["cpu"]!["quote"]!));
        Write("eventlog.json", Convert.FromBase64String((string)bundle["cpu"]!["eventLog"]!));
        // The name that a page gives to the firmware's log; the form of a log is seen by its content.
        Write("ccel.bin", Convert.FromBase64String((string)bundle["cpu"]!["eventLog"]!));
        Write("key.jwk", Encoding.UTF8.GetBytes(bundle["key"]!.ToJsonString()));
        _statements = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, DemoMachineFiles.Collateral)))!.AsObject();
        var data = machine.Key.ReportData(AdditionalEvidence.Of([.. machine.Evidence.Select(device => device.Bytes)]));
        var guest = SimulatedSnp.Create(_amd, SnpLine.Milan, 3, vlek: false, data);
        (ReportData, _kds) = (Convert.ToHexStringLower(data), SimulatedKds.Of(_amd, guest));
        Write("report.bin", guest.Report);
        _services = await Loopback.StartAsync(AnswerAsync);
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        _world.Dispose();
        _authority.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A port that nobody listens on just now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<DemoMachine> MachineAsync(byte[] anchors)
    {
        Assert.True(TrustSet.TryParse(anchors, out var trust, out var fault), fault?.ToString());
        var key = DemoMachine.NewKey();
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(_world.Evidence(key.DeviceNonce().Bytes.ToArray())), "evidence.json", out var evidence, out fault), fault?.ToString());
        var cache = new VerifierCache();
        var source = new CollateralSources { Rims = new WorldRims(_world), Ocsp = new WorldOcsp(_world) };
        var expected = DemoStage.Expect(key.DeviceNonce(), new EvaluationTime(_world.Now, TimeSource.System), trust);
        var verdict = await new MachineAppraiser(source, cache).AppraiseAsync(new MachineEvidence { Devices = [.. evidence] }, expected, cancellation: TestContext.Current.CancellationToken);
        return new DemoMachine(_intel, verdict.Appraisal, evidence, key, source, cache);
    }

    // NVIDIA's, Intel's and AMD's paths have nothing in common, so one address is enough.
    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (context.Request.Method == HttpMethods.Post)
        {
            await NvidiaServices.SendAsync(context, _world.AnswerOcsp(await NvidiaServices.BodyAsync(context)));
            return;
        }

        await ProcessorServices.SendAsync(context, path switch
        {
            "/v1/rim/ids" => SimulatedAnswer.Of("application/json", SimulatedRimService.Ids(_world.Rims)),
            _ when path.StartsWith("/v1/rim/", StringComparison.Ordinal) => _world.Rims.FirstOrDefault(rim => path.EndsWith("/" + rim.Id, StringComparison.Ordinal)) is { } rim
                ? SimulatedAnswer.Of("application/json", SimulatedRimService.Rim(rim)) : SimulatedAnswer.NotFound,
            _ when path.StartsWith("/vcek/", StringComparison.Ordinal) => _kds!.Get(path, context.Request.QueryString.Value!.TrimStart('?')),
            _ => OfIntel(path),
        });
    }

    // Intel's statements about the one platform, from the JSON in which quote verifiers keep them.
    private SimulatedAnswer OfIntel(string path)
    {
        string Of(string member) => (string)_statements![member]!;
        SimulatedAnswer Signed(string member, string json, string header) => new(200, "application/json",
            Encoding.UTF8.GetBytes($$"""{"{{member}}":{{Of(json)}},"signature":"{{Of(json + "_signature")}}"}"""), [(header, Uri.EscapeDataString(Of(json + "_issuer_chain")))]);
        return path switch
        {
            "/tdx/certification/v4/tcb" => Signed("tcbInfo", "tcb_info", "TCB-Info-Issuer-Chain"),
            "/tdx/certification/v4/qe/identity" => Signed("enclaveIdentity", "qe_identity", "SGX-Enclave-Identity-Issuer-Chain"),
            "/sgx/certification/v4/pckcrl" => new(200, "application/pkix-crl", Convert.FromHexString(Of("pck_crl")), [("SGX-PCK-CRL-Issuer-Chain", Uri.EscapeDataString(Of("pck_crl_issuer_chain")))]),
            "/sgx/certification/v4/rootcacrl" => new(200, "application/pkix-crl", Encoding.ASCII.GetBytes(Of("root_ca_crl")), []),
            "/IntelSGXRootCA.der" => new(200, "application/pkix-crl", Convert.FromHexString(Of("root_ca_crl")), []),
            _ => SimulatedAnswer.NotFound,
        };
    }

    private void Write(string name, ReadOnlySpan<byte> bytes) => File.WriteAllBytes(Path.Combine(Folder, name), bytes);

    private void Rename(string from, string to) => File.Move(Path.Combine(Folder, from), Path.Combine(Folder, to), overwrite: true);
}
