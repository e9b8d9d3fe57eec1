using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Service.Keys.Aws;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Service;

/// <summary>
/// AWS KMS as its manual has it: JSON 1.1, <c>X-Amz-Target: TrentService.…</c>, Signature Version 4 that is computed anew over what came, and the members of
/// Encrypt and Decrypt that a back-end uses.
/// </summary>
internal sealed class AwsKmsStandIn : KeyServiceStandIn
{
    public const string Region = "eu-central-1";
    public const string AccessKey = "AKIAEXAMPLE123456789";
    public const string SecretKey = "secret/of+the/account";

    private const int KeyNameSize = 16;
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly ConcurrentDictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    /// <summary>A session token that credentials must have; null: none may.</summary>
    public string? SessionToken { get; set; }

    /// <summary>The code that it refuses everything with; null: it does not.</summary>
    public (int Status, string Code)? Refusing { get; set; }

    /// <summary>Whether it decrypts whatever encryption context is stated, as KMS never does.</summary>
    public bool IgnoresContext { get; set; }

    protected override (int Status, JsonObject Body) Refusal => (400, Error("ValidationException"));

    protected override string MediaType => "application/x-amz-json-1.1";

    public static async Task<AwsKmsStandIn> StartAsync()
    {
        var made = new AwsKmsStandIn();
        await made.ListenAsync();
        return made;
    }

    /// <summary>A new key.</summary>
    public string CreateKey()
    {
        var hex = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var arn = $"arn:aws:kms:{Region}:111122223333:key/{hex[..8]}-{hex[8..12]}-{hex[12..16]}-{hex[16..20]}-{hex[20..]}";
        _keys[arn] = RandomNumberGenerator.GetBytes(32);
        return arn;
    }

    /// <summary>Terms for a key, with the account's credentials in a file.</summary>
    public AwsKmsTerms Terms(string arn, string folder)
    {
        var path = Path.Combine(folder, Path.GetRandomFileName());
        File.WriteAllText(path, $"[default]\naws_access_key_id = {AccessKey}\naws_secret_access_key = {SecretKey}\n{(SessionToken is null ? "" : $"aws_session_token={SessionToken}\n")}");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return new AwsKmsTerms { Key = arn, Endpoint = Address, Credentials = path };
    }

    public static JsonObject Error(string code, string message = "a message of the service") => new() { ["__type"] = $"com.amazonaws.kms#{code}", ["message"] = message };

    protected override Task<(string Operation, int Status, JsonObject Body)> AnswerAsync(HttpRequest request, byte[] body)
    {
        Require(request.Method == "POST" && request.Path == "/" && request.QueryString.Value == "", "not a POST of /");
        Require(request.ContentType == "application/x-amz-json-1.1", $"content type {request.ContentType}");
        RequireSignature(request, body);
        var target = request.Headers["X-Amz-Target"].ToString();
        if (Refusing is var (status, code))
        {
            return Task.FromResult((target, status, Error(code)));
        }

        var (answered, answer) = target switch
        {
            "TrentService.Encrypt" => Encrypt(body),
            "TrentService.Decrypt" => Decrypt(body),
            _ => throw new InvalidDataException($"target {target}"),
        };
        return Task.FromResult((target["TrentService.".Length..], answered, answer));
    }

    private (int, JsonObject) Encrypt(byte[] body)
    {
        var root = Members(body, "KeyId", "Plaintext", "EncryptionContext");
        var (arn, context, plain) = (root.GetProperty("KeyId").GetString()!, Context(root.GetProperty("EncryptionContext")), Bytes(root.GetProperty("Plaintext")));
        Require(plain.Length is > 0 and <= 4096, "length of the plaintext");
        if (!_keys.TryGetValue(arn, out var key))
        {
            return (400, Error("NotFoundException"));
        }

        var blob = new byte[KeyNameSize + NonceSize + plain.Length + TagSize];
        SHA256.HashData(Encoding.UTF8.GetBytes(arn)).AsSpan(0, KeyNameSize).CopyTo(blob);
        RandomNumberGenerator.Fill(blob.AsSpan(KeyNameSize, NonceSize));
        using var gcm = new AesGcm(key, TagSize);
        gcm.Encrypt(blob.AsSpan(KeyNameSize, NonceSize), plain, blob.AsSpan(KeyNameSize + NonceSize, plain.Length), blob.AsSpan(^TagSize..), context);
        return (200, new JsonObject { ["CiphertextBlob"] = Convert.ToBase64String(blob), ["KeyId"] = arn, ["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT" });
    }

    private (int, JsonObject) Decrypt(byte[] body)
    {
        var root = Members(body, "KeyId", "CiphertextBlob", "EncryptionContext");
        var (arn, context, blob) = (root.GetProperty("KeyId").GetString()!, Context(root.GetProperty("EncryptionContext")), Bytes(root.GetProperty("CiphertextBlob")));
        Require(blob.Length is > 0 and <= 6144, "length of the blob");
        if (!_keys.TryGetValue(arn, out var key))
        {
            return (400, Error("NotFoundException"));
        }

        if (blob.Length < KeyNameSize + NonceSize + TagSize)
        {
            return (400, Error("InvalidCiphertextException"));
        }

        if (_keys.Keys.FirstOrDefault(known => SHA256.HashData(Encoding.UTF8.GetBytes(known)).AsSpan(0, KeyNameSize).SequenceEqual(blob.AsSpan(0, KeyNameSize))) is var named && named != arn)
        {
            return (400, Error(named is null ? "InvalidCiphertextException" : "IncorrectKeyException"));
        }

        var plain = new byte[blob.Length - KeyNameSize - NonceSize - TagSize];
        try
        {
            using var gcm = new AesGcm(key, TagSize);
            gcm.Decrypt(blob.AsSpan(KeyNameSize, NonceSize), blob.AsSpan(KeyNameSize + NonceSize, plain.Length), blob.AsSpan(^TagSize..), plain, context);
        }
        catch (AuthenticationTagMismatchException)
        {
            return (400, Error("InvalidCiphertextException"));
        }

        return (200, new JsonObject { ["Plaintext"] = Convert.ToBase64String(plain), ["KeyId"] = arn, ["EncryptionAlgorithm"] = "SYMMETRIC_DEFAULT" });
    }

    private byte[] Context(System.Text.Json.JsonElement context)
    {
        var members = context.EnumerateObject().Select(member => $"{member.Name}={member.Value.GetString()}").ToArray();
        Require(members is [var only] && only.StartsWith("assay-context=", StringComparison.Ordinal) && only.Length > "assay-context=".Length, $"encryption context {context}");
        return IgnoresContext ? [] : Encoding.UTF8.GetBytes(members[0]);
    }

    // The steps of Signature Version 4, over the request as it came.
    private void RequireSignature(HttpRequest request, byte[] body)
    {
        var words = request.Headers.Authorization.ToString().Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        Require(words.Length == 4 && words[0] == "AWS4-HMAC-SHA256", $"Authorization: {request.Headers.Authorization}");
        var (credential, signed, signature) = (words[1]["Credential=".Length..], words[2]["SignedHeaders=".Length..], words[3]["Signature=".Length..]);
        var date = request.Headers["X-Amz-Date"].ToString();
        Require(DateTimeOffset.TryParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && (TimeProvider.System.GetUtcNow() - at).Duration() < TimeSpan.FromMinutes(5), $"X-Amz-Date: {date}");
        var scope = $"{date[..8]}/{Region}/kms/aws4_request";
        Require(credential == $"{AccessKey}/{scope}", $"Credential={credential}");
        Require(request.Headers["X-Amz-Security-Token"].ToString() == (SessionToken ?? ""), "another session token");
        var names = signed.Split(';');
        Require(names.SequenceEqual(names.Order(StringComparer.Ordinal), StringComparer.Ordinal), $"SignedHeaders={signed}");
        Require(((string[])["content-type", "host", "x-amz-date", "x-amz-target", .. SessionToken is null ? (string[])[] : ["x-amz-security-token"]]).All(names.Contains), $"SignedHeaders={signed}");
        var lines = string.Concat(names.Select(name => $"{name}:{request.Headers[name].ToString().Trim()}\n"));
        var canonical = $"POST\n/\n\n{lines}\n{signed}\n{Convert.ToHexStringLower(SHA256.HashData(body))}";
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{scope}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = scope.Split('/').Aggregate(Encoding.UTF8.GetBytes($"AWS4{SecretKey}"), (derived, word) => HMACSHA256.HashData(derived, Encoding.UTF8.GetBytes(word)));
        Require(signature == Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign))), "another signature");
    }
}
