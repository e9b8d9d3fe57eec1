using Assay.Cli;
using Assay.Simulator;
using Assay.Tests.Simulator;

namespace Assay.Tests.Regressions;

/// <summary>3: <c>--eat-out</c> wrote over whatever stood there: the signing key itself, or what somebody's link led to; and for all to read.</summary>
public sealed class Bug0003_TokenOverAnotherFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-over-").FullName;

    public Bug0003_TokenOverAnotherFileTests()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Ls10);
        SimulatedSet.Of(authority, device, SimulatorFixture.Nonce, now).Write(_folder);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_token_replaces_tokens_and_nothing_else()
    {
        Assert.Equal(0, await CommandLine.RunAsync(["token", "keygen", "--out", At("issuer.pem")]));
        var key = await File.ReadAllTextAsync(At("issuer.pem"), TestContext.Current.CancellationToken);
        File.WriteAllText(At("precious"), "precious");
        File.CreateSymbolicLink(At("to-precious.json"), At("precious"));
        File.CreateSymbolicLink(At("to-nothing.json"), At("nothing"));
        var evidence = File.ReadAllBytes(At("switch_evidence.json"));

        Assert.Equal(2, await Verify(At("issuer.pem")));
        Assert.Equal(2, await Verify(At("to-precious.json")));
        Assert.Equal(2, await Verify(At("to-nothing.json")));
        Assert.Equal(2, await Verify(At("switch_evidence.json")));
        Assert.Equal(key, File.ReadAllText(At("issuer.pem")));
        Assert.Equal("precious", File.ReadAllText(At("precious")));
        Assert.Equal(evidence, File.ReadAllBytes(At("switch_evidence.json")));
        Assert.False(File.Exists(At("nothing")));

        Assert.Equal(0, await Verify(At("eat.json")));
        Assert.Equal(0, await Verify(At("eat.json")));
        Assert.Equal(0, await Verify(At("eat.json"), "--token-format", "trustee-ear"));
        Assert.StartsWith("eyJ", File.ReadAllText(At("eat.json")), StringComparison.Ordinal);
        Assert.Equal(0, await Verify(At("eat.json")));
        Assert.EndsWith("]", File.ReadAllText(At("eat.json")), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(At("eat.json")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public async Task A_file_that_stands_empty_takes_the_token_and_keeps_its_mode()
    {
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        Assert.Equal(0, await CommandLine.RunAsync(["token", "keygen", "--out", At("issuer.pem")]));
        File.WriteAllText(At("made"), "");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(At("made"), mode);
        }

        Assert.Equal(0, await Verify(At("made")));

        Assert.StartsWith("[[\"JWT\",", File.ReadAllText(At("made")), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(At("made")) == mode);
    }

    private string At(string name) => Path.Combine(_folder, name);

    private Task<int> Verify(string token, params string[] more) => CommandLine.RunAsync(
    [
        "verify", "--evidence", At("switch_evidence.json"), "--anchors", At("anchors.json"), "--rim-store", At("rims"), "--ocsp-store", At("ocsp"),
        "--nonce", Convert.ToHexStringLower(SimulatorFixture.Nonce), "--eat-out", token, "--signing-key", At("issuer.pem"), "--issuer", "http://127.0.0.1", .. more,
    ]);
}
