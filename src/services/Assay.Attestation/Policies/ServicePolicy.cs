using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Service.Http;
using Assay.Service.Judging;
using Assay.Service.Keys;
using Assay.Wire;

namespace Assay.Attestation.Policies;

/// <summary>
/// What a relying party expects, as its tenant writes it: JSON, unknown members refused (docs/reference/service.md). The audience of a request
/// chooses it, and nothing else of the request does (S-20).
/// </summary>
public sealed record ServicePolicy
{
    /// <summary>Of one document.</summary>
    public const int MostBytes = 4 * 1024 * 1024;

    /// <summary>1.</summary>
    public required int Version { get; init; }

    /// <summary>Its name, of all tenants' policies the only one: a–z, 0–9, hyphen and dot, at most 64.</summary>
    public required string Id { get; init; }

    /// <summary>What it is for, in words.</summary>
    public string? Description { get; init; }

    /// <summary>For whom tokens are written under it.</summary>
    public required ImmutableArray<string> Audiences { get; init; }

    /// <summary>What evidence must show.</summary>
    public required PolicyExpectations Expect { get; init; }

    /// <summary>A Rego policy that decides beside the expectations; null: everything must hold.</summary>
    public PolicyRego? Rego { get; init; }

    /// <summary>What is written.</summary>
    public PolicyToken Token { get; init; } = new();

    /// <summary>Evidence with the verdict that it must get. A policy is activated only after at least one of them, and all of them, passed.</summary>
    public ImmutableArray<PolicyTest> Tests { get; init; } = [];

    /// <summary>Reads a document.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out ServicePolicy? document, [NotNullWhen(false)] out string? fault)
    {
        document = null;
        fault = null;
        if (json.Length > MostBytes)
        {
            fault = $"larger than {MostBytes} bytes";
            return false;
        }

        try
        {
            document = JsonSerializer.Deserialize<ServicePolicy>(json, StrictJsonOptions.Value);
            fault = document is null ? "an object is expected" : document.WhyNot();
        }
        catch (JsonException exception)
        {
            // Path and place, and no content.
            fault = StrictJsonOptions.WhyNot(exception);
        }

        document = fault is null ? document : null;
        return document is not null;
    }

    /// <summary>SHA-384 of its bytes.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> json) => new(SHA384.HashData(json));

    private string? WhyNot() =>
        Version != 1 ? "$.version: 1 is expected"
        : !ResourceName.WasValid(Id) ? $"$.id: {ResourceName.Expected}"
        : Audiences.IsDefaultOrEmpty ? "$.audiences: at least one is expected"
        : Audiences.Any(audience => audience is not { Length: > 0 and <= 512 } || !Ascii.IsValid(audience) || audience.Any(char.IsControl)) ? "$.audiences: each is 1 to 512 printable ASCII characters"
        : Audiences.Distinct(StringComparer.Ordinal).Count() != Audiences.Length ? "$.audiences: one stands twice"
        : Audiences.Any(audience => audience.StartsWith(AttestationService.NrasAudience, StringComparison.Ordinal)) ? $"$.audiences: {AttestationService.NrasAudience} is the audience of NVIDIA's paths"
        : Expect.WhyNot() ?? Token.WhyNot() ?? Tests.Select((test, index) => test.WhyNot(index)).FirstOrDefault(fault => fault is not null);
}

/// <summary>What is written about a machine that passed.</summary>
public sealed record PolicyToken
{
    /// <summary><c>eat</c>, <c>ear-nvidia</c>, <c>ear-trustee</c>, <c>bundle</c> (NVIDIA's detached EAT bundle) or <c>cloud</c>.</summary>
    public string Form { get; init; } = "eat";

    /// <summary>Of the form <c>cloud</c> alone: whose token it is, and what that cloud sees.</summary>
    public PolicyCloud? Cloud { get; init; }

    /// <summary>One of <see cref="SigningKeys.Algorithms"/>.</summary>
    public string Algorithm { get; init; } = "ES384";

    /// <summary>The version of NVIDIA's claims: 4.0, 3.0, 2.0.</summary>
    public string Claims { get; init; } = "4.0";

    /// <summary>From 60 to 86400.</summary>
    public int LifetimeSeconds { get; init; } = 3600;

    internal string? WhyNot() =>
        Form is not ("eat" or "ear-nvidia" or "ear-trustee" or "bundle" or "cloud") ? "$.token.form: eat, ear-nvidia, ear-trustee, bundle or cloud is expected"
        : Form is "cloud" != Cloud is not null ? "$.token.cloud: it goes with the form cloud, and with no other"
        : !SigningKeys.Algorithms.Contains(Algorithm) ? $"$.token.algorithm: one of {string.Join(", ", SigningKeys.Algorithms)} is expected"
        : AttestationService.ClaimsOf(Claims) is null ? "$.token.claims: 4.0, 3.0 or 2.0 is expected"
        : LifetimeSeconds is < 60 or > 86_400 ? "$.token.lifetimeSeconds: 60 to 86400 are expected"
        : null;
}

/// <summary>A token that a cloud exchanges for credentials (docs/reference/clouds.md). It is a bearer credential, so it is handed over as a JWE to the attested key (S-21).</summary>
public sealed record PolicyCloud
{
    /// <summary><c>aws</c>, <c>gcp</c>, <c>azure</c> or <c>vault</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The subject's template; null: the default.</summary>
    public string? Subject { get; init; }

    /// <summary>Names in the cloud, and the claims that they have.</summary>
    public ImmutableArray<PolicyCloudClaim> Attributes { get; init; } = [];
}

/// <summary>An attribute as a cloud sees it.</summary>
/// <param name="Name">There.</param>
/// <param name="Claim">Of the token.</param>
/// <param name="Transitive">Of AWS: whether it stays with roles that are assumed from the session.</param>
public sealed record PolicyCloudClaim(string Name, string Claim, bool Transitive = false);
