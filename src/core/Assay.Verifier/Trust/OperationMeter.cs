namespace Assay.Trust;

/// <summary>Counts the costly operations, so that tests and benchmarks assert on counts and never on time.</summary>
internal sealed class OperationMeter
{
    private long _verifications;
    private long _imports;

    /// <summary>Signature verifications so far.</summary>
    public long SignatureVerifications => Interlocked.Read(ref _verifications);

    /// <summary>Public keys imported so far.</summary>
    public long KeyImports => Interlocked.Read(ref _imports);

    internal void CountVerification() => Interlocked.Increment(ref _verifications);

    internal void CountImport() => Interlocked.Increment(ref _imports);
}
