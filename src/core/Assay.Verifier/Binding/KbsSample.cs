using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>
/// The request of a guest of Confidential Containers without a TEE (attester <c>sample</c>, KBS protocol 0.4.0): in place of a processor's statement
/// <c>{"svn":text,"report_data":base64 of 48 bytes}</c>, which no key signs. It proves nothing, so what is read from it has no processor: the devices beside
/// it are judged, and the tier is that of a machine without a TEE. For simulated sets alone (S-24); who calls this asks for that.
/// </summary>
public static class KbsSample
{
    private const string Evidence = "tee-evidence";
    private const string Primary = "primary_evidence";
    private const int HashSize = 48;

    /// <summary>Whether a kind of TEE, as a client of the protocol names it, is such an attester's.</summary>
    public static bool IsSample(string tee) => tee is "sample" or "sampledevice";

    /// <summary>Reads a request whose <c>report_data</c> is the hash of its own nonce, key and additional evidence.</summary>
    /// <param name="json">The body of <c>POST /kbs/v0/attest</c>.</param>
    /// <param name="evidence">Devices and key, and no processor.</param>
    /// <param name="fault">Which member is wrong, and how.</param>
    public static bool TryRead(ReadOnlySpan<byte> json, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        fault = json.Length > Limits.EvidenceFileBytes ? new ParseFault("evidence", 0, $"larger than {Limits.EvidenceFileBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("evidence", 0, "empty");
            return false;
        }

        var read = KbsRequest.ReadWithout(document.RootElement, "evidence", out fault);
        fault ??= read is null ? new ParseFault("evidence", 0, "unreadable") : WhyNot(document.RootElement.GetProperty(Evidence), read);
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
