namespace Assay.Broker.Aws;

/// <summary>To whom a content is sealed: the machine of this evidence.</summary>
/// <param name="AttestationDocument">JSON, <see cref="KmsEvidence"/>.</param>
/// <param name="KeyEncryptionAlgorithm"><c>RSAES_OAEP_SHA_256</c>, the only one that AWS has.</param>
internal sealed record KmsRecipient(byte[] AttestationDocument, string KeyEncryptionAlgorithm);

/// <summary><c>Decrypt</c>. What AWS has and this broker does not is named in <see cref="KmsLimits"/>.</summary>
internal sealed record DecryptRequest(byte[] CiphertextBlob, string? KeyId = null, Dictionary<string, string>? EncryptionContext = null, string? EncryptionAlgorithm = null, string[]? GrantTokens = null, bool? DryRun = null, KmsRecipient? Recipient = null);

/// <summary><c>GenerateDataKey</c>, with or without plaintext.</summary>
internal sealed record DataKeyRequest(string KeyId, string? KeySpec = null, int? NumberOfBytes = null, Dictionary<string, string>? EncryptionContext = null, string[]? GrantTokens = null, bool? DryRun = null, KmsRecipient? Recipient = null);

/// <summary><c>Encrypt</c>.</summary>
internal sealed record EncryptRequest(string KeyId, byte[] Plaintext, Dictionary<string, string>? EncryptionContext = null, string? EncryptionAlgorithm = null, string[]? GrantTokens = null, bool? DryRun = null);

/// <summary>Of <c>Decrypt</c>: AWS leaves <c>Plaintext</c> out where there is a recipient, and here there always is.</summary>
internal sealed record DecryptAnswer(string KeyId, byte[] CiphertextForRecipient, string EncryptionAlgorithm);

/// <summary>Of <c>GenerateDataKey</c>; without plaintext, the recipient's is left out.</summary>
internal sealed record DataKeyAnswer(string KeyId, byte[] CiphertextBlob, byte[]? CiphertextForRecipient);

/// <summary>Of <c>Encrypt</c>.</summary>
internal sealed record EncryptAnswer(string KeyId, byte[] CiphertextBlob, string EncryptionAlgorithm);

/// <summary>What of AWS's requests is taken.</summary>
internal static class KmsLimits
{
    public const string Algorithm = "SYMMETRIC_DEFAULT";
    public const string KeyEncryption = "RSAES_OAEP_SHA_256";

    /// <summary>AWS's limit on an attestation document.</summary>
    public const int DocumentBytes = 262_144;

    /// <summary>A document in base64, a ciphertext, and a context whose every character is escaped.</summary>
    public const int BodyBytes = 512 * 1024;

    /// <summary>AWS's limit on a data key.</summary>
    public const int DataKeyBytes = 1024;

    /// <summary>What is wrong with the members that AWS has and this broker takes in one value alone; null: nothing.</summary>
    public static string? WhyNot(string? algorithm, string[]? grants, bool? dryRun) =>
        algorithm is not (null or Algorithm) ? $"EncryptionAlgorithm: {Algorithm} is expected"
        : grants is { Length: > 0 } ? "GrantTokens: this broker has no grants"
        : dryRun is true ? "DryRun: not supported; assay key dry-run asks whether a machine would get a key"
        : null;

    /// <summary>How many bytes; null where it is not stated, or not so.</summary>
    public static int? SizeOf(DataKeyRequest request) => (request.KeySpec, request.NumberOfBytes) switch
    {
        ("AES_256", null) => 32,
        ("AES_128", null) => 16,
        (null, > 0 and <= DataKeyBytes and var bytes) => bytes,
        _ => null,
    };
}
