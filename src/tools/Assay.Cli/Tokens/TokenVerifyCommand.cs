using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Explain;
using Assay.Collateral.Http;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Tokens;

/// <summary><c>assay token verify</c>.</summary>
internal sealed class TokenVerifyCommand
{
    private const int IdWidth = 28;

    private readonly Argument<string> _file = new("file") { Description = "a detached EAT bundle, an EAT or an EAR; - for standard input", HelpName = "FILE" };
    private readonly Option<string?> _keys = new("--jwks") { Description = "the issuer's key set: a file, or an https URL", HelpName = "FILE|URL" };
    private readonly Option<bool> _discover = new("--discover") { Description = "fetch the key set that the required issuer publishes (OpenID Connect Discovery), in place of --jwks" };
    private readonly Option<string?> _nonce = new("--nonce") { Description = "the challenge that the token answers; without it a replay cannot be told from the original. With --tee-pubkey it is the guest's, as text", HelpName = "HEX|TEXT" };
    private readonly Option<string?> _teePubkey = new("--tee-pubkey") { Description = "the guest's public key (JWK) that the token must name", HelpName = "FILE" };
    private readonly Option<string?> _audience = new("--audience") { Description = "the required audience", HelpName = "A" };
    private readonly Option<string?> _issuer = new("--issuer") { Description = "the required issuer, compared character by character", HelpName = "URI" };
    private readonly Option<bool> _acceptWeakened = new("--dangerously-accept-weakened") { Description = "accept a verdict for which something was waived" };
    private readonly Option<string[]> _accepted = new("--accept-weakened") { Description = "accept a verdict that is weakened by these names and no others", HelpName = "NAME,…", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _binding = WeakeningOptions.RequireBinding();
    private readonly Option<string[]> _anchors = new("--accept-anchors") { Description = "accept devices under anchors other than NVIDIA's: custom, simulated", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _at = new("--at") { Description = "judge at this instant instead of now", HelpName = "RFC3339" };
    private readonly Option<string> _format = Options.Format();

    private TokenVerifyCommand() => _anchors.OneOf("custom", "simulated");

    public static DescribedCommand Create()
    {
        var self = new TokenVerifyCommand();
        var command = new DescribedCommand(
            "verify",
            "Verifies a detached EAT bundle, the EAT of a machine, or an EAR of NVIDIA's or Trustee's form, under its issuer's keys.",
            "0 accepted · 1 refused · 2 unusable command line, token or key set · 3 the key set is unreachable",
            [
                "assay token verify eat.json --jwks https://verifier.example/.well-known/jwks.json --nonce $NONCE --issuer https://verifier.example",
                "assay token verify eat.jwt --discover --nonce $NONCE --issuer https://verifier.example",
            ])
        {
            self._file, self._keys, self._discover, self._nonce, self._teePubkey, self._audience, self._issuer, self._binding, self._accepted, self._acceptWeakened, self._anchors, self._at, self._format,
        };
        command.SetAction((parsed, cancellation) => self.RunAsync(parsed, TimeProvider.System, cancellation));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, TimeProvider clock, CancellationToken cancellation)
    {
        var faults = new List<(string Id, string Message)>();
        var expected = Expectations(parsed, clock, faults);
        if (!InputFile.TryRead(parsed.GetValue(_file)!, Limits.EatBundleBytes, out var bytes, out var whyNot))
        {
            faults.Add(("cli.file", whyNot));
        }
        else if (!TokenContents.TryRead(bytes, out _, out var malformed) && FileContent.Of(bytes) is { Kind: not (ContentKind.Token or ContentKind.TokenBundle) })
        {
            faults.Add(("token.malformed", WrongFile.Message(InputFile.NameOf(parsed.GetValue(_file)!), "assay token verify", "a token, or a bundle of tokens (detached EAT)", bytes, $"{malformed}")));
        }

        if (WhyNoKeys(parsed) is { } unclear)
        {
            faults.Add(("cli.token", unclear));
        }

        if (faults.Count > 0)
        {
            return Refuse(faults, ExitCode.Unusable);
        }

        var (keys, code) = parsed.GetValue(_keys) is { } where
            ? await KeysAsync(where, faults, cancellation).ConfigureAwait(false)
            : await DiscoverAsync(parsed.GetValue(_issuer), faults, cancellation).ConfigureAwait(false);
        if (keys is null)
        {
            return Refuse(faults, code);
        }

        var (verified, findings) = Verify(bytes!, keys, expected);
        if (parsed.GetValue(_format) == Options.Json)
        {
            PrintJson(verified, findings);
        }
        else
        {
            Print(verified, findings);
        }

        return verified is not null ? ExitCode.Verified : findings[0].State is CheckState.Held ? ExitCode.Refused : ExitCode.Unusable;
    }

    // A bundle is a JSON array; everything else is read as one compact JWS, which files may end with a line's end.
    private static (VerifiedToken? Verified, ImmutableArray<Finding> Findings) Verify(byte[] bytes, JsonWebKeySet keys, EatExpectations expected)
    {
        if (TokenContents.IsBundle(bytes))
        {
            EatBundleReader.TryVerify(bytes, keys, expected, out var bundle, out var findings);
            return (bundle, findings);
        }

        var text = TokenContents.SingleToken(bytes);
        if (CompactJws.TryParse(text, out var token, out _) && EatReader.IsFor(token))
        {
            EatReader.TryVerify(text, keys, expected, out var eat, out var found);
            return (eat, found);
        }

        EarReader.TryVerify(text, keys, expected, out var ear, out var answers);
        return (ear, answers);
    }

    private static int Refuse(List<(string Id, string Message)> faults, int code)
    {
        foreach (var (id, message) in faults)
        {
            Output.Error(id, message);
        }

        return code;
    }

    private EatExpectations Expectations(ParseResult parsed, TimeProvider clock, List<(string Id, string Message)> faults)
    {
        Nonce? nonce = null;
        if (parsed.GetValue(_nonce) is { Length: 0 })
        {
            faults.Add(("cli.nonce", "--nonce: the value is empty (an unset variable?)"));
        }

        var key = parsed.GetValue(_teePubkey) is { } file && parsed.GetValue(_nonce) is not "" ? Key(file, parsed.GetValue(_nonce), faults) : null;
        if (parsed.GetValue(_nonce) is not "" && parsed.GetValue(_teePubkey) is null && parsed.GetValue(_nonce) is { } text && !Nonce.TryParse(text, out nonce, out var fault))
        {
            faults.Add(("cli.nonce", $"--nonce: {fault.Problem}"));
        }

        var time = new EvaluationTime(clock.GetUtcNow(), TimeSource.System);
        if (parsed.GetValue(_at) is { } at)
        {
            if (!Instant.TryRead(at, out var instant, out var whyNot))
            {
                faults.Add(("cli.at", $"--at: {whyNot}"));
            }

            time = new EvaluationTime(instant, TimeSource.Stated);
        }

        return new EatExpectations
        {
            Nonce = nonce,
            Key = key,
            Issuer = parsed.GetValue(_issuer),
            Audience = parsed.GetValue(_audience),
            Time = time,
            RequiredBinding = WeakeningOptions.Binding(parsed.GetValue(_binding)) ?? GpuBinding.None,
            DangerouslyAcceptWeakened = parsed.GetValue(_acceptWeakened),
            DangerouslyAcceptedWeakenings = parsed.GetValue(_accepted) is { Length: > 0 } names ? WeakeningOptions.Names("--accept-weakened", names, WeakeningScope.Tokens, (id, message) => faults.Add((id, message))) : [],
            OtherAnchors = [.. (parsed.GetValue(_anchors) ?? []).Select(word => word == "custom" ? TrustSetKind.Custom : TrustSetKind.Simulated)],
        };
    }

    private static KeyBinding? Key(string file, string? challenge, List<(string Id, string Message)> faults)
    {
        if (challenge is null)
        {
            faults.Add(("cli.nonce", "a key is bound together with a challenge: give --nonce CHALLENGE, as the guest received it"));
            return null;
        }

        if (!InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
        {
            faults.Add(("cli.file", whyNot));
            return null;
        }

        if (!KeyBinding.TryCreate(challenge, bytes, out var key, out var fault))
        {
            faults.Add(("cli.tee-pubkey", $"--tee-pubkey: {fault}"));
        }

        return key;
    }

    // Whose keys count is never for the token to say: its iss is not read before it is verified.
    private string? WhyNoKeys(ParseResult parsed) => (parsed.GetValue(_keys), parsed.GetValue(_discover), parsed.GetValue(_issuer)) switch
    {
        (null, false, _) => "whose keys? Give --jwks FILE|URL, or --discover with --issuer URI",
        ({ }, true, _) => "--jwks and --discover each say where the keys are: give one of them",
        (null, true, null) => "--discover needs --issuer URI: the keys of that issuer are fetched",
        _ => null,
    };

    private static async Task<(JsonWebKeySet? Keys, int Code)> DiscoverAsync(string? issuer, List<(string Id, string Message)> faults, CancellationToken cancellation)
    {
        if (!IssuerKeysClient.TryCreate(issuer, new CollateralHttpOptions(), out var client, out var fault))
        {
            faults.Add(("cli.issuer", $"--issuer: {fault.Problem}"));
            return (null, ExitCode.Unusable);
        }

        using (client)
        {
            return Keys(await client.FetchAsync(cancellation).ConfigureAwait(false), faults);
        }
    }

    private static (JsonWebKeySet? Keys, int Code) Keys(KeySetAnswer answer, List<(string Id, string Message)> faults)
    {
        if (answer.IsMalformed)
        {
            faults.Add(("jwks.malformed", answer.WhyNot!));
        }
        else if (answer.Keys is null)
        {
            faults.Add(("jwks.unreachable", answer.WhyNot!));
        }

        return (answer.Keys, answer.IsMalformed ? ExitCode.Unusable : ExitCode.Incomplete);
    }

    private static async Task<(JsonWebKeySet? Keys, int Code)> KeysAsync(string where, List<(string Id, string Message)> faults, CancellationToken cancellation)
    {
        if (!where.Contains("://", StringComparison.Ordinal))
        {
            if (!InputFile.TryRead(where, Limits.KeySetBytes, out var bytes, out var whyNot))
            {
                faults.Add(("cli.file", whyNot));
                return (null, ExitCode.Unusable);
            }

            if (!JsonWebKeySet.TryParse(bytes, out var read, out var fault))
            {
                faults.Add(("jwks.malformed", WrongFile.Message(where, "--jwks", "a key set (JWKS)", bytes, $"{fault}", ContentKind.KeySet)));
            }

            return (read, ExitCode.Unusable);
        }

        if (!ServiceAddress.TryParse(where, out var address, out var wrong))
        {
            faults.Add(("cli.url", $"--jwks: {wrong.Problem}"));
            return (null, ExitCode.Unusable);
        }

        using var client = new JsonWebKeySetClient(address, new CollateralHttpOptions());
        return Keys(await client.FetchAsync(cancellation).ConfigureAwait(false), faults);
    }

    private static void Print(VerifiedToken? verified, ImmutableArray<Finding> findings)
    {
        var console = Output.Out;
        var weakened = verified is not null && verified.Claims.TryGetProperty("x-assay-weakened", out var names) && names.ValueKind is JsonValueKind.Array ? string.Join(", ", names.EnumerateArray()) : "";
        console.MarkupLine(verified is null ? "[bold red]REFUSED[/]" : weakened.Length == 0 ? "[bold green]ACCEPTED[/]" : $"[bold green]ACCEPTED[/] [yellow]although weakened by {Markup.Escape(Printable.Of(weakened))}[/]");
        if (verified is not null)
        {
            Row("issuer", verified.Issuer);
            Row("valid", $"{Utc.Text(verified.IssuedAt)} to {Utc.Text(verified.ExpiresAt)}");
            Row("nonce", verified.Nonce.ToString());
            foreach (var name in (string[])["x-assay-verdict", "x-assay-freshness", "x-assay-anchors", "x-assay-gpu-binding", "x-assay-evaluated-at", "x-assay-time-source"])
            {
                if (verified.Claims.TryGetProperty(name, out var value))
                {
                    Row(name["x-assay-".Length..], value.ToString());
                }
            }

            foreach (var (name, claims) in verified.Devices)
            {
                Row(name, $"{Text(claims, "hwmodel")}, measurements: {Text(claims, "measres")}");
            }
        }

        console.WriteLine();
        foreach (var finding in findings.Where(finding => finding.Cause is not NotCheckedCause.Stopped))
        {
            var (mark, colour) = finding.State switch
            {
                CheckState.Held => ("held", "green"),
                CheckState.Failed => ("FAILED", "red"),
                CheckState.NotApplicable => ("n/a", "grey"),
                _ => ("not checked", "yellow"),
            };
            console.Markup($"  [{colour}]{mark,-12}[/]");
            console.WriteLine($"{finding.Id.PadRight(IdWidth)} {Printable.Of(finding.Reason ?? finding.Found ?? "")}".TrimEnd());
            if (finding is { State: CheckState.Failed, Expected: { } wanted })
            {
                console.WriteLine($"    found     {Printable.Of(finding.Found ?? "")}");
                console.WriteLine($"    expected  {Printable.Of(wanted)}");
            }
        }

        var stopped = findings.Count(finding => finding.Cause is NotCheckedCause.Stopped);
        if (stopped > 0)
        {
            console.WriteLine($"  {stopped} further checks were not made, because of what failed");
        }

        var cures = findings.Where(finding => finding.State is CheckState.Failed).Select(finding => Explanations.Find(finding.Id)?.Cure).OfType<string>().Distinct().ToArray();
        if (cures.Length > 0)
        {
            console.WriteLine();
            console.MarkupLine("[bold]What to do[/]");
            foreach (var cure in cures)
            {
                console.WriteLine($"  * {cure}");
            }
        }

        void Row(string label, string value) => console.WriteLine($"  {Printable.Of(label),-16}{Printable.Of(value)}");

        static string Text(JsonElement claims, string name) => claims.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString()! : "not stated";
    }

    private static void PrintJson(VerifiedToken? verified, ImmutableArray<Finding> findings)
    {
        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteBoolean("accepted", verified is not null);
            writer.WriteStartArray("findings");
            foreach (var finding in findings)
            {
                writer.WriteStartObject();
                writer.WriteString("id", finding.Id);
                writer.WriteString("state", VerdictJson.StateWord(finding.State));
                writer.WriteString("reason", finding.Reason);
                writer.WriteString("found", finding.Found);
                writer.WriteString("expected", finding.Expected);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            // What a refused token says is shown by assay token show, and never beside a verdict.
            if (verified is not null)
            {
                writer.WritePropertyName("claims");
                verified.Claims.WriteTo(writer);
                writer.WriteStartObject("devices");
                foreach (var (name, claims) in verified.Devices)
                {
                    writer.WritePropertyName(name);
                    claims.WriteTo(writer);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        });
    }
}
