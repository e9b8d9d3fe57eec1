using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>Where the anchors come from. Verdicts carry it (S-12).</summary>
public enum TrustSetKind
{
    /// <summary>Not told: nothing verifies.</summary>
    None,

    /// <summary>NVIDIA's roots, compiled in.</summary>
    BuiltIn,

    /// <summary>The relying party's own roots for real devices.</summary>
    Custom,

    /// <summary>The roots of a simulator. Every certificate below them must carry the simulator's marker.</summary>
    Simulated,
}

/// <summary>
/// The one door by which trust enters: roots for device identities, others for RIM signers, and those of processors. Wholly real or
/// wholly simulated.
/// </summary>
public sealed class TrustSet
{
    private TrustSet(
        TrustSetKind kind, string name,
        ImmutableArray<TrustAnchor> devices, ImmutableArray<TrustAnchor> rims, ImmutableArray<TrustAnchor> intel, ImmutableArray<TrustAnchor> amd)
    {
        Kind = kind;
        Name = name;
        DeviceAnchors = devices;
        RimAnchors = rims;
        IntelAnchors = intel;
        AmdAnchors = amd;
        Identity = Digest.Sha256([(byte)kind, .. Fingerprints(devices), 0xFF, .. Fingerprints(rims), 0xFE, .. Fingerprints(intel), 0xFD, .. Fingerprints(amd)]);
    }

    /// <summary>NVIDIA's compiled-in roots.</summary>
    public static TrustSet Nvidia { get; } =
        new(TrustSetKind.BuiltIn, "nvidia", [NvidiaAnchors.DeviceIdentity], [NvidiaAnchors.CorimSigning, NvidiaAnchors.Corim001], [], []);

    /// <summary>Every compiled-in root: NVIDIA's, Intel's and AMD's.</summary>
    public static TrustSet BuiltIn { get; } = new(
        TrustSetKind.BuiltIn, "built-in",
        [NvidiaAnchors.DeviceIdentity], [NvidiaAnchors.CorimSigning, NvidiaAnchors.Corim001],
        [Intel.IntelAnchors.SgxRoot], [Amd.AmdAnchors.Milan, Amd.AmdAnchors.Genoa, Amd.AmdAnchors.Turin]);

    /// <summary>Real, custom or simulated.</summary>
    public TrustSetKind Kind { get; }

    /// <summary>What its file calls it.</summary>
    public string Name { get; }

    /// <summary>Roots of device identity chains.</summary>
    public ImmutableArray<TrustAnchor> DeviceAnchors { get; }

    /// <summary>Roots of RIM signer chains. They certify nothing else.</summary>
    public ImmutableArray<TrustAnchor> RimAnchors { get; }

    /// <summary>Roots of PCK chains and of what Intel signs about TCBs.</summary>
    public ImmutableArray<TrustAnchor> IntelAnchors { get; }

    /// <summary>Roots of VCEK and VLEK chains.</summary>
    public ImmutableArray<TrustAnchor> AmdAnchors { get; }

    /// <summary>Distinguishes trust sets in cache keys.</summary>
    internal Digest Identity { get; }

    /// <summary>
    /// Reads an anchors file: <c>{"version":1,"kind":"custom|simulated","name":…,"device":[PEM…],"rim":[PEM…],"intel":[PEM…],"amd":[PEM…]}</c>.
    /// The last two may be absent; so may the first two together, where one of the last is there.
    /// Roots that a simulator made make the set simulated, whatever <c>kind</c> says; beside roots without its marker they are refused, and
    /// a set that calls itself simulated has no others (S-12).
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out TrustSet? set, [NotNullWhen(false)] out ParseFault? fault)
    {
        set = null;
        var file = StrictJson.Read(json, out fault);
        if (file is null || fault is not null)
        {
            fault ??= new ParseFault("anchors", 0, "empty");
            return false;
        }

        using (file)
        {
            fault = ReadFile(file.RootElement, out set);
        }

        return fault is null;
    }

    private static ParseFault? ReadFile(JsonElement root, out TrustSet? set)
    {
        set = null;
        if (root.ValueKind is not JsonValueKind.Object)
        {
            return new ParseFault("anchors", 0, "not a JSON object");
        }

        var unknown = root.EnumerateObject().FirstOrDefault(member => member.Name is not ("version" or "kind" or "name" or "device" or "rim" or "intel" or "amd"));
        if (unknown.Value.ValueKind is not JsonValueKind.Undefined)
        {
            return new ParseFault("anchors", 0, $"unknown member \"{unknown.Name}\"");
        }

        if (!root.TryGetProperty("version", out var version) || version.ValueKind is not JsonValueKind.Number || !version.TryGetInt32(out var number) || number != 1)
        {
            return new ParseFault("version", 0, "1 is expected");
        }

        var kind = StrictJson.Text(root, "kind") switch
        {
            "custom" => TrustSetKind.Custom,
            "simulated" => TrustSetKind.Simulated,
            _ => TrustSetKind.None,
        };
        if (kind is TrustSetKind.None)
        {
            return new ParseFault("kind", 0, "\"custom\" or \"simulated\" is expected");
        }

        var (devices, rims, intel, amd) = (ImmutableArray<TrustAnchor>.Empty, ImmutableArray<TrustAnchor>.Empty, ImmutableArray<TrustAnchor>.Empty, ImmutableArray<TrustAnchor>.Empty);
        var marks = new List<(string Member, bool IsSimulated)>();
        ParseFault? fault = null;
        if (Has(root, "device") || Has(root, "rim") || !(Has(root, "intel") || Has(root, "amd")))
        {
            fault = ReadRoots(root, "device", out devices, marks);
            fault ??= ReadRoots(root, "rim", out rims, marks);
        }

        fault ??= Has(root, "intel") ? ReadRoots(root, "intel", out intel, marks) : null;
        fault ??= Has(root, "amd") ? ReadRoots(root, "amd", out amd, marks) : null;
        if (fault is not null)
        {
            return fault;
        }

        var simulated = marks.Any(mark => mark.IsSimulated);
        if (simulated || kind is TrustSetKind.Simulated)
        {
            if (marks.FirstOrDefault(mark => !mark.IsSimulated).Member is { } unmarked)
            {
                return new ParseFault(unmarked, 0, simulated ? "a root without the simulator's marker beside roots that a simulator made" : "a root without the simulator's marker in a simulated set");
            }

            kind = TrustSetKind.Simulated;
        }

        // A root for two purposes would let what one of them certifies pass for the other.
        var all = devices.Concat(rims).Concat(intel).Concat(amd).Select(anchor => anchor.Fingerprint).ToArray();
        var shared = all.Distinct().Count() != all.Length;
        set = shared ? null : new TrustSet(kind, StrictJson.Text(root, "name") ?? "unnamed", devices, rims, intel, amd);
        return shared ? new ParseFault("rim", 0, "a root appears twice, or for two purposes: each root has one purpose") : null;
    }

    private static bool Has(JsonElement root, string member) => root.TryGetProperty(member, out _);

    private static IEnumerable<byte> Fingerprints(ImmutableArray<TrustAnchor> anchors) => anchors.SelectMany(anchor => anchor.Fingerprint.Bytes.ToArray());

    private static ParseFault? ReadRoots(JsonElement root, string member, out ImmutableArray<TrustAnchor> anchors, List<(string Member, bool IsSimulated)> marks)
    {
        anchors = [];
        if (!root.TryGetProperty(member, out var list) || list.ValueKind is not JsonValueKind.Array || list.GetArrayLength() is 0 or > Limits.ChainCertificates)
        {
            return new ParseFault(member, 0, $"an array of 1 to {Limits.ChainCertificates} PEM certificates is expected");
        }

        var read = ImmutableArray.CreateBuilder<TrustAnchor>();
        foreach (var item in list.EnumerateArray())
        {
            var text = item.ValueKind is JsonValueKind.String ? System.Text.Encoding.UTF8.GetBytes(item.GetString()!) : [];
            if (!Pem.TryDecode(text, out var blocks, out var fault))
            {
                return fault.Within(member, 0);
            }

            if (blocks.Length != 1 || !Certificate.TryParse(blocks[0].Span, out var certificate, out fault))
            {
                return fault?.Within(member, 0) ?? new ParseFault(member, 0, "one certificate in each element is expected");
            }

            marks.Add((member, SimulatedMarker.IsIn(certificate.Extensions)));
            read.Add(TrustAnchor.Of(certificate));
        }

        anchors = read.ToImmutable();
        return null;
    }
}
