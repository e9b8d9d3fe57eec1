using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Reference.Intel;

/// <summary>
/// What every statement of Intel's says of itself (PCS API v4): of which kind and technology it is, from when to when it holds, and its
/// number. Enough to keep one and pass it on; what it says about platforms <see cref="TcbInfo"/> and <see cref="QeIdentity"/> read.
/// </summary>
/// <param name="Id">TDX or SGX of TCB information; TD_QE or QE of identities.</param>
/// <param name="Version">3 or 2.</param>
/// <param name="IssueDate">issueDate.</param>
/// <param name="NextUpdate">nextUpdate.</param>
/// <param name="EvaluationDataNumber">tcbEvaluationDataNumber (S-17).</param>
/// <param name="Fmspc">Of TCB information; null of identities.</param>
internal sealed record StatementHead(string Id, int Version, DateTimeOffset IssueDate, DateTimeOffset NextUpdate, int EvaluationDataNumber, Fmspc? Fmspc)
{
    /// <summary>Reads the JSON that Intel signed.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, IntelStatementKind kind, [NotNullWhen(true)] out StatementHead? head, [NotNullWhen(false)] out ParseFault? fault)
    {
        head = null;
        fault = json.Length > Limits.IntelStatementBytes ? new ParseFault("statement", 0, $"larger than {Limits.IntelStatementBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("statement", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var read = Read(fields, document.RootElement, kind is IntelStatementKind.TcbInfo);
        fault = fields.Fault;
        head = fault is null ? read : null;
        return head is not null;
    }

    private static StatementHead Read(JsonFields fields, JsonElement root, bool isTcbInfo) => new(
        fields.Name(root, "id"),
        fields.Number(root, "version"),
        fields.Time(root, "issueDate"),
        fields.Time(root, "nextUpdate"),
        fields.Number(root, "tcbEvaluationDataNumber"),
        isTcbInfo ? Wire.Fmspc.Of(fields.Hex(root, "fmspc", Wire.Fmspc.Size)) : null);
}
