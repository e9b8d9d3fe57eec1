using System.Security.Cryptography;
using System.Text;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli;

/// <summary>The certificates of the built-in roots, for openssl. What is believed is the anchor, not the file: one with another fingerprint is never found.</summary>
internal static class RootCertificates
{
    private const string Document = "roots.pem";

    private static readonly Lazy<IReadOnlyDictionary<string, string>> s_all = new(Read);

    /// <summary>The PEM of a built-in root; null where it has none.</summary>
    public static string? PemOf(TrustAnchor anchor) => s_all.Value.GetValueOrDefault(anchor.Fingerprint.ToString());

    private static Dictionary<string, string> Read()
    {
        using var stream = typeof(RootCertificates).Assembly.GetManifestResourceStream(Document) ?? throw new InvalidOperationException($"{Document} was not compiled in");
        using var reader = new StreamReader(stream, Encoding.ASCII);
        var (text, all) = (reader.ReadToEnd(), new Dictionary<string, string>(StringComparer.Ordinal));
        for (var rest = text.AsSpan(); PemEncoding.TryFind(rest, out var fields); rest = rest[fields.Location.End..])
        {
            var der = Convert.FromBase64String(rest[fields.Base64Data].ToString());
            all[new Digest(SHA256.HashData(der)).ToString()] = PemEncoding.WriteString("CERTIFICATE", der) + "\n";
        }

        return all;
    }
}
