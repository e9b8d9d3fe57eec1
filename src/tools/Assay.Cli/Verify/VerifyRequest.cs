using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Cli.Policies;
using Assay.Cli.Tokens;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Files;
using Assay.Collateral.Http;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policies;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>A command line that makes sense, with its files read. All of its faults are found before one is reported.</summary>
internal sealed class VerifyRequest : IDisposable
{
    private const string RequiredHere = "give evidence: --evidence FILE…, --report FILE with --chain FILE, or --cpu-evidence FILE";

    private VerifyRequest()
    {
    }

    public required MachineRequest Machine { get; init; }

    /// <summary>Null where none is given.</summary>
    public required VerifiedBundle? Bundle { get; init; }

    /// <summary>What verified while the command line was read.</summary>
    public required VerifierCache Cache { get; init; }
    public required CollateralSources Sources { get; init; }
    public required bool UsesNetwork { get; init; }
    public required ClaimsVersion Claims { get; init; }
    public required RelyingPartyPolicy Policy { get; init; }
    /// <summary>Names for which a weakened pass is refused; empty: any. Null: none.</summary>
    public required ImmutableArray<string>? FailOnWeakened { get; init; }
    public required bool Json { get; init; }
    public required bool Verbose { get; init; }

    /// <summary>Null when no token is asked for.</summary>
    public required TokenOutput? Token { get; init; }

    public static bool TryRead(
        VerifyOptions options, ParseResult parsed, TimeProvider clock, [NotNullWhen(true)] out VerifyRequest? request, out ImmutableArray<(string Id, string Message)> faults)
    {
        var reader = new Reader(options, parsed);
        var shown = reader.Evidence();
        var expectations = reader.Expectations(clock);
        var cache = new VerifierCache();
        var bundle = reader.Bundle(expectations, cache);
        var machine = reader.Machine(shown, expectations);
        var sources = reader.Sources(bundle);
        var policy = reader.Policy();
        var failOn = reader.FailOnWeakened();
        var token = reader.Token(expectations.Trust);
        faults = [.. reader.Faults];
        request = faults.IsEmpty
            ? new VerifyRequest
            {
                Machine = machine,
                Bundle = bundle,
                Cache = cache,
                Sources = sources,
                UsesNetwork = options.Urls.Any(option => parsed.GetValue(option) is not null),
                Claims = ClaimsOf(parsed.GetValue(options.Claims)),
                Policy = policy,
                FailOnWeakened = failOn,
                Json = parsed.GetValue(options.Format) == Options.Json,
                Verbose = parsed.GetValue(options.Verbose),
                Token = token,
            }
            : null;
        if (request is null)
        {
            token?.Dispose();
            sources.Dispose();
        }

        return request is not null;
    }

    public void Dispose()
    {
        Sources.Dispose();
        Token?.Dispose();
    }

    private static ClaimsVersion ClaimsOf(string? word) => word switch
    {
        "2.0" => ClaimsVersion.V2,
        "3.0" => ClaimsVersion.V3,
        "legacy" => ClaimsVersion.Legacy,
        _ => ClaimsVersion.V4,
    };

    private sealed class Reader(VerifyOptions options, ParseResult parsed)
    {
        public List<(string Id, string Message)> Faults { get; } = [];

        public MachineEvidence Evidence()
        {
            var files = parsed.GetValue(options.Evidence) ?? [];
            var (report, chain) = (parsed.GetValue(options.Report), parsed.GetValue(options.Chain));
            var none = new MachineEvidence { Devices = [] };
            if (files.Length == 0 && report is null && chain is null)
            {
                if (parsed.GetValue(options.Machine.ProcessorEvidence) is null)
                {
                    Refuse("cli.evidence", RequiredHere);
                }

                return none;
            }

            if ((report is null) != (chain is null))
            {
                Refuse("cli.evidence", "--report and --chain belong together");
                return none;
            }

            var devices = ImmutableArray.CreateBuilder<DeviceEvidence>();
            MachineEvidence? whole = null;
            foreach (var file in files)
            {
                if (InputFile.TryRead(file, Limits.EvidenceFileBytes, out var bytes, out var whyNot) is false)
                {
                    Refuse("cli.file", whyNot);
                }
                else if (!MachineEvidence.TryParse(bytes, InputFile.NameOf(file), out var read, out var fault))
                {
                    var isJson = bytes.AsSpan().TrimStart(" \t\r\n"u8) is [(byte)'{' or (byte)'[', ..];
                    Refuse("evidence.malformed", isJson
                        ? $"{InputFile.NameOf(file)}: {fault}"
                        : $"{InputFile.NameOf(file)}: not JSON; a report alone is given as --report FILE with --chain FILE, a TDX quote or SNP report as --cpu-evidence FILE");
                }
                else
                {
                    devices.AddRange(read.Devices);
                    if (read.Cpu is null && read.Key is null)
                    {
                        continue;
                    }

                    if (whole is not null)
                    {
                        Refuse("cli.evidence", $"{InputFile.NameOf(file)}: a second bundle with a processor or a key: one machine is judged in one call");
                    }

                    whole = read;
                }
            }

            if (report is not null && Alone(report, chain!) is { } alone)
            {
                devices.Add(alone);
            }

            if (devices.Count > Limits.Devices)
            {
                Refuse("cli.evidence", $"{devices.Count} devices are given, at most {Limits.Devices} are judged in one call");
            }

            return (whole ?? none) with { Devices = devices.ToImmutable() };
        }

        public MachineRequest Machine(MachineEvidence shown, MachineExpectations common) =>
            MachineRequest.Read(options.Machine, parsed, shown, parsed.GetValue(options.Nonce), common, Refuse);

        public MachineExpectations Expectations(TimeProvider clock) => new()
        {
            Time = ReadTime(clock),
            Trust = AnchorsFile.Read(parsed.GetValue(options.Anchors), Refuse),
            Revocation = parsed.GetValue(options.SkipRevocation) ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required,
            DangerouslyAcceptHeldRimSigner = parsed.GetValue(options.AcceptHeld),
            RequireFwid = parsed.GetValue(options.RequireFwid),
        };

        /// <summary>Only one that holds; why another does not is told.</summary>
        public VerifiedBundle? Bundle(MachineExpectations expectations, VerifierCache cache)
        {
            if (parsed.GetValue(options.Bundle) is not { } path)
            {
                options.BundleTrust.RefuseWithout(parsed, "--bundle FILE", Refuse);
                return null;
            }

            if (new Option[] { options.RimStore, options.OcspStore }.Concat(options.Urls).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } other)
            {
                Refuse("cli.bundle", $"--bundle brings all collateral, and so does {other.Name}: give one of them");
            }

            var expected = options.BundleTrust.Read(parsed, expectations.Time, Refuse);
            if (!InputFile.TryRead(path, Limits.BundleBytes, out var file, out var whyNot))
            {
                Refuse("cli.file", whyNot);
            }
            else if (expected is not null && Faults.Count == 0)
            {
                if (VerifiedBundle.TryVerify(file, expected, new ItemVerification(expectations.Trust, cache), out var bundle, out var fault))
                {
                    return bundle;
                }

                Refuse(fault.Id, $"--bundle: {InputFile.NameOf(path)}: {fault.Reason}");
            }

            return null;
        }

        public ImmutableArray<string>? FailOnWeakened() => parsed.GetResult(options.FailOnWeakened) is not { Implicit: false } ? null
            : parsed.GetValue(options.FailOnWeakened) is { } names ? WeakeningOptions.Names("--fail-on-weakened", [names], ofTokens: false, Refuse) : [];

        /// <summary>The source of each kind: a folder, a bundle or a URL that was given, and none otherwise.</summary>
        public CollateralSources Sources(VerifiedBundle? bundle)
        {
            var one = parsed.GetValue(options.CollateralUrl) is { } url ? ReadUrl("--collateral-url", url, null, null) : null;
            var processors = new UpstreamOptions
            {
                Intel = Manufacturer("--intel-url", options.IntelUrl, "intel", UpstreamOptions.Manufacturers.Intel) ?? one,
                IntelRootCrl = parsed.GetValue(options.IntelUrl) is "intel" ? UpstreamOptions.Manufacturers.IntelRootCrl : null,
                Amd = Manufacturer("--amd-url", options.AmdUrl, "amd", UpstreamOptions.Manufacturers.Amd) ?? one,
                // One command asks a few times and ends: a breaker would hide why the first request failed.
                Http = new CollateralHttpOptions(),
            };
            var upstream = processors is { Intel: null, Amd: null } ? null : new HttpUpstream(processors);
            return new CollateralSources
            {
                Rims = Rims(one) ?? bundle,
                Ocsp = Ocsp(one) ?? bundle,
                Intel = processors.Intel is null ? bundle : upstream,
                Amd = processors.Amd is null ? bundle : upstream,
                WhyNotAsked = kind => kind is CollateralKind.Rim ? "no RIM source was asked; give --rim-store DIR or --rim-url URL" : "no OCSP source was asked; give --ocsp-url URL or --ocsp-store DIR",
            };
        }

        private ICollateralSource? Rims(ServiceAddress? one)
        {
            var (folder, url) = (parsed.GetValue(options.RimStore), parsed.GetValue(options.RimUrl));
            if (folder is not null && url is not null)
            {
                Refuse("cli.rim", "give --rim-store or --rim-url, not both");
                return null;
            }

            var address = url is null ? one : ReadUrl("--rim-url", url, "nvidia", RimServiceClient.NvidiaBaseAddress);
            return folder is not null ? new DirectoryRimStore(RequireFolder("--rim-store", folder))
                : address is not null ? new RimServiceClient(address, new CollateralHttpOptions())
                : null;
        }

        private ICollateralSource? Ocsp(ServiceAddress? one)
        {
            var (folder, url) = (parsed.GetValue(options.OcspStore), parsed.GetValue(options.OcspUrl));
            var skipped = parsed.GetValue(options.SkipRevocation);
            if ((folder is null ? 0 : 1) + (url is null ? 0 : 1) + (skipped ? 1 : 0) > 1)
            {
                Refuse("cli.ocsp", "give one of --ocsp-url, --ocsp-store and --dangerously-skip-revocation");
                return null;
            }

            var address = url is not null ? ReadUrl("--ocsp-url", url, "nvidia", OcspClient.NvidiaAddress) : skipped ? null : one;
            return folder is not null ? new DirectoryOcspStore(RequireFolder("--ocsp-store", folder))
                : address is not null ? new OcspClient(address, new CollateralHttpOptions())
                : null;
        }

        private ServiceAddress? Manufacturer(string option, Option<string?> value, string word, ServiceAddress? known) =>
            parsed.GetValue(value) is { } text ? ReadUrl(option, text, word, known) : null;

        public RelyingPartyPolicy Policy()
        {
            var file = parsed.GetValue(options.Policy);
            if (file is null)
            {
                // Passed over, they would leave the default policy to decide in the place of the one that was meant.
                if ((parsed.GetValue(options.Query) ?? parsed.GetValue(options.PolicyData)) is not null)
                {
                    Refuse("cli.policy", "--query and --policy-data belong to a policy in Rego: name it with --policy");
                }

                return RelyingPartyPolicy.Default;
            }

            var isRego = Path.GetExtension(file) is ".rego";
            if (!isRego && (parsed.GetValue(options.Query) ?? parsed.GetValue(options.PolicyData)) is not null)
            {
                Refuse("cli.policy", "--query and --policy-data belong to a policy in Rego");
            }

            if (isRego)
            {
                return ReadRego(file);
            }

            // Told by the name alone, so that a policy in another language is not called malformed JSON.
            if (Path.GetExtension(file) is not (".json" or ".plc"))
            {
                Refuse("cli.policy", $"--policy: a .rego file, or a .json or .plc file with authorization-rules, is expected, found {file}");
            }
            else if (!InputFile.TryRead(file, JsonPolicy.MostBytes, out var bytes, out var whyNot))
            {
                Refuse("cli.file", whyNot);
            }
            else if (JsonPolicy.TryParse(bytes, out var policy, out var fault))
            {
                return policy.Named(InputFile.NameOf(file));
            }
            else
            {
                Refuse("policy.malformed", $"{file}: {fault}");
            }

            return RelyingPartyPolicy.Default;
        }

        private RelyingPartyPolicy ReadRego(string file)
        {
            PolicyDocument? data = null;
            if (parsed.GetValue(options.PolicyData) is { } dataFile)
            {
                if (!InputFile.TryRead(dataFile, RegoPolicy.MostBytes, out var json, out var whyNoData))
                {
                    Refuse("cli.file", whyNoData);
                }
                else if (!PolicyDocument.TryParse(json, out var value, out var problem))
                {
                    Refuse("policy.malformed", $"{dataFile}: {problem}");
                }
                else if (!value.IsObject)
                {
                    Refuse("policy.malformed", PolicyFaults.NoObject(dataFile, value));
                }
                else
                {
                    data = value;
                }
            }

            if (!InputFile.TryRead(file, RegoPolicy.MostBytes, out var source, out var whyNot))
            {
                Refuse("cli.file", whyNot);
            }
            else if (RegoPolicy.TryParse(InputFile.NameOf(file), source, data, parsed.GetValue(options.Query), out var policy, out var fault))
            {
                return policy.Named(InputFile.NameOf(file));
            }
            else
            {
                Refuse("policy.malformed", PolicyFaults.Of(fault));
            }

            return RelyingPartyPolicy.Default;
        }

        public TokenOutput? Token(TrustSet trust) => TokenOutput.Read(options, parsed, trust.Kind, Refuse);

        private DeviceEvidence? Alone(string report, string chain)
        {
            if (!InputFile.TryRead(report, 2 * Limits.ReportBytes, out var reportFile, out var whyNot)
                | !InputFile.TryRead(chain, Limits.ChainTextBytes, out var chainFile, out var whyNotChain))
            {
                Refuse("cli.file", whyNot ?? whyNotChain!);
                return null;
            }

            if (!EvidenceText.TryReadReport(reportFile, out var bytes, out var fault))
            {
                Refuse("report.malformed", $"{report}: {fault}");
                return null;
            }

            return new DeviceEvidence { Source = InputFile.NameOf(report), Report = bytes, Chain = chainFile };
        }

        private EvaluationTime ReadTime(TimeProvider clock)
        {
            var text = parsed.GetValue(options.At);
            if (text is null)
            {
                return new EvaluationTime(clock.GetUtcNow(), TimeSource.System);
            }

            if (!Instant.TryRead(text, out var at, out var whyNot))
            {
                Refuse("cli.at", $"--at: {whyNot}");
                return new EvaluationTime(default, TimeSource.None);
            }

            return new EvaluationTime(at, TimeSource.Stated);
        }

        private string RequireFolder(string option, string folder)
        {
            if (!Directory.Exists(folder))
            {
                Refuse("cli.folder", File.Exists(folder) ? $"{option}: {folder} is a file, a folder is expected" : $"{option}: the folder {folder} does not exist");
            }

            return folder;
        }

        private ServiceAddress? ReadUrl(string option, string text, string? word, ServiceAddress? known)
        {
            if (text == word)
            {
                return known;
            }

            if (!ServiceAddress.TryParse(text, out var address, out var fault))
            {
                Refuse("cli.url", word is null ? $"{option}: {fault.Problem}" : $"{option}: {fault.Problem}; {word} names {Whose(word)}");
            }

            return address;
        }

        private static string Whose(string word) => word switch { "intel" => "Intel's", "amd" => "AMD's", _ => "NVIDIA's" };

        private void Refuse(string id, string message) => Faults.Add((id, message));
    }
}
