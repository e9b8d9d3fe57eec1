using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>
/// What a TDX verification needs beside the quote, as bytes that were fetched: believed by nobody, for the verifier checks every one of
/// them. Null where it could not be had.
/// </summary>
public sealed record TdxCollateral
{
    /// <summary>Nothing at hand.</summary>
    public static TdxCollateral Empty { get; } = new();

    /// <summary>TCB information of the quote's FMSPC.</summary>
    public IntelStatement? TcbInfo { get; init; }

    /// <summary>Identity of Intel's TD quoting enclave.</summary>
    public IntelStatement? QeIdentity { get; init; }

    /// <summary>DER: the revocation list of the CA that issued the PCK certificate.</summary>
    public ReadOnlyMemory<byte>? PckCrl { get; init; }

    /// <summary>DER: the revocation list of Intel's root.</summary>
    public ReadOnlyMemory<byte>? RootCrl { get; init; }

    /// <summary>
    /// More TCB information, as a folder can hold several and a service may have another: of those that verify and are of the platform the one with the
    /// highest number counts (S-17), and one that does not verify hides none. At most 256 are tried, as of the members below.
    /// </summary>
    public ImmutableArray<IntelStatement> OtherTcbInfo { get; init; } = [];

    /// <summary>More identities, of which the same holds.</summary>
    public ImmutableArray<IntelStatement> OtherQeIdentities { get; init; } = [];

    /// <summary>More lists of the PCK CA: of those that verify the latest counts.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> OtherPckCrls { get; init; } = [];

    /// <summary>More lists of Intel's root.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> OtherRootCrls { get; init; } = [];

    /// <summary>
    /// Reads the JSON form that quote verifiers share (dcap-qvl's <c>QuoteCollateralV3</c>): statements as strings, signatures and lists as
    /// hexadecimal, chains as PEM. The chains of the PCK CRL and, where present, of the PCK certificate are not used: lists are checked
    /// under the issuers of the quote's own path.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out TdxCollateral? collateral, [NotNullWhen(false)] out ParseFault? fault)
    {
        collateral = null;
        fault = json.Length > Limits.TdxCollateralBytes ? new ParseFault("collateral", 0, $"larger than {Limits.TdxCollateralBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("collateral", 0, "empty");
            return false;
        }

        var fields = new JsonFields();
        var root = document.RootElement;
        fields.Require(root.ValueKind is JsonValueKind.Object, "collateral", "an object is expected");
        foreach (var member in root.ValueKind is JsonValueKind.Object ? root.EnumerateObject() : default)
        {
            fields.Require(IsKnown(member.Name), member.Name, "unknown member");
        }

        fields.Text(root, "pck_crl_issuer_chain");
        var read = new TdxCollateral
        {
            TcbInfo = ReadStatement(fields, root, "tcb_info"),
            QeIdentity = ReadStatement(fields, root, "qe_identity"),
            PckCrl = ReadList(fields, root, "pck_crl"),
            RootCrl = ReadList(fields, root, "root_ca_crl"),
        };
        fault = fields.Fault;
        collateral = fault is null ? read : null;
        return collateral is not null;
    }

    private static bool IsKnown(string name) => name is "pck_crl_issuer_chain" or "root_ca_crl" or "pck_crl" or "tcb_info_issuer_chain" or "tcb_info"
        or "tcb_info_signature" or "qe_identity_issuer_chain" or "qe_identity" or "qe_identity_signature" or "pck_certificate_chain";

    private static IntelStatement ReadStatement(JsonFields fields, JsonElement root, string name) => new(
        Encoding.UTF8.GetBytes(fields.Text(root, name)),
        fields.Hex(root, name + "_signature", 64),
        Encoding.UTF8.GetBytes(fields.Text(root, name + "_issuer_chain")));

    private static ReadOnlyMemory<byte> ReadList(JsonFields fields, JsonElement root, string name)
    {
        var decoded = Hex.TryDecode(fields.Text(root, name), out var bytes);
        fields.Require(decoded && bytes!.Length > 0, name, "hexadecimal of a DER revocation list is expected");
        return bytes ?? [];
    }
}
