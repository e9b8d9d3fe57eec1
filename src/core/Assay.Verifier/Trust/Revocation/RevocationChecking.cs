namespace Assay.Trust.Revocation;

/// <summary>Whether revocation is asked about. The default is neither.</summary>
public enum RevocationChecking
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>Every certificate below a root needs a current, authentic, good answer.</summary>
    Required,

    /// <summary>Nothing is asked: a revoked device or RIM signer passes. A weakening, named in the verdict.</summary>
    DangerouslySkipped,
}
