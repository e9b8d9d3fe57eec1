using System.Collections.Immutable;
using System.Net;
using Assay.Binding;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Guest.Agent;
using Assay.Guest.Sources;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Guest.Configuration;

/// <summary>Reads the measured configuration: strictly, so that what is misspelled, missing or unmeasured ends closed.</summary>
internal static class GuestConfigurationReader
{
    private const int LargestFile = 64 * 1024;
    private const int MostDevices = 64;
    private const int MostArchitectures = 8;
    private const int MostPeers = 32;
    private const int MostBootRegisters = 16;
    private const int MostNames = 16;
    private const int MostAudiences = 16;
    private const uint AllRegisters = 0xFFFFFF;

    // Boot loader, kernel, command line and initrd: GRUB measures the last three into 8 and 9, systemd-boot a command line into 12, the kernel's EFI stub both into 9.
    private const uint LoaderAndKernel = 1u << 4 | 1u << 8 | 1u << 9 | 1u << 12;
    private const uint UnifiedKernel = 1u << 4 | 1u << 11 | 1u << 12;
    private const int Sha384Size = 48;
    private const string Cure = "correct the configuration in the image and build it again";

    /// <summary>Nothing is expected of anything: for whoever only turns something off.</summary>
    public static GuestConfiguration Empty { get; } = new()
    {
        Task = GateTask.None,
        Gpus = 0,
        Switches = 0,
        Architectures = [],
        Mode = ProtectionMode.None,
        Pcr = null,
        OnDstack = false,
        Bundle = null,
        CollateralUrl = null,
        MinimumTime = DateTimeOffset.MaxValue,
        Timeout = TimeSpan.Zero,
        Workload = null,
        Model = null,
        Agent = new AgentSetting { Users = [], Groups = [], Reattest = TimeSpan.MaxValue, MaximumCollateralAge = TimeSpan.Zero },
    };

    /// <summary>Reads it from its one place, or the document that this place names and the launch of this VM committed to.</summary>
    /// <exception cref="GuestException">It is missing, malformed, or not measured.</exception>
    public static GuestConfiguration Read(GuestPaths paths, MeasuredPlace place, ICpuSource cpu)
    {
        var path = paths.Configuration;
        var json = ReadMeasured(path, "gate.config.missing", place);
        var root = StrictNode.Parse(json);
        if (!root.Has("document"))
        {
            return Parse(json, path, paths, place);
        }

        root.Number("version", 1, 1);
        var name = root.Text("document");
        root.Require(Path.IsPathRooted(name), "document", "an absolute path is expected");
        var document = root.Close() is { } fault ? throw new GuestException("gate.config.malformed", $"{path}: {fault}", Cure) : paths.Under(name);
        var committed = BoundedFile.TryRead(document, LargestFile, out var bytes, out var whyNot) ? bytes
            : throw new GuestException("gate.document.missing", whyNot, "give the VM the document whose digest it is launched with");
        LaunchDocument.Require(document, committed.Span, cpu);
        return Parse(committed, document, paths, place);
    }

    /// <summary>Reads a configuration of any place, for instance while an image is built.</summary>
    public static GuestConfiguration Read(string path, GuestPaths paths, MeasuredPlace place) => Parse(ReadMeasured(path, "gate.config.missing", place), path, paths, place);

    private static GuestConfiguration Parse(ReadOnlyMemory<byte> json, string path, GuestPaths paths, MeasuredPlace place)
    {
        var root = StrictNode.Parse(json);
        root.Require(!root.Has("document"), "document", "it is read at boot alone, and names no further document; digest takes the document itself, and lint cannot see what a launch states");
        root.Number("version", 1, 1);
        var task = root.Word("gate", "verify", "expect-none", "dangerously-skip") switch
        {
            "verify" => GateTask.Verify,
            "expect-none" => GateTask.ExpectNone,
            "dangerously-skip" => GateTask.DangerouslySkip,
            _ => GateTask.None,
        };
        var verifies = task is GateTask.Verify;
        var gpus = verifies ? root.Object("devices") : null;
        var read = new GuestConfiguration
        {
            Task = task,
            Gpus = (int)(gpus?.Number("gpus", 1, MostDevices) ?? 0),
            Switches = (int)(gpus?.Number("switches", 0, MostDevices) ?? 0),
            Architectures = gpus?.Texts("architectures", MostArchitectures) ?? [],
            Mode = gpus?.Word("mode", "on", "ppcie") switch { "on" => ProtectionMode.On, "ppcie" => ProtectionMode.ProtectedPcie, _ => ProtectionMode.None },
            Pcr = ReadRegister(root),
            OnDstack = root.Word("boundary", "assay", "dstack") is "dstack",
            Bundle = verifies ? ReadBundle(root, paths, place) : null,
            CollateralUrl = verifies ? ReadUrl(root) : null,
            MinimumTime = ReadTime(root),
            Timeout = TimeSpan.FromSeconds(root.NumberOr("timeoutSeconds", 1, 3600, 300)),
            Workload = ReadWorkload(root, paths),
            Model = root.Has("model") ? new Digest(root.Hex("model", Sha384Size)) : null,
            Agent = ReadAgent(root),
            Proxy = ReadProxy(root, paths),
            Service = ReadService(root, paths),
            Source = new Digest(System.Security.Cryptography.SHA384.HashData(json.Span)),
        };
        read = read with { PersistentKeys = ReadPersistentKeys(root, read), Broker = ReadBroker(root, read.Service, paths) };
        root.Require(read is not { Agent.KeysInTpm: true, Pcr: null }, "agent.keyStorage", "\"tpm\" needs a PCR as the register: only that is known to be of a TPM inside the TEE");
        root.Require(!verifies || read.Bundle is not null || read.CollateralUrl is not null, "collateral", "a bundle, a url or both are expected: without collateral nothing can be verified");
        return root.Close() is { } fault ? throw new GuestException("gate.config.malformed", $"{path}: {fault}", Cure) : read;
    }

    private static int? ReadRegister(StrictNode root)
    {
        var word = root.Text("register");
        if (word is "rtmr3")
        {
            return null;
        }

        return ReadPcr(root, "register", word);
    }

    private static int ReadPcr(StrictNode root, string name, string word)
    {
        var pcr = word.StartsWith("pcr", StringComparison.Ordinal) && int.TryParse(word.AsSpan(3), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : -1;
        root.Require(pcr is >= 8 and <= 15, name, name is "register" ? "\"rtmr3\", or \"pcr8\" to \"pcr15\" is expected: others are reset by software or belong to firmware" : "\"pcr8\" to \"pcr15\" is expected: others are reset by software or belong to firmware");
        return pcr;
    }

    private static PersistentKeySetting? ReadPersistentKeys(StrictNode root, GuestConfiguration read)
    {
        if (root.ObjectOrNull("persistentKeys") is not { } keys)
        {
            return null;
        }

        var phase = ReadPcr(keys, "phaseRegister", keys.Text("phaseRegister"));
        var boot = keys.Numbers("bootRegisters", MostBootRegisters).Aggregate(0u, (bitmap, register) => bitmap | (register < MostBootRegisters ? 1u << (int)register : AllRegisters));
        keys.Require(read.Pcr is not null && !read.OnDstack, "phaseRegister", "a PCR as the register and the boundary \"assay\" are needed: RTMRs seal nothing, and dstack draws its own boundary");
        keys.Require(phase != read.Pcr, "phaseRegister", "another PCR than the register is expected");
        keys.Require(boot < 1u << MostBootRegisters && (boot >> phase & 1) == 0 && (boot >> (read.Pcr ?? 0) & 1) == 0, "bootRegisters", "PCRs from 0 to 15 are expected, without the register and the phase register");
        // S-9a: what names the kernel.
        keys.Require((boot & LoaderAndKernel) == LoaderAndKernel || (boot & UnifiedKernel) == UnifiedKernel, "bootRegisters", "4 with 8, 9 and 12, or 4 with 11 and 12, are expected among them: otherwise another kernel, or the same with another command line, has the keys too");
        return new PersistentKeySetting(phase, boot);
    }

    private static BundleSetting? ReadBundle(StrictNode root, GuestPaths paths, MeasuredPlace place)
    {
        if (root.ObjectOrNull("bundle") is not { } bundle)
        {
            return null;
        }

        var (path, keys, sequence) = (bundle.Text("path"), bundle.Text("keys"), bundle.Number("minimumSequence", 0, Limits.LargestSequence));
        root.Require(Path.IsPathRooted(path) && Path.IsPathRooted(keys), "bundle", "absolute paths are expected");
        if (!Path.IsPathRooted(keys))
        {
            return null;
        }

        var json = ReadMeasured(paths.Under(keys), "gate.config.missing", place);
        return JsonWebKeySet.TryParse(json.Span, out var set, out var fault) ? new BundleSetting(paths.Under(path), set, sequence)
            : throw new GuestException("gate.config.malformed", $"{keys}: {fault}", "give the site's public keys as assay token jwks prints them");
    }

    private static ServiceAddress? ReadUrl(StrictNode root)
    {
        if (root.TextOrNull("collateralUrl") is not { } text)
        {
            return null;
        }

        var sound = ServiceAddress.TryParse(text, out var address, out var fault);
        root.Require(sound, "collateralUrl", fault?.Problem ?? "");
        return address;
    }

    private static DateTimeOffset ReadTime(StrictNode root)
    {
        if (root.TextOrNull("minimumTime") is not { } text)
        {
            return DateTimeOffset.MinValue;
        }

        var sound = Utc.TryParse(text, out var time);
        root.Require(sound, "minimumTime", "a time like 2026-11-29T00:00:00Z is expected");
        return time;
    }

    private static WorkloadSetting? ReadWorkload(StrictNode root, GuestPaths paths)
    {
        if (root.ObjectOrNull("workload") is not { } workload)
        {
            return null;
        }

        var kind = workload.Word("kind", "container", "compose", "unit");
        var digest = workload.Has("digest") ? new Digest(workload.Hex("digest", Sha384Size)) : (Digest?)null;
        var path = workload.TextOrNull("path");
        root.Require((digest is null) != (path is null) && (path is null || Path.IsPathRooted(path)), "workload", "either a digest or an absolute path is expected");
        return new WorkloadSetting(kind, digest, path is null ? null : paths.Under(path));
    }

    private static ProxySetting? ReadProxy(StrictNode root, GuestPaths paths)
    {
        if (root.ObjectOrNull("proxy") is not { } proxy)
        {
            return null;
        }

        var (listen, upstream) = (ReadEndPoint(proxy, "listen"), ReadEndPoint(proxy, "upstream"));
        proxy.Require(IPAddress.IsLoopback(upstream.Address), "upstream", "an address of loopback is expected: what leaves the channel is in the clear, and must not leave the VM");
        var (purpose, folder) = (proxy.Text("purpose"), proxy.TextOrNull("operator"));
        proxy.Require(ChannelBinding.IsPurpose(purpose), "purpose", "1 to 64 small letters, digits, dots and hyphens are expected");
        proxy.Require(folder is null || Path.IsPathRooted(folder), "operator", "an absolute path is expected");
        return new ProxySetting
        {
            Listen = listen,
            Upstream = upstream,
            Purpose = purpose,
            LowestLevel = proxy.Has("lowestLevel") ? ChannelBinding.LevelOf(proxy.Word("lowestLevel", "exporter", "challenge", "certificate")) : ChannelLevel.Exporter,
            Names = proxy.Has("names") ? proxy.Texts("names", MostNames) : [],
            Operator = folder is null ? null : paths.Under(folder),
        };
    }

    private static ServiceSetting? ReadService(StrictNode root, GuestPaths paths)
    {
        if (root.ObjectOrNull("service") is not { } service)
        {
            return null;
        }

        var (address, credential) = ReadAccount(service, paths);
        var audiences = service.Texts("audiences", MostAudiences);
        return address is null ? null : new ServiceSetting(address, credential, audiences);
    }

    private static BrokerSetting? ReadBroker(StrictNode root, ServiceSetting? service, GuestPaths paths)
    {
        if (root.ObjectOrNull("broker") is not { } broker)
        {
            return null;
        }

        var (address, credential) = ReadAccount(broker, paths);
        var token = broker.TextOrNull("token");
        broker.Require(token is null || service?.Audiences.Contains(token, StringComparer.Ordinal) is true, "token", "one of service.audiences is expected: the broker's name with the attestation service");
        return address is null ? null : new BrokerSetting(address, credential, token);
    }

    // Where a service is, and the file with the credential for it.
    private static (ServiceAddress? Address, string Credential) ReadAccount(StrictNode service, GuestPaths paths)
    {
        var sound = ServiceAddress.TryParse(service.Text("url"), out var address, out var fault);
        service.Require(sound, "url", fault?.Problem ?? "");
        var credential = service.Text("credential");
        service.Require(Path.IsPathRooted(credential), "credential", "an absolute path is expected");
        return (address, paths.Under(credential));
    }

    private static IPEndPoint ReadEndPoint(StrictNode node, string name)
    {
        var sound = IPEndPoint.TryParse(node.Text(name), out var address) && address.Port > 0;
        node.Require(sound, name, "an IP address and a port are expected, like 127.0.0.1:8000 or [::]:8443");
        return sound ? address! : new IPEndPoint(IPAddress.Loopback, 1);
    }

    private static AgentSetting ReadAgent(StrictNode root)
    {
        var agent = root.ObjectOrNull("agent");
        return new AgentSetting
        {
            Users = agent?.Has("users") is true ? agent.Numbers("users", MostPeers) : [],
            Groups = agent?.Has("groups") is true ? agent.Numbers("groups", MostPeers) : [],
            Reattest = TimeSpan.FromSeconds(agent?.NumberOr("reattestSeconds", 60, 7 * 86400, 3600) ?? 3600),
            MaximumCollateralAge = TimeSpan.FromSeconds(agent?.NumberOr("maximumCollateralAgeSeconds", 60, 30 * 86400, 86400) ?? 86400),
            KeysInTpm = agent?.Has("keyStorage") is true && agent.Word("keyStorage", ReleaseKeys.InMemory, ReleaseKeys.InTpm) is ReleaseKeys.InTpm,
            DangerouslyAllowForeignKey = agent?.Flag("dangerouslyAllowForeignKey") ?? false,
        };
    }

    private static ReadOnlyMemory<byte> ReadMeasured(string path, string id, MeasuredPlace place)
    {
        if (place.WhyNot(path) is { } unmeasured)
        {
            throw new GuestException("gate.config.unmeasured", $"{path} is not measured: {unmeasured}", "put it on the dm-verity root, or in the measured initial RAM file system", null, "dm-verity");
        }

        return BoundedFile.TryRead(path, LargestFile, out var bytes, out var whyNot) ? bytes
            : throw new GuestException(id, whyNot, "put it into the image: there is no other place, and no option for one");
    }
}
