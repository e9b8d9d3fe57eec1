using System.Buffers.Text;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Guest.Configuration;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Guest.Gate;

/// <summary>Devices that were verified: the verdict, and what an event says of it.</summary>
internal sealed record VerifiedDevices(Verdict Verdict, GateFacts Facts);

/// <summary>
/// One verification of all devices, as the gate and later the agent do it: mode, nonce, evidence, collateral, verdict. Each step throws a
/// <see cref="GuestException"/> where it does not hold; nothing here sets a state or extends a register.
/// </summary>
internal sealed class DeviceVerification(GuestConfiguration configuration, GuestSources sources, TimeProvider clock)
{
    /// <summary>The fault of a bundle whose time is over. It says nothing against the devices.</summary>
    public const string Expired = "gate.bundle.expired";

    private const int RandomSize = 32;
    private const string Nvidia = "driver or firmware of the GPU";

    /// <summary>What is plugged in, what the driver lists and what is expected are one number, and nothing else draws pictures here.</summary>
    public void RequireCounts()
    {
        var bus = sources.Bus.Devices();
        if (bus.FirstOrDefault(device => device is { IsGpu: true, IsNvidia: false }) is { } foreign)
        {
            throw new GuestException("gate.bus.foreign", $"{foreign.Address} is a display or accelerator of vendor {foreign.Vendor}, which nobody can verify", "detach it from this VM", foreign.Class, "NVIDIA devices only");
        }

        var found = bus.Count(device => device.IsGpu);
        Require(found == configuration.Gpus, "gate.devices.count", "the bus has another number of GPUs than the measured configuration expects", found, configuration.Gpus, "attach as many GPUs as the image is configured for");
        if (configuration.Gpus > 0)
        {
            var listed = sources.Gpus.Read().Count;
            Require(listed == found, "gate.driver.count", "the driver lists another number of GPUs than the bus has", listed, found, $"see the kernel's messages about the {Nvidia}");
        }

        if (configuration.Switches > 0)
        {
            var switches = sources.Switches.Modes().Length;
            Require(switches == configuration.Switches, "gate.switches.count", "NSCQ lists another number of switches than the measured configuration expects", switches, configuration.Switches, "attach as many switches as the image is configured for");
        }
    }

    /// <summary>CC is on as configured, and DevTools mode is off (S-8).</summary>
    public void RequireMode()
    {
        var system = sources.Gpus.Read();
        if (system.DevTools)
        {
            throw new GuestException("gate.cc.devtools", "the GPUs are in DevTools mode: it looks like confidential computing and protects nothing", "set the GPUs' CC mode to on, and reset them", "devtools", Word(configuration.Mode));
        }

        var found = system.ProtectedPcie ? ProtectionMode.ProtectedPcie : system.CcFeature ? ProtectionMode.On : ProtectionMode.None;
        if (found is ProtectionMode.None)
        {
            throw new GuestException("gate.cc.off", "confidential computing is off on the GPUs", "set the GPUs' CC mode on the host, and reset them", "off", Word(configuration.Mode));
        }

        if (found != configuration.Mode)
        {
            throw new GuestException("gate.cc.mode", "the GPUs are in another mode than the measured configuration expects", "set the mode on the host, or build an image for this one", Word(found), Word(configuration.Mode));
        }

        const int locked = 3;
        if (configuration.Mode is ProtectionMode.ProtectedPcie && configuration.Switches > 0 && sources.Switches.Modes() is var modes && modes.IndexOf(modes.FirstOrDefault(mode => mode != locked, locked)) is >= 0 and var index && modes[index] != locked)
        {
            throw new GuestException("gate.switch.mode", string.Create(CultureInfo.InvariantCulture, $"switch {index} is not locked for Protected PCIe"), "set Protected PCIe on the host for every GPU and switch", $"TNVL mode {modes[index]}", "3 (locked)");
        }
    }

    /// <summary>
    /// A nonce that nobody chose: fresh randomness, and this VM's own fresh report over it and over a key that lives no longer than this call. Who
    /// replays devices' answers would have to know both before they were made.
    /// </summary>
    public KeyBinding FreshNonce(Digest register)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var jwk = Encoding.ASCII.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{Base64Url.EncodeToString(point.X)}}","y":"{{Base64Url.EncodeToString(point.Y)}}"}""");
        var random = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(RandomSize));
        var report = OwnReport(BindingOf(random, jwk).ReportData(""), register);
        return BindingOf($"{random}.{Base64Url.EncodeToString(SHA384.HashData(report.Bytes))}", jwk);
    }

    /// <summary>This VM's report over some data: of this VM as it is now, or it throws.</summary>
    public CpuReport OwnReport(ReadOnlySpan<byte> data, Digest register)
    {
        var report = sources.Reporter(configuration.Pcr).Report(data);
        if (report is VtpmReport vtpm)
        {
            OwnVtpmReport.Require(vtpm, data, configuration.Pcr, register);
            return report;
        }

        if (report.Tee is "tdx")
        {
            if (!TdxQuote.TryParse(report.Bytes, out var quote, out var fault))
            {
                throw new GuestException("gate.report.malformed", $"this VM's own quote: {fault}", "see the kernel's messages about tdx_guest");
            }

            RequireReport(quote.Body.ReportData.Bytes, data);
            if (configuration.Pcr is null && quote.Body.Rtmr[GuestRtmr] != register)
            {
                throw new GuestException("gate.report.register", "this VM's own quote has another RTMR3 than the register shows", "the register is not what it seems: do not use this machine", $"{quote.Body.Rtmr[GuestRtmr]}", $"{register}");
            }

            return report;
        }

        if (!SnpReport.TryParse(report.Bytes, out var snp, out var problem))
        {
            throw new GuestException("gate.report.malformed", $"this VM's own report: {problem}", "see the kernel's messages about sev-guest");
        }

        RequireReport(snp.ReportData.Bytes, data);
        return report;
    }

    /// <summary>What every GPU and switch answers.</summary>
    public ImmutableArray<DeviceEvidence> Collect(Nonce nonce)
    {
        ImmutableArray<DeviceEvidence> all = [.. sources.Gpus.Collect(nonce), .. configuration.Switches > 0 ? sources.Switches.Collect(nonce) : []];
        var expected = configuration.Gpus + configuration.Switches;
        Require(all.Length == expected, "gate.evidence.count", "another number of devices answered than is expected", all.Length, expected, $"see the kernel's messages about the {Nvidia}");
        return all;
    }

    /// <summary>Collateral as configured: a bundle, a cache, or both.</summary>
    public (RecordingSource Source, VerifiedBundle? Bundle, Digest? Digest) OpenCollateral(VerifierCache cache)
    {
        var (bundle, digest) = configuration.Bundle is { } setting ? ReadBundle(setting, cache) : (null, null);
        var url = configuration.CollateralUrl;
        var http = new CollateralHttpOptions();
        var service = url is null ? null : new CollateralSources { Rims = new RimServiceClient(url, http), Ocsp = new OcspClient(url, http) };
        return (new RecordingSource(bundle, service), bundle, digest);
    }

    /// <summary>The whole of it.</summary>
    public async Task<VerifiedDevices> VerifyAsync(KeyBinding binding, ImmutableArray<DeviceEvidence> evidence, VerifierCache cache, CancellationToken cancellation)
    {
        var (source, bundle, digest) = OpenCollateral(cache);
        using var closing = source;
        var expected = new MachineExpectations
        {
            Nonce = binding.DeviceNonce(),
            Basis = new TrustBasis(Now(), sources.Trust, RevocationChecking.Required),
            Gpus = configuration.Gpus,
            Switches = configuration.Switches,
        };
        var appraiser = new MachineAppraiser(source, cache) { Patience = configuration.Timeout, Time = clock };
        var verdict = await appraiser.AppraiseAsync(new MachineEvidence { Devices = evidence }, expected, cancellation: cancellation).ConfigureAwait(false);
        RequirePass(verdict);
        // Once more: evidence says nothing of DevTools, and devices and mode may have changed while it was collected.
        RequireCounts();
        RequireMode();
        return new VerifiedDevices(verdict, new GateFacts
        {
            Nonce = binding.DeviceNonce(),
            TeePubkeyThumbprint = binding.Thumbprint,
            Evidence = evidence,
            ProtectedPcie = configuration.Mode is ProtectionMode.ProtectedPcie,
            Rims = source.Rims,
            Policy = GuestConfiguration.PolicyDigest,
            Bundle = digest,
            BundleSequence = bundle?.Manifest.Sequence ?? 0,
        });
    }

    /// <summary>The clock of this machine, which is not earlier than the image says (S-13).</summary>
    public EvaluationTime Now()
    {
        var now = clock.GetUtcNow();
        return now >= configuration.MinimumTime ? new EvaluationTime(now, TimeSource.System)
            : throw new GuestException("gate.clock", "this machine's clock is earlier than the measured minimum", "set the clock, or have the host set it right", Utc.Text(now), $"{Utc.Text(configuration.MinimumTime)} or later");
    }

    private const int GuestRtmr = 3;

    private void RequirePass(Verdict verdict)
    {
        if (!verdict.Passed)
        {
            // What was found first, in the order of the checks: the word of the verdict is the reason's own.
            var missing = verdict.Kind is VerdictKind.Incomplete;
            throw new GuestException(missing ? "gate.collateral.missing" : "gate.verdict", verdict.ToString(), missing ? "see that the cache can be reached, or bring a bundle that has it" : "assay explain CHECK says what to do", verdict.Word, "pass");
        }

        var beyond = verdict.Weakened.Except(Weakening.OfDevicesAlone, StringComparer.Ordinal).ToArray();
        if (beyond.Length > 0 || verdict.Freshness is not "proven")
        {
            throw new GuestException("gate.weakened", "the verdict passed only with something waived", "a gate waives nothing: this is a bug, report it", string.Join(", ", beyond), "nothing");
        }

        var other = verdict.Appraisal.Devices.Select(device => device.Device!.Identity.Architecture.ToString().ToUpperInvariant()).FirstOrDefault(word => !configuration.Architectures.Contains(word));
        if (other is not null)
        {
            throw new GuestException("gate.architecture", "a device is of a family that the measured configuration does not list", "attach other devices, or build an image for these", other, string.Join(", ", configuration.Architectures));
        }
    }

    private (VerifiedBundle? Bundle, Digest? Digest) ReadBundle(BundleSetting setting, VerifierCache cache)
    {
        if (!BoundedFile.TryRead(setting.Path, Limits.BundleBytes, out var file, out var whyNot))
        {
            throw new GuestException("gate.bundle.missing", whyNot, "bring a bundle to that place (assay bundle create)");
        }

        var expected = new BundleExpectations { Keys = setting.Keys, Threshold = 1, MinimumSequence = setting.MinimumSequence, Time = Now() };
        if (VerifiedBundle.TryVerify(file, expected, new ItemVerification(sources.Trust, cache), out var bundle, out var fault))
        {
            return (bundle, new Digest(SHA384.HashData(file.Span)));
        }

        // A cache does not make good for it: with an old bundle, which the host chooses, nothing would bound what the cache answers (S-17).
        throw fault.Id is "bundle.current" ? new GuestException(Expired, $"{setting.Path}: {fault}", "bring a newer bundle")
            : new GuestException("gate.bundle.refused", $"{setting.Path}: {fault}", "bring another bundle, signed by a key of the image");
    }

    private static KeyBinding BindingOf(string nonce, byte[] jwk) =>
        KeyBinding.TryCreate(nonce, jwk, out var binding, out var fault) ? binding : throw new InvalidOperationException($"{fault}");

    /// <summary>A report is about the data that were asked for.</summary>
    internal static void RequireReport(ReadOnlySpan<byte> found, ReadOnlySpan<byte> asked)
    {
        if (!CryptographicOperations.FixedTimeEquals(found, asked))
        {
            throw new GuestException("gate.report.other", "this VM's own report is about other data than was asked for", "see that nothing else asks for reports, and boot again", Convert.ToHexStringLower(found), Convert.ToHexStringLower(asked));
        }
    }

    private static void Require(bool holds, string id, string reason, int found, int expected, string cure)
    {
        if (!holds)
        {
            throw new GuestException(id, reason, cure, found.ToString(CultureInfo.InvariantCulture), expected.ToString(CultureInfo.InvariantCulture));
        }
    }

    internal static string Word(ProtectionMode mode) => mode switch { ProtectionMode.On => "on", ProtectionMode.ProtectedPcie => "ppcie", _ => "off" };
}
