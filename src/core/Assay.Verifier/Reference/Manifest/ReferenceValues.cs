using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Reference.Manifest;

/// <summary>
/// Reference values as a relying party brings them, in the form that appraisals expect. Lists of them are never null: values that name no
/// TD accept none. Whether anybody signed them is part of them.
/// </summary>
public sealed class ReferenceValues
{
    private ReferenceValues(ReferenceManifest manifest, JsonWebKey? signer) => (Manifest, Signer) = (manifest, signer);

    /// <summary>The manifest whole.</summary>
    public ReferenceManifest Manifest { get; }

    /// <summary>Who signed it; null when nobody did: then whoever could write the file chose the values, and a verdict says so.</summary>
    public JsonWebKey? Signer { get; }

    /// <summary>Whether a key that the relying party gave signed it.</summary>
    public bool IsSigned => Signer is not null;

    /// <summary>Known-good TD images.</summary>
    public ImmutableArray<TdxReference> Tdx => [.. Manifest.Tdx.Select(reference => reference with { Name = Named(reference.Name) })];

    /// <summary>Known-good SNP guests.</summary>
    public ImmutableArray<SnpReference> Snp => [.. Manifest.Snp.Select(reference => reference with { Name = Named(reference.Name) })];

    /// <summary>The lowest TCB of each SNP product; null where none is stated.</summary>
    public ImmutableDictionary<SnpProduct, SnpTcbParts>? MinimumTcb => Manifest.SnpMinimumTcb;

    /// <summary>For <see cref="Appraisal.Tpm.TpmExpectations.References"/>.</summary>
    public ImmutableArray<TpmReference> Tpm => [.. Manifest.Pcrs.Select(reference => reference with { Name = Named(reference.Name), Paravisor = reference.Paravisor is { } paravisor ? Named(paravisor) : null })];

    /// <summary>For <see cref="Appraisal.Boot.GateRequirement.Policies"/>.</summary>
    public ImmutableArray<Digest> GpuPolicies => Manifest.GpuPolicies;

    /// <summary>The lowest tcbEvaluationDataNumber of Intel's statements that counts; 0 where none is stated.</summary>
    public int MinimumEvaluationDataNumber => Manifest.TdxMinimumEvaluationDataNumber;

    /// <summary>The machines that are known; null where none are listed: then nothing is said of the machine.</summary>
    public KnownPlatforms? Platforms => Manifest.Platforms;

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds => ReferenceManifestJudge.CheckIds;

    /// <summary>What a manifest that was proven says.</summary>
    public static ReferenceValues Of(AuthenticReferenceManifest authentic)
    {
        ArgumentNullException.ThrowIfNull(authentic);
        return new ReferenceValues(authentic.Manifest, authentic.Signer);
    }

    /// <summary>Reads the file that a relying party names, under the keys that it gives.</summary>
    /// <param name="file">A signed manifest, or where no keys are given a plain one.</param>
    /// <param name="keys">Those that may sign reference values: then an unsigned file is refused. Null: none were given; then a signed one is.</param>
    /// <param name="time">The instant of judgement.</param>
    /// <param name="minimumSequence">The lowest sequence that is accepted; 0 for any.</param>
    /// <param name="values">The values; null when anything did not hold.</param>
    /// <param name="findings">Every check and its answer, in order. None is left out.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> file, JsonWebKeySet? keys, EvaluationTime time, long minimumSequence,
        [NotNullWhen(true)] out ReferenceValues? values, out ImmutableArray<Finding> findings)
    {
        values = null;
        if (keys is not null)
        {
            values = AuthenticReferenceManifest.TryAuthenticate(file, keys, time, minimumSequence, out var authentic, out findings) ? Of(authentic) : null;
            return values is not null;
        }

        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfNegative(minimumSequence);
        (var manifest, _, findings) = ReferenceManifestJudge.Judge(file, null, time, minimumSequence);
        values = manifest is not null ? new ReferenceValues(manifest, null) : null;
        return values is not null;
    }

    private string Named(string configuration) => $"{Manifest.ImageName} {Manifest.ImageVersion} ({configuration})";
}
