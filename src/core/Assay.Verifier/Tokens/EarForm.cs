using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>Whose form an EAT Attestation Result has.</summary>
public enum EarForm
{
    /// <summary>None that is known.</summary>
    None,

    /// <summary>attestation-sdk 2.x, profile …composite/generic/pre-1.0.0: underscored names, nonces in base64url.</summary>
    Nvidia,

    /// <summary>Trustee 0.4 (draft-ietf-rats-ear): dotted names, an AR4SI vector for each device, nonces in hexadecimal.</summary>
    Trustee,
}

/// <summary>Where each form has its members, and what they must be.</summary>
internal static class EarForms
{
    private static readonly string[] s_vector =
        ["configuration", "executables", "file-system", "hardware", "instance-identity", "runtime-opaque", "sourced-data", "storage-opaque"];

    private static readonly string[] s_statuses = ["affirming", "warning", "none", "contraindicated"];

    public static EarForm Of(JsonElement claims) => StrictJson.Text(claims, "eat_profile") switch
    {
        NvidiaEar.CompositeProfile => EarForm.Nvidia,
        TrusteeEar.Profile => EarForm.Trustee,
        _ => EarForm.None,
    };

    public static string StatusName(this EarForm form) => form is EarForm.Nvidia ? "ear_status" : "ear.status";

    public static string NonceSpelling(this EarForm form) => form is EarForm.Nvidia ? "base64url" : "hexadecimal digits";

    /// <summary>The nonce of the token as a whole.</summary>
    public static Nonce? NonceOf(this EarForm form, JsonElement claims) => form is EarForm.Nvidia ? Base64(claims, "eat_nonce") : Hexadecimal(claims, "eat_nonce");

    /// <summary>The nonce that a device's report answers. NVIDIA's verifier checks this one and only echoes the other.</summary>
    public static Nonce? SubmoduleNonce(this EarForm form, JsonElement submodule) =>
        form is EarForm.Nvidia ? Base64(submodule, "eat_nonce") : Hexadecimal(submodule.GetProperty("ear.veraison.annotated-evidence"), "report_data");

    /// <summary>
    /// Whether a submodule of Trustee's form is about a processor: it signs 64 bytes, in which a nonce stands only as a hash.
    /// A submodule with a GPU's claims is not, whatever else it has: its nonce is checked.
    /// </summary>
    public static bool IsProcessor(JsonElement submodule) =>
        submodule.TryGetProperty("ear.veraison.annotated-evidence", out var evidence) && evidence.ValueKind is JsonValueKind.Object && !evidence.TryGetProperty("nvidia", out _)
        && StrictJson.Text(evidence, "report_data") is { Length: 2 * ReportData.Size } text && Hex.TryDecode(text, out _);

    /// <summary>What the verifier found out about the device.</summary>
    public static JsonElement DeviceClaims(this EarForm form, JsonElement submodule)
    {
        var claims = submodule.GetProperty(form is EarForm.Nvidia ? "ear_verifier_claims" : "ear.veraison.annotated-evidence");
        return form is EarForm.Trustee && claims.TryGetProperty("nvidia", out var nvidia) && nvidia.ValueKind is JsonValueKind.Object ? nvidia : claims;
    }

    /// <summary>Why the members beside submods are not those of the form; null when they are.</summary>
    public static string? TopWrong(this EarForm form, JsonElement claims)
    {
        var verifier = form is EarForm.Nvidia ? "ear_verifier_id" : "ear.verifier-id";
        return !IsObject(claims, verifier, out var id) || StrictJson.Text(id, "developer") is null || StrictJson.Text(id, "build") is null ? $"{verifier} is not an object with developer and build"
            : form is EarForm.Nvidia && !IsStatus(claims, "ear_status") ? "ear_status is not a status"
            : null;
    }

    /// <summary>Why a submodule has not the shape of the form; null when it has.</summary>
    public static string? SubmoduleWrong(this EarForm form, JsonElement submodule) =>
        submodule.ValueKind is not JsonValueKind.Object ? "an object is expected"
        : !IsStatus(submodule, form.StatusName()) ? $"{form.StatusName()} is not a status: one of {string.Join(", ", s_statuses)} is expected"
        : form is EarForm.Nvidia ? NvidiaSubmoduleWrong(submodule)
        : TrusteeSubmoduleWrong(submodule);

    /// <summary>Why a device's status says more than what stands beside it; null when it does not.</summary>
    public static string? StatusWrong(this EarForm form, JsonElement submodule)
    {
        if (form is not EarForm.Trustee)
        {
            return null;
        }

        // 0 is no claim (AR4SI §2.3); nothing but such claims affirms nothing.
        string[] tiers = [.. submodule.GetProperty("ear.trustworthiness-vector").EnumerateObject().Select(claim => claim.Value.GetInt32()).Where(claim => claim != 0).Select(TrusteeEar.Tier)];
        var worst = tiers.Length == 0 ? "none" : TrusteeEar.Worst(tiers);
        var status = StrictJson.Text(submodule, "ear.status");
        return TrusteeEar.Worst(worst, status!) == status ? null : $"its status is {status}, and its trustworthiness vector says {worst}";
    }

    private static string? NvidiaSubmoduleWrong(JsonElement submodule) =>
        StrictJson.Text(submodule, "eat_profile") is not NvidiaEar.DeviceProfile ? $"eat_profile is not {NvidiaEar.DeviceProfile}"
        : Base64(submodule, "eat_nonce") is null ? "eat_nonce is missing, or not a nonce of 32 bytes as base64url"
        : !IsObject(submodule, "ear_verifier_claims", out _) ? "ear_verifier_claims is not an object"
        : null;

    private static string? TrusteeSubmoduleWrong(JsonElement submodule) =>
        StrictJson.Text(submodule, "ear.appraisal-policy-id") is null ? "ear.appraisal-policy-id is not a string"
        : !IsObject(submodule, "ear.trustworthiness-vector", out var vector) ? "ear.trustworthiness-vector is not an object"
        : vector.EnumerateObject().Count() != s_vector.Length || !s_vector.All(name => vector.TryGetProperty(name, out _)) ? $"ear.trustworthiness-vector has other members than {string.Join(", ", s_vector)}"
        // AR4SI §2.3: a claim is a signed byte.
        : !vector.EnumerateObject().All(claim => claim.Value.ValueKind is JsonValueKind.Number && claim.Value.TryGetSByte(out _)) ? "ear.trustworthiness-vector has a member that is not an integer from -128 to 127"
        : !IsObject(submodule, "ear.veraison.annotated-evidence", out var evidence) ? "ear.veraison.annotated-evidence is not an object"
        : Hexadecimal(evidence, "report_data") is null && !IsProcessor(submodule) ? "report_data is missing, or not a nonce of 64 hexadecimal digits"
        : null;

    private static bool IsStatus(JsonElement element, string name) => StrictJson.Text(element, name) is { } status && s_statuses.Contains(status, StringComparer.Ordinal);

    private static bool IsObject(JsonElement element, string name, out JsonElement value) => element.TryGetProperty(name, out value) && value.ValueKind is JsonValueKind.Object;

    private static Nonce? Base64(JsonElement element, string name) =>
        StrictJson.Text(element, name) is { Length: <= 64 } text && StrictBase64.TryDecodeUrl(Encoding.UTF8.GetBytes(text), out var bytes) && Nonce.TryCreate(bytes, out var nonce) ? nonce : null;

    private static Nonce? Hexadecimal(JsonElement element, string name) => Nonce.TryParse(StrictJson.Text(element, name), out var nonce, out _) ? nonce : null;
}
