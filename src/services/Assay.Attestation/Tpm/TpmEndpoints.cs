using System.Collections.Immutable;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Trust.Tpm;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Tpm;

/// <summary>An endorsement key to enrol.</summary>
/// <param name="Name">What the tenant calls the machine: 1 to 128 characters.</param>
/// <param name="PublicArea">TPM2B_PUBLIC, as <c>tpm2_createek -u</c> writes it.</param>
public sealed record EndorsementKeyRequest(string Name, byte[] PublicArea);

/// <summary>The key that was enrolled.</summary>
/// <param name="Sha256">SHA-256 of its TPMT_PUBLIC.</param>
/// <param name="Name">Its name.</param>
public sealed record EndorsementKeyAnswer(string Sha256, string Name);

/// <summary>Two keys that are said to be in one TPM.</summary>
/// <param name="EndorsementKey">TPM2B_PUBLIC of a key that the tenant enrolled.</param>
/// <param name="AttestationKey">TPM2B_PUBLIC of the key that wants to be believed.</param>
public sealed record CredentialRequest(byte[] EndorsementKey, byte[] AttestationKey);

/// <summary>A credential, which only that TPM opens, and only with that attestation key.</summary>
/// <param name="Id">Sent back with the secret.</param>
/// <param name="AttestationKey">The Name of the attestation key, hexadecimal.</param>
/// <param name="CredentialBlob">TPMS_ID_OBJECT.</param>
/// <param name="EncryptedSecret">The content of TPM2B_ENCRYPTED_SECRET.</param>
/// <param name="CredentialFile">Both, in the file that <c>tpm2_activatecredential</c> reads.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record CredentialAnswer(string Id, string AttestationKey, byte[] CredentialBlob, byte[] EncryptedSecret, byte[] CredentialFile, DateTimeOffset ExpiresAt);

/// <summary>What TPM2_ActivateCredential gave.</summary>
/// <param name="Credential">The credential's id.</param>
/// <param name="Secret">Its 32 bytes.</param>
public sealed record ActivationRequest(string Credential, byte[] Secret);

/// <summary>An attestation key that is in the TPM of an enrolled endorsement key.</summary>
/// <param name="Name">Its Name, hexadecimal.</param>
/// <param name="EndorsementKey">SHA-256 of the endorsement key's TPMT_PUBLIC.</param>
/// <param name="Root"><c>ek-activated</c> (S-9).</param>
/// <param name="ActivatedAt">When.</param>
/// <param name="Statement">The same, signed (<c>typ</c> <c>assay-tpm-key+jws</c>), with <c>iss</c>, <c>iat</c> and <c>exp</c>.</param>
/// <param name="ExpiresAt">When the statement ends; the service itself believes the key until the endorsement key is removed.</param>
public sealed record ActivationAnswer(string Name, string EndorsementKey, string Root, DateTimeOffset ActivatedAt, string Statement, DateTimeOffset ExpiresAt);

/// <summary>
/// Credential activation (TPM 2.0 Library, Part 1 §24). It shows that two keys are in one TPM; that this TPM is genuine is the tenant's word, who enrolled
/// its endorsement key. What runs on the machine, and whether it is a confidential VM, it does not show (S-9).
/// </summary>
internal static class TpmEndpoints
{
    /// <summary>The media type of the signed statement, without <c>application/</c>.</summary>
    public const string StatementType = "assay-tpm-key+jws";

    private const string Root = "ek-activated";
    private const int LongestName = 128;
    private static readonly TimeSpan s_statementLife = TimeSpan.FromHours(24);

    public static void MapTpm(this IEndpointRouteBuilder routes)
    {
        var tpm = routes.MapGroup("/v1/tpm").WithTags("TPM");
        tpm.MapPost("/endorsement-keys", EnrolAsync).RequireScope(Scopes.Policy).WithSummary("Enrols the endorsement key of a TPM that the tenant knows.");
        tpm.MapGet("/endorsement-keys", EnrolledAsync).RequireScope(Scopes.Read).WithSummary("The endorsement keys that the tenant enrolled.");
        tpm.MapDelete("/endorsement-keys/{sha256}", RemoveAsync).RequireScope(Scopes.Policy).WithSummary("Removes an endorsement key, and every attestation key that rests on it.");
        tpm.MapPost("/credentials", MakeAsync).RequireScope(Scopes.Attest).WithSummary("A credential for an attestation key, for one answer, short of life.");
        tpm.MapPost("/activate", ActivateAsync).RequireScope(Scopes.Attest).WithSummary("Takes the secret of a credential, and states that the attestation key is in the TPM of the endorsement key.");
        tpm.MapGet("/attestation-keys", ActivatedAsync).RequireScope(Scopes.Read).WithSummary("The attestation keys of the tenant that were activated.");
    }

    private static async Task<Results<Created<EndorsementKeyAnswer>, ProblemHttpResult>> EnrolAsync(EndorsementKeyRequest request, ClaimsPrincipal user, TpmKeyStore keys, CancellationToken cancellation)
    {
        if (request.Name.Length is 0 or > LongestName || request.Name.Any(char.IsControl))
        {
            return Problems.Of(Problems.BadRequest, $"name: 1 to {LongestName} characters are expected, none of them a control character");
        }

        if (!TpmCredential.TryDigest(request.PublicArea, out var digest, out var whyNot))
        {
            return Problems.Of(AttestationProblems.TpmKeyRefused, $"publicArea: {whyNot}");
        }

        var caller = Caller.Of(user);
        await keys.EnrolAsync(caller.Tenant, digest, request.Name, caller.Subject, cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new EndorsementKeyAnswer(digest.ToString(), request.Name));
    }

    private static async Task<Ok<ImmutableArray<EndorsementKeyRow>>> EnrolledAsync(ClaimsPrincipal user, TpmKeyStore keys, CancellationToken cancellation) =>
        TypedResults.Ok(await keys.EnrolledAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false));

    private static async Task<Results<NoContent, ProblemHttpResult>> RemoveAsync(string sha256, ClaimsPrincipal user, TpmKeyStore keys, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        return await keys.RemoveAsync(caller.Tenant, sha256, caller.Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent() : Problems.Of(Problems.NotFound);
    }

    private static async Task<Results<Created<CredentialAnswer>, ProblemHttpResult>> MakeAsync(CredentialRequest request, ClaimsPrincipal user, TpmKeyStore keys, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        ImmutableArray<Digest> enrolled =
            TpmCredential.TryDigest(request.EndorsementKey, out var digest, out _) && await keys.IsEnrolledAsync(caller.Tenant, digest.ToString(), cancellation).ConfigureAwait(false) ? [digest] : [];
        if (!TpmCredential.TryMake(request.EndorsementKey, request.AttestationKey, enrolled, RandomNumberGenerator.Fill, out var credential, out var whyNot))
        {
            return Problems.Of(AttestationProblems.TpmKeyRefused, whyNot);
        }

        var (id, ends) = await keys.KeepAsync(caller.Tenant, caller.Subject, credential, cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new CredentialAnswer(id, credential.AttestationKey, credential.CredentialBlob.ToArray(), credential.EncryptedSecret.ToArray(), credential.ToFile(), ends));
    }

    private static async Task<Results<Ok<ActivationAnswer>, ProblemHttpResult>> ActivateAsync(
        ActivationRequest request, ClaimsPrincipal user, TpmKeyStore keys, SigningKeys signing, AttestationTerms terms, TimeProvider clock, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        if (await keys.ActivateAsync(request.Credential, caller.Tenant, caller.Subject, request.Secret, cancellation).ConfigureAwait(false) is not { } row)
        {
            return Problems.Of(AttestationProblems.CredentialNotActivated);
        }

        var issued = clock.GetUtcNow();
        var ends = issued + s_statementLife;
        var statement = JsonSerializer.SerializeToUtf8Bytes(
            new { iss = terms.Issuer.ToString(), iat = issued.ToUnixTimeSeconds(), exp = ends.ToUnixTimeSeconds(), tenant = caller.Tenant, root = Root, name = row.Name, endorsementKey = row.EndorsementKey }, StrictJsonOptions.Value);
        return TypedResults.Ok(new ActivationAnswer(
            row.Name, row.EndorsementKey, Root, DateTimeOffset.FromUnixTimeMilliseconds(row.ActivatedAt), signing.Current("ES384").SignStatement(StatementType, statement), ends));
    }

    private static async Task<Ok<ImmutableArray<AttestationKeyRow>>> ActivatedAsync(ClaimsPrincipal user, TpmKeyStore keys, CancellationToken cancellation) =>
        TypedResults.Ok(await keys.ActivatedAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false));
}
