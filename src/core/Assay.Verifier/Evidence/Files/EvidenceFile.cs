using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// Reads evidence files into devices. Told apart by content:
/// nvattest's array <c>[{"arch","nonce","evidence":base64,"certificate":base64 PEM}]</c>, also as one object alone or inside <c>{"evidences":[…]}</c>
/// (what <c>collect-evidence</c> prints); the body of a request to NVIDIA's remote service, <c>{"nonce","arch","evidence_list":[…]}</c>;
/// Confidential Containers' <c>{"device_evidence_list":[…]}</c>; dstack's answer to AttestGpu,
/// <c>{"bundles":[{"vendor","format","evidence":hex}]}</c>; the CMW collection of attestation-sdk 2.x; and our bundle
/// <c>{"version":1,"nonce":…,"gpus":[…],"switches":[…]}</c> with the same elements. Reports and chains are read as <see cref="FileText"/> does, chains as
/// PEM too. Members that none of them defines are ignored in elements, as NVIDIA's own files carry some, and refused beside a list.
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

        using var document = StrictJson.Read(FileText.WithoutMark(json), out fault);
        if (document is null)
        {
            return false;
        }

        var reader = new Reader(name);
        reader.ReadRoot(document.RootElement);
        fault = reader.Fault ?? (reader.Devices.Count == 0 ? new ParseFault("evidence", 0, "the file contains no device") : null);
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

    /// <summary>The devices of an element inside a larger file.</summary>
    internal static ImmutableArray<DeviceEvidence> DevicesIn(JsonElement element, string name, out ParseFault? fault)
    {
        var reader = new Reader(name);
        reader.ReadRoot(element);
        fault = reader.Fault ?? (reader.Devices.Count == 0 ? new ParseFault("evidence", 0, "it contains no device") : null);
        return fault is null ? [.. reader.Devices] : [];
    }

    private sealed class Reader(string name)
    {
        private static readonly string[] s_requestMembers = ["nonce", "arch", "claims_version"];
        private static readonly string[] s_answerMembers = ["vendor", "format"];
        private static readonly string[] s_collectMembers = ["result_code", "result_message"];


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
                RefuseOthers(root, "evidences", s_collectMembers);
                if (root.TryGetProperty("result_code", out var result) && !(result.ValueKind is JsonValueKind.Number && result.TryGetInt32(out var code) && code == 0))
                {
                    Refuse("result_code", $"0 is expected, found {result.GetRawText()[..Math.Min(result.GetRawText().Length, 32)]}: nvattest could not collect all of it");
                }

                ReadList(collected, "evidences", DeviceKind.None);
            }
            else if (root.TryGetProperty("evidence_list", out var requested))
            {
                RefuseOthers(root, "evidence_list", s_requestMembers);
                ReadList(requested, "evidence_list", DeviceKind.None, ReadNonce(root, "nonce"), StrictJson.Text(root, "arch"));
            }
            else if (root.TryGetProperty("device_evidence_list", out var attested))
            {
                RefuseOthers(root, "device_evidence_list", []);
                ReadList(attested, "device_evidence_list", DeviceKind.None);
            }
            else if (root.TryGetProperty("bundles", out var bundles))
            {
                RefuseOthers(root, "bundles", []);
                ReadAnswers(bundles);
            }
            else if (root.TryGetProperty(CmwType, out _))
            {
                ReadCollection(root);
            }
            else if (root.TryGetProperty("evidence", out _) && root.TryGetProperty("certificate", out _))
            {
                ReadElement(root, "device", DeviceKind.None, null, null);
            }
            else
            {
                ReadBundle(root);
            }
        }

        // dstack's AttestGpu: the bytes of each are what collect-evidence printed.
        private void ReadAnswers(JsonElement bundles)
        {
            const string format = "nvidia-nvattest-collect-evidence-json-v1";
            if (bundles.ValueKind is not JsonValueKind.Array)
            {
                Refuse("bundles", "an array is expected");
                return;
            }

            foreach (var (index, bundle) in bundles.EnumerateArray().Index())
            {
                var place = $"bundles[{index}]";
                if (Fault is not null || !HasRoom(place))
                {
                    return;
                }

                if (StrictJson.Text(bundle, "vendor") is not "nvidia" || StrictJson.Text(bundle, "format") is not format)
                {
                    Refuse($"{place}.format", $"vendor \"nvidia\" and format \"{format}\" are expected; nvattest's record of the boot is not evidence");
                    return;
                }

                // Whatever else stands there, a nonce say, would go unjudged in silence.
                RefuseOthers(bundle, "evidence", s_answerMembers);
                ReadAnswer(StrictJson.Text(bundle, "evidence"), place);
            }
        }

        private void ReadAnswer(string? text, string place)
        {
            if (!FileText.TryDecode(text, out var json))
            {
                Refuse($"{place}.evidence", "hexadecimal is expected");
                return;
            }

            using var document = StrictJson.Read(json, out var fault);
            var root = document?.RootElement ?? default;
            // One level, not the next: a bundle in a bundle is in no format.
            if (root.ValueKind is not JsonValueKind.Array && !(root.ValueKind is JsonValueKind.Object && root.TryGetProperty("evidences", out _)))
            {
                Refuse($"{place}.evidence", fault?.ToString() ?? "what nvattest collect-evidence prints is expected");
                return;
            }

            ReadRoot(root);
        }

        // A second list beside the one that is read would go unjudged in silence.
        private void RefuseOthers(JsonElement root, string list, string[] known)
        {
            if (root.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => member != list && !known.Contains(member)) is { } other)
            {
                Refuse(other, $"unknown member beside \"{list}\"");
            }
        }

        public void ReadBundle(JsonElement root)
        {
            var known = root.TryGetProperty("version", out var version) && version.ValueKind is JsonValueKind.Number && version.TryGetInt32(out var number) && number == 1;
            if (!known)
            {
                Refuse("version", $"this is {Phrase(root)}; evidence of GPUs or switches is expected: nvattest's array, a request to NVIDIA's remote service, a CMW collection, or a bundle with \"version\":1");
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
                        Refuse(member.Name, "only GPUs and switches can be judged here");
                        break;
                    default:
                        Refuse(member.Name, "unknown member");
                        break;
                }
            }
        }

        private static string Phrase(JsonElement root) => FileContent.Of(Encoding.UTF8.GetBytes(root.GetRawText())).Phrase;

        private void ReadList(JsonElement list, string path, DeviceKind kind, Nonce? shared = null, string? architecture = null)
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

                ReadElement(element, place, kind, shared, architecture);
            }
        }

        private void ReadElement(JsonElement element, string place, DeviceKind kind, Nonce? shared, string? sharedArchitecture)
        {
            var evidence = ReadBytes(element, "evidence", place);
            var certificate = ReadChain(element, place);
            var nonce = OfOne(ReadNonce(element, place), shared, place);
            if (Fault is null && element.TryGetProperty("arch", out var architecture) && architecture.ValueKind is not JsonValueKind.String)
            {
                Refuse($"{place}.arch", "a string is expected");
            }

            if (Fault is null)
            {
                Add(place, evidence!, certificate!, StrictJson.Text(element, "arch") ?? sharedArchitecture, nonce, kind);
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

        private byte[]? ReadBytes(JsonElement element, string member, string place)
        {
            byte[]? bytes = null;
            var text = StrictJson.Text(element, member);
            if (text is null || !FileText.TryDecode(text, out bytes))
            {
                Refuse($"{place}.{member}", text is null ? "a string is expected" : "neither canonical base64 nor hexadecimal");
            }

            return bytes;
        }

        // Base64 of PEM, as NVIDIA's files have it; or PEM, as who takes the chain from the driver's library has it.
        private byte[]? ReadChain(JsonElement element, string place) =>
            StrictJson.Text(element, "certificate") is { } text && text.TrimStart().StartsWith("-----BEGIN ", StringComparison.Ordinal) ? Encoding.UTF8.GetBytes(text) : ReadBytes(element, "certificate", place);

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
