using System.Security.Cryptography;
using System.Text;

namespace Assay.Guest.Recording;

/// <summary>
/// Replaces what names a device by what names nobody, at the same length and each value by the same one everywhere: serial numbers of its certificates,
/// and the PDI inside (S-11) in both byte orders. Signatures over them break; layouts stay.
/// </summary>
internal sealed class Identities
{
    private const int PdiSize = 8;
    private const int LeastSerial = 8;
    private const string Label = "CERTIFICATE";

    private readonly byte[] _salt = RandomNumberGenerator.GetBytes(32);

    public (byte[] Report, byte[] Chain) Replace(byte[] report, byte[] chain)
    {
        var text = Encoding.ASCII.GetString(chain);
        var certificates = new List<byte[]>();
        while (PemEncoding.TryFind(text, out var fields))
        {
            certificates.Add(Convert.FromBase64String(text[fields.Base64Data]));
            text = text[fields.Location.End..];
        }

        // The leaf and the device's own certificate: those above belong to whole models.
        foreach (var serial in certificates.Take(2).Select(SerialOf).Where(serial => serial.Length >= LeastSerial).ToArray())
        {
            var values = serial.Length == PdiSize + 1 ? new[] { serial, serial[1..] } : [serial];
            foreach (var value in values)
            {
                foreach (var (old, other) in new[] { (value, Other(value)), ([.. value.Reverse()], [.. Other(value).Reverse()]) })
                {
                    Overwrite(report, old, other);
                    certificates.ForEach(certificate => Overwrite(certificate, old, other));
                    // Subjects name it in hexadecimal text.
                    certificates.ForEach(certificate => Overwrite(certificate, Encoding.ASCII.GetBytes(Convert.ToHexString(old)), Encoding.ASCII.GetBytes(Convert.ToHexString(other))));
                }
            }
        }

        return (report, Encoding.ASCII.GetBytes(string.Concat(certificates.Select(certificate => PemEncoding.WriteString(Label, certificate) + "\n"))));
    }

    private byte[] Other(byte[] value)
    {
        var other = SHA384.HashData([.. _salt, .. value])[..value.Length];
        // The first byte tells the kind of device, and a serial number is positive.
        other[0] = value[0];
        return other;
    }

    // SEQUENCE { SEQUENCE { [0] version, INTEGER serial …
    private static byte[] SerialOf(byte[] der)
    {
        try
        {
            var certificate = new System.Formats.Asn1.AsnReader(der, System.Formats.Asn1.AsnEncodingRules.DER).ReadSequence().ReadSequence();
            certificate.ReadEncodedValue();
            return certificate.ReadIntegerBytes().ToArray();
        }
        catch (System.Formats.Asn1.AsnContentException)
        {
            return [];
        }
    }

    private static void Overwrite(byte[] content, byte[] old, byte[] other)
    {
        for (var at = 0; content.AsSpan(at).IndexOf(old) is >= 0 and var found; at += found + old.Length)
        {
            other.CopyTo(content, at + found);
        }
    }
}
