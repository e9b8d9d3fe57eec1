using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Assay.Guest.Proxy;

/// <summary>
/// The operator's CA certificate and key, which came to this VM while it runs: <c>certificate.pem</c> and <c>key.pem</c> in one folder. They are a secret and no configuration: wrong ones make a
/// certificate that clients refuse, and nothing else.
/// </summary>
internal static class OperatorCredential
{
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads it.</summary>
    /// <exception cref="GuestException">It is missing, open to others than its owner, or no CA certificate with its key.</exception>
    public static X509Certificate2 Read(string folder)
    {
        var (certificate, key) = ($"{folder}/certificate.pem", $"{folder}/key.pem");
        const string cure = "bring both to this VM after it was attested, for instance with assay-guest unseal --out";
        try
        {
            if ((File.GetUnixFileMode(key) & Others) != 0)
            {
                throw new GuestException("proxy.operator", $"{key} is open to others than its owner", "give it mode 0600");
            }

            var loaded = X509Certificate2.CreateFromPemFile(certificate, key);
            using var signing = loaded.GetECDsaPrivateKey();
            return signing is not null && loaded.Extensions.OfType<X509BasicConstraintsExtension>().Any(constraints => constraints.CertificateAuthority)
                && loaded.Extensions.OfType<X509KeyUsageExtension>().All(usage => usage.KeyUsages.HasFlag(X509KeyUsageFlags.KeyCertSign)) ? loaded
                : throw new GuestException("proxy.operator", $"{certificate} is not the certificate of a CA with an EC key", "give a CA certificate of the operator's: it signs this VM's certificates, which last less than an hour");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new GuestException(new GuestFault("proxy.operator", $"{folder}: {exception.Message}", cure), exception);
        }
    }
}
