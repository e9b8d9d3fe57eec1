using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Reference.Intel;

/// <summary>What a genuine TDX module is (TCB information, <c>tdxModule</c> and <c>tdxModuleIdentities</c>).</summary>
/// <param name="Id"><c>TDX_01</c> and so on; empty for the module of TDX 1.0.</param>
/// <param name="MrSigner">Expected MRSIGNERSEAM.</param>
/// <param name="Attributes">Expected SEAMATTRIBUTES under the mask.</param>
/// <param name="AttributesMask">Which bits of them count.</param>
/// <param name="Levels">From high to low; empty for the module of TDX 1.0, which the platform's levels judge.</param>
public sealed record TdxModuleIdentity(string Id, Digest MrSigner, ulong Attributes, ulong AttributesMask, ImmutableArray<IsvTcbLevel> Levels);

/// <summary>
/// TCB information of TDX, version 3 (Intel PCS API v4, <c>/tdx/certification/v4/tcb</c>): which security versions a family of platforms
/// should have. Members that are unknown here are passed over, for Intel adds some within a version, and the whole is signed.
/// </summary>
public sealed record TcbInfo
{
    private const int Version3 = 3;
    private const int DigestSize = 48;
    private const int Components = 16;

    /// <summary>issueDate.</summary>
    public required DateTimeOffset IssueDate { get; init; }

    /// <summary>nextUpdate.</summary>
    public required DateTimeOffset NextUpdate { get; init; }

    /// <summary>The platforms that it is about.</summary>
    public required Fmspc Fmspc { get; init; }

    /// <summary>The PCE that it is about.</summary>
    public required PceId PceId { get; init; }

    /// <summary>tcbEvaluationDataNumber: rises with every recovery of the TCB (S-17).</summary>
    public required int EvaluationDataNumber { get; init; }

    /// <summary>The module of TDX 1.0.</summary>
    public required TdxModuleIdentity Module { get; init; }

    /// <summary>Later modules.</summary>
    public required ImmutableArray<TdxModuleIdentity> ModuleIdentities { get; init; }

    /// <summary>The platform's levels, from high to low.</summary>
    public required ImmutableArray<PlatformTcbLevel> Levels { get; init; }

    /// <summary>Reads the JSON that Intel signed.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out TcbInfo? info, [NotNullWhen(false)] out ParseFault? fault)
    {
        info = null;
        fault = json.Length > Limits.IntelStatementBytes ? new ParseFault("tcbInfo", 0, $"larger than {Limits.IntelStatementBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("tcbInfo", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var read = Read(fields, document.RootElement);
        fault = fields.Fault;
        info = fault is null ? read : null;
        return info is not null;
    }

    /// <summary>
    /// The module that speaks: by the major version in TEE_TCB_SVN[1]; null when Intel names none of that version.
    /// </summary>
    internal TdxModuleIdentity? ModuleOf(ImmutableArray<byte> teeTcbSvn)
    {
        var id = "TDX_" + teeTcbSvn[1].ToString("X2", CultureInfo.InvariantCulture);
        return teeTcbSvn[1] == 0 ? Module : ModuleIdentities.FirstOrDefault(module => module.Id.Equals(id, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>
    /// The highest level that the platform meets (Intel PCS API v4, "Enhanced TCB evaluation"); null when it meets none. The first two
    /// components of TEE_TCB_SVN are the module's: where it has levels of its own (major version above 0) they are judged there.
    /// </summary>
    /// <param name="sgxComponents">Of the PCK certificate.</param>
    /// <param name="pceSvn">Of the PCK certificate.</param>
    /// <param name="teeTcbSvn">Of the TD report.</param>
    public TcbJudgement? Match(ImmutableArray<byte> sgxComponents, int pceSvn, ImmutableArray<byte> teeTcbSvn)
    {
        var first = teeTcbSvn[1] == 0 ? 0 : 2;
        return Levels.FirstOrDefault(level => pceSvn >= level.PceSvn
            && Reaches(sgxComponents, level.SgxComponents, 0) && Reaches(teeTcbSvn, level.TdxComponents, first))?.Judgement;
    }

    private static bool Reaches(ImmutableArray<byte> found, ImmutableArray<byte> needed, int first)
    {
        for (var index = first; index < Components; index++)
        {
            if (found[index] < needed[index])
            {
                return false;
            }
        }

        return true;
    }

    private static TcbInfo Read(JsonFields fields, JsonElement root)
    {
        fields.Require(fields.Name(root, "id") == "TDX", "id", "TDX is expected");
        fields.Require(fields.Number(root, "version") == Version3, "version", "3 is expected");
        fields.Require(fields.Number(root, "tcbType") == 0, "tcbType", "0 is expected");
        var pceId = fields.Hex(root, "pceId", 2);
        return new TcbInfo
        {
            IssueDate = fields.Time(root, "issueDate"),
            NextUpdate = fields.Time(root, "nextUpdate"),
            Fmspc = Fmspc.Of(fields.Hex(root, "fmspc", Fmspc.Size)),
            PceId = new PceId((ushort)(pceId[0] << 8 | pceId[1])),
            EvaluationDataNumber = fields.Number(root, "tcbEvaluationDataNumber"),
            Module = ReadModule(fields, fields.Object(root, "tdxModule"), "", []),
            ModuleIdentities = fields.Has(root, "tdxModuleIdentities") ? ReadModules(fields, root) : [],
            Levels = ReadLevels(fields, root),
        };
    }

    private static ImmutableArray<TdxModuleIdentity> ReadModules(JsonFields fields, JsonElement root)
    {
        var modules = fields.Array(root, "tdxModuleIdentities", Limits.TdxModules)
            .Select(module => ReadModule(fields, module, fields.Name(module, "id"), IsvTcbLevel.ReadAll(fields, module))).ToImmutableArray();
        fields.Require(modules.Select(module => module.Id).Distinct(StringComparer.OrdinalIgnoreCase).Count() == modules.Length, "tdxModuleIdentities", "a duplicate id");
        return modules;
    }

    private static TdxModuleIdentity ReadModule(JsonFields fields, JsonElement module, string id, ImmutableArray<IsvTcbLevel> levels) => new(
        id,
        new Digest(fields.Hex(module, "mrsigner", DigestSize)),
        BitConverter.ToUInt64(fields.Hex(module, "attributes", sizeof(ulong))),
        BitConverter.ToUInt64(fields.Hex(module, "attributesMask", sizeof(ulong))),
        levels);

    private static ImmutableArray<PlatformTcbLevel> ReadLevels(JsonFields fields, JsonElement root)
    {
        var levels = new List<PlatformTcbLevel>();
        foreach (var level in fields.Array(root, "tcbLevels", Limits.TcbLevels))
        {
            var tcb = fields.Object(level, "tcb");
            levels.Add(new PlatformTcbLevel(
                ReadComponents(fields, tcb, "sgxtcbcomponents"), fields.Number(tcb, "pcesvn", ushort.MaxValue), ReadComponents(fields, tcb, "tdxtcbcomponents"), TcbJudgement.Read(fields, level)));
        }

        fields.Require(levels.Count > 0, "tcbLevels", "empty");
        if (fields.Fault is not null)
        {
            return [];
        }

        // Intel lists them from high to low; sorted again, so that the order of a list decides nothing.
        levels.Sort((left, right) => Compare(right, left));
        var repeated = Enumerable.Range(1, levels.Count - 1).Any(index => Compare(levels[index - 1], levels[index]) == 0);
        fields.Require(!repeated, "tcbLevels", "a duplicate level");
        return [.. levels];
    }

    private static int Compare(PlatformTcbLevel left, PlatformTcbLevel right)
    {
        var order = left.SgxComponents.AsSpan().SequenceCompareTo(right.SgxComponents.AsSpan());
        order = order != 0 ? order : left.PceSvn.CompareTo(right.PceSvn);
        return order != 0 ? order : left.TdxComponents.AsSpan().SequenceCompareTo(right.TdxComponents.AsSpan());
    }

    private static ImmutableArray<byte> ReadComponents(JsonFields fields, JsonElement tcb, string name)
    {
        var components = fields.Array(tcb, name, Components).Select(item => (byte)fields.Number(item, "svn", byte.MaxValue)).ToImmutableArray();
        fields.Require(components.Length == Components, name, $"{Components} components are expected");
        return components;
    }
}
