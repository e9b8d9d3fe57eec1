using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Policy;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>The claims of one token, sorted by name, each once.</summary>
internal sealed class ClaimSet
{
    private const int IdBytes = 32;

    // Trustee's NRAS client decodes payloads with the standard base64 alphabet. Only >, ? and ~ in ASCII can bring in - or _, so they are
    // escaped, and a token reads the same in both alphabets.
    private static readonly JsonWriterOptions s_options = new() { Encoder = Encoder() };

    private readonly SortedDictionary<string, Action<Utf8JsonWriter>> _claims = new(StringComparer.Ordinal);

    public ClaimSet Add(string name, string value) => With(name, writer => writer.WriteStringValue(value));

    public ClaimSet Add(string name, long value) => With(name, writer => writer.WriteNumberValue(value));

    public ClaimSet Add(string name, bool value) => With(name, writer => writer.WriteBooleanValue(value));

    public ClaimSet Add(string name, IEnumerable<string> values) => With(name, writer => WriteStrings(writer, values));

    public ClaimSet With(string name, Action<Utf8JsonWriter> write)
    {
        _claims.Add(name, write);
        return this;
    }

    /// <summary>The members of an object that something else wrote.</summary>
    public ClaimSet AddMembers(JsonElement members)
    {
        foreach (var member in members.EnumerateObject())
        {
            With(member.Name, member.Value.WriteTo);
        }

        return this;
    }

    /// <summary>Who, when, and a name of its own.</summary>
    public ClaimSet AddTerms(TokenTerms terms, RandomSource random)
    {
        Span<byte> id = stackalloc byte[IdBytes];
        random(id);
        var issuedAt = terms.IssuedAt.ToUnixTimeSeconds();
        Add("iss", terms.Issuer.ToString()).Add("iat", issuedAt).Add("nbf", issuedAt);
        Add("exp", issuedAt + (long)terms.Lifetime.TotalSeconds).Add("jti", Convert.ToHexStringLower(id));
        return terms.Audience is null ? this : Add("aud", terms.Audience);
    }

    /// <summary>Whom the token is about, where the terms say it.</summary>
    public ClaimSet AddSubject(TokenTerms terms) => terms.Subject is { } subject ? Add("sub", subject) : this;

    /// <summary>The four things that stand beside every verdict, with the policy.</summary>
    public ClaimSet AddVerdict(Verdict verdict, Attribution attribution)
    {
        var appraisal = verdict.Appraisal;
        return Add("x-assay-verdict", verdict.Word)
            .Add("x-assay-weakened", verdict.Weakened)
            .Add("x-assay-freshness", attribution.Freshness(verdict))
            .Add("x-assay-anchors", verdict.Anchors)
            .Add("x-assay-gpu-binding", verdict.Binding)
            .Add("x-assay-platform", verdict.Platform)
            .Add("x-assay-evaluated-at", Utc.Text(appraisal.Basis.Time.Instant))
            .Add("x-assay-time-source", verdict.TimeSource)
            .With("x-assay-policy", writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("id", attribution.PolicyId(verdict));
                writer.WriteString("version", attribution.PolicyVersion(verdict));
                writer.WriteString("digest", attribution.PolicyDigest(verdict));
                writer.WriteEndObject();
            });
    }

    /// <summary>
    /// The guest's key, if a processor's statement covers it: <c>tee-pubkey</c>, where key brokers look for it, and <c>cnf</c> (RFC 7800). A key
    /// that nothing but GPUs answered for is never named: whoever has a GPU answer can have it answer for any key (S-1, S-10). Nor is one from
    /// evidence that answers no challenge of the relying party's: it may be a recording (S-20).
    /// </summary>
    public ClaimSet AddKey(Verdict verdict, Attribution attribution)
    {
        if (attribution.IsCallersNonce || verdict is not { Kind: VerdictKind.Pass, IsFresh: true, Machine: { Parts.Key: { } key } machine } || !machine.Findings.Any(finding => finding is { Id: CheckIds.BindingCpuDevices, State: CheckState.Held }))
        {
            return this;
        }

        // Through the writer and not as it is: the text of a member of somebody else's may hold what is escaped here.
        using var document = JsonDocument.Parse(key.Jwk);
        var jwk = document.RootElement.Clone();
        return With("tee-pubkey", jwk.WriteTo).With("cnf", writer => new ClaimSet().With("jwk", jwk.WriteTo).Write(writer));
    }

    /// <summary>How many checks held, and the ids of those that did not.</summary>
    public ClaimSet AddFindings(IReadOnlyCollection<Finding> findings) => With("x-assay-findings", writer =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("held", findings.Count(finding => finding.State is CheckState.Held));
        foreach (var state in (CheckState[])[CheckState.Failed, CheckState.NotApplicable, CheckState.NotChecked])
        {
            writer.WritePropertyName(VerdictJson.StateWord(state));
            WriteStrings(writer, findings.Where(finding => finding.State == state).Select(finding => finding.Id));
        }

        writer.WriteEndObject();
    });

    public byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer, s_options))
        {
            Write(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var (name, write) in _claims)
        {
            writer.WritePropertyName(name);
            write(writer);
        }

        writer.WriteEndObject();
    }

    /// <summary>NVIDIA's claims about a device.</summary>
    public static JsonElement OfDevice(DeviceResult device, ClaimsVersion version)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            NvidiaClaims.Write(writer, device, version);
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }

    /// <summary>SHA-256 as submodule digests have it: over the ASCII of the token.</summary>
    public static string DigestOf(string token) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(token)));

    private static void WriteStrings(Utf8JsonWriter writer, IEnumerable<string> values)
    {
        writer.WriteStartArray();
        foreach (var value in values)
        {
            writer.WriteStringValue(value);
        }

        writer.WriteEndArray();
    }

    private static JavaScriptEncoder Encoder()
    {
        var settings = new TextEncoderSettings(UnicodeRanges.BasicLatin);
        settings.ForbidCharacters('>', '?', '~');
        return JavaScriptEncoder.Create(settings);
    }
}

/// <summary>The devices of a verdict that a token may speak about, by the names that they have in it.</summary>
internal sealed record TokenSubjects(IReadOnlyList<(string Name, DeviceResult Device)> Devices, Wire.Nonce Nonce)
{
    /// <summary>Authentic devices only, counted for each kind; all with one nonce, or there is no token.</summary>
    public static bool TryOf(
        Verdict verdict, TokenTerms terms, string gpu, string nvSwitch, [NotNullWhen(true)] out TokenSubjects? subjects, [NotNullWhen(false)] out Wire.ParseFault? fault)
    {
        var nonces = Authentic(verdict).Select(device => device.Device!.Report.Nonce).Distinct().ToArray();
        // Without devices the nonce is the one that devices would answer: challenge and key, for which the processor's report was made.
        if (nonces.Length == 0 && verdict.Machine is { Parts: { Key: { } key, Cpu: { } cpu } } && MachineClaims.ReportData(cpu) is not null)
        {
            nonces = [key.DeviceNonce()];
        }

        fault = WhyNotUnder(verdict, terms) is { } wrong ? wrong
            : nonces.Length == 0 ? new("devices", 0, "no device is authentic and no processor evidence covers a key: there is nothing to write a token about")
            : nonces.Length > 1 ? new("eat_nonce", 0, "the reports answer different nonces, but a token has one")
            : null;
        subjects = fault is null ? new TokenSubjects(Named(verdict, gpu, nvSwitch), nonces[0]) : null;
        return subjects is not null;
    }

    /// <summary>Why nothing about this verdict may appear under the issuer; null where it may.</summary>
    public static Wire.ParseFault? WhyNotUnder(Verdict verdict, TokenTerms terms) => verdict.Appraisal.Basis.Trust.Kind switch
    {
        TrustSetKind.Simulated when !terms.Issuer.IsLoopback => new("issuer", 0, "tokens about simulated devices carry a loopback issuer, for example http://127.0.0.1 (S-12)"),
        TrustSetKind.None => new("anchors", 0, "the verdict does not say under whose anchors it was reached"),
        _ => null,
    };

    /// <summary>Authentic devices only, counted for each kind.</summary>
    public static IReadOnlyList<(string Name, DeviceResult Device)> Named(Verdict verdict, string gpu, string nvSwitch)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. Authentic(verdict).Select(device => (Name(DeviceKindWords.Choose(device.Kind, gpu, nvSwitch)), device))];

        string Name(string kind)
        {
            counts[kind] = counts.GetValueOrDefault(kind) + 1;
            return $"{kind}{counts[kind] - 1}";
        }
    }

    private static IEnumerable<DeviceResult> Authentic(Verdict verdict) => verdict.Appraisal.Devices.Where(device => device.Device is not null);
}
