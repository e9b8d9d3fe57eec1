using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using Assay.Appraisal.Boot;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Reference.Manifest;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>Reference values with the keys that may sign them, and the gate that they or the options name.</summary>
/// <param name="options">Of the command.</param>
/// <param name="parsed">The command line.</param>
/// <param name="faults">Takes every fault.</param>
internal sealed class ReferenceRequest(MachineOptions options, ParseResult parsed, VerifyFaults faults)
{
    private const int GpuPolicySize = 48;

    /// <summary>Null where none are given, or they cannot be judged: for that without a time there is another fault.</summary>
    public ReferenceValues? Values(EvaluationTime time)
    {
        var (file, keyFile, sequence) = (parsed.GetValue(options.ReferenceValues), parsed.GetValue(options.ReferenceKeys), parsed.GetValue(options.ReferenceSequence));
        if (file is null)
        {
            if (keyFile is not null || IsGiven(options.ReferenceSequence))
            {
                faults.AddAlone("cli.reference-values", "--reference-keys and --minimum-reference-sequence belong to --reference-values FILE");
            }

            return null;
        }

        JsonWebKeySet? keys = null;
        var hasKeys = keyFile is null || TryReadKeys(keyFile, out keys);
        if (!InputFile.TryRead(file, Limits.JwsCharacters, out var bytes, out var whyNot))
        {
            faults.Add("cli.file", whyNot);
        }
        else if (!hasKeys || time.Source is TimeSource.None)
        {
            // Said where they are read.
        }
        else if (ReferenceValues.TryRead(bytes, keys, time, sequence, out var values, out var findings))
        {
            return values;
        }
        else
        {
            var failed = findings.First(finding => finding.State is CheckState.Failed);
            var sides = (failed.Found, failed.Expected) is ({ } found, { } expected) ? $": found {found}, expected {expected}" : "";
            var how = keys is null && failed.Id is "reference.signature.valid" ? " (--reference-keys)" : "";
            faults.Add(failed.Id, $"--reference-values: {WrongFile.Message(InputFile.NameOf(file), "it", "reference values, as assay measure makes them", bytes, $"{failed.Reason}{how}{sides}", ContentKind.ReferenceManifest, ContentKind.SignedReferenceManifest)}");
        }

        return null;
    }

    /// <summary>What options state about the gate; null where they state nothing, and the verifier takes what the reference values list.</summary>
    public GateRequirement? Gate(int? gpus, int? switches, ReferenceValues? references)
    {
        var policies = ImmutableArray.CreateBuilder<Digest>();
        policies.AddRange(references?.GpuPolicies ?? []);
        var isSound = true;
        foreach (var text in parsed.GetValue(options.GpuPolicy) ?? [])
        {
            if (HexText.TryRead(text, GpuPolicySize, out var bytes))
            {
                policies.Add(new Digest(bytes));
            }
            else
            {
                isSound = false;
                faults.Add("cli.gpu-policy", $"--gpu-policy: 96 hexadecimal digits (SHA-384) are expected, found {text.Length} characters");
            }
        }

        if (!IsGiven(options.GpuPolicy) && !IsGiven(options.GateRegister) && !IsGiven(options.BootPhase))
        {
            return null;
        }

        if (policies.Count == 0)
        {
            // Reference values that could not be read may have listed some.
            if (isSound && (references is not null || parsed.GetValue(options.ReferenceValues) is null))
            {
                faults.AddAlone("cli.gpu-policy", "--gate-register and --boot-phase need a boot gate: give the policies it may have had, with --gpu-policy or in --reference-values");
            }

            return null;
        }

        var gate = GateRequirement.Of(policies.ToImmutable(), gpus, switches);
        return gate with
        {
            Phase = parsed.GetValue(options.BootPhase) == "boot" ? BootPhase.Boot : gate.Phase,
            Register = parsed.GetValue(options.GateRegister) ?? gate.Register,
        };
    }

    private bool IsGiven(Option option) => parsed.GetResult(option) is { Implicit: false };

    private bool TryReadKeys(string file, [NotNullWhen(true)] out JsonWebKeySet? keys)
    {
        keys = null;
        if (!InputFile.TryRead(file, Limits.KeySetBytes, out var bytes, out var whyNot))
        {
            faults.Add("cli.file", whyNot);
        }
        else if (!JsonWebKeySet.TryParse(bytes, out keys, out var fault))
        {
            faults.Add("cli.reference-values", $"--reference-keys: {WrongFile.Message(InputFile.NameOf(file), "it", "a key set (JWKS) of public keys, as assay token jwks prints it", bytes, $"{fault}", ContentKind.KeySet)}");
        }

        return keys is not null;
    }
}
