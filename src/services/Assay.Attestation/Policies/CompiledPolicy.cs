using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Policy;
using Assay.Service.Judging;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Wire;

namespace Assay.Attestation.Policies;

/// <summary>A version of a policy, ready to judge. Immutable, for any number of threads.</summary>
public sealed class CompiledPolicy
{
    private CompiledPolicy(string tenant, long version, ServicePolicy document, Digest digest, CompiledExpectations expectations)
    {
        (Tenant, Version, Document, Digest, Expectations) = (tenant, version, document, digest, expectations);
        Identity = new PolicyIdentity(document.Id, version.ToString(System.Globalization.CultureInfo.InvariantCulture), digest);
    }

    /// <summary>Whose it is.</summary>
    public string Tenant { get; }

    /// <summary>From 1.</summary>
    public long Version { get; }

    /// <summary>What it says.</summary>
    public ServicePolicy Document { get; }

    /// <summary>SHA-384 of the document.</summary>
    public Digest Digest { get; }

    /// <summary>What evidence must show.</summary>
    public CompiledExpectations Expectations { get; }

    /// <summary>What tokens say of it.</summary>
    public PolicyIdentity Identity { get; }

    /// <summary>The cloud whose tokens it writes; null: none.</summary>
    public CloudProfile? Cloud { get; private init; }

    /// <summary>Reads and compiles a document.</summary>
    public static bool TryCompile(string tenant, long version, ReadOnlySpan<byte> json, [NotNullWhen(true)] out CompiledPolicy? policy, [NotNullWhen(false)] out string? fault)
    {
        policy = null;
        if (!ServicePolicy.TryParse(json, out var document, out fault))
        {
            return false;
        }

        CloudProfile? cloud = null;
        if (document.Token.Cloud is not null && !TryProfile(document, out cloud, out fault))
        {
            return false;
        }

        policy = CompiledExpectations.TryCompile(document.Expect, document.Rego, out var expectations, out fault)
            ? new CompiledPolicy(tenant, version, document, ServicePolicy.DigestOf(json), expectations) { Cloud = cloud } : null;
        return policy is not null;
    }

    /// <summary>Who decides about the claims.</summary>
    public VerdictTerms Terms(string issuer) => new()
    {
        Policy = Expectations.Policy(Document.Id),
        Claims = AttestationService.ClaimsOf(Document.Token.Claims)!.Value,
        Issuer = issuer,
    };

    /// <summary>The weakenings of a verdict that this policy does not accept.</summary>
    public ImmutableArray<string> Unaccepted(Verdict verdict) => Expectations.Unaccepted(verdict);

    private static bool TryProfile(ServicePolicy document, [NotNullWhen(true)] out CloudProfile? profile, [NotNullWhen(false)] out string? fault)
    {
        (profile, fault) = (null, null);
        var cloud = document.Token.Cloud!;
        var kind = cloud.Kind switch { "aws" => CloudKind.Aws, "gcp" => CloudKind.Gcp, "azure" => CloudKind.Entra, "vault" => CloudKind.Vault, _ => CloudKind.None };
        if (kind is CloudKind.None || document.Audiences.Length != 1 || cloud.Attributes.IsDefault)
        {
            fault = "$.token.cloud: kind aws, gcp, azure or vault, and exactly one audience of the policy, are expected";
            return false;
        }

        var terms = new CloudProfileTerms
        {
            Cloud = kind,
            Audience = document.Audiences[0],
            Subject = cloud.Subject ?? CloudProfile.DefaultSubject,
            Attributes = [.. cloud.Attributes.Select(attribute => new CloudMapping(attribute.Name, attribute.Claim) { IsTransitive = attribute.Transitive })],
            DangerouslyAcceptedWeakenings = document.Expect.AcceptWeakened,
        };
        fault = CloudProfile.TryCreate(terms, out profile, out var problem) ? null : $"$.token.cloud: {problem}";
        return profile is not null;
    }
}
