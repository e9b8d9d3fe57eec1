using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Cli.Collateral;
using Assay.Cli.Tokens;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>A command line that makes sense, with its files read. All of its faults are found before one is reported.</summary>
internal sealed class VerifyRequest : IDisposable
{
    private VerifyRequest()
    {
    }

    public required MachineRequest Machine { get; init; }

    /// <summary>Where a processor's collateral is; null where it is not given. Read anew for evidence that comes later.</summary>
    public required string? ProcessorCollateral { get; init; }

    /// <summary>Null where none is given.</summary>
    public required VerifiedBundle? Bundle { get; init; }

    /// <summary>What its file is called; null where none is given.</summary>
    public required string? BundleName { get; init; }

    /// <summary>What verified while the command line was read.</summary>
    public required VerifierCache Cache { get; init; }
    public required CollateralSources Sources { get; init; }
    public required bool UsesNetwork { get; init; }

    /// <summary>Where items of a kind are asked for; null where nowhere.</summary>
    public required Func<CollateralKind, string?> From { get; init; }

    /// <summary>How long services may take, all together.</summary>
    public required TimeSpan Patience { get; init; }

    public required ClaimsVersion Claims { get; init; }
    public required RelyingPartyPolicy Policy { get; init; }
    /// <summary>Names for which a weakened pass is refused; empty: any. Null: none.</summary>
    public required ImmutableArray<string>? FailOnWeakened { get; init; }
    public required bool Json { get; init; }
    public required bool Verbose { get; init; }

    /// <summary>Null when no token is asked for.</summary>
    public required TokenOutput? Token { get; init; }

    /// <param name="options">Of the command.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="clock">The system's.</param>
    /// <param name="request">Null exactly where there are faults.</param>
    /// <param name="faults">All of them.</param>
    /// <param name="isWhole">Whether the file of <c>--config</c>, where there is one, could be read to its end.</param>
    /// <param name="hasEvidence">Whether evidence is given too; otherwise it comes later, and what is expected of it is all there is.</param>
    public static bool TryRead(
        VerifyOptions options, ParseResult parsed, TimeProvider clock, [NotNullWhen(true)] out VerifyRequest? request, out ImmutableArray<(string Id, string Message)> faults, bool isWhole = true, bool hasEvidence = true)
    {
        var reader = new Reader(options, parsed, new VerifyFaults(isWhole), hasEvidence);
        var (expectations, isBasisRead) = reader.Expectations(clock);
        var cache = new VerifierCache();
        var bundle = reader.Bundle(expectations, isBasisRead, cache);
        var machine = reader.Machine(expectations);
        reader.RefuseBesideBundle(machine.Given);
        var stated = new SourcesRequest(options, parsed, reader.Faults.Add);
        var sources = stated.Read(bundle);
        var policy = new PolicyRequest(options, parsed, reader.Faults).Read();
        var failOn = reader.FailOnWeakened();
        var token = reader.Token(expectations.Basis.Trust);
        faults = [.. reader.Faults.All];
        request = faults.IsEmpty
            ? new VerifyRequest
            {
                Machine = machine,
                ProcessorCollateral = parsed.GetValue(options.Machine.ProcessorCollateral),
                Bundle = bundle,
                BundleName = parsed.GetValue(options.Bundle) is { } path ? InputFile.NameOf(path) : null,
                Cache = cache,
                Sources = sources,
                UsesNetwork = options.Urls.Any(option => parsed.GetValue(option) is not (null or ServiceWords.None)),
                From = stated.From,
                Patience = TimeSpan.FromSeconds(parsed.GetValue(options.Timeout)),
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

    private sealed class Reader(VerifyOptions options, ParseResult parsed, VerifyFaults faults, bool hasEvidence)
    {
        public VerifyFaults Faults => faults;

        /// <summary>What is shown, and what is asked about it.</summary>
        public MachineRequest Machine(MachineExpectations common)
        {
            var before = faults.All.Count;
            if (!hasEvidence)
            {
                RequireCollateralPlace();
                return MachineRequest.Read(options.Machine, parsed, new MachineEvidence { Devices = [] }, isRead: false, nonceText: null, common, faults);
            }

            var shown = new EvidenceFiles(options, parsed, faults.Add).Read();
            return MachineRequest.Read(options.Machine, parsed, shown, isRead: faults.All.Count == before, parsed.GetValue(options.Nonce), common, faults);
        }

        // It is read for evidence that comes later; that it is not there is better told now.
        private void RequireCollateralPlace()
        {
            if (parsed.GetValue(options.Machine.ProcessorCollateral) is { } path && !File.Exists(path) && !Directory.Exists(path))
            {
                faults.Add("cli.file", $"--cpu-collateral: {path}: no such file or folder");
            }
        }

        /// <summary>What is common to all parts, and whether time and anchors could be read.</summary>
        public (MachineExpectations Common, bool IsBasisRead) Expectations(TimeProvider clock)
        {
            var before = faults.All.Count;
            var basis = new TrustBasis(ReadTime(clock), AnchorsFile.Read(parsed.GetValue(options.Anchors), faults.Add), parsed.GetValue(options.SkipRevocation) ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required);
            var common = new MachineExpectations
            {
                Basis = basis,
                DangerouslyAcceptHeldRimSigner = parsed.GetValue(options.AcceptHeld),
                RequireFwid = parsed.GetValue(options.RequireFwid),
                MaximumCollateralAge = parsed.GetValue(options.MostAgeHours) is var hours and > 0 ? TimeSpan.FromHours(hours) : null,
            };
            return (common, faults.All.Count == before);
        }

        /// <summary>Only one that holds; why another does not is told. It is judged where what it is judged by could be read.</summary>
        public VerifiedBundle? Bundle(MachineExpectations expectations, bool isBasisRead, VerifierCache cache)
        {
            if (parsed.GetValue(options.Bundle) is not { } path)
            {
                options.BundleTrust.RefuseWithout(parsed, "--bundle FILE", faults.AddAlone);
                return null;
            }

            // Beside it, an older answer of a folder or a service would escape the bundle's high-water marks (S-17).
            if (new Option[] { options.RimStore, options.OcspStore }.Concat(options.Urls.Where(url => parsed.GetValue(url) is not ServiceWords.None)).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } other)
            {
                faults.Add("cli.bundle", $"--bundle brings all collateral, and {other.Name} names another source, whose answers its high-water marks would not bound: give one of them");
            }

            var expected = options.BundleTrust.Read(parsed, expectations.Basis.Time, faults.Add);
            if (!InputFile.TryRead(path, Limits.BundleBytes, out var file, out var whyNot))
            {
                faults.Add("cli.file", whyNot);
            }
            else if (expected is not null && isBasisRead)
            {
                if (VerifiedBundle.TryVerify(file, expected, new ItemVerification(expectations.Basis.Trust, cache), out var bundle, out var fault))
                {
                    return bundle;
                }

                faults.Add(fault.Id, WrongFile.Message(InputFile.NameOf(path), "--bundle", "a bundle of collateral, as assay bundle create makes it", file, fault.Reason, ContentKind.CollateralBundle, ContentKind.Unknown));
            }

            return null;
        }

        /// <summary>What was given of a processor's collateral would escape the bundle's high-water marks too; certificates have none (S-17).</summary>
        public void RefuseBesideBundle(ProcessorCollateral? given)
        {
            if (parsed.GetValue(options.Bundle) is not null
                && given is { Snp.Crl: not null } or { Tdx.TcbInfo: not null } or { Tdx.QeIdentity: not null } or { Tdx.PckCrl: not null } or { Tdx.RootCrl: not null })
            {
                faults.Add("cli.bundle", "--bundle brings all collateral, and --cpu-collateral has statements or revocation lists, which its high-water marks would not bound: give one of them, or certificates of AMD alone");
            }
        }

        public ImmutableArray<string>? FailOnWeakened()
        {
            if (parsed.GetResult(options.AcceptWeakened) is not { Implicit: false })
            {
                return NamedWeakenings();
            }

            if (parsed.GetResult(options.FailOnWeakened) is { Implicit: false })
            {
                faults.Add("cli.weakened", "--fail-on-weakened and --accept-weakened both say how weak a pass may be: give one of them");
            }

            ImmutableArray<string> accepted = parsed.GetValue(options.AcceptWeakened) is { Length: > 0 } names ? WeakeningOptions.Names("--accept-weakened", [names], WeakeningScope.VerdictsAndChannels, faults.Add) : [];
            return [.. Weakening.Names.Except(accepted)];
        }

        private ImmutableArray<string>? NamedWeakenings() => parsed.GetResult(options.FailOnWeakened) is not { Implicit: false } ? null
            : parsed.GetValue(options.FailOnWeakened) is { } names ? WeakeningOptions.Names("--fail-on-weakened", [names], WeakeningScope.Verdicts, faults.Add) : [];

        public TokenOutput? Token(TrustSet trust) => TokenOutput.Read(options, parsed, trust.Kind, faults.Add);

        private EvaluationTime ReadTime(TimeProvider clock)
        {
            var text = parsed.GetValue(options.At);
            if (text is null)
            {
                return new EvaluationTime(clock.GetUtcNow(), TimeSource.System);
            }

            if (!Instant.TryRead(text, out var at, out var whyNot))
            {
                faults.Add("cli.at", $"--at: {whyNot}");
                return new EvaluationTime(default, TimeSource.None);
            }

            return new EvaluationTime(at, TimeSource.Stated);
        }
    }
}
