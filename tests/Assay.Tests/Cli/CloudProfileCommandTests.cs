using System.CommandLine;
using System.Text.Json;
using Assay.Cli;

namespace Assay.Tests.Cli;

/// <summary><c>assay cloud-profile</c>: options in, a script or JSON out. What is in them is CloudSetupTests' concern.</summary>
public class CloudProfileCommandTests
{
    private static readonly AssayCommand s_assay = new();

    private static readonly string[] s_common = ["--issuer", "https://as.example.org", "--policy", "prod", "--require", "gpu_model=GH100,GB100", "tee=tdx"];

    public static TheoryData<string, string[]> Clouds => new()
    {
        { "aws", ["--account", "123456789012", "--role", "model-keys", "--region", "eu-central-1"] },
        { "gcp", ["--project", "acme", "--project-number", "123456789"] },
        { "azure", ["--tenant", "acme.example", "--client", "11111111-2222-3333-4444-555555555555", "--subject", "{gpu}:{tee}:{policy}"] },
        { "vault", ["--role", "model-keys", "--vault-policy", "read-model-keys", "--address", "https://vault.example.org:8200"] },
    };

    [Theory]
    [MemberData(nameof(Clouds))]
    public void Text_is_a_script_and_JSON_has_the_same_parts(string cloud, string[] own)
    {
        string[] line = ["cloud-profile", cloud, .. s_common, .. own];
        var script = s_assay.Says(0, line);
        using var json = JsonDocument.Parse(s_assay.Says(0, [.. line, "--format", "json"]));
        var root = json.RootElement;
        string[] Strings(params string[] path) => [.. path.Aggregate(root, (element, name) => element.GetProperty(name)).EnumerateArray().Select(item => item.GetString()!)];

        Assert.True(Peer.Require("bash").Run("-n", "-c", script) is { Accepted: true, Output: "" });
        Assert.Equal(["profile", "subjects", "conditions", "administrator", "workload"], root.EnumerateObject().Select(member => member.Name));
        var profile = root.GetProperty("profile");
        Assert.Equal((cloud, "https://as.example.org"), (profile.GetProperty("cloud").GetString(), profile.GetProperty("issuer").GetString()));
        Assert.Equal(["GH100", "GB100"], Strings("conditions", "gpu_model"));
        Assert.Equal(2, Strings("subjects").Length);
        Assert.Equal(cloud == "azure" ? 0 : 7, profile.GetProperty("attributes").EnumerateObject().Count());
        Assert.All(Strings("administrator", "commands"), command => Assert.Contains($"\n{command}\n", script, StringComparison.Ordinal));
        Assert.All(Strings("workload", "commands"), command => Assert.Contains($"\n# {command}\n", script, StringComparison.Ordinal));
        Assert.All(root.GetProperty("workload").GetProperty("environment").EnumerateObject(), variable => Assert.Contains($"# export {variable.Name}={variable.Value.GetString()}\n", script, StringComparison.Ordinal));
        Assert.All(root.GetProperty("administrator").GetProperty("files").EnumerateObject(), file =>
        {
            using var content = JsonDocument.Parse(file.Value.GetString()!);
            Assert.Contains($"\ncat > {file.Name} <<'END-OF-FILE'\n{file.Value.GetString()}\nEND-OF-FILE\n", script, StringComparison.Ordinal);
        });
        // Where the token is, if nothing else is said.
        Assert.Contains($"/run/assay/tokens/{cloud}.jwt", script, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cli.issuer: --issuer: plain http is for loopback only", "--issuer", "http://as.example.org")]
    [InlineData("cli.cloud: iss: AWS takes no port in an issuer, found 8443", "--issuer", "https://as.example.org:8443")]
    [InlineData("cli.cloud: --require: CLAIM=VALUE,… is expected, found \"tee\"", "--require", "tee")]
    [InlineData("cli.cloud: --require: CLAIM=VALUE,… is expected, found \"tee=\"", "--require", "tee=")]
    [InlineData("cli.cloud: --require: CLAIM=VALUE,… is expected, found \"=tdx\"", "--require", "=tdx")]
    [InlineData("cli.cloud: condition: \"ueid\" is not a claim: one of verdict, policy", "--require", "ueid=1")]
    [InlineData("cli.cloud: sub: {nonce} is not a placeholder: one of verdict, policy", "--subject", "{policy}:{nonce}")]
    [InlineData("cli.cloud: account: 12 digits are expected", "--account", "1")]
    [InlineData("cli.cloud: sub: the value of {policy} has the character U+003A", "--policy", "a:b")]
    [InlineData("cli.cloud: token file: an absolute path", "--token-file", "token")]
    public void What_the_cloud_would_not_take_is_refused_by_name(string message, string option, string value)
    {
        string[] line = ["cloud-profile", "aws", "--issuer", "https://as.example.org", "--policy", "prod", "--require", "gpu_model=GH100", "--account", "123456789012", "--role", "model-keys"];
        var at = Array.IndexOf(line, option);
        var answer = s_assay.Says(2, at < 0 ? [.. line, option, value] : [.. line[..(at + 1)], value, .. line[(at + 2)..]]);

        Assert.StartsWith($"assay: {message}", answer, StringComparison.Ordinal);
        Assert.Single(answer.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void A_shell_completes_clouds_options_and_claims()
    {
        string[] Completions(string line) => [.. CommandLine.Create().Parse(line).GetCompletions(line.Length).Select(item => item.Label)];

        Assert.All(["aws", "gcp", "azure", "vault"], cloud => Assert.Contains(cloud, Completions("cloud-profile ")));
        Assert.All(["--issuer", "--policy", "--require", "--account", "--role"], option => Assert.Contains(option, Completions("cloud-profile aws --")));
        Assert.All(["gpu_model=", "tee=", "image="], claim => Assert.Contains(claim, Completions("cloud-profile aws --require ")));
    }
}
