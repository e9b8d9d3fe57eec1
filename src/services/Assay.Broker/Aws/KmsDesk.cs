using System.Security.Claims;
using System.Security.Cryptography;
using Assay.Broker.DataKeys;
using Assay.Broker.Release;
using Assay.Service.Challenges;
using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Http;

namespace Assay.Broker.Aws;

/// <summary>One request.</summary>
internal sealed record KmsAsk(string Operation, Caller Caller, ClaimsPrincipal User, HttpContext Context)
{
    public string RequestId => Context.TraceIdentifier;
}

/// <summary>The operations. Each writes its answer, or returns the fault in its place.</summary>
internal sealed class KmsDesk(ChallengeStore challenges, ReleaseRoad road, DataKeyStore dataKeys, BrokerMeters meters)
{
    private static readonly KmsFault s_context = KmsFault.Invalid("EncryptionContext: at most 8192 characters of text are expected, and no empty names or values");

    /// <summary>Opens a ciphertext for the machine that shows evidence.</summary>
    public async Task<KmsFault?> DecryptAsync(KmsAsk ask, DecryptRequest request, CancellationToken cancellation)
    {
        if (KmsLimits.WhyNot(request.EncryptionAlgorithm, request.GrantTokens, request.DryRun) is { } wrong)
        {
            return KmsFault.Invalid(wrong);
        }

        if (!DataKeyBlob.TryParse(request.CiphertextBlob, out var blob))
        {
            return KmsFault.Ciphertext;
        }

        if (request.KeyId is not null && request.KeyId != blob.Key)
        {
            return new KmsFault("IncorrectKeyException", "KeyId: the ciphertext is of another key");
        }

        if (!EncryptionContext.TryOf(request.EncryptionContext, out var context))
        {
            return s_context;
        }

        var (released, fault) = await ReleaseAsync(ask, blob.Key, request.Recipient, context, new OpenedBlob(blob, context, ask.Operation), cancellation).ConfigureAwait(false);
        return fault ?? await WriteAsync(ask, new DecryptAnswer(blob.Key, released!, KmsLimits.Algorithm)).ConfigureAwait(false);
    }

    /// <summary>Makes a data key for the machine that shows evidence.</summary>
    public async Task<KmsFault?> GenerateAsync(KmsAsk ask, DataKeyRequest request, CancellationToken cancellation)
    {
        if (Read(request.KeyId, request.EncryptionContext, null, request.GrantTokens, request.DryRun, out var context) is { } fault)
        {
            return fault;
        }

        if (KmsLimits.SizeOf(request) is not { } size)
        {
            return KmsFault.Invalid($"exactly one of KeySpec (AES_256 or AES_128) and NumberOfBytes (1 to {KmsLimits.DataKeyBytes}) is expected");
        }

        var made = new NewDataKey(size, context!, ask.Operation);
        (var released, fault) = await ReleaseAsync(ask, request.KeyId, request.Recipient, context!, made, cancellation).ConfigureAwait(false);
        return fault ?? await WriteAsync(ask, new DataKeyAnswer(request.KeyId, made.Ciphertext!, released)).ConfigureAwait(false);
    }

    /// <summary>Makes a data key that a machine opens later: for owners, and without evidence.</summary>
    public async Task<KmsFault?> GenerateWithoutPlaintextAsync(KmsAsk ask, DataKeyRequest request, CancellationToken cancellation)
    {
        if (Read(request.KeyId, request.EncryptionContext, null, request.GrantTokens, request.DryRun, out var context) is { } fault)
        {
            return fault;
        }

        if (KmsLimits.SizeOf(request) is not { } size || request.Recipient is not null)
        {
            return KmsFault.Invalid($"exactly one of KeySpec (AES_256 or AES_128) and NumberOfBytes (1 to {KmsLimits.DataKeyBytes}) is expected, and no Recipient");
        }

        (var ciphertext, fault) = await SealAsync(ask, request.KeyId, RandomNumberGenerator.GetBytes(size), context!, cancellation).ConfigureAwait(false);
        return fault ?? await WriteAsync(ask, new DataKeyAnswer(request.KeyId, ciphertext!, CiphertextForRecipient: null)).ConfigureAwait(false);
    }

    /// <summary>Encrypts what an owner brings.</summary>
    public async Task<KmsFault?> EncryptAsync(KmsAsk ask, EncryptRequest request, CancellationToken cancellation)
    {
        if (Read(request.KeyId, request.EncryptionContext, request.EncryptionAlgorithm, request.GrantTokens, request.DryRun, out var context) is { } fault)
        {
            return fault;
        }

        if (request.Plaintext.Length is 0 or > DataKeyBlob.MostPlaintext)
        {
            return KmsFault.Invalid($"Plaintext: 1 to {DataKeyBlob.MostPlaintext} bytes are expected");
        }

        (var ciphertext, fault) = await SealAsync(ask, request.KeyId, request.Plaintext, context!, cancellation).ConfigureAwait(false);
        return fault ?? await WriteAsync(ask, new EncryptAnswer(request.KeyId, ciphertext!, KmsLimits.Algorithm)).ConfigureAwait(false);
    }

    private async Task<(byte[]? Released, KmsFault? Fault)> ReleaseAsync(KmsAsk ask, string key, KmsRecipient? recipient, EncryptionContext context, ReleaseContent content, CancellationToken cancellation)
    {
        if (recipient is null)
        {
            meters.Count("denied");
            KmsForm.Name(ask.Context, (await dataKeys.DenyAsync(ask.Caller, key, context, ask.Operation, ask.RequestId, cancellation).ConfigureAwait(false)).Position);
            return (null, KmsFault.Denied("without Recipient nothing is opened, for no caller: this broker shows no plaintext to administrators"));
        }

        if (!ask.User.HasScope(Scopes.Release))
        {
            return (null, KmsFault.Denied($"the scope \"{Scopes.Release}\" is needed"));
        }

        if (!KmsEvidence.TryParse(recipient, out var document, out var fault))
        {
            return (null, fault);
        }

        // Before anything is verified: an attempt uses the challenge up, whatever comes of it.
        if (await challenges.RedeemAsync(document.Challenge, ask.Caller.Tenant, ReleaseEndpoints.Purpose, cancellation).ConfigureAwait(false) is not { } nonce)
        {
            return (null, KmsFault.Denied("the challenge is unknown, answered or expired: evidence is of use once, also where the SDK tries again by itself. Get a new challenge, and set AWS_MAX_ATTEMPTS=1"));
        }

        var asked = new ReleaseAsk { Key = key, Evidence = document.Evidence, EvidenceDigest = document.Digest, Challenge = nonce, Form = ReleaseForm.Enveloped, Content = content, Protocol = "aws" };
        var (outcome, malformed) = await road.ReleaseAsync(asked, ask.Caller, ask.RequestId, cancellation).ConfigureAwait(false);
        if (outcome is null)
        {
            return (null, KmsFault.Invalid($"Recipient.AttestationDocument: {malformed}"));
        }

        KmsForm.Name(ask.Context, outcome.Receipt.Position);
        return (outcome.Sealed?.Cms, outcome.Sealed is null ? WhyNot(ask.Context, outcome) : null);
    }

    private static KmsFault WhyNot(HttpContext context, ReleaseOutcome outcome)
    {
        if (outcome.IsOutage)
        {
            context.Response.Headers.RetryAfter = "2";
            return KmsFault.Of(Problems.KekUnavailable, null);
        }

        // To the asker all denials are alike, but for what is wrong with its own evidence, and a ciphertext that would be opened if it could be.
        return outcome.IsUnmade ? KmsFault.Ciphertext
            : KmsFault.Denied($"the key is not released to this machine now: entry {outcome.Receipt.Position} of the log{(outcome.Failed.IsEmpty ? "" : $"; {string.Join(", ", outcome.Failed)}")}");
    }

    private async Task<(byte[]? Ciphertext, KmsFault? Fault)> SealAsync(KmsAsk ask, string key, byte[] content, EncryptionContext context, CancellationToken cancellation)
    {
        try
        {
            if (!ask.User.HasScope(Scopes.Broker))
            {
                return (null, KmsFault.Denied($"the scope \"{Scopes.Broker}\" is needed"));
            }

            var encrypted = await dataKeys.EncryptAsync(ask.Caller, key, content, context, ask.Operation, ask.RequestId, cancellation).ConfigureAwait(false);
            return (encrypted.Ciphertext, encrypted.Why switch
            {
                null => null,
                DataKeyStore.NoSuchKey => new KmsFault("NotFoundException", "KeyId: the tenant has no such key"),
                DataKeyStore.OtherUse => new KmsFault("InvalidKeyUsageException", "KeyId: the key was not made with the use data-keys"),
                "key-disabled" => new KmsFault("DisabledException", "KeyId: the key is disabled"),
                var why => new KmsFault("KMSInvalidStateException", $"KeyId: {why}"),
            });
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    private static KmsFault? Read(string key, Dictionary<string, string>? pairs, string? algorithm, string[]? grants, bool? dryRun, out EncryptionContext? context)
    {
        context = null;
        return !ResourceName.IsValid(key) ? KmsFault.Invalid($"KeyId: the name of a key, {ResourceName.Expected}")
            : KmsLimits.WhyNot(algorithm, grants, dryRun) is { } wrong ? KmsFault.Invalid(wrong)
            : EncryptionContext.TryOf(pairs, out context) ? null : s_context;
    }

    private static async Task<KmsFault?> WriteAsync<T>(KmsAsk ask, T answer)
    {
        await KmsForm.WriteAsync(ask.Context, StatusCodes.Status200OK, answer).ConfigureAwait(false);
        return null;
    }
}
