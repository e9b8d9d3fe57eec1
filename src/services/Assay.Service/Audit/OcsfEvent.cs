using System.Collections.Frozen;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Assay.Service.Audit;

/// <summary>
/// Audit entries as events of the Open Cybersecurity Schema Framework, 1.3: appraisals are authentications (class 3002), administration is entity management
/// (class 3004), of category 3, identity and access. What the schema has no place for is under <c>unmapped</c>, as it is in the entry.
/// </summary>
internal static class OcsfEvent
{
    private const int Category = 3;
    private const int Authentication = 3002;
    private const int EntityManagement = 3004;
    private const int Logon = 1;
    private const int Create = 1;
    private const int Update = 3;
    private const int Delete = 4;

    private static readonly FrozenDictionary<string, (int Class, int Activity)> s_kinds = new Dictionary<string, (int, int)>(StringComparer.Ordinal)
    {
        ["appraisal"] = (Authentication, Logon),
        ["nras"] = (Authentication, Logon),
        ["token.revoke"] = (EntityManagement, Delete),
        ["policy.add"] = (EntityManagement, Create),
        ["policy.stage"] = (EntityManagement, Update),
        ["policy.activate"] = (EntityManagement, Update),
        ["policy.rollback"] = (EntityManagement, Update),
        ["audience.assign"] = (EntityManagement, Update),
        ["tenant.create"] = (EntityManagement, Create),
        ["tenant.change"] = (EntityManagement, Update),
        ["tenant.disable"] = (EntityManagement, Update),
        ["api-key.create"] = (EntityManagement, Create),
        ["api-key.revoke"] = (EntityManagement, Delete),
        ["signing-key.create"] = (EntityManagement, Create),
        ["signing-key.withdraw"] = (EntityManagement, Delete),
        ["kek.rewrap"] = (EntityManagement, Update),
        ["tpm-endorsement-key.enrol"] = (EntityManagement, Create),
        ["tpm-endorsement-key.remove"] = (EntityManagement, Delete),
        ["tpm-attestation-key.activate"] = (EntityManagement, Create),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // What an entry is about, the first that it has.
    private static readonly string[] s_names = ["policy", "audience", "key", "token", "tenant"];

    /// <summary>Whether a kind of entry has a class; a test says that all have.</summary>
    public static bool Knows(string kind) => s_kinds.ContainsKey(kind);

    /// <summary>One event.</summary>
    public static JsonObject Of(AuditRow row)
    {
        ArgumentNullException.ThrowIfNull(row);
        var (type, activity) = s_kinds.GetValueOrDefault(row.Kind, (EntityManagement, Update));
        var entry = JsonNode.Parse(row.Event)!.AsObject();
        var allowed = entry["outcome"]?.GetValue<string>() == "allowed";
        var user = new JsonObject { ["uid"] = entry["actor"]?.GetValue<string>(), ["org"] = new JsonObject { ["uid"] = row.Tenant } };
        var written = new JsonObject
        {
            ["category_uid"] = Category,
            ["class_uid"] = type,
            ["activity_id"] = activity,
            ["type_uid"] = (type * 100) + activity,
            // Informational, or medium: a refusal is what somebody may want to look at.
            ["severity_id"] = allowed ? 1 : 3,
            ["status_id"] = allowed ? 1 : 2,
            ["time"] = row.At,
            ["message"] = row.Kind,
            ["metadata"] = new JsonObject
            {
                ["version"] = "1.3.0",
                ["uid"] = $"{row.Writer}/{row.Position}",
                ["log_name"] = "audit",
                ["product"] = new JsonObject { ["name"] = "Assay", ["vendor_name"] = "Assay", ["version"] = typeof(OcsfEvent).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion },
            },
            ["unmapped"] = entry,
        };
        if (type == Authentication)
        {
            written["user"] = user;
            written["auth_protocol"] = "Other";
        }
        else
        {
            written["actor"] = new JsonObject { ["user"] = user };
            written["entity"] = new JsonObject { ["type"] = row.Kind[..row.Kind.IndexOf('.', StringComparison.Ordinal)], ["name"] = NameOf(entry) };
        }

        return written;
    }

    private static string NameOf(JsonObject entry) =>
        s_names.Select(name => entry[name]?.GetValue<string>()).FirstOrDefault(name => name is not null) ?? "";
}
