namespace Assay.Evidence.Files;

public sealed partial record FileContent
{
    private const int ShownBytes = 8;

    /// <summary>What it is in words, for "this is …".</summary>
    public string Phrase => About ?? Kind switch
    {
        ContentKind.Empty => "an empty file",
        ContentKind.WideText => "text in UTF-16: save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)",
        ContentKind.Archive => "a compressed file or an archive: unpack it",
        ContentKind.Text => "text of an unknown kind",
        ContentKind.Json => "JSON of an unknown kind",
        ContentKind.MalformedJson => "malformed JSON",
        ContentKind.Html => "a web page, as a proxy or a sign-in page answers in place of a file",
        ContentKind.Xml => "XML that is not a RIM",
        ContentKind.DeviceEvidence => "evidence of GPUs or switches",
        ContentKind.MachineEvidence => "evidence of a whole machine",
        ContentKind.DeviceReport => "the report of one GPU or switch, without its certificates",
        ContentKind.TdxQuote => "a TDX quote",
        ContentKind.SgxQuote => "an SGX quote (version 3), and no TDX quote (version 4 or 5)",
        ContentKind.TdReport => "a TDREPORT, which only its own machine can check: a TDX quote is made from it",
        ContentKind.SnpReport => "an SEV-SNP report",
        ContentKind.CutSnpReport => "an SNP report of a wrong length",
        ContentKind.ProcessorEvidence => "evidence of a processor (a quote or report in JSON)",
        ContentKind.AzureVtpm => "Azure's vTPM evidence",
        ContentKind.HclReport => "Azure's HCL report alone, which proves nothing without the vTPM's quote: collect both in one JSON {\"hcl_report\", \"quote\", …}",
        ContentKind.TpmQuote => "a TPM's quote",
        ContentKind.EventLog => "an event log",
        ContentKind.DstackTcbInfo => "dstack's TCB information with its event log",
        ContentKind.AcpiTable => "the ACPI table that says where the log is, and not the log: copy /sys/firmware/acpi/tables/data/CCEL (of a TPM: /sys/kernel/security/tpm0/binary_bios_measurements)",
        ContentKind.TdxCollateral => "TDX collateral",
        ContentKind.IntelStatement => "TCB information or a QE identity of Intel",
        ContentKind.Certificates => "certificates (PEM)",
        ContentKind.Certificate => "a certificate (DER)",
        ContentKind.RevocationList => "a certificate revocation list",
        ContentKind.OcspResponse => "an OCSP answer",
        ContentKind.Rim => "a RIM",
        ContentKind.RimServiceAnswer => "the JSON of a RIM service, with the RIM as base64 in its member \"rim\": save what that decodes to as ID.xml (jq -r .rim FILE | base64 -d > ID.xml)",
        ContentKind.RimServiceList => "the list of ids of a RIM service",
        ContentKind.Claims => "unsigned claims about devices, not evidence",
        ContentKind.NvattestResult => "the result of nvattest attest: a verdict, not evidence. nvattest collect-evidence prints evidence",
        ContentKind.Verdict => "a verdict of assay verify",
        ContentKind.Token => "a token",
        ContentKind.TokenBundle => "a bundle of tokens (detached EAT)",
        ContentKind.KeySet => "a key set (JWKS)",
        ContentKind.PublicKey => "a public key (JWK)",
        ContentKind.PrivateKey => "a private key, which never belongs in evidence",
        ContentKind.Anchors => "trust anchors",
        ContentKind.ReferenceManifest or ContentKind.SignedReferenceManifest => "reference values",
        ContentKind.CollateralBundle => "a bundle of collateral",
        ContentKind.JsonPolicy => "a policy in NVIDIA's JSON",
        ContentKind.RegoPolicy => "a policy in Rego",
        _ => $"a file of an unknown kind, which begins with bytes {Convert.ToHexStringLower(Bytes.Span[..Math.Min(Bytes.Length, ShownBytes)])}",
    };
}
