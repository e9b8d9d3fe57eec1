using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// What verified once and need not be verified again: certificates with their imported keys, signatures between certificates, whole
/// device paths, and authentic RIMs and OCSP answers. Bounded, keyed by content, and passed as an argument, so that two callers never
/// share one unknowingly. It holds no decision about time or revocation: those are asked anew on every use.
/// </summary>
public sealed class VerifierCache
{
    private readonly BoundedCache<Digest, Certificate> _certificates;
    private readonly BoundedCache<(Digest Child, Digest Issuer), bool> _links;
    private readonly BoundedCache<(Digest Content, Digest Trust), object> _authentic;

    /// <param name="capacity">Entries of each kind: a fleet of 1,000 GPUs wants about 2,500 certificates.</param>
    public VerifierCache(int capacity = 4096)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _certificates = new(capacity);
        _links = new(capacity);
        _authentic = new(capacity);
    }

    /// <summary>Signature verifications that were done, because no earlier one could be used.</summary>
    public long SignatureVerifications => Meter.SignatureVerifications;

    /// <summary>The costly operations done through this cache.</summary>
    internal OperationMeter Meter { get; } = new();

    /// <summary>Parses a certificate, or returns the one parsed before from the same bytes.</summary>
    internal bool TryReadCertificate(ReadOnlySpan<byte> der, [NotNullWhen(true)] out Certificate? certificate, [NotNullWhen(false)] out ParseFault? fault)
    {
        var key = Digest.Sha256(der);
        if (_certificates.TryGet(key, out certificate))
        {
            fault = null;
            return true;
        }

        if (!Certificate.TryParse(der, out certificate, out fault))
        {
            return false;
        }

        _certificates.Add(key, certificate);
        return true;
    }

    /// <summary>Whether <paramref name="issuer"/>'s key signed <paramref name="child"/>; only success is remembered.</summary>
    /// <param name="child">The certificate below.</param>
    /// <param name="issuer">The certificate above.</param>
    internal bool IsSignedBy(Certificate child, Certificate issuer)
    {
        var link = (child.Fingerprint, issuer.Fingerprint);
        if (_links.TryGet(link, out var known) && known)
        {
            return true;
        }

        var signed = child.IsSignedBy(issuer.Key, Meter);
        if (signed)
        {
            _links.Add(link, true);
        }

        return signed;
    }

    /// <summary>Something of type <typeparamref name="T"/> that was proven authentic from these bytes under this trust set.</summary>
    internal bool TryGetAuthentic<T>(Digest content, Digest trust, [NotNullWhen(true)] out T? value)
        where T : class
    {
        value = _authentic.TryGet((content, trust), out var found) ? found as T : null;
        return value is not null;
    }

    internal void AddAuthentic(Digest content, Digest trust, object value) => _authentic.Add((content, trust), value);

    /// <summary>The certificates of a PEM chain, in its order.</summary>
    internal bool TryReadChain(ReadOnlySpan<byte> pem, out ImmutableArray<Certificate> chain, [NotNullWhen(false)] out string? whyNot)
    {
        chain = [];
        if (!Pem.TryDecode(pem, out var blocks, out var fault))
        {
            whyNot = fault.ToString();
            return false;
        }

        var read = ImmutableArray.CreateBuilder<Certificate>(blocks.Length);
        foreach (var block in blocks)
        {
            if (!TryReadCertificate(block.Span, out var certificate, out fault))
            {
                whyNot = $"certificate {read.Count}: {fault}";
                return false;
            }

            read.Add(certificate);
        }

        chain = read.ToImmutable();
        whyNot = null;
        return true;
    }
}
