using Assay;

// Judges a machine's evidence: dotnet run --project samples/Assay.Samples.JudgeMachine -- FOLDER CHALLENGE, where FOLDER was written by
// ./assay demo --out FOLDER. Only the namespace Assay is needed.
using var verifier = new MachineVerifier(new MachineVerifierOptions
{
    RimFolder = Path.Combine(args[0], "rims"),
    OcspFolder = Path.Combine(args[0], "ocsp"),
    ProcessorCollateral = Path.Combine(args[0], "tdx_collateral.json"),
    ReferenceValues = Path.Combine(args[0], "reference_values.json"),
    Anchors = Path.Combine(args[0], "machine_anchors.json"),
    Gpus = 8,
    Switches = 4,
});
var verdict = await verifier.VerifyAsync(Path.Combine(args[0], "machine.json"), challenge: args[1]).ConfigureAwait(false);
Console.WriteLine(verdict);
return verdict.Passed ? 0 : 1;
