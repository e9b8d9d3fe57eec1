using Assay.Rego.Syntax;

namespace Assay.Policies;

/// <summary>The dialect in which sources are read.</summary>
public enum PolicyDialect
{
    /// <summary>Each source tells by what it imports and how its rules are written: NVIDIA's examples are v0, newer policies v1.</summary>
    Detected,

    /// <summary>Rego v0.</summary>
    V0,

    /// <summary>Rego v1.</summary>
    V1,
}

internal static class PolicyDialects
{
    public static RegoVersion ToVersion(this PolicyDialect dialect) => dialect switch
    {
        PolicyDialect.V0 => RegoVersion.V0,
        PolicyDialect.V1 => RegoVersion.V1,
        _ => RegoVersion.Auto,
    };

    public static PolicyDialect ToDialect(this RegoVersion version) => version is RegoVersion.V0 ? PolicyDialect.V0 : PolicyDialect.V1;
}
