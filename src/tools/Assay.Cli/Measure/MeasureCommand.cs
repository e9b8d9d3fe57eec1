using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Assay.Cli.Tokens;
using Assay.Inspection;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Measure;

/// <summary><c>assay measure</c>: reference values from what a known-good machine says of itself.</summary>
internal sealed class MeasureCommand
{
    // Firmware, boot loader and kernel, and systemd-stub's overrides; not the disk's (1, 5), IMA's (10) or the gate's own.
    private const string DefaultPcrs = "0,2,4,7,8,9,11,12";
    private const int LongestDays = 3650;

    private readonly Option<string[]> _from = new("--from") { Description = "TDX quote, SNP report, Azure vTPM JSON, TPM or CCEL log, dstack log, of a machine known to be good; with --platform evidence of devices too", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
    private readonly Option<string> _name = new("--name") { Description = "the image's name", HelpName = "TEXT", Required = true };
    private readonly Option<string> _version = new("--image-version") { Description = "the image's version", HelpName = "TEXT", Required = true };
    private readonly Option<long> _sequence = new Option<long>("--sequence") { Description = "higher than that of all earlier manifests of this image", HelpName = "N", Required = true }.Within(1, Limits.LargestSequence);
    private readonly Option<int?> _validFor = new Option<int?>("--valid-for") { Description = "how long the values are valid, from --not-before", HelpName = "DAYS" }.Within(1, LongestDays);
    private readonly Option<string?> _notBefore = new("--not-before") { Description = "from when on; now, if it is not given", HelpName = "TIME" };
    private readonly Option<string?> _notAfter = new("--not-after") { Description = "until when, in place of --valid-for", HelpName = "TIME" };
    private readonly Option<string[]> _gpuPolicies = new("--gpu-policy") { Description = "accepted digest of the boot gate's expectation, SHA-384", HelpName = "HEX", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _mrTd = new("--mrtd") { Description = "the MRTD, if only a log is given: no log contains it", HelpName = "HEX" };
    private readonly Option<string> _pcrs = new("--pcr") { Description = "the PCRs to take", HelpName = "LIST", DefaultValueFactory = _ => DefaultPcrs };
    private readonly Option<string[]> _also = new("--also") { Description = $"take these too: {string.Join(", ", MeasureChoices.Fields)}", HelpName = "FIELD", AllowMultipleArgumentsPerToken = true };
    private readonly Option<bool> _platform = new("--platform") { Description = "list the machines themselves as known platforms: PPID, CHIP_ID, device ids. A first reading over the network proves nothing" };
    private readonly Option<int?> _minimumNumber = new Option<int?>("--minimum-evaluation-data-number") { Description = "the lowest tcbEvaluationDataNumber to accept in Intel's statements", HelpName = "N" }.Within(1, int.MaxValue);
    private readonly Option<bool> _noMinimum = new("--no-minimum-tcb") { Description = "do not require the TCB that the SNP machine has" };
    private readonly Option<string> _out = new("--out") { Description = "the manifest file to write; it must not exist", HelpName = "FILE", Required = true };
    private readonly Option<string?> _key = new("--signing-key") { Description = "sign it: private key, PKCS#8 or SEC1 PEM (assay token keygen makes one)", HelpName = "FILE" };

    private bool _refused;

    public static DescribedCommand Create() => new MeasureCommand().ToCommand();

    private DescribedCommand ToCommand()
    {
        _also.OneOf([.. MeasureChoices.Fields]);
        var command = new DescribedCommand(
            "measure",
            "Creates a manifest of reference values from a known-good machine. It reads what the machine reports and verifies nothing.",
            "0 written · 2 unusable command line, evidence or key, or the file exists",
            [
                "assay measure --from quote.bin ccel.bin --name trainer --image-version 2026.11.1 --sequence 7 --valid-for 90 --gpu-policy $POLICY --signing-key publisher.pem --out trainer.jws",
                "assay measure --from snp-report.bin --name trainer --image-version 2026.11.1 --sequence 8 --valid-for 90 --out trainer.json",
            ])
        {
            _from, _name, _version, _sequence, _validFor, _notBefore, _notAfter, _gpuPolicies, _mrTd, _pcrs, _also, _platform, _minimumNumber, _noMinimum, _out, _key,
        };
        command.SetAction(Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        if (ReadChoices(parsed) is not { } choices || ReadValidity(parsed) is not { } validity)
        {
            return ExitCode.Unusable;
        }

        var measured = Measured.Read(ReadFiles(parsed.GetValue(_from)!), choices, message => Refuse("cli.measure", message));
        var manifest = measured.ToManifest(parsed.GetValue(_name)!, parsed.GetValue(_version)!, parsed.GetValue(_sequence), validity.From, validity.To);
        if (choices.MrTd is not null && !measured.MrTdIsUsed)
        {
            Refuse("cli.measure", "--mrtd belongs to an RTMR log that is given without its quote, and no such log is given");
        }

        var json = manifest.ToCanonicalJson();
        if (!_refused && !ReferenceManifest.TryParse(json, out _, out var fault))
        {
            Refuse("cli.measure", $"{fault.Field}: {fault.Problem}");
        }

        if (_refused || !TryFormat(parsed.GetValue(_key), manifest, json, out var bytes, out var signer) || !TryWrite(parsed.GetValue(_out)!, bytes))
        {
            return ExitCode.Unusable;
        }

        Tell(parsed.GetValue(_out)!, manifest, measured.Notes, signer);
        return ExitCode.Verified;
    }

    private IEnumerable<(string Name, byte[] Content)> ReadFiles(IEnumerable<string> paths)
    {
        foreach (var path in paths)
        {
            if (InputFile.TryRead(path, Limits.EventLogBytes, out var file, out var whyNot))
            {
                yield return (InputFile.NameOf(path), file);
            }
            else
            {
                Refuse("cli.file", whyNot);
            }
        }
    }

    private MeasureChoices? ReadChoices(ParseResult parsed)
    {
        var pcrs = new SortedSet<int>();
        foreach (var item in parsed.GetValue(_pcrs)!.Split(','))
        {
            if (int.TryParse(item, NumberStyles.None, CultureInfo.InvariantCulture, out var register) && register < Limits.Pcrs && register is not (16 or 23))
            {
                pcrs.Add(register);
            }
            else
            {
                Refuse("cli.measure", $"--pcr: 0 to {Limits.Pcrs - 1} with commas between them are expected, without 16 and 23, which software resets");
            }
        }

        ImmutableArray<Digest> policies = [.. parsed.GetValue(_gpuPolicies)!.Select(text => ReadDigest(text, "--gpu-policy"))];
        Digest? mrTd = parsed.GetValue(_mrTd) is { } told ? ReadDigest(told, "--mrtd") : null;
        return _refused ? null : new MeasureChoices([.. pcrs], mrTd, policies, [.. parsed.GetValue(_also)!], !parsed.GetValue(_noMinimum), parsed.GetValue(_platform), parsed.GetValue(_minimumNumber) ?? 0);
    }

    private Digest ReadDigest(string text, string option)
    {
        const int size = 48;
        var bytes = new byte[size];
        if (text.Length != 2 * size || Convert.FromHexString(text, bytes, out _, out _) is not System.Buffers.OperationStatus.Done)
        {
            Refuse("cli.measure", $"{option}: {2 * size} hexadecimal digits (SHA-384) are expected");
        }

        return new Digest(bytes);
    }

    private (DateTimeOffset From, DateTimeOffset To)? ReadValidity(ParseResult parsed)
    {
        var from = TimeProvider.System.GetUtcNow();
        if (parsed.GetValue(_notBefore) is { } begin && !Instant.TryRead(begin, out from, out var whyNot))
        {
            Refuse("cli.measure", $"--not-before: {whyNot}");
        }

        var (days, end) = (parsed.GetValue(_validFor), parsed.GetValue(_notAfter));
        var to = from;
        if (days is null == end is null)
        {
            Refuse("cli.measure", "either --valid-for DAYS or --not-after TIME is expected: reference values that never expire would accept old images forever");
        }
        else if (end is not null && !Instant.TryRead(end, out to, out whyNot))
        {
            Refuse("cli.measure", $"--not-after: {whyNot}");
        }
        else if (days is { } some && (DateTimeOffset.MaxValue - from).TotalDays < some)
        {
            Refuse("cli.measure", $"--valid-for: {some} days after {Instant.Text(from)} is beyond the year 9999: give an earlier --not-before");
        }

        return _refused ? null : (from, days is { } count ? from.AddDays(count) : to);
    }

    private bool TryFormat(string? keyFile, ReferenceManifest manifest, byte[] json, out byte[] bytes, out JsonWebKey? signer)
    {
        (bytes, signer) = (json, null);
        if (keyFile is null)
        {
            return true;
        }

        if (!SigningKeyFile.TryRead(keyFile, out var key, out var whyNot))
        {
            Refuse("cli.signing-key", whyNot);
            return false;
        }

        using (key)
        {
            if (key.PublicKey.Algorithm is SignatureAlgorithm.RsaPkcs1Sha256)
            {
                Refuse("cli.signing-key", $"{keyFile}: it is an RSA key, which signs only tokens: a P-384 or P-256 key is expected (assay token keygen makes one)");
                return false;
            }

            (bytes, signer) = (AuthenticReferenceManifest.Write(manifest, key), key.PublicKey);
            return true;
        }
    }

    // Made where nothing stands, not even a link to nothing: what relying parties compare with is never replaced by the way.
    private bool TryWrite(string path, byte[] bytes)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
            stream.Write(bytes);
            stream.Write("\n"u8);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Refuse("cli.out", path.Length == 0 ? "--out: the file name is empty (an unset variable?)"
                : $"{path}: {(File.Exists(path) ? "the file exists, and reference values are never overwritten: choose another name, or remove it" : exception.Message)}");
            return false;
        }
    }

    private static void Tell(string path, ReferenceManifest manifest, IEnumerable<string> notes, JsonWebKey? signer)
    {
        foreach (var note in notes)
        {
            Output.Out.WriteLine(Printable.Of(note));
        }

        Output.Out.WriteLine(Printable.Of(string.Create(CultureInfo.InvariantCulture, $"{path}: {manifest.ImageName} {manifest.ImageVersion}, sequence {manifest.Sequence}, until {Instant.Text(manifest.NotAfter)}")));
        Output.Out.WriteLine(signer is null ? "It is not signed: anyone who can write the file can choose the values. Sign it with --signing-key." : $"Signed {signer.AlgorithmName} by {signer.KeyId}.");
        Output.Out.WriteLine("Nothing was verified: the values are only as good as the machine they came from.");
        if (manifest.Platforms is not null)
        {
            Output.Out.WriteLine("A first reading over the network proves nothing about a machine: whoever answers can list itself. Compare the ids at the machine, or over a path that you trust as much.");
        }
    }

    private void Refuse(string id, string message)
    {
        _refused = true;
        Output.Error(id, message);
    }
}
