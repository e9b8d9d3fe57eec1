using System.Collections.Immutable;
using Assay.Service.Http;

namespace Assay.Service.Log;

/// <summary>Why a service that must log does nothing now: docs/reference/broker.md lists them.</summary>
public static class LogProblems
{
    /// <summary>A witness has not answered since the process was started.</summary>
    public static ProblemKind NotCompared { get; } = new("log-not-compared", 503, "The log was not compared with its witnesses since the start: until then nothing is released, and nothing is changed.");

    /// <summary>The database is older than what a witness, or this process, has seen; or it is a copy that went on by itself.</summary>
    public static ProblemKind Contradicted { get; } = new("log-contradicted", 500, "The log in the database is not the one that was seen before: nothing is released, and nothing is changed.");

    /// <summary>Both.</summary>
    public static ImmutableArray<ProblemKind> All { get; } = [NotCompared, Contradicted];

    /// <summary>The kind of a fault; null: another fault. Their messages name witnesses and sizes, and may be told.</summary>
    public static ProblemKind? Of(string fault) => fault switch
    {
        "service.log.witness" => NotCompared,
        "service.log.rollback" or "service.log.fork" => Contradicted,
        _ => null,
    };
}
