using System.Collections.Immutable;
using System.Globalization;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>Reference values as they are gathered, file by file, and what is to be said of each.</summary>
public sealed partial class Measured
{
    private readonly MeasureChoices _choices;
    private readonly Action<string> _refuse;
    private readonly List<string> _notes = [];
    private readonly List<(string Name, TdReportBody Body)> _domains = [];
    private readonly List<(string Name, EventLog Log)> _logs = [];
    private readonly List<TdxReference> _tdx = [];
    private readonly List<SnpReference> _snp = [];
    private readonly List<TpmReference> _pcrs = [];
    private readonly List<string> _marked = [];
    private readonly Dictionary<string, Digest> _stated = new(StringComparer.Ordinal);
    private readonly List<TdxPlatform> _tdxPlatforms = [];
    private readonly List<ChipId> _chips = [];
    private readonly List<Digest> _devices = [];
    private readonly Dictionary<SnpProduct, SnpTcbParts> _minimums = [];

    private Measured(MeasureChoices choices, Action<string> refuse) => (_choices, _refuse) = (choices, refuse);

    /// <summary>What was taken from which file, and what was not.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Whether a log needed the MRTD that was given.</summary>
    public bool MrTdIsUsed { get; private set; }

    /// <summary>Takes what a known-good machine shows. Verifies nothing.</summary>
    /// <param name="files">Quotes, reports, logs and Azure's evidence, each with the name that it has in messages and entries.</param>
    /// <param name="choices">What of it becomes a reference value.</param>
    /// <param name="refuse">Told what cannot be taken; then the values are of no use.</param>
    public static Measured Read(IEnumerable<(string Name, byte[] Content)> files, MeasureChoices choices, Action<string> refuse)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(choices);
        ArgumentNullException.ThrowIfNull(refuse);
        var measured = new Measured(choices, refuse);
        foreach (var (name, content) in files)
        {
            measured.ReadFile(name, content);
        }

        foreach (var (name, log) in measured._logs)
        {
            measured.TakeLog(name, log);
        }

        if (choices.Platform && measured.Platforms is null)
        {
            refuse("--platform: no machine is named: a TDX quote, an SNP report or the evidence of devices is expected");
        }

        return measured;
    }

    /// <summary>The manifest that they make.</summary>
    public ReferenceManifest ToManifest(string name, string version, long sequence, DateTimeOffset notBefore, DateTimeOffset notAfter) => new()
    {
        Version = VersionNeeded,
        ImageName = name,
        ImageVersion = version,
        Sequence = sequence,
        NotBefore = notBefore,
        NotAfter = notAfter,
        Tdx = [.. _tdx],
        Snp = [.. _snp],
        SnpMinimumTcb = _minimums.Count > 0 ? _minimums.ToImmutableDictionary() : null,
        Pcrs = [.. _pcrs],
        GpuPolicies = _choices.GpuPolicies,
        TdxMinimumEvaluationDataNumber = _choices.MinimumEvaluationDataNumber,
        Platforms = Platforms,
    };

    // The lowest that can say it: older programs go on reading what they understand.
    private int VersionNeeded =>
        Platforms is not null || _choices.MinimumEvaluationDataNumber > 0 || _tdx.Any(entry => entry.HasPins) || _snp.Any(entry => entry.HasPins) ? ReferenceManifest.PinnedVersion
        : _marked.Count > 0 || _snp.Any(entry => entry.AuthorKeyDigest is not null) ? ReferenceManifest.MarkedVersion
        : ReferenceManifest.FirstVersion;

    private KnownPlatforms? Platforms => _tdxPlatforms.Count + _chips.Count + _devices.Count == 0 ? null
        : new KnownPlatforms { Tdx = [.. _tdxPlatforms.Distinct()], Snp = [.. _chips.Distinct()], Devices = [.. _devices.Distinct()] };

    private void ReadFile(string name, byte[] file)
    {
        var (kind, content, own, _) = ShownFile.Of(file);
        ParseFault? fault = null;
        if (own is not null && EventLog.TryParse(own, out var inside, out fault))
        {
            _logs.Add(($"{name}, its log", inside));
        }
        else if (own is not null)
        {
            _refuse($"{name}, its log: {fault}");
        }

        var hasDevices = _choices.Platform && TakeDevices(name, file);
        switch (kind)
        {
            case ContentKind.TdxQuote when TdxQuote.TryParse(content, out var quote, out fault):
                TakeDomain(name, quote, isParavisor: false);
                break;
            case ContentKind.SnpReport when SnpReport.TryParse(content, out var report, out fault):
                TakeGuest(name, report, isParavisor: false);
                break;
            case ContentKind.EventLog when EventLog.TryParse(content, out var log, out fault):
                _logs.Add((name, log));
                break;
            case ContentKind.DstackTcbInfo when DstackTcbInfo.TryParse(content, out var info, out fault):
                TakeTcbInfo(name, info);
                break;
            case ContentKind.AzureVtpm when AzureVtpmEvidence.TryParse(content, out var evidence, out fault):
                TakeAzure(name, evidence);
                break;
            case not (ContentKind.TdxQuote or ContentKind.SnpReport or ContentKind.EventLog or ContentKind.DstackTcbInfo or ContentKind.AzureVtpm) when hasDevices:
                break;
            default:
                _refuse(fault is not null ? $"{name}: {fault}" : $"{name}: this is {FileContent.Of(file).Phrase}; a TDX quote, an SNP report, an event log, dstack's TCB information or Azure vTPM evidence is expected");
                break;
        }
    }

    // Its MRTD is in no log: what a quote, or the option, says goes before it.
    private void TakeTcbInfo(string name, DstackTcbInfo info)
    {
        if (!info.LogGivesRegisters)
        {
            _refuse($"{name}: replaying its event log does not give the registers that it names: it is incomplete, or of another boot");
            return;
        }

        _logs.Add((name, info.Log));
        _stated[name] = info.MrTd;
    }

    private void TakeAzure(string name, AzureVtpmEvidence evidence)
    {
        if (!HclReport.TryParse(evidence.HclReport.Span, out var hcl, out var fault))
        {
            _refuse($"{name}: {fault}");
            return;
        }

        // MEASUREMENT and MRTD are the paravisor's; the guest stands in the vTPM's registers.
        if (evidence.TdQuote is { } quote && TdxQuote.TryParse(quote.Span, out var parsed, out fault))
        {
            TakeDomain(name, parsed, isParavisor: true);
        }
        else if (evidence.TdQuote is null && SnpReport.TryParse(hcl.HardwareReport.Span, out var report, out fault))
        {
            TakeGuest(name, report, isParavisor: true);
        }
        else
        {
            _refuse($"{name}: {fault}");
        }

        _marked.Add(name);
        _notes.Add($"{name}: marked as a paravisor: it controls the vTPM and all its PCRs. Its value is not published, so this trusts a first reading");
        TakePcrs(name, evidence.Quote.Bank, evidence.Quote.Values, "of an Azure vTPM; its quote was not verified", name);
    }

    private void TakeLog(string name, EventLog log)
    {
        if (log.Registers is RegisterKind.Pcr)
        {
            var bank = log.Banks.Contains(TcgHash.Sha256) ? TcgHash.Sha256 : TcgHash.Sha384;
            if (log.Banks.Contains(bank))
            {
                TakePcrs(name, bank, log.Replay(bank), "by replay of an unsigned event log", PlainKeeper(name));
            }
            else
            {
                _refuse($"{name}: the log has neither a SHA-256 nor a SHA-384 bank");
            }

            return;
        }

        // A log proves nothing about itself; beside its quote it must give the registers that stand in it.
        var replayed = log.Replay(TcgHash.Sha384);
        if (_domains.FirstOrDefault(domain => replayed.All(item => domain.Body.Rtmr[item.Key] == item.Value)) is { Body: not null } matching)
        {
            _notes.Add($"{name}: {log.Events.Length} events, which give RTMR {List(replayed.Keys)} of {matching.Name} by replay");
        }
        else if (_choices.MrTd is { } mrTd)
        {
            TakeReplay(name, mrTd, replayed);
        }
        else if (_domains.Count == 0 && _stated.TryGetValue(name, out var stated))
        {
            TakeReplay(name, stated, replayed);
        }
        else if (_domains.Count > 0)
        {
            _refuse($"{name}: replaying it does not give the registers of {string.Join(" or ", _domains.Select(domain => domain.Name))}: it is of another machine or boot, or incomplete");
        }
        else
        {
            _refuse($"{name}: no log contains MRTD: give the machine's quote too, or its MRTD");
        }
    }

    private void TakeReplay(string name, Digest mrTd, ImmutableSortedDictionary<int, Digest> replayed)
    {
        MrTdIsUsed |= _choices.MrTd is not null;
        var registers = Enumerable.Range(0, TdReportBody.RuntimeRegisters)
            .Select(register => register < 3 || _choices.Also.Contains("rtmr3") ? replayed.TryGetValue(register, out var value) ? value : (Digest?)null : null).ToImmutableArray();
        _tdx.Add(new TdxReference { Name = name, MrTd = mrTd, Rtmr = registers });
        _notes.Add($"{name}: RTMR {List(Enumerable.Range(0, registers.Length).Where(register => registers[register] is not null))} by replay of an unsigned event log; MRTD as {(_stated.ContainsKey(name) && _choices.MrTd is null ? "the file says" : "you gave it")}");
        if (registers.Take(3).Any(value => value is null))
        {
            _notes.Add($"{name}: RTMR {List(Enumerable.Range(0, 3).Where(register => registers[register] is null))} is in no event of the log, and will not be compared");
        }
    }

    // In a manifest that marks a paravisor, registers are some paravisor's: of which one, a log does not tell.
    private string? PlainKeeper(string name)
    {
        if (_marked.Count > 1)
        {
            _refuse($"{name}: the log does not say whose vTPM it is of, and {string.Join(", ", _marked)} are marked as paravisors: make one manifest for each");
        }

        return _marked.FirstOrDefault();
    }

    private void TakePcrs(string name, TcgHash bank, ImmutableSortedDictionary<int, Digest> values, string whence, string? paravisor)
    {
        var taken = values.Where(item => _choices.Pcrs.Contains(item.Key)).ToImmutableSortedDictionary();
        var absent = _choices.Pcrs.Where(register => !taken.ContainsKey(register)).ToArray();
        if (taken.IsEmpty)
        {
            _refuse($"{name}: none of PCR {List(_choices.Pcrs)} is in it");
            return;
        }

        _pcrs.Add(new TpmReference { Name = name, Bank = bank, Values = taken, Paravisor = paravisor });
        _notes.Add($"{name}: PCR {List(taken.Keys)} {whence}");
        if (absent.Length > 0)
        {
            _notes.Add($"{name}: PCR {List(absent)} {(absent.Length == 1 ? "is" : "are")} not in it, and will not be compared");
        }
    }

    private static string List(IEnumerable<int> registers) => string.Join(", ", registers.Select(register => register.ToString(CultureInfo.InvariantCulture)));
}
