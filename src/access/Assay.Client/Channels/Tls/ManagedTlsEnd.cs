using System.Security.Cryptography;
using Assay.Channels;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using ChannelBinding = Assay.Binding.ChannelBinding;
using ChannelRole = Assay.Binding.ChannelRole;
using TlsHash = Org.BouncyCastle.Tls.HashAlgorithm;

namespace Assay.Client.Channels.Tls;

/// <summary>TLS 1.3 of BouncyCastle, which has the exporter. The certificate's key stays in the platform's keys; the connection's are in this process' managed memory.</summary>
internal sealed class ManagedTlsEnd : TlsEnd
{
    // A leaf at its limit with its issuers: as OpenSSL takes, and more than BouncyCastle does by itself.
    private const int LargestHandshakeMessage = 100 * 1024;

    private static readonly SignatureAndHashAlgorithm s_signature = SignatureAndHashAlgorithm.GetInstance(TlsHash.sha384, SignatureAlgorithm.ecdsa);
    private static readonly int[] s_suites = [CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.TLS_AES_128_GCM_SHA256];
    private static readonly int[] s_groups = [NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1];

    private readonly ManagedTlsStream _stream;
    private readonly PeerState _state;

    private ManagedTlsEnd(ManagedTlsStream stream, PeerState state) => (_stream, _state) = (stream, state);

    public override Stream Stream => _stream;

    public override IReadOnlyList<byte[]> PeerChain => _state.Chain;

    public override bool ShowedCertificate => _state.ShowedCertificate;

    public override bool SpeaksChannel => _state.SpeaksChannel;

    /// <param name="transport">Is owned from here on.</param>
    /// <param name="host">For the server's choice of a certificate; an address is not sent.</param>
    /// <param name="judge">Takes the server's chain, before this end's last message.</param>
    /// <param name="own">Shown where the server asks for a certificate; null: none.</param>
    /// <param name="cancellation">Ends the handshake.</param>
    public static async Task<ManagedTlsEnd> ConnectAsync(Stream transport, string host, Action<IReadOnlyList<byte[]>> judge, ChannelIdentity? own, CancellationToken cancellation)
    {
        var (state, crypto, protocol) = (new PeerState(judge), new NativeCrypto(), new TlsClientProtocol());
        return await HandshakeAsync(transport, protocol, () => protocol.Connect(new Client(crypto, host, state, own)), state, crypto, cancellation).ConfigureAwait(false);
    }

    /// <param name="transport">Is owned from here on.</param>
    /// <param name="own">Shown to the client.</param>
    /// <param name="judge">Takes the client's chain; null: no certificate is asked of it.</param>
    /// <param name="cancellation">Ends the handshake.</param>
    public static async Task<ManagedTlsEnd> AcceptAsync(Stream transport, ChannelIdentity own, Action<IReadOnlyList<byte[]>>? judge, CancellationToken cancellation)
    {
        var (state, crypto, protocol) = (new PeerState(judge), new NativeCrypto(), new TlsServerProtocol());
        return await HandshakeAsync(transport, protocol, () => protocol.Accept(new Server(crypto, state, own)), state, crypto, cancellation).ConfigureAwait(false);
    }

    public override ReadOnlyMemory<byte> Export(ChannelRole role, ReadOnlySpan<byte> challenge) =>
        _state.Exporter?.Export(ChannelBinding.ExporterLabel(role), challenge, ChannelBinding.ExporterSize) ?? default(ReadOnlyMemory<byte>);

    /// <summary>What another label and context give: for tests against other implementations.</summary>
    internal byte[] Export(string label, ReadOnlySpan<byte> context, int size) => _state.Exporter!.Export(label, context, size);

    /// <summary>Signs as this end does: for a benchmark of the bare protocol.</summary>
    internal static TlsCredentials SignerOf(TlsContext context, ChannelIdentity own) => new Signer(context, own);

    public override void EndExporter()
    {
        _state.Exporter?.Dispose();
        _state.Exporter = null;
    }

    public override ValueTask DisposeAsync()
    {
        EndExporter();
        return base.DisposeAsync();
    }

    private static async Task<ManagedTlsEnd> HandshakeAsync(Stream transport, TlsProtocol protocol, Action begin, PeerState state, NativeCrypto crypto, CancellationToken cancellation)
    {
        var stream = new ManagedTlsStream(transport, protocol, crypto);
        try
        {
            begin();
            await stream.HandshakeAsync(() => state.IsComplete, cancellation).ConfigureAwait(false);
            return new ManagedTlsEnd(stream, state);
        }
        catch (Exception exception)
        {
            state.Exporter?.Dispose();
            await stream.DisposeAsync().ConfigureAwait(false);
            if (state.Refused is { } refused)
            {
                throw refused;
            }

            throw exception is TlsException or EndOfStreamException ? new ChannelException("channel.tls", $"the TLS handshake failed: {exception.Message}", exception) : exception;
        }
    }

    /// <summary>What is learnt of the peer while hands are shaken.</summary>
    private sealed class PeerState(Action<IReadOnlyList<byte[]>>? judge)
    {
        public IReadOnlyList<byte[]> Chain { get; private set; } = [];

        public bool SpeaksChannel { get; private set; }

        public bool IsComplete { get; private set; }

        public bool ShowedCertificate { get; set; }

        public ExporterSecret? Exporter { get; set; }

        public ChannelException? Refused { get; private set; }

        public bool Asks => judge is not null;

        public void Take(Certificate? shown)
        {
            Chain = shown?.GetCertificateList().Select(certificate => certificate.GetEncoded()).ToArray() ?? [];
            try
            {
                judge?.Invoke(Chain);
            }
            catch (ChannelException exception)
            {
                Refused = exception;
                throw new TlsFatalAlert(AlertDescription.bad_certificate, exception);
            }
        }

        public void Complete(TlsContext context)
        {
            var parameters = context.SecurityParameters;
            SpeaksChannel = parameters.IsApplicationProtocolSet && parameters.ApplicationProtocol?.GetUtf8Decoding() == ChannelMessage.Protocol;
            Exporter = new ExporterSecret(parameters.ExporterMasterSecret.Extract(), parameters.CipherSuite == CipherSuite.TLS_AES_256_GCM_SHA384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256);
            IsComplete = true;
        }
    }

    private sealed class Client(NativeCrypto crypto, string host, PeerState state, ChannelIdentity? own) : DefaultTlsClient(crypto), TlsAuthentication
    {
        public override TlsAuthentication GetAuthentication() => this;

        public override int GetMaxHandshakeMessageSize() => LargestHandshakeMessage;

        public void NotifyServerCertificate(TlsServerCertificate serverCertificate) => state.Take(serverCertificate.Certificate);

        public TlsCredentials? GetClientCredentials(CertificateRequest certificateRequest)
        {
            state.ShowedCertificate = own is not null;
            return own is null ? null : new Signer(m_context, own);
        }

        public override void NotifyHandshakeComplete()
        {
            base.NotifyHandshakeComplete();
            state.Complete(m_context);
        }

        public override void NotifyNewSessionTicket(NewSessionTicket newSessionTicket)
        {
            // Nothing is resumed.
        }

        protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.TLSv13.Only();

        protected override int[] GetSupportedCipherSuites() => s_suites;

        protected override IList<int> GetSupportedGroups(IList<int> namedGroupRoles) => s_groups;

        protected override IList<ProtocolName> GetProtocolNames() => [ProtocolName.AsUtf8Encoding(ChannelMessage.Protocol)];

        protected override IList<ServerName> GetSniServerNames() =>
            Uri.CheckHostName(host) is UriHostNameType.Dns ? [new ServerName(NameType.host_name, System.Text.Encoding.ASCII.GetBytes(host))] : null!;
    }

    private sealed class Server(NativeCrypto crypto, PeerState state, ChannelIdentity own) : DefaultTlsServer(crypto)
    {
        public override TlsCredentials GetCredentials()
        {
            state.ShowedCertificate = true;
            return new Signer(m_context, own);
        }

        public override int GetMaxHandshakeMessageSize() => LargestHandshakeMessage;

        public override CertificateRequest? GetCertificateRequest() =>
            state.Asks ? new CertificateRequest(TlsUtilities.EmptyBytes, [s_signature, SignatureAndHashAlgorithm.GetInstance(TlsHash.sha256, SignatureAlgorithm.ecdsa)], null, null) : null;

        public override void NotifyClientCertificate(Certificate clientCertificate) => state.Take(clientCertificate);

        public override void NotifyHandshakeComplete()
        {
            base.NotifyHandshakeComplete();
            state.Complete(m_context);
        }

        public override NewSessionTicket? GetNewSessionTicket() => null;

        public override int[] GetSupportedGroups() => s_groups;

        protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.TLSv13.Only();

        protected override int[] GetSupportedCipherSuites() => s_suites;

        protected override IList<ProtocolName> GetProtocolNames() => [ProtocolName.AsUtf8Encoding(ChannelMessage.Protocol)];
    }

    /// <summary>Signs CertificateVerify with the platform's key.</summary>
    private sealed class Signer(TlsContext context, ChannelIdentity own) : TlsCredentialedSigner
    {
        public Certificate Certificate { get; } = new([], [.. own.Chain.Select(der => new CertificateEntry(context.Crypto.CreateCertificate(der), null))]);

        public SignatureAndHashAlgorithm SignatureAndHashAlgorithm => s_signature;

        public byte[] GenerateRawSignature(byte[] hash) => own.Key.SignHash(hash, DSASignatureFormat.Rfc3279DerSequence);

        public TlsStreamSigner? GetStreamSigner() => null;
    }
}
