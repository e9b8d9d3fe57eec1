using System.CommandLine;
using Assay.Evidence.Files;
using Assay.Trust.Jose;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Tokens;

/// <summary><c>assay token</c>: what verifies, shows and signs tokens.</summary>
internal static class TokenCommand
{
    public static DescribedCommand Create() => new(
        "token",
        "Verifies and shows tokens, and makes the keys that sign them.",
        DescribedCommand.OfItsCommands,
        [
            "assay token keygen --out issuer.pem && assay token jwks --signing-key issuer.pem > jwks.json",
            "assay verify --evidence gpu.json --rim-url nvidia --ocsp-url nvidia --nonce $NONCE --eat-out eat.json --signing-key issuer.pem --issuer https://verifier.example",
            "assay token verify eat.json --jwks jwks.json --nonce $NONCE --issuer https://verifier.example",
            "assay token show eat.json",
        ])
    {
        TokenVerifyCommand.Create(),
        Show(),
        KeySet(),
        KeyGeneration(),
    };

    private static DescribedCommand Show()
    {
        var file = new Argument<string>("file") { Description = "a bundle or a single token; - for standard input", HelpName = "FILE" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "show",
            "Shows the parts of a token. Nothing is verified.",
            "0 shown · 2 unusable command line or token",
            [
                "assay token show eat.json",
                "assay token show eat.json --format json",
            ])
        {
            file, format,
        };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (!InputFile.TryRead(path, Limits.EatBundleBytes, out var bytes, out var whyNot))
            {
                Output.Error("cli.file", whyNot);
                return ExitCode.Unusable;
            }

            if (TokenContents.TryRead(bytes, out var contents, out var fault))
            {
                contents.Print(parsed.GetValue(format) == Options.Json);
                return ExitCode.Verified;
            }

            Output.Error("token.wellformed", WrongFile.Message(path, "assay token show", "a token, or a bundle of tokens (detached EAT)", bytes, $"{fault}", ContentKind.Token, ContentKind.TokenBundle));
            return ExitCode.Unusable;
        });
        return command;
    }

    private static DescribedCommand KeySet()
    {
        var file = new Option<string>("--signing-key") { Description = "the private key, PEM: PKCS#8, SEC1 or PKCS#1", HelpName = "FILE", Required = true };
        var command = new DescribedCommand(
            "jwks",
            "Prints the public key set to publish for a signing key.",
            "0 printed · 2 unusable command line or key",
            [
                "assay token jwks --signing-key issuer.pem > jwks.json",
            ])
        {
            file,
        };
        command.SetAction(parsed =>
        {
            if (!SigningKeyFile.TryRead(parsed.GetValue(file)!, out var key, out var whyNot))
            {
                Output.Error("cli.signing-key", whyNot);
                return ExitCode.Unusable;
            }

            using (key)
            {
                using var output = Console.OpenStandardOutput();
                output.Write(JsonWebKeySet.Of(key.PublicKey).ToJson());
                output.Write("\n"u8);
                return ExitCode.Verified;
            }
        });
        return command;
    }

    private static DescribedCommand KeyGeneration()
    {
        var file = new Option<string>("--out") { Description = "the private key file to write; it must not exist", HelpName = "FILE", Required = true };
        var algorithm = new Option<string>("--algorithm") { Description = "what it signs: es384, es256, or rs256 for readers of tokens that know nothing else", DefaultValueFactory = _ => SigningKeyFile.Algorithms[0] };
        algorithm.OneOf(SigningKeyFile.Algorithms);
        var command = new DescribedCommand(
            "keygen",
            "Makes a signing key, readable only by its owner.",
            "0 written · 2 unusable command line, or the file exists or cannot be written",
            [
                "assay token keygen --out issuer.pem",
                "assay token keygen --algorithm rs256 --out issuer.pem",
            ])
        {
            file, algorithm,
        };
        command.SetAction(parsed =>
        {
            var path = parsed.GetValue(file)!;
            if (!SigningKeyFile.TryMake(path, parsed.GetValue(algorithm)!, out var publicKey, out var whyNot))
            {
                Output.Error("cli.signing-key", whyNot);
                return ExitCode.Unusable;
            }

            Output.Out.WriteLine($"{publicKey.AlgorithmName} key {publicKey.KeyId} written to {Printable.Of(path)}.");
            Output.Out.WriteLine($"Publish its public half: assay token jwks --signing-key {Printable.Of(path)} > jwks.json");
            return ExitCode.Verified;
        });
        return command;
    }
}
