using Assay.Binding;
using Assay.Cli.Channels;

namespace Assay.Tests.Channels;

/// <summary>The file of <c>--policy</c>: every fault is told with its line, and what it does not say is not assumed.</summary>
public sealed class ChannelPolicyFileTests : IDisposable
{
    private const string Whole = "version: 1\npurpose: inference\noperator: {ca: [operator.pem], name: worker.example}\nverify: site.yaml\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-channel-policy-").FullName;

    public ChannelPolicyFileTests()
    {
        using var authority = ChannelWorld.Authority("the operator");
        Write("operator.pem", authority.ExportCertificatePem());
        Write("site.yaml", "version: 1\nexpect:\n  gpus: 8\naccept:\n  weakened: []\n");
        Write("weak.yaml", "version: 1\naccept:\n  weakened: [channel-any-operator, channel-level-challenge, channel-level-certificate]\n");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(Whole, ChannelLevel.Exporter, "a certificate of operator.pem for worker.example")]
    [InlineData("version: 1\nlevel: challenge\npurpose: inference\noperator: {fleetCa: [operator.pem]}\nverify: weak.yaml\n", ChannelLevel.Challenge, "a certificate of the fleet's operator.pem")]
    [InlineData("version: 1\nlevel: certificate\npurpose: inference\noperator: {dangerouslyAnyOperator: true}\nverify: weak.yaml\n", ChannelLevel.Certificate, "any operator")]
    [InlineData("{\"version\": 1, \"purpose\": \"inference\", \"operator\": {\"keys\": [\"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"]}, \"verify\": \"site.yaml\"}", ChannelLevel.Exporter, "a pinned key")]
    public void What_it_says_is_what_is_demanded(string text, ChannelLevel level, string whose)
    {
        Assert.True(ChannelPolicyFile.TryRead(Write("channel.yaml", text), TimeProvider.System, out var policy, out var faults), string.Join('\n', faults));
        using (policy)
        {
            Assert.Equal(level, policy.Policy.MinimumLevel);
            Assert.Equal("inference", policy.Policy.Purpose);
            Assert.Equal(whose, policy.Whose);
        }
    }

    [Theory]
    [InlineData("", "channel.yaml: is empty")]
    [InlineData("version: 2\npurpose: inference\noperator: {ca: [operator.pem], name: a}\nverify: site.yaml\n", "channel.yaml:1: version: 1 is expected")]
    [InlineData("purpose: inference\noperator: {ca: [operator.pem], name: a}\nverify: site.yaml\n", "channel.yaml:1: version: is missing")]
    [InlineData(Whole + "levl: exporter\n", "channel.yaml:5: levl: is not a key; did you mean level?")]
    [InlineData(Whole + "level: strict\n", "channel.yaml:5: level: one of exporter, challenge, certificate is expected, found \"strict\"")]
    [InlineData(Whole + "level: challenge\n", "channel.yaml:5: level: challenge weakens every channel: name channel-level-challenge under accept.weakened of site.yaml too")]
    [InlineData("version: 1\noperator: {ca: [operator.pem], name: a}\nverify: site.yaml\n", "channel.yaml:1: purpose: is missing")]
    [InlineData("version: 1\npurpose: Inference!\noperator: {ca: [operator.pem], name: a}\nverify: site.yaml\n", "channel.yaml:2: purpose: 1 to 64 small letters")]
    [InlineData("version: 1\npurpose: inference\nverify: site.yaml\n", "channel.yaml:1: operator: is missing: say whose the machines are")]
    [InlineData("version: 1\npurpose: inference\noperator: {}\nverify: site.yaml\n", "channel.yaml:3: operator: one of ca, fleetCa, keys, dangerouslyAnyOperator is expected")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  ca: [operator.pem]\n  keys: [sha256:00]\nverify: site.yaml\n", "channel.yaml:4: operator: ca and keys both say whose")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  ca: [operator.pem]\nverify: site.yaml\n", "channel.yaml:4: operator.name: is missing")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  ca: []\n  name: a\nverify: site.yaml\n", "channel.yaml:4: operator.ca: a list with one value at least is expected")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  ca: [gone.pem]\n  name: a\nverify: site.yaml\n", "no such file")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  ca: [site.yaml]\n  name: a\nverify: site.yaml\n", "channel.yaml:4: operator.ca: ")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  fleetCa: [operator.pem]\n  name: a\nverify: site.yaml\n", "channel.yaml:5: operator.name: belongs to ca")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  keys: [sha384:00]\nverify: site.yaml\n", "channel.yaml:4: operator.keys: sha256: and 64 hexadecimal digits are expected")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  dangerouslyAnyOperator: false\nverify: site.yaml\n", "channel.yaml:4: operator.dangerouslyAnyOperator: false names no operator")]
    [InlineData("version: 1\npurpose: inference\noperator:\n  dangerouslyAnyOperator: true\nverify: site.yaml\n", "name channel-any-operator under accept.weakened of site.yaml too")]
    [InlineData("version: 1\npurpose: inference\noperator: {ca: [operator.pem], name: a}\n", "channel.yaml:1: verify: is missing")]
    [InlineData("version: 1\npurpose: inference\noperator: {ca: [operator.pem], name: a}\nverify: gone.yaml\n", "no such file")]
    [InlineData("version: 1\npurpose: inference\noperator: {ca: [operator.pem], name: a}\nverify: channel.yaml\n", "channel.yaml:2: purpose: is not a section")]
    [InlineData("version: 1\nversion: 1\n", "version: given a second time")]
    public void What_makes_no_sense_is_told_with_its_line(string text, string expected)
    {
        Assert.False(ChannelPolicyFile.TryRead(Write("channel.yaml", text), TimeProvider.System, out _, out var faults));
        Assert.Contains(faults, fault => fault.Message.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void All_faults_are_told_at_once()
    {
        Assert.False(ChannelPolicyFile.TryRead(Write("channel.yaml", "version: 2\nlevel: none\npurpose: \"\"\noperator: {ca: [gone.pem]}\nverify: gone.yaml\n"), TimeProvider.System, out _, out var faults));
        Assert.Equal(6, faults.Length);
    }

    [Fact]
    public void A_certificate_of_no_CA_names_no_operator()
    {
        using var key = System.Security.Cryptography.ECDsa.Create();
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=leaf", key, System.Security.Cryptography.HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        using var leaf = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        Write("operator.pem", leaf.ExportCertificatePem());
        Assert.False(ChannelPolicyFile.TryRead(Write("channel.yaml", Whole), TimeProvider.System, out _, out var faults));
        Assert.Contains("is not a CA's", Assert.Single(faults).Message, StringComparison.Ordinal);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
