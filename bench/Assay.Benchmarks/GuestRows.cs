using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Gathering;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Sources;
using Assay.Simulator;
using Assay.Tests.Guest;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;
using OcspRequest = Assay.Trust.Revocation.OcspRequest;

namespace Assay.Benchmarks;

/// <summary>
/// The boot gate from its start to the ready state, with a bundle and no network, against its own signature work. What the simulated hardware computes in
/// the meantime is measured on its thread and taken off. The published program's start-up and size stand beside it.
/// </summary>
internal static class GuestRows
{
    private const int Gpus = 8;
    private const int Switches = 4;
    private const int WarmUp = 60;
    private const int Rounds = 15;

    public static IEnumerable<Row> Rows() => GateAsync().GetAwaiter().GetResult().Concat(Published());

    private static async Task<Row[]> GateAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        _ = SimulatedWorld.TryCreateMachine(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, SimulatedFaults.Find("none")!, new FaultTarget(), now, out var world, out _);
        using var hardware = new SimulatedGuest(world!, authority, SimulatedIntel.Create(now));
        var folder = Directory.CreateTempSubdirectory("assay-bench-").FullName;
        try
        {
            await ConfigureAsync(folder, world!, now, Gpus, Switches).ConfigureAwait(false);
            return Measure(hardware, folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            world!.Dispose();
        }
    }

    private static Row[] Measure(SimulatedGuest hardware, string folder)
    {
        var raw = new RawVerification();
        var (costs, verifications, imports) = (new List<(Cost Work, double Own, Cost Bare)>(), 0L, 0L);
        for (var round = 0; round < WarmUp + Rounds; round++)
        {
            hardware.Reboot();
            if (Directory.Exists($"{folder}/run"))
            {
                Directory.Delete($"{folder}/run", recursive: true);
            }

            var metered = new MeteredHardware(hardware);
            var gate = new BootGate(new GuestPaths(folder), MeasuredPlace.Anywhere, _ => metered.Sources, new Notification(null), TimeProvider.System);
            var work = Cost.Of(() =>
            {
                if (gate.RunAsync(CancellationToken.None).GetAwaiter().GetResult() is { Fault: { } fault })
                {
                    throw new InvalidOperationException($"the benchmark's own gate is closed: {fault}");
                }
            });
            (verifications, imports) = (gate.Cache.Meter.SignatureVerifications, gate.Cache.Meter.KeyImports);
            var bare = Cost.Of(() => raw.Verify(verifications, Gpus + Switches));
            if (round >= WarmUp)
            {
                costs.Add((work, work.CpuMilliseconds - metered.Milliseconds, bare));
            }
        }

        var (own, unpaid) = (costs.Min(cost => cost.Own), costs.Min(cost => cost.Bare.CpuMilliseconds));
        return
        [
            new Row(
                $"boot gate: {Gpus} GPUs and {Switches} switches, bundle, start to ready", verifications, imports, own, costs.Min(cost => cost.Work.WallMilliseconds), own / unpaid,
                costs.Min(cost => cost.Work.AllocatedKilobytes), 1.5),
        ];
    }

    /// <summary>A root folder with the measured configuration and a bundle of everything that the gate needs.</summary>
    internal static async Task ConfigureAsync(string folder, SimulatedWorld world, DateTimeOffset now, int gpus, int switches)
    {
        _ = TrustSet.TryParse(world.Anchors, out var trust, out _);
        _ = EvidenceFile.TryParse(SimulatedEvidence.ToJson(world.Evidence(new byte[Nonce.Size])), "bench", out var evidence, out _);
        var verification = new ItemVerification(trust!, new VerifierCache());
        var cache = new CollateralCache(verification, null, new Services(world), new CachePolicy(), TimeProvider.System, refreshes: false);
        await using (cache.ConfigureAwait(false))
        {
            var needs = new CollateralNeeds(cache, verification, [OcspHash.Sha1]);
            _ = await needs.AddAsync(evidence, new EvaluationTime(now, TimeSource.System), CancellationToken.None).ConfigureAwait(false);
            using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            _ = SigningKey.TryParse(Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out _);
            using (key)
            {
                var (manifest, items) = needs.ToBundle(now, sequence: 1);
                Write("collateral.bundle", CollateralBundle.Write(manifest, items, key!));
                Write("usr/lib/assay/bundle_keys.json", JsonWebKeySet.Of(key!.PublicKey).ToJson());
            }
        }

        Write("usr/lib/assay/guest.json", Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $$"""{"version":1,"gate":"verify","devices":{"gpus":{{gpus}},"switches":{{switches}},"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","bundle":{"path":"/collateral.bundle","keys":"/usr/lib/assay/bundle_keys.json","minimumSequence":1} }""")));

        void Write(string name, byte[] content)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            File.WriteAllBytes(Path.Combine(folder, name), content);
        }
    }

    // The fastest of many: whatever else runs on the machine can only make a process slower.
    private static IEnumerable<Row> Published()
    {
        var program = Path.Combine(WholeProcess.Root(), "artifacts", RuntimeInformation.ProcessArchitecture is Architecture.Arm64 ? "linux-arm64" : "linux-x64", "assay-guest");
        if (!File.Exists(program))
        {
            Console.Error.WriteLine("assay bench: no published guest (./eng/publish makes it), its rows are left out");
            yield break;
        }

        var start = Enumerable.Range(0, 2 * Rounds).Min(_ => WholeProcess.Time(program, ["version"]));
        yield return new Row("published guest: size of the file", 0, 0, 0, 0, new FileInfo(program).Length / 1e6, 0, null, "MB");
        yield return new Row("published guest: assay-guest version", 0, 0, start, start, start, 0, null, "ms");
    }

    /// <summary>NVIDIA's services for the machine.</summary>
    private sealed class Services(SimulatedWorld world) : ICollateralSource
    {
        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation) => Task.FromResult(question switch
        {
            { Key.Kind: CollateralKind.Rim } when world.Rims.FirstOrDefault(rim => rim.Id == question.Key.Id) is { } rim => Fetched.Item("bench", rim.Xml),
            { CertId: { } asked } => Fetched.Item("bench", world.AnswerOcsp(OcspRequest.Encode(asked))),
            _ => Fetched.Absent("bench", "404"),
        });
    }

    /// <summary>The hardware, with the processor time that it takes on the thread of the caller.</summary>
    internal sealed class MeteredHardware(SimulatedGuest hardware) : IGpuSource, ISwitchSource, ICpuSource, IMeasuredRegister, IBusSource
    {
        private readonly HardwareInProcess _hardware = new(hardware);

        public double Milliseconds { get; private set; }

        public GuestSources Sources => _hardware.Sources with { Gpus = this, Switches = this, Cpu = this, Bus = this, Register = _ => this };

        public RegisterKind Kind => _hardware.Kind;

        public int Index => _hardware.Index;

        public TcgHash Bank => _hardware.Bank;

        GpuSystem IGpuSource.Read() => Of(() => ((IGpuSource)_hardware).Read());

        ImmutableArray<DeviceEvidence> IGpuSource.Collect(Nonce nonce) => Of(() => ((IGpuSource)_hardware).Collect(nonce));

        public bool IsReady() => Of(_hardware.IsReady);

        public void SetReady(bool ready) => Of(() =>
        {
            _hardware.SetReady(ready);
            return ready;
        });

        public ImmutableArray<int> Modes() => Of(_hardware.Modes);

        ImmutableArray<DeviceEvidence> ISwitchSource.Collect(Nonce nonce) => Of(() => ((ISwitchSource)_hardware).Collect(nonce));

        public CpuReport Report(ReadOnlySpan<byte> data)
        {
            var copy = data.ToArray();
            return Of(() => _hardware.Report(copy));
        }

        public byte[] FirmwareLog() => Of(_hardware.FirmwareLog);

        Digest IMeasuredRegister.Read() => Of(() => ((IMeasuredRegister)_hardware).Read());

        public void Extend(RuntimeEvent item) => Of(() =>
        {
            _hardware.Extend(item);
            return item;
        });

        public ImmutableArray<BusDevice> Devices() => Of(_hardware.Devices);

        private T Of<T>(Func<T> work)
        {
            var before = ThreadClock.Milliseconds();
            var result = work();
            Milliseconds += ThreadClock.Milliseconds() - before;
            return result;
        }
    }

    /// <summary>CLOCK_THREAD_CPUTIME_ID of clock_gettime(3).</summary>
    private static class ThreadClock
    {
        private const int ThreadCpuTime = 3;

        public static double Milliseconds()
        {
            var time = default(Timespec);
            return Get(ThreadCpuTime, ref time) == 0 ? (time.Seconds * 1e3) + (time.Nanoseconds / 1e6) : throw new InvalidOperationException("the thread's clock cannot be read");
        }

        [DllImport("libc", EntryPoint = "clock_gettime")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        private static extern int Get(int clock, ref Timespec time);

        [StructLayout(LayoutKind.Sequential)]
        private struct Timespec
        {
            public long Seconds;
            public long Nanoseconds;
        }
    }
}
