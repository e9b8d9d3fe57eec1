using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Service.Audit;
using Assay.Service.Storage;
using Assay.Trust.Tpm;
using Assay.Wire;
using Dapper;

namespace Assay.Attestation.Tpm;

/// <summary>An endorsement key that a tenant enrolled.</summary>
public sealed class EndorsementKeyRow
{
    /// <summary>SHA-256 of its TPMT_PUBLIC, hexadecimal.</summary>
    public string Sha256 { get; set; } = "";

    /// <summary>What the tenant calls the machine.</summary>
    public string Name { get; set; } = "";

    /// <summary>When, milliseconds since 1970.</summary>
    public long EnrolledAt { get; set; }

    /// <summary>By whom.</summary>
    public string EnrolledBy { get; set; } = "";
}

/// <summary>An attestation key that was found in the TPM of an enrolled endorsement key.</summary>
public sealed class AttestationKeyRow
{
    /// <summary>Its Name (nameAlg ‖ digest of TPMT_PUBLIC), hexadecimal.</summary>
    public string Name { get; set; } = "";

    /// <summary>SHA-256 of the endorsement key's TPMT_PUBLIC.</summary>
    public string EndorsementKey { get; set; } = "";

    /// <summary>When, milliseconds since 1970.</summary>
    public long ActivatedAt { get; set; }

    /// <summary>Who answered.</summary>
    public string ActivatedBy { get; set; } = "";
}

/// <summary>
/// Which keys of TPMs a tenant believes. It enrols endorsement keys; an attestation key follows from an activated credential, which is redeemed
/// once, by the caller that asked for it, however many processes and clients try. Removing an endorsement key removes the keys activated under it.
/// </summary>
public sealed class TpmKeyStore(ServiceDatabase database, GroupCommit commits, AttestationTerms terms, TimeProvider clock)
{
    private const int MostListed = 1000;

    private const string Enrol =
        "INSERT INTO tpm_endorsement_key (tenant, sha256, name, enrolled_at, enrolled_by) VALUES (@Tenant, @Sha256, @Name, @Now, @Actor) ON CONFLICT (tenant, sha256) DO UPDATE SET name = excluded.name";

    private const string Insert =
        "INSERT INTO tpm_credential (id, tenant, actor, endorsement_key, attestation_key, secret_sha256, expires_at) VALUES (@Id, @Tenant, @Actor, @EndorsementKey, @AttestationKey, @SecretSha256, @ExpiresAt) RETURNING id";

    private const string Redeem =
        "UPDATE tpm_credential SET redeemed_at = @Now WHERE id = @Id AND tenant = @Tenant AND actor = @Actor AND redeemed_at IS NULL AND expires_at > @Now "
        + "RETURNING endorsement_key, attestation_key, secret_sha256";

    // Only while the endorsement key is enrolled: it may have been removed since the credential was made.
    private const string Activate =
        "INSERT INTO tpm_attestation_key (tenant, name, endorsement_key, activated_at, activated_by) "
        + "SELECT tenant, @Name, sha256, @Now, @Actor FROM tpm_endorsement_key WHERE tenant = @Tenant AND sha256 = @EndorsementKey "
        + "ON CONFLICT (tenant, name) DO UPDATE SET endorsement_key = excluded.endorsement_key, activated_at = excluded.activated_at, activated_by = excluded.activated_by";

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Enrols an endorsement key, or names it anew.</summary>
    public Task EnrolAsync(string tenant, Digest sha256, string name, string actor, CancellationToken cancellation) => commits.CommitAsync(
        new AuditEvent("tpm-endorsement-key.enrol", tenant, actor, AuditOutcome.Allowed).With("key", sha256.ToString()).With("name", name),
        (connection, transaction) => connection.ExecuteAsync(Enrol, new { Tenant = tenant, Sha256 = sha256.ToString(), Name = name, Now, Actor = actor }, transaction), cancellation);

    /// <summary>Removes an endorsement key and the attestation keys activated under it. Returns false if it was not enrolled.</summary>
    public async Task<bool> RemoveAsync(string tenant, string sha256, string actor, CancellationToken cancellation)
    {
        if (!await IsEnrolledAsync(tenant, sha256, cancellation).ConfigureAwait(false))
        {
            return false;
        }

        await commits.CommitAsync(
            new AuditEvent("tpm-endorsement-key.remove", tenant, actor, AuditOutcome.Allowed).With("key", sha256),
            // The attestation keys go by the schema's cascade: also one that another process is about to write.
            (connection, transaction) => connection.ExecuteAsync("DELETE FROM tpm_endorsement_key WHERE tenant = @tenant AND sha256 = @sha256", new { tenant, sha256 }, transaction),
            cancellation).ConfigureAwait(false);
        return true;
    }

    /// <summary>Whether a tenant enrolled this endorsement key.</summary>
    public async Task<bool> IsEnrolledAsync(string tenant, string sha256, CancellationToken cancellation) => await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>(new CommandDefinition(
        "SELECT COUNT(*) FROM tpm_endorsement_key WHERE tenant = @tenant AND sha256 = @sha256", new { tenant, sha256 }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false) == 1;

    /// <summary>The endorsement keys of a tenant.</summary>
    public async Task<ImmutableArray<EndorsementKeyRow>> EnrolledAsync(string tenant, CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<EndorsementKeyRow>(new CommandDefinition(
            $"SELECT sha256, name, enrolled_at, enrolled_by FROM tpm_endorsement_key WHERE tenant = @tenant ORDER BY name, sha256 LIMIT {MostListed}", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    /// <summary>The attestation keys of a tenant, the latest first.</summary>
    public async Task<ImmutableArray<AttestationKeyRow>> ActivatedAsync(string tenant, CancellationToken cancellation) =>
        [.. await database.ReadAsync(connection => connection.QueryAsync<AttestationKeyRow>(new CommandDefinition(
            $"SELECT name, endorsement_key, activated_at, activated_by FROM tpm_attestation_key WHERE tenant = @tenant ORDER BY activated_at DESC LIMIT {MostListed}", new { tenant }, cancellationToken: cancellation)), cancellation).ConfigureAwait(false)];

    /// <summary>Keeps a credential until its answer. Returns its id, and when it is too late.</summary>
    public async Task<(string Id, DateTimeOffset ExpiresAt)> KeepAsync(string tenant, string actor, TpmCredential credential, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(credential);
        var (id, ends) = (Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), clock.GetUtcNow() + terms.ChallengeLife);
        await database.WriteOneAsync<string>(Insert, new
        {
            Id = id,
            Tenant = tenant,
            Actor = actor,
            EndorsementKey = credential.EndorsementKey.ToString(),
            credential.AttestationKey,
            SecretSha256 = credential.SecretDigest.ToString(),
            ExpiresAt = ends.ToUnixTimeMilliseconds(),
        }, cancellation).ConfigureAwait(false);
        return (id, ends);
    }

    /// <summary>
    /// Takes an answer, once: an attempt that fails has used the credential up. Null where there is no such credential of this caller, it was answered, it
    /// expired, the answer is wrong, or the endorsement key is no longer enrolled. The caller cannot tell these cases apart; the audit log can.
    /// </summary>
    public async Task<AttestationKeyRow?> ActivateAsync(string id, string tenant, string actor, byte[] answer, CancellationToken cancellation)
    {
        var waiting = await database.WriteOneAsync<Waiting>(Redeem, new { Id = id, Tenant = tenant, Actor = actor, Now }, cancellation).ConfigureAwait(false);
        if (waiting is null)
        {
            return null;
        }

        var entry = new AuditEvent("tpm-attestation-key.activate", tenant, actor, AuditOutcome.Denied).With("key", waiting.AttestationKey).With("endorsementKey", waiting.EndorsementKey);
        if (!TpmCredential.IsConfirmed(answer, new Digest(Convert.FromHexString(waiting.SecretSha256))))
        {
            await commits.CommitAsync(entry.With("why", "the answer is not the secret"), null, cancellation).ConfigureAwait(false);
            return null;
        }

        var row = new AttestationKeyRow { Name = waiting.AttestationKey, EndorsementKey = waiting.EndorsementKey, ActivatedAt = Now, ActivatedBy = actor };
        try
        {
            await commits.CommitAsync(
                new AuditEvent("tpm-attestation-key.activate", tenant, actor, AuditOutcome.Allowed).With("key", row.Name).With("endorsementKey", row.EndorsementKey),
                async (connection, transaction) =>
                {
                    var written = await connection.ExecuteAsync(Activate, new { Tenant = tenant, row.Name, row.EndorsementKey, Now = row.ActivatedAt, Actor = actor }, transaction).ConfigureAwait(false);
                    if (written != 1)
                    {
                        // Neither the row nor the entry that says it was allowed is to hold.
                        throw new EndorsementKeyRemovedException();
                    }
                },
                cancellation).ConfigureAwait(false);
            return row;
        }
        catch (EndorsementKeyRemovedException)
        {
            await commits.CommitAsync(entry.With("why", "the endorsement key was removed"), null, cancellation).ConfigureAwait(false);
            return null;
        }
    }

    /// <summary>Removes credentials whose time is over, some at a time.</summary>
    public Task<int> PurgeAsync(CancellationToken cancellation) => database.WriteAsync(
        (connection, transaction) => connection.ExecuteAsync("DELETE FROM tpm_credential WHERE id IN (SELECT id FROM tpm_credential WHERE expires_at < @Now LIMIT 1000)", new { Now }, transaction), cancellation);

    private sealed class EndorsementKeyRemovedException : Exception;

    private sealed class Waiting
    {
        public string EndorsementKey { get; set; } = "";

        public string AttestationKey { get; set; } = "";

        public string SecretSha256 { get; set; } = "";
    }
}
