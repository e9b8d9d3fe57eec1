using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Evidence.Files;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Guest;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Log;
using Assay.Guest.Recording;
using Assay.Guest.Sources;
using Assay.Simulator;
using Assay.Tests.Tpm;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>The source that quotes a vTPM: what it reads of the TPM and asks of the cloud, and what it refuses.</summary>
public sealed class AzureVtpmTests
{
    private static readonly byte[] s_data = SHA512.HashData("a session"u8);

    [Theory]
    [InlineData("ownerwrite|authwrite|ownerread")]
    [InlineData("ownerwrite|authwrite|authread|no_da")]
    [InlineData("ownerwrite|authwrite|ownerread|authread")]
    public void The_HCL_report_is_read_as_the_index_allows_and_the_quote_is_over_the_first_half_of_the_data(string attributes)
    {
        using var tpm = new ParavisorTpm(isTdx: false, attributes);
        var report = Assert.IsType<VtpmReport>(Source(tpm.Transport).Report(s_data));

        Assert.Equal(tpm.Made.HclReport[..report.HclReport.Length], report.HclReport);
        Assert.Equal(tpm.Modulus, report.Modulus);
        Assert.True(TpmQuote.TryParse(report.Message, out var quote, out var fault), $"{fault}");
        Assert.Equal(s_data[..32], quote.ExtraData.ToArray());
        Assert.Equal(24, quote.Selections.Single().Count);
        Assert.Equal(tpm.Pcr(9, "sha256"), report.Pcrs[9].Bytes.ToArray());
        Assert.True(report.Pcrs[17].Bytes.IndexOfAnyExcept((byte)0xFF) < 0);
    }

    [Fact]
    public void An_index_that_only_firmware_may_read_gives_no_report()
    {
        using var tpm = new ParavisorTpm(isTdx: false, "ownerwrite|authwrite|ppread");

        Assert.Equal("source.azure.report", Assert.Throws<GuestException>(() => Source(tpm.Transport).Report(s_data)).Fault.Id);
    }

    [Theory]
    [InlineData("fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign")]
    [InlineData("fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign|decrypt")]
    public void A_key_that_signs_whatever_it_is_given_is_no_attestation_key(string attributes)
    {
        using var tpm = new ParavisorTpm(isTdx: false, keyAttributes: attributes, keyScheme: attributes.Contains("decrypt", StringComparison.Ordinal) ? "rsa2048:null:null" : "rsa2048:rsassa-sha256:null");

        Assert.Equal("source.azure.key", Assert.Throws<GuestException>(() => Source(tpm.Transport).Report(s_data)).Fault.Id);
    }

    [Fact]
    public void A_TPM_without_an_HCL_report_leaves_reports_and_logs_to_the_kernel()
    {
        using var tpm = Swtpm.Start();
        var source = Source(new SwtpmTransport(tpm.Port));

        Assert.Equal("tdx", source.Report(s_data).Tee);
        Assert.Equal([7], source.FirmwareLog());
        var own = new CpuReport("tdx", [1]);
        Assert.Same(own, source.Complete(own));
    }

    [Fact]
    public async Task What_the_metadata_service_does_not_have_or_has_of_another_VM_is_no_evidence()
    {
        await using var metadata = await MetadataServer.StartAsync();
        using var tpm = new ParavisorTpm(isTdx: true);
        var source = new AzureVtpm(tpm.Transport, new AzureMetadata(metadata.Url), new Kernel());
        var report = source.Report(s_data);
        string Fault() => Assert.Throws<GuestException>(() => source.Complete(report)).Fault.Id;

        Assert.Equal("source.azure.metadata", Fault());
        foreach (var (answer, id) in new[] { ("{}", "source.azure.metadata"), ("{\"quote\":1}", "source.azure.metadata"), ("[", "source.azure.metadata"), ("{\"quote\":\"*\"}", "source.azure.metadata"), ("{\"quote\":\"AAAA\"}", "source.azure.quote") })
        {
            metadata.Answers["/acc/tdquote"] = answer;
            Assert.Equal(id, Fault());
        }

        metadata.Serve(SimulatedAzure.OnTdxBeside(VtpmGuest.Intel, new byte[256]));
        Assert.Equal("source.azure.quote", Fault());

        metadata.Serve(tpm.Made);
        Assert.True(AzureVtpmEvidence.TryParse(source.Complete(report).Bytes, out var evidence, out var fault), $"{fault}");
        Assert.Equal(tpm.Made.Tdx!.Quote, evidence.TdQuote!.Value.ToArray());
        // It was asked about the TDREPORT of this very VM.
        Assert.Equal($"{{\"report\":\"{System.Buffers.Text.Base64Url.EncodeToString(tpm.Made.HclReport.AsSpan(32, 1024))}\"}}", metadata.Asked);
        Assert.Equal(1, metadata.Answers.Remove("/acc/tdquote") ? 1 : 0);
    }

    [Fact]
    public async Task A_certificate_of_the_chip_comes_as_PEM_and_goes_as_DER()
    {
        await using var metadata = await MetadataServer.StartAsync();
        var service = new AzureMetadata(metadata.Url);
        foreach (var answer in new[] { "{\"vcekCert\":\"MIIB\"}", "{\"vcekCert\":\"-----BEGIN PUBLIC KEY-----\\nMIIB\\n-----END PUBLIC KEY-----\"}", "{\"vcekCert\":null}" })
        {
            metadata.Answers["/metadata/THIM/amd/certification"] = answer;
            Assert.Equal("source.azure.metadata", Assert.Throws<GuestException>(service.Vcek).Fault.Id);
        }

        var made = SimulatedAzure.OnSnpBeside(VtpmGuest.Amd, SnpLine.Milan, RandomNumberGenerator.GetBytes(256));
        metadata.Serve(made);
        Assert.Equal(made.Snp!.Certificates[^1], service.Vcek());
    }

    [Fact]
    public async Task A_TD_whose_gate_writes_a_PCR_without_an_HCL_report_shows_no_log_that_nothing_explains()
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("register", "\"pcr13\""));
        using var tpm = Swtpm.Start();
        var transport = new SwtpmTransport(tpm.Port);
        var hardware = new HardwareInProcess(world.Hardware);
        var sources = hardware.Sources with { Vtpm = new AzureVtpm(transport, new AzureMetadata("http://127.0.0.1:1"), hardware), Register = pcr => new TpmRegister(transport, pcr!.Value) };
        var paths = new GuestPaths(world.Root);
        var report = await new BootGate(paths, MeasuredPlace.Anywhere, _ => sources, new Notification(null), TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);
        Assert.True(report.Fault is null, $"{report.Fault}");
        using var keys = new ReleaseKeys();
        Assert.True(Assay.Binding.KeyBinding.TryCreate("challenge", keys.PublicKey(0, "release"), out var key, out var fault), $"{fault}");
        var configuration = GuestConfigurationReader.Read(paths.Configuration, paths, MeasuredPlace.Anywhere);
        var register = sources.Register(configuration.Pcr);

        var bundle = EvidenceBundle.Make("challenge", key, new DeviceVerification(configuration, sources, TimeProvider.System), sources, MeasuredLog.Open(register, paths, onDstack: false), register, hasDevices: true);

        Assert.True(MachineEvidence.TryParse(bundle, "guest", out var evidence, out fault), $"{fault}");
        Assert.Equal(ProcessorEvidenceKind.TdxQuote, evidence.Cpu!.Kind);
        Assert.True(Assay.Evidence.EventLogs.EventLog.TryParse(evidence.Cpu.EventLog!.Value.Span, out var log, out fault), $"{fault}");
        Assert.Equal(Assay.Evidence.EventLogs.RegisterKind.Rtmr, log.Registers);
        Assert.DoesNotContain(log.Events, item => item.Name is not null);
    }

    [Fact]
    public async Task A_recording_behind_a_paravisor_has_the_parts_and_the_evidence()
    {
        await using var guest = await VtpmGuest.StartAsync();
        var folder = Directory.CreateDirectory(Path.Combine(guest.World.Folder, "recording")).FullName;

        var summary = await new MachineRecording(guest.Sources with { Gpus = new Nothing(), Switches = new Nothing(), Register = _ => new HardwareInProcess(guest.World.Hardware) }, folder, replacesIdentities: false, TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);

        Assert.True(summary.Contains("\ncollected      vTPM: evidence of the processor: az-vtpm.json", StringComparison.Ordinal), summary);
        Assert.True(AzureVtpmEvidence.TryParse(File.ReadAllBytes(Path.Combine(folder, "az-vtpm.json")), out var evidence, out var fault), $"{fault}");
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "hcl-report.bin")), evidence.HclReport.ToArray());
    }

    private static AzureVtpm Source(ITpmTransport transport) => new(transport, new AzureMetadata("http://127.0.0.1:1"), new Kernel());

    /// <summary>Devices that are not there: a recording asks their maker's services about those that are.</summary>
    private sealed class Nothing : IGpuSource, ISwitchSource
    {
        public GpuSystem Read() => new(0, false, false, false, "");

        public bool IsReady() => false;

        public void SetReady(bool ready)
        {
        }

        public ImmutableArray<int> Modes() => [];

        public ImmutableArray<DeviceEvidence> Collect(Nonce nonce) => [];
    }

    private sealed class Kernel : ICpuSource
    {
        public CpuReport Report(ReadOnlySpan<byte> data) => new("tdx", []);

        public byte[] FirmwareLog() => [7];
    }
}
