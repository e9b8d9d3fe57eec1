using Assay.Evidence.Files;
using Assay.Inspection;

namespace Assay.Tests.Cli;

/// <summary>Every wrong file to every command and option: one error, which says what the file is, what is taken, and where such a file is given.</summary>
public sealed class WrongFileTests : IDisposable
{
    private static readonly AssayCommand s_assay = new();

    // Each option with the kinds that it takes.
    private static readonly (string Option, ContentKind[] Taken)[] s_options =
    [
        ("--evidence", [ContentKind.DeviceEvidence, ContentKind.MachineEvidence]),
        ("--report", [ContentKind.DeviceReport]),
        ("--cpu-evidence", [ContentKind.TdxQuote, ContentKind.SnpReport, ContentKind.AzureVtpm, ContentKind.ProcessorEvidence]),
        ("--event-log", [ContentKind.EventLog, ContentKind.DstackTcbInfo]),
        ("--anchors", [ContentKind.Anchors]),
        ("--reference-values", [ContentKind.ReferenceManifest, ContentKind.SignedReferenceManifest]),
        ("--tee-pubkey", [ContentKind.PublicKey]),
        ("--policy", [ContentKind.JsonPolicy, ContentKind.Json]),
    ];

    // What inspect shows; of these samples some are malformed.
    private static readonly ContentKind[] s_shown =
    [
        ContentKind.DeviceEvidence, ContentKind.MachineEvidence, ContentKind.DeviceReport, ContentKind.TdxQuote, ContentKind.SnpReport, ContentKind.TdReport, ContentKind.HclReport, ContentKind.TdxCollateral, ContentKind.IntelStatement, ContentKind.UnsignedIntelStatement,
        ContentKind.Certificates, ContentKind.RevocationList, ContentKind.OcspResponse, ContentKind.Rim, ContentKind.Anchors, ContentKind.ReferenceManifest,
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("assay").FullName;

    public static TheoryData<string> Names => [.. WrongFiles.All.Select(item => item.Name)];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [MemberData(nameof(Names))]
    public void It_is_told_by_its_content(string name)
    {
        var (_, kind, named, file) = Find(name);
        var content = FileContent.Of(file);

        Assert.Equal(kind, content.Kind);
        Assert.Contains(named, content.Phrase, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_option_of_verify_names_it_once(string name)
    {
        var (_, kind, named, file) = Find(name);
        var path = Write(name, file);
        // By its ending a policy is told from one in another language.
        var policy = Write("given.json", file);
        var chain = Write("good.pem", WrongFiles.All.First(item => item.Kind is ContentKind.Certificates).File);

        var answer = s_assay.Says(
            2, "verify", "--evidence", path, "--report", path, "--chain", chain, "--cpu-evidence", path, "--event-log", path, "--anchors", path, "--reference-values", path, "--tee-pubkey", path,
            "--nonce", "challenge", "--policy", policy, "--cpu-collateral", path);

        var errors = answer.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var (option, taken) in s_options.Where(item => !item.Taken.Contains(kind)))
        {
            var own = Assert.Single(errors, line => line.Contains($"{option} takes ", StringComparison.Ordinal) || line.Contains($"{option}: ", StringComparison.Ordinal));
            Assert.Contains($"this is {named}", own, StringComparison.Ordinal);
            Assert.StartsWith("assay: ", own, StringComparison.Ordinal);
        }

        // No error follows from another.
        Assert.True(errors.Length <= s_options.Length, answer);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Inspect_names_what_it_does_not_show(string name)
    {
        var (_, kind, named, file) = Find(name);
        var faults = new FaultLog();
        var shown = Inspector.Inspect(file, name, faults);

        if (s_shown.Contains(kind))
        {
            Assert.All(faults.Faults, fault => Assert.Equal("inspect.malformed", fault.Id));
            return;
        }

        Assert.Null(shown);
        Assert.Contains($"this is {named}", Assert.Single(faults.Faults).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Measure_names_each()
    {
        var wrong = WrongFiles.All.Where(item => item.Kind is not (ContentKind.TdxQuote or ContentKind.SnpReport or ContentKind.EventLog or ContentKind.DstackTcbInfo or ContentKind.AzureVtpm)).ToArray();

        var answer = s_assay.Says(2, ["measure", "--from", .. wrong.Select(item => Write(item.Name, item.File)), "--name", "n", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--out", Path.Combine(_folder, "out.json")]);

        Assert.All(wrong, item => Assert.Contains($"{item.Name}: this is {item.Named}", answer, StringComparison.Ordinal));
        Assert.Equal(wrong.Length, answer.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void Bundles_and_policies_name_each()
    {
        var others = WrongFiles.All.Where(item => item.Kind is not (ContentKind.RegoPolicy or ContentKind.DeviceEvidence or ContentKind.MachineEvidence or ContentKind.TdxQuote)).ToArray();

        var answer = s_assay.Says(2, ["policy", "check", .. others.Select(item => Write(item.Name, item.File))]);
        Assert.All(others, item => Assert.Contains($"{item.Name}: this is {item.Named}", answer, StringComparison.Ordinal));

        answer = s_assay.Run(["bundle", "plan", "--for", .. others.Select(item => Write(item.Name, item.File))]).Output;
        Assert.All(others, item => Assert.Contains($"{item.Name}: this is {item.Named}", answer, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("quote.bin")]
    [InlineData("devices.json")]
    [InlineData("rack.bundle")]
    [InlineData("utf16.json")]
    [InlineData("random.bin")]
    [InlineData("result.json")]
    public void Tokens_keys_and_bundles_name_it(string name)
    {
        var (_, kind, named, file) = Find(name);
        var path = Write(name, file);
        var keys = Write("keys.json", WrongFiles.All.First(item => item.Kind is ContentKind.KeySet).File);

        Named(s_assay.Says(2, "token", "verify", path, "--jwks", keys));
        Named(s_assay.Says(2, "token", "show", path));
        Named(s_assay.Says(2, "verify", "--evidence", Write("good.json", Find("devices.json").File), "--reference-values", path, "--reference-keys", path));
        if (kind is not (ContentKind.CollateralBundle or ContentKind.Unknown))
        {
            Named(s_assay.Says(2, "bundle", "inspect", path));
        }

        void Named(string answer) => Assert.Contains($"this is {named}", Assert.Single(answer.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static (string Name, ContentKind Kind, string Named, byte[] File) Find(string name) => WrongFiles.All.Single(item => item.Name == name);

    private string Write(string name, byte[] file)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, file);
        return path;
    }
}
