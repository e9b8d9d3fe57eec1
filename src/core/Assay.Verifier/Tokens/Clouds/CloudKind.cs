namespace Assay.Tokens.Clouds;

/// <summary>Who takes a token and gives credentials of its own for it.</summary>
public enum CloudKind
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>AWS STS, AssumeRoleWithWebIdentity.</summary>
    Aws,

    /// <summary>Google Cloud, workload identity federation.</summary>
    Gcp,

    /// <summary>Microsoft Entra ID, federated identity credentials.</summary>
    Entra,

    /// <summary>The JWT method of HashiCorp Vault and OpenBao.</summary>
    Vault,
}

/// <summary>What the clouds are called.</summary>
internal static class CloudKinds
{
    /// <summary>For people.</summary>
    public static string Name(this CloudKind cloud) => cloud switch
    {
        CloudKind.Aws => "AWS",
        CloudKind.Gcp => "Google Cloud",
        CloudKind.Entra => "Entra",
        CloudKind.Vault => "Vault",
        _ => "no cloud",
    };

    /// <summary>In commands, files and JSON.</summary>
    public static string Word(this CloudKind cloud) => cloud switch
    {
        CloudKind.Aws => "aws",
        CloudKind.Gcp => "gcp",
        CloudKind.Entra => "azure",
        CloudKind.Vault => "vault",
        _ => "none",
    };
}
