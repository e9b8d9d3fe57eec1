using System.Globalization;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Evidence.Tpm;
using Assay.Guest.Sources;
using Assay.Wire;

namespace Assay.Guest.Gate;

/// <summary>
/// This VM's own report behind a paravisor: a quote of its vTPM. Of this VM as it is now, and about the data that were asked for, or nothing goes on: the key
/// that signed is the one in the TPM's own handle and the one that the HCL report names, and the quoted PCR is the one that the gate's log explains.
/// That the HCL report is genuine, a verifier decides: it takes AMD's or Intel's collateral, and reference values of the paravisor.
/// </summary>
internal static class OwnVtpmReport
{
    /// <summary>Asks everything that can be asked without collateral.</summary>
    /// <param name="report">What the source gave.</param>
    /// <param name="data">The 64 bytes that were asked for, of which the first 32 are quoted.</param>
    /// <param name="pcr">The register of the measured configuration; null where it is RTMR3.</param>
    /// <param name="register">What the register shows, SHA-256.</param>
    /// <exception cref="GuestException"><c>gate.report.malformed</c>, <c>.key</c>, <c>.other</c> or <c>.register</c>.</exception>
    public static void Require(VtpmReport report, ReadOnlySpan<byte> data, int? pcr, Digest register)
    {
        if (!HclReport.TryParse(report.HclReport, out var hcl, out var fault))
        {
            throw new GuestException("gate.report.malformed", $"this VM's own HCL report: {fault}", "see that the VM is a confidential VM, and boot again");
        }

        RequireKey(report, hcl);
        var quote = QuotedStatement.Read(report.Message);
        if (!CryptographicOperations.FixedTimeEquals(quote.ExtraData, data[..KeyBinding.QualifyingDataSize]))
        {
            throw new GuestException("gate.report.other", "this VM's own quote is about other data than was asked for", "see that nothing else answers for the TPM, and boot again", Convert.ToHexStringLower(quote.ExtraData), Convert.ToHexStringLower(data[..KeyBinding.QualifyingDataSize]));
        }

        if (!quote.Covers(report.Pcrs))
        {
            throw new GuestException("gate.report.malformed", "this VM's own quote is not about the PCRs beside it", "see that nothing else answers for the TPM, and boot again");
        }

        if (pcr is not { } index || report.Pcrs[index] != register)
        {
            var found = pcr is { } number ? string.Create(CultureInfo.InvariantCulture, $"{report.Pcrs[number]}") : "a quote of PCRs";
            throw new GuestException("gate.report.register", "this VM's own quote has another value than the register shows", "configure a PCR as the register; otherwise it is not what it seems: do not use this machine", found, $"{register}");
        }
    }

    /// <summary>The key was made in the TPM that this report is of: its attestation key says so, about <paramref name="data"/>.</summary>
    /// <exception cref="GuestException"><c>gate.report.key</c>: it was made elsewhere.</exception>
    public static void RequireMadeHere(VtpmReport report, TpmCreatedKey key, ReadOnlySpan<byte> data, (byte[] Message, byte[] Signature) certified)
    {
        var statement = CreationStatement.Read(certified.Message);
        using var signer = AttestationKey(report.Modulus);
        if (!signer.VerifyData(certified.Message, certified.Signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) || !statement.ExtraData.AsSpan().SequenceEqual(data)
            || !statement.Name.AsSpan().SequenceEqual(key.Name) || !statement.CreationHash.AsSpan().SequenceEqual(key.CreationHash))
        {
            throw new GuestException("gate.report.key", "a key was not made in the TPM that this VM's own quote is of", "see that nothing else answers for the TPM, and boot again", Convert.ToHexStringLower(statement.Name), Convert.ToHexStringLower(key.Name));
        }
    }

    // 65537 is the only exponent that an HCL report is read with.
    private static RSA AttestationKey(byte[] modulus) => RSA.Create(new RSAParameters { Modulus = modulus, Exponent = [1, 0, 1] });

    private static void RequireKey(VtpmReport report, HclReport hcl)
    {
        const string cure = "see that nothing else answers for the TPM: the key belongs to another vTPM, or the HCL report to another VM";
        if (!CryptographicOperations.FixedTimeEquals(hcl.ExpectedReportData(), hcl.ReportData.Span))
        {
            throw new GuestException("gate.report.key", "the HCL report's hardware report does not cover its runtime data", cure, Convert.ToHexStringLower(hcl.ReportData.Span), Convert.ToHexStringLower(hcl.ExpectedReportData()));
        }

        var named = hcl.Runtime.AttestationKey.Modulus;
        if (!named.Span.SequenceEqual(report.Modulus))
        {
            throw new GuestException("gate.report.key", "the HCL report names another key than the TPM has at 0x81000003", cure, Convert.ToHexStringLower(SHA256.HashData(report.Modulus)), Convert.ToHexStringLower(SHA256.HashData(named.Span)));
        }

        using var signer = AttestationKey(report.Modulus);
        if (!signer.VerifyData(report.Message, report.Signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
        {
            throw new GuestException("gate.report.key", "the key that the HCL report names did not sign this VM's own quote", cure);
        }
    }
}
