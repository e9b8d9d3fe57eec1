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

    /// <summary>Null where none is given.</summary>
    public required VerifiedBundle? Bundle { get; init; }

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

    public static bool TryRead(
        VerifyOptions options, ParseResult parsed, TimeProvider clock, [NotNullWhen(true)] out VerifyRequest? request, out ImmutableArray<(string Id, string Message)> faults)
    {
        var reader = new Reader(options, parsed);
        var shown = new EvidenceFiles(options, parsed, reader.Refuse).Read();
        var isRead = reader.Faults.Count == 0;
        var expectations = reader.Expectations(clock);
        var cache = new VerifierCache();
        var bundle = reader.Bundle(expectations, cache);
        var machine = reader.Machine(shown, isRead, expectations);
        var stated = new SourcesRequest(options, parsed, reader.Refuse);
        var sources = stated.Read(bundle);
        var policy = new PolicyRequest(options, parsed, reader.Refuse).Read();
        var failOn = reader.FailOnWeakened();
        var patience = TimeSpan.FromSeconds(reader.Number(options.Timeout, 1, 3600));
        var token = reader.Token(expectations.Basis.Trust);
        faults = [.. reader.Faults];
        request = faults.IsEmpty
            ? new VerifyRequest
            {
                Machine = machine,
                Bundle = bundle,
                Cache = cache,
                Sources = sources,
                UsesNetwork = options.Urls.Any(option => parsed.GetValue(option) is not (null or ServiceWords.None)),
                From = stated.From,
                Patience = patience,
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

        public MachineRequest Machine(MachineEvidence shown, bool isRead, MachineExpectations common) =>
            MachineRequest.Read(options.Machine, parsed, shown, isRead, parsed.GetValue(options.Nonce), common, Refuse);

        public MachineExpectations Expectations(TimeProvider clock) => new()
        {
            Basis = new TrustBasis(ReadTime(clock), AnchorsFile.Read(parsed.GetValue(options.Anchors), Refuse), parsed.GetValue(options.SkipRevocation) ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required),
            DangerouslyAcceptHeldRimSigner = parsed.GetValue(options.AcceptHeld),
            RequireFwid = parsed.GetValue(options.RequireFwid),
            MaximumCollateralAge = Number(options.MostAgeHours, 0, 24 * 366) is var hours and > 0 ? TimeSpan.FromHours(hours) : null,
        };

        /// <summary>Only one that holds; why another does not is told.</summary>
        public VerifiedBundle? Bundle(MachineExpectations expectations, VerifierCache cache)
        {
            if (parsed.GetValue(options.Bundle) is not { } path)
            {
                options.BundleTrust.RefuseWithout(parsed, "--bundle FILE", Refuse);
                return null;
            }

            if (new Option[] { options.RimStore, options.OcspStore }.Concat(options.Urls.Where(url => parsed.GetValue(url) is not ServiceWords.None)).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } other)
            {
                Refuse("cli.bundle", $"--bundle brings all collateral, and so does {other.Name}: give one of them");
            }

            var expected = options.BundleTrust.Read(parsed, expectations.Basis.Time, Refuse);
            if (!InputFile.TryRead(path, Limits.BundleBytes, out var file, out var whyNot))
            {
                Refuse("cli.file", whyNot);
            }
            else if (expected is not null && Faults.Count == 0)
            {
                if (VerifiedBundle.TryVerify(file, expected, new ItemVerification(expectations.Basis.Trust, cache), out var bundle, out var fault))
                {
                    return bundle;
                }

                Refuse(fault.Id, WrongFile.Message(InputFile.NameOf(path), "--bundle", "a bundle of collateral, as assay bundle create makes it", file, fault.Reason, ContentKind.CollateralBundle, ContentKind.Unknown));
            }

            return null;
        }

        public ImmutableArray<string>? FailOnWeakened()
        {
            if (parsed.GetResult(options.AcceptWeakened) is not { Implicit: false })
            {
                return NamedWeakenings();
            }

            if (parsed.GetResult(options.FailOnWeakened) is { Implicit: false })
            {
                Refuse("cli.weakened", "--fail-on-weakened and --accept-weakened both say how weak a pass may be: give one of them");
            }

            ImmutableArray<string> accepted = parsed.GetValue(options.AcceptWeakened) is { Length: > 0 } names ? WeakeningOptions.Names("--accept-weakened", [names], ofTokens: false, Refuse) : [];
            return [.. Weakening.Names.Except(accepted)];
        }

        private ImmutableArray<string>? NamedWeakenings() => parsed.GetResult(options.FailOnWeakened) is not { Implicit: false } ? null
            : parsed.GetValue(options.FailOnWeakened) is { } names ? WeakeningOptions.Names("--fail-on-weakened", [names], ofTokens: false, Refuse) : [];

        public TokenOutput? Token(TrustSet trust) => TokenOutput.Read(options, parsed, trust.Kind, Refuse);

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

        public int Number(Option<int> option, int least, int most)
        {
            var value = parsed.GetValue(option);
            if (value < least || value > most)
            {
                Refuse("cli.arguments", $"{option.Name} is {least} to {most}, found {value}");
            }

            return value;
        }

        public void Refuse(string id, string message) => Faults.Add((id, message));
    }
}
