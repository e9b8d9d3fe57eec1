using System.Collections.Immutable;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Assay.Simulator;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

/// <summary>
/// A simulated GPU of this very hour, with its services: for programs of their own, which know no clock but the machine's.
/// </summary>
public sealed class LiveServices : IDisposable
{
    private readonly SimulatedDevice _device;
    private readonly List<string> _folders = [];

    public LiveServices()
    {
        Now = TimeProvider.System.GetUtcNow();
        Authority = SimulatedAuthority.Create(Now);
        _device = SimulatedDevice.Create(Authority, DeviceProfile.Hopper580);
        Nonce = Convert.ToHexStringLower(SHA256.HashData("a GPU of this hour"u8));
        Set = SimulatedSet.Of(Authority, _device, Convert.FromHexString(Nonce), Now);
        Known = [.. Set.Ocsp.Keys];
        Folder = NewFolder();
        Set.Write(Folder);
    }

    public DateTimeOffset Now { get; }

    public string Nonce { get; }

    public SimulatedAuthority Authority { get; }

    public SimulatedSet Set { get; }

    /// <summary>gpu_evidence.json, anchors.json and rims/.</summary>
    public string Folder { get; }

    public SimulatedCertificate Brom => _device.Certificate.Issuer!;

    public string Anchors => Path.Combine(Folder, "anchors.json");

    public string Evidence => Path.Combine(Folder, "gpu_evidence.json");

    internal ImmutableArray<SimulatedCertificate> Known { get; }

    /// <summary>Manifests of other versions, that devices of this family could have.</summary>
    public ImmutableArray<SimulatedRim> OtherRims(int count)
    {
        var signer = Authority.IssueRimSigner(DeviceFamily.Hopper);
        var draft = RimDraft.Driver(DeviceProfile.Hopper580);
        return
        [
            .. Enumerable.Range(0, count).Select(index => SimulatedRim.Sign(draft with { Id = $"NV_GPU_DRIVER_GH100_600.{index}", ColloquialVersion = $"600.{index}" }, signer)),
        ];
    }

    public void Dispose()
    {
        _device.Dispose();
        Authority.Dispose();
        _folders.ForEach(folder => Directory.Delete(folder, recursive: true));
    }

    internal string NewFolder()
    {
        _folders.Add(Directory.CreateTempSubdirectory("assay-live-").FullName);
        return _folders[^1];
    }

    internal string Save(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Both services, right.</summary>
    internal async Task AnswerAsync(HttpContext context, IReadOnlyDictionary<string, SimulatedRim>? others = null)
    {
        if (context.Request.Method == HttpMethods.Post)
        {
            await NvidiaServices.SendAsync(context, SimulatedOcsp.Answer(await NvidiaServices.BodyAsync(context), Known, Good));
            return;
        }

        var id = context.Request.Path.Value!["/v1/rim/".Length..];
        var rim = Set.Rims.FirstOrDefault(rim => rim.Id == id) ?? others?.GetValueOrDefault(id);
        context.Response.StatusCode = rim is null ? 404 : 200;
        await context.Response.BodyWriter.WriteAsync(rim is null ? SimulatedRimService.NotFound() : SimulatedRimService.Rim(rim));
    }

    internal OcspAnswer Good(SimulatedCertificate certificate) => new()
    {
        Certificate = certificate,
        Status = Assay.Simulator.CertificateStatus.Good,
        ThisUpdate = Now.AddHours(-1),
        NextUpdate = Now.AddDays(1),
    };
}

/// <summary><c>assay collateral serve</c> as a process of its own.</summary>
internal sealed class ServeProcess : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _said;

    private ServeProcess(Process process, StringBuilder said, ImmutableArray<string> addresses)
    {
        (_process, _said, Addresses) = (process, said, addresses);
        Http = new HttpClient { BaseAddress = new Uri(addresses[0]), Timeout = Patience.Long };
    }

    public ImmutableArray<string> Addresses { get; }

    public HttpClient Http { get; }

    /// <summary>What it said on both outputs.</summary>
    public string Said
    {
        get
        {
            lock (_said)
            {
                return _said.ToString();
            }
        }
    }

    public bool HasExited => _process.HasExited;

    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    public static Task<ServeProcess> StartAsync(params string[] arguments) => StartAsync([], arguments);

    /// <param name="through">A program and its arguments that start what follows them, as <c>unshare -m</c> does; none for itself.</param>
    /// <param name="arguments">After <c>collateral serve</c>; it listens on a free port of 127.0.0.1.</param>
    public static Task<ServeProcess> StartAsync(string[] through, string[] arguments) => StartProgramAsync([.. through, .. AssayProgram.Words("assay")], arguments);

    /// <param name="program">The command <c>assay</c>, in words.</param>
    /// <param name="arguments">After <c>collateral serve</c>.</param>
    public static async Task<ServeProcess> StartProgramAsync(string[] program, string[] arguments)
    {
        string[] command = AssayProgram.Interruptible([.. program, "collateral", "serve", .. arguments.Contains("--listen") ? [] : new[] { "--listen", "127.0.0.1:0" }, .. arguments]);
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        var process = Process.Start(start)!;
        var (said, addresses, ready) = (new StringBuilder(), ImmutableArray.CreateBuilder<string>(), new TaskCompletionSource());
        void Hear(string? line)
        {
            lock (said)
            {
                said.AppendLine(line);
                if (line is not null && line.StartsWith("serving collateral on ", StringComparison.Ordinal))
                {
                    addresses.Add(line.Split(' ')[3]);
                }

                // The line behind the addresses, or the end.
                if (line is null || line.Contains(" anchors ", StringComparison.Ordinal))
                {
                    ready.TrySetResult();
                }
            }
        }

        process.OutputDataReceived += (_, data) => Hear(data.Data);
        process.ErrorDataReceived += (_, data) =>
        {
            if (data.Data is not null)
            {
                Hear(data.Data);
            }
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await ready.Task.WaitAsync(Patience.Long, TestContext.Current.CancellationToken);
        Assert.True(addresses.Count > 0, said.ToString());
        return new ServeProcess(process, said, addresses.ToImmutable());
    }

    /// <summary>Asks it to end, and waits for its exit code.</summary>
    public async Task<int> StopAsync(string signal)
    {
        _ = Peer.Require("kill").Run(signal, $"{_process.Id}");
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Ends it at once, wherever it is: SIGKILL.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        Http.Dispose();
        _process.Dispose();
    }
}
