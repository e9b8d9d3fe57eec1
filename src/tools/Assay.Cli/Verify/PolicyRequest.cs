using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Cli.Policies;
using Assay.Evidence.Files;
using Assay.Policies;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>The policy of <c>--policy</c>, with its query and data.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="faults">Takes every fault.</param>
internal sealed class PolicyRequest(VerifyOptions options, ParseResult parsed, VerifyFaults faults)
{
    private const string Rego = ".rego";
    private const string Json = ".json";

    // Every file that was read, in the order of reading.
    private readonly List<PolicySourceFile> _read = [];

    public RelyingPartyPolicy Read()
    {
        var given = parsed.GetValue(options.Policy) ?? [];
        var ofRego = (parsed.GetValue(options.Query) ?? parsed.GetValue(options.PolicyData) ?? parsed.GetValue(options.PolicyInputOut)) is not null;
        if (given.Length == 0)
        {
            // Passed over, they would leave the default policy to decide in the place of the one that was meant.
            if (ofRego)
            {
                faults.AddAlone("cli.policy", "--query, --policy-data and --policy-input-out belong to a policy in Rego: name it with --policy");
            }

            return RelyingPartyPolicy.Default;
        }

        if (given is [var only] && !Directory.Exists(only) && Path.GetExtension(only) is not Rego)
        {
            if (ofRego)
            {
                faults.Add("cli.policy", "--query, --policy-data and --policy-input-out belong to a policy in Rego");
            }

            return ReadJson(only);
        }

        return ReadRego(given);
    }

    // What is compiled has no byte order mark; what people compare has every byte.
    private bool TryRead(string file, int most, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? whyNot)
    {
        if (!InputFile.TryReadEveryByte(file, most, out bytes, out whyNot))
        {
            return false;
        }

        _read.Add(new PolicySourceFile(file, new Digest(SHA384.HashData(bytes))));
        bytes = FileText.WithoutMark(bytes).ToArray();
        return true;
    }

    private RelyingPartyPolicy ReadJson(string file)
    {
        // Told by the name alone, so that a policy in another language is not called malformed JSON.
        if (Path.GetExtension(file) is not (Json or ".plc"))
        {
            faults.Add("cli.policy", $"--policy: a .rego file, a folder with some, or a .json or .plc file with authorization-rules, is expected, found {file}");
        }
        else if (!TryRead(file, JsonPolicy.MostBytes, out var bytes, out var whyNot))
        {
            faults.Add("cli.file", whyNot);
        }
        else if (JsonPolicy.TryParse(bytes, out var policy, out var fault))
        {
            return policy.Named(InputFile.NameOf(file)) with { Files = [.. _read] };
        }
        else
        {
            faults.Add("policy.malformed", WrongFile.Message(InputFile.NameOf(file), "--policy", "a policy in Rego, or in NVIDIA's JSON with authorization-rules", bytes, $"{fault}", ContentKind.JsonPolicy, ContentKind.Json));
        }

        return RelyingPartyPolicy.Default;
    }

    private RelyingPartyPolicy ReadRego(string[] given)
    {
        var (modules, documents) = (new List<PolicyFile>(), new List<(string Name, PolicyDocument Document)>());
        string[] files = [.. given.SelectMany(Files).Distinct(StringComparer.Ordinal)];
        if (files.Length > PolicySources.MostFiles)
        {
            faults.Add("cli.policy", $"--policy: more than {PolicySources.MostFiles} files are given");
            return RelyingPartyPolicy.Default;
        }

        foreach (var file in files)
        {
            var extension = Path.GetExtension(file);
            if (extension is not (Rego or Json))
            {
                faults.Add("cli.policy", $"--policy: .rego and .json files, and folders of them, go together, found {file}");
            }
            else if (extension is Json)
            {
                if (ReadData(file) is { } data)
                {
                    documents.Add((file, data));
                }
            }
            else if (TryRead(file, RegoPolicy.MostBytes, out var source, out var whyNot))
            {
                // By the whole path where there are several, so that errors tell two files of one name apart.
                modules.Add(new PolicyFile(files.Length == 1 ? InputFile.NameOf(file) : file, source));
            }
            else
            {
                faults.Add("cli.file", whyNot);
            }
        }

        if (parsed.GetValue(options.PolicyData) is { } dataFile && ReadData(dataFile) is { } baseDocument)
        {
            documents.Add((dataFile, baseDocument));
        }

        if (modules.Count == 0)
        {
            faults.Add("cli.policy", $"--policy: no .rego file could be read of {string.Join(", ", given)}");
        }
        else if (RegoPolicy.TryParse(modules, documents, parsed.GetValue(options.Query), out var policy, out var fault))
        {
            return Observed(policy).Named(string.Join(" + ", given.Select(NameOf))) with { Files = [.. _read] };
        }
        else
        {
            var wrong = modules is [var only] && FileContent.Of(only.Bytes.Span).Kind is not (ContentKind.RegoPolicy or ContentKind.Text) ? only : null;
            faults.Add("policy.malformed", wrong is null ? PolicyFaults.Of(fault)
                : WrongFile.Message(wrong.Name, "--policy", "a policy in Rego, or in NVIDIA's JSON with authorization-rules", wrong.Bytes.Span, ""));
        }

        return RelyingPartyPolicy.Default;
    }

    // What it prints goes where errors go: standard output is the verdict's.
    private RegoPolicy Observed(RegoPolicy policy) => policy.With(
        line => Console.Error.WriteLine(Printable.Of(line)),
        parsed.GetValue(options.PolicyInputOut) is { } path ? json => Write(path, json) : null,
        options.PolicyData.Name);

    private static string NameOf(string given) => Directory.Exists(given) ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(given))) + "/" : InputFile.NameOf(given);

    private IEnumerable<string> Files(string given)
    {
        if (!Directory.Exists(given))
        {
            return [given];
        }

        try
        {
            // Tests of policies are no policies; links are not followed, for a folder may hold one to itself.
            var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden, IgnoreInaccessible = false };
            return [.. Directory.EnumerateFiles(given, "*", all)
                .Where(file => Path.GetExtension(file) is Rego or Json && !file.EndsWith("_test" + Rego, StringComparison.Ordinal)).Take(PolicySources.MostFiles + 1).Order(StringComparer.Ordinal)];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            faults.Add("cli.folder", $"--policy: {given}: {exception.Message}");
            return [];
        }
    }

    private PolicyDocument? ReadData(string file)
    {
        if (!TryRead(file, RegoPolicy.MostBytes, out var json, out var whyNot))
        {
            faults.Add("cli.file", whyNot);
        }
        else if (!PolicyDocument.TryParse(json, out var value, out var problem))
        {
            faults.Add("policy.malformed", $"{file}: {problem}");
        }
        else if (!value.IsObject)
        {
            faults.Add("policy.malformed", PolicyFaults.NoObject(file, value));
        }
        // As data it would decide nothing, and look as if it did.
        else if (IsNvidiaPolicy(json))
        {
            faults.Add("cli.policy", $"--policy: {file} has authorization-rules, so it is a policy of its own and no data: give it alone");
        }
        else
        {
            return value;
        }

        return null;
    }

    private static bool IsNvidiaPolicy(byte[] json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 1000 });
        return document.RootElement.TryGetProperty("authorization-rules", out _);
    }

    private static void Write(string path, ReadOnlyMemory<byte> json)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
            stream.Write(json.Span);
            stream.Write("\n"u8);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The verdict does not depend on it.
            Output.Error("cli.out", $"--policy-input-out: {path}: {exception.Message}");
        }
    }
}
