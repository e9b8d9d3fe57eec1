using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Assay.Channels;

namespace Assay.Client.Channels.Tls;

/// <summary>TLS of the platform (OpenSSL), for the levels that need no exporter.</summary>
internal sealed class SslStreamEnd : TlsEnd
{
    private static readonly SslApplicationProtocol s_protocol = new(ChannelMessage.Protocol);

    private readonly SslStream _stream;
    private readonly List<byte[]> _peer;

    private SslStreamEnd(SslStream stream, List<byte[]> peer) => (_stream, _peer) = (stream, peer);

    public override Stream Stream => _stream;

    public override IReadOnlyList<byte[]> PeerChain => _peer;

    public override bool ShowedCertificate => _stream.IsServer || _stream.IsMutuallyAuthenticated;

    public override bool SpeaksChannel => _stream.NegotiatedApplicationProtocol == s_protocol;

    /// <param name="transport">Is owned from here on.</param>
    /// <param name="host">For the server's choice of a certificate.</param>
    /// <param name="judge">Takes the server's chain, before anything else is sent.</param>
    /// <param name="own">Shown where the server asks for a certificate; null: none.</param>
    /// <param name="cancellation">Ends the handshake.</param>
    public static async Task<SslStreamEnd> ConnectAsync(Stream transport, string host, Action<IReadOnlyList<byte[]>> judge, ChannelIdentity? own, CancellationToken cancellation)
    {
        var peer = new List<byte[]>();
        Exception? refused = null;
        var stream = new SslStream(transport, leaveInnerStreamOpen: false);
        using var certificate = own is null ? null : WithKey(own);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [s_protocol],
            AllowTlsResume = false,
            AllowRenegotiation = false,
            CertificateChainPolicy = NoDownloads(),
            ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, Issuers(own!), offline: true),
            RemoteCertificateValidationCallback = (_, leaf, path, _) => Take(leaf, path, peer) && Judge(judge, peer, out refused),
        };
        try
        {
            await stream.AuthenticateAsClientAsync(options, cancellation).ConfigureAwait(false);
            return new SslStreamEnd(stream, peer);
        }
        catch (Exception exception)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw refused ?? Explained(exception);
        }
    }

    /// <param name="transport">Is owned from here on.</param>
    /// <param name="own">Shown to the client.</param>
    /// <param name="judge">Takes the client's chain; null: no certificate is asked of it.</param>
    /// <param name="cancellation">Ends the handshake.</param>
    public static async Task<SslStreamEnd> AcceptAsync(Stream transport, ChannelIdentity own, Action<IReadOnlyList<byte[]>>? judge, CancellationToken cancellation)
    {
        var peer = new List<byte[]>();
        Exception? refused = null;
        var stream = new SslStream(transport, leaveInnerStreamOpen: false);
        using var certificate = WithKey(own);
        var options = new SslServerAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [s_protocol],
            AllowTlsResume = false,
            AllowRenegotiation = false,
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, Issuers(own), offline: true),
            ClientCertificateRequired = judge is not null,
            CertificateChainPolicy = NoDownloads(),
            RemoteCertificateValidationCallback = (_, leaf, path, _) => judge is null || (Take(leaf, path, peer) && Judge(judge, peer, out refused)),
        };
        try
        {
            await stream.AuthenticateAsServerAsync(options, cancellation).ConfigureAwait(false);
            return new SslStreamEnd(stream, peer);
        }
        catch (Exception exception)
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw refused ?? Explained(exception);
        }
    }

    private static Exception Explained(Exception exception) =>
        exception is AuthenticationException ? new ChannelException("channel.tls", $"the TLS handshake failed: {exception.Message} {exception.InnerException?.Message}", exception) : exception;

    private static X509Certificate2 WithKey(ChannelIdentity own)
    {
        using var certificate = X509CertificateLoader.LoadCertificate(own.Chain[0]);
        return certificate.CopyWithPrivateKey(own.Key);
    }

    private static X509Certificate2Collection Issuers(ChannelIdentity own) => [.. own.Chain.Skip(1).Select(der => X509CertificateLoader.LoadCertificate(der))];

    // Whose the certificate is, ChannelOperator decides; the platform's own judgement is not asked, and must not fetch for it.
    private static X509ChainPolicy NoDownloads() => new()
    {
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        TrustMode = X509ChainTrustMode.CustomRootTrust,
        VerificationFlags = X509VerificationFlags.AllFlags,
    };

    private static bool Take(X509Certificate? leaf, X509Chain? path, List<byte[]> peer)
    {
        if (leaf is null)
        {
            return false;
        }

        peer.Add(leaf.GetRawCertData());
        peer.AddRange(path?.ChainPolicy.ExtraStore.Select(certificate => certificate.RawData).Where(der => !der.AsSpan().SequenceEqual(peer[0])) ?? []);
        return true;
    }

    private static bool Judge(Action<IReadOnlyList<byte[]>> judge, List<byte[]> peer, out Exception? refused)
    {
        try
        {
            judge(peer);
            refused = null;
            return true;
        }
        catch (ChannelException exception)
        {
            refused = exception;
            return false;
        }
    }
}
