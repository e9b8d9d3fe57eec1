using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Trust.Revocation;

// Bytes and a time in, answers out: nothing here reads a file, a clock or the network by itself.
if (!EvidenceFile.TryParse(File.ReadAllBytes(args[0]), args[0], out var devices, out var fault))
{
    Console.Error.WriteLine(fault);
    return 2;
}

var now = new EvaluationTime(TimeProvider.System.GetUtcNow(), TimeSource.System);
var expected = new MachineExpectations { Gpus = 1, Basis = new TrustBasis(now, TrustSet.Nvidia, RevocationChecking.Required) };
var cache = new VerifierCache();
if (!MachineAppraisal.TryAuthenticate(new MachineEvidence { Devices = devices }, expected, cache, out var machine, out fault))
{
    Console.Error.WriteLine(fault);
    return 2;
}

// What the next step needs. Evidence that no certified key signed needs nothing.
var needed = MachineAppraisal.RequiredCollateral(machine, new MachineCollateral(), cache);
foreach (var rim in needed.RimIds)
{
    Console.WriteLine($"RIM {rim}");
}

foreach (var query in needed.Revocation)
{
    Console.WriteLine($"OCSP answer about {query.Subject.SerialNumber}");
}

return needed.IsEmpty ? 1 : 0;
