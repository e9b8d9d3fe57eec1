using System.Diagnostics;
using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Docs;

/// <summary>The units of the collateral cache and of the attestation service, their users, and the example of the cache's options.</summary>
public sealed class SystemdUnitTests
{
    private const string Variable = "COLLATERAL_OPTIONS=";

    private static string Folder => Path.Combine(Repository.Root, "deploy", "systemd");

    private static string Unit => File.ReadAllText(Path.Combine(Folder, "assay-collateral.service"));

    [Theory]
    [InlineData("assay-collateral", "/usr/local/bin/assay ")]
    [InlineData("assay-server", "/opt/assay-server/assay-server ")]
    public void Systemd_accepts_the_unit(string name, string program)
    {
        var peer = Peer.Require("systemd-analyze");
        var folder = Directory.CreateTempSubdirectory("assay-unit-").FullName;
        try
        {
            // The program is not installed where this runs, and nothing else may be amiss.
            var unit = Path.Combine(folder, $"{name}.service");
            var text = File.ReadAllText(Path.Combine(Folder, $"{name}.service"));
            Assert.Contains($"ExecStart={program}", text, StringComparison.Ordinal);
            File.WriteAllText(unit, text.Replace(program, "/bin/true ", StringComparison.Ordinal));

            var answer = peer.Run("verify", "--man=no", unit);

            Assert.Equal((0, ""), (answer.ExitCode, answer.Output));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("assay-collateral")]
    [InlineData("assay-server")]
    public void Systemd_makes_the_user_of_the_unit(string name)
    {
        var peer = Peer.Require("systemd-sysusers");
        var root = Directory.CreateTempSubdirectory("assay-unit-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(root, "etc"));

            var answer = peer.Run($"--root={root}", Path.Combine(Folder, $"{name}.sysusers.conf"));

            Assert.True(answer.Accepted, answer.Output);
            Assert.StartsWith($"{name}:", Assert.Single(File.ReadAllLines(Path.Combine(root, "etc", "passwd"))), StringComparison.Ordinal);
            Assert.Contains($"User={name}", File.ReadAllLines(Path.Combine(Folder, $"{name}.service")));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void The_documented_installation_of_the_server_makes_what_its_unit_names()
    {
        var page = DocumentPage.Of("docs/operations/service.md");
        var block = page.Blocks.Single(block => block.Text.Contains("systemd-sysusers\n", StringComparison.Ordinal)).Text;
        var configuration = JsonNode.Parse(page.Blocks.Single(block => block.Language == "json").Text)!;
        var unit = File.ReadAllLines(Path.Combine(Folder, "assay-server.service"));
        var start = unit.Single(line => line.StartsWith("ExecStart=", StringComparison.Ordinal))["ExecStart=".Length..].Split(' ');

        Assert.All(block.Split([' ', '\n']).Where(word => word.StartsWith("deploy/", StringComparison.Ordinal)), file => Assert.True(File.Exists(Path.Combine(Repository.Root, file)), file));
        Assert.Contains($"dotnet publish src/services/Assay.Server -c Release -o {Path.GetDirectoryName(start[0])}`", page.Text, StringComparison.Ordinal);
        Assert.Contains($"runuser -u assay-server -- {start[0]} init-key {configuration["kek"]}\n", block, StringComparison.Ordinal);
        Assert.Contains($"runuser -u assay-server -- {start[0]} create-key --config {start[^1]} ", block, StringComparison.Ordinal);
        foreach (var file in (JsonNode?[])[configuration["tls"]!["certificate"], configuration["tls"]!["key"], configuration["attestation"]!["policies"]![0]!["file"], start[^1]])
        {
            Assert.Matches($@"\ninstall [^\n]*\b{Path.GetFileName((string)file!)}\b[^\n]* {Path.GetDirectoryName((string)file!)}/\n", block);
        }

        var state = $"/var/lib/{unit.Single(line => line.StartsWith("StateDirectory=", StringComparison.Ordinal))["StateDirectory=".Length..]}";
        Assert.Contains($"install -d -o assay-server -g assay-server -m 700 {state}\n", block, StringComparison.Ordinal);
        Assert.All((JsonNode?[])[configuration["database"], configuration["collateral"]!["folder"]], place => Assert.StartsWith(state + "/", (string)place!, StringComparison.Ordinal));
    }

    [Fact]
    public void The_service_has_a_user_of_its_own_no_capabilities_and_reads_its_bundles_again_when_it_is_reloaded()
    {
        var lines = Unit.Split('\n');

        Assert.Contains("User=assay-collateral", lines);
        Assert.Contains("CapabilityBoundingSet=", lines);
        Assert.Contains("NoNewPrivileges=yes", lines);
        Assert.Contains("ProtectSystem=strict", lines);
        Assert.Contains("ExecReload=/bin/kill -HUP $MAINPID", lines);
        Assert.Contains("u assay-collateral -", File.ReadAllText(Path.Combine(Folder, "assay-collateral.sysusers.conf")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_example_of_its_options_is_accepted_and_what_it_comments_out_are_options_too()
    {
        var text = File.ReadAllLines(Path.Combine(Folder, "collateral.conf"));
        var lines = text.Select(line => line.TrimStart('#')).Where(line => line.StartsWith(Variable, StringComparison.Ordinal)).Select(line => line[Variable.Length..].Split(' ')).ToArray();
        Assert.Equal(3, lines.Length);
        Assert.Single(text, line => line.StartsWith(Variable, StringComparison.Ordinal));
        var help = new AssayCommand().Says(0, "collateral", "serve", "--help");
        Assert.All(lines.SelectMany(words => words).Where(word => word.StartsWith("--", StringComparison.Ordinal)), option => Assert.Contains(option + " ", help, StringComparison.Ordinal));

        // On a port that is free: the example's may be taken here.
        var options = lines[0].Select(word => word.Replace(":8093", ":0", StringComparison.Ordinal));
        var cache = Directory.CreateTempSubdirectory("assay-unit-").FullName;
        using var proxy = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "assay.dll"), "collateral", "serve", "--cache", cache, .. options]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.StartsWith("serving collateral on http://127.0.0.1:", proxy.StandardOutput.ReadLine(), StringComparison.Ordinal);
        }
        finally
        {
            proxy.Kill();
            proxy.WaitForExit();
            Directory.Delete(cache, recursive: true);
        }
    }
}
