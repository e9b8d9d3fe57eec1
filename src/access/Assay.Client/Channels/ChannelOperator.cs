using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Wire;

namespace Assay.Client.Channels;

/// <summary>
/// Whose the other end has to be. Evidence says what a machine is, and not whose: without this any genuine machine of the same image answers for yours (S-23; facts about diversion are in
/// docs/security/channels.md).
/// </summary>
public sealed class ChannelOperator
{
    private const int MostCertificates = 8;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private readonly ImmutableArray<ReadOnlyMemory<byte>> _roots;
    private readonly ImmutableArray<Digest> _keys;
    private readonly string? _name;

    private ChannelOperator(ImmutableArray<ReadOnlyMemory<byte>> roots, string? name, ImmutableArray<Digest> keys, bool isAny) => (_roots, _name, _keys, IsAny) = (roots, name, keys, isAny);

    /// <summary>Anybody: a network attacker's own genuine machine passes too. Every result says so.</summary>
    public static ChannelOperator DangerouslyAny { get; } = new([], null, [], isAny: true);

    /// <summary>Whether anybody's machine is accepted.</summary>
    public bool IsAny { get; }

    /// <summary>A certificate under one of these CAs that names the host.</summary>
    /// <param name="roots">CA certificates in DER.</param>
    /// <param name="name">The DNS name or IP address in its subjectAltName.</param>
    public static ChannelOperator OfCa(ImmutableArray<ReadOnlyMemory<byte>> roots, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return new(Required(roots), name, [], isAny: false);
    }

    /// <summary>A certificate under a CA that certifies machines of one fleet alone, whatever its name.</summary>
    /// <param name="roots">CA certificates in DER.</param>
    public static ChannelOperator OfFleet(ImmutableArray<ReadOnlyMemory<byte>> roots) => new(Required(roots), null, [], isAny: false);

    /// <summary>A certificate that has one of these keys, or is directly issued by a self-signed one that has.</summary>
    /// <param name="keys">SHA-256 of the DER of SubjectPublicKeyInfo.</param>
    public static ChannelOperator OfKeys(ImmutableArray<Digest> keys)
    {
        if (keys.IsDefaultOrEmpty || keys.Any(key => key.Length != SHA256.HashSizeInBytes))
        {
            throw new ArgumentException("one SHA-256 digest at least is expected", nameof(keys));
        }

        return new([], null, keys, isAny: false);
    }

    /// <summary>Whose it is, in words.</summary>
    /// <param name="chain">Certificates in DER as TLS showed them, the leaf first.</param>
    /// <param name="now">The time of this end.</param>
    /// <exception cref="ChannelException">It is somebody else's.</exception>
    internal string Require(IReadOnlyList<byte[]> chain, DateTimeOffset now)
    {
        if (chain.Count is 0 or > MostCertificates)
        {
            throw new ChannelException("channel.certificate", $"the other end shows {chain.Count} certificates, 1 to {MostCertificates} are expected");
        }

        if (IsAny)
        {
            return "any operator";
        }

        var loaded = new List<X509Certificate2>();
        try
        {
            loaded.AddRange(chain.Select(der => X509CertificateLoader.LoadCertificate(der)));
            return _keys.IsEmpty ? RequireCa(loaded, now) : RequireKey(loaded, now);
        }
        catch (CryptographicException exception)
        {
            throw new ChannelException("channel.certificate", "the other end's certificates cannot be read", exception);
        }
        finally
        {
            loaded.ForEach(certificate => certificate.Dispose());
        }
    }

    private string RequireCa(List<X509Certificate2> chain, DateTimeOffset now)
    {
        X509Certificate2[] roots = [.. _roots.Select(root => X509CertificateLoader.LoadCertificate(root.Span))];
        try
        {
            RequirePath(chain, roots, now);
        }
        finally
        {
            Array.ForEach(roots, root => root.Dispose());
        }

        return _name is null ? "a certificate of the fleet's CA"
            : chain[0].MatchesHostname(_name, allowWildcards: false, allowCommonName: false) ? $"a certificate of the configured CA for {_name}"
            : throw new ChannelException("channel.operator.name", $"the certificate does not name {_name}: it is for {Names(chain[0])}");
    }

    private string RequireKey(List<X509Certificate2> chain, DateTimeOffset now)
    {
        if (IsPinned(chain[0]))
        {
            return "a pinned key";
        }

        var issuer = chain.Skip(1).FirstOrDefault(certificate => IsPinned(certificate) && certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData))
            ?? throw new ChannelException("channel.operator.key", "neither the certificate nor its issuer has a pinned key: this is another operator's machine");
        // Directly: the key's holder may have certified others, who certify on.
        return RequirePath(chain, [issuer], now) == 2 ? "a certificate of a pinned operator key"
            : throw new ChannelException("channel.operator.key", "the certificate is not issued by the pinned key itself but by an authority below it");
    }

    private bool IsPinned(X509Certificate2 certificate)
    {
        var key = new Digest(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        return _keys.Contains(key);
    }

    // How many certificates the path has. Nothing is fetched for it: the other end shows every certificate between.
    private static int RequirePath(List<X509Certificate2> certificates, X509Certificate2[] roots, DateTimeOffset now)
    {
        using var path = new X509Chain();
        path.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        path.ChainPolicy.CustomTrustStore.AddRange(roots);
        path.ChainPolicy.ExtraStore.AddRange(certificates.Skip(1).ToArray());
        path.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        path.ChainPolicy.DisableCertificateDownloads = true;
        path.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        path.ChainPolicy.VerificationTimeIgnored = false;
        path.ChainPolicy.VerificationTime = now.LocalDateTime;
        try
        {
            if (!path.Build(certificates[0]))
            {
                throw new ChannelException("channel.operator.ca", $"the certificate is not under a configured CA: {string.Join(", ", path.ChainStatus.Select(status => status.Status).Distinct())}");
            }

            return path.ChainElements.Count;
        }
        finally
        {
            foreach (var element in path.ChainElements)
            {
                element.Certificate.Dispose();
            }
        }
    }

    private static string Names(X509Certificate2 certificate)
    {
        var names = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(extension => extension.EnumerateDnsNames().Concat(extension.EnumerateIPAddresses().Select(address => $"{address}")));
        return Printable.Of(string.Join(", ", names.Take(MostCertificates)) is { Length: > 0 } listed ? listed : "no name");
    }

    private static ImmutableArray<ReadOnlyMemory<byte>> Required(ImmutableArray<ReadOnlyMemory<byte>> roots) =>
        roots.IsDefaultOrEmpty ? throw new ArgumentException("one CA certificate at least is expected", nameof(roots)) : roots;
}
