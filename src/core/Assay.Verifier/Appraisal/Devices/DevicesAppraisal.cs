using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Reference;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Devices;

/// <summary>
/// The verifier: evidence, collateral, expectations and time in, findings out. No network, disk, clock or log. Every program calls the
/// three methods in this order; what lies between them is fetching.
/// </summary>
public static class DevicesAppraisal
{
    private static readonly ImmutableArray<Check<Candidate>> s_checks =
    [
        new(Checks.CheckIds.SetDevicesPresent, candidate => candidate.Devices.IsEmpty ? Outcome.Failed("there is no evidence") : Outcome.Held($"{candidate.Devices.Length}")),
        new(Checks.CheckIds.SetDevicesDistinct, candidate => candidate.OfAll(DevicesAreDistinct(candidate))),
        new(Checks.CheckIds.SetNonceSame, candidate => candidate.OfAll(NonceIsOne(candidate))),
        new(Checks.CheckIds.SetModeSame, candidate => candidate.OfAll(ModeIsOne(candidate))),
        new(Checks.CheckIds.TopologyGpusMatch, candidate => Topology.SwitchesNameTheGpus(candidate.Devices)),
        new(Checks.CheckIds.TopologySwitchesMatch, candidate => Topology.GpusNameTheSwitches(candidate.Devices)),
        new(Checks.CheckIds.TimeSourceChosen, TimeIsChosen),
        new(Checks.CheckIds.TimeFloorRespected, TimeIsPlausible),
        new(Checks.CheckIds.RevocationChosen, candidate => candidate.Expected.Basis.Revocation is RevocationChecking.None ? Outcome.Failed("no choice about revocation was made: require revocation checking, or skip it by name")
            : candidate.Expected.Basis.Revocation is RevocationChecking.Required ? Outcome.Held()
            : Outcome.Waived("revocation was skipped; you accept that")),
    ];

    /// <summary>Every check id there is, in the order in which checks run.</summary>
    public static ImmutableArray<string> CheckIds { get; } =
    [
        .. s_checks.Select(check => check.Id),
        .. AuthenticDevice.CheckIds,
        .. DeviceAppraisal.StateCheckIds,
        .. RimAppraisal.CheckIds,
        .. DeviceAppraisal.MeasurementCheckIds,
    ];

    /// <summary>First: who speaks. Needs no collateral.</summary>
    public static ImmutableArray<DeviceResult> Authenticate(IReadOnlyList<DeviceEvidence> evidence, DeviceExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(evidence.Count, Wire.Limits.Devices);
        return ForEach(evidence.Count, index =>
        {
            var (device, findings, unparsable) = AuthenticDevice.Authenticate(evidence[index], expected.Question, cache);
            return new DeviceResult { Index = index, Source = evidence[index].Source, Findings = findings, Unparsable = unparsable, Device = device, Asked = expected };
        });
    }

    /// <summary>
    /// Second: what is needed, given what is at hand. Ask again after fetching: a RIM brings signers whose revocation is a question too.
    /// Only authentic devices and authentic RIMs need anything.
    /// </summary>
    public static RequiredCollateral RequiredCollateral(
        ImmutableArray<DeviceResult> authenticated, MachineCollateral collateral, DeviceExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        var devices = authenticated.Select(result => result.Device).OfType<AuthenticDevice>().ToArray();
        ImmutableArray<string> ids = [.. devices.SelectMany(device => ReferencePlan.For(device)).Select(need => need.Id).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        if (expected.Basis.Revocation is not RevocationChecking.Required)
        {
            return new RequiredCollateral(ids, []);
        }

        var rims = ids.Where(collateral.Rims.ContainsKey)
            .Select(id => RimAppraisal.TryAuthenticate(collateral.Rims[id].Span, expected.Basis.Trust, cache)).OfType<Reference.AuthenticRim>();
        var queries = devices.SelectMany(device => ChainJudge.Queries(device.Path, device.Identity.Model))
            .Concat(rims.SelectMany(rim => ChainJudge.Queries(rim.Path, device: null)));
        return new RequiredCollateral(ids, [.. queries.DistinctBy(query => query.Subject)]);
    }

    /// <summary>Third: all questions that remain.</summary>
    /// <exception cref="ArgumentException">
    /// The devices were authenticated with another nonce, trust set or FWID rule: the verdict would state what nobody asked. A mistake of the caller.
    /// </exception>
    public static DevicesResult Appraise(
        ImmutableArray<DeviceResult> authenticated, MachineCollateral collateral, DeviceExpectations expected, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        if (!authenticated.All(device => device.Asked is { } asked && WereAskedAlike(asked, expected)))
        {
            throw new ArgumentException("the devices were authenticated under other expectations", nameof(expected));
        }

        var devices = ForEach(authenticated.Length, index => DeviceAppraisal.Appraise(authenticated[index], collateral, expected, cache));
        var candidate = new Candidate(devices, expected);
        ImmutableArray<Finding> findings = [.. s_checks.Select(check => check.Ask(candidate))];
        var fresh = expected.Nonce is not null && !devices.IsEmpty
            && devices.All(device => device.Device is not null && device.Findings.Any(finding => finding is { Id: Checks.CheckIds.ReportNonceMatch, State: CheckState.Held }));
        return new DevicesResult
        {
            Devices = devices,
            Findings = findings,
            Missing = MissingItems(devices, collateral, expected.Basis.Trust.Kind is TrustSetKind.Simulated),
            Basis = expected.Basis,
            FreshnessProven = fresh,
            Weakened = Weakenings(devices, expected),
        };
    }

    // What authentication uses. Time and revocation are asked about only here.
    private static bool WereAskedAlike(DeviceExpectations asked, DeviceExpectations expected) =>
        Equals(asked.Nonce, expected.Nonce) && asked.Basis.Trust.Identity == expected.Basis.Trust.Identity && asked.RequireFwid == expected.RequireFwid;

    private static Outcome DevicesAreDistinct(Candidate candidate)
    {
        var repeated = candidate.Authentic.GroupBy(device => device.Device!.Identity.Id).FirstOrDefault(group => group.Count() > 1);
        return repeated is null
            ? Outcome.Held($"{candidate.Authentic.Count()}")
            : Outcome.Failed($"devices {string.Join(", ", repeated.Select(device => device.Index))} are the same device ({repeated.First().Device!.Identity.HardwareModel}, identity {repeated.Key.ToString()[..16]}…): a report was repeated");
    }

    private static Outcome NonceIsOne(Candidate candidate)
    {
        var nonces = candidate.Authentic.Select(device => device.Device!.Report.Nonce).Distinct().ToArray();
        return nonces.Length < 2
            ? Outcome.Held()
            : Outcome.Failed("the reports answer different challenges: they were not made together", string.Join(", ", nonces.Take(3).Select(nonce => nonce.ToString())), "one nonce for all");
    }

    // FEATURE_FLAG tells the mode from driver 580 on, and one driver serves all GPUs of a VM: some telling and others not are of
    // different machines. Older reports tell protected PCIe alone.
    private static Outcome ModeIsOne(Candidate candidate)
    {
        var modes = candidate.Authentic.Where(device => device.Kind is DeviceKind.Gpu)
            .Select(device => device.Device!.Fields)
            .Select(fields => fields is { Mode: GpuMode.NotReported, ProtectedPcie: true } ? GpuMode.Ppcie : fields.Mode)
            .Distinct().Order().ToArray();
        return modes switch
        {
            [] => Outcome.NotApplicable("no GPU is authentic"),
            [GpuMode.NotReported] => Outcome.NotApplicable("the reports do not state the mode"),
            [var mode] => Outcome.Held(mode.ToString().ToUpperInvariant()),
            _ => Outcome.Failed("GPUs of one machine are in different modes", string.Join(", ", modes).ToUpperInvariant(), "one mode for all"),
        };
    }

    private static Outcome TimeIsChosen(Candidate candidate) => candidate.Expected.Basis.Time.Source switch
    {
        TimeSource.System => Outcome.Held("the system clock"),
        TimeSource.Stated => Outcome.Held("stated by the relying party"),
        _ => Outcome.Failed("no time was chosen: state by which clock to judge"),
    };

    private static Outcome TimeIsPlausible(Candidate candidate)
    {
        var time = candidate.Expected.Basis.Time;
        var floor = candidate.Devices.SelectMany(device => device.Rims.Select(rim => rim.Chain).Append(device.Chain)).OfType<ChainStatus>()
            .Select(chain => chain.LatestStatement).Append(time.InitialFloor).Max();
        return floor - time.Instant <= RevocationJudgement.ClockSkewTolerance
            ? Outcome.Held(Utc.Text(time.Instant))
            : Outcome.Failed("the clock is behind events that have already happened: set it", Utc.Text(time.Instant), $"at least {Utc.Text(floor)}");
    }

    private static ImmutableArray<string> Weakenings(ImmutableArray<DeviceResult> devices, DeviceExpectations expected)
    {
        var held = devices.SelectMany(device => device.Rims).Any(rim => rim.Findings.Any(finding => finding.Id == rim.Requirement.IdOf(RimRequirement.NotHeld) && finding.Cause is NotCheckedCause.Waived));
        return Weakening.NamesOf(
            (Weakening.HeldRimSignerAccepted, held && expected is { DangerouslyAcceptHeldRimSigner: true, Basis.Revocation: RevocationChecking.Required }),
            (Weakening.NonceNotGiven, expected.Nonce is null),
            (Weakening.RevocationSkipped, expected.Basis.Revocation is RevocationChecking.DangerouslySkipped),
            (Weakening.TimeStated, expected.Basis.Time.Source is TimeSource.Stated));
    }

    private static ImmutableArray<MissingItem> MissingItems(ImmutableArray<DeviceResult> devices, MachineCollateral collateral, bool simulated) =>
    [
        .. Needs(devices).Select(item => item with
        {
            Url = simulated ? null : item.Kind switch
            {
                "rim" => ManufacturerAddress.Of(new CollateralKey(CollateralKind.Rim, item.Id)),
                "ocsp" => ManufacturerAddress.NvidiaOcsp,
                _ => null,
            },
            Nearest = item.Kind is "rim" && RimIds.TryParse(item.Id, out var id) ? id.NearestOf(collateral.KnownRimIds) : [],
        }),
    ];

    private static IEnumerable<MissingItem> Needs(ImmutableArray<DeviceResult> devices) =>
        devices.SelectMany(device => device.Rims
                .SelectMany(rim => rim.Findings.Where(finding => finding.Cause is NotCheckedCause.Missing).Select(finding => Item(device, finding, rim.Requirement)))
            .Concat(device.Findings.Where(finding => finding is { Id: Checks.CheckIds.DeviceChainNotRevoked, Cause: NotCheckedCause.Missing })
                .Select(finding => new MissingItem("ocsp", $"{device.Device!.Identity.HardwareModel} {device.Device.Identity.Ueid}", finding.Reason!, device.Index))))
            .DistinctBy(item => (item.Kind, item.Id));

    private static MissingItem Item(DeviceResult device, Finding finding, RimRequirement need) =>
        finding.Id != need.IdOf(RimRequirement.Available) ? new MissingItem("ocsp", $"signers of {need.Id}", finding.Reason!, device.Index)
        : need.CorimOnly ? new MissingItem("corim", $"{device.Device!.Identity.Chip} {need.Role}", finding.Reason!, device.Index)
        : new MissingItem("rim", need.Id!, finding.Reason!, device.Index);

    // One device is not worth a thread; several use every core.
    private static ImmutableArray<DeviceResult> ForEach(int count, Func<int, DeviceResult> body)
    {
        var results = new DeviceResult[count];
        if (count == 1)
        {
            results[0] = body(0);
        }
        else
        {
            Parallel.For(0, count, index => results[index] = body(index));
        }

        return [.. results];
    }

    private sealed class Candidate(ImmutableArray<DeviceResult> devices, DeviceExpectations expected)
    {
        public ImmutableArray<DeviceResult> Devices => devices;
        public DeviceExpectations Expected => expected;

        /// <summary>What held among the authentic devices says nothing about the others.</summary>
        public Outcome OfAll(Outcome among) =>
            among.State is not CheckState.Failed && devices.Any(device => device.Device is null) ? Outcome.Stopped("not every device is authentic") : among;

        public IEnumerable<DeviceResult> Authentic => devices.Where(device => device.Device is not null);
    }
}
