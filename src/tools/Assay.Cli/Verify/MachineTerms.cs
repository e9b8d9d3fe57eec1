using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>How many devices, which binding, and which TCB are accepted.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="faults">Takes every fault.</param>
internal sealed class MachineTerms(MachineOptions options, ParseResult parsed, VerifyFaults faults)
{
    private const string AdvisoryPrefix = "INTEL-SA-";
    private const int AdvisoryDigits = 5;

    public (int? Gpus, int? Switches) Counts()
    {
        var text = parsed.GetValue(options.Expect);
        if (text is null)
        {
            return (null, null);
        }

        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var part in text.Split(','))
        {
            var sides = part.Split('=');
            if (sides is not [("gpus" or "switches"), _] || !int.TryParse(sides[1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > Limits.Devices || !counts.TryAdd(sides[0], count))
            {
                faults.Add("cli.expect", $"--expect: gpus=N,switches=N is expected, each at most {Limits.Devices} and once, found {text}");
                break;
            }
        }

        return (counts.TryGetValue("gpus", out var gpus) ? gpus : null, counts.TryGetValue("switches", out var switches) ? switches : null);
    }

    // Nothing of it follows from what is shown: the evidence chooses nothing by leaving something out (S-10a).
    public (GpuBinding? Required, GpuBinding? Accepted) Bindings()
    {
        var required = WeakeningOptions.Binding(parsed.GetValue(options.RequireBinding));
        var accepted = parsed.GetValue(options.AcceptBinding);
        if (required is not null && accepted is not null)
        {
            faults.Add("cli.binding", "--require-binding and --dangerously-accept-binding both say which binding is enough: give one of them");
        }

        return (required, accepted switch { "evidence-hash" => GpuBinding.EvidenceHash, "none" => GpuBinding.None, _ => null });
    }

    /// <summary>The lowest tcbDate; null where none is given.</summary>
    public DateTimeOffset? TcbFrom(ImmutableArray<TcbStatus> statuses)
    {
        if (parsed.GetValue(options.AcceptTcbFrom) is not { } text)
        {
            return null;
        }

        RequireOutOfDate(options.AcceptTcbFrom, statuses);
        if (Instant.TryReadDay(text, out var instant))
        {
            return instant;
        }

        faults.Add("cli.tcb", $"{options.AcceptTcbFrom.Name}: a date is expected, for instance 2025-05-14 or 2025-05-14T00:00:00Z, found \"{text}\"");
        return null;
    }

    /// <summary>How long after the tcbDate; null for ever.</summary>
    public TimeSpan? TcbGrace(ImmutableArray<TcbStatus> statuses)
    {
        if (parsed.GetValue(options.AcceptTcbGrace) is not { } days)
        {
            return null;
        }

        RequireOutOfDate(options.AcceptTcbGrace, statuses);
        return TimeSpan.FromDays(days);
    }

    /// <summary>Whether text after a quote is accepted: of recordings, for a machine that answers now has no need of it.</summary>
    public bool TextAfter(EvaluationTime time)
    {
        var accepted = parsed.GetValue(options.AcceptTextAfter);
        if (accepted && time.Source is TimeSource.System)
        {
            faults.AddAlone("cli.at", $"{options.AcceptTextAfter.Name} is only for recorded quotes: give --at RFC3339 too");
        }

        return accepted;
    }

    /// <summary>A name that no statement of Intel's can have would refuse nothing.</summary>
    public ImmutableArray<string> Advisories()
    {
        string[] ids = [.. parsed.GetValue(options.RefuseAdvisory) ?? []];
        foreach (var id in ids.Where(id => !(id.StartsWith(AdvisoryPrefix, StringComparison.OrdinalIgnoreCase) && id.Length == AdvisoryPrefix.Length + AdvisoryDigits && !id.AsSpan(AdvisoryPrefix.Length).ContainsAnyExceptInRange('0', '9'))))
        {
            faults.Add("cli.advisory", $"{options.RefuseAdvisory.Name}: an advisory of Intel's is expected, for instance INTEL-SA-00837, found \"{id}\"");
        }

        return [.. ids];
    }

    // It narrows what is accepted; without that it would read as if it accepted something.
    private void RequireOutOfDate(Option option, ImmutableArray<TcbStatus> statuses)
    {
        if (!statuses.Contains(TcbStatus.OutOfDate))
        {
            faults.AddAlone("cli.tcb", $"{option.Name} limits --dangerously-accept-tcb OutOfDate, which is not given: give both, or neither");
        }
    }
}
