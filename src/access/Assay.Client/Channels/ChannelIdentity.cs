using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Channels;
using Assay.Evidence.Files;

namespace Assay.Client.Channels;

/// <summary>Makes evidence of this VM. Inside the VM alone, by the program that has the TLS key (S-3, S-23a): it never answers for a key that somebody brought along.</summary>
public interface IChannelEvidenceSource
{
    /// <summary>The bundle that <c>MachineEvidence.TryParse</c> reads.</summary>
    /// <param name="nonce">What <see cref="KeyBinding"/> takes as nonce.</param>
    /// <param name="key">The public key of this end's certificate, as JWK.</param>
    /// <param name="byDigest">Whether the processor's report covers <see cref="ChannelStatement.DigestOf(IReadOnlyCollection{DeviceEvidence})"/> in place of the device evidence: for the level of the certificate.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ChannelException">Evidence cannot be made: devices are not ready, or a source fails.</exception>
    Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation);
}

/// <summary>How this end shows itself.</summary>
public sealed record ChannelIdentityOptions
{
    /// <summary>What its channels are for.</summary>
    public required string Purpose { get; init; }

    /// <summary>16 bytes, random for each boot.</summary>
    public required ReadOnlyMemory<byte> Epoch { get; init; }

    /// <summary>Makes the evidence.</summary>
    public required IChannelEvidenceSource Evidence { get; init; }

    /// <summary>Which end it is.</summary>
    public ChannelRole Role { get; init; } = ChannelRole.Server;

    /// <summary>DNS names in the certificate.</summary>
    public ImmutableArray<string> Names { get; init; } = [];

    /// <summary>The operator's CA certificate with its private key, which signs this end's certificates; null: they are self-signed, and say nothing about whose the machine is.</summary>
    public X509Certificate2? Issuer { get; init; }

    /// <summary>Whether certificates carry evidence, for peers that accept the level of the certificate.</summary>
    public bool EvidenceInCertificate { get; init; }

    /// <summary>How long a certificate is valid, an hour at most. Half of that, and a new key and certificate are made.</summary>
    public TimeSpan Life { get; init; } = TimeSpan.FromMinutes(50);

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>The keys and certificates of one end: made here, used here, and stored nowhere. A new one follows when half of its life is over; connections keep theirs.</summary>
public sealed class ChannelIdentities : IDisposable
{
    private readonly ChannelIdentityOptions _options;
    private readonly SemaphoreSlim _making = new(1, 1);
    private ChannelIdentity? _current;

    /// <param name="options">How this end shows itself.</param>
    /// <exception cref="ArgumentException">Purpose, epoch or life are not what a channel takes.</exception>
    public ChannelIdentities(ChannelIdentityOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!ChannelBinding.IsPurpose(options.Purpose) || options.Epoch.Length != ChannelBinding.EpochSize || !options.Epoch.Span.ContainsAnyExcept((byte)0)
            || options.Life <= TimeSpan.Zero || options.Life + ChannelView.Skew > ChannelCertificate.MaximumLife || options.Issuer is { HasPrivateKey: false })
        {
            throw new ArgumentException("a purpose, 16 random bytes of epoch, a life below an hour and, where there is an issuer, its private key are expected", nameof(options));
        }

        _options = options;
    }

    internal ChannelIdentityOptions Options => _options;

    /// <summary>Makes a key and a certificate now, for instance after the operator's credential changed. Connections that exist keep theirs.</summary>
    public async Task RenewAsync(CancellationToken cancellation = default)
    {
        await _making.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // The one before is in use by handshakes that go on: its key ends with the last of them, by the collector.
            Volatile.Write(ref _current, await MakeAsync(cancellation).ConfigureAwait(false));
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>Ends the current key.</summary>
    public void Dispose()
    {
        _current?.Dispose();
        _making.Dispose();
    }

    internal async ValueTask<ChannelIdentity> CurrentAsync(CancellationToken cancellation)
    {
        if (Volatile.Read(ref _current) is { } current && IsYoung(current))
        {
            return current;
        }

        await _making.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (_current is { } made && IsYoung(made))
            {
                return made;
            }

            var next = await MakeAsync(cancellation).ConfigureAwait(false);
            Volatile.Write(ref _current, next);
            return next;
        }
        // The one before is good until it ends, whatever keeps a new one from being made.
        catch (Exception exception) when (exception is not OperationCanceledException && _current is { } before && IsValid(before))
        {
            return before;
        }
        finally
        {
            _making.Release();
        }
    }

    private bool IsValid(ChannelIdentity identity) => _options.Clock.GetUtcNow() is var now && now >= identity.Certificate.NotBefore && now < identity.Certificate.NotAfter - ChannelView.Skew;

    private bool IsYoung(ChannelIdentity identity)
    {
        var now = _options.Clock.GetUtcNow();
        return now >= identity.Certificate.NotBefore && now < identity.Certificate.NotAfter - (_options.Life / 2);
    }

    private async Task<ChannelIdentity> MakeAsync(CancellationToken cancellation)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        try
        {
            var now = _options.Clock.GetUtcNow();
            // To the second, as a certificate has it; and from a minute ago, for clocks that are behind.
            var notBefore = new DateTimeOffset(now.Year, now.Month, now.Day, now.Hour, now.Minute, now.Second, TimeSpan.Zero) - ChannelView.Skew;
            var notAfter = notBefore + ChannelView.Skew + _options.Life;
            if (_options.Issuer is { } issuer)
            {
                // No longer, and not from earlier, than the CA itself.
                (notBefore, notAfter) = (Later(notBefore, Utc(issuer.NotBefore)), Earlier(notAfter, Utc(issuer.NotAfter)));
            }

            if (notAfter <= now)
            {
                throw new ChannelException("channel.own-certificate", "the operator's CA certificate has ended");
            }

            var (statement, parts) = _options.EvidenceInCertificate ? await StatementAsync(key, notBefore, notAfter, cancellation).ConfigureAwait(false) : default;
            var (leaf, chain) = Certify(key, notBefore, notAfter, statement);
            return ChannelCertificate.TryRead(leaf, out var certificate, out var fault)
                ? new ChannelIdentity(key, certificate, chain, statement is null ? null : certificate.Statement, parts ?? ImmutableSortedDictionary<string, ReadOnlyMemory<byte>>.Empty)
                : throw new ChannelException("channel.own-certificate", $"{fault}");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    private async Task<(ChannelStatement Statement, ImmutableSortedDictionary<string, ReadOnlyMemory<byte>> Parts)> StatementAsync(ECDsa key, DateTimeOffset notBefore, DateTimeOffset notAfter, CancellationToken cancellation)
    {
        var binding = new ChannelBinding { Level = ChannelLevel.Certificate, Role = _options.Role, Purpose = _options.Purpose, Epoch = _options.Epoch, NotBefore = notBefore, NotAfter = notAfter };
        var bundle = await _options.Evidence.MakeAsync(binding.Nonce(), ChannelCertificate.JwkOf(key)!, byDigest: true, cancellation).ConfigureAwait(false);
        if (!MachineEvidence.TryParse(bundle.Span, "own evidence", out var evidence, out var fault) || evidence.Cpu is null)
        {
            throw new ChannelException("channel.own-evidence", $"{fault?.ToString() ?? "no processor"}");
        }

        using var document = JsonDocument.Parse(bundle);
        var cpu = document.RootElement.GetProperty("cpu");
        var devices = evidence.Devices.IsEmpty ? [] : Devices(document.RootElement);
        var log = cpu.TryGetProperty("eventLog", out var text) ? text.GetBytesFromBase64() : [];
        var statement = new ChannelStatement
        {
            Purpose = _options.Purpose,
            Epoch = _options.Epoch,
            Tee = cpu.GetProperty("tee").GetString()!,
            Quote = cpu.GetProperty("quote").GetBytesFromBase64(),
            Devices = ChannelStatement.DigestOf(evidence.Devices),
            Log = log.Length == 0 ? "" : ChannelStatement.DigestOf(log),
        };
        var parts = ImmutableSortedDictionary.CreateBuilder<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        if (devices.Length > 0)
        {
            parts[statement.Devices] = devices;
        }

        if (log.Length > 0)
        {
            parts[statement.Log] = log;
        }

        return (statement, parts.ToImmutable());
    }

    private static DateTimeOffset Utc(DateTime local) => new(local.ToUniversalTime(), TimeSpan.Zero);

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static byte[] Devices(JsonElement bundle)
    {
        var lists = string.Join(',', bundle.EnumerateObject().Where(member => member.Name is "gpus" or "switches").Select(member => $"\"{member.Name}\":{member.Value.GetRawText()}"));
        return Encoding.UTF8.GetBytes($"{{{lists}}}");
    }

    private (byte[] Leaf, ImmutableArray<byte[]> Chain) Certify(ECDsa key, DateTimeOffset notBefore, DateTimeOffset notAfter, ChannelStatement? statement)
    {
        var request = new CertificateRequest($"CN={_options.Names.FirstOrDefault() ?? "assay channel"}", key, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1"), new Oid("1.3.6.1.5.5.7.3.2")], critical: false));
        if (!_options.Names.IsDefaultOrEmpty)
        {
            var names = new SubjectAlternativeNameBuilder();
            foreach (var name in _options.Names)
            {
                if (System.Net.IPAddress.TryParse(name, out var address))
                {
                    names.AddIpAddress(address);
                }
                else
                {
                    names.AddDnsName(name);
                }
            }

            request.CertificateExtensions.Add(names.Build());
        }

        if (statement?.ToJson() is { } json)
        {
            request.CertificateExtensions.Add(new X509Extension(ChannelStatement.Oid, Octets(json), critical: false));
        }

        if (_options.Issuer is not { } issuer)
        {
            using var own = request.CreateSelfSigned(notBefore, notAfter);
            return (own.RawData, []);
        }

        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7F) | 1);
        if (issuer.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Any())
        {
            request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        }

        using var issued = request.Create(issuer, notBefore, notAfter, serial);
        return (issued.RawData, [issuer.RawData]);
    }

    private static byte[] Octets(byte[] content)
    {
        if (content.Length > ChannelStatement.MaximumSize)
        {
            throw new ChannelException("channel.own-evidence", $"the processor's evidence makes an extension of {content.Length} bytes, at most {ChannelStatement.MaximumSize} fit into a certificate: ask for the level challenge or exporter");
        }

        var writer = new System.Formats.Asn1.AsnWriter(System.Formats.Asn1.AsnEncodingRules.DER);
        writer.WriteOctetString(content);
        return writer.Encode();
    }
}

/// <summary>One key with its certificate.</summary>
internal sealed class ChannelIdentity(ECDsa key, ChannelCertificate certificate, ImmutableArray<byte[]> issuers, ChannelStatement? statement, ImmutableSortedDictionary<string, ReadOnlyMemory<byte>> parts) : IDisposable
{
    public ECDsa Key => key;

    public ChannelCertificate Certificate => certificate;

    /// <summary>The leaf and its issuers, in DER.</summary>
    public ImmutableArray<byte[]> Chain { get; } = [certificate.Raw.ToArray(), .. issuers];

    /// <summary>Null where the certificate carries no evidence.</summary>
    public ChannelStatement? Statement => statement;

    public ImmutableSortedDictionary<string, ReadOnlyMemory<byte>> Parts => parts;

    public void Dispose() => key.Dispose();
}
