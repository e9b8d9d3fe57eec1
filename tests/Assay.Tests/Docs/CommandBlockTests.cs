using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Assay.Tests.Docs;

/// <summary>
/// Every command of the documents is run, or says in a comment before its block why it is not. The blocks of a document are run in order in
/// one shell, in a folder of its own with simulated evidence. Comments before a block:
/// <c>not run: REASON</c>, <c>recorded</c> (hardware evidence, under the roots that are built in), <c>exit code N</c> of its last command,
/// and before a block of text <c>prints</c>: the commands before it print that, but for lines with an ellipsis.
/// </summary>
public sealed partial class CommandBlockTests(DocumentWorld world) : IClassFixture<DocumentWorld>
{
    private static readonly string[] s_languages = ["bash", "console", "text", "json", "yaml", "csharp", "xml", "rego"];
    private static readonly string[] s_programs = ["assay", "assay-sim", "assay-server", "curl", "openssl"];

    public static TheoryData<string> Documents => [.. DocumentPage.All.Where(page => page.Blocks.Any(block => block.IsCommands && block.NotRun is null)).Select(page => page.Name)];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Every_command_of_a_document_does_what_the_document_says(string name)
    {
        var blocks = DocumentPage.Of(name).Blocks.Where(block => (block.IsCommands || block.IsPrinted) && block.NotRun is null).ToArray();
        if (blocks.Any(block => block.IsOfRecordedEvidence))
        {
            _ = Recorded.PathOf("");
        }

        var folder = Directory.CreateTempSubdirectory("assay-commands-").FullName;
        try
        {
            Run(name, blocks, folder);
        }
        finally
        {
            foreach (var servers in Directory.EnumerateFiles(folder, "servers.*"))
            {
                Stop(servers);
            }

            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Every_block_has_a_language_and_a_comment_that_is_understood()
    {
        foreach (var page in DocumentPage.All)
        {
            Assert.All(page.Blocks, block => Assert.Contains(block.Language, s_languages));
            Assert.All(page.Blocks.SelectMany(block => block.Comments), comment => Assert.Matches(@"\A(not run: \w.{9,}|recorded|prints|exit code \d+|test: \w+)\z", comment));
        }
    }

    [Fact]
    public void A_block_of_text_has_no_commands()
    {
        var hidden = DocumentPage.All.SelectMany(page => page.Blocks.Where(block => block.Language == "text").SelectMany(block => block.Text.Split('\n').Where(line => Command().IsMatch(line)).Select(line => $"{page.Name}: {line}")));

        Assert.Empty(hidden);
    }

    [Fact]
    public void Documents_have_commands_and_few_that_nobody_runs()
    {
        var blocks = DocumentPage.All.SelectMany(page => page.Blocks).Where(block => block.IsCommands).ToArray();

        Assert.InRange(blocks.Count(block => block.NotRun is null), 30, 500);
        Assert.InRange(blocks.Count(block => block.NotRun is not null), 1, blocks.Length / 2);
    }

    private void Run(string name, DocumentBlock[] blocks, string folder)
    {
        var work = Path.Combine(folder, "work");
        Prepare(folder, work);
        var script = new StringBuilder($"cd '{work}'\nset -uo pipefail\n");
        for (var index = 0; index < blocks.Length; index++)
        {
            if (blocks[index].IsCommands)
            {
                var file = Path.Combine(folder, $"block{index}");
                File.WriteAllText(file, Commands(blocks[index]));
                script.Append(CultureInfo.InvariantCulture, $"export RECORDED={(blocks[index].IsOfRecordedEvidence ? "1" : "")}\n")
                    .Append(blocks[index].ExitCode == 0 ? "set -e\n" : "set +e\n")
                    .Append(CultureInfo.InvariantCulture, $"source '{file}' > '{file}.out' 2>&1\ncode=$?\necho $code > '{file}.code'\n");
            }
        }

        var main = Path.Combine(folder, "main");
        File.WriteAllText(main, script.ToString());
        var answer = Start(main, folder);
        var printed = "";
        for (var index = 0; index < blocks.Length; index++)
        {
            var (block, file) = (blocks[index], Path.Combine(folder, $"block{index}"));
            if (block.IsPrinted)
            {
                AssertPrinted($"{name}:{block.Line}", block.Text, printed);
                continue;
            }

            printed = File.Exists(file + ".out") ? File.ReadAllText(file + ".out") : "";
            var code = File.Exists(file + ".code") ? File.ReadAllText(file + ".code").Trim() : "an error";
            Assert.True(code == block.ExitCode.ToString(CultureInfo.InvariantCulture), $"{name}:{block.Line}: exit code {code}\n{printed}\n{answer}");
            if (block.Language == "console" && Shown(block) is { Length: > 0 } shown)
            {
                AssertPrinted($"{name}:{block.Line}", shown, printed);
            }
        }
    }

    private void Prepare(string folder, string work)
    {
        Copy(world.Folder, work);
        File.Copy(Path.Combine(world.Folder, "anchors.json"), Path.Combine(folder, "anchors.json"));
        var bin = Directory.CreateDirectory(Path.Combine(folder, "bin")).FullName;
        var wrapper = Path.Combine(Repository.Root, "tests", "Assay.Tests", "Docs", "document-commands.sh");
        foreach (var program in s_programs)
        {
            File.CreateSymbolicLink(Path.Combine(bin, program), wrapper);
        }

        // What the documents call ./assay in a checkout, and the folders of it that they name.
        File.CreateSymbolicLink(Path.Combine(work, "assay"), Path.Combine(bin, "assay"));
        File.CreateSymbolicLink(Path.Combine(work, "assay-sim"), Path.Combine(bin, "assay-sim"));
        foreach (var shared in new[] { "policies", "samples", "vectors", "deploy", "docs" })
        {
            File.CreateSymbolicLink(Path.Combine(work, shared), Path.Combine(Repository.Root, shared));
        }

        foreach (var place in new[] { "var/lib", "etc", "srv" })
        {
            Directory.CreateDirectory(Path.Combine(folder, place));
        }
    }

    private string Start(string script, string folder)
    {
        var start = new ProcessStartInfo("bash", [script]) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        var variables = new Dictionary<string, string>
        {
            ["PATH"] = $"{Path.Combine(folder, "bin")}:{Environment.GetEnvironmentVariable("PATH")}",
            ["WORLD"] = folder,
            ["PROGRAMS"] = AppContext.BaseDirectory,
            ["SERVICES"] = world.Services,
            ["PROXY_PORT"] = DocumentWorld.FreePort().ToString(CultureInfo.InvariantCulture),
            ["SERVER_PORT"] = DocumentWorld.FreePort().ToString(CultureInfo.InvariantCulture),
            ["SIMULATOR_PORT"] = DocumentWorld.FreePort().ToString(CultureInfo.InvariantCulture),
            ["V"] = Recorded.Root ?? "",
            ["NONCE"] = DocumentWorld.Nonce,
            ["CHALLENGE"] = DocumentWorld.Challenge,
            ["REPORT_DATA"] = world.ReportData,
        };
        foreach (var (key, value) in variables)
        {
            start.Environment[key] = value;
        }

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Patience.Long))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{script} did not end within {Patience.Long}");
        }

        return output.Result + error.Result;
    }

    // Lines of an id and the time at which that process was started: an id alone may be another process's by now.
    internal static void Stop(string servers)
    {
        foreach (var server in File.ReadAllLines(servers).Select(line => line.Split(' ')))
        {
            try
            {
                using var process = Process.GetProcessById(int.Parse(server[0], CultureInfo.InvariantCulture));
                if (StartOf(process.Id) == server[1])
                {
                    process.Kill();
                }
            }
            catch (ArgumentException)
            {
                // It ended by itself.
            }
        }
    }

    /// <summary>The 22nd field of /proc/ID/stat; null for a process that ended. The second one, the name in brackets, may hold anything.</summary>
    internal static string? StartOf(int id)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        }
        catch (IOException)
        {
            return null;
        }
    }

    // Of a console's transcript what stands behind the prompt; where there is none, all of it.
    private static string Commands(DocumentBlock block)
    {
        var lines = block.Text.Split('\n');
        return block.Language == "console" && lines.Any(IsPrompt) ? string.Concat(lines.Where(IsPrompt).Select(line => line[2..] + "\n")) : block.Text;
    }

    private static string Shown(DocumentBlock block)
    {
        var lines = block.Text.Split('\n');
        return lines.Any(IsPrompt) ? string.Join('\n', lines.Select(line => IsPrompt(line) ? "…" : line)) : "";
    }

    private static bool IsPrompt(string line) => line.StartsWith("$ ", StringComparison.Ordinal);

    private static void AssertPrinted(string where, string shown, string printed)
    {
        var (rest, whole) = (Settled(printed), Settled(printed));
        foreach (var part in Elision().Split(Settled(shown)).Select(part => part.Trim('\n')).Where(part => part.Length > 0))
        {
            var place = rest.IndexOf(part, StringComparison.Ordinal);
            Assert.True(place >= 0, $"{where}: not printed, or in another order:\n{part}\nprinted:\n{whole}");
            rest = rest[(place + part.Length)..];
        }
    }

    // Times, keys, digests and ports differ from run to run.
    private static string Settled(string text) => Changing().Replace(text.ReplaceLineEndings("\n"), "~");

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    [GeneratedRegex(@"^\s*(?:…|\.\.\.)[^\n]*$", RegexOptions.Multiline)]
    private static partial Regex Elision();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|[0-9a-f]{16}…|(?<![\w-])[\w-]{43}(?![\w-])|(?<=127\.0\.0\.1:)\d+")]
    private static partial Regex Changing();

    [GeneratedRegex(@"^\s*(\$ |\./|assay(-sim)? [a-z]|curl |openssl |dotnet |nvattest |vault |sudo |git clone)")]
    private static partial Regex Command();
}
