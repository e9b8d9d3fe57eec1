using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal;
using Assay.Collateral;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>The attacks of the demonstration, and the check that must catch each.</summary>
internal static class DemoAttacks
{
    /// <param name="Title">What the attacker does.</param>
    /// <param name="Finding">The check that refuses it.</param>
    /// <param name="Stage">Changes the honest scene.</param>
    public sealed record Attack(string Title, string Finding, Func<DemoStage, DemoScene> Stage);

    public static ImmutableArray<Attack> All { get; } =
    [
        new("replay: an old report for a new challenge", "report.nonce.match", stage => stage.Honest with { Expected = stage.Honest.Expected with { Nonce = FreshNonce() } }),
        new("forgery: one measurement changed in the signed report", "report.signature.valid", ForgedMeasurement),
        new("repetition: one switch posing as two", "set.devices.distinct", stage => stage.Honest with { Evidence = Evidence(stage.Device.Evidence(stage.Nonce.Bytes), stage.Device.Evidence(stage.Nonce.Bytes)) }),
        new("modified firmware, honestly signed by the device", "measurements.switch.match", ModifiedFirmware),
        new("an altered manifest that allows the modified firmware", "rim.switch.signature.valid", AlteredManifest),
        new("a simulated device where real ones are expected", "device.chain.trusted", stage => stage.Honest with { Expected = stage.Honest.Expected with { Trust = TrustSet.Nvidia } }),
        new("the clock set back before this software existed", "time.floor.respected", stage => stage.Honest with { Expected = stage.Honest.Expected with { Time = new EvaluationTime(EvaluationTime.ReleaseDate.AddYears(-1), TimeSource.System) } }),
        new("revocation answers withheld", "device.chain.not-revoked", stage => stage.Honest with { Ocsp = null }),
    ];

    private static DemoScene ForgedMeasurement(DemoStage stage)
    {
        const int insideFirstMeasurement = 37 + 8 + 7;
        var evidence = stage.Device.Evidence(stage.Nonce.Bytes);
        var report = evidence.Report.ToArray();
        report[insideFirstMeasurement] ^= 0x01;
        return stage.Honest with { Evidence = Evidence(evidence with { Report = report }) };
    }

    private static DemoScene ModifiedFirmware(DemoStage stage)
    {
        var other = SHA384.HashData("firmware with a back door"u8);
        using var device = SimulatedDevice.Create(stage.Authority, DeviceProfile.Ls10 with { Deviations = ImmutableSortedDictionary<int, ReadOnlyMemory<byte>>.Empty.Add(3, other) });
        var scene = SimulatedSet.Of(stage.Authority, device, stage.Nonce.Bytes, stage.Now);
        var folder = Path.Combine(stage.Folder, "modified");
        scene.Write(folder);
        return stage.Honest with { Evidence = SimulatedEvidence.ToJson(scene.Evidence), Ocsp = new DirectoryOcspStore(Path.Combine(folder, "ocsp")), Rims = stage.Honest.Rims };
    }

    private static DemoScene AlteredManifest(DemoStage stage)
    {
        var folder = Directory.CreateDirectory(Path.Combine(stage.Folder, "altered")).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(stage.Folder, "rims")))
        {
            var text = File.ReadAllText(file);
            var value = text.IndexOf("Hash0=\"", StringComparison.Ordinal) + "Hash0=\"".Length;
            var altered = new StringBuilder(text) { [value] = text[value] == '0' ? '1' : '0' };
            File.WriteAllText(Path.Combine(folder, Path.GetFileName(file)), altered.ToString(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        }

        return stage.Honest with { Rims = new DirectoryRimStore(folder) };
    }

    private static byte[] Evidence(params SimulatedEvidence[] evidence) => SimulatedEvidence.ToJson(evidence);

    private static Nonce FreshNonce() =>
        Nonce.TryCreate(RandomNumberGenerator.GetBytes(Nonce.Size), out var nonce) ? nonce : throw new InvalidOperationException("32 bytes are a nonce");
}
