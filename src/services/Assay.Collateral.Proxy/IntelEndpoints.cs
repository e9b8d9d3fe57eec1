using System.Security.Cryptography;
using System.Text;
using Assay.Endorsements;
using Microsoft.AspNetCore.Http;

namespace Assay.Collateral.Proxy;

/// <summary>
/// Intel's Provisioning Certification Service, API version 4, as a PCCS serves it: statements with the chains of their signers in headers,
/// escaped as in a URL. Facts in headers come from the verified content.
/// </summary>
internal sealed class IntelEndpoints(ItemAnswers answers)
{
    private const string Json = "application/json";
    private const string Der = "application/pkix-crl";
    private const string Pem = "application/x-pem-file";

    private static readonly string[] s_pckQuery = ["cpusvn", "encrypted_ppid", "pceid", "pcesvn", "qeid"];

    public Task QeIdentityAsync(HttpContext context, string technology) => answers.GetAsync(
        context, new CollateralKey(CollateralKind.QeIdentity, $"{technology}/{Update(context)}"), Json,
        (response, item) => response.Headers["SGX-Enclave-Identity-Issuer-Chain"] = Escaped(item.Chain));

    // A PCCS sends this list in hexadecimal, and only a PCCS has the path.
    public Task RootCrlAsync(HttpContext context) => answers.GetAsync(
        context, new CollateralKey(CollateralKind.RootCrl, "root"), Der, body: item => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(item.Body.Span)));

    public Task TcbInfoAsync(HttpContext context, string technology)
    {
        var fmspc = context.Request.Query["fmspc"].ToString();
        return fmspc.Length == 12 && fmspc.All(char.IsAsciiHexDigit)
            ? answers.GetAsync(
                context, new CollateralKey(CollateralKind.TcbInfo, $"{technology}/{fmspc.ToUpperInvariant()}/{Update(context)}"), Json,
                (response, item) => response.Headers["TCB-Info-Issuer-Chain"] = Escaped(item.Chain))
            : Refusal.BadRequestAsync(context, "fmspc is 12 hexadecimal digits");
    }

    public Task PckCrlAsync(HttpContext context)
    {
        var (ca, encoding) = (context.Request.Query["ca"].ToString(), context.Request.Query["encoding"].ToString());
        if (ca is not ("platform" or "processor") || encoding is not ("" or "der" or "pem"))
        {
            return Refusal.BadRequestAsync(context, "ca is platform or processor, encoding der or pem");
        }

        return answers.GetAsync(
            context, new CollateralKey(CollateralKind.PckCrl, ca), encoding == "der" ? Der : Pem,
            (response, item) => response.Headers["SGX-PCK-CRL-Issuer-Chain"] = Escaped(item.Chain),
            encoding == "der" ? null : item => PemEncoding.WriteUtf8("X509 CRL"u8, item.Body.Span));
    }

    public Task PckCertificateAsync(HttpContext context)
    {
        var asked = s_pckQuery.Select(name => (Name: name, Value: context.Request.Query[name].ToString())).Where(pair => pair.Value.Length > 0).ToArray();
        var sound = asked.All(pair => pair.Value.Length <= 768 && pair.Value.All(char.IsAsciiHexDigit)) && asked.Any(pair => pair.Name == "pceid") && asked.Any(pair => pair.Name is "qeid" or "encrypted_ppid");
        if (!sound)
        {
            return Refusal.BadRequestAsync(context, "cpusvn, pcesvn, pceid, and qeid or encrypted_ppid are expected in hexadecimal");
        }

        var id = string.Join('&', asked.Select(pair => $"{pair.Name}={pair.Value.ToUpperInvariant()}"));
        return answers.GetAsync(context, new CollateralKey(CollateralKind.PckCertificate, id), Pem, (response, item) =>
        {
            response.Headers["SGX-PCK-Certificate-Issuer-Chain"] = Escaped(item.Chain);
            response.Headers["SGX-FMSPC"] = item.Facts["fmspc"];
            response.Headers["SGX-TCBm"] = item.Facts["tcbm"];
            response.Headers["SGX-PCK-Certificate-CA-Type"] = item.Facts["ca"];
        });
    }

    // The channel of recoveries: early, or the standard one where none is named.
    private static string Update(HttpContext context) => context.Request.Query["update"].ToString() is "early" ? "early" : "standard";

    private static string Escaped(ReadOnlyMemory<byte> pem) => Uri.EscapeDataString(Encoding.ASCII.GetString(pem.Span));
}
