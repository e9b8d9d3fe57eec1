using Assay.Collateral.Http;
using Assay.Log;

namespace Assay.Service.Log;

/// <summary>One who cosigns the log's checkpoints (C2SP tlog-witness).</summary>
/// <param name="Address">Its submission prefix: <c>/add-checkpoint</c> is asked below it.</param>
/// <param name="Key">Its key.</param>
public sealed record LogWitness(ServiceAddress Address, WitnessKey Key);
