using System.Text.RegularExpressions;
using Assay.Collateral.Http;

namespace Assay.Service.Keys.Vault;

/// <summary>A key of the secrets engine <c>transit</c> of HashiCorp Vault or OpenBao.</summary>
public sealed partial record VaultTerms
{
    /// <summary>The server: https, or http on loopback.</summary>
    public required string Address { get; init; }

    /// <summary>Where the engine is mounted.</summary>
    public string Mount { get; init; } = "transit";

    /// <summary>The key's name: of type <c>aes256-gcm96</c>.</summary>
    public required string Key { get; init; }

    /// <summary>The namespace; null: the root's.</summary>
    public string? Namespace { get; init; }

    /// <summary>A file with a token, in one line: an agent may replace it. Either this or <see cref="AppRole"/>.</summary>
    public string? Token { get; init; }

    /// <summary>A login by AppRole.</summary>
    public VaultAppRoleTerms? AppRole { get; init; }

    /// <summary>PEM: the roots of the server's certificate; null: those of the machine.</summary>
    public string? Ca { get; init; }

    internal IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        void Require(bool holds, string fault)
        {
            if (!holds)
            {
                faults.Add(fault);
            }
        }

        Require(ServiceAddress.TryParse(Address, out var address, out var problem), $"address: {problem?.Problem}");
        Require(address is null || address.Uri.PathAndQuery == "/", "address: a URL without path and query is expected");
        Require(Segment().IsMatch(Key), "key: a name of A-Z, a-z, 0-9, hyphen, underscore and dot is expected");
        Require(Path().IsMatch(Mount), "mount: a path of names, without a slash at either end, is expected");
        Require(Namespace is null || Path().IsMatch(Namespace), "namespace: a path of names, without a slash at either end, is expected");
        Require(Token is null != AppRole is null, "token, appRole: exactly one is expected");
        Require(Token is not "", "token: the path of a file with a token is expected");
        Require(AppRole is null || Path().IsMatch(AppRole.Mount), "appRole.mount: a path of names, without a slash at either end, is expected");
        Require(AppRole is null || (AppRole.RoleIdFile.Length > 0 && AppRole.SecretIdFile.Length > 0), "appRole.roleIdFile, appRole.secretIdFile: paths of files are expected");
        Require(Ca is not "", "ca: the path of a file with certificates is expected");
        Require(Ca is null || address is null || address.Uri.Scheme == "https", "ca: the address is not https");
        return faults;
    }

    // Neither starts with a dot: no segment means another place.
    [GeneratedRegex(@"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}\z")]
    private static partial Regex Segment();

    [GeneratedRegex(@"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}){0,8}\z")]
    private static partial Regex Path();
}

/// <summary>A login by AppRole. Both files are read at each login.</summary>
public sealed record VaultAppRoleTerms
{
    /// <summary>Where the method is mounted.</summary>
    public string Mount { get; init; } = "approle";

    /// <summary>The file of the role's id.</summary>
    public required string RoleIdFile { get; init; }

    /// <summary>The file of the secret id.</summary>
    public required string SecretIdFile { get; init; }
}
