using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Service.Keys.Vault;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>
/// Vault's HTTP API as its manual has it, as far as a back-end uses it: transit with keys of type aes256-gcm96, login by AppRole, renewal of tokens, and a policy
/// that allows <c>update</c> on encrypt and decrypt alone.
/// </summary>
internal sealed class VaultStandIn : KeyServiceStandIn
{
    public const string RoleId = "role-of-the-broker";
    public const string SecretId = "secret-id-of-the-broker";

    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly ConcurrentDictionary<string, List<byte[]>> _keys = new(StringComparer.Ordinal);

    /// <summary>The tokens that are good now.</summary>
    public ConcurrentDictionary<string, bool> Tokens { get; } = new(StringComparer.Ordinal);

    public string Mount { get; init; } = "transit";

    public string? Namespace { get; init; }

    /// <summary>The lease that logins and renewals answer with; 0: a token without an end.</summary>
    public int LeaseSeconds { get; set; }

    /// <summary>Whether tokens can be renewed still.</summary>
    public bool Renews { get; set; } = true;

    /// <summary>As versions do that do not know the member.</summary>
    public bool IgnoresAssociatedData { get; set; }

    /// <summary>The status and error that it answers every operation with; null: it does not.</summary>
    public (int Status, string Error)? Refusing { get; set; }

    protected override (int Status, JsonObject Body) Refusal => Error(400, "a request that is not documented");

    protected override string MediaType => "application/json";

    public static async Task<VaultStandIn> StartAsync(string? mount = null, string? ns = null)
    {
        var made = new VaultStandIn { Mount = mount ?? "transit", Namespace = ns };
        await made.ListenAsync();
        return made;
    }

    public string CreateKey()
    {
        var name = $"assay-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        _keys[name] = [RandomNumberGenerator.GetBytes(32)];
        return name;
    }

    /// <summary>A new version, with which is encrypted from now on.</summary>
    public void Rotate(string name) => _keys[name].Add(RandomNumberGenerator.GetBytes(32));

    public string CreateToken()
    {
        var token = $"hvs.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";
        Tokens[token] = true;
        return token;
    }

    /// <summary>Terms with a token in a file.</summary>
    public VaultTerms Terms(string key, string folder) => new() { Address = Address, Mount = Mount, Key = key, Namespace = Namespace, Token = Write(folder, CreateToken()) };

    /// <summary>Terms with a login by AppRole.</summary>
    public VaultTerms AppRoleTerms(string key, string folder) =>
        new() { Address = Address, Mount = Mount, Key = key, Namespace = Namespace, AppRole = new VaultAppRoleTerms { RoleIdFile = Write(folder, RoleId), SecretIdFile = Write(folder, SecretId) } };

    public static string Write(string folder, string text)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName());
        File.WriteAllText(path, text + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    protected override Task<(string Operation, int Status, JsonObject Body)> AnswerAsync(HttpRequest request, byte[] body)
    {
        Require(request.Method == "POST" && request.QueryString.Value == "", "not a POST");
        Require(request.ContentType == "application/json", $"content type {request.ContentType}");
        Require(request.Headers["X-Vault-Request"] == "true", "no X-Vault-Request");
        Require(request.Headers["X-Vault-Namespace"].ToString() == (Namespace ?? ""), "another namespace");
        Require(request.Headers.Authorization.Count == 0 && request.Headers.Cookie.Count == 0, "another credential");
        var (path, token) = (request.Path.Value!, request.Headers["X-Vault-Token"].ToString());
        var operation = path[(path.LastIndexOf('/') + 1)..];
        if (path == "/v1/auth/approle/login")
        {
            Require(token.Length == 0, "a token with a login");
            var login = Members(body, "role_id", "secret_id");
            return Answered(operation, login.GetProperty("role_id").GetString() == RoleId && login.GetProperty("secret_id").GetString() == SecretId
                ? (200, Auth(CreateToken())) : Error(400, "invalid role or secret ID"));
        }

        if (!Tokens.ContainsKey(token))
        {
            return Answered(operation, Error(403, "permission denied"));
        }

        if (path == "/v1/auth/token/renew-self")
        {
            Members(body);
            return Answered(operation, LeaseSeconds == 0 || !Renews ? Error(400, "lease is not renewable") : (200, Auth(token)));
        }

        if (Refusing is var (status, error))
        {
            return Answered(operation, Error(status, error));
        }

        var parts = path.Split('/');
        Require(path.StartsWith($"/v1/{Mount}/", StringComparison.Ordinal) && parts[^2] is "encrypt" or "decrypt", "not a path of the engine");
        return Answered(parts[^2], !_keys.TryGetValue(parts[^1], out var versions) ? Error(400, "encryption key not found") : parts[^2] == "encrypt" ? Encrypt(versions, body) : Decrypt(versions, body));
    }

    private static Task<(string, int, JsonObject)> Answered(string operation, (int Status, JsonObject Body) answer) => Task.FromResult((operation, answer.Status, answer.Body));

    private static (int, JsonObject) Error(int status, string error) => (status, new JsonObject { ["errors"] = new JsonArray(error) });

    private JsonObject Auth(string token) =>
        new() { ["auth"] = new JsonObject { ["client_token"] = token, ["lease_duration"] = LeaseSeconds, ["renewable"] = LeaseSeconds > 0, ["policies"] = new JsonArray("default", "assay") } };

    private (int, JsonObject) Encrypt(List<byte[]> versions, byte[] body)
    {
        var root = Members(body, "plaintext", "associated_data");
        var (plain, data) = (Bytes(root.GetProperty("plaintext")), Data(root));
        var cipher = new byte[NonceSize + plain.Length + TagSize];
        RandomNumberGenerator.Fill(cipher.AsSpan(0, NonceSize));
        using var gcm = new AesGcm(versions[^1], TagSize);
        gcm.Encrypt(cipher.AsSpan(0, NonceSize), plain, cipher.AsSpan(NonceSize, plain.Length), cipher.AsSpan(^TagSize..), data);
        return (200, new JsonObject { ["data"] = new JsonObject { ["ciphertext"] = string.Create(CultureInfo.InvariantCulture, $"vault:v{versions.Count}:{Convert.ToBase64String(cipher)}"), ["key_version"] = versions.Count } });
    }

    private (int, JsonObject) Decrypt(List<byte[]> versions, byte[] body)
    {
        var root = Members(body, "ciphertext", "associated_data");
        var data = Data(root);
        if (root.GetProperty("ciphertext").GetString()!.Split(':') is not ["vault", ['v', .. var number], var text] || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            return Error(400, "invalid ciphertext: no prefix");
        }

        var cipher = Convert.FromBase64String(text);
        if (version < 1 || version > versions.Count || cipher.Length < NonceSize + TagSize)
        {
            return Error(400, "invalid ciphertext");
        }

        var plain = new byte[cipher.Length - NonceSize - TagSize];
        try
        {
            using var gcm = new AesGcm(versions[version - 1], TagSize);
            gcm.Decrypt(cipher.AsSpan(0, NonceSize), cipher.AsSpan(NonceSize, plain.Length), cipher.AsSpan(^TagSize..), plain, data);
            return (200, new JsonObject { ["data"] = new JsonObject { ["plaintext"] = Convert.ToBase64String(plain) } });
        }
        catch (AuthenticationTagMismatchException)
        {
            return Error(400, "cipher: message authentication failed");
        }
    }

    private byte[] Data(System.Text.Json.JsonElement root)
    {
        var data = Bytes(root.GetProperty("associated_data"));
        Require(data.Length > 0, "empty associated_data");
        return IgnoresAssociatedData ? [] : data;
    }
}
