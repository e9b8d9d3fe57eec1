using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>An unreadable instant, file or configuration had a second error about what only followed from it; an independent one beside it was told a call later.</summary>
public sealed class Bug0260_FollowUpErrorsTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("--cpu-evidence q --nonce 1234", "cli.file: q: no such file", "cli.nonce: --nonce: processor evidence alone does not answer a nonce")]
    [InlineData("--evidence q --nonce 1234", "cli.file: q: no such file", "cli.nonce: --nonce: 64 hexadecimal digits are expected, 4 characters are given")]
    [InlineData("--evidence M/gpu_evidence.json --nonce zz", "cli.nonce: --nonce: 64 hexadecimal digits are expected, 2 characters are given; a challenge in other words goes with a key")]
    // What the file is says where it is given; the nonce may be right there.
    [InlineData("--cpu-evidence M/machine.json --nonce abc", "cpu.malformed: ")]
    [InlineData("--evidence M/machine.json --nonce abc --reference-values M/reference_values.json --at never", "cli.at: --at: ")]
    [InlineData("--evidence M/machine.json --nonce abc --reference-values q --gate-register 9 --at never", "cli.at: --at: ", "cli.file: q: no such file")]
    [InlineData("--evidence M/machine.json --nonce abc --gpu-policy 00 --boot-phase boot", "cli.gpu-policy: --gpu-policy: 96 hexadecimal digits (SHA-384) are expected, found 2 characters")]
    [InlineData("--evidence M/gpu_evidence.json --nonce 12 --anchors q --rim-store q --bundle q --bundle-keys q --expect x", "cli.bundle: --bundle brings all collateral, and --rim-store", "cli.nonce: ", "cli.file: q: no such file", "cli.file: q: no such file", "cli.file: q: no such file", "cli.folder: --rim-store: ", "cli.expect: ")]
    public void One_error_for_each_cause(string line, params string[] expected) => Assert.Equal(expected.Order(StringComparer.Ordinal), Errors(line, expected));

    [Theory]
    [InlineData("referenceValues: {file: [x], keys: site.jwks}", "referenceValues.file: ")]
    [InlineData("collateral: {bundle: [x], minimumBundleSequence: 7}", "collateral.bundle: ")]
    [InlineData("accept: {dangerouslyAcceptTcb: [x], dangerouslyAcceptTcbFrom: 2025-01-01}", "accept.dangerouslyAcceptTcb: ")]
    [InlineData("policy: {files: x.rego, query: data.policy.allow}", "policy.files: ")]
    public void An_option_without_its_own_is_no_fault_where_the_line_that_states_it_is_one(string stated, string problem)
    {
        var file = machine.Fresh();
        File.WriteAllText(file, $"version: 1\n{stated}\n");

        var error = Assert.Single(Errors($"--config {file} --evidence M/gpu_evidence.json", []));
        Assert.Contains(problem, error, StringComparison.Ordinal);
    }

    // Cut to what is expected of each, sorted.
    private string[] Errors(string line, string[] expected)
    {
        var text = s_assay.Says(2, ["verify", .. line.Replace("M/", machine.Folder + "/", StringComparison.Ordinal).Split(' ')]);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(error => error["assay: ".Length..])
            .Select(error => expected.FirstOrDefault(start => error.StartsWith(start, StringComparison.Ordinal)) ?? error)
            .Order(StringComparer.Ordinal)];
    }
}
