using System.Collections.Immutable;
using System.CommandLine;
using Assay.Appraisal.Machine;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>What a command line asks about a machine, with its files read.</summary>
/// <param name="Evidence">What is shown, with what options bring along.</param>
/// <param name="Expected">What is expected of it.</param>
/// <param name="Given">The processor's collateral that was given; null for none.</param>
internal sealed record MachineRequest(MachineEvidence Evidence, MachineExpectations Expected, ProcessorCollateral? Given)
{
    /// <summary>Reads it.</summary>
    /// <param name="options">Of the command.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="shown">What the evidence files hold.</param>
    /// <param name="isRead">Whether every one of these files could be read: what follows from an unread one is no second fault.</param>
    /// <param name="nonceText">The value of <c>--nonce</c>.</param>
    /// <param name="common">Time, anchors and revocation, and what is about devices alone.</param>
    /// <param name="faults">Takes every fault.</param>
    public static MachineRequest Read(MachineOptions options, ParseResult parsed, MachineEvidence shown, bool isRead, string? nonceText, MachineExpectations common, VerifyFaults faults)
    {
        bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };

        var processor = new ProcessorFiles(options, parsed, shown, faults.Add) { IsRead = isRead };
        var cpu = processor.Evidence();
        var logs = processor.Logs();
        var answer = MachineAnswer.Read(options, parsed, shown, processor.Nonce, nonceText, faults.Add);
        var references = new ReferenceRequest(options, parsed, faults);
        var values = references.Values(common.Basis.Time);
        var terms = new MachineTerms(options, parsed, faults);
        var (gpus, switches) = terms.Counts();
        var (required, accepted) = terms.Bindings();
        ImmutableArray<TcbStatus> statuses = [.. (parsed.GetValue(options.AcceptTcb) ?? []).Select(Enum.Parse<TcbStatus>)];
        var expected = common with
        {
            Challenge = answer.Challenge,
            Nonce = answer.Nonce,
            Key = answer.Key,
            ReportData = answer.ReportData,
            References = values,
            Gpus = gpus,
            Switches = switches,
            RequireProcessor = options.AboutProcessors.Any(IsGiven),
            RequiredBinding = required,
            DangerouslyAcceptedBinding = accepted,
            Gate = references.Gate(gpus, switches, values),
            RequireSecureBoot = parsed.GetValue(options.RequireSecureBoot),
            RequireLog = IsGiven(options.EventLog),
            AcceptVlek = parsed.GetValue(options.AcceptVlek),
            DangerouslyAcceptDebug = parsed.GetValue(options.AcceptDebug),
            DangerouslyAcceptSeptVe = parsed.GetValue(options.AcceptSeptVe),
            DangerouslyAcceptMaskedChipId = parsed.GetValue(options.AcceptMaskedChipId),
            DangerouslyAcceptTextAfterQuote = terms.TextAfter(common.Basis.Time),
            DangerouslyAcceptedTcbStatuses = statuses,
            DangerouslyAcceptedTcbFrom = terms.TcbFrom(statuses),
            DangerouslyAcceptedTcbGrace = terms.TcbGrace(statuses),
            RefusedAdvisories = terms.Advisories(),
        };
        return new MachineRequest(shown with { Cpu = cpu, EventLogs = logs }, expected, processor.Collateral(cpu));
    }
}
