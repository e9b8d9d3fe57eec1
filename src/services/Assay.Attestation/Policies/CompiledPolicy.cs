using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Policies;
using Assay.Policy;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Attestation.Policies;

/// <summary>A version of a policy, ready to judge: its Rego compiled and its keys read. Immutable, for any number of threads.</summary>
public sealed class CompiledPolicy
{
    private readonly byte[]? _references;
    private readonly JsonWebKeySet? _referenceKeys;
    private readonly RegoPolicy? _rego;
    private ReadReferences? _read;

    private CompiledPolicy(string tenant, long version, ServicePolicy document, Digest digest, byte[]? references, JsonWebKeySet? keys, RegoPolicy? rego)
    {
        (Tenant, Version, Document, Digest, _references, _referenceKeys, _rego) = (tenant, version, document, digest, references, keys, rego);
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

        var references = document.Expect.ReferenceValues is { } values ? BytesOf(values) : null;
        JsonWebKeySet? keys = null;
        if (document.Expect.ReferenceKeys is { } set && !JsonWebKeySet.TryParse(BytesOf(set), out keys, out var problem))
        {
            fault = $"$.expect.referenceKeys: {problem}";
            return false;
        }

        RegoPolicy? rego = null;
        CloudProfile? cloud = null;
        if (document.Token.Cloud is not null && !TryProfile(document, out cloud, out fault))
        {
            return false;
        }

        if (document.Expect.DangerouslyAcceptTcb.FirstOrDefault(word => !Enum.TryParse<TcbStatus>(word, out _)) is { } unknown)
        {
            fault = $"$.expect.dangerouslyAcceptTcb: {Printable.Of(unknown)} is no TCB status";
        }
        else if (document.Rego is { } source && !TryCompile(source, out rego, out fault))
        {
            fault = $"$.rego: {fault}";
        }

        policy = fault is null ? new CompiledPolicy(tenant, version, document, ServicePolicy.DigestOf(json), references, keys, rego) { Cloud = cloud } : null;
        return policy is not null;
    }

    /// <summary>Who decides about the claims.</summary>
    public VerdictTerms Terms(string issuer) => new()
    {
        Policy = _rego?.Named(Document.Id) ?? RelyingPartyPolicy.Default,
        Claims = AttestationService.ClaimsOf(Document.Token.Claims)!.Value,
        Issuer = issuer,
    };

    /// <summary>What is expected of a machine that answers this challenge now; null with a reason where the reference values no longer hold.</summary>
    public MachineExpectations? Expectations(EvaluationTime time, TrustSet trust, string? challenge, bool hasKey, out string? fault)
    {
        var expect = Document.Expect;
        var references = References(time, out fault);
        if (fault is not null)
        {
            return null;
        }

        return new MachineExpectations
        {
            Basis = new TrustBasis(time, trust, expect.DangerouslySkipRevocation ? RevocationChecking.DangerouslySkipped : RevocationChecking.Required),
            Challenge = hasKey ? challenge : null,
            Nonce = !hasKey && Nonce.TryParse(challenge, out var nonce, out _) ? nonce : null,
            References = references,
            Gpus = expect.Gpus,
            Switches = expect.Switches,
            RequireProcessor = expect.Processor,
            RequiredBinding = expect.Binding is "boot-event" ? GpuBinding.BootEvent : null,
            DangerouslyAcceptedBinding = expect.Binding switch { "evidence-hash" => GpuBinding.EvidenceHash, "none" => GpuBinding.None, _ => null },
            RequireSecureBoot = expect.SecureBoot,
            RequireLog = expect.BootLog,
            RequireFwid = expect.Fwid,
            MaximumCollateralAge = expect.CollateralHours is { } hours ? TimeSpan.FromHours(hours) : null,
            AcceptVlek = expect.AcceptVlek,
            DangerouslyAcceptHeldRimSigner = expect.DangerouslyAcceptHeldRimSigner,
            DangerouslyAcceptedTcbStatuses = [.. expect.DangerouslyAcceptTcb.Select(Enum.Parse<TcbStatus>)],
        };
    }

    /// <summary>The weakenings of a verdict that this policy does not accept.</summary>
    public ImmutableArray<string> Unaccepted(Verdict verdict) => [.. verdict.Weakened.Where(name => !Document.Expect.AcceptWeakened.Contains(name, StringComparer.Ordinal))];

    // A manifest ends: it is judged anew each minute, and not once a request.
    private ReferenceValues? References(EvaluationTime time, out string? fault)
    {
        fault = null;
        if (_references is null)
        {
            return null;
        }

        if (time.Source is TimeSource.System && _read is { } read && time.Instant - read.At is { Ticks: >= 0 } age && age < TimeSpan.FromMinutes(1))
        {
            return read.Values;
        }

        if (!ReferenceValues.TryRead(_references, _referenceKeys, time, Document.Expect.ReferenceSequence, out var values, out var findings))
        {
            fault = string.Join("; ", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}"));
            return null;
        }

        if (time.Source is TimeSource.System)
        {
            _read = new ReadReferences(time.Instant, values);
        }

        return values;
    }

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

    private static bool TryCompile(PolicyRego source, [NotNullWhen(true)] out RegoPolicy? rego, out string? fault)
    {
        rego = null;
        fault = null;
        if (source.Modules.IsEmpty)
        {
            fault = "modules: at least one is expected";
            return false;
        }

        IReadOnlyList<(string, PolicyDocument)> documents = [];
        if (source.Data is { } data)
        {
            if (!PolicyDocument.TryParse(BytesOf(data), out var document, out var problem))
            {
                fault = $"data: {problem}";
                return false;
            }

            documents = [("data", document)];
        }

        var read = RegoPolicy.TryParse([.. source.Modules.Select(module => new PolicyFile(module.Key, Encoding.UTF8.GetBytes(module.Value)))], documents, source.Rule, out rego, out var wrong);
        fault = read ? null : wrong!.ToString();
        return read;
    }

    private static byte[] BytesOf(JsonElement element) =>
        element.ValueKind is JsonValueKind.String ? Encoding.UTF8.GetBytes(element.GetString()!) : JsonMarshal.GetRawUtf8Value(element).ToArray();

    private sealed record ReadReferences(DateTimeOffset At, ReferenceValues Values);
}
