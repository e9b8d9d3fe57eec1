using System.Collections.Immutable;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Reference.Intel;

/// <summary>
/// What Intel says of a TCB level (Intel SGX and TDX Provisioning Certification Service API v4, <c>tcbStatus</c>; the TDRelaunchAdvised
/// ones are of Intel's newer services), from best to worst. The default is none of them; only UpToDate is accepted unasked.
/// </summary>
public enum TcbStatus
{
    /// <summary>Not judged.</summary>
    None,

    /// <summary>Nothing is known that an update would mend.</summary>
    UpToDate,

    /// <summary>Software inside the TEE has to guard itself.</summary>
    SWHardeningNeeded,

    /// <summary>The platform's configuration may expose it.</summary>
    ConfigurationNeeded,

    /// <summary>Both of the above.</summary>
    ConfigurationAndSWHardeningNeeded,

    /// <summary>The platform was updated under the running TD, which must be launched again to be covered.</summary>
    TDRelaunchAdvised,

    /// <summary>The same, and the configuration may expose the platform.</summary>
    TDRelaunchAdvisedConfigurationNeeded,

    /// <summary>An update is due.</summary>
    OutOfDate,

    /// <summary>An update is due, and the configuration may expose the platform.</summary>
    OutOfDateConfigurationNeeded,

    /// <summary>Not to be trusted at all, by no policy.</summary>
    Revoked,
}

/// <summary>A status, since when it holds, and the advisories that explain it.</summary>
/// <param name="Status">The status.</param>
/// <param name="Date">tcbDate: what was known until then is mended.</param>
/// <param name="AdvisoryIds">For instance <c>INTEL-SA-00837</c>.</param>
public sealed record TcbJudgement(TcbStatus Status, DateTimeOffset Date, ImmutableArray<string> AdvisoryIds)
{
    internal static TcbJudgement Read(JsonFields fields, JsonElement level)
    {
        var word = fields.Name(level, "tcbStatus");
        // By word: a number would name a member of the enumeration as well.
        var status = Enum.GetValues<TcbStatus>().FirstOrDefault(value => value is not TcbStatus.None && value.ToString() == word);
        fields.Require(status is not TcbStatus.None, "tcbStatus", "unknown: try a newer Assay");
        var date = fields.Time(level, "tcbDate");
        var advisories = fields.Has(level, "advisoryIDs")
            ? fields.Array(level, "advisoryIDs", Limits.AdvisoryIds).Select(item => fields.NameOf(item, "advisoryIDs")).ToImmutableArray()
            : [];
        return new TcbJudgement(status, date, advisories);
    }
}

/// <summary>A level of a platform's TCB: it is met when every number is reached.</summary>
/// <param name="SgxComponents">16 security versions, compared with those of the PCK certificate.</param>
/// <param name="PceSvn">Compared with that of the PCK certificate.</param>
/// <param name="TdxComponents">16 security versions, compared with TEE_TCB_SVN.</param>
/// <param name="Judgement">What Intel says of it.</param>
public sealed record PlatformTcbLevel(ImmutableArray<byte> SgxComponents, int PceSvn, ImmutableArray<byte> TdxComponents, TcbJudgement Judgement);

/// <summary>A level of a TDX module or of a quoting enclave: it is met when the ISVSVN is reached.</summary>
/// <param name="IsvSvn">Security version.</param>
/// <param name="Judgement">What Intel says of it.</param>
public sealed record IsvTcbLevel(int IsvSvn, TcbJudgement Judgement)
{
    // Sorted from high to low, as the matching wants it.
    internal static ImmutableArray<IsvTcbLevel> ReadAll(JsonFields fields, JsonElement parent)
    {
        var levels = fields.Array(parent, "tcbLevels", Limits.TcbLevels)
            .Select(level => new IsvTcbLevel(fields.Number(fields.Object(level, "tcb"), "isvsvn", ushort.MaxValue), TcbJudgement.Read(fields, level)))
            .OrderByDescending(level => level.IsvSvn).ToImmutableArray();
        fields.Require(!levels.IsEmpty, "tcbLevels", "empty");
        fields.Require(levels.Select(level => level.IsvSvn).Distinct().Count() == levels.Length, "isvsvn", "two levels have one number");
        return levels;
    }

    internal static TcbJudgement? Match(ImmutableArray<IsvTcbLevel> levels, int isvSvn) =>
        levels.FirstOrDefault(level => level.IsvSvn <= isvSvn)?.Judgement;
}
