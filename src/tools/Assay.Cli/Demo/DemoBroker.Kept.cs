namespace Assay.Cli.Demo;

/// <summary>What <c>assay demo broker --out DIR</c> leaves: the files of every party, and the commands to type while broker and VM run.</summary>
internal sealed partial class DemoBroker
{
    private const string Commands = "commands.txt";

    /// <summary>What is typed in another terminal.</summary>
    public Task<string[]> CommandsAsync(CancellationToken cancellation) => File.ReadAllLinesAsync(PathOf(Commands), cancellation);

    private async Task<DemoStep> LeaveAsync(CancellationToken cancellation)
    {
        await File.WriteAllTextAsync(PathOf("evidence.json"), await EvidenceAsync(new string('0', 64), cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
        var (owner, log) = (string.Join(' ', Account("owner")), $"--log-key {PathOf("log.key")}");
        await File.WriteAllLinesAsync(PathOf(Commands),
        [
            $"# the owner: the key with its policy, and whether the VM of {PathOf("evidence.json")} would get it",
            $"./assay key show {Key} {owner}",
            $"./assay key dry-run {Key} --evidence {PathOf("evidence.json")} {owner}",
            "# in the VM: a workload gets the key, which is printed as its digest, and the proof of the release",
            $"{_vm.CommandLine} key fetch --key {Key} --proof {PathOf("release.json")} --exec sha256sum",
            "# the auditor",
            $"./assay audit prove {PathOf("release.json")} {log}",
            $"./assay audit tail {log} {owner}",
            "# the owner stops it; then the VM is denied. Two persons would lift it, and none can log in here",
            $"./assay key freeze {Key} --reason a-test {owner}",
            $"{_vm.CommandLine} key fetch --key {Key} --exec sha256sum",
        ], cancellation).ConfigureAwait(false);
        return Honest("configuration, credentials, reference values, policy, evidence and the commands to type are left", true, _folder);
    }
}
