using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Assay.Cli.Demo;

/// <summary>An operator of VMs: a CA that signs what its VMs show, and says whose they are.</summary>
internal sealed class DemoOperator : IDisposable
{
    public DemoOperator(string name, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        Authority = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        KeyPem = key.ExportPkcs8PrivateKeyPem();
    }

    /// <summary>With its key.</summary>
    public X509Certificate2 Authority { get; }

    public string KeyPem { get; }

    public string CertificatePem => Authority.ExportCertificatePem();

    public void Dispose() => Authority.Dispose();
}
