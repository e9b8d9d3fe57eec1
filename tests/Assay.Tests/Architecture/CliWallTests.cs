using System.Reflection;
using Assay.Cli;

namespace Assay.Tests.Architecture;

/// <summary>The command line parses arguments and prints: what it may name of the libraries, room by room, and that it decides nothing itself.</summary>
public class CliWallTests
{
    /// <summary>The namespaces of core, access and services that all of it may use: bytes in, text out.</summary>
    private static readonly string[] s_everywhere = ["Assay.Wire", "Assay.Checks", "Assay.Evidence.Files", "Assay.Trust", "Assay.Trust.Jose", "Assay.Trust.Revocation", "Assay.Collateral", "Assay.Endorsements"];

    /// <summary>What each of its rooms may use beside them. A room that is not here fails.</summary>
    private static readonly Dictionary<string, string[]> s_rooms = new(StringComparer.Ordinal)
    {
        // How strong a verdict must be, as options say it.
        [""] = ["Assay.Appraisal.Machine", "Assay.Collateral.Files"],
        ["Bundles"] = ["Assay.Collateral.Bundles", "Assay.Collateral.Cache", "Assay.Collateral.Files", "Assay.Collateral.Gathering", "Assay.Collateral.Http", "Assay.Collateral.Items", "Assay.Collateral.Upstreams"],
        // Demands of the other end of channels, and prints what was found of it.
        ["Channels"] =
        [
            "Assay.Appraisal.Boot", "Assay.Appraisal.Devices", "Assay.Appraisal.Machine", "Assay.Appraisal.Processors", "Assay.Binding", "Assay.Channels", "Assay.Collateral.Bundles", "Assay.Collateral.Files",
            "Assay.Policy", "Assay.Reference.Manifest",
        ],
        // Which file stated the expectations is part of the verdict.
        ["Configuration"] = ["Assay.Policy"],
        ["Collateral"] = ["Assay.Collateral.Bundles", "Assay.Collateral.Cache", "Assay.Collateral.Files", "Assay.Collateral.Http", "Assay.Collateral.Items", "Assay.Collateral.Proxy", "Assay.Collateral.Staging", "Assay.Collateral.Upstreams", "Assay.Reference", "Assay.Reference.Intel"],
        // It plays the guest too: what a gate writes and a quote binds is made by the verifier's own code.
        ["Demo"] =
        [
            "Assay.Appraisal.Boot", "Assay.Appraisal.Devices", "Assay.Appraisal.Machine", "Assay.Appraisal.Processors", "Assay.Authentication", "Assay.Binding", "Assay.Collateral.Bundles", "Assay.Collateral.Cache",
            "Assay.Collateral.Files", "Assay.Collateral.Gathering", "Assay.Collateral.Http", "Assay.Collateral.Items", "Assay.Collateral.Proxy", "Assay.Collateral.Upstreams",
            "Assay.Policies", "Assay.Policy", "Assay.Reference", "Assay.Reference.Intel", "Assay.Reference.Manifest", "Assay.Sealing", "Assay.Sealing.Jose", "Assay.Sealing.Keys", "Assay.Sealing.Memory", "Assay.Tokens",
        ],
        ["Explain"] = [],
        // A log is believed under its own key alone: checkpoints, proofs and tree are the library's. To a hosted broker's key something is sealed, which it must open.
        ["Audit"] = ["Assay.Collateral.Http", "Assay.Log", "Assay.Sealing", "Assay.Sealing.Jose", "Assay.Sealing.Keys", "Assay.Sealing.Memory"],
        // The trial of a sample key proves its entry in the log, and compares what it opened.
        ["Keys"] = ["Assay.Log", "Assay.Sealing.Memory"],
        ["Services"] = ["Assay.Collateral.Http"],
        // What is set up in a cloud, of the same code that writes the tokens for it.
        ["Clouds"] = ["Assay.Tokens", "Assay.Tokens.Clouds"],
        // Field by field, and nothing verified.
        ["Inspection"] = ["Assay.Inspection"],
        ["Measure"] = ["Assay.Inspection", "Assay.Reference.Manifest"],
        ["Policies"] = ["Assay.Policies"],
        ["Tokens"] = ["Assay.Appraisal.Devices", "Assay.Appraisal.Machine", "Assay.Binding", "Assay.Collateral.Http", "Assay.Policy", "Assay.Tokens"],
        ["Seal"] = ["Assay.Sealing", "Assay.Sealing.Keys", "Assay.Sealing.Memory", "Assay.Sealing.Packs"],
        // States expectations, and prints results of every stage.
        ["Verify"] =
        [
            "Assay.Appraisal.Boot", "Assay.Appraisal.Devices", "Assay.Appraisal.Machine", "Assay.Appraisal.Processors", "Assay.Authentication", "Assay.Binding", "Assay.Collateral.Bundles", "Assay.Collateral.Files",
            "Assay.Collateral.Http", "Assay.Collateral.Upstreams",
            "Assay.Evidence.Devices", "Assay.Evidence.EventLogs", "Assay.Policies", "Assay.Policy", "Assay.Reference", "Assay.Reference.Intel", "Assay.Reference.Manifest",
        ],
    };

    /// <summary>
    /// All that is made or called of the rooms that authenticate, match, judge, decide and sign: readers of bytes, expectations, words, and the
    /// library's own entrances for tokens. The one entrance for evidence is <see cref="Assay.Collateral.MachineAppraiser"/>; results are only read.
    /// </summary>
    private static readonly string[] s_statements =
    [
        // Bytes to records.
        "BootEventPayload.Read", "ChannelBinding.IsPurpose", "ChannelBinding.LevelOf", "ChannelBinding.WordOf", "EatBundle.TryParse", "IntelStatement.TryParseBody", "JsonPolicy.TryParse", "KeyBinding.TryCreate", "QeIdentity.TryParse", "RimDocument.TryParse", "RimIds.IsSafe", "TcbInfo.TryParse", "TokenIssuer.TryParse",
        // Expectations.
        "EatExpectations..ctor", "GateRequirement.Of", "MachineExpectations..ctor", "PolicySourceFile..ctor", "RelyingPartyPolicy.get_Default", "TokenTerms..ctor", "VerdictConfiguration..ctor", "VerdictTerms..ctor",
        // Verdicts and tokens as bytes.
        "EatBundleWriter.TryWrite", "EatWriter.TryWrite", "NvidiaEar.TryWrite", "RandomSource..ctor", "TrusteeEar.TryWrite", "VerdictJson.StateWord", "VerdictJson.Write",
        // What is set up in clouds.
        "AwsTarget..ctor", "CloudClaim.get_All", "CloudCondition..ctor", "CloudSetup.TryCreate", "CloudSetupTerms..ctor", "EntraTarget..ctor", "GcpTarget..ctor", "VaultTarget..ctor",
        // Tokens of others.
        "EarReader.TryVerify", "EatBundleReader.TryVerify", "EatReader.IsFor", "EatReader.TryVerify",
    ];

    /// <summary>What the demonstration makes beside them, as the guest that it plays.</summary>
    private static readonly string[] s_guest = ["AdditionalEvidence.Of", "GateExpectation..ctor", "GateRequirement..ctor"];

    private static Assembly Cli => typeof(CommandLine).Assembly;

    [Fact]
    public void A_room_of_the_command_line_uses_only_the_namespaces_that_it_may()
    {
        var (wrong, needed) = (new SortedSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var (user, used) in CompiledCode.UsesOf(Cli))
        {
            var room = Room(user);
            var outside = CompiledCode.TypesIn(used).Select(CompiledCode.Outermost).Select(type => type.Namespace ?? "").Where(IsOfLibraries);
            needed.UnionWith(outside.Select(name => $"{room}: {name}"));
            wrong.UnionWith(outside.Except(s_everywhere).Except(s_rooms.GetValueOrDefault(room, [])).Select(name => $"{room}: {name}"));
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        // A permission that nothing needs any more is none.
        Assert.Empty(s_rooms.SelectMany(room => room.Value.Select(name => $"{room.Key}: {name}")).Except(needed));
        Assert.Empty(CompiledCode.UsesOf(Cli).Select(use => Room(use.User)).Distinct().Except(s_rooms.Keys));
    }

    [Fact]
    public void The_command_line_authenticates_and_judges_nothing_itself()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (user, used) in CompiledCode.UsesOf(Cli))
        {
            if (used is MethodBase method && (method.IsStatic || method.IsConstructor) && method.DeclaringType?.Namespace is { } home
                && (home.StartsWith("Assay.Appraisal", StringComparison.Ordinal) || home is "Assay.Authentication" or "Assay.Binding" or "Assay.Reference" or "Assay.Reference.Intel" or "Assay.Policy" or "Assay.Tokens" or "Assay.Tokens.Clouds")
                && $"{method.DeclaringType.Name}.{method.Name}" is var name && !s_statements.Contains(name) && !(Room(user) is "Demo" && s_guest.Contains(name)))
            {
                wrong.Add($"{Room(user)}: {name}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static string Room(Type type) => (type.Namespace ?? "").Split('.') is ["Assay", "Cli", var room, ..] ? room : "";

    private static bool IsOfLibraries(string name) => name.StartsWith("Assay.", StringComparison.Ordinal) && !name.StartsWith("Assay.Cli", StringComparison.Ordinal) && !name.StartsWith("Assay.Simulator", StringComparison.Ordinal);
}
