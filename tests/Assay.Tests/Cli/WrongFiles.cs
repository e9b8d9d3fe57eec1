using System.Text;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Cpu;

namespace Assay.Tests.Cli;

/// <summary>A small file of each kind, and the words by which every command names it.</summary>
internal static class WrongFiles
{
    public static IReadOnlyList<(string Name, ContentKind Kind, string Named, byte[] File)> All { get; } =
    [
        ("utf16.json", ContentKind.WideText, "text in UTF-16", [0xFF, 0xFE, .. Encoding.Unicode.GetBytes("[{\"arch\":\"HOPPER\"}]")]),
        ("packed.gz", ContentKind.Archive, "a compressed file", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]),
        ("page.html", ContentKind.Html, "a web page", "<!DOCTYPE html><html><body>Sign in</body></html>"u8.ToArray()),
        ("broken.json", ContentKind.MalformedJson, "malformed JSON (line 1)", "{\"evidence\": "u8.ToArray()),
        ("other.json", ContentKind.Json, "JSON of an unknown kind", "{\"hello\": 1}"u8.ToArray()),
        ("random.bin", ContentKind.Unknown, "a file of an unknown kind, which begins with bytes a9b8c7d6e5f40392", [0xA9, 0xB8, 0xC7, 0xD6, 0xE5, 0xF4, 0x03, 0x92, 0x81]),
        ("devices.json", ContentKind.DeviceEvidence, "evidence of GPUs or switches", InRepository("vectors/simulated/ls10/switch_evidence.json")),
        ("report.bin", ContentKind.DeviceReport, "the report of one GPU or switch", Report()),
        ("quote.bin", ContentKind.TdxQuote, "a TDX quote", SimulatedCpu.Tdx(4, false).Quote),
        ("quote.hex", ContentKind.TdxQuote, "a TDX quote", Encoding.ASCII.GetBytes("0x" + Convert.ToHexStringLower(SimulatedCpu.Tdx(4, false).Quote))),
        ("sgx.bin", ContentKind.SgxQuote, "an SGX quote (version 3)", [3, 0, 2, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07, .. new byte[420]]),
        ("tdreport.bin", ContentKind.TdReport, "a TDREPORT", [0x81, .. new byte[1023]]),
        ("cut.bin", ContentKind.CutSnpReport, "an SNP report of 1,183 bytes, 1,184 are expected", SimulatedCpu.Snp(SnpLine.Milan, 3, false).Report[..1183]),
        ("long.bin", ContentKind.CutSnpReport, "an SNP report of 1,185 bytes, 1,184 are expected", [.. SimulatedCpu.Snp(SnpLine.Milan, 3, false).Report, 0]),
        ("hcl.bin", ContentKind.HclReport, "Azure's HCL report alone", [.. "HCLA"u8, .. new byte[2596]]),
        ("table.bin", ContentKind.AcpiTable, "the ACPI table that says where the log is", [.. "CCEL"u8, 56, 0, 0, 0, 1, .. new byte[47]]),
        ("collateral.json", ContentKind.TdxCollateral, "TDX collateral", "{\"tcb_info\":\"{}\",\"tcb_info_signature\":\"\"}"u8.ToArray()),
        ("tcb.json", ContentKind.IntelStatement, "TCB information or a QE identity", "{\"tcbInfo\":{},\"signature\":\"\"}"u8.ToArray()),
        ("chain.pem", ContentKind.Certificates, "certificates (PEM)", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"u8.ToArray()),
        ("list.hex", ContentKind.RevocationList, "a certificate revocation list", Encoding.ASCII.GetBytes(Convert.ToHexStringLower((byte[])[0x30, 0x82, 0, 9, 0x30, 7, 2, 1, 1, 0x30, 0, 0x30, 0]))),
        ("answer.der", ContentKind.OcspResponse, "an OCSP answer", [0x30, 3, 0x0A, 1, 1]),
        ("rim.xml", ContentKind.Rim, "a RIM", "<SoftwareIdentity/>"u8.ToArray()),
        ("service.json", ContentKind.RimServiceAnswer, "the JSON of a RIM service", "{\"id\":\"NV\",\"rim\":\"AAAA\",\"sha256\":\"\"}"u8.ToArray()),
        ("claims.json", ContentKind.Claims, "unsigned claims about devices", "[{\"measres\":\"success\"}]"u8.ToArray()),
        ("result.json", ContentKind.NvattestResult, "the result of nvattest attest", "{\"result_code\":0,\"result_message\":\"Ok\",\"claims\":[]}"u8.ToArray()),
        ("token.jwt", ContentKind.Token, "a token", "eyJhbGciOiJFUzM4NCJ9.e30.AAAA"u8.ToArray()),
        ("bundle.eat", ContentKind.TokenBundle, "a bundle of tokens", "[[\"JWT\",\"a.b.c\"],{}]"u8.ToArray()),
        ("jwks.json", ContentKind.KeySet, "a key set (JWKS)", "{\"keys\":[]}"u8.ToArray()),
        ("key.json", ContentKind.PublicKey, "a public key (JWK)", "{\"kty\":\"EC\"}"u8.ToArray()),
        ("private.pem", ContentKind.PrivateKey, "a private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"u8.ToArray()),
        ("anchors.json", ContentKind.Anchors, "trust anchors", InRepository("vectors/simulated/ls10/anchors.json")),
        ("values.json", ContentKind.ReferenceManifest, "reference values", "{\"type\":\"assay-reference-values\",\"version\":1}"u8.ToArray()),
        ("rack.bundle", ContentKind.CollateralBundle, "a bundle of collateral", "ASSAYBUNDLE1\n"u8.ToArray()),
        ("request.json", ContentKind.MachineEvidence, "evidence of a whole machine", "{\"runtime-data\":{},\"tee-evidence\":{}}"u8.ToArray()),
        ("primary.json", ContentKind.MachineEvidence, "evidence of a whole machine", "{\"primary_evidence\":{\"svn\":\"1\",\"report_data\":\"\"},\"additional_evidence\":\"\"}"u8.ToArray()),
        ("attestation.json", ContentKind.DstackAttestation, "dstack's versioned attestation", "{\"attestation\":\"00038112030000000000000000000300\"}"u8.ToArray()),
        ("attestation.bin", ContentKind.DstackAttestation, "dstack's versioned attestation", [0x83, 0xA7, .. "version"u8, 1]),
        ("tpm.json", ContentKind.TpmEvidence, "the evidence of a TPM outside a TEE", "{\"ak_public\":\"\",\"tpm_quote\":{}}"u8.ToArray()),
        ("bare-tcb.json", ContentKind.UnsignedIntelStatement, "TCB information or a QE identity of Intel without its signature", "{\"id\":\"TDX\",\"fmspc\":\"\",\"tcbLevels\":[]}"u8.ToArray()),
        ("encrypted.pem", ContentKind.EncryptedPrivateKey, "a password-protected private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"u8.ToArray()),
        ("key.p12", ContentKind.Pkcs12, "a password-protected PKCS#12 file", [0x30, 0x82, 0, 9, 2, 1, 3, 0x30, 0, 0x30, 0, 0, 0]),
        ("public.pem", ContentKind.PublicKeyInfo, "a public key (PEM or DER)", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"u8.ToArray()),
        ("request.pem", ContentKind.CertificateRequest, "a certificate request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"u8.ToArray()),
        ("policy.json", ContentKind.JsonPolicy, "a policy in NVIDIA's JSON", "{\"version\":\"4.0\",\"authorization-rules\":{}}"u8.ToArray()),
        ("policy.rego", ContentKind.RegoPolicy, "a policy in Rego", "# ours\npackage policy\n"u8.ToArray()),
    ];

    private static byte[] InRepository(string path) => File.ReadAllBytes(Path.Combine(Repository.Root, path));

    private static byte[] Report() =>
        EvidenceFile.TryParse(InRepository("vectors/simulated/ls10/switch_evidence.json"), "file", out var devices, out _) ? devices[0].Report.ToArray() : throw new InvalidOperationException();
}
