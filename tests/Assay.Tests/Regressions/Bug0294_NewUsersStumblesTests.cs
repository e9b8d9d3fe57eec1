using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>294, found by new users: an unset variable made the next option a value, and the digest of an image's configuration was made with keys of the machine that builds it.</summary>
public sealed class Bug0294_NewUsersStumblesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-stumbles-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("verify", "--evidence", "x.json", "--nonce", "--rim-url", "nvidia")]
    [InlineData("verify", "--nonce", "--verbose")]
    [InlineData("collateral", "check", ".", "--within", "--format", "json")]
    public void An_option_is_no_value_of_another(params string[] line)
    {
        var text = new AssayCommand().Says(2, line);

        Assert.Contains("a value is expected, found --", text, StringComparison.Ordinal);
        Assert.Contains("(an unset variable?)", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_of_the_guest_are_told_where_they_are_explained() =>
        Assert.Contains("docs/troubleshooting/guest.md#gate.cc.off", new AssayCommand().Says(0, "explain", "gate.cc.off"), StringComparison.Ordinal);

    [Fact]
    public void A_digest_takes_the_keys_of_the_tree_that_the_configuration_lies_in()
    {
        var (keys, jwks) = (Path.Combine(_folder, "site.pem"), Path.Combine(_folder, "tree", "usr", "lib", "assay", "bundle_keys.json"));
        var assay = new AssayCommand();
        Directory.CreateDirectory(Path.GetDirectoryName(jwks)!);
        assay.Says(0, "token", "keygen", "--out", keys);
        File.WriteAllText(jwks, assay.Says(0, "token", "jwks", "--signing-key", keys));
        var file = Path.Combine(Path.GetDirectoryName(jwks)!, "guest.json");
        File.WriteAllText(file, """{"version":1,"gate":"verify","devices":{"gpus":8,"switches":4,"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","bundle":{"path":"/var/lib/assay/collateral.bundle","keys":"/usr/lib/assay/bundle_keys.json","minimumSequence":12}}""");
        var guest = Peer.Require("dotnet");

        var answer = guest.Run(Path.Combine(AppContext.BaseDirectory, "assay-guest.dll"), "digest", file);

        var expected = GuestConfigurationReader.Read(file, new GuestPaths(Path.Combine(_folder, "tree")), MeasuredPlace.Anywhere).Expectation(dangerouslyAcceptSimulated: false).ToPayload().Expectation;
        Assert.Equal((0, $"{expected}\n"), (answer.ExitCode, answer.Output));
        Assert.Equal(2, guest.Run(Path.Combine(AppContext.BaseDirectory, "assay-guest.dll"), "digest", Path.Combine(_folder, "none.json")).ExitCode);
    }
}
