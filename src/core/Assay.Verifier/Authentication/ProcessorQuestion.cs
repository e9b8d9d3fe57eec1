using System.Collections.Immutable;
using Assay.Evidence.Snp;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Authentication;

/// <summary>What a processor's quote or report is authenticated with. All of it is stated.</summary>
/// <param name="ReportData">What it must have been made for. Null: nothing binds it, and the result says so.</param>
/// <param name="Trust">Whose roots are believed.</param>
/// <param name="AcceptedSigningKeys">Of SNP reports: whose signature is accepted; empty for none. TDX knows one kind.</param>
/// <param name="AcceptMaskedChipId">Of SNP reports: whether one that masks its CHIP_ID is accepted under a VCEK.</param>
/// <param name="AcceptTextAfter">Of TDX quotes: whether text after one, which nobody signed, is accepted.</param>
internal sealed record ProcessorQuestion(ReportData? ReportData, TrustSet Trust, ImmutableArray<SnpSigningKey> AcceptedSigningKeys, bool AcceptMaskedChipId = false, bool AcceptTextAfter = false);
