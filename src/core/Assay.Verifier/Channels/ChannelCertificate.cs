using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Wire;

namespace Assay.Channels;

/// <summary>The leaf of one end of a channel, as it was shown in the TLS handshake, which proved that the other end has its key. Nothing else of it is believed.</summary>
public sealed class ChannelCertificate
{
    /// <summary>The longest validity of a channel's certificate.</summary>
    public static TimeSpan MaximumLife { get; } = TimeSpan.FromHours(1);

    private const int LargestCertificate = 48 * 1024;

    private ChannelCertificate(ReadOnlyMemory<byte> der, byte[] jwk, DateTimeOffset notBefore, DateTimeOffset notAfter, ChannelStatement? statement) =>
        (Raw, Jwk, NotBefore, NotAfter, Statement, Digest) = (der, jwk, notBefore, notAfter, statement, SHA384.HashData(der.Span));

    /// <summary>The certificate in DER.</summary>
    public ReadOnlyMemory<byte> Raw { get; }

    /// <summary>SHA-384 of the DER.</summary>
    public ReadOnlyMemory<byte> Digest { get; }

    /// <summary>The leaf's key as canonical JWK: <c>{"crv","kty":"EC","x","y"}</c>.</summary>
    public ReadOnlyMemory<byte> Jwk { get; }

    /// <summary>From when it is valid.</summary>
    public DateTimeOffset NotBefore { get; }

    /// <summary>Until when it is valid.</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>The evidence that it carries; null where it carries none.</summary>
    public ChannelStatement? Statement { get; }

    /// <summary>Reads a leaf.</summary>
    /// <param name="der">At most 48 KiB.</param>
    /// <param name="certificate">What is in it.</param>
    /// <param name="fault">The field, and what is expected.</param>
    public static bool TryRead(ReadOnlyMemory<byte> der, [NotNullWhen(true)] out ChannelCertificate? certificate, [NotNullWhen(false)] out ParseFault? fault)
    {
        certificate = null;
        fault = der.Length > LargestCertificate ? new ParseFault("certificate", 0, $"larger than {LargestCertificate} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        try
        {
            using var loaded = X509CertificateLoader.LoadCertificate(der.Span);
            var statement = ReadStatement(loaded, out fault);
            using var key = fault is null ? loaded.GetECDsaPublicKey() : null;
            var jwk = key is null ? null : JwkOf(key);
            if (fault is null && jwk is null)
            {
                fault = new ParseFault("certificate.key", 0, "an EC key on P-256 or P-384 is expected");
            }
            else if (fault is null)
            {
                certificate = new ChannelCertificate(der.ToArray(), jwk!, Time(loaded.NotBefore), Time(loaded.NotAfter), statement);
                fault = null;
                return true;
            }
        }
        catch (Exception exception) when (exception is CryptographicException or AsnContentException)
        {
            fault = new ParseFault("certificate", 0, "not one DER certificate with a readable key");
        }

        return false;
    }

    /// <summary>The JWK of a key, as both ends write it; null for a curve that channels do not use.</summary>
    public static byte[]? JwkOf(ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var parameters = key.ExportParameters(includePrivateParameters: false);
        var curve = parameters.Curve.Oid.Value switch { "1.2.840.10045.3.1.7" => "P-256", "1.3.132.0.34" => "P-384", _ => parameters.Curve.Oid.FriendlyName switch { "nistP256" or "ECDSA_P256" => "P-256", "nistP384" or "ECDSA_P384" => "P-384", _ => null } };
        return curve is null ? null : new CanonicalObject().Text("crv", curve).Text("kty", "EC").Text("x", Base64Url.EncodeToString(parameters.Q.X)).Text("y", Base64Url.EncodeToString(parameters.Q.Y)).ToBytes();
    }

    private static ChannelStatement? ReadStatement(X509Certificate2 certificate, out ParseFault? fault)
    {
        fault = null;
        X509Extension[] carried = [.. certificate.Extensions.Where(extension => extension.Oid?.Value == ChannelStatement.Oid)];
        if (carried.Length == 0)
        {
            return null;
        }

        // The OCTET STRING's own header has four bytes at most.
        fault = carried.Length > 1 ? new ParseFault("certificate.extension", 0, "it is there twice")
            : carried[0].RawData.Length > ChannelStatement.MaximumSize + 4 ? new ParseFault("certificate.extension", 0, $"larger than {ChannelStatement.MaximumSize} bytes")
            : null;
        if (fault is not null)
        {
            return null;
        }

        var content = AsnDecoder.ReadOctetString(carried[0].RawData, AsnEncodingRules.DER, out var consumed);
        fault = consumed != carried[0].RawData.Length ? new ParseFault("certificate.extension", 0, "an OCTET STRING and nothing else is expected") : null;
        return fault is null && ChannelStatement.TryParse(content, out var statement, out fault) ? statement : null;
    }

    private static DateTimeOffset Time(DateTime local) => new(local.ToUniversalTime(), TimeSpan.Zero);
}
