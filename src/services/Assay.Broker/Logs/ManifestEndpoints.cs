using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Assay.Broker.Release;
using Assay.Checks;
using Assay.Reference.Manifest;
using Assay.Service.Audit;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Judging;
using Assay.Service.Log;
using Assay.Trust.Jose;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Logs;

/// <summary>A manifest of reference values, as <c>assay measure</c> writes it.</summary>
/// <param name="Manifest">An object, or the text of a signed one.</param>
/// <param name="Keys">The keys that may sign it, a JWK set; null: it is unsigned.</param>
public sealed record ManifestRequest(JsonElement Manifest, JsonElement? Keys = null);

/// <summary>A manifest that is in the log.</summary>
/// <param name="Digest">SHA-384: of a signed one its text, of an unsigned one its JSON without white space.</param>
/// <param name="LogPosition">Where.</param>
public sealed record ManifestAnswer(string Digest, long LogPosition);

/// <summary>
/// Manifests of images in the log, before a policy with <c>manifestLogged</c> releases to one of their images: so no image gets a key that the log's auditors
/// were not told of.
/// </summary>
internal static class ManifestEndpoints
{
    /// <summary>The reason of a denial.</summary>
    public const string NotLogged = "manifest-not-logged";

    private const int MostBytes = 1024 * 1024;
    private const int MostNames = 100;
    private const int MostNameCharacters = 8000;

    public static string SubjectOf(Digest manifest) => $"manifest/{manifest}";

    public static void MapManifests(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/manifests", PublishAsync).RequireScope(Scopes.Broker).WithTags("Log").WithMetadata(new BodyLimit(MostBytes)).WithSummary("Puts a manifest of reference values into the log: its digest, and the names of its images.");

    private static async Task<Results<Created<ManifestAnswer>, ProblemHttpResult>> PublishAsync(ManifestRequest request, ClaimsPrincipal user, TransparencyLog log, ReleaseJudge judge, CancellationToken cancellation)
    {
        JsonWebKeySet? keys = null;
        if (request.Keys is { } set && !JsonWebKeySet.TryParse(Encoding.UTF8.GetBytes(set.GetRawText()), out keys, out var fault))
        {
            return Problems.Of(BrokerProblems.ManifestRefused, $"keys: {fault}");
        }

        if (request.Manifest.ValueKind is not (JsonValueKind.Object or JsonValueKind.String))
        {
            return Problems.Of(BrokerProblems.ManifestRefused, "manifest: an object, or the text of a signed manifest, is expected");
        }

        var bytes = Encoding.UTF8.GetBytes(request.Manifest.ValueKind is JsonValueKind.String ? request.Manifest.GetString()! : request.Manifest.GetRawText());
        if (!ReferenceValues.TryRead(bytes, keys, judge.Now(), 0, out var values, out var findings))
        {
            return Problems.Of(BrokerProblems.ManifestRefused, string.Join("; ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}")));
        }

        var (caller, digest) = (Caller.Of(user), CompiledExpectations.DigestOf(request.Manifest));
        var names = values.Tdx.Select(image => image.Name).Concat(values.Snp.Select(image => image.Name)).Concat(values.Tpm.Select(image => image.Name)).Distinct(StringComparer.Ordinal).ToArray();
        if (names.Length > MostNames || names.Sum(name => name.Length) > MostNameCharacters || values.GpuPolicies.Length > MostNames)
        {
            // An auditor is told of all of them, or the manifest is not published.
            return Problems.Of(BrokerProblems.ManifestRefused, $"at most {MostNames} images, with names of {MostNameCharacters} characters together, and {MostNames} gate policies are expected: an entry of the log names all of them");
        }

        var entry = new AuditEvent(BrokerEntries.Manifest, caller.Tenant, caller.Subject, AuditOutcome.Allowed)
            .With("digest", digest.ToString()).With("signed", values.IsSigned ? "true" : "false").With("sequence", values.Manifest.Sequence).With("images", names).With("gpuPolicies", values.GpuPolicies.Select(policy => policy.ToString()));
        var receipt = await log.AppendAsync(_ => Task.FromResult(new LogDecision(entry, SubjectOf(digest))), cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new ManifestAnswer(digest.ToString(), receipt.Position));
    }
}
