using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Appraisal;

/// <summary>Recorded evidence taken through the whole verifier, with the RIMs of folders and files and nothing fetched.</summary>
internal sealed record Judged
{
    /// <summary>RIM files by id.</summary>
    public ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims { get; init; } = ImmutableDictionary<string, ReadOnlyMemory<byte>>.Empty;

    public string? Nonce { get; init; }

    public string At { get; init; } = "2026-11-01T00:00:00Z";

    public TrustSet Trust { get; init; } = TrustSet.Nvidia;

    /// <summary>Adds every RIM of a recorded folder, each named by its id.</summary>
    public Judged WithRimsOf(string folder) => this with
    {
        Rims = Rims.AddRange(Directory.EnumerateFiles(Recorded.PathOf("nvidia/" + folder), "*.xml")
            .Select(file => KeyValuePair.Create(Path.GetFileNameWithoutExtension(file), new ReadOnlyMemory<byte>(File.ReadAllBytes(file))))),
    };

    /// <summary>Offers a recorded file under an id of our choice, as a hostile RIM service would.</summary>
    public Judged WithRim(string id, string file) => this with { Rims = Rims.SetItem(id, Recorded.Bytes("nvidia/" + file)) };

    public Verdict Verdict(string evidence, string? chain = null) => Verdict(Load(evidence, chain));

    public Verdict Verdict(IReadOnlyList<DeviceEvidence> evidence)
    {
        var cache = new VerifierCache();
        var expected = Expectations();
        var authenticated = DevicesAppraisal.Authenticate(evidence, expected, cache);
        return DefaultPolicy.Decide(DevicesAppraisal.Appraise(authenticated, new MachineCollateral { Rims = Rims }, expected, cache));
    }

    public DeviceExpectations Expectations() => new()
    {
        Nonce = Nonce is not null && Assay.Wire.Nonce.TryParse(Nonce, out var parsed, out _) ? parsed : null,
        Basis = new TrustBasis(new EvaluationTime(DateTimeOffset.ParseExact(At, "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal), TimeSource.Stated), Trust, RevocationChecking.DangerouslySkipped),
    };

    /// <summary>A container of devices, or a report with its chain.</summary>
    public static ImmutableArray<DeviceEvidence> Load(string evidence, string? chain = null)
    {
        var bytes = Recorded.Bytes("nvidia/" + evidence);
        if (chain is null)
        {
            Assert.True(EvidenceFile.TryParse(bytes, evidence, out var devices, out var fault), fault?.ToString());
            return devices;
        }

        Assert.True(EvidenceText.TryReadReport(bytes, out var report, out var why), why?.ToString());
        return [new DeviceEvidence { Source = evidence, Report = report, Chain = Recorded.Bytes("nvidia/" + chain) }];
    }

    public static JsonElement Claims(DeviceResult device, ClaimsVersion version)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            NvidiaClaims.Write(writer, device, version);
        }

        return JsonDocument.Parse(stream.ToArray()).RootElement;
    }

    public static string[] Failed(Verdict verdict) => Ids(verdict, finding => finding.State is CheckState.Failed);

    public static string[] Missing(Verdict verdict) => Ids(verdict, finding => finding.Cause is NotCheckedCause.Missing);

    public static Finding Finding(Verdict verdict, string id) => verdict.Appraisal.AllFindings.Single(finding => finding.Id == id);

    private static string[] Ids(Verdict verdict, Func<Finding, bool> which) => [.. verdict.Appraisal.AllFindings.Where(which).Select(finding => finding.Id)];
}
