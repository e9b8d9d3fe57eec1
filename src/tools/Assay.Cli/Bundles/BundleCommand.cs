using System.CommandLine;
using Assay.Checks;
using Assay.Cli.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary><c>assay bundle</c>: collateral in one signed file, for places without a network.</summary>
internal static class BundleCommand
{
    public static DescribedCommand Create() => new(
        "bundle",
        "Creates, verifies and imports collateral as one signed file, for sites without a network.",
        DescribedCommand.OfItsCommands,
        [
            "assay token keygen --out site.pem && assay token jwks --signing-key site.pem > site.jwks",
            "assay bundle create --for gpu.json switch.json quote.bin --key site.pem --out rack7.bundle",
            "assay bundle verify rack7.bundle --bundle-keys site.jwks",
            "assay verify --evidence gpu.json --nonce $NONCE --bundle rack7.bundle --bundle-keys site.jwks",
        ])
    {
        CreateCommand.Create(),
        Inspect(),
        Verify(),
        Import(),
        PlanCommand.Create(),
    };

    private static Argument<string> FileArgument() => new("bundle") { Description = "the bundle; - for standard input", HelpName = "FILE" };

    private static Option<bool> VerboseOption() => new("--verbose", "-v") { Description = "list every item" };

    private static DescribedCommand Inspect()
    {
        var (file, verbose, format) = (FileArgument(), VerboseOption(), Options.Format());
        var command = new DescribedCommand(
            "inspect",
            "Shows a bundle's manifest. Nothing is verified.",
            "0 shown · 2 unusable command line or file",
            [
                "assay bundle inspect rack7.bundle --verbose",
            ])
        {
            file, verbose, format,
        };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (!InputFile.TryRead(path, Limits.BundleBytes, out var bytes, out var whyNot))
            {
                Output.Error("cli.file", whyNot);
                return ExitCode.Unusable;
            }

            if (!CollateralBundle.TryParse(bytes, out var bundle, out var fault))
            {
                Output.Error("bundle.wellformed", WrongFile.Message(path, "assay bundle inspect", "a bundle of collateral", bytes, $"{fault}", ContentKind.CollateralBundle, ContentKind.Unknown));
                return ExitCode.Unusable;
            }

            if (parsed.GetValue(format) == Options.Json)
            {
                BundlePrinter.PrintJson(bundle, null, writer => writer.WriteBoolean("verified", false));
                return ExitCode.Verified;
            }

            BundlePrinter.Print(InputFile.NameOf(path), bundle, null, parsed.GetValue(verbose));
            BundlePrinter.Line("Nothing was verified: assay bundle verify does.");
            return ExitCode.Verified;
        });
        return command;
    }

    private static DescribedCommand Verify()
    {
        var (file, trust, anchors, verbose, format) = (FileArgument(), new BundleTrust(), AnchorsFile.Option(), VerboseOption(), Options.Format());
        var at = new Option<string?>("--at") { Description = "judge at this instant instead of now", HelpName = "RFC3339" };
        var command = new DescribedCommand(
            "verify",
            "Verifies a bundle: who signed it, until when it is good, and each item in it.",
            "0 accepted · 1 refused · 2 unusable command line or file",
            [
                "assay bundle verify rack7.bundle --bundle-keys site.jwks",
                "assay bundle verify rack7.bundle --bundle-keys one.jwks two.jwks three.jwks --bundle-threshold 2 --minimum-bundle-sequence 42",
            ])
        {
            file, anchors, at, verbose, format,
        };
        trust.All.ToList().ForEach(command.Options.Add);
        command.SetAction(parsed =>
        {
            var json = parsed.GetValue(format) == Options.Json;
            var code = TryRead(parsed, parsed.GetValue(file)!, trust, parsed.GetValue(anchors), parsed.GetValue(at), json, out var bundle, out _);
            if (bundle is null)
            {
                return code;
            }

            var items = bundle.Items.ToDictionary(item => item.Key);
            if (json)
            {
                BundlePrinter.PrintJson(bundle.Authentic.Bundle, items, writer =>
                {
                    writer.WriteString("signedBy", string.Join(' ', bundle.Authentic.Signers));
                    writer.WriteBoolean("verified", true);
                });
            }
            else
            {
                BundlePrinter.Print(InputFile.NameOf(parsed.GetValue(file)!), bundle.Authentic.Bundle, items, parsed.GetValue(verbose));
                BundlePrinter.Line($"Verified: signed by {string.Join(", ", bundle.Authentic.Signers)}, and every item by its own signature.");
            }

            return ExitCode.Verified;
        });
        return command;
    }

    private static DescribedCommand Import()
    {
        var (file, trust, anchors, format) = (FileArgument(), new BundleTrust(), AnchorsFile.Option(), Options.Format());
        var folder = new Option<string>("--cache") { Description = "the folder of the cache (assay collateral serve --cache)", HelpName = "DIR", Required = true };
        var command = new DescribedCommand(
            "import",
            "Imports a bundle into a cache folder and raises its high-water marks: anything older than the bundle is refused from then on.",
            "0 accepted · 1 refused · 2 unusable command line or file",
            [
                "assay bundle import rack7.bundle --bundle-keys site.jwks --cache /var/lib/assay-collateral",
            ])
        {
            file, folder, anchors, format,
        };
        trust.All.ToList().ForEach(command.Options.Add);
        command.SetAction(async (parsed, _) =>
        {
            var json = parsed.GetValue(format) == Options.Json;
            var code = TryRead(parsed, parsed.GetValue(file)!, trust, parsed.GetValue(anchors), null, json, out var bundle, out var verification);
            return bundle is null ? code : await ImportAsync(bundle, verification!, parsed.GetValue(folder)!, InputFile.NameOf(parsed.GetValue(file)!), json).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> ImportAsync(VerifiedBundle bundle, ItemVerification verification, string folder, string source, bool json)
    {
        if (!CacheFolder.TryHold(folder, verification.Trust, out var held, out var whyNot))
        {
            Output.Error(whyNot.Value.Id, whyNot.Value.Id == CacheFolder.InUse ? $"{whyNot.Value.Message} (a running proxy takes the bundle that its --bundle names: write the new one in its place)" : whyNot.Value.Message);
            return ExitCode.Unusable;
        }

        using (held)
        using (var nobody = new HttpUpstream(new UpstreamOptions()))
        {
            if (CacheFolder.Open(verification, folder, nobody) is not { } cache)
            {
                return ExitCode.Unusable;
            }

            await using (cache.ConfigureAwait(false))
            {
                return Import(cache, bundle, source, json);
            }
        }
    }

    private static int Import(CollateralCache cache, VerifiedBundle bundle, string source, bool json)
    {
        BundleImport? import;
        try
        {
            if (!cache.TryImport(bundle, source, out import, out var fault))
            {
                return Refused(fault, source, json);
            }
        }
        catch (IOException exception)
        {
            Output.Error("collateral.store", $"the high-water marks could not be written, and nothing was taken in: {exception.Message}");
            return ExitCode.Internal;
        }

        var lost = CollateralKinds.All.Sum(kind => cache.Meters.Read("store_errors", kind));
        if (lost > 0)
        {
            Output.Error("collateral.store", $"{lost} of the items could not be written: make room, and import again");
            return ExitCode.Internal;
        }

        if (json)
        {
            BundlePrinter.PrintJson(bundle.Authentic.Bundle, null, writer => writer.WriteNumber("taken", import.Taken));
            return ExitCode.Verified;
        }

        BundlePrinter.Line($"{import.Taken} items taken in, sequence {bundle.Manifest.Sequence}, good until {Instant.Text(bundle.Manifest.GoodUntil)}, when {BundleEnd.FirstOf([.. bundle.Items])} ends");
        foreach (var (key, whyNot) in import.Passed)
        {
            BundlePrinter.Line($"  not taken: {key}: {whyNot.Reason}");
        }

        return ExitCode.Verified;
    }

    /// <summary>Reads and verifies a bundle. On failure the exit code, and the fault was told.</summary>
    private static int TryRead(
        ParseResult parsed, string path, BundleTrust trust, string? anchors, string? at, bool json, out VerifiedBundle? bundle, out ItemVerification? verification)
    {
        (bundle, verification) = (null, null);
        var refused = false;
        void Refuse(string id, string message)
        {
            refused = true;
            Output.Error(id, message);
        }

        var time = new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System);
        if (at is not null)
        {
            var sound = Instant.TryRead(at, out var instant, out var whyNotAt);
            time = new EvaluationTime(instant, TimeSource.Stated);
            if (!sound)
            {
                Refuse("cli.at", $"--at: {whyNotAt}");
            }
        }

        var roots = AnchorsFile.Read(anchors, Refuse);
        var expected = trust.Read(parsed, time, Refuse);
        if (!InputFile.TryRead(path, Limits.BundleBytes, out var bytes, out var whyNot))
        {
            Refuse("cli.file", whyNot);
        }

        if (refused || expected is null)
        {
            return ExitCode.Unusable;
        }

        verification = new ItemVerification(roots, new VerifierCache());
        if (FileContent.Of(bytes) is { Kind: not (ContentKind.CollateralBundle or ContentKind.Unknown) })
        {
            Refuse("bundle.wellformed", WrongFile.Message(InputFile.NameOf(path), "it", "a bundle of collateral, as assay bundle create makes it", bytes, ""));
            return ExitCode.Unusable;
        }

        return VerifiedBundle.TryVerify(bytes, expected, verification, out bundle, out var fault) ? ExitCode.Verified : Refused(fault, InputFile.NameOf(path), json);
    }

    private static int Refused(BundleFault fault, string source, bool json)
    {
        Output.Error(fault.Id, $"{source}: {fault.Reason}");
        if (json)
        {
            BundlePrinter.PrintJson(null, null, writer =>
            {
                writer.WriteBoolean("verified", false);
                writer.WriteString("finding", fault.Id);
                writer.WriteString("reason", fault.Reason);
            });
        }

        return fault.IsMalformed ? ExitCode.Unusable : ExitCode.Refused;
    }
}
