namespace Assay.Tests.Published;

/// <summary>The binary for arm64, compiled here for another processor and run under an emulator. What needs OpenSSL is not run: there is none for it.</summary>
[Trait("Category", "Soak")]
public sealed class Arm64BinaryTests
{
    [Theory]
    [InlineData(0, "version", "--format", "json")]
    [InlineData(0, "verify", "--help")]
    [InlineData(0, "explain", "report.nonce.match")]
    [InlineData(0, "anchors", "--help")]
    [InlineData(2, "nonsense")]
    public void It_says_the_same_as_the_build(int code, params string[] arguments)
    {
        var (binary, built) = (PublishedBinary.RequireArm64().Run(arguments), PublishedBinary.RunBuilt(arguments));

        Assert.Equal((code, built.ExitCode), (binary.ExitCode, code));
        Assert.Equal(built.Error, binary.Error);
        Assert.Equal(built.Output, binary.Output);
    }

    [Fact]
    public void Policies_are_evaluated_as_in_the_build()
    {
        string[] arguments = ["policy", "test", Path.Combine(Repository.Root, "policies")];
        var binary = PublishedBinary.RequireArm64().Run(arguments);

        Assert.Equal(0, binary.ExitCode);
        Assert.Equal(PublishedBinary.RunBuilt(arguments).Text, binary.Text);
    }

    [Fact]
    public void The_simulator_lists_its_faults() => Assert.Equal(0, PublishedBinary.RequireArm64("assay-sim").Run("faults", "--format", "json").ExitCode);
}
