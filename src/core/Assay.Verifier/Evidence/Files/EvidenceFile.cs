using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// Reads evidence files into devices. Three forms, told apart by content:
/// nvattest's array <c>[{"arch","nonce","evidence":base64,"certificate":base64 PEM}]</c> (also inside <c>{"evidences":[…]}</c>, what
/// <c>collect-evidence</c> prints); the CMW collection of attestation-sdk 2.x; and our bundle
/// <c>{"version":1,"nonce":…,"gpus":[…],"switches":[…]}</c> with the same elements.
/// Members that none of them defines are ignored in elements, as NVIDIA's own files carry some, and refused at the top of our bundle.
/// </summary>
public static class EvidenceFile
{
    private const string CmwRoot = "tag:nvidia.com,2026:verifier-input/profiles/base/pre-1.0.0";
    private const string CmwItem = "tag:nvidia.com,2026:evidence-item/v1";
    private const string CmwTranscript = "application/vnd.nvidia.spdm-measurement-transcript";
    private const string CmwChain = "application/vnd.nvidia.pem-cert-chain";
    private const string CmwType = "__cmwc_t";

    /// <summary>The devices of a file in its order, or the first fault.</summary>
    /// <param name="json">The file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="devices">One element for each device; none on a fault.</param>
    /// <param name="fault">What is wrong with the container. Reports and chains are not looked into.</param>
    public static bool TryParse(ReadOnlySpan<byte> json, string name, out ImmutableArray<DeviceEvidence> devices, out ParseFault? fault)
    {
        devices = [];
        if (json.Length > Limits.EvidenceFileBytes)
        {
            fault = new ParseFault("evidence", 0, $"larger than {Limits.EvidenceFileBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            return false;
        }

        var reader = new Reader(name);
        reader.ReadRoot(document.RootElement);
        fault = reader.Fault ?? (reader.Devices.Count == 0 ? new ParseFault("evidence", 0, "the file holds no device") : null);
        devices = fault is null ? [.. reader.Devices] : [];
        return fault is null;
    }

    /// <summary>The devices of a bundle that holds more than devices; it may hold none of them.</summary>
    internal static ImmutableArray<DeviceEvidence> DevicesOf(JsonElement root, string name, bool nonceIsChallenge, out ParseFault? fault)
    {
        var reader = new Reader(name) { IsWhole = true, NonceIsChallenge = nonceIsChallenge };
        reader.ReadBundle(root);
        fault = reader.Fault;
        return fault is null ? [.. reader.Devices] : [];
    }

    private sealed class Reader(string name)
    {
        /// <summary>Whether somebody else reads processor and key.</summary>
        public bool IsWhole { get; init; }

        /// <summary>Whether the file's nonce is a challenge, of which devices answer another form.</summary>
        public bool NonceIsChallenge { get; init; }

        public List<DeviceEvidence> Devices { get; } = [];

        public ParseFault? Fault { get; private set; }

        public void ReadRoot(JsonElement root)
        {
            if (root.ValueKind is JsonValueKind.Array)
            {
                ReadList(root, "", DeviceKind.None);
            }
            else if (root.ValueKind is not JsonValueKind.Object)
            {
                Refuse("evidence", "neither an array nor an object");
            }
            else if (root.TryGetProperty("evidences", out var collected))
            {
                // What collect-evidence prints, and nothing else: a second list beside it would go unjudged in silence.
                var other = root.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => member is not ("evidences" or "result_code" or "result_message"));
                if (other is not null)
                {
                    Refuse(other, "unknown member beside \"evidences\"");
                }

                ReadList(collected, "evidences", DeviceKind.None);
            }
            else if (root.TryGetProperty(CmwType, out _))
            {
                ReadCollection(root);
            }
            else
            {
                ReadBundle(root);
            }
        }

        public void ReadBundle(JsonElement root)
        {
            var known = root.TryGetProperty("version", out var version) && version.ValueKind is JsonValueKind.Number && version.TryGetInt32(out var number) && number == 1;
            if (!known)
            {
                Refuse("version", "not an evidence file: neither nvattest's array, nor a CMW collection, nor a bundle with \"version\":1");
                return;
            }

            var shared = NonceIsChallenge ? null : ReadNonce(root, "nonce");
            foreach (var member in root.EnumerateObject())
            {
                switch (member.Name)
                {
                    case "version" or "nonce":
                    case "cpu" or "key" when IsWhole:
                        break;
                    case "gpus":
                        ReadList(member.Value, "gpus", DeviceKind.Gpu, shared);
                        break;
                    case "switches":
                        ReadList(member.Value, "switches", DeviceKind.Switch, shared);
                        break;
                    case "cpu" or "key":
                        Refuse(member.Name, "only GPUs and switches are judged here, and nothing is left unjudged in silence");
                        break;
                    default:
                        Refuse(member.Name, "unknown member");
                        break;
                }
            }
        }

        private void ReadList(JsonElement list, string path, DeviceKind kind, Nonce? shared = null)
        {
            if (list.ValueKind is not JsonValueKind.Array)
            {
                Refuse(path, "an array is expected");
                return;
            }

            var index = 0;
            foreach (var element in list.EnumerateArray())
            {
                var place = $"{path}[{index++}]";
                if (Fault is not null || !HasRoom(place))
                {
                    return;
                }

                var evidence = ReadBase64(element, "evidence", place);
                var certificate = ReadBase64(element, "certificate", place);
                var nonce = OfOne(ReadNonce(element, place), shared, place);
                if (Fault is null && element.TryGetProperty("arch", out var architecture) && architecture.ValueKind is not JsonValueKind.String)
                {
                    Refuse($"{place}.arch", "a string is expected");
                }

                if (Fault is null)
                {
                    Add(place, evidence!, certificate!, StrictJson.Text(element, "arch"), nonce, kind);
                }
            }
        }

        private void ReadCollection(JsonElement root)
        {
            if (StrictJson.Text(root, CmwType) is not CmwRoot)
            {
                Refuse(CmwType, $"{CmwRoot} is expected");
                return;
            }

            var shared = ReadCmwNonce(root);
            foreach (var member in root.EnumerateObject().Where(member => member.Name is not (CmwType or "nonce" or "appraisal-settings")))
            {
                if (Fault is not null || !HasRoom(member.Name))
                {
                    return;
                }

                var item = member.Value;
                if (StrictJson.Text(item, CmwType) is not CmwItem)
                {
                    Refuse($"{member.Name}.{CmwType}", $"{CmwItem} is expected");
                    return;
                }

                var evidence = ReadRecord(item, "evidence", CmwTranscript, member.Name);
                var certificate = ReadRecord(item, "certificate", CmwChain, member.Name);
                var nonce = OfOne(ReadCmwNonce(item), shared, member.Name);
                if (Fault is null)
                {
                    Add(member.Name, evidence!, certificate!, null, nonce, DeviceKind.None);
                }
            }
        }

        private void Add(string place, byte[] report, byte[] chain, string? architecture, Nonce? nonce, DeviceKind kind) => Devices.Add(new DeviceEvidence
        {
            Source = $"{name} {place}",
            Report = report,
            Chain = chain,
            DeclaredArchitecture = architecture,
            DeclaredNonce = nonce,
            DeclaredKind = kind,
        });

        private bool HasRoom(string place)
        {
            if (Devices.Count >= Limits.Devices)
            {
                Refuse(place, $"more than {Limits.Devices} devices");
            }

            return Fault is null;
        }

        private byte[]? ReadBase64(JsonElement element, string member, string place)
        {
            byte[]? bytes = null;
            var text = StrictJson.Text(element, member);
            if (text is null || !StrictBase64.TryDecode(Encoding.UTF8.GetBytes(text), out bytes))
            {
                Refuse($"{place}.{member}", text is null ? "a string is expected" : "not canonical base64");
            }

            return bytes;
        }

        // A conceptual message wrapper in record form: [media type, base64url]. The three-element form is of another version.
        private byte[]? ReadRecord(JsonElement item, string member, string mediaType, string place)
        {
            byte[]? bytes = null;
            var sound = item.TryGetProperty(member, out var record)
                && record.ValueKind is JsonValueKind.Array && record.GetArrayLength() == 2
                && record[0].ValueKind is JsonValueKind.String && record[0].GetString() == mediaType
                && record[1].ValueKind is JsonValueKind.String
                && StrictBase64.TryDecodeUrl(Encoding.UTF8.GetBytes(record[1].GetString()!), out bytes);
            if (!sound)
            {
                Refuse($"{place}.{member}", $"[\"{mediaType}\", base64url] is expected");
            }

            return bytes;
        }

        // What an element states and what the file states for all of them may not differ: one of the two would go unread.
        private Nonce? OfOne(Nonce? own, Nonce? shared, string place)
        {
            if (own is not null && shared is not null && !own.Equals(shared))
            {
                Refuse($"{place}.nonce", "another nonce than the file states for all");
            }

            return own ?? shared;
        }

        private Nonce? ReadNonce(JsonElement element, string place)
        {
            if (element.ValueKind is not JsonValueKind.Object || !element.TryGetProperty("nonce", out var value))
            {
                return null;
            }

            Nonce? nonce = null;
            if (value.ValueKind is not JsonValueKind.String || !Nonce.TryParse(value.GetString(), out nonce, out _))
            {
                Refuse($"{place}.nonce", "64 hexadecimal digits are expected");
            }

            return nonce;
        }

        private Nonce? ReadCmwNonce(JsonElement element)
        {
            if (!element.TryGetProperty("nonce", out _))
            {
                return null;
            }

            Nonce? nonce = null;
            var bytes = ReadRecord(element, "nonce", "application/octet-stream", "nonce");
            if (bytes is not null && !Nonce.TryCreate(bytes, out nonce))
            {
                Refuse("nonce", $"{Nonce.Size} bytes are expected");
            }

            return nonce;
        }

        private void Refuse(string field, string problem) => Fault ??= new ParseFault(field, 0, problem);
    }
}
