using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Checks;
using Assay.Cli.Configuration;
using Assay.Cli.Verify;
using Assay.Client.Channels;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Cli.Channels;

/// <summary>
/// The file of <c>--policy</c> of <c>assay proxy</c> and <c>assay client check</c>: how closely, what for, whose, and by reference to a verify file what. All of its faults are found before one is
/// reported, each with its line. Files that it names are looked for beside it.
/// </summary>
internal sealed class ChannelPolicyFile
{
    private const string Example = "docs/reference/channels.md has an example";

    private static readonly string[] s_keys = ["version", "level", "purpose", "operator", "verify"];
    private static readonly string[] s_levels = ["exporter", "challenge", "certificate"];
    private static readonly TimeSpan s_handshake = TimeSpan.FromSeconds(30);

    private readonly List<(string Id, string Message)> _faults = [];
    private readonly string _path;
    private readonly string _file;
    private readonly string _folder;

    private ChannelPolicyFile(string path) => (_path, _file, _folder) = (path, InputFile.NameOf(path), Path.GetDirectoryName(path) ?? "");

    /// <summary>Reads it with everything that it refers to.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="clock">The system's.</param>
    /// <param name="policy">Null exactly where there are faults.</param>
    /// <param name="faults">All of them.</param>
    public static bool TryRead(string path, TimeProvider clock, [NotNullWhen(true)] out LoadedPolicy? policy, out ImmutableArray<(string Id, string Message)> faults)
    {
        var file = new ChannelPolicyFile(path);
        policy = file.Read(clock);
        faults = [.. file._faults];
        if (!faults.IsEmpty)
        {
            policy?.Dispose();
            policy = null;
        }

        return policy is not null;
    }

    private LoadedPolicy? Read(TimeProvider clock)
    {
        if (_path == "-")
        {
            _faults.Add(("cli.channel-policy", "--policy: a file is expected; what it names is looked for beside it"));
        }
        else if (!InputFile.TryReadEveryByte(_path, ConfigText.MostBytes, out var bytes, out var whyNot))
        {
            _faults.Add(("cli.file", $"--policy: {whyNot}"));
        }
        else if (WrongFile.KindElsewhere(bytes))
        {
            _faults.Add(("cli.channel-policy", WrongFile.Message(_file, "--policy", $"a channel policy in YAML or JSON ({Example})", bytes, "")));
        }
        else if (!ConfigText.TryParse(bytes, out var root, out var fault, Example))
        {
            Refuse(fault.Line, fault.Problem);
        }
        else
        {
            return Read(new ConfigReader(root, "", Refuse), new Digest(SHA384.HashData(bytes)), clock);
        }

        return null;
    }

    private LoadedPolicy? Read(ConfigReader root, Digest digest, TimeProvider clock)
    {
        root.RequireKnown(s_keys);
        root.RequireVersion();
        var level = ChannelBinding.LevelOf(root.Word("level", s_levels) ?? "exporter");
        var purpose = root.Text("purpose", isRequired: true);
        if (purpose is not null && !ChannelBinding.IsPurpose(purpose))
        {
            Refuse(root.LineOf("purpose"), "purpose: 1 to 64 small letters, digits, dots and hyphens are expected");
            purpose = null;
        }

        var whose = root.Map("operator", "operator: is missing: say whose the machines are, for evidence says what a machine is and not whose") is { } section ? new OperatorReader(section, _folder).Read() : null;
        var verify = root.Text("verify", isRequired: true);
        var (request, configuration) = verify is null ? default : Verify(Path.Combine(_folder, verify), clock);
        if (request is null || whose is not var (demanded, words) || purpose is null)
        {
            request?.Dispose();
            return null;
        }

        RequireAccepted(root, request, verify!, level, demanded);
        var policy = new ChannelPolicy
        {
            MinimumLevel = level,
            Purpose = purpose,
            Operator = demanded,
            Appraiser = new PolicyAppraiser(request, configuration, clock),
            // It refuses those that the verify file does not accept, and says so.
            DangerouslyAcceptedWeakenings = [.. Weakening.Names],
            // What services do not answer in time makes the verdict incomplete, which tells more than that the time is over.
            Timeout = request.Patience + s_handshake,
        };
        return new LoadedPolicy(_path, digest, policy, words, request);
    }

    private (VerifyRequest? Request, VerdictConfiguration? Configuration) Verify(string path, TimeProvider clock)
    {
        var options = new VerifyOptions();
        var command = new Command("verify");
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        var settings = VerifySettings.Read(options, command.Parse([options.Config.Name, path], new ParserConfiguration { ResponseFileTokenReplacer = null }), VerifyCommand.Variables());
        if (settings.Parsed.Errors.Count > 0)
        {
            // No value can be asked of it.
            _faults.AddRange(settings.Faults);
            return default;
        }

        var isRead = VerifyRequest.TryRead(options, settings.Parsed, clock, out var request, out var faults, isWhole: settings.Faults.Count == 0, hasEvidence: false);
        _faults.AddRange(settings.Faults);
        _faults.AddRange(faults.Select(fault => (fault.Id, settings.Located(fault.Message))));
        if (isRead && settings.Faults.Count == 0)
        {
            return (request, settings.Configuration);
        }

        request?.Dispose();
        return default;
    }

    // Every channel of this policy has them: told now, and not at the first connection.
    private void RequireAccepted(ConfigReader root, VerifyRequest request, string verify, ChannelLevel level, ChannelOperator demanded)
    {
        var ofLevel = level switch
        {
            ChannelLevel.Certificate => Weakening.ChannelLevelCertificate,
            ChannelLevel.Challenge => Weakening.ChannelLevelChallenge,
            _ => null,
        };
        if (ofLevel is not null && !LoadedPolicy.Unaccepted(request, [ofLevel.Name]).IsEmpty)
        {
            Refuse(root.LineOf("level"), $"level: {ChannelBinding.WordOf(level)} weakens every channel: name {ofLevel} under accept.weakened of {verify} too, or take exporter");
        }

        if (demanded.IsAny && !LoadedPolicy.Unaccepted(request, [Weakening.ChannelAnyOperator.Name]).IsEmpty)
        {
            Refuse(root.LineOf("operator"), $"operator: any operator weakens every channel: name {Weakening.ChannelAnyOperator} under accept.weakened of {verify} too, or say whose the machines are");
        }
    }

    private void Refuse(int line, string problem) => _faults.Add(("cli.channel-policy", $"{_file}:{line}: {problem}"));
}
