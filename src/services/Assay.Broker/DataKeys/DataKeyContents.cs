using System.Security.Cryptography;
using Assay.Broker.Keys;
using Assay.Broker.Release;
using Assay.Service.Audit;

namespace Assay.Broker.DataKeys;

/// <summary>A ciphertext, opened.</summary>
internal sealed class OpenedBlob(DataKeyBlob blob, EncryptionContext context, string operation) : ReleaseContent
{
    public override string Use => KeyStore.DataKeys;

    public override long? Version => blob.Version;

    public override string Unmade => "ciphertext-refused";

    public override byte[]? Make(byte[] secret, SecretName name) => blob.Open(secret, name, context);

    public override AuditEvent Tell(AuditEvent entry) => entry.With("operation", operation).With("context", context.Digest.ToString());
}

/// <summary>A new data key, and the ciphertext that brings it back.</summary>
internal sealed class NewDataKey(int size, EncryptionContext context, string operation) : ReleaseContent
{
    public override string Use => KeyStore.DataKeys;

    public override string Unmade => "data-key-unmade";

    /// <summary>The ciphertext, once it is made. It is handed out only with a release.</summary>
    public byte[]? Ciphertext { get; private set; }

    public override byte[]? Make(byte[] secret, SecretName name)
    {
        var key = RandomNumberGenerator.GetBytes(size);
        Ciphertext = DataKeyBlob.Seal(secret, name, context, key);
        return key;
    }

    public override AuditEvent Tell(AuditEvent entry) => entry.With("operation", operation).With("context", context.Digest.ToString());
}
