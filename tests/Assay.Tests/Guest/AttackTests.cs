using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Assay.Appraisal.Machine;
using Assay.Collateral.Http;
using Assay.Evidence.Files;
using Assay.Guest;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Recording;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>What an attacker of a running guest tried, and what holds against it: boundary, mode, watch, keys, recordings and mounts.</summary>
public sealed class AttackTests
{
    [Fact]
    public async Task An_agent_that_started_before_the_boundary_shows_the_boundary_after_it()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        using var agent = RunningAgent.Start(world);
        Assert.Equal(0, world.Run("seal-boot").ExitCode);

        var (status, bundle) = await agent.AskAsync("GetEvidence", """{"challenge":"c","key":"release"}""");
        Assert.True(status == 200, Encoding.UTF8.GetString(bundle.Span));
        var verdict = await GuestVerdict.OfAsync(world, bundle, "c");
        Assert.True(verdict.Passed, $"{verdict}");
    }

    [Fact]
    public async Task Devices_in_another_mode_give_no_evidence()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        world.Hardware.Fault = Assay.Simulator.GuestFault.DevTools;
        world.Hardware.Answer("{\"op\":\"gpu.set-ready\",\"ready\":0}"u8.ToArray());
        var (refused, problem) = await agent.AskAsync("EnsureGpuReady");
        var health = await agent.JsonAsync("Health");

        var (status, bundle) = await agent.AskAsync("GetEvidence", """{"challenge":"c","key":"release"}""");
        var said = status == 200 ? $"{(await GuestVerdict.OfAsync(world, bundle, "c")).Word} {(await GuestVerdict.OfAsync(world, bundle, "c")).Binding}" : "";
        Assert.True(status != 200, $"ensure {refused} {Encoding.UTF8.GetString(problem.Span)}; health {health}; evidence 200, verdict {said}");
    }

    [Fact]
    public async Task A_mode_that_changes_is_seen_at_the_next_look()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var state = new AgentState(ConfigurationOf(world, world.Url), new HardwareInProcess(world.Hardware).Sources, new GuestPaths(world.Root), TimeProvider.System);
        world.Hardware.Fault = Assay.Simulator.GuestFault.DevTools;
        state.Look();
        Assert.False(state.Snapshot.IsReady);
    }

    [Fact]
    public void One_user_does_not_take_the_keys_of_others()
    {
        using var keys = new ReleaseKeys();
        for (var number = 0; number < 16; number++)
        {
            keys.PublicKey(1000, $"k{number}", Assay.Sealing.Keys.KeyKind.P256);
        }

        Assert.Throws<GuestException>(() => keys.PublicKey(1000, "more"));

        Assert.NotEmpty(keys.PublicKey(1001, "release"));
    }

    [Fact]
    public async Task A_device_that_goes_while_collateral_is_slow_takes_the_ready_state()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var state = new AgentState(
            ConfigurationOf(world, $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}") with { Timeout = TimeSpan.FromSeconds(3) },
            new HardwareInProcess(world.Hardware).Sources, new GuestPaths(world.Root), TimeProvider.System);
        var verifying = Task.Run(() => state.VerifyAsync(TestContext.Current.CancellationToken));
        using var stalled = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        world.Hardware.Unplugged = 0;
        state.Look();
        var during = state.Snapshot.IsReady;
        var after = await verifying;

        Assert.False(during);
        Assert.Equal((false, "gate.devices.count"), (after.IsReady, after.Fault!.Id));
        Assert.False(world.Hardware.IsReady);
    }

    [Fact]
    public async Task Waiting_callers_do_not_verify_what_is_ready_again()
    {
        await using var world = await GuestWorld.StartAsync();
        using var agent = await RunningAgent.StartVerifiedAsync(world);
        world.Hardware.Answer("{\"op\":\"gpu.set-ready\",\"ready\":0}"u8.ToArray());
        while ((await agent.JsonAsync("Health")).GetProperty("ready").GetBoolean())
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }

        var before = world.Hardware.Operations["gpu.evidence"];
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => agent.AskAsync("EnsureGpuReady")));
        Assert.Equal(1, world.Hardware.Operations["gpu.evidence"] - before);
    }

    [Fact]
    public async Task Replaced_identities_leave_no_PDI_of_any_device()
    {
        await using var world = await GuestWorld.StartAsync();
        var hardware = new HardwareInProcess(world.Hardware).Sources;
        Assert.True(Nonce.TryCreate(new byte[32].Select((_, index) => (byte)(index + 1)).ToArray(), out var nonce));
        ImmutableArray<DeviceEvidence> all = [.. hardware.Gpus.Collect(nonce), .. hardware.Switches.Collect(nonce)];
        var serials = all.Select(device => SerialsOf(device)).ToArray();
        var identities = new Identities();
        foreach (var device in all)
        {
            identities.Learn(device.Chain.Span);
        }

        var left = new List<string>();
        for (var index = 0; index < all.Length; index++)
        {
            var (report, chain) = (identities.Apply(all[index].Report.Span), identities.ApplyPem(all[index].Chain.Span));
            var text = Encoding.ASCII.GetString(chain);
            var ders = new List<byte[]> { report };
            while (System.Security.Cryptography.PemEncoding.TryFind(text, out var fields))
            {
                ders.Add(Convert.FromBase64String(text[fields.Base64Data]));
                text = text[fields.Location.End..];
            }

            for (var other = 0; other < all.Length; other++)
            {
                foreach (var (name, serial) in serials[other])
                {
                    byte[] pdi = serial.Length == 9 ? serial[1..] : serial;
                    byte[][] forms = [pdi, [.. pdi.Reverse()], Encoding.ASCII.GetBytes(Convert.ToHexString(pdi)), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(pdi))];
                    foreach (var (part, der) in ders.Index())
                    {
                        if (forms.Any(form => der.AsSpan().IndexOf(form) >= 0))
                        {
                            left.Add($"{all[index].Source} part {part} has {name} of {all[other].Source}");
                        }
                    }
                }
            }
        }

        Assert.True(left.Count == 0, string.Join("\n", left));
    }

    [Fact]
    public async Task OCSP_answers_of_a_recording_name_no_device()
    {
        await using var world = await GuestWorld.StartAsync();
        var sources = new HardwareInProcess(world.Hardware).Sources;
        Assert.True(Nonce.TryCreate(new byte[32].Select((_, index) => (byte)(index + 1)).ToArray(), out var nonce));
        var all = sources.Gpus.Collect(nonce);
        Assert.True(ServiceAddress.TryParse(world.Url, out var url, out _));
        using var http = new Assay.Collateral.CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        var saving = new Saving(http.Ocsp!);
        var appraiser = new Assay.Collateral.MachineAppraiser(new Assay.Collateral.CollateralSources { Rims = http.Rims, Ocsp = saving }, new Assay.Trust.VerifierCache());
        await appraiser.AppraiseAsync(new MachineEvidence { Devices = all }, new MachineExpectations { Nonce = nonce, Basis = new Assay.Trust.TrustBasis(new Assay.Checks.EvaluationTime(TimeProvider.System.GetUtcNow(), Assay.Checks.TimeSource.System), sources.Trust, Assay.Trust.Revocation.RevocationChecking.Required) }, cancellation: TestContext.Current.CancellationToken);
        var identities = new Identities();
        foreach (var device in all)
        {
            identities.Learn(device.Chain.Span);
        }

        // A search that finds nothing anywhere proves nothing.
        Assert.Contains(all.SelectMany(SerialsOf), serial => saving.Bodies.Any(body => body.AsSpan().IndexOf(serial.Serial) >= 0));
        var named = all.SelectMany(SerialsOf).Where(serial => saving.Bodies.Any(body => identities.Apply(body).AsSpan().IndexOf(serial.Serial) >= 0)).Select(serial => $"{serial.Name} {Convert.ToHexString(serial.Serial)}").ToArray();
        Assert.True(named.Length == 0, $"{saving.Bodies.Count} answers name {string.Join(", ", named)}");
    }

    [Fact]
    public async Task A_recording_follows_no_link()
    {
        await using var world = await GuestWorld.StartAsync();
        var folder = Directory.CreateDirectory(Path.Combine(world.Folder, "recording")).FullName;
        var victim = Path.Combine(world.Folder, "victim");
        File.WriteAllText(victim, "precious");
        // Between the look at an empty folder and the first file, by its owner.
        File.CreateSymbolicLink(Path.Combine(folder, "SUMMARY.txt"), victim);
        var hardware = new HardwareInProcess(world.Hardware).Sources;
        var nothing = new Nothing();
        try
        {
            await new MachineRecording(hardware with { Gpus = nothing, Switches = nothing }, folder, replacesIdentities: true, TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);
        }
        catch (GuestException)
        {
        }

        Assert.Equal("precious", File.ReadAllText(victim));
    }

    [Fact]
    public void A_credential_of_the_hosts_is_no_initial_RAM_file_system()
    {
        var folder = Directory.CreateTempSubdirectory("attack-").FullName;
        try
        {
            var file = Path.Combine(folder, "cred", "guest.json");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "{}");
            var mounts = Path.Combine(folder, "mounts");
            File.WriteAllText(mounts, $"21 1 254:0 / / ro - ext4 /dev/mapper/root ro\n22 21 0:33 / {folder}/cred rw,nosuid - ramfs ramfs rw,mode=700\n");
            Assert.NotNull(new MeasuredPlace(mounts, Path.Combine(folder, "block")).WhyNot(file));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Too_old_collateral_does_not_hide_devices_in_another_mode()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var configuration = ConfigurationOf(world, "http://127.0.0.1:1");
        var state = new AgentState(configuration with { Agent = configuration.Agent with { MaximumCollateralAge = TimeSpan.Zero } }, new HardwareInProcess(world.Hardware).Sources, new GuestPaths(world.Root), TimeProvider.System);
        Assert.Equal("agent.collateral-too-old", (await state.VerifyAsync(TestContext.Current.CancellationToken)).Fault!.Id);
        state.RequireUsable();

        world.Hardware.Fault = Assay.Simulator.GuestFault.DevTools;

        Assert.Equal("gate.cc.devtools", Assert.Throws<GuestException>(state.RequireUsable).Fault.Id);
    }

    [Fact]
    public async Task A_log_that_was_opened_before_an_event_is_not_shown_with_a_quote_after_it()
    {
        await using var world = await GuestWorld.StartAsync();
        Assert.Equal(0, world.Run("gate").ExitCode);
        var (configuration, sources) = (ConfigurationOf(world, world.Url), new HardwareInProcess(world.Hardware).Sources);
        var state = new AgentState(configuration, sources, new GuestPaths(world.Root), TimeProvider.System);
        var log = state.OpenLog();
        Assert.Equal(0, world.Run("seal-boot").ExitCode);
        using var keys = new ReleaseKeys();
        Assert.True(Assay.Binding.KeyBinding.TryCreate("c", keys.PublicKey(0, "release"), out var binding, out _));

        var refused = Assert.Throws<GuestException>(() => EvidenceBundle.Make("c", binding, state.Devices, sources, log, state.Register, hasDevices: true));

        Assert.Equal("gate.report.register", refused.Fault.Id);
    }

    [Fact]
    public void A_mount_that_lies_over_another_counts()
    {
        var folder = Directory.CreateTempSubdirectory("attack-").FullName;
        try
        {
            var file = Path.Combine(folder, "usr", "lib", "guest.json");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, "{}");
            Directory.CreateDirectory(Path.Combine(folder, "block", "254:1", "dm"));
            File.WriteAllText(Path.Combine(folder, "block", "254:1", "dm", "uuid"), "CRYPT-VERITY-1");
            var mounts = Path.Combine(folder, "mounts");
            // A verity image at usr/lib, then a writable file system over usr that hides it.
            File.WriteAllText(mounts, $"21 1 0:1 / / ro - tmpfs root ro\n22 21 254:1 / {folder}/usr/lib ro - ext4 /dev/mapper/v ro\n23 21 0:33 / {folder}/usr rw - tmpfs host rw\n");
            Assert.NotNull(new MeasuredPlace(mounts, Path.Combine(folder, "block")).WhyNot(file));
            // A measured one over both takes nothing back: which of the later ones is on top, the table does not say.
            File.AppendAllText(mounts, $"24 21 254:1 / {folder} ro - ext4 /dev/mapper/v ro\n");
            Assert.NotNull(new MeasuredPlace(mounts, Path.Combine(folder, "block")).WhyNot(file));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Two_gates_at_once_leave_at_most_one_open()
    {
        await using var world = await GuestWorld.StartAsync();
        using var first = world.Begin("gate");
        using var second = world.Begin("gate");
        var (one, two) = (GuestWorld.EndOf(first), GuestWorld.EndOf(second));
        Assert.True(one.ExitCode + two.ExitCode >= 1, "both open");
    }

    [Theory]
    [InlineData("endless")]
    [InlineData("redirect")]
    [InlineData("deep")]
    [InlineData("number")]
    [InlineData("bom")]
    [InlineData("badutf8")]
    [InlineData("header")]
    public async Task A_metadata_service_that_lies_ends_as_a_fault(string kind)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var cancellation = TestContext.Current.CancellationToken;
        _ = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync(cancellation);
            var stream = client.GetStream();
            var buffer = new byte[4096];
            _ = await stream.ReadAsync(buffer, cancellation);
            async Task Say(string text) => await stream.WriteAsync(Encoding.Latin1.GetBytes(text), cancellation);
            string Whole(string body) => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}";
            try
            {
                switch (kind)
                {
                    case "endless":
                        await Say("HTTP/1.1 200 OK\r\n\r\n");
                        while (true)
                        {
                            await Say(new string(' ', 4096));
                        }
                    case "redirect": await Say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"); break;
                    case "deep": await Say(Whole(new string('[', 3000))); break;
                    case "number": await Say(Whole("{\"vcekCert\":7}")); break;
                    case "bom": await Say(Whole("\u00ef\u00bb\u00bf{}")); break;
                    case "badutf8": await Say(Whole("{\"vcekCert\":\"\u00ff\u00fe\"}")); break;
                    case "header":
                        await Say("HTTP/1.1 200 OK\r\n");
                        while (true)
                        {
                            await Say("X: " + new string('a', 4096) + "\r\n");
                        }
                }
            }
            catch (IOException)
            {
                // It has had enough.
            }
        }, cancellation);
        var service = new AzureMetadata($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        var exception = await Task.Run(() => Record.Exception(() => service.Vcek()), cancellation);

        Assert.Equal("source.azure.metadata", Assert.IsType<GuestException>(exception).Fault.Id);
    }

    private static GuestConfiguration ConfigurationOf(GuestWorld world, string url) =>
        GuestConfigurationReader.Read(new GuestPaths(world.Root).Configuration, new GuestPaths(world.Root), MeasuredPlace.Anywhere) with { CollateralUrl = ServiceAddress.TryParse(url, out var address, out var fault) ? address : throw new InvalidOperationException($"{fault}") };

    private static IEnumerable<(string Name, byte[] Serial)> SerialsOf(DeviceEvidence device)
    {
        var collection = new System.Security.Cryptography.X509Certificates.X509Certificate2Collection();
        collection.ImportFromPem(Encoding.ASCII.GetString(device.Chain.Span));
        return collection.Take(2).Select((certificate, index) => ($"serial {index}", certificate.SerialNumberBytes.ToArray())).ToArray();
    }

    private sealed class Saving(Assay.Collateral.ICollateralSource source) : Assay.Collateral.ICollateralSource
    {
        public System.Collections.Concurrent.ConcurrentBag<byte[]> Bodies { get; } = [];

        public async Task<Assay.Collateral.Fetched<Assay.Endorsements.CollateralItem>> FetchAsync(Assay.Collateral.CollateralQuestion question, CancellationToken cancellation)
        {
            var answer = await source.FetchAsync(question, cancellation);
            if (answer.Item is { } item)
            {
                Bodies.Add(item.Body.ToArray());
            }

            return answer;
        }
    }

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
}
