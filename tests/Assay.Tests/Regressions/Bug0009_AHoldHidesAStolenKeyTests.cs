using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>
/// Claims have one status and one reason for a chain, the first bad one from the root down. A policy that tolerates certificateHold
/// accepted a RIM whose signer's key was stolen, when the authority above it was on hold.
/// </summary>
public class Bug0009_AHoldHidesAStolenKeyTests
{
    [Theory]
    [InlineData(false, VerdictKind.Pass)]
    [InlineData(true, VerdictKind.Fail)]
    public async Task A_policy_that_tolerates_a_hold_is_not_asked_about_a_hold_above_a_stolen_key(bool stolen, VerdictKind expected)
    {
        var now = EvaluationTime.ReleaseDate.AddDays(1);
        using var authority = SimulatedAuthority.Create(now);
        using var device = SimulatedDevice.Create(authority, DeviceProfile.Hopper580);
        var bytes = RandomNumberGenerator.GetBytes(Nonce.Size);
        var folder = Directory.CreateTempSubdirectory("assay-hold-").FullName;
        try
        {
            var set = SimulatedSet.Of(authority, device, bytes, now);
            set.Write(folder);
            var signer = set.Rims[0].Signer;
            // Held: the signer itself where nothing is stolen, the authority above it where its key is.
            Say(folder, stolen ? signer.Issuer! : signer, Assay.Simulator.RevocationReason.CertificateHold, now);
            if (stolen)
            {
                Say(folder, signer, Assay.Simulator.RevocationReason.KeyCompromise, now);
            }

            Assert.True(Nonce.TryCreate(bytes, out var nonce));
            Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(authority, "hold"), out var trust, out _));
            Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "evidence", out var devices, out _));
            var expectations = new DeviceExpectations { Nonce = nonce, Basis = new TrustBasis(new EvaluationTime(now, TimeSource.System), trust, RevocationChecking.Required) };
            var appraiser = new Appraiser(new DirectoryRimStore(Path.Combine(folder, "rims")), new DirectoryOcspStore(Path.Combine(folder, "ocsp")), new VerifierCache());
            var appraisal = await appraiser.AppraiseAsync(devices, expectations, null, TestContext.Current.CancellationToken);
            var asked = false;

            var verdict = Verdict.Of(appraisal, new RelyingPartyPolicy("tolerant", null, _ =>
            {
                asked = true;
                return new PolicyDecision { Allowed = true, Reason = "holds are tolerated" };
            }), ClaimsVersion.V4);

            Assert.Equal(expected, verdict.Kind);
            Assert.Equal(!stolen, asked);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Say(string folder, SimulatedCertificate certificate, Assay.Simulator.RevocationReason reason, DateTimeOffset now) =>
        File.WriteAllBytes(Path.Combine(folder, "ocsp", $"{certificate.SerialNumber}.der"), SimulatedOcsp.Respond(new OcspAnswer
        {
            Certificate = certificate,
            Status = Assay.Simulator.CertificateStatus.Revoked,
            Reason = reason,
            RevokedAt = now.AddDays(-2),
            ThisUpdate = now.AddHours(-1),
            NextUpdate = now.AddDays(1),
        }));
}
