using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// A verdict as an EAT Attestation Result in the form of Trustee 0.4 (draft-ietf-rats-ear, AR4SI vectors): dotted names, one submodule for
/// each device. Trustee's policies look at the submodules only, so none of them says more than the verdict does.
/// </summary>
public static class TrusteeEar
{
    internal const string Profile = "tag:github.com,2024:confidential-containers/Trustee";

    // AR4SI §2.3: 0 no claim, 2–31 affirming, 32–95 warning, 96–127 contraindicated.
    private const int NoClaim = 0;
    private const int GenuineHardware = 2;
    private const int ApprovedBoot = 3;
    private const int Contraindicated = 96;
    private const int UnrecognisedHardware = 97;

    /// <summary>From the best to the worst.</summary>
    // What is asked about a device is about its identity, or about its firmware.
    private static readonly FrozenSet<string> s_aboutFirmware = RimAppraisal.CheckIds.Concat(DeviceAppraisal.MeasurementCheckIds).Where(id => id != CheckIds.ReportNvdec0Reported).ToFrozenSet(StringComparer.Ordinal);

    private static readonly string[] s_statuses = ["affirming", "warning", "none", "contraindicated"];

    /// <summary>One compact JWS. Not written where <see cref="EatBundleWriter.TryWrite"/> would write nothing.</summary>
    public static bool TryWrite(
        Verdict verdict, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out string? token, [NotNullWhen(false)] out ParseFault? fault)
    {
        token = null;
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        if (!TokenSubjects.TryOf(verdict, terms, "gpu", "switch", out var subjects, out fault))
        {
            return false;
        }

        token = CompactJws.Write(key, AddClaims(new ClaimSet().AddTerms(terms, random).AddSubject(terms), verdict, terms.Attribution, terms.Claims)
            .Add("eat_nonce", subjects.Nonce.ToString())
            .ToJson());
        return true;
    }

    /// <summary>
    /// The same claims without what signing adds (iss, iat, nbf, exp, jti, aud, eat_nonce): what a policy for Trustee is asked about before
    /// there is a token. One JSON object.
    /// </summary>
    public static void WriteClaims(Utf8JsonWriter writer, Verdict verdict, ClaimsVersion claims)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(verdict);
        AddClaims(new ClaimSet(), verdict, Attribution.None, claims).Write(writer);
    }

    private static ClaimSet AddClaims(ClaimSet claims, Verdict verdict, Attribution attribution, ClaimsVersion version) => claims
        .AddVerdict(verdict, attribution)
        .AddFindings(verdict.SetFindings)
        .AddKey(verdict, attribution)
        .Add("eat_profile", Profile)
        .With("ear.verifier-id", EarParts.WriteVerifier)
        .With("submods", writer =>
        {
            writer.WriteStartObject();
            foreach (var (name, device) in TokenSubjects.Named(verdict, "gpu", "switch"))
            {
                writer.WritePropertyName(name);
                WriteDevice(writer, verdict, device, attribution, version);
            }

            if (verdict.Machine?.Parts.Cpu is { } cpu && MachineClaims.ReportData(cpu) is { } data)
            {
                writer.WritePropertyName("cpu0");
                WriteProcessor(writer, verdict, cpu, data, attribution);
            }

            writer.WriteEndObject();
        });

    private static void WriteDevice(Utf8JsonWriter writer, Verdict verdict, DeviceResult device, Attribution attribution, ClaimsVersion version)
    {
        var (hardware, executables) = (Hardware(device), Executables(device));
        new ClaimSet()
            .Add("ear.status", Worst(Ceiling(verdict, attribution), Tier(hardware), Tier(executables)))
            .Add("ear.appraisal-policy-id", attribution.PolicyId(verdict))
            .With("ear.trustworthiness-vector", writer => WriteVector(writer, executables, hardware))
            .With("ear.veraison.annotated-evidence", writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("report_data", device.Device!.Report.Nonce.ToString());
                writer.WritePropertyName("nvidia");
                new ClaimSet().AddMembers(ClaimSet.OfDevice(device, version)).AddFindings(device.Findings).Write(writer);
                writer.WriteEndObject();
            })
            .Write(writer);
    }

    // Where nothing names the image, AR4SI has no claim about executables; a policy that wants one then refuses.
    private static void WriteProcessor(Utf8JsonWriter writer, Verdict verdict, ProcessorResult cpu, ReportData data, Attribution attribution)
    {
        var passed = cpu.Tee!.Passed;
        var hardware = passed ? GenuineHardware : cpu.Findings.Any(finding => finding.State is CheckState.Failed) ? UnrecognisedHardware : NoClaim;
        var image = cpu.Findings.First(finding => finding.Id == cpu.Tee.Technology.MeasurementCheck);
        var executables = image.State switch { CheckState.Held => ApprovedBoot, CheckState.Failed => Contraindicated, _ => NoClaim };
        new ClaimSet()
            .Add("ear.status", Worst(Ceiling(verdict, attribution), Tier(hardware), image.State is CheckState.Failed ? Tier(executables) : "affirming"))
            .Add("ear.appraisal-policy-id", attribution.PolicyId(verdict))
            .With("ear.trustworthiness-vector", vector => WriteVector(vector, executables, hardware))
            .With("ear.veraison.annotated-evidence", evidence =>
            {
                evidence.WriteStartObject();
                evidence.WriteString("report_data", data.ToString());
                evidence.WritePropertyName(cpu.Tee.Word);
                MachineClaims.OfProcessor(cpu).Write(evidence);
                if (verdict.Machine!.Parts.Boot is { } boot)
                {
                    evidence.WritePropertyName("boot");
                    MachineClaims.OfBoot(boot).Write(evidence);
                }

                evidence.WriteEndObject();
            })
            .Write(writer);
    }

    private static void WriteVector(Utf8JsonWriter writer, int executables, int hardware)
    {
        writer.WriteStartObject();
        writer.WriteNumber("instance-identity", NoClaim);
        // Whether confidential computing is on stands in no report.
        writer.WriteNumber("configuration", NoClaim);
        writer.WriteNumber("executables", executables);
        writer.WriteNumber("file-system", NoClaim);
        writer.WriteNumber("hardware", hardware);
        writer.WriteNumber("runtime-opaque", NoClaim);
        writer.WriteNumber("storage-opaque", NoClaim);
        writer.WriteNumber("sourced-data", NoClaim);
        writer.WriteEndObject();
    }

    // The best that any submodule may say. What was waived is no full pass, and readers of this form do not know our list of weakenings.
    private static string Ceiling(Verdict verdict, Attribution attribution) => verdict switch
    {
        { Kind: VerdictKind.Pass } when attribution.IsWholePass(verdict) => "affirming",
        { Kind: VerdictKind.Pass } => "warning",
        { Kind: VerdictKind.Incomplete } => "none",
        _ => "contraindicated",
    };

    private static int Hardware(DeviceResult device) => Claim(device, GenuineHardware, UnrecognisedHardware, id => !s_aboutFirmware.Contains(id));

    private static int Executables(DeviceResult device) =>
        Claim(device, device.MeasurementsMatch ? ApprovedBoot : NoClaim, Contraindicated, s_aboutFirmware.Contains);

    private static int Claim(DeviceResult device, int good, int bad, Func<string, bool> concerns)
    {
        var about = device.Findings.Where(finding => concerns(finding.Id)).ToArray();
        return about.Any(finding => finding.State is CheckState.Failed) ? bad
            : about.Any(finding => finding.Cause is NotCheckedCause.Missing or NotCheckedCause.Stopped) ? NoClaim
            : good;
    }

    internal static string Tier(int claim) => claim switch
    {
        >= 96 => "contraindicated",
        >= 32 => "warning",
        >= 2 => "affirming",
        _ => "none",
    };

    internal static string Worst(params string[] statuses) => statuses.MaxBy(status => Array.IndexOf(s_statuses, status))!;
}
