using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// Writes a verdict as NVIDIA's remote service does: a detached EAT bundle in which a device that cannot be spoken about has a token all the same, with
/// <c>x-nvidia-error-details</c> in place of claims. Its codes are those that NVIDIA's clients tell apart.
/// </summary>
public static class NrasBundleWriter
{
    private const string Failure = "ATTESTATION_FAILED";

    /// <summary>The bundle in UTF-8, whatever the verdict is. Not written where simulated devices would appear under a real issuer (S-12).</summary>
    /// <param name="verdict">About devices alone.</param>
    /// <param name="asked">The nonce of the request: every token has it.</param>
    /// <param name="terms">With <see cref="TokenTerms.IsCallersNonce"/>.</param>
    /// <param name="key">What signs.</param>
    /// <param name="random">For the tokens' ids; the overall token's comes last.</param>
    /// <param name="bundle">The bundle.</param>
    /// <param name="fault">Why it was not written.</param>
    /// <exception cref="ArgumentException">The terms cannot be meant, or the nonce was not the caller's.</exception>
    public static bool TryWrite(
        Verdict verdict, Nonce asked, TokenTerms terms, SigningKey key, RandomSource random, [NotNullWhen(true)] out byte[]? bundle, [NotNullWhen(false)] out ParseFault? fault)
    {
        TokenArguments.ThrowIfUnusable(verdict, terms, key, random);
        ArgumentNullException.ThrowIfNull(asked);
        if (!terms.IsCallersNonce)
        {
            throw new ArgumentException("the nonce of such a request is its caller's", nameof(terms));
        }

        bundle = null;
        fault = TokenSubjects.WhyNotUnder(verdict, terms);
        if (fault is not null)
        {
            return false;
        }

        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        (string Name, string Token)[] submodules = [.. verdict.Appraisal.Devices.Select(device => (Name(device, counts), CompactJws.Write(key, Device(device, asked, terms, random))))];
        bundle = EatBundleWriter.Assemble(verdict, terms, new TokenSubjects([], asked), submodules, key, random);
        return true;
    }

    // By the architecture that the request states: what is not authentic has no kind of its own.
    private static string Name(DeviceResult device, Dictionary<string, int> counts)
    {
        var kind = device.Kind is DeviceKind.Switch ? "SWITCH-" : "GPU-";
        counts[kind] = counts.GetValueOrDefault(kind) + 1;
        return $"{kind}{counts[kind] - 1}";
    }

    private static byte[] Device(DeviceResult device, Nonce asked, TokenTerms terms, RandomSource random)
    {
        if (device.Device is { } authentic && authentic.Report.Nonce.Equals(asked))
        {
            return new ClaimSet().AddMembers(ClaimSet.OfDevice(device, terms.Claims)).AddFindings(device.Findings).AddTerms(terms, random).ToJson();
        }

        var (code, message) = ErrorOf(device);
        return new ClaimSet().AddTerms(terms, random).AddFindings(device.Findings)
            .Add("eat_nonce", asked.ToString()).Add("measres", "fail")
            .With("x-nvidia-error-details", writer => Write(writer, code, message))
            .ToJson();
    }

    // facts/nvidia.md §6: 4003 and 4010 are a nonce, 4014 a certificate chain, 4013 a signature; every other code is a failure of no kind.
    private static (int Code, string Message) ErrorOf(DeviceResult device)
    {
        if (device.Device is not null)
        {
            return (4003, "the report answers another nonce than the request's");
        }

        var failed = device.Findings.FirstOrDefault(finding => finding.State is CheckState.Failed);
        var code = failed?.Id switch
        {
            CheckIds.ReportNonceMatch or CheckIds.ReportNonceDeclared => 4003,
            CheckIds.ReportSignatureValid => 4013,
            CheckIds.DeviceChainTrusted or CheckIds.DeviceChainWellformed => 4014,
            // None of theirs: their clients take it as a failure.
            _ => 4000,
        };
        return (code, failed is null ? "the evidence is not authentic" : $"{failed.Id} failed");
    }

    private static void Write(Utf8JsonWriter writer, int code, string message)
    {
        writer.WriteStartObject();
        writer.WriteNumber("code", code);
        writer.WriteString("httpStatus", "BAD_REQUEST");
        writer.WriteString("description", Failure);
        writer.WriteString("message", message);
        writer.WriteEndObject();
    }
}
