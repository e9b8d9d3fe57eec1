using System.Collections.Immutable;
using System.CommandLine;
using Assay.Checks;
using Assay.Collateral.Cache;
using Assay.Collateral.Gathering;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary><c>assay bundle plan</c>: what evidence needs, and what of it a bundle lacks. Asks nobody.</summary>
internal sealed class PlanCommand
{
    private readonly Option<string[]> _for = new("--for") { Description = "evidence of the devices and processors, for instance after an upgrade", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _bundle = new("--bundle") { Description = "the current bundle; its signature is verified if --bundle-keys is given", HelpName = "FILE" };
    private readonly BundleTrust _trust = new();
    private readonly Option<string?> _idsOut = new("--ids-out") { Description = "write what is missing to this file, for assay bundle create --ids", HelpName = "FILE" };
    private readonly Option<string> _channel = CreateOptions.ChannelOption();
    private readonly Option<string[]> _certIds = new("--certid") { Description = "CertID hash algorithms that OCSP answers must use; any, if not given", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _anchors = AnchorsFile.Option();
    private readonly Option<string> _format = Options.Format();

    private bool _refused;

    public static DescribedCommand Create() => new PlanCommand().ToCommand();

    private DescribedCommand ToCommand()
    {
        _certIds.OneOf("sha1", "sha256", "sha384");
        var command = new DescribedCommand(
            "plan",
            "Lists the items that evidence needs and a bundle lacks, for instance after a driver or VBIOS update.",
            "0 nothing is missing · 1 evidence that is not authentic · 2 unusable input · 3 something is missing",
            [
                "assay bundle plan --for gpu.json --bundle rack7.bundle",
                "assay bundle plan --for gpu.json --bundle rack7.bundle --ids-out missing.ids",
            ])
        {
            _for, _bundle, _idsOut, _channel, _certIds, _anchors, _format,
        };
        _trust.All.ToList().ForEach(command.Options.Add);
        command.SetAction(RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var trust = AnchorsFile.Read(parsed.GetValue(_anchors), Refuse);
        var evidence = EvidenceInputs.Read(parsed.GetValue(_for)!, Refuse);
        var bundle = ReadBundle(parsed, out var signers);
        if (_refused)
        {
            return ExitCode.Unusable;
        }

        var verification = new ItemVerification(trust, new VerifierCache());
        using var nobody = new HttpUpstream(new UpstreamOptions());
        var cache = new CollateralCache(verification, null, nobody, new CachePolicy(), TimeProvider.System, refreshes: false);
        await using (cache.ConfigureAwait(false))
        {
            var unusable = Fill(cache, bundle);
            var needs = new CollateralNeeds(cache, verification, EvidenceInputs.Hashes(parsed.GetValue(_certIds) ?? []));
            await AddAsync(evidence, needs, parsed.GetValue(_channel)!, cancellation).ConfigureAwait(false);
            ImmutableArray<MissingCollateral> missing =
                [.. needs.Missing.Select(item => item with { WhyNot = unusable.GetValueOrDefault(item.Name) ?? (bundle is null ? "needed" : "not in the bundle") })];
            if (_refused || (parsed.GetValue(_idsOut) is { } path && !TryWrite(path, missing)))
            {
                return _refused ? ExitCode.Refused : ExitCode.Unusable;
            }

            Tell(bundle, signers, needs, missing, trust, parsed.GetValue(_format) == Options.Json);
            return missing.IsEmpty ? ExitCode.Verified : ExitCode.Incomplete;
        }
    }

    // Items are judged one by one, so that one that has ended is named as missing: of the bundle as a whole only the signature is asked about.
    private CollateralBundle? ReadBundle(ParseResult parsed, out ImmutableArray<string> signers)
    {
        signers = [];
        if (parsed.GetValue(_bundle) is not { } path)
        {
            _trust.RefuseWithout(parsed, "--bundle FILE", Refuse);
            return null;
        }

        var expected = _trust.IsGiven(parsed) ? _trust.Read(parsed, new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System), Refuse) : null;

        if (!InputFile.TryRead(path, Limits.BundleBytes, out var bytes, out var whyNot))
        {
            Refuse("cli.file", whyNot);
            return null;
        }

        if (!CollateralBundle.TryParse(bytes, out var bundle, out var fault))
        {
            Refuse("bundle.wellformed", $"{path}: {fault}");
        }
        else if (expected is not null)
        {
            if (!AuthenticBundle.TryAuthenticate(bytes, expected.Keys, expected.Threshold, out var authentic, out _, out var whyNotSigned))
            {
                Refuse("bundle.signed", $"{path}: {whyNotSigned}");
            }
            else if (bundle.Manifest.Sequence < expected.MinimumSequence)
            {
                Refuse("bundle.sequence.met", $"{path}: its sequence is {bundle.Manifest.Sequence}, and {expected.MinimumSequence} is the least that is accepted: bring the latest");
            }

            signers = authentic is null ? [] : [.. authentic.Signers];
        }

        return bundle;
    }

    // Items of a bundle that do not hold, by name, with the reason: ended ones are as good as missing.
    private static Dictionary<string, string> Fill(CollateralCache cache, CollateralBundle? bundle)
    {
        var unusable = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, chain, body) in bundle?.Items ?? [])
        {
            if (!cache.TryAdd(key, body, chain, "bundle", out _, out var fault))
            {
                unusable[key.ToString()] = fault.Reason;
            }
        }

        return unusable;
    }

    private async Task AddAsync(EvidenceInputs evidence, CollateralNeeds needs, string channel, CancellationToken cancellation)
    {
        var time = new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System);
        foreach (var devices in evidence.Devices)
        {
            if (await needs.AddAsync(devices, time, cancellation).ConfigureAwait(false) is { } whyNot)
            {
                Refuse("evidence.authentic", whyNot);
            }
        }

        foreach (var cpu in evidence.Processors)
        {
            if (await needs.AddAsync(cpu, channel, cancellation).ConfigureAwait(false) is { } whyNot)
            {
                Refuse("cpu.malformed", whyNot);
            }
        }
    }

    // Where the manufacturer serves it; a simulator's is nowhere.
    private static string? AddressOf(string name, TrustSet trust)
    {
        if (trust.Kind is TrustSetKind.Simulated || name.Split(' ', 2) is not [var kind, var id])
        {
            return null;
        }

        var key = new CollateralKey(CollateralKinds.Of(kind), id);
        return key.Kind is CollateralKind.Ocsp ? ManufacturerAddress.NvidiaOcsp : ManufacturerAddress.Of(key);
    }

    private static bool TryWrite(string path, ImmutableArray<MissingCollateral> missing)
    {
        try
        {
            File.WriteAllLines(path, missing.Select(item => item.Name));
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.out", $"{path}: {exception.Message}");
            return false;
        }
    }

    private static void Tell(CollateralBundle? bundle, ImmutableArray<string> signers, CollateralNeeds needs, ImmutableArray<MissingCollateral> missing, TrustSet trust, bool json)
    {
        var had = needs.Items.Where(item => item.Key.Kind is not CollateralKind.Authority).OrderBy(item => item.ValidUntil).ToArray();
        if (json)
        {
            BundlePrinter.PrintJson(null, null, writer =>
            {
                writer.WriteNumber("held", had.Length);
                if (had.Length > 0)
                {
                    writer.WriteString("heldUntil", Instant.Text(had[0].ValidUntil));
                }

                writer.WriteStartArray("missing");
                foreach (var (name, whyNot) in missing)
                {
                    writer.WriteStartObject();
                    writer.WriteString("item", name);
                    writer.WriteString("reason", whyNot);
                    if (AddressOf(name, trust) is { } url)
                    {
                        writer.WriteString("url", url);
                        writer.WriteString("fetch", "assay bundle create --ids FILE");
                    }

                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            });
            return;
        }

        foreach (var (name, whyNot) in missing)
        {
            BundlePrinter.Line($"missing  {name}: {whyNot}{(AddressOf(name, trust) is { } url ? $"; it is at {url}" : "")}");
        }

        if (missing.Any(item => item.Name.StartsWith("rim ", StringComparison.Ordinal)))
        {
            BundlePrinter.Line("OCSP answers about the signers of missing RIMs are needed too: assay bundle create fetches them.");
        }

        if (!missing.IsEmpty)
        {
            BundlePrinter.Line("assay bundle create --for FILE fetches what evidence needs, or --ids FILE what --ids-out of this command wrote.");
        }

        BundlePrinter.Line($"{missing.Length} missing, {had.Length} held{(had.Length > 0 ? $", the first of them until {Instant.Text(had[0].ValidUntil)}" : "")}");
        if (bundle is not null)
        {
            BundlePrinter.Line($"The bundle says: created {Instant.Text(bundle.Manifest.Created)}, good until {Instant.Text(bundle.Manifest.GoodUntil)} ({(signers.IsEmpty ? "its signature was not verified: --bundle-keys does" : $"signed by {string.Join(", ", signers)}")}).");
        }
    }

    private void Refuse(string id, string message)
    {
        _refused = true;
        Output.Error(id, message);
    }
}
