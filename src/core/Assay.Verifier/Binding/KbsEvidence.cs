using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>
/// What a guest of Confidential Containers answers a key broker with: the body of <c>POST /kbs/v0/attest</c> (KBS protocol 0.4.0) and no other form of evidence. The
/// guest without a TEE (attester <c>sample</c>) has in place of a processor's statement <c>{"svn":text,"report_data":base64 of 48 bytes}</c>, which no key signs. It
/// proves nothing, so what is read from it has no processor: the devices beside it are judged, and the tier is that of a machine without a TEE. It is for
/// simulated sets alone (S-24); who calls <see cref="TryReadSample"/> asks for that.
/// </summary>
public static class KbsEvidence
{
    private const string Evidence = "tee-evidence";
    private const string Primary = "primary_evidence";
    private const int HashSize = 48;

    /// <summary>Whether a kind of TEE, as a client of the protocol names it, is a sample attester's.</summary>
    public static bool IsSample(string tee) => tee is "sample" or "sampledevice";

    /// <summary>Reads the request of a guest in a TEE.</summary>
    /// <param name="json">The body.</param>
    /// <param name="evidence">Processor, devices, nonce and key.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault) => TryRead(json, isSample: false, out evidence, out fault);

    /// <summary>Reads the request of a guest without one, whose <c>report_data</c> is the hash of its own nonce, key and additional evidence.</summary>
    /// <param name="json">The body.</param>
    /// <param name="evidence">Devices, nonce and key, and no processor.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    public static bool TryReadSample(ReadOnlySpan<byte> json, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault) => TryRead(json, isSample: true, out evidence, out fault);

    private static bool TryRead(ReadOnlySpan<byte> json, bool isSample, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        fault = json.Length > Limits.EvidenceFileBytes ? new ParseFault("evidence", 0, $"larger than {Limits.EvidenceFileBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("evidence", 0, "empty");
            return false;
        }

        var read = KbsRequest.ReadWhole(document.RootElement, "evidence", hasPrimary: !isSample, out fault);
        fault ??= read is null ? new ParseFault("evidence", 0, "unreadable") : isSample ? WhyNot(document.RootElement.GetProperty(Evidence), read) : null;
        evidence = fault is null ? read : null;
        return evidence is not null;
    }

    private static ParseFault? WhyNot(JsonElement given, MachineEvidence read)
    {
        if (!given.TryGetProperty(Primary, out var primary) || primary.ValueKind is not JsonValueKind.Object || StrictJson.Text(primary, "svn") is null || StrictJson.Text(primary, "report_data") is not { } text
            || primary.EnumerateObject().Count() != 2 || !StrictBase64.TryDecode(Encoding.UTF8.GetBytes(text), out var stated) || stated.Length != HashSize)
        {
            return new ParseFault(Primary, 0, "{\"svn\",\"report_data\"} is expected, the latter 48 bytes in base64");
        }

        return !KeyBinding.TryCreate(read.StatedNonce!, read.Key!.Value.Span, out var binding, out var wrong) ? wrong
            : !stated.AsSpan().SequenceEqual(binding.ReportData(read.Bound!.Text).AsSpan(0, HashSize)) ? new ParseFault($"{Primary}.report_data", 0, "SHA-384 of nonce, key and additional evidence, in canonical JSON, is expected")
            : null;
    }
}
