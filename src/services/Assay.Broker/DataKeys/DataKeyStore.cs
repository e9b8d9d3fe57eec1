using System.Security.Cryptography;
using Assay.Broker.Keys;
using Assay.Broker.Release;
using Assay.Service.Audit;
using Assay.Service.Identity;
using Assay.Service.Log;

namespace Assay.Broker.DataKeys;

/// <summary>What an encryption came to.</summary>
/// <param name="Ciphertext">Null if it was refused.</param>
/// <param name="Why">The reason, as in the log.</param>
internal sealed record Encrypted(byte[]? Ciphertext, string? Why);

/// <summary>
/// The owner's side of keys that encrypt data keys: it encrypts, and opens nothing. What it encrypts is opened on the release road alone. Each encryption is an
/// entry of the log, with the digest of its context and never with the content.
/// </summary>
internal sealed class DataKeyStore(KeyStore keys, TransparencyLog log)
{
    /// <summary>There is no such key.</summary>
    public const string NoSuchKey = "no-such-key";

    /// <summary>The key was made for another use.</summary>
    public const string OtherUse = "other-use";

    /// <summary>Encrypts under the latest version. The caller wipes the content.</summary>
    /// <exception cref="Assay.Service.ServiceException">The key encryption key does not answer.</exception>
    public async Task<Encrypted> EncryptAsync(Caller caller, string key, byte[] content, EncryptionContext context, string operation, string requestId, CancellationToken cancellation)
    {
        var (ciphertext, version) = await SealAsync(caller.Tenant, key, content, context, cancellation).ConfigureAwait(false);
        string? why = null;
        await log.AppendAsync(
            async turn =>
            {
                why = WhyNot(await keys.OpenAsync(caller.Tenant, key, turn).ConfigureAwait(false), version);
                return new LogDecision(new AuditEvent(BrokerEntries.Encrypt, caller.Tenant, caller.Subject, why is null ? AuditOutcome.Allowed : AuditOutcome.Denied)
                    .With("key", key).With("protocol", "aws").With("operation", operation).With("version", why is null ? version : 0).With("context", context.Digest.ToString()).With("why", why).With("request", requestId));
            },
            cancellation).ConfigureAwait(false);
        return new Encrypted(why is null ? ciphertext : null, why);
    }

    /// <summary>A content was asked for without evidence: no caller gets it so, whatever its scopes, and the log says that it was tried.</summary>
    public Task<LogReceipt> DenyAsync(Caller caller, string key, EncryptionContext context, string operation, string requestId, CancellationToken cancellation) => log.AppendAsync(
        _ => Task.FromResult(new LogDecision(new AuditEvent(BrokerEntries.Release, caller.Tenant, caller.Subject, AuditOutcome.Denied)
            .With("key", key).With("protocol", "aws").With("operation", operation).With("context", context.Digest.ToString()).With("why", "no-recipient").With("request", requestId))), cancellation);

    // Before the turn, for which all releases wait: the back-end may be a token behind a network.
    private async Task<(byte[]? Ciphertext, long Version)> SealAsync(string tenant, string key, byte[] content, EncryptionContext context, CancellationToken cancellation)
    {
        if (WhyNot(await keys.OpenAsync(tenant, key, cancellation).ConfigureAwait(false), null) is not null || await keys.SecretAsync(tenant, key, null, cancellation).ConfigureAwait(false) is not { } opened)
        {
            return (null, 0);
        }

        try
        {
            return (DataKeyBlob.Seal(opened.Secret, new SecretName(tenant, key, opened.Version), context, content), opened.Version);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(opened.Secret);
        }
    }

    private static string? WhyNot(KeyRecord? record, long? version) =>
        record is null ? NoSuchKey
        : record.Use != KeyStore.DataKeys ? OtherUse
        : record.State != KeyStore.Enabled ? $"key-{record.State}"
        : version is { } sealedBy && sealedBy != record.Version ? "version-changed"
        : null;
}
