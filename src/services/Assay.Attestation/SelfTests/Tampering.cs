using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Service.Judging;
using Assay.Wire;

namespace Assay.Attestation.SelfTests;

/// <summary>Evidence as an attacker would change it, one thing at a time. None of it may pass under a policy that asks for what was changed.</summary>
internal static class Tampering
{
    // In our bundle, in a request to NVIDIA's remote service, and in a bare array.
    private static readonly string[] s_lists = ["gpus", "switches", "evidence_list"];

    /// <summary>What is changed, in words, and the evidence. Only what the evidence has, and the policy asks for, is changed; what is in another form is left as it is.</summary>
    public static IEnumerable<(string Name, byte[] Evidence)> Of(JsonElement evidence, PolicyExpectations expected)
    {
        var root = JsonNode.Parse(evidence.GetRawText())!;
        var lists = Lists(root).ToArray();
        foreach (var (list, length) in lists.Select(list => (list.Name, list.Items.Count)))
        {
            for (var index = 0; index < length; index++)
            {
                if (Changed(root, copy => TryFlip(List(copy, list)[index], "evidence", bytes => bytes.Length - 1)) is { } flipped)
                {
                    yield return ($"one bit of {list}[{index}]'s report", flipped);
                }
            }
        }

        foreach (var (list, length) in lists.Select(list => (list.Name, list.Items.Count)))
        {
            if (length > 1 && (list is "switches" ? expected.Switches : expected.Gpus) is not null)
            {
                yield return ($"{list}[{length - 1}] left out", Changed(root, copy => Do(() => List(copy, list).RemoveAt(length - 1)))!);
                yield return ($"{list}[0] in place of {list}[{length - 1}]", Changed(root, copy => Do(() => List(copy, list)[length - 1] = List(copy, list)[0]!.DeepClone()))!);
            }
        }

        foreach (var attack in root is JsonObject machine ? OfMachine(machine, expected) : [])
        {
            yield return attack;
        }
    }

    private static IEnumerable<(string Name, byte[] Evidence)> OfMachine(JsonObject machine, PolicyExpectations expected)
    {
        if (machine["cpu"] is JsonObject cpu)
        {
            if (Changed(machine, copy => TryFlip(copy["cpu"], "quote", bytes => bytes.Length / 2)) is { } flipped)
            {
                yield return ("one bit of the processor's quote", flipped);
            }

            if (expected.Binding is "boot-event")
            {
                if (cpu.ContainsKey("eventLog"))
                {
                    yield return ("the event log left out", Changed(machine, copy => copy["cpu"]!.AsObject().Remove("eventLog"))!);
                }

                yield return ("the processor left out", Changed(machine, copy => copy.AsObject().Remove("cpu"))!);
            }
        }

        if (machine.ContainsKey("key"))
        {
            yield return ("another key", Changed(machine, copy => Do(() => copy["key"] = OtherKey()))!);
        }
    }

    private static IEnumerable<(string Name, JsonArray Items)> Lists(JsonNode root) => root is JsonArray devices ? [("devices", devices)]
        : root is JsonObject machine ? s_lists.Where(name => machine[name] is JsonArray).Select(name => (name, machine[name]!.AsArray()))
        : [];

    private static JsonArray List(JsonNode root, string name) => Lists(root).First(list => list.Name == name).Items;

    // A copy with one change; null where there was nothing to change.
    private static byte[]? Changed(JsonNode root, Func<JsonNode, bool> change)
    {
        var copy = root.DeepClone();
        return change(copy) ? Encoding.UTF8.GetBytes(copy.ToJsonString()) : null;
    }

    private static bool Do(Action change)
    {
        change();
        return true;
    }

    // Of a device's report the last bit, which is the signature's: what is refused for its form shows nothing of the signature. Of a quote one in the
    // middle of it, in the certificates.
    private static bool TryFlip(JsonNode? node, string member, Func<byte[], int> where)
    {
        if (node is not JsonObject item || item[member] is not JsonValue value || !value.TryGetValue<string>(out var text) || text.Length == 0)
        {
            return false;
        }

        var isHex = text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit);
        byte[]? bytes = null;
        if (isHex)
        {
            bytes = Convert.FromHexString(text);
        }
        else if (!StrictBase64.TryDecode(Encoding.UTF8.GetBytes(text), out bytes))
        {
            return false;
        }

        bytes[where(bytes)] ^= 1;
        item[member] = isHex ? Convert.ToHexStringLower(bytes) : Convert.ToBase64String(bytes);
        return true;
    }

    private static JsonObject OtherKey()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var point = pair.ExportParameters(includePrivateParameters: false).Q;
        return new JsonObject { ["crv"] = "P-384", ["kty"] = "EC", ["x"] = Base64Url.EncodeToString(point.X), ["y"] = Base64Url.EncodeToString(point.Y) };
    }
}
