using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Service.Http;
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
            fault = $"{exception.Path ?? "$"}: {(exception.Message.Contains("could not be mapped", StringComparison.Ordinal) ? "unknown member" : "malformed, missing or of another type")} (line {exception.LineNumber + 1})";
        }

        document = fault is null ? document : null;
        return document is not null;
    }

    /// <summary>SHA-384 of its bytes.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> json) => new(SHA384.HashData(json));

    private string? WhyNot() =>
        Version != 1 ? "$.version: 1 is expected"
        : !IsId(Id) ? "$.id: 1 to 64 of a-z, 0-9, hyphen and dot are expected"
        : Audiences.IsDefaultOrEmpty ? "$.audiences: at least one is expected"
        : Audiences.Any(audience => audience is not { Length: > 0 and <= 512 } || !Ascii.IsValid(audience) || audience.Any(char.IsControl)) ? "$.audiences: each is 1 to 512 printable ASCII characters"
        : Audiences.Distinct(StringComparer.Ordinal).Count() != Audiences.Length ? "$.audiences: one stands twice"
        : Audiences.Any(audience => audience.StartsWith(AttestationService.NrasAudience, StringComparison.Ordinal)) ? $"$.audiences: {AttestationService.NrasAudience} is the audience of NVIDIA's paths"
        : Expect.WhyNot() ?? Token.WhyNot() ?? Tests.Select((test, index) => test.WhyNot(index)).FirstOrDefault(fault => fault is not null);

    private static bool IsId(string id) => id is { Length: > 0 and <= 64 } && id.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.');
}

/// <summary>What evidence must show. What is not stated is in the weakenings of the verdict, which <see cref="AcceptWeakened"/> must then name (S-10a).</summary>
public sealed record PolicyExpectations
{
    /// <summary>How many GPUs; null: not stated.</summary>
    public int? Gpus { get; init; }

    /// <summary>How many switches; null: any number.</summary>
    public int? Switches { get; init; }

    /// <summary>Whether a processor's evidence must be there.</summary>
    public bool Processor { get; init; }

    /// <summary><c>boot-event</c>, <c>evidence-hash</c> or <c>none</c>; null: the verifier's default, boot-event where anything is stated about a processor.</summary>
    public string? Binding { get; init; }

    /// <summary>Whether firmware must verify what it boots.</summary>
    public bool SecureBoot { get; init; }

    /// <summary>Whether a boot log must be shown.</summary>
    public bool BootLog { get; init; }

    /// <summary>Whether devices must report an FWID.</summary>
    public bool Fwid { get; init; }

    /// <summary>A manifest of reference values, as <c>assay measure</c> writes it: an object, or the text of a signed one.</summary>
    public JsonElement? ReferenceValues { get; init; }

    /// <summary>The keys that may sign it, a JWK set; null: it is unsigned.</summary>
    public JsonElement? ReferenceKeys { get; init; }

    /// <summary>The lowest sequence of the manifest.</summary>
    public long ReferenceSequence { get; init; }

    /// <summary>How old collateral may be, in hours; null: its own times alone.</summary>
    public int? CollateralHours { get; init; }

    /// <summary>Whether SNP reports under a VLEK are accepted.</summary>
    public bool AcceptVlek { get; init; }

    /// <summary>The weakenings with which a verdict is still accepted, by their permanent names.</summary>
    public ImmutableArray<string> AcceptWeakened { get; init; } = [];

    /// <summary>Asks nobody whether a certificate was revoked.</summary>
    public bool DangerouslySkipRevocation { get; init; }

    /// <summary>Tolerates certificateHold on RIM signers.</summary>
    public bool DangerouslyAcceptHeldRimSigner { get; init; }

    /// <summary>Accepts TCB statuses beside UpToDate.</summary>
    public ImmutableArray<string> DangerouslyAcceptTcb { get; init; } = [];

    internal string? WhyNot() =>
        Gpus is < 0 or > 256 ? "$.expect.gpus: 0 to 256 are expected"
        : Switches is < 0 or > 256 ? "$.expect.switches: 0 to 256 are expected"
        : Binding is not (null or "boot-event" or "evidence-hash" or "none") ? "$.expect.binding: boot-event, evidence-hash or none is expected"
        : CollateralHours is <= 0 ? "$.expect.collateralHours: at least 1 is expected"
        : ReferenceKeys is not null && ReferenceValues is null ? "$.expect.referenceKeys: they go with referenceValues"
        : ReferenceValues is { ValueKind: not (JsonValueKind.Object or JsonValueKind.String) } ? "$.expect.referenceValues: an object, or the text of a signed manifest, is expected"
        : AcceptWeakened.IsDefault || DangerouslyAcceptTcb.IsDefault ? "$.expect: an array is null"
        : null;
}

/// <summary>A Rego policy: modules by their file names, and data.</summary>
public sealed record PolicyRego
{
    /// <summary>File name to text.</summary>
    public required ImmutableSortedDictionary<string, string> Modules { get; init; }

    /// <summary>Base documents under <c>data</c>; null: none.</summary>
    public JsonElement? Data { get; init; }

    /// <summary>The rule that decides; null: data.policy.nv_match or data.policy.allow, whichever there is.</summary>
    public string? Rule { get; init; }
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

/// <summary>Evidence, and the verdict that the policy must give it.</summary>
public sealed record PolicyTest
{
    /// <summary>A sentence.</summary>
    public required string Name { get; init; }

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>.</summary>
    public required string Expect { get; init; }

    /// <summary>The evidence, as an appraisal takes it.</summary>
    public required JsonElement Evidence { get; init; }

    /// <summary>The challenge that it answers; null: none is asked, and a pass is then weakened by nonce-not-given, which the test overlooks.</summary>
    public string? Challenge { get; init; }

    /// <summary>The instant at which it is judged, in UTC; null: now. No token is ever written at a stated time (S-13).</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>Checks that must be among those that fail.</summary>
    public ImmutableArray<string> Failing { get; init; } = [];

    internal string? WhyNot(int index) =>
        Name.Length is 0 or > 200 ? $"$.tests[{index}].name: 1 to 200 characters are expected"
        : Expect is not ("pass" or "fail" or "incomplete") ? $"$.tests[{index}].expect: pass, fail or incomplete is expected"
        : Failing.IsDefault ? $"$.tests[{index}].failing: an array is expected"
        : null;
}
