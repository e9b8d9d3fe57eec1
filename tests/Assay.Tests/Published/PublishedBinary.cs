using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Assay.Tests.Published;

/// <summary>What a program answered, byte for byte on standard output.</summary>
internal sealed record ProgramAnswer(int ExitCode, byte[] Output, string Error)
{
    public string Text => Encoding.UTF8.GetString(Output);
}

/// <summary>
/// The commands as ./eng/publish writes them. eng/test publishes before it runs the tests, and says so in ASSAY_PUBLISHED; run by hand,
/// tests of a binary that is absent or of other sources are skipped, and counted.
/// </summary>
internal sealed class PublishedBinary
{
    private static readonly string s_architecture = RuntimeInformation.ProcessArchitecture is System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "x64";
    private static readonly Lazy<string?> s_whyNot = new(() => WhyNot(s_architecture));
    private static readonly Lazy<string?> s_whyNotArm64 = new(() => WhyNot("arm64"));

    private readonly string[] _words;

    private PublishedBinary(params string[] words) => _words = words;

    /// <summary>Its file.</summary>
    public string Program => _words[^1];

    /// <summary>The binary of this machine.</summary>
    /// <param name="name">assay or assay-sim.</param>
    public static PublishedBinary Require(string name = "assay")
    {
        Require("here", s_whyNot.Value);
        return new PublishedBinary(FileOf(s_architecture, name));
    }

    /// <summary>The binary for arm64, under an emulator.</summary>
    public static PublishedBinary RequireArm64(string name = "assay")
    {
        Require("arm64", s_whyNotArm64.Value);
        // Its C library is that of the cross compiler.
        return new PublishedBinary(Peer.Require("qemu-aarch64").Program, "-L", "/usr/aarch64-linux-gnu", FileOf("arm64", name));
    }

    /// <summary>The same command of the build that the tests are of.</summary>
    public static ProgramAnswer RunBuilt(params IEnumerable<string> arguments) =>
        Run(["dotnet", Path.Combine(AppContext.BaseDirectory, "assay.dll"), .. arguments]);

    public ProgramAnswer Run(params IEnumerable<string> arguments) => Run([.. _words, .. arguments]);

    private static ProgramAnswer Run(string[] command)
    {
        // A folder outside the checkout, and nothing of .NET's in sight: only that which is in the file is used.
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath() };
        start.Environment.Remove("ASSAY_COMMAND");
        using var process = Process.Start(start)!;
        using var output = new MemoryStream();
        var copying = process.StandardOutput.BaseStream.CopyToAsync(output);
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience.Long))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{command[0]} did not end within {Patience.Long}");
        }

        copying.Wait();
        return new ProgramAnswer(process.ExitCode, output.ToArray(), error.Result);
    }

    private static string FileOf(string architecture, string name) => Path.Combine(Repository.Root, "artifacts", $"linux-{architecture}", name);

    private static void Require(string whom, string? whyNot)
    {
        Assert.False(whyNot is not null && Asked().Contains(whom), $"eng/test published it, and yet: {whyNot}");
        Assert.SkipUnless(whyNot is null, whyNot ?? "");
    }

    private static string[] Asked() => (Environment.GetEnvironmentVariable("ASSAY_PUBLISHED") ?? "").Split(' ');

    private static string? WhyNot(string architecture) =>
        Peer.Require("bash").Run(Path.Combine(Repository.Root, "eng", "publish"), "--arch", architecture, "--check").Accepted
            ? null
            : $"artifacts/linux-{architecture} is absent or was made of other sources: run ./eng/publish --arch {architecture}";
}
