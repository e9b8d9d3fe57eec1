using System.Text;
using Assay.Guest;
using Assay.Guest.Configuration;

namespace Assay.Tests.Published;

/// <summary>The guest's native binary, as an image takes it.</summary>
public sealed class PublishedGuestTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-published-guest-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_prints_the_digest_that_its_gate_extends_and_refuses_options()
    {
        var binary = PublishedBinary.Require("assay-guest");
        var file = Path.Combine(_folder, "guest.json");
        File.WriteAllText(file, """{"version":1,"gate":"verify","devices":{"gpus":8,"switches":4,"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"https://collateral.example/"}""");

        var answer = binary.Run("digest", file);

        var expected = GuestConfigurationReader.Read(file, new GuestPaths(""), MeasuredPlace.Anywhere).Expectation(dangerouslyAcceptSimulated: false).ToPayload().Expectation;
        Assert.Equal((0, $"{expected}\n"), (answer.ExitCode, answer.Text));
        Assert.Equal(2, binary.Run("gate", "--config", file).ExitCode);
        Assert.Equal(1, binary.Run("lint", _folder).ExitCode);
    }

    [Fact]
    [Trait("Category", "Soak")]
    public void Two_builds_of_one_source_have_one_digest()
    {
        PublishedBinary.Require("assay-guest");

        var again = Peer.Require("bash").Run(Path.Combine(Repository.Root, "eng", "publish"), "--again");

        Assert.True(again.Accepted, again.Output);
        var digests = again.Output.Split('\n').Where(line => line.EndsWith("/assay-guest", StringComparison.Ordinal)).Select(line => line.Split(' ')[0]).ToArray();
        Assert.Equal(2, digests.Length);
        Assert.Equal(digests[0], digests[1]);
    }

    [Fact]
    public void It_carries_no_simulated_source()
    {
        var bytes = File.ReadAllBytes(PublishedBinary.Require("assay-guest").Program).AsSpan();

        // Sentences: native code keeps short words in pieces.
        foreach (var words in new[] { "give --root DIR --sources SOCKET before the command", "see that assay-sim guest-sources runs" })
        {
            Assert.True(bytes.IndexOf(Encoding.UTF8.GetBytes(words)) < 0 && bytes.IndexOf(Encoding.Unicode.GetBytes(words)) < 0, words);
        }

        // What a release does say is found in the same way.
        Assert.True(bytes.IndexOf(Encoding.Unicode.GetBytes("Everything that is expected comes from")) >= 0);
    }
}
