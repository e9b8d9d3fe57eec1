using System.CommandLine;
using Assay.Checks;
using Assay.Collateral.Bundles;
using Assay.Evidence.Files;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Bundles;

/// <summary>The options by which a bundle is believed, shared by every command that takes one.</summary>
internal sealed class BundleTrust
{
    public Option<string[]> Keys { get; } = new("--bundle-keys")
    {
        Description = "the site's keys that may sign bundles (JWKS, assay token jwks)",
        HelpName = "JWKS",
        AllowMultipleArgumentsPerToken = true,
    };

    public Option<int> Threshold { get; } = new Option<int>("--bundle-threshold") { Description = "how many of them must have signed", HelpName = "K", DefaultValueFactory = _ => 1 }.Within(1, int.MaxValue);

    public Option<long> MinimumSequence { get; } = new Option<long>("--minimum-bundle-sequence") { Description = "the lowest bundle sequence to accept", HelpName = "N" }.Within(0, Limits.LargestSequence);

    public IEnumerable<Option> All => [Keys, Threshold, MinimumSequence];

    /// <summary>Whether any of them is given.</summary>
    public bool IsGiven(ParseResult parsed) => All.Any(option => parsed.GetResult(option) is { Implicit: false });

    /// <summary>What is expected of a bundle; null when the command line does not say, which is told.</summary>
    public BundleExpectations? Read(ParseResult parsed, EvaluationTime time, Action<string, string> refuse)
    {
        var (threshold, sequence) = (parsed.GetValue(Threshold), parsed.GetValue(MinimumSequence));
        // Nothing chosen is refused: items prove themselves, but for what was left out of a bundle only its signer answers.
        if (parsed.GetValue(Keys) is not { Length: > 0 } files)
        {
            refuse("cli.bundle", "--bundle-keys: give the keys of the site that makes the bundles (assay token jwks --signing-key FILE prints them)");
            return null;
        }

        if (ReadKeys(files, refuse) is not { } keys)
        {
            return null;
        }

        // One key under two names is one key.
        var most = keys.Keys.DistinctBy(key => key.Thumbprint).Count();
        if (threshold > most)
        {
            refuse("cli.bundle", $"--bundle-threshold: 1 to {most} is expected, as many as there are different keys");
            return null;
        }

        return new BundleExpectations { Keys = keys, Threshold = threshold, MinimumSequence = sequence, Time = time };
    }

    /// <summary>The same as it will be read again. What a shell opened for this process cannot be read twice: it stays as it was.</summary>
    public BundleSigners Again(ParseResult parsed, BundleExpectations first)
    {
        if (parsed.GetValue(Keys) is not { } files || files.Any(InputFile.IsReadOnce))
        {
            return BundleSigners.Fixed(first);
        }

        return new BundleSigners(files, () =>
        {
            string? whyNot = null;
            return (Read(parsed, first.Time, (_, message) => whyNot ??= message), whyNot);
        });
    }

    /// <summary>Refuses options that stand without the bundle that they are about.</summary>
    public void RefuseWithout(ParseResult parsed, string option, Action<string, string> refuse)
    {
        if (All.FirstOrDefault(given => parsed.GetResult(given) is { Implicit: false }) is { } one)
        {
            refuse("cli.bundle", $"{one.Name} belongs to {option}");
        }
    }

    private static JsonWebKeySet? ReadKeys(string[] files, Action<string, string> refuse)
    {
        var keys = new List<JsonWebKey>();
        foreach (var file in files)
        {
            if (!InputFile.TryRead(file, Limits.KeySetBytes, out var bytes, out var whyNot))
            {
                refuse("cli.file", whyNot);
                return null;
            }

            if (!JsonWebKeySet.TryParse(bytes, out var set, out var fault))
            {
                refuse("cli.bundle", $"--bundle-keys: {WrongFile.Message(InputFile.NameOf(file), "it", "a key set (JWKS) of public keys, as assay token jwks prints it", bytes, $"{fault}", ContentKind.KeySet)}");
                return null;
            }

            foreach (var key in set.Keys.Where(key => !keys.Any(known => known.KeyId == key.KeyId && known.Thumbprint == key.Thumbprint)))
            {
                if (keys.Any(known => known.KeyId == key.KeyId))
                {
                    refuse("cli.bundle", $"--bundle-keys: {InputFile.NameOf(file)}: another key of another file has the kid {key.KeyId} too");
                    return null;
                }

                keys.Add(key);
            }
        }

        return JsonWebKeySet.Of(keys);
    }
}
