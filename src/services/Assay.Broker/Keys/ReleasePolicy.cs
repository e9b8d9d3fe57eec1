using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Broker.Release;
using Assay.Service.Http;
using Assay.Service.Judging;
using Assay.Wire;
using CompiledConditions = Assay.Service.Judging.Conditions;

namespace Assay.Broker.Keys;

/// <summary>To whom a key is released: JSON, unknown members refused. What it does not ask for must be named in <c>acceptWeakened</c> (S-10a).</summary>
public sealed record ReleasePolicy
{
    private const string Boot = "boot";
    private const int MostTests = 20;

    /// <summary>1.</summary>
    public required int Version { get; init; }

    /// <summary>What evidence must show. <c>binding</c> is stated always: with anything but <c>boot-event</c> the GPU is not shown to be the confidential VM's own.</summary>
    public required PolicyExpectations Expect { get; init; }

    /// <summary>
    /// <c>run</c>: machines that have finished booting. <c>boot</c>: machines between gate and boundary, each boot once, for disks and models that are opened there. Null: <c>run</c>.
    /// </summary>
    public string? Phase { get; init; }

    /// <summary>Whether the manifest of <see cref="PolicyExpectations.ReferenceValues"/> must be in the log (<c>POST /v1/manifests</c>): the log's auditors see every image that could get the key.</summary>
    public bool ManifestLogged { get; init; }

    /// <summary>Whose token is taken, and no evidence, beside <c>assay-token</c> in <see cref="PolicyExpectations.AcceptWeakened"/>; null: evidence is.</summary>
    public TokenRelease? Token { get; init; }

    /// <summary>A Rego policy that decides beside the expectations; null: everything must hold.</summary>
    public PolicyRego? Rego { get; init; }

    /// <summary>What the verdict must say beside it, in the form of AWS's policies: operator → key → values. Null: nothing.</summary>
    public ImmutableDictionary<string, ImmutableDictionary<string, JsonElement>>? Conditions { get; init; }

    /// <summary>Evidence with the verdict that it must get: the policy is taken only if all of them come out as they say.</summary>
    public ImmutableArray<PolicyTest> Tests { get; init; } = [];

    /// <summary>Reads and compiles a document.</summary>
    /// <param name="json">In UTF-8.</param>
    /// <param name="compiled">Ready to judge.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    /// <param name="isNew">Whether it is to be set or tried: then words that mean nothing are refused, which policies of before may have.</param>
    public static bool TryCompile(ReadOnlySpan<byte> json, [NotNullWhen(true)] out CompiledRelease? compiled, [NotNullWhen(false)] out string? fault, bool isNew = false)
    {
        (compiled, fault) = (null, null);
        ReleasePolicy? document = null;
        try
        {
            document = JsonSerializer.Deserialize<ReleasePolicy>(json, StrictJsonOptions.Value);
            fault = document is null ? "an object is expected" : document.WhyNot();
        }
        catch (JsonException exception)
        {
            fault = StrictJsonOptions.WhyNot(exception);
        }

        fault ??= isNew ? PolicyWords.WhyNot(document!) : null;
        if (fault is null && HidesCharacters(json))
        {
            fault = "$: a character that is not shown, for example one that turns the direction of writing: what a second person reads must be what it says";
        }

        if (fault is not null || !CompiledExpectations.TryCompile(document!.Expect, document.Rego, out var expectations, out fault, document.Phase is Boot ? BootPhase.Boot : BootPhase.Run) || !CompiledConditions.TryCompile(document.Conditions, out var conditions, out fault))
        {
            return false;
        }

        compiled = new CompiledRelease(expectations, conditions, document.Tests, document.ManifestLogged ? expectations.ReferenceDigest : null, document.Phase is Boot, document.Token, DigestOf(json));
        return true;
    }

    /// <summary>SHA-384 of its bytes.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> json) => new(SHA384.HashData(json));

    private bool IsShownByTokens => Phase is not Boot && Rego is null && Expect is
    {
        Binding: "none", Gpus: > 0, Switches: null or 0, Processor: false, SecureBoot: false, BootLog: false, Fwid: false, ReferenceValues: null, CollateralHours: null,
    };

    private bool IsShownByOurTokens => Phase is not Boot && Rego is null && Expect is
    {
        SecureBoot: false, BootLog: false, Fwid: false, ReferenceValues: null, CollateralHours: null,
        DangerouslySkipRevocation: false, DangerouslyAcceptHeldRimSigner: false, DangerouslyAcceptTcb.IsEmpty: true,
    };

    private static bool HidesCharacters(ReadOnlySpan<byte> json)
    {
        var text = string.Concat(Encoding.UTF8.GetString(json).Where(c => c is not ('\r' or '\n' or '\t')));
        return Printable.Of(text).Length != text.Length;
    }

    // An empty policy releases nothing, so it is not even taken.
    private string? WhyNot() =>
        Version != 1 ? "$.version: 1 is expected"
        : Expect.WhyNot() is { } fault ? fault
        : Expect.Binding is null ? "$.expect.binding: it must be stated: boot-event, or a weaker tier by its name"
        : Expect.Binding is "boot-event" && Expect.Gpus is null or 0 ? "$.expect.gpus: how many GPUs a machine must show is expected, at least 1"
        : (Expect.Gpus is null or 0) && !Expect.Processor ? "$.expect: a policy that asks for neither GPUs nor a processor would release to anybody"
        : Phase is not (null or "run" or Boot) ? "$.phase: run or boot is expected"
        : Phase is Boot && (Expect.Binding is not "boot-event" || Expect.ReferenceValues is null) ? "$.phase: boot goes with the binding boot-event and with expect.referenceValues, which name the gate's policies"
        : Expect.AcceptWeakened.Contains(ReleaseTier.NrasToken) && !IsShownByTokens ? $"$.expect.acceptWeakened: {ReleaseTier.NrasToken} goes with binding none, a number of gpus and conditions: a token of NVIDIA's service shows nothing else"
        : Token is not null != Expect.AcceptWeakened.Contains(ReleaseTier.AssayToken) ? $"$.token: it goes with {ReleaseTier.AssayToken} in expect.acceptWeakened, and that with it"
        : Token?.WhyNot() is { } wrong ? wrong
        : Token is not null && Expect.AcceptWeakened.Contains(ReleaseTier.NrasToken) ? $"$.token: a policy takes one kind of token, and {ReleaseTier.NrasToken} is another"
        : Token is not null && !IsShownByOurTokens ? "$.token: it goes with binding, gpus, switches, processor and conditions: the policy that the token names judged everything else"
        : ManifestLogged && Expect.ReferenceValues is null ? "$.manifestLogged: it goes with expect.referenceValues"
        : Tests.IsDefault || Tests.Length > MostTests ? $"$.tests: at most {MostTests} are expected"
        : Tests.Select((test, index) => test.WhyNot(index)).FirstOrDefault(found => found is not null);
}

/// <summary>The attestation service whose tokens a policy takes.</summary>
/// <param name="Issuer">The service, one of the broker's configuration (<c>broker.issuers</c>).</param>
/// <param name="Policies">The policies under which it may have judged, as tokens name them: <c>sha384:</c> and 96 hexadecimal digits, 1 to 16 of them.</param>
public sealed record TokenRelease(string Issuer, ImmutableArray<string> Policies)
{
    private const int Most = 16;
    private const string Prefix = "sha384:";
    private const int HexDigits = 96;

    /// <summary>What is wrong with it; null: nothing.</summary>
    public string? WhyNot() =>
        Issuer is not { Length: > 0 and <= Limits.TokenNameCharacters } ? "$.token.issuer: the URL of an attestation service is expected"
        : Policies.IsDefaultOrEmpty || Policies.Length > Most ? $"$.token.policies: 1 to {Most} digests are expected"
        : Policies.All(item => item?.Length == Prefix.Length + HexDigits && item.StartsWith(Prefix, StringComparison.Ordinal) && item[Prefix.Length..].All(char.IsAsciiHexDigitLower)) ? null
        : $"$.token.policies: {Prefix} and {HexDigits} hexadecimal digits in lower case are expected";
}
