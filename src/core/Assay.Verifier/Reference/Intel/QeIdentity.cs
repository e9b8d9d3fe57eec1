using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Evidence.Tdx;
using Assay.Wire;

namespace Assay.Reference.Intel;

/// <summary>
/// Which quoting enclave may certify attestation keys (Intel PCS API v4, <c>/tdx/certification/v4/qe/identity</c>), version 2.
/// Members that are unknown here are passed over, as in <see cref="TcbInfo"/>.
/// </summary>
public sealed record QeIdentity
{
    private const int Version2 = 2;
    private const int AttributesSize = 16;

    /// <summary>issueDate.</summary>
    public required DateTimeOffset IssueDate { get; init; }

    /// <summary>nextUpdate.</summary>
    public required DateTimeOffset NextUpdate { get; init; }

    /// <summary>tcbEvaluationDataNumber (S-17).</summary>
    public required int EvaluationDataNumber { get; init; }

    /// <summary>MISCSELECT under its mask.</summary>
    public required uint MiscSelect { get; init; }

    /// <summary>Which bits of MISCSELECT count.</summary>
    public required uint MiscSelectMask { get; init; }

    /// <summary>ATTRIBUTES under their mask, 16 bytes.</summary>
    public required ImmutableArray<byte> Attributes { get; init; }

    /// <summary>Which bits of ATTRIBUTES count.</summary>
    public required ImmutableArray<byte> AttributesMask { get; init; }

    /// <summary>MRSIGNER.</summary>
    public required Digest MrSigner { get; init; }

    /// <summary>ISVPRODID.</summary>
    public required int IsvProdId { get; init; }

    /// <summary>Levels of the enclave, from high to low.</summary>
    public required ImmutableArray<IsvTcbLevel> Levels { get; init; }

    /// <summary>Reads the JSON that Intel signed.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out QeIdentity? identity, [NotNullWhen(false)] out ParseFault? fault)
    {
        identity = null;
        fault = json.Length > Limits.IntelStatementBytes ? new ParseFault("enclaveIdentity", 0, $"larger than {Limits.IntelStatementBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("enclaveIdentity", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var read = Read(fields, document.RootElement);
        fault = fields.Fault;
        identity = fault is null ? read : null;
        return identity is not null;
    }

    /// <summary>Why this is not the enclave; null when it is. Its security version is not asked about here.</summary>
    public string? WhyNot(EnclaveReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        for (var index = 0; index < AttributesSize; index++)
        {
            if ((report.Attributes[index] & AttributesMask[index]) != (Attributes[index] & AttributesMask[index]))
            {
                return $"ATTRIBUTES are {Convert.ToHexStringLower(report.Attributes.AsSpan())}, {Convert.ToHexStringLower(Attributes.AsSpan())} under the mask {Convert.ToHexStringLower(AttributesMask.AsSpan())} are expected";
            }
        }

        return report.Debug ? "ATTRIBUTES.DEBUG is set: the enclave's keys can be read from outside"
            : report.MrSigner != MrSigner ? $"MRSIGNER is {report.MrSigner}, {MrSigner} is expected"
            : report.IsvProdId != IsvProdId ? $"ISVPRODID is {report.IsvProdId}, {IsvProdId} is expected"
            : (report.MiscSelect & MiscSelectMask) != (MiscSelect & MiscSelectMask) ? $"MISCSELECT is {report.MiscSelect:x8}, {MiscSelect:x8} under the mask {MiscSelectMask:x8} is expected"
            : null;
    }

    private static QeIdentity Read(JsonFields fields, JsonElement root)
    {
        fields.Require(fields.Name(root, "id") == "TD_QE", "id", "TD_QE is expected");
        fields.Require(fields.Number(root, "version") == Version2, "version", "2 is expected");
        return new QeIdentity
        {
            IssueDate = fields.Time(root, "issueDate"),
            NextUpdate = fields.Time(root, "nextUpdate"),
            EvaluationDataNumber = fields.Number(root, "tcbEvaluationDataNumber"),
            // Hexadecimal of the bytes in memory: little-endian.
            MiscSelect = BinaryPrimitives.ReadUInt32LittleEndian(fields.Hex(root, "miscselect", sizeof(uint))),
            MiscSelectMask = BinaryPrimitives.ReadUInt32LittleEndian(fields.Hex(root, "miscselectMask", sizeof(uint))),
            Attributes = [.. fields.Hex(root, "attributes", AttributesSize)],
            AttributesMask = [.. fields.Hex(root, "attributesMask", AttributesSize)],
            MrSigner = new Digest(fields.Hex(root, "mrsigner", 32)),
            IsvProdId = fields.Number(root, "isvprodid", ushort.MaxValue),
            Levels = IsvTcbLevel.ReadAll(fields, root),
        };
    }
}
