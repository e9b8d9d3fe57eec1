using System.CommandLine;
using System.Globalization;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Seal;

/// <summary><c>assay seal</c>: a file to one or several public keys.</summary>
internal sealed class SealCommand
{
    private const string Suffix = ".sealed";
    private const int Megabyte = 1 << 20;

    private readonly Argument<string> _file = new("file") { Description = "the file to seal", HelpName = "FILE" };
    private readonly Option<string[]> _to = new("--to") { Description = "public key that opens it, JWK or PEM; several are accepted", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };
    private readonly Option<string> _id = new("--id") { Description = "what the content is: opening it needs this id", HelpName = "ID", Required = true };
    private readonly Option<string?> _out = new("--out") { Description = "the file to write, which must not exist; FILE.sealed, if it is not given", HelpName = "FILE" };
    private readonly Option<bool> _unlocked = new("--dangerously-allow-unlocked-memory") { Description = "go on where the kernel refuses to lock memory: the data key can be written to swap" };
    private readonly Option<string> _format = Options.Format();

    public static DescribedCommand Create() => new SealCommand().ToCommand();

    private DescribedCommand ToCommand()
    {
        var command = new DescribedCommand(
            "seal",
            "Seals a file to public keys. Only their private keys open it.",
            "0 written · 2 unusable command line, file or key, or the file to write exists",
            [
                "assay seal model.safetensors --to vm.jwk --id models/llama@2026.11",
                "assay seal model.safetensors --to vm.jwk owner.pem --id models/llama@2026.11 --out llama.sealed --format json",
            ])
        {
            _file, _to, _id, _out, _unlocked, _format,
        };
        command.SetAction(Run);
        return command;
    }

    private Task<int> Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (path, id) = (parsed.GetValue(_file)!, parsed.GetValue(_id)!);
        var target = parsed.GetValue(_out) ?? path + Suffix;
        if (!PackHeader.IsId(id))
        {
            Output.Error("cli.seal", "--id: 1 to 255 letters, digits and ._:/@+- are expected");
            return Task.FromResult(ExitCode.Unusable);
        }

        if (ReadKeys(parsed.GetValue(_to)!) is not { } keys || OpenSource(path) is not { } source)
        {
            return Task.FromResult(ExitCode.Unusable);
        }

        using (source)
        {
            return Task.FromResult(Seal(parsed, source, keys, id, target, cancellation));
        }
    }

    private int Seal(ParseResult parsed, FileStream source, IReadOnlyList<SealingPublicKey> keys, string id, string target, CancellationToken cancellation)
    {
        var (size, memory) = (source.Length, new SecretMemory { DangerouslyAllowUnlockedMemory = parsed.GetValue(_unlocked) });
        try
        {
            using var file = NewFile.Create(target);
            var fault = Bar.Show($"sealing {InputFile.NameOf(source.Name)}", tell => SealedFile.Seal(keys, id, size, source, file.Stream, Progress(tell, size), memory, cancellation));
            if (fault is not null)
            {
                Output.Error("cli.seal", fault.ToString());
                return ExitCode.Unusable;
            }

            Tell(parsed.GetValue(_format) == Options.Json, file.Keep(), id, size, keys);
            return ExitCode.Verified;
        }
        catch (SealingException exception)
        {
            Output.Error("cli.seal", exception.Message + (exception.Fault.Id is SealingFaults.MemoryNotLocked ? " (here: --dangerously-allow-unlocked-memory)" : ""));
            return ExitCode.Unusable;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.out", target.Length == 0 ? "--out: the file name is empty (an unset variable?)" : $"{target}: {exception.Message}");
            return ExitCode.Unusable;
        }
    }

    // In megabytes: a bar counts in whole steps.
    private static Action<long>? Progress(Action<Step>? tell, long size)
    {
        var told = -1L;
        return tell is null ? null : done =>
        {
            if (done / Megabyte != told)
            {
                told = done / Megabyte;
                tell(new Step((int)Math.Min(told, int.MaxValue), (int)Math.Min(Math.Max(size / Megabyte, 1), int.MaxValue), string.Create(CultureInfo.InvariantCulture, $"sealed {told} of {size / Megabyte} MiB")));
            }
        };
    }

    private static List<SealingPublicKey>? ReadKeys(string[] paths)
    {
        var keys = new List<SealingPublicKey>();
        foreach (var path in paths)
        {
            if (!InputFile.TryRead(path, Limits.SigningKeyBytes, out var bytes, out var whyNot))
            {
                Output.Error("cli.file", whyNot);
                return null;
            }

            if (!SealingPublicKey.TryParse(bytes, out var key, out var fault))
            {
                Output.Error("cli.seal", $"{path}: {fault}");
                return null;
            }

            if (keys.Contains(key))
            {
                Output.Error("cli.seal", $"{path}: this key is given twice");
                return null;
            }

            keys.Add(key);
        }

        return keys;
    }

    private static FileStream? OpenSource(string path)
    {
        try
        {
            // The header states the size before the content is read: a pipe has none.
            var source = path == "-" || path.Length == 0 ? throw new IOException("a file is expected: its size is stated before its content") : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            if (source.CanSeek)
            {
                return source;
            }

            source.Dispose();
            throw new IOException("a file is expected: its size is stated before its content");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.file", $"{path}: {(exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : exception.Message)}");
            return null;
        }
    }

    private static void Tell(bool isJson, string path, string id, long size, IReadOnlyList<SealingPublicKey> keys)
    {
        if (!isJson)
        {
            Output.Out.WriteLine(Printable.Of(string.Create(CultureInfo.InvariantCulture, $"{path}: {id}, {size} bytes")));
            foreach (var key in keys)
            {
                Output.Out.WriteLine($"Opens with {key.Kind} {key.Thumbprint}.");
            }

            Output.Out.WriteLine("It does not say who sealed it: whoever has these public keys can.");
            return;
        }

        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("file", path);
            writer.WriteString("id", id);
            writer.WriteNumber("size", size);
            writer.WriteStartArray("recipients");
            foreach (var key in keys)
            {
                writer.WriteStartObject();
                writer.WriteString("kind", $"{key.Kind}");
                writer.WriteString("thumbprint", key.Thumbprint);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }
}
