using System.Collections.Immutable;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>
/// One technology of confidential VMs: what its evidence is called, which of its checks answer the questions about a whole machine, and the
/// two steps of its appraisal. A further one is a row here (docs/development/adding-a-processor.md).
/// </summary>
internal abstract class TeeTechnology
{
    /// <summary>All that are known.</summary>
    public static ImmutableArray<TeeTechnology> All { get; } = [new TdxTechnology(), new SnpTechnology()];

    /// <summary>The kind of evidence that it makes.</summary>
    public abstract ProcessorEvidenceKind Kind { get; }

    /// <summary>In JSON and tokens: <c>tee</c>.</summary>
    public abstract string Word { get; }

    /// <summary>For people.</summary>
    public abstract string Name { get; }

    /// <summary>What its evidence is called in sentences.</summary>
    public abstract string EvidenceName { get; }

    /// <summary>The sentence of a verdict about authentic evidence.</summary>
    /// <param name="anchors">Under whose anchors.</param>
    public abstract string Proven(TrustSetKind anchors);

    /// <summary>The check that compares what was signed with what was asked for.</summary>
    public abstract string ReportDataCheck { get; }

    /// <summary>The check that compares the image with the reference values.</summary>
    public abstract string MeasurementCheck { get; }

    /// <summary>The check of the certificates' revocation.</summary>
    public abstract string RevocationCheck { get; }

    /// <summary>The weakening of a judgement without reference values.</summary>
    public abstract Weakening WithoutReferences { get; }

    /// <summary>The weakening of a judgement without revocation.</summary>
    public abstract Weakening WithoutRevocation { get; }

    /// <summary>Why its evidence explains no boot log; null where it has measurement registers.</summary>
    public virtual string? WhyNoRegisters => null;

    /// <summary>What a check lacks, by the names of <see cref="TeeResult.Missing"/>, where its answer is that something is missing.</summary>
    /// <param name="id">The check.</param>
    public abstract ImmutableArray<CollateralKind> Lacks(string id);

    /// <summary>The name under which an item is missing.</summary>
    public virtual string MissingName(CollateralKind kind) => CollateralKinds.NameOf(kind);

    /// <summary>The first step: who speaks, and what is needed to go on. Needs no collateral.</summary>
    public abstract TeeStep Authenticate(ReadOnlyMemory<byte> evidence, TeeQuestion question, VerifierCache cache);
}

/// <summary>What is asked of a processor's quote or report.</summary>
/// <param name="Expected">What the relying party expects.</param>
/// <param name="ReportData">What it must have been made for: of the expectations, or on Azure the hash of the runtime data. Null: nothing binds it.</param>
/// <param name="BesideVtpm">Whether it came beside a vTPM that a paravisor keeps (S-9a).</param>
/// <param name="Leaf">The certificate that came with it; null for none.</param>
internal sealed record TeeQuestion(ProcessorExpectations Expected, ReportData? ReportData, bool BesideVtpm = false, ReadOnlyMemory<byte>? Leaf = null);

/// <summary>Evidence after the first step.</summary>
/// <param name="Needed">What it needs, in the order of its kinds.</param>
/// <param name="Rest">All questions that remain; the evidence was read, and authenticated as far as it brings what proves it.</param>
internal sealed record TeeStep(ImmutableArray<CollateralKey> Needed, Func<ProcessorCollateral, VerifierCache, TeeResult> Rest);
