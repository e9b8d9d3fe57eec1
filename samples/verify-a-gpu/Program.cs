using Assay;

// A recorded report is judged at the time of its recording, and nobody is asked whether a key was revoked since: the verdict says both.
var june = new DateTimeOffset(2024, 6, 1, 0, 0, 0, TimeSpan.Zero);
var options = new MachineVerifierOptions { RimFolder = "rims", Gpus = 1, At = june, DangerouslySkipRevocation = true };
using var verifier = new MachineVerifier(options);
var verdict = await verifier.VerifyAsync("gpu.json", challenge: "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e");
Console.WriteLine(verdict);
return verdict.Passed ? 0 : 1;
