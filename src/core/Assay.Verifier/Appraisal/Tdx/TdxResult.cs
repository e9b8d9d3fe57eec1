using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;

namespace Assay.Appraisal.Tdx;

/// <summary>What Intel's statements say about the platform of a quote: three judgements, and the worst of them.</summary>
/// <param name="Platform">Of processor, microcode and firmware; null when no level is met or the statement is missing.</param>
/// <param name="Module">Of the TDX module; null where <see cref="ModuleIsJudgedByPlatform"/>, or as above.</param>
/// <param name="QuotingEnclave">Of the quoting enclave; null as above.</param>
/// <param name="ModuleIsJudgedByPlatform">The module of TDX 1.0 has no levels of its own.</param>
/// <param name="EvaluationDataNumber">tcbEvaluationDataNumber of the TCB information; null when it is missing.</param>
public sealed record TdxTcb(TcbJudgement? Platform, TcbJudgement? Module, TcbJudgement? QuotingEnclave, bool ModuleIsJudgedByPlatform, int? EvaluationDataNumber)
{
    /// <summary>The worst status; None when one of them is not known.</summary>
    public TcbStatus Status => Platform is null || QuotingEnclave is null || (Module is null && !ModuleIsJudgedByPlatform)
        ? TcbStatus.None
        : Parts.Max(part => part.Status);

    /// <summary>The advisories of all of them, sorted, without repeats.</summary>
    public ImmutableArray<string> AdvisoryIds => [.. Parts.SelectMany(part => part.AdvisoryIds).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private IEnumerable<TcbJudgement> Parts => new[] { Platform, Module, QuotingEnclave }.OfType<TcbJudgement>();
}

/// <summary>Everything that was asked about one TDX quote, and the answers.</summary>
public sealed record TdxResult
{
    /// <summary>In check order. None of them is ever left out.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>Whether the bytes could not even be read.</summary>
    public required bool Unparsable { get; init; }

    /// <summary>The proof; null when the quote is not authentic, and then nothing below is set.</summary>
    public AuthenticTdxQuote? Quote { get; init; }

    /// <summary>The platform's TCB; null until it was appraised.</summary>
    public TdxTcb? Tcb { get; init; }

    /// <summary>What may be said about the TD; null until it was appraised.</summary>
    public TdxClaims? Claims { get; init; }

    /// <summary>What could not be had, by permanent names: <c>tcb-info</c>, <c>qe-identity</c>, <c>pck-crl</c>, <c>root-crl</c>.</summary>
    public ImmutableArray<string> Missing { get; init; } = [];

    /// <summary>What was waived, by permanent names, sorted.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>Under whose anchors.</summary>
    public required TrustSetKind Anchors { get; init; }

    /// <summary>By which clock, and when.</summary>
    public required EvaluationTime Time { get; init; }

    /// <summary>The latest date of an item that verified: no honest clock is earlier (S-13).</summary>
    public DateTimeOffset LatestStatement { get; init; }

    /// <summary>The known-good image that it matches; null where none was given or none matches.</summary>
    public TdxReference? Image { get; init; }

    /// <summary>What it was authenticated with: nothing else may be asked of it afterwards.</summary>
    internal TdxExpectations? Asked { get; init; }

    /// <summary>Whether every question was answered with yes, does not apply, or was waived by name.</summary>
    public bool Passed => Tcb is not null && Findings.IsPassed();
}
