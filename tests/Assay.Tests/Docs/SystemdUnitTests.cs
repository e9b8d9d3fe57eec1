using System.Diagnostics;
using Assay.Tests.Cli;

namespace Assay.Tests.Docs;

/// <summary>The unit of the collateral cache, its user, and the example of its options.</summary>
public sealed class SystemdUnitTests
{
    private const string Variable = "COLLATERAL_OPTIONS=";

    private static string Folder => Path.Combine(Repository.Root, "deploy", "systemd");

    private static string Unit => File.ReadAllText(Path.Combine(Folder, "assay-collateral.service"));

    [Fact]
    public void Systemd_accepts_the_unit()
    {
        var peer = Peer.Require("systemd-analyze");
        var folder = Directory.CreateTempSubdirectory("assay-unit-").FullName;
        try
        {
            // The program is not installed where this runs, and nothing else may be amiss.
            var unit = Path.Combine(folder, "assay-collateral.service");
            File.WriteAllText(unit, Unit.Replace("/usr/local/bin/assay ", "/bin/true ", StringComparison.Ordinal));

            var answer = peer.Run("verify", "--man=no", unit);

            Assert.Equal((0, ""), (answer.ExitCode, answer.Output));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
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
