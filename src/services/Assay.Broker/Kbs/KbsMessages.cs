using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Evidence.Files;
using Assay.Sealing.Keys;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Broker.Kbs;

/// <summary>What the protocol's clients send (KBS 0.4.0), read strictly.</summary>
internal static class KbsMessages
{
    /// <summary>The one version that is spoken.</summary>
    public const string Version = "0.4.0";

    /// <summary>What a request for a challenge may have: names of hashes and of TEEs are short.</summary>
    public const int MostRequestBytes = 16 * 1024;

    /// <summary>What evidence may have: eight GPUs and four switches with their chains, and a boot log, are less than half of it.</summary>
    public const int MostEvidenceBytes = 2 * 1024 * 1024;

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    // The kinds of the protocol that are judged here, and what their evidence is. The others are known and refused by name.
    private static readonly Dictionary<string, ProcessorEvidenceKind> s_kinds = new(StringComparer.Ordinal)
    {
        ["tdx"] = ProcessorEvidenceKind.TdxQuote,
        ["snp"] = ProcessorEvidenceKind.SnpReport,
    };

    /// <summary>The kind of TEE that a request for a challenge names; null with a reason where it is refused.</summary>
    public static string? TeeOf(ReadOnlyMemory<byte> body, TrustSetKind trust, out string? fault)
    {
        try
        {
            using var document = JsonDocument.Parse(body, s_strict);
            var root = document.RootElement;
            var version = JsonMember.Text(root, "version");
            var tee = JsonMember.Text(root, "tee");
            fault = version is null || tee is null ? "version and tee are expected"
                : version != Version ? $"version: {Version} is spoken here, the request is for {Printable.Of(version)}"
                : KbsEvidence.IsSample(tee) ? trust is TrustSetKind.Simulated ? null : $"tee: {tee} is evidence that no key signs: it is accepted under a simulated set of anchors alone"
                : s_kinds.ContainsKey(tee) ? null
                : $"tee: {string.Join(", ", s_kinds.Keys)} are judged here, not {Printable.Of(tee)}";
            return fault is null ? tee : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            fault = "a request as JSON is expected: {\"version\",\"tee\",\"extra-params\"}";
            return null;
        }
    }

    /// <summary>The evidence of a session.</summary>
    /// <param name="body">As it was received.</param>
    /// <param name="session">What was asked, and of whom.</param>
    /// <param name="trust">Whose anchors.</param>
    /// <param name="evidence">What the machine shows.</param>
    /// <param name="fault">Why it is no answer to this session's challenge.</param>
    public static bool TryReadEvidence(byte[] body, KbsChallenge session, TrustSetKind trust, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out string? fault)
    {
        var isSample = KbsEvidence.IsSample(session.Tee) && trust is TrustSetKind.Simulated;
        fault = (isSample ? KbsEvidence.TryReadSample(body, out evidence, out var malformed) : KbsEvidence.TryRead(body, out evidence, out malformed)) ? null : malformed.ToString();
        fault ??= evidence!.StatedNonce != session.Nonce ? "runtime-data.nonce is not this session's, character by character"
            : !isSample && evidence.Cpu?.Kind != s_kinds.GetValueOrDefault(session.Tee) ? $"tee-evidence: the session began with tee {session.Tee}, and this is the evidence of another kind"
            : WhyNotKey(evidence.Key);
        evidence = fault is null ? evidence : null;
        return evidence is not null;
    }

    // The algorithm is part of what the guest's evidence covers, so it is that one or none.
    private static string? WhyNotKey(ReadOnlyMemory<byte>? jwk)
    {
        if (jwk is not { } bytes)
        {
            return "runtime-data.tee-pubkey: a JWK is expected";
        }

        using var document = JsonDocument.Parse(bytes, s_strict);
        var algorithm = JsonMember.Text(document.RootElement, "alg");
        var kind = JsonMember.Text(document.RootElement, "kty");
        return kind is "AKP" || algorithm?.StartsWith("ML-KEM", StringComparison.Ordinal) is true ? "runtime-data.tee-pubkey: keys of kind AKP (ML-KEM) are not sealed to here"
            : algorithm is "RSA1_5" ? "runtime-data.tee-pubkey: RSA1_5 is refused, for its padding tells an attacker whether a guess was right; use ECDH-ES+A256KW or RSA-OAEP-256"
            : algorithm is not ("ECDH-ES+A256KW" or "RSA-OAEP-256") || algorithm is "RSA-OAEP-256" != kind is "RSA" ? "runtime-data.tee-pubkey.alg: ECDH-ES+A256KW of an EC key, or RSA-OAEP-256 of an RSA key, is expected"
            : SealingPublicKey.TryParse(bytes.Span, out _, out var unusable) ? null
            : $"runtime-data.tee-pubkey: {unusable.Problem}";
    }
}
