using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Broker.Keys;
using Assay.Broker.Logs;
using Assay.Sealing.Keys;
using Assay.Service;
using Assay.Service.Audit;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Wire;
using Microsoft.Extensions.Logging;

namespace Assay.Broker.Release;

/// <summary>What a release came to.</summary>
/// <param name="Receipt">Its entry in the log.</param>
/// <param name="Sealed">The key, sealed to the machine's own; null if it is not released.</param>
/// <param name="Version">Which version of the key; 0: none.</param>
/// <param name="Image">Of a derived key, the image that it is for.</param>
/// <param name="Binding">How GPU and confidential VM are bound.</param>
/// <param name="Tier">What that is worth: <see cref="ReleaseTier"/>.</param>
/// <param name="Failed">Checks that failed or could not be made, and conditions that do not hold.</param>
/// <param name="IsOutage">It would be released, and the key encryption key does not answer.</param>
/// <param name="IsUnmade">It would be released, and what was asked for could not be made of it.</param>
internal sealed record ReleaseOutcome(LogReceipt Receipt, SealedSecret? Sealed, long Version, string? Image, string Binding, string Tier, ImmutableArray<string> Failed, bool IsOutage, bool IsUnmade);

/// <summary>
/// The one road from evidence to a key: judged here, with the broker's own clock and collateral (S-13), under the policy that is in force when it is decided;
/// decided and logged in one transaction, which reads state, policy and freezes; sealed to the key that the verified evidence names, and no other.
/// </summary>
internal sealed partial class ReleaseRoad(BrokerTerms terms, ReleaseJudge judge, KeyStore keys, FreezeStore freezes, TransparencyLog log, Denials denials, BrokerMeters meters, ILogger<ReleaseRoad> logger)
{
    private const string Unavailable = "kek-unavailable";

    /// <summary>Null with a fault if the evidence cannot be judged at all.</summary>
    public async Task<(ReleaseOutcome? Outcome, string? Fault)> ReleaseAsync(ReleaseAsk ask, Caller caller, string requestId, CancellationToken cancellation)
    {
        var id = ask.Key;
        var judged = await JudgeAsync(ask, caller.Tenant, cancellation).ConfigureAwait(false);
        if (judged.Fault is not null)
        {
            return (null, judged.Fault);
        }

        var opened = await OpenAsync(ask, judged, caller, requestId, cancellation).ConfigureAwait(false);
        var version = 0L;
        var image = (string?)null;
        var isReleased = false;
        var isOutage = false;
        var isUnmade = false;
        try
        {
            var receipt = await log.AppendAsync(
                async turn =>
                {
                    var record = await keys.OpenAsync(caller.Tenant, id, turn).ConfigureAwait(false);
                    var why = await WhyNotAsync(record, judged, ask, caller.Tenant, turn).ConfigureAwait(false);
                    // An outage comes last: what is denied is denied also while nothing answers.
                    isOutage = why is null && opened.IsUnavailable;
                    isUnmade = why is null && opened.IsUnmade;
                    why ??= isOutage ? Unavailable : isUnmade ? ask.Content!.Unmade : opened.Secret is null || (record!.Version != opened.Version && ask.Content?.Version is null) ? "version-changed" : null;
                    isReleased = why is null;
                    version = isReleased ? opened.Version : 0;
                    image = isReleased ? judged.Image : null;
                    // What the next release asks for: a boot has had the key.
                    return new LogDecision(Entry(ask, judged, record, version, image, why, caller, requestId), isReleased && judged.Boot is { } boot ? SubjectOf(id, boot) : "")
                    {
                        IsRepeated = why is not null && !isOutage && denials.Has(DenialOf(ask, caller, why)),
                    };
                },
                cancellation).ConfigureAwait(false);
            if (!isReleased && !isOutage && ask.Address is not null)
            {
                denials.Count(DenialOf(ask, caller, receipt.Decided.Text("why")!)!, receipt.Position);
            }

            meters.Count(isReleased ? "allowed" : isOutage ? "failed" : "denied");
            // Behind the lock only what must be: sealing takes longer than deciding.
            var released = isReleased ? Seal(opened.Secret!, new SecretName(caller.Tenant, id, version), image, judged.Recipient!, ask.Form) : null;
            return (new ReleaseOutcome(receipt, released, version, image, judged.Binding ?? "none", judged.Tier ?? "none", judged.Failed, isOutage, isUnmade), null);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(opened.Secret);
        }
    }

    private static Denial? DenialOf(ReleaseAsk ask, Caller caller, string why) => ask is { Address: { } address, Protocol: { } protocol } ? new Denial(caller.Tenant, caller.Subject, ask.Key, protocol, why, address) : null;

    private static SealedSecret Seal(byte[] secret, SecretName name, string? image, SealingPublicKey recipient, ReleaseForm form)
    {
        var derived = image is null ? null : DerivedKey.Of(secret, name.Tenant, name.Key, name.Version, image);
        try
        {
            return form.Seal(derived ?? secret, name, recipient);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(derived);
        }
    }

    // Before the transaction, for which all other releases and every freeze wait: the key encryption key may be in a token behind a network. And after the
    // evidence was judged: a caller without a machine that passes costs the token nothing.
    private async Task<Opened> OpenAsync(ReleaseAsk ask, Judgement judged, Caller caller, string requestId, CancellationToken cancellation)
    {
        if (judged is not { Passed: true, Unaccepted.IsEmpty: true, Unmet.IsEmpty: true, Recipient: not null } || judged.Use != ask.Content?.Use)
        {
            return new Opened();
        }

        (long Version, byte[] Secret)? found;
        try
        {
            found = await keys.SecretAsync(caller.Tenant, ask.Key, ask.Content?.Version, cancellation).ConfigureAwait(false);
        }
        catch (ServiceException exception) when (exception.Id == KeyEncryptionKey.Unavailable)
        {
            Log.Unavailable(logger, ask.Key, judged.PolicyVersion, caller.Tenant, caller.Subject, exception.Message, requestId);
            return new Opened(IsUnavailable: true);
        }

        if (ask.Content is not { } content || found is not { } opened)
        {
            // Of a version that was named and is not there, nothing can be made.
            return new Opened(found?.Secret, found?.Version ?? 0, IsUnmade: ask.Content?.Version is not null);
        }

        try
        {
            var made = content.Make(opened.Secret, new SecretName(caller.Tenant, ask.Key, opened.Version));
            return new Opened(made, opened.Version, IsUnmade: made is null);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(opened.Secret);
        }
    }

    // Under the policy as it is before the transaction; the transaction then requires that it is still the same.
    private async Task<Judgement> JudgeAsync(ReleaseAsk ask, string tenant, CancellationToken cancellation)
    {
        if (await keys.OpenAsync(tenant, ask.Key, cancellation).ConfigureAwait(false) is not { Policy: { } policy, PolicyVersion: var policyVersion } record)
        {
            return new Judgement();
        }

        var compiled = judge.Compile(tenant, ask.Key, policy);
        var judged = ask.Nras is { } nras ? judge.Judge(nras, compiled, ask.Challenge)
            : ask.Token is { } token ? judge.Judge(token, ask.Key, compiled, ask.Challenge)
            : await judge.JudgeAsync(ask.Key, compiled, ask.Evidence!, ask.Challenge, record.IsDerived, cancellation).ConfigureAwait(false);
        return judged with
        {
            Policy = policy,
            PolicyVersion = policyVersion,
            PolicyDigest = compiled.Digest.ToString(),
            Use = record.Use,
            Recipient = judged.Recipient is { } recipient && ask.Form.Takes(recipient) ? recipient : null,
            Manifest = compiled.Manifest,
            IsBootPhase = compiled.IsBootPhase,
        };
    }

    private static string SubjectOf(string id, string boot) => $"boot/{id}/{boot}";

    private async Task<string?> WhyNotAsync(KeyRecord? record, Judgement judged, ReleaseAsk ask, string tenant, LogTurn turn) =>
        record is null ? "no-such-key"
        : record.Use != ask.Content?.Use ? "other-use"
        : record.State != KeyStore.Enabled ? $"key-{record.State}"
        : record.Policy is null ? "no-policy"
        : await freezes.FrozenByAsync(tenant, ask.Key, turn).ConfigureAwait(false) is { } freeze ? $"frozen:{freeze}"
        : record.Policy != judged.Policy || record.PolicyVersion != judged.PolicyVersion ? "policy-changed"
        : !judged.Passed ? "evidence-refused"
        : !judged.Unaccepted.IsEmpty ? "verdict-weakened"
        : !judged.Unmet.IsEmpty ? "conditions-unmet"
        : judged.Manifest is { } manifest && turn.Last(tenant, ManifestEndpoints.SubjectOf(manifest)) is null ? ManifestEndpoints.NotLogged
        : judged.Recipient is null ? "no-key-to-seal-to"
        : record.IsDerived && judged.Image is null ? "no-image"
        : judged.IsBootPhase && judged.Boot is null ? "no-boot"
        : judged.Boot is { } boot && turn.Last(tenant, SubjectOf(ask.Key, boot)) is not null ? "boot-had-it"
        : null;

    private AuditEvent Entry(ReleaseAsk ask, Judgement judged, KeyRecord? record, long version, string? image, string? why, Caller caller, string requestId)
    {
        var entry = new AuditEvent(BrokerEntries.Release, caller.Tenant, caller.Subject, why is null ? AuditOutcome.Allowed : why == Unavailable ? AuditOutcome.Failed : AuditOutcome.Denied)
            .With("key", ask.Key).With("protocol", ask.Protocol).With("resource", ask.Resource).With("version", version).With("image", image).With("phase", judged.IsBootPhase ? "boot" : null).With("boot", judged.Boot).With("why", why).With("policyVersion", record?.PolicyVersion ?? 0)
            .With("policyDigest", judged.PolicyDigest).With("evidenceDigest", ask.EvidenceDigest.ToString())
            .With("verdict", judged.Word).With("binding", judged.Binding).With("tier", judged.Tier).With("anchors", judged.Anchors)
            .With("issuer", judged.Issuer).With("issuersPolicy", judged.IssuersPolicy).With("token", judged.TokenId)
            .With("weakened", judged.Weakened).With("unaccepted", judged.Unaccepted).With("failed", judged.Failed)
            .With("recipient", judged.Recipient?.Thumbprint).With("tee", judged.Tee).With("devices", judged.Devices)
            .With("certificates", judged.Certificates)
            .With("verifier", terms.Issuer.ToString()).With("request", requestId);
        return ask.Content?.Tell(entry) ?? entry;
    }

    // Before the decision: the secret, or what was made of it.
    private sealed record Opened(byte[]? Secret = null, long Version = 0, bool IsUnavailable = false, bool IsUnmade = false);

    private static partial class Log
    {
        [LoggerMessage(2031, LogLevel.Error, "the key {Key} could not be released under version {PolicyVersion} of its policy, tenant \"{Tenant}\", requester {Requester}: the key encryption key does not answer: {Reason}, request {RequestId}")]
        public static partial void Unavailable(ILogger logger, string key, long policyVersion, string tenant, string requester, string reason, string requestId);
    }
}
