using Assay.Cli;
using Assay.Simulator.Cli;

namespace Assay.Tests.Regressions;

/// <summary>5: an empty name of a file, as of a variable that is not set, was called a bug of ours (70) where tokens, keys and sets are written.</summary>
public class Bug0005_EmptyNameOfAFileTests
{
    [Theory]
    [InlineData("token", "keygen", "--out", "")]
    [InlineData("token", "jwks", "--signing-key", "")]
    [InlineData("demo", "--out", "")]
    [InlineData("verify", "--evidence", "/", "--eat-out", "", "--signing-key", "k.pem", "--issuer", "http://127.0.0.1")]
    [InlineData("verify", "--evidence", "/", "--eat-out", "t", "--signing-key", "", "--issuer", "http://127.0.0.1")]
    public async Task An_empty_name_is_refused_by_name(params string[] arguments) => Assert.Equal(2, await CommandLine.RunAsync(arguments));

    [Fact]
    public async Task The_simulator_refuses_an_empty_name_too() => Assert.Equal(2, await SimulatorCommandLine.RunAsync(["evidence", "--device", "ls10", "--out", ""]));
}
