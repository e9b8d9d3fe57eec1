using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Client.Channels;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli.Channels;

/// <summary>The section <c>operator</c> of a channel policy: whose the machines are, in exactly one of four ways.</summary>
/// <param name="section">Its members.</param>
/// <param name="folder">Where files are looked for.</param>
internal sealed class OperatorReader(ConfigReader section, string folder)
{
    private const string Ca = "ca";
    private const string FleetCa = "fleetCa";
    private const string Keys = "keys";
    private const string Any = "dangerouslyAnyOperator";
    private const string Name = "name";
    private const string DigestPrefix = "sha256:";
    private const int MostCertificates = 32;

    private static readonly string[] s_ways = [Ca, FleetCa, Keys, Any];

    /// <summary>The demand, and what it is in words. Null where there is a fault.</summary>
    public (ChannelOperator Operator, string Words)? Read()
    {
        section.RequireKnown([.. s_ways, Name]);
        string[] given = [.. s_ways.Where(section.Has)];
        if (given is not [var way])
        {
            section.Refuse(section.Line, given.Length == 0 ? $"operator: one of {string.Join(", ", s_ways)} is expected" : $"operator: {string.Join(" and ", given)} both say whose: give one of {string.Join(", ", s_ways)}");
            return null;
        }

        var name = section.Text(Name, isRequired: way is Ca);
        if (name is not null && way is not Ca)
        {
            section.Refuse(section.LineOf(Name), $"operator.{Name}: belongs to {Ca}; of {way} no name is asked");
        }

        return way switch
        {
            Ca => Roots(Ca, out var files) is { IsEmpty: false } roots && name is not null ? (ChannelOperator.OfCa(roots, name), $"a certificate of {files} for {name}") : null,
            FleetCa => Roots(FleetCa, out var files) is { IsEmpty: false } roots ? (ChannelOperator.OfFleet(roots), $"a certificate of the fleet's {files}") : null,
            Keys => Pins() is { IsEmpty: false } keys ? (ChannelOperator.OfKeys(keys), keys.Length == 1 ? "a pinned key" : $"one of {keys.Length} pinned keys") : null,
            _ => AnyOperator(),
        };
    }

    private (ChannelOperator, string)? AnyOperator()
    {
        if (section.Flag(Any))
        {
            return (ChannelOperator.DangerouslyAny, "any operator");
        }

        section.Refuse(section.LineOf(Any), $"operator.{Any}: false names no operator: give {Ca} with {Name}, {FleetCa} or {Keys}");
        return null;
    }

    private ImmutableArray<ReadOnlyMemory<byte>> Roots(string key, out string listed)
    {
        var roots = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var files = section.Texts(key);
        listed = string.Join(", ", files.Select(InputFile.NameOf));
        foreach (var file in files)
        {
            if (!InputFile.TryRead(Path.Combine(folder, file), Limits.ChainTextBytes, out var bytes, out var whyNot))
            {
                section.Refuse(section.LineOf(key), $"operator.{key}: {whyNot}");
            }
            else if (Read(bytes, out whyNot) is { IsEmpty: false } read)
            {
                roots.AddRange(read);
            }
            else
            {
                section.Refuse(section.LineOf(key), $"operator.{key}: {WrongFile.Message(file, "it", "certificates of CAs (PEM)", bytes, whyNot!, ContentKind.Certificates, ContentKind.Certificate)}");
            }
        }

        return roots.ToImmutable();
    }

    private static ImmutableArray<ReadOnlyMemory<byte>> Read(byte[] bytes, out string? whyNot)
    {
        var all = new X509Certificate2Collection();
        try
        {
            if (bytes.AsSpan().IndexOf("-----BEGIN"u8) >= 0)
            {
                all.ImportFromPem(Encoding.ASCII.GetString(bytes));
            }
            else
            {
                all.Add(X509CertificateLoader.LoadCertificate(bytes));
            }

            // A leaf among them would be a root of its own, and its holder a CA.
            whyNot = all.Count == 0 ? "no certificate is in it" : all.Count > MostCertificates ? $"more than {MostCertificates} certificates"
                : all.FirstOrDefault(certificate => !IsAuthority(certificate)) is { } leaf ? $"a certificate in it is not a CA's: {leaf.Subject}" : null;
            return whyNot is null ? [.. all.Select(certificate => (ReadOnlyMemory<byte>)certificate.RawData)] : [];
        }
        catch (CryptographicException exception)
        {
            whyNot = exception.Message;
            return [];
        }
        finally
        {
            foreach (var certificate in all)
            {
                certificate.Dispose();
            }
        }
    }

    private static bool IsAuthority(X509Certificate2 certificate) => certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority);

    private ImmutableArray<Digest> Pins()
    {
        var pins = ImmutableArray.CreateBuilder<Digest>();
        foreach (var text in section.Texts(Keys))
        {
            if (text.StartsWith(DigestPrefix, StringComparison.Ordinal) && Verify.HexText.TryRead(text[DigestPrefix.Length..], SHA256.HashSizeInBytes, out var bytes))
            {
                pins.Add(new Digest(bytes));
            }
            else
            {
                section.Refuse(section.LineOf(Keys), $"operator.{Keys}: {DigestPrefix} and 64 hexadecimal digits are expected, the SHA-256 of a SubjectPublicKeyInfo in DER, found \"{Printable.Of(text)}\"");
            }
        }

        return pins.ToImmutable();
    }
}
