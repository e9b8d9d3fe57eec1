using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Writes a verdict as a detached EAT bundle. <c>x-nvidia-overall-att-result</c> is NVIDIA's formula and nothing else;
/// <c>x-assay-verdict</c> is ours, and clients that know only NVIDIA's names are never told more than NVIDIA's formula says (S-14).
/// </summary>
public static class EatBundleWriter
{
    /// <summary>
    /// The bundle in UTF-8. It speaks about authentic devices only, in any verdict: a failed one says that it failed. Not written where no
    /// device is authentic, reports answer different nonces, or simulated devices would appear under a real issuer.
    /// </summary>
    /// <exception cref="ArgumentException">The verdict passes devices that are not authentic, or the terms cannot be meant.</exception>
    public static bool TryWrite(
        Verdict verdict, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out byte[]? bundle, [NotNullWhen(false)] out ParseFault? fault)
    {
        bundle = null;
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        if (!TokenSubjects.TryOf(verdict, terms, "GPU-", "SWITCH-", out var subjects, out fault))
        {
            return false;
        }

        (string Name, string Token)[] submodules = [.. EatParts.Submodules(verdict, subjects, terms.Claims).Select(part => (part.Name, CompactJws.Write(key, part.Claims.AddTerms(terms, random).ToJson())))];
        bundle = Assemble(verdict, terms, subjects, submodules, key, random);
        return true;
    }

    /// <summary>The bundle of these submodules, with an overall token that is signed last.</summary>
    internal static byte[] Assemble(Verdict verdict, TokenTerms terms, TokenSubjects subjects, (string Name, string Token)[] submodules, SigningKey key, RandomSource random)
    {
        var overall = EatParts.Overall(verdict, terms, random, subjects)
            .Add("sub", terms.Subject ?? EatParts.OverallSubject)
            .With("submods", writer => WriteDigests(writer, submodules));
        return Assemble(CompactJws.Write(key, overall.ToJson()), submodules);
    }

    private static void WriteDigests(Utf8JsonWriter writer, (string Name, string Token)[] submodules)
    {
        writer.WriteStartObject();
        foreach (var (name, token) in submodules)
        {
            writer.WriteStartArray(name);
            writer.WriteStringValue("DIGEST");
            writer.WriteStartArray();
            writer.WriteStringValue("SHA-256");
            writer.WriteStringValue(ClaimSet.DigestOf(token));
            writer.WriteEndArray();
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static byte[] Assemble(string overall, (string Name, string Token)[] submodules)
    {
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartArray();
            writer.WriteStartArray();
            writer.WriteStringValue("JWT");
            writer.WriteStringValue(overall);
            writer.WriteEndArray();
            writer.WriteStartObject();
            foreach (var (name, token) in submodules)
            {
                writer.WriteString(name, token);
            }

            writer.WriteEndObject();
            writer.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }
}

/// <summary>What a bundle and the token of a machine say alike.</summary>
internal static class EatParts
{
    /// <summary>What NVIDIA calls the subject of every overall token.</summary>
    public const string OverallSubject = "NVIDIA-PLATFORM-ATTESTATION";

    /// <summary>About everything together, but for <c>sub</c> and <c>submods</c>.</summary>
    public static ClaimSet Overall(Verdict verdict, TokenTerms terms, RandomSource random, TokenSubjects subjects) => new ClaimSet()
        .AddTerms(terms, random)
        .AddVerdict(verdict, terms.Attribution)
        .AddFindings(verdict.SetFindings)
        .AddKey(verdict, terms.Attribution)
        .Add("x-nvidia-ver", "3.0")
        .Add("x-nvidia-overall-att-result", verdict.NvidiaOverallResult)
        .Add("eat_nonce", subjects.Nonce.ToString());

    /// <summary>About each device, the processor and its boot, by the names that they have in a bundle.</summary>
    public static IEnumerable<(string Name, ClaimSet Claims)> Submodules(Verdict verdict, TokenSubjects subjects, ClaimsVersion version) =>
    [
        .. subjects.Devices.Select(subject => (subject.Name, new ClaimSet().AddMembers(ClaimSet.OfDevice(subject.Device, version)).AddFindings(subject.Device.Findings))),
        .. MachineClaims.Submodules(verdict).Select(part => (part.Name, part.Claims.Add("eat_nonce", subjects.Nonce.ToString()))),
    ];
}

/// <summary>What every writer of tokens demands of its caller.</summary>
internal static class TokenArguments
{
    public static void ThrowIfUnusable(Verdict verdict, TokenTerms terms, SigningKey key, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(random);
        terms.ThrowIfUnusable();
        // No policy can turn a forgery into a device: a verdict that says so is a bug of whoever made it.
        if (verdict.Kind is VerdictKind.Pass && verdict.Appraisal.Devices.Any(device => device.Device is null))
        {
            throw new ArgumentException("a verdict passed devices that are not authentic", nameof(verdict));
        }
    }
}
