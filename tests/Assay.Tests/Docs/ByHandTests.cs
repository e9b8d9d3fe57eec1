using System.Text.RegularExpressions;

namespace Assay.Tests.Docs;

/// <summary>The commands of docs/security/verify-by-hand.md are run as they are written, on recorded evidence.</summary>
public sealed partial class ByHandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-by-hand").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_commands_verify_a_recorded_report_and_quote_up_to_the_roots_that_are_built_in()
    {
        Copy("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json", "gpu.json");
        Copy("cpu/tdx/tdx_quote", "quote.bin");
        var output = Run();

        Assert.Equal(3, Count(output, "Verified OK"));
        Assert.Contains("chain1.pem: OK", output, StringComparison.Ordinal);
        Assert.Contains("pck1.pem: OK", output, StringComparison.Ordinal);
        Assert.Contains("4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e", output, StringComparison.Ordinal);
        var digests = Digest().Matches(output).Select(match => match.Value).ToArray();
        Assert.True(digests.GroupBy(digest => digest).Any(group => group.Count() == 2), output);
        var roots = new Assay.Tests.Cli.AssayCommand().Says(0, "anchors");
        var found = Fingerprint().Matches(output).Select(match => match.Groups[1].Value.Replace(":", "", StringComparison.Ordinal).ToLowerInvariant()).ToArray();
        Assert.Equal(2, found.Length);
        Assert.All(found, fingerprint => Assert.Contains(fingerprint, roots, StringComparison.Ordinal));
    }

    [Fact]
    public void A_flipped_bit_is_seen_by_hand_too()
    {
        Copy("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json", "gpu.json");
        Copy("cpu/tdx/tdx_quote", "quote.bin");
        var quote = Path.Combine(_folder, "quote.bin");
        var bytes = File.ReadAllBytes(quote);
        bytes[100] ^= 1;
        File.WriteAllBytes(quote, bytes);

        Assert.Equal(2, Count(Run(), "Verified OK"));
    }

    private string Run()
    {
        _ = Peer.Require("openssl");
        _ = Peer.Require("jq");
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "security", "verify-by-hand.md")).ReplaceLineEndings("\n");
        var commands = string.Concat(Block().Matches(page).Select(match => match.Groups[1].Value));
        // The recorded certificates have their own times: today is not the question here.
        commands = commands.Replace("openssl verify ", "openssl verify -no_check_time ", StringComparison.Ordinal);
        var script = Path.Combine(_folder, "by-hand.sh");
        File.WriteAllText(script, $"assay() {{ dotnet '{Path.Combine(AppContext.BaseDirectory, "assay.dll")}' \"$@\"; }}\ncd '{_folder}'\n{commands}");
        return Peer.Require("bash").Run(script).Output;
    }

    private void Copy(string recorded, string name) => File.WriteAllBytes(Path.Combine(_folder, name), Recorded.Bytes(recorded));

    private static int Count(string text, string what) => text.Split(what).Length - 1;

    [GeneratedRegex(@"```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^[0-9a-f]{64}$", RegexOptions.Multiline)]
    private static partial Regex Digest();

    [GeneratedRegex(@"Fingerprint=([0-9A-F:]+)")]
    private static partial Regex Fingerprint();
}
