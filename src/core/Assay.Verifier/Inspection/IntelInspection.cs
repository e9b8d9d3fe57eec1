using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Endorsements;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>
/// What Intel signs about platforms: TCB information and identities of quoting enclaves, of TDX and of SGX, as its service answers them, without their
/// signature, and in the JSON of quote verifiers (<see cref="TdxCollateral"/>).
/// </summary>
internal static class IntelInspection
{
    private const string SgxComponents = "sgxtcbcomponents";

    public static InspectionNode?[]? ReadCollateral(byte[] file, string name, FaultLog faults)
    {
        if (!TdxCollateral.TryParse(file, out var collateral, out var fault))
        {
            faults.Malformed($"{name}: TDX collateral", fault);
            return null;
        }

        return
        [
            Statement("tcb_info", collateral.TcbInfo!, name, faults, TcbInfoParts),
            Statement("qe_identity", collateral.QeIdentity!, name, faults, QeIdentityParts),
            InspectionNode.Group("pck_crl", CrlInspection.Read(collateral.PckCrl!.Value.ToArray(), $"{name}: pck_crl", faults) ?? [InspectionNode.Text("fault", "malformed")]),
            InspectionNode.Group("root_ca_crl", CrlInspection.Read(collateral.RootCrl!.Value.ToArray(), $"{name}: root_ca_crl", faults) ?? [InspectionNode.Text("fault", "malformed")]),
        ];
    }

    /// <summary>A body of Intel's service, of which kind its member says.</summary>
    public static (string Kind, InspectionNode?[]? Parts) ReadBody(byte[] file, string name, FaultLog faults)
    {
        var isTcbInfo = file.AsSpan().IndexOf("\"tcbInfo\""u8) >= 0;
        var kind = isTcbInfo ? "tcb_info" : "qe_identity";
        if (!IntelStatement.TryParseBody(file, default, isTcbInfo ? IntelStatementKind.TcbInfo : IntelStatementKind.QeIdentity, out var statement, out var fault))
        {
            faults.Malformed(name, fault);
            return (kind, null);
        }

        return (kind,
        [
            .. Parts(isTcbInfo, statement.Content.ToArray(), name, faults),
            InspectionNode.Group("signature", TdxInspection.Scalars(statement.Signature.Span)),
            InspectionNode.Text("signature_check", "not verified here: the signer's certificates are in a header of Intel's answer, not in this file"),
        ]);
    }

    /// <summary>What Intel signed, cut out of what it was signed in.</summary>
    public static (string Kind, InspectionNode?[]? Parts) ReadUnsigned(byte[] file, string name, FaultLog faults)
    {
        var isTcbInfo = file.AsSpan().IndexOf("\"fmspc\""u8) >= 0;
        return (isTcbInfo ? "tcb_info" : "qe_identity",
        [
            .. Parts(isTcbInfo, file, name, faults),
            InspectionNode.Text("signature_check", "not verified here: this file has no signature, so no verifier accepts it. Save Intel's whole answer"),
        ]);
    }

    private static InspectionNode Statement(string name, IntelStatement statement, string file, FaultLog faults, Func<byte[], string, FaultLog, IEnumerable<InspectionNode>> read) => InspectionNode.Group(
        name,
        [
            .. read(statement.Content.ToArray(), $"{file}: {name}", faults),
            InspectionNode.Group("signature", TdxInspection.Scalars(statement.Signature.Span)),
            InspectionNode.Text("signature_check", Check(statement)),
            CertificateInspection.ChainPart(statement.IssuerChain.Span, $"{file}: {name}", faults),
        ]);

    // Whether the chain is Intel's is asked by whoever verifies.
    private static string Check(IntelStatement statement)
    {
        if (!Pem.TryDecode(statement.IssuerChain.Span, out var chain, out _) || chain.IsEmpty || !Certificate.TryParse(chain[0].Span, out var signer, out _))
        {
            return "not verified here: the chain in this file has no readable certificate";
        }

        return signer.Key.Verifies(statement.Content.Span, statement.Signature.Span, SignatureAlgorithm.EcdsaSha256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, new OperationMeter())
            ? "made by the first certificate of the chain in this file; whether the chain is Intel's is not checked here"
            : "NOT made by the first certificate of the chain in this file";
    }

    private static IEnumerable<InspectionNode> Parts(bool isTcbInfo, byte[] json, string place, FaultLog faults)
    {
        if (!StatementHead.TryParse(json, isTcbInfo ? IntelStatementKind.TcbInfo : IntelStatementKind.QeIdentity, out var head, out var fault))
        {
            return [faults.MalformedPart("fault", place, fault)];
        }

        // Of SGX too, which assay verify takes no quotes of: whoever wonders which file this is learns it.
        var parts = head.Id switch
        {
            "TDX" when isTcbInfo => TcbInfoParts(json, place, faults),
            "TD_QE" when !isTcbInfo => QeIdentityParts(json, place, faults),
            _ => OtherParts(head, json, place, faults),
        };
        return [InspectionNode.Text("id", head.Id), .. parts];
    }

    private static IEnumerable<InspectionNode> TcbInfoParts(byte[] json, string place, FaultLog faults) => TcbInfo.TryParse(json, out var info, out var fault)
        ?
        [
            InspectionNode.Text("fmspc", info.Fmspc.ToString()),
            InspectionNode.Text("pceid", info.PceId.ToString()),
            InspectionNode.Time("issue_date", info.IssueDate),
            InspectionNode.Time("next_update", info.NextUpdate),
            InspectionNode.Number("tcb_evaluation_data_number", info.EvaluationDataNumber),
            InspectionNode.Table("tcb_levels", info.Levels.Select(level => InspectionNode.Group("level", Judgement(
                level.Judgement,
                InspectionNode.Hex("sgx_components", level.SgxComponents.AsSpan(), whole: true),
                InspectionNode.Number("pcesvn", level.PceSvn),
                InspectionNode.Hex("tdx_components", level.TdxComponents.AsSpan(), whole: true))))),
            .. info.ModuleIdentities.Select(module => InspectionNode.Table($"module_{module.Id}", Levels(module.Levels))),
        ]
        : [faults.MalformedPart("fault", place, fault)];

    private static IEnumerable<InspectionNode> QeIdentityParts(byte[] json, string place, FaultLog faults) => QeIdentity.TryParse(json, out var identity, out var fault)
        ?
        [
            InspectionNode.Time("issue_date", identity.IssueDate),
            InspectionNode.Time("next_update", identity.NextUpdate),
            InspectionNode.Number("tcb_evaluation_data_number", identity.EvaluationDataNumber),
            InspectionNode.Hex("mrsigner", identity.MrSigner.Bytes, whole: true),
            InspectionNode.Number("isvprodid", identity.IsvProdId),
            InspectionNode.Table("tcb_levels", Levels(identity.Levels)),
        ]
        : [faults.MalformedPart("fault", place, fault)];

    private static IEnumerable<InspectionNode> OtherParts(StatementHead head, byte[] json, string place, FaultLog faults)
    {
        using var document = StrictJson.Read(json, out _);
        var fields = new JsonFields();
        var root = document!.RootElement;
        InspectionNode[] levels = head.Fmspc is null
            ? [.. Levels(IsvTcbLevel.ReadAll(fields, root))]
            : [.. fields.Array(root, "tcbLevels", Limits.TcbLevels).Select(level => PlatformLevel(fields, level))];
        return fields.Fault is { } fault ? [faults.MalformedPart("fault", place, fault)]
        :
        [
            .. head.Fmspc is { } fmspc ? [InspectionNode.Text("fmspc", fmspc.ToString())] : Array.Empty<InspectionNode>(),
            InspectionNode.Time("issue_date", head.IssueDate),
            InspectionNode.Time("next_update", head.NextUpdate),
            InspectionNode.Number("tcb_evaluation_data_number", head.EvaluationDataNumber),
            InspectionNode.Table("tcb_levels", levels),
        ];
    }

    private static InspectionNode PlatformLevel(JsonFields fields, JsonElement level)
    {
        var tcb = fields.Object(level, "tcb");
        byte[] components = [.. fields.Array(tcb, SgxComponents, Limits.TcbLevels).Select(item => (byte)fields.Number(item, "svn", byte.MaxValue))];
        return InspectionNode.Group("level", Judgement(
            TcbJudgement.Read(fields, level), InspectionNode.Hex("sgx_components", components, whole: true), InspectionNode.Number("pcesvn", fields.Number(tcb, "pcesvn", ushort.MaxValue))));
    }

    private static IEnumerable<InspectionNode> Levels(ImmutableArray<IsvTcbLevel> levels) =>
        levels.Select(level => InspectionNode.Group("level", Judgement(level.Judgement, InspectionNode.Number("isvsvn", level.IsvSvn))));

    private static IEnumerable<InspectionNode> Judgement(TcbJudgement judgement, params IEnumerable<InspectionNode> before) =>
    [
        .. before,
        InspectionNode.Text("tcb_status", judgement.Status.ToString()),
        InspectionNode.Time("tcb_date", judgement.Date),
        InspectionNode.List("advisory_ids", judgement.AdvisoryIds.Select(id => InspectionNode.Text("id", id))) with { Shown = judgement.AdvisoryIds.IsEmpty ? "none" : string.Join(", ", judgement.AdvisoryIds) },
    ];
}
