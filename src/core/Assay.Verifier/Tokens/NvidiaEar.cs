using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// A verdict as an EAT Attestation Result in the form of NVIDIA's attestation-sdk 2.x (profile …composite/generic/pre-1.0.0, which NVIDIA
/// marks experimental): underscored names, <c>affirming</c> or <c>contraindicated</c> and nothing between. What only a CoRIM verifier knows
/// (input digest, environments) is left out and not made up.
/// </summary>
public static class NvidiaEar
{
    internal const string CompositeProfile = "tag:nvidia.com,2026:ear/profiles/composite/generic/pre-1.0.0";
    internal const string DeviceProfile = "tag:nvidia.com,2026-05:ear/profiles/gpu/1.0.0";

    /// <summary>One compact JWS. Not written where <see cref="EatBundleWriter.TryWrite"/> would write nothing.</summary>
    public static bool TryWrite(
        Verdict verdict, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out string? token, [NotNullWhen(false)] out ParseFault? fault)
    {
        token = null;
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        if (!TokenSubjects.TryOf(verdict, terms, "gpu_", "switch_", out var subjects, out fault))
        {
            return false;
        }

        var nonce = Base64Url.EncodeToString(subjects.Nonce.Bytes);
        token = CompactJws.Write(key, new ClaimSet()
            .AddTerms(terms, random)
            .AddSubject(terms)
            .AddVerdict(verdict, terms.Attribution)
            .AddFindings(verdict.SetFindings)
            .Add("eat_profile", CompositeProfile)
            .Add("eat_nonce", nonce)
            .Add("ear_status", Status(verdict, terms))
            .With("ear_verifier_id", EarParts.WriteVerifier)
            .With("submods", writer =>
            {
                writer.WriteStartObject();
                foreach (var (name, device) in subjects.Devices)
                {
                    writer.WritePropertyName(name);
                    new ClaimSet()
                        .Add("eat_profile", DeviceProfile)
                        .Add("eat_nonce", nonce)
                        .Add("ear_status", EarParts.Holds(device) ? Status(verdict, terms) : "contraindicated")
                        .With("ear_verifier_claims", writer => new ClaimSet().AddMembers(ClaimSet.OfDevice(device, terms.Claims)).AddFindings(device.Findings).Write(writer))
                        .Write(writer);
                }

                writer.WriteEndObject();
            })
            .ToJson());
        return true;
    }

    // "warning" is reserved there, so a pass for which something was waived is no more than a failure: readers of this form do not know
    // our list of weakenings.
    private static string Status(Verdict verdict, TokenTerms terms) => terms.Attribution.IsWholePass(verdict) ? "affirming" : "contraindicated";
}

/// <summary>What both forms of EAR share.</summary>
internal static class EarParts
{
    public static string Developer => "Assay";

    public static string Build => $"assay-verifier {typeof(EarParts).Assembly.GetName().Version?.ToString(3)}";

    public static void WriteVerifier(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("build", Build);
        writer.WriteString("developer", Developer);
        writer.WriteEndObject();
    }

    /// <summary>Whether nothing about this device failed or is missing.</summary>
    public static bool Holds(DeviceResult device) =>
        device.Findings.All(finding => finding.IsAccepted);
}
