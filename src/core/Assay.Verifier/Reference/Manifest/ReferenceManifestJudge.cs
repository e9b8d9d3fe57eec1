using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using Assay.Checks;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Reference.Manifest;

/// <summary>
/// The questions put to a file of reference values, signed or not: what it is, who signed it, what it says, and whether that counts now.
/// Between these it stops, within each it answers every question. Ids are permanent: docs/reference/checks.md lists them.
/// </summary>
internal static class ReferenceManifestJudge
{
    /// <summary>The header's <c>typ</c>: neither does a token pass for a manifest nor a manifest for a token.</summary>
    public const string JwsType = ReferenceManifest.TypeName;

    private const string NotSigned = "it is not signed";

    private static readonly ImmutableArray<Check<Candidate>> s_header =
    [
        new(Checks.CheckIds.ReferenceTypeMatch, TypeMatches),
        new(Checks.CheckIds.ReferenceAlgorithmAllowed, candidate => Signed(candidate, jws => JwsText.WhyCurveAlgorithmIsRefused(jws.Header) is { } wrong ? Outcome.Failed(wrong) : Outcome.Held(StrictJson.Text(jws.Header, "alg")))),
        new(Checks.CheckIds.ReferenceKeyKnown, KeyIsKnown),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_terms =
    [
        new(Checks.CheckIds.ReferenceClockPlausible, candidate => candidate.Time.IsPlausible()),
        new(Checks.CheckIds.ReferenceCurrent, IsCurrent),
        new(Checks.CheckIds.ReferenceSequenceMet, SequenceIsMet),
    ];

    private const string WellFormed = Checks.CheckIds.ReferenceWellformed;
    private const string Signature = Checks.CheckIds.ReferenceSignatureValid;
    private const string Content = Checks.CheckIds.ReferenceContentWellformed;

    public static ImmutableArray<string> CheckIds { get; } =
        [WellFormed, .. s_header.Select(check => check.Id), Signature, Content, .. s_terms.Select(check => check.Id)];

    /// <summary>With keys a signature under one of them is demanded; without, the plain form is read and nothing else.</summary>
    public static (ReferenceManifest? Manifest, JsonWebKey? Signer, ImmutableArray<Finding> Findings) Judge(
        ReadOnlySpan<byte> file, JsonWebKeySet? keys, EvaluationTime time, long minimumSequence)
    {
        var candidate = new Candidate(keys, time, minimumSequence);
        var findings = ImmutableArray.CreateBuilder<Finding>(CheckIds.Length);
        findings.Add(IsWellFormed(candidate, file).Named(WellFormed));
        findings.AddRange(s_header.Select(check => candidate.IsRead ? check.Ask(candidate) : Outcome.Stopped("the file could not be read").Named(check.Id)));
        findings.Add((Holds(findings) ? SignatureIsValid(candidate) : Outcome.Stopped("no key that may verify it")).Named(Signature));
        findings.Add((Holds(findings) ? ContentIsWellFormed(candidate) : Outcome.Stopped("its content is not proven to come from its signer")).Named(Content));
        findings.AddRange(s_terms.Select(check => candidate.Manifest is not null ? check.Ask(candidate) : Outcome.Stopped("its content is not known").Named(check.Id)));
        return Holds(findings) ? (candidate.Manifest, candidate.Jws is null ? null : candidate.Key, findings.ToImmutable()) : (null, null, findings.ToImmutable());
    }

    private static bool Holds(IEnumerable<Finding> findings) => findings.ArePassed();

    // An object is the plain form; everything else must be a JWS. Editors end files with a line's end.
    private static Outcome IsWellFormed(Candidate candidate, ReadOnlySpan<byte> file)
    {
        if (file.Length > Limits.JwsCharacters)
        {
            return Outcome.Failed($"it is larger than {Limits.JwsCharacters} bytes");
        }

        if (file.TrimStart(" \t\r\n"u8) is [(byte)'{', ..])
        {
            candidate.Plain = file.ToArray();
            return Outcome.Held("JSON, not signed");
        }

        if (!CompactJws.TryParse(Encoding.Latin1.GetString(file.TrimEnd("\r\n"u8)), out var jws, out var fault))
        {
            return Outcome.Failed($"it is neither a JSON object nor a signed one: {fault}");
        }

        candidate.Jws = jws;
        return Outcome.Held("compact JWS");
    }

    private static Outcome Signed(Candidate candidate, Func<CompactJws, Outcome> ask) => candidate.Jws is { } jws ? ask(jws) : Outcome.NotApplicable(NotSigned);

    private static Outcome TypeMatches(Candidate candidate) => Signed(candidate, jws =>
        StrictJson.Text(jws.Header, "typ") is not JwsType ? Outcome.Failed("it is signed as something else: a token is not a manifest", JwsText.Short(StrictJson.Text(jws.Header, "typ") ?? "no typ"), JwsType)
        : jws.Header.EnumerateObject().Any(member => member.Name is not ("alg" or "kid" or "typ")) ? Outcome.Failed("its header has other members than alg, kid and typ: extensions are not supported, and keys are never taken from the file itself")
        : Outcome.Held(JwsType));

    private static Outcome KeyIsKnown(Candidate candidate) => Signed(candidate, jws =>
        candidate.Keys is null ? Outcome.NotApplicable("no keys were given")
        : StrictJson.Text(jws.Header, "kid") is not { } name ? Outcome.Failed("it names no key")
        : candidate.Keys.Find(name) is not { } key ? Outcome.Failed("its key is not in the set", JwsText.Short(name))
        : StrictJson.Text(jws.Header, "alg") != key.AlgorithmName ? Outcome.Failed("its algorithm is not that of its key", JwsText.Short(StrictJson.Text(jws.Header, "alg") ?? "none"), key.AlgorithmName)
        : Outcome.Held(name));

    private static Outcome SignatureIsValid(Candidate candidate) => (candidate.Jws, candidate.Keys) switch
    {
        (null, null) => Outcome.Waived("it is not signed, and no keys were given: anyone who can write the file can choose the values"),
        (null, _) => Outcome.Failed("it is not signed, but keys were given: a signature by one of them is required"),
        (_, null) => Outcome.Failed("it is signed, and no keys were given to verify it with: give those that may sign it"),
        ({ } jws, _) => candidate.Key!.Verifies(jws.SignedContent, jws.Signature.Span) ? Outcome.Held(candidate.Key.KeyId) : Outcome.Failed("its signature does not verify: it was altered"),
    };

    private static Outcome ContentIsWellFormed(Candidate candidate)
    {
        var content = candidate.Plain;
        if (candidate.Jws is { } jws)
        {
            // Signed is one spelling of one value, so that two readers cannot see different ones.
            content = CanonicalJson.Write(jws.Payload);
            if (!jws.Text.AsSpan(jws.Text.IndexOf('.', StringComparison.Ordinal) + 1).StartsWith($"{Base64Url.EncodeToString(content)}."))
            {
                return Outcome.Failed("the payload is not in canonical form (RFC 8785)");
            }
        }

        if (!ReferenceManifest.TryParse(content, out var manifest, out var fault))
        {
            return Outcome.Failed($"{fault.Field}: {fault.Problem}");
        }

        candidate.Manifest = manifest;
        return Outcome.Held($"{manifest.ImageName} {manifest.ImageVersion}");
    }

    private static Outcome IsCurrent(Candidate candidate)
    {
        var (manifest, at) = (candidate.Manifest!, candidate.Time.Instant);
        return manifest.NotBefore - at > RevocationJudgement.ClockSkewTolerance
                ? Outcome.Failed("it is not valid yet", Utc.Text(at), $"from {Utc.Text(manifest.NotBefore)}")
            : at > manifest.NotAfter ? Outcome.Failed("it is no longer valid: get the image's latest manifest", Utc.Text(at), $"until {Utc.Text(manifest.NotAfter)}")
            : Outcome.Held($"until {Utc.Text(manifest.NotAfter)}");
    }

    private static Outcome SequenceIsMet(Candidate candidate) => candidate.Manifest!.Sequence < candidate.MinimumSequence
        ? Outcome.Failed("it is older than one already seen, or than you require", $"{candidate.Manifest.Sequence}", $"at least {candidate.MinimumSequence}")
        : Outcome.Held($"{candidate.Manifest.Sequence}");

    /// <summary>A file on its way through the checks above; each may use only what an earlier one has set.</summary>
    private sealed class Candidate(JsonWebKeySet? keys, EvaluationTime time, long minimumSequence)
    {
        public JsonWebKeySet? Keys => keys;
        public EvaluationTime Time => time;
        public long MinimumSequence => minimumSequence;
        public byte[]? Plain { get; set; }
        public CompactJws? Jws { get; set; }
        public ReferenceManifest? Manifest { get; set; }
        public bool IsRead => Plain is not null || Jws is not null;
        public JsonWebKey? Key => Jws is not null && StrictJson.Text(Jws.Header, "kid") is { } name ? keys?.Find(name) : null;
    }
}
