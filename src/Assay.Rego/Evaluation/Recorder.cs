namespace Assay.Rego.Evaluation;

/// <summary>Counts how often each statement was tried and solved, and keeps the values it last saw.</summary>
internal sealed class Recorder
{
}
