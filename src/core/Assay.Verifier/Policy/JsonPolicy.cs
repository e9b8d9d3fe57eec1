using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Evidence.Devices;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>
/// NVIDIA's JSON policies (nv_attestation_sdk, "authorization-rules"), in two forms:
/// <c>{"version","authorization-rules":{claim: value, …}}</c>, compared with every device's claims, and
/// <c>{"version","authorization-rules":{"type":"JWT","overall-claims":{…},"detached-claims":{…}}}</c>.
/// Every rule needs a claim of its name and value: of objects each named member, recursively; of all else the whole, numbers by value.
/// Claims that no rule names do not count. The version is a string that nothing follows from.
/// </summary>
public sealed class JsonPolicy
{
    /// <summary>A policy file. NVIDIA's are below 2 kB.</summary>
    public const int MostBytes = 64 * 1024;

    /// <summary>Rules of one policy, those inside nested objects included. NVIDIA's have at most 28.</summary>
    public const int MostRules = 512;

    // Claims have no number that needs one. The framework throws when it compares numbers whose exponents are beyond 32 bits.
    private const int MostExponentDigits = 3;

    private const int MostDifferences = 16;
    private const int MostShown = 200;
    private const string Overall = "overall-claims";
    private const string Detached = "detached-claims";
    private const string OverallResult = "x-nvidia-overall-att-result";

    private readonly ImmutableArray<Rule> _rules;
    private readonly ClaimsVersion? _writtenFor;

    private JsonPolicy(ImmutableArray<Rule> rules, Digest digest)
    {
        _rules = rules;
        _writtenFor = PolicyVersion.WrittenFor([.. rules.Select(rule => (rule.IsOverall, rule.Name, rule.Value))]);
        Digest = digest;
    }

    private sealed record Rule(int Number, bool IsOverall, string Path, string Name, JsonElement Value);

    /// <summary>SHA-256 of the file.</summary>
    public Digest Digest { get; }

    /// <summary>How many rules it has.</summary>
    public int Rules => _rules.Length;

    /// <summary>The version of the claims that its rules name; null when they could be of several.</summary>
    public ClaimsVersion? WrittenFor => _writtenFor;

    /// <summary>Reads a policy. One that rules on nothing, or has members that are not understood, is refused.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out JsonPolicy? policy, [NotNullWhen(false)] out ParseFault? fault)
    {
        policy = null;
        if (json.Length > MostBytes)
        {
            fault = new ParseFault("policy", 0, $"larger than {MostBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("policy", 0, "malformed");
            return false;
        }

        var reader = new Reader();
        reader.ReadRoot(document.RootElement);
        fault = reader.Fault;
        policy = fault is null ? new JsonPolicy([.. reader.Rules], Digest.Sha256(json)) : null;
        return policy is not null;
    }

    /// <summary>The policy under a name, usually its file's.</summary>
    public RelyingPartyPolicy Named(string id) => new(id, Digest, Decide);

    /// <summary>Compares every rule with the overall claims, or with the claims of each device. No device: refused.</summary>
    public PolicyDecision Decide(ClaimsView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (view.WhyNoDevices is { } whyNot)
        {
            return new PolicyDecision { Allowed = false, Reason = whyNot };
        }

        var version = _writtenFor ?? view.Version;
        var comparison = new Comparison(version);
        using (var overall = Json(writer => view.WriteOverall(writer, version)))
        {
            comparison.Compare(_rules.Where(rule => rule.IsOverall), overall.RootElement, null);
        }

        foreach (var device in view.Devices)
        {
            using var claims = Json(writer => ClaimsView.WriteDevice(writer, device, version, withSchemaValidated: version is ClaimsVersion.V3 or ClaimsVersion.V4));
            comparison.Compare(_rules.Where(rule => !rule.IsOverall), claims.RootElement, device);
        }

        var devices = view.Devices.Length == 1 ? "1 device" : $"{view.Devices.Length} devices";
        return comparison.Count == 0
            ? new PolicyDecision { Allowed = true, Reason = $"{_rules.Length} rules over claims {PolicyVersion.Word(version)} of {devices}" }
            : new PolicyDecision
            {
                Allowed = false,
                Reason = $"{comparison.RulesBroken} of {_rules.Length} rules are not satisfied by claims {PolicyVersion.Word(version)} of {devices}; the first: {comparison.Differences[0].Reason}",
                Differences = [.. comparison.Differences],
            };
    }

    private static JsonDocument Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(4 * 1024);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            write(writer);
        }

        return JsonDocument.Parse(buffer.WrittenMemory);
    }

    private sealed class Comparison(ClaimsVersion version)
    {
        private readonly HashSet<int> _broken = [];

        public List<PolicyDifference> Differences { get; } = [];

        public int Count { get; private set; }

        public int RulesBroken => _broken.Count;

        public void Compare(IEnumerable<Rule> rules, JsonElement claims, DeviceResult? device)
        {
            foreach (var rule in rules)
            {
                Compare(rule, rule.Path, rule.Name, rule.Value, claims, device);
            }
        }

        private void Compare(Rule rule, string path, string name, JsonElement expected, JsonElement claims, DeviceResult? device)
        {
            if (!claims.TryGetProperty(name, out var found))
            {
                Differ(rule, path, device, WhyAbsent(path, device), null, expected);
            }
            else if (expected.ValueKind is JsonValueKind.Object && found.ValueKind is JsonValueKind.Object)
            {
                foreach (var member in expected.EnumerateObject())
                {
                    Compare(rule, $"{path}.{member.Name}", member.Name, member.Value, found, device);
                }
            }
            else if (!JsonElement.DeepEquals(expected, found))
            {
                Differ(rule, path, device, $"{path}{Of(device)} is {Shown(found)}", found, expected);
            }
        }

        private void Differ(Rule rule, string path, DeviceResult? device, string reason, JsonElement? found, JsonElement expected)
        {
            Count++;
            _broken.Add(rule.Number);
            if (rule is { IsOverall: true, Name: "iss" })
            {
                reason = $"overall-claims.iss asks for a verdict of {Shown(expected)}; this is one of Assay, which speaks in no other verifier's name";
            }

            if (Differences.Count < MostDifferences)
            {
                Differences.Add(new PolicyDifference(rule.Number, path, device?.Index, reason, found is { } value ? Shown(value) : null, Shown(expected)));
            }
        }

        private string WhyAbsent(string path, DeviceResult? device) => device is null
            ? $"{path} is no overall claim"
            : $"{path} is no claim about {DeviceKindWords.Of(device.Kind).Plural} in claims {PolicyVersion.Word(version)}{Of(device)}";

        private static string Of(DeviceResult? device) => device is null ? "" : $" (device {device.Index.ToString(CultureInfo.InvariantCulture)})";

        private static string Shown(JsonElement value)
        {
            var text = value.GetRawText();
            return text.Length <= MostShown ? text : text[..MostShown] + "…";
        }
    }

    private sealed class Reader
    {
        private int _values;

        public List<Rule> Rules { get; } = [];

        public ParseFault? Fault { get; private set; }

        public void ReadRoot(JsonElement root)
        {
            if (!RequireMembers(root, "policy", "version", "authorization-rules"))
            {
                return;
            }

            if (root.GetProperty("version").ValueKind is not JsonValueKind.String)
            {
                Refuse("version", "not a string");
            }

            var rules = root.GetProperty("authorization-rules");
            if (rules.ValueKind is not JsonValueKind.Object)
            {
                Refuse("authorization-rules", "not an object");
            }
            else if (rules.TryGetProperty("type", out _) || rules.TryGetProperty(Overall, out _) || rules.TryGetProperty(Detached, out _))
            {
                ReadDetached(rules);
            }
            else
            {
                ReadRules(rules, "", isOverall: false);
                Require(Rules.Count > 0, "authorization-rules", "empty: a policy without rules would accept everything");
            }
        }

        private void ReadDetached(JsonElement rules)
        {
            if (!RequireMembers(rules, "authorization-rules", "type", Overall, Detached))
            {
                return;
            }

            Require(StrictJson.Text(rules, "type") is "JWT", "type", "\"JWT\" is expected");
            foreach (var (member, isOverall) in new[] { (Overall, true), (Detached, false) })
            {
                if (rules.GetProperty(member).ValueKind is JsonValueKind.Object)
                {
                    ReadRules(rules.GetProperty(member), member + ".", isOverall);
                }
                else
                {
                    Refuse(member, "not an object");
                }
            }

            // Whoever asks nothing about the devices accepts any, unless NVIDIA's own result over all of them is asked for.
            Require(
                Rules.Exists(rule => !rule.IsOverall || (rule.Name == OverallResult && rule.Value.ValueKind is JsonValueKind.True)),
                Detached,
                $"empty, and {Overall} does not demand {OverallResult}: the policy would accept any device");
        }

        private void ReadRules(JsonElement rules, string prefix, bool isOverall)
        {
            foreach (var member in rules.EnumerateObject())
            {
                var path = prefix + member.Name;
                Count(member.Value, path);
                Require(IsInRange(member.Value), path, $"its number is out of range: an exponent of at most {MostExponentDigits} digits is expected");
                if (Fault is not null)
                {
                    return;
                }

                Rules.Add(new Rule(Rules.Count + 1, isOverall, path, member.Name, member.Value.Clone()));
            }
        }

        // An object without members demands nothing of what it is compared with.
        private void Count(JsonElement value, string path)
        {
            Require(++_values <= MostRules, "authorization-rules", $"more than {MostRules} rules");
            if (Fault is not null || value.ValueKind is not JsonValueKind.Object)
            {
                return;
            }

            Require(value.EnumerateObject().Any(), path, "an empty object demands nothing");
            foreach (var member in value.EnumerateObject())
            {
                Count(member.Value, $"{path}.{member.Name}");
            }
        }

        private static bool IsInRange(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.Object => value.EnumerateObject().All(member => IsInRange(member.Value)),
            JsonValueKind.Array => value.EnumerateArray().All(IsInRange),
            JsonValueKind.Number => ExponentDigits(value.GetRawText()) <= MostExponentDigits,
            _ => true,
        };

        private static int ExponentDigits(string number) =>
            number.AsSpan().IndexOfAny('e', 'E') is >= 0 and var mark ? number.AsSpan(mark + 1).TrimStart("+-").Length : 0;

        private bool RequireMembers(JsonElement element, string field, params ReadOnlySpan<string> names)
        {
            if (element.ValueKind is not JsonValueKind.Object)
            {
                Refuse(field, "not an object");
                return false;
            }

            foreach (var member in element.EnumerateObject())
            {
                Require(names.Contains(member.Name), field, $"an unknown member beside {string.Join(", ", names!)}");
            }

            foreach (var name in names)
            {
                Require(element.TryGetProperty(name, out _), name, "absent");
            }

            return Fault is null;
        }

        private void Require(bool holds, string field, string problem)
        {
            if (!holds)
            {
                Refuse(field, problem);
            }
        }

        private void Refuse(string field, string problem) => Fault ??= new ParseFault(field, 0, problem);
    }
}
