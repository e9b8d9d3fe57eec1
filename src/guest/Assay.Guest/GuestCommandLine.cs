using System.Runtime.InteropServices;
using Assay.Guest.Agent;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Image;
using Assay.Guest.Proxy;
using Assay.Guest.Recording;
using Assay.Guest.Secrets;
using Assay.Guest.Sources;
using Assay.Sealing;
using Assay.Sealing.Memory;
using Assay.Trust;

namespace Assay.Guest;

/// <summary>
/// The command <c>assay-guest</c>. It takes no option that chooses a file, a policy or an anchor, and reads no environment (S-30). Exit codes: 0 open
/// or done, 1 closed or refused, 2 unusable command line, 70 a bug.
/// </summary>
internal static class GuestCommandLine
{
    private const int Done = 0;
    private const int Closed = 1;
    private const int Unusable = 2;
    private const int Internal = 70;

    private const string Usage = """
        usage: assay-guest COMMAND

          gate           verifies every configured GPU before anything else starts, once in a boot
          seal-boot      draws the boundary between boot and workloads
          revoke         sets the GPUs' ready state off (ExecStopPost of the gate)
          agent          serves applications on /run/assay/agent.sock
          proxy          ends attested channels in this VM, and passes what comes in them to the configured server on loopback
          ctl METHOD     asks the agent: health, attestation, ready, key NAME [KIND], evidence CHALLENGE KEY [KIND], token AUDIENCE, metrics
          unseal FILE --id ID --key NAME --exec COMMAND [ARGUMENT…]
                         opens a sealed file with a release key of this user, and runs COMMAND with the content as its standard input;
                         --out PATH instead of --exec writes a file of mode 600
          token --audience URL [--file PATH] --exec COMMAND [ARGUMENT…]
                         runs COMMAND with a token of the image's attestation service in a file, which is written again before the token ends;
                         AWS_WEB_IDENTITY_TOKEN_FILE, AZURE_FEDERATED_TOKEN_FILE and ASSAY_TOKEN_FILE name the file
          key fetch --key ID [--proof FILE] --exec COMMAND [ARGUMENT…]
                         runs COMMAND with a key of the image's key broker as its standard input; --out-fd N instead of --exec writes it to a descriptor;
                         FILE gets the entry of the broker's log and its proof, for assay audit prove
          key boot --key ID --exec COMMAND [ARGUMENT…]
                         between gate and boundary, once in a boot, runs COMMAND with a key of the image's key broker as its standard input
          persistent-key NAME --exec COMMAND [ARGUMENT…]
                         between gate and boundary, runs COMMAND with a key as its standard input that is the same at each boot of this image in this VM
          luks-header DEVICE FILE
                         copies the header of a LUKS2 disk if it states AES-XTS everywhere, for cryptsetup open --header FILE
          record DIR     collects on a real machine what no recording has; --replace-identities before DIR hides serial numbers
          lint ROOT      holds an image's tree against a hardening profile
          digest FILE    prints the gpu-policy digest of a configuration, for reference values
          version        prints the version

        Everything that is expected comes from /usr/lib/assay/guest.json, which must be measured.
        """;

    private const string KeyArguments = "key takes fetch --key ID, then --proof FILE or nothing, and last --exec COMMAND [ARGUMENT…] or --out-fd N; or boot --key ID and last --exec COMMAND [ARGUMENT…], in this order";

    public static async Task<int> RunAsync(string[] arguments, CancellationToken cancellation)
    {
        try
        {
            var place = Place.Of(ref arguments);
            return arguments switch
            {
                ["gate"] => await GateAsync(place, cancellation).ConfigureAwait(false),
                ["seal-boot"] => Seal(place),
                ["revoke"] => Revoke(place),
                ["agent"] => await AgentAsync(place, cancellation).ConfigureAwait(false),
                ["proxy"] => await ProxyAsync(place, cancellation).ConfigureAwait(false),
                ["ctl", .. var words] => await AgentClient.RunAsync(place.Paths.AgentSocket, words, cancellation).ConfigureAwait(false),
                ["unseal", var file, "--id", var id, "--key", var key, "--out", var path] => await Unsealing.ToFileAsync(place.Paths, file, id, key, path, cancellation).ConfigureAwait(false),
                ["unseal", var file, "--id", var id, "--key", var key, "--exec", .. { Length: > 0 } command] => await Unsealing.ExecuteAsync(place.Paths, file, id, key, command, cancellation).ConfigureAwait(false),
                ["token", "--audience", var audience, "--exec", .. { Length: > 0 } command] => await TokenAsync(place, audience, file: null, command, cancellation).ConfigureAwait(false),
                ["token", "--audience", var audience, "--file", var file, "--exec", .. { Length: > 0 } command] => await TokenAsync(place, audience, file, command, cancellation).ConfigureAwait(false),
                ["key", "fetch", "--key", var id, "--proof", var proof, .. var rest] => await FetchAsync(place, id, proof, rest, cancellation).ConfigureAwait(false),
                ["key", "fetch", "--key", var id, .. var rest] => await FetchAsync(place, id, proof: null, rest, cancellation).ConfigureAwait(false),
                ["key", "boot", "--key", var id, "--exec", .. { Length: > 0 } command] => throw await BootKeyAsync(place, id, command, cancellation).ConfigureAwait(false),
                ["persistent-key", var name, "--exec", .. { Length: > 0 } command] => throw Persistent(place, name, command),
                ["luks-header", var device, var path] => CopyHeader(device, path),
                ["record", var folder] => await RecordAsync(folder, replacesIdentities: false, place, cancellation).ConfigureAwait(false),
                ["record", "--replace-identities", var folder] => await RecordAsync(folder, replacesIdentities: true, place, cancellation).ConfigureAwait(false),
                ["lint", var root] => Lint(root),
                ["digest", var file] => PrintDigest(file, place),
                ["version" or "--version"] => Say($"assay-guest {typeof(GuestCommandLine).Assembly.GetName().Version?.ToString(3)}"),
                ["help" or "--help" or "-h"] => Say(Usage),
                ["unseal", ..] => Refuse("guest.arguments", "unseal takes FILE --id ID --key NAME and, last, --exec COMMAND [ARGUMENT…] or --out PATH, in this order"),
                ["token", ..] => Refuse("guest.arguments", "token takes --audience URL, then --file PATH or nothing, and last --exec COMMAND [ARGUMENT…], in this order"),
                ["key", ..] => Refuse("guest.arguments", KeyArguments),
                ["persistent-key", ..] => Refuse("guest.arguments", "persistent-key takes NAME --exec COMMAND [ARGUMENT…], in this order"),
                ["luks-header", ..] => Refuse("guest.arguments", "luks-header takes DEVICE FILE: the disk, and a path that does not exist"),
                ["digest"] => Refuse("guest.arguments", "digest takes FILE, the guest.json of an image's tree"),
                ["lint"] => Refuse("guest.arguments", "lint takes ROOT, the folder of an image's tree"),
                ["record"] => Refuse("guest.arguments", "record takes DIR, a folder that does not exist or is empty"),
                [] => Refuse("guest.arguments", $"no command is given\n{Usage}"),
                _ => Refuse("guest.arguments", $"{string.Join(' ', arguments)} is no command of this program, which takes no options: what is expected stands in the measured configuration"),
            };
        }
        catch (GuestException exception)
        {
            Tell($"{exception.Fault}");
            return Closed;
        }
        catch (SealingException exception)
        {
            Tell($"{GuestFault.Of(exception.Fault)}");
            return Closed;
        }
        // The last line of defence: whatever it is, it is a bug, and nothing is open.
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Tell($"guest.internal: this is a bug, please report it: {exception}");
            return Internal;
        }
    }

    private static async Task<int> GateAsync(Place place, CancellationToken cancellation)
    {
        var gate = new BootGate(place.Paths, place.Measured, place.Open, Notification.OfServiceManager, TimeProvider.System);
        var report = await gate.RunAsync(cancellation).ConfigureAwait(false);
        if (report.Fault is { } fault)
        {
            Tell($"the gate is closed at step {report.Step}: {fault}");
            return Closed;
        }

        return Say($"the gate is open: {GateReport.WordOf(report.State)}, {report.Devices.Length} devices");
    }

    private static int Seal(Place place)
    {
        using var sources = place.OpenAny();
        var configuration = GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu);
        Boundary.Draw(place.Paths, configuration, sources, Notification.OfServiceManager);
        return Say("the boundary is drawn");
    }

    private static Task<int> AgentAsync(Place place, CancellationToken cancellation) => ServeAsync(async ending =>
    {
        using var sources = place.OpenAny();
        var configuration = GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu);
        // Before there is a key: no core, and no reading by other processes of this user.
        ProcessProtection.Harden();
        using var agent = new GuestAgent(configuration, sources, place.Paths, TimeProvider.System);
        await agent.RunAsync(Notification.OfServiceManager, ending).ConfigureAwait(false);
    }, cancellation);

    private static Task<int> TokenAsync(Place place, string audience, string? file, string[] command, CancellationToken cancellation)
    {
        // Here and not in what a test may call: it cannot be taken back.
        ProcessProtection.Harden();
        return WebIdentity.RunAsync(place.Paths, audience, file, command, TimeProvider.System, cancellation);
    }

    private static Task<int> FetchAsync(Place place, string id, string? proof, string[] rest, CancellationToken cancellation)
    {
        Func<Task<int>>? fetch = rest switch
        {
            ["--exec", .. { Length: > 0 } command] => () => KeyFetching.ExecuteAsync(place.Paths, id, proof, command, cancellation),
            ["--out-fd", var descriptor] => () => KeyFetching.ToDescriptorAsync(place.Paths, id, proof, descriptor, cancellation),
            _ => null,
        };
        if (fetch is null)
        {
            return Task.FromResult(Refuse("guest.arguments", KeyArguments));
        }

        ProcessProtection.Harden();
        return fetch();
    }

    private static Task<int> ProxyAsync(Place place, CancellationToken cancellation) => ServeAsync(async ending =>
    {
        using var sources = place.OpenAny();
        var configuration = GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu);
        ProcessProtection.Harden();
        using var proxy = new GuestProxy(configuration, sources, place.Paths, TimeProvider.System);
        // Held before anything is served: a hang-up would end the process.
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            proxy.Renew();
        });
        await proxy.RunAsync(Notification.OfServiceManager, ending).ConfigureAwait(false);
    }, cancellation);

    private static async Task<int> ServeAsync(Func<CancellationToken, Task> run, CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        void End(PosixSignalContext context)
        {
            context.Cancel = true;
            ending.Cancel();
        }

        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        await run(ending.Token).ConfigureAwait(false);
        return Done;
    }

    // Without the configuration: whatever is wrong with it, the state is off afterwards.
    private static int Revoke(Place place)
    {
        using var sources = place.OpenAny();
        try
        {
            sources.Gpus.SetReady(false);
            return sources.Gpus.IsReady() ? throw new GuestException("gate.ready.ignored", "the ready state is still on", "update the driver", "on", "off") : Say("the ready state is off");
        }
        finally
        {
            EndPhaseOfClosedGate(place, sources);
        }
    }

    // A killed gate has not ended the boot phase itself. Left open, root could derive persistent keys at any time in this boot.
    private static void EndPhaseOfClosedGate(Place place, GuestSources sources)
    {
        if (GateReport.IsOpenState(GateReport.StateOf(place.Paths.GateFile)))
        {
            return;
        }

        try
        {
            new PhaseRegister(GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu), sources).End();
        }
        catch (GuestException exception)
        {
            Tell($"the boot phase could not be ended: {exception.Fault}");
        }
    }

    private static async Task<GuestException> BootKeyAsync(Place place, string id, string[] command, CancellationToken cancellation)
    {
        using var sources = place.OpenAny();
        var configuration = GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu);
        return await new BootKeys(place.Paths, configuration, sources).ExecuteAsync(id, command, cancellation).ConfigureAwait(false);
    }

    private static GuestException Persistent(Place place, string name, string[] command)
    {
        using var sources = place.OpenAny();
        var configuration = GuestConfigurationReader.Read(place.Paths, place.Measured, sources.Cpu);
        return new PersistentKeys(place.Paths, configuration, sources).Execute(name, command);
    }

    private static int CopyHeader(string device, string path)
    {
        LuksHeader.Copy(device, path);
        return Done;
    }

    private static async Task<int> RecordAsync(string folder, bool replacesIdentities, Place place, CancellationToken cancellation)
    {
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new GuestException("record.folder", $"{folder} exists and is not an empty folder", "give an empty or new folder");
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var sources = place.OpenAny();
        return Say(await new MachineRecording(sources, folder, replacesIdentities, TimeProvider.System).RunAsync(cancellation).ConfigureAwait(false));
    }

    private static int Lint(string root)
    {
        if (!Directory.Exists(root))
        {
            throw new GuestException("lint.root", $"{root} is no folder", "give the root folder of an unpacked image");
        }

        var findings = new ImageLint(root).Run();
        Console.WriteLine(ImageLint.Write(findings));
        return findings.All(finding => finding.WhyNot is null) ? Done : Closed;
    }

    // In the tree of an image, whose own keys it names: those of the machine that builds it would give the digest of another image.
    private static int PrintDigest(string file, Place place)
    {
        var path = Path.GetFullPath(file);
        var inner = new GuestPaths("").Configuration;
        var root = path.EndsWith(inner, StringComparison.Ordinal) ? path[..^inner.Length] : Path.GetDirectoryName(path) ?? "";
        if (!File.Exists(path))
        {
            return Refuse("guest.arguments", $"{file}: no such file; digest takes the guest.json of an image's tree, for example image{inner}");
        }

        return Say($"{GuestConfigurationReader.Read(path, new GuestPaths(root), MeasuredPlace.Anywhere).Expectation(place.IsSimulated).ToPayload().Expectation}");
    }

    private static int Say(string text)
    {
        Console.WriteLine(text);
        return Done;
    }

    private static int Refuse(string id, string text)
    {
        Tell($"{id}: {text}");
        return Unusable;
    }

    // systemd takes standard error into the journal. The console is for whoever looks at a machine that does not start.
    private static void Tell(string text) => Console.Error.WriteLine($"assay-guest: {text}");

    /// <summary>Where the guest finds its files and its hardware.</summary>
    private sealed record Place(GuestPaths Paths, MeasuredPlace Measured, Func<GuestConfiguration, GuestSources> Open, bool IsSimulated)
    {
        public GuestSources OpenAny() => Open(GuestConfigurationReader.Empty);

#if SIMULATED_SOURCES
        /// <summary>A build with simulated sources is told both, before the command: <c>--root DIR --sources SOCKET</c>. A release knows neither.</summary>
        public static Place Of(ref string[] arguments)
        {
            if (arguments is not ["--root", var root, "--sources", var socket, ..])
            {
                throw new GuestException("guest.simulated", "this build has simulated sources", "give --root DIR --sources SOCKET before the command");
            }

            arguments = arguments[4..];
            return new Place(new GuestPaths(root), MeasuredPlace.Anywhere, _ => Simulated.SimulatedSources.Connect(socket), IsSimulated: true);
        }
#else
        public static Place Of(ref string[] arguments) => new(new GuestPaths(""), new MeasuredPlace(), HardwareSources.Open, IsSimulated: false);
#endif
    }
}
