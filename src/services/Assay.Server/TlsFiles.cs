using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Assay.Server;

/// <summary>
/// A certificate from files, read again when one of them changes: whoever renews it writes new files, and no connection is lost. A pair that does not fit
/// is not taken, and the one before goes on.
/// </summary>
internal sealed partial class TlsFiles : IDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(5);

    private readonly TlsOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Lock _reading = new();
    private X509Certificate2 _certificate;
    private (DateTime, DateTime) _written;
    private DateTimeOffset _looked;

    public TlsFiles(TlsOptions options, TimeProvider clock, ILogger logger)
    {
        (_options, _clock, _logger) = (options, clock, logger);
        try
        {
            _certificate = Read();
            if (options.ClientCa is { } roots)
            {
                ClientRoots.ImportFromPemFile(roots);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new Service.ServiceException("service.tls.files", $"tls: {options.Certificate}, {options.Key}: {exception.Message}", exception);
        }

        _looked = clock.GetUtcNow();
    }

    /// <summary>The roots under which client certificates are believed; empty: none are.</summary>
    public X509Certificate2Collection ClientRoots { get; } = [];

    public void Configure(ListenOptions listener) => listener.UseHttps(https =>
    {
        https.ServerCertificateSelector = (_, _) => Current();
        if (ClientRoots.Count > 0)
        {
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            // Whether it is a login is asked later; here it must chain to the roots that were named, and to no other.
            https.ClientCertificateValidation = (certificate, _, _) => Chains(certificate);
        }
    });

    /// <summary>SHA-384 of the certificate that a connection begun now is served with.</summary>
    public string LeafDigest() => Convert.ToHexStringLower(SHA384.HashData(Current().RawDataMemory.Span));

    public void Dispose() => _certificate.Dispose();

    private X509Certificate2 Current()
    {
        lock (_reading)
        {
            var now = _clock.GetUtcNow();
            if (now - _looked >= s_look)
            {
                _looked = now;
                if (_written != Written())
                {
                    TryRead();
                }
            }

            return _certificate;
        }
    }

    private void TryRead()
    {
        try
        {
            // The old one may be in use by handshakes under way: its finalizer frees it.
            _certificate = Read();
            Log.Reloaded(_logger, _certificate.NotAfter);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            Log.NotReloaded(_logger, exception.Message);
        }
    }

    private X509Certificate2 Read()
    {
        var written = Written();
        using var pair = X509Certificate2.CreateFromPemFile(_options.Certificate, _options.Key);
        // Kestrel's TLS needs the key in a form that outlives the file.
        var certificate = X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
        _written = written;
        return certificate;
    }

    private (DateTime, DateTime) Written() => (File.GetLastWriteTimeUtc(_options.Certificate), File.GetLastWriteTimeUtc(_options.Key));

    private bool Chains(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(ClientRoots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = _clock.GetUtcNow().UtcDateTime;
        return chain.Build(certificate);
    }

    private static partial class Log
    {
        [LoggerMessage(2101, LogLevel.Information, "certificate read again, it ends {NotAfter}")]
        public static partial void Reloaded(ILogger logger, DateTime notAfter);

        [LoggerMessage(2102, LogLevel.Error, "the new certificate is not taken, the one before goes on: {Reason}")]
        public static partial void NotReloaded(ILogger logger, string reason);
    }
}
