namespace Assay.Tests;

/// <summary>Packages of npm as eng/peers/NAME pins them, installed into artifacts/peers/NAME, which is ignored by version control.</summary>
internal static class NpmPackages
{
    private static readonly Lock s_one = new();
    private static readonly string[] s_pins = ["package.json", "package-lock.json"];

    /// <summary>Installs them unless those of this lock file are there, and puts a script beside them: node looks for what it imports from where the script is.</summary>
    /// <returns>The path of the script.</returns>
    public static string Install(string name, string fileName, string script)
    {
        var folder = Path.Combine(Repository.Root, "artifacts", "peers", name);
        lock (s_one)
        {
            if (!IsInstalled(name, folder))
            {
                Install(name, folder);
            }

            var path = Path.Combine(folder, fileName);
            File.WriteAllText(path, script);
            return path;
        }
    }

    private static void Install(string name, string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in s_pins)
        {
            File.Copy(PinOf(name, file), Path.Combine(folder, file), overwrite: true);
        }

        var answer = Peer.Require("npm").Run("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder);
        if (!answer.Accepted && Environment.GetEnvironmentVariable("CI") == "true")
        {
            Assert.Fail($"npm ci: {answer.Output}");
        }

        Assert.SkipUnless(answer.Accepted, $"npm could not install what eng/peers/{name} pins");
        File.Copy(PinOf(name, s_pins[1]), StampOf(folder), overwrite: true);
    }

    // The lock file that was installed to the end, byte for byte: another one, or an installation that was cut off, is installed again.
    private static bool IsInstalled(string name, string folder) => File.Exists(StampOf(folder)) && File.ReadAllText(StampOf(folder)) == File.ReadAllText(PinOf(name, s_pins[1]));

    private static string PinOf(string name, string file) => Path.Combine(Repository.Root, "eng", "peers", name, file);

    private static string StampOf(string folder) => Path.Combine(folder, "node_modules", "installed-lock.json");
}
