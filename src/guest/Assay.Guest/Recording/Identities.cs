using System.Security.Cryptography;
using System.Text;

namespace Assay.Guest.Recording;

/// <summary>
/// Replaces what names a device by names that no device has, at the same length and each value by the same one everywhere: serial numbers of its certificates,
/// and the PDI inside (S-11) in both byte orders. Signatures over them break; layouts stay.
/// </summary>
internal sealed class Identities
{
    private const int PdiSize = 8;
    private const int LeastSerial = 8;
    private const string Label = "CERTIFICATE";

    private readonly byte[] _salt = RandomNumberGenerator.GetBytes(32);

    private readonly List<(byte[] Old, byte[] Other)> _pairs = [];

    /// <summary>Notes what names a device: devices name one another, so all are learned before the first is written.</summary>
    /// <param name="chain">PEM. The leaf and the device's own certificate count: those above belong to whole models.</param>
    public void Learn(ReadOnlySpan<byte> chain)
    {
        foreach (var serial in Certificates(chain).Take(2).Select(SerialOf).Where(serial => serial.Length >= LeastSerial))
        {
            foreach (var value in serial.Length == PdiSize + 1 ? new[] { serial, serial[1..] } : [serial])
            {
                var other = Other(value);
                _pairs.Add((value, other));
                _pairs.Add(([.. value.Reverse()], [.. other.Reverse()]));
            }
        }
    }

    /// <summary>A copy in which nothing that was learned is left: not as bytes in either order, nor as hexadecimal text.</summary>
    public byte[] Apply(ReadOnlySpan<byte> content)
    {
        var copy = content.ToArray();
        foreach (var (old, other) in _pairs)
        {
            Overwrite(copy, old, other);
            Overwrite(copy, Encoding.ASCII.GetBytes(Convert.ToHexString(old)), Encoding.ASCII.GetBytes(Convert.ToHexString(other)));
            Overwrite(copy, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(old)), Encoding.ASCII.GetBytes(Convert.ToHexStringLower(other)));
        }

        return copy;
    }

    /// <summary>The same inside PEM.</summary>
    public byte[] ApplyPem(ReadOnlySpan<byte> chain) =>
        Encoding.ASCII.GetBytes(string.Concat(Certificates(chain).Select(certificate => PemEncoding.WriteString(Label, Apply(certificate)) + "\n")));

    private static List<byte[]> Certificates(ReadOnlySpan<byte> chain)
    {
        var text = Encoding.ASCII.GetString(chain);
        var certificates = new List<byte[]>();
        while (PemEncoding.TryFind(text, out var fields))
        {
            certificates.Add(Convert.FromBase64String(text[fields.Base64Data]));
            text = text[fields.Location.End..];
        }

        return certificates;
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
