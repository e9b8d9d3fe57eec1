using System.Globalization;
using System.Text;
using Assay.Sealing.Cms;
using Assay.Sealing.Hpke;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Broker.Release;

/// <summary>Which secret.</summary>
/// <param name="Tenant">Whose.</param>
/// <param name="Key">The key's name.</param>
/// <param name="Version">Its version.</param>
internal sealed record SecretName(string Tenant, string Key, long Version);

/// <summary>A secret that is sealed to a machine's key. One member is set.</summary>
/// <param name="Jwe">A JWE, compact or flattened.</param>
/// <param name="Hpke">By HPKE.</param>
/// <param name="Cms">EnvelopedData of CMS, as DER.</param>
internal sealed record SealedSecret(string? Jwe = null, HpkeSealed? Hpke = null, byte[]? Cms = null);

/// <summary>How a secret is handed over. It chooses no recipient and makes no decision: that is the road's.</summary>
internal abstract class ReleaseForm
{
    /// <summary>EnvelopedData of CMS, to an RSA key: for protocols that have no other form. Nothing in it says that it is authentic, which is left to TLS.</summary>
    public static ReleaseForm Enveloped { get; } = new CmsForm();

    /// <summary>The form of a word in a request; null: not known.</summary>
    public static ReleaseForm? Of(string? word) => word switch
    {
        null or "jwe" => new JweForm(),
        "hpke" => new HpkeForm(),
        _ => null,
    };

    /// <summary>Whether it can be sealed to this key.</summary>
    public virtual bool Takes(SealingPublicKey recipient) => true;

    /// <summary>Seals. The caller wipes the secret.</summary>
    public abstract SealedSecret Seal(ReadOnlySpan<byte> secret, SecretName name, SealingPublicKey recipient);

    /// <summary>A compact JWE.</summary>
    private sealed class JweForm : ReleaseForm
    {
        public override SealedSecret Seal(ReadOnlySpan<byte> secret, SecretName name, SealingPublicKey recipient) =>
            new(Jwe.SealCompact(recipient, secret, new JweTerms { Type = "assay-key+jwe" }));
    }

    /// <summary>HPKE (RFC 9180), mode base, with the key's name and version as info.</summary>
    private sealed class HpkeForm : ReleaseForm
    {
        public override bool Takes(SealingPublicKey recipient) => recipient.Kind is KeyKind.P256 or KeyKind.P384 or KeyKind.P521;

        public override SealedSecret Seal(ReadOnlySpan<byte> secret, SecretName name, SealingPublicKey recipient)
        {
            using var sender = HpkeSender.Create(recipient, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"assay-key/v1/{name.Key}/{name.Version}")));
            return new SealedSecret(Hpke: new HpkeSealed(sender.Encapsulated.ToArray(), sender.Seal(secret)));
        }
    }

    /// <summary>CMS EnvelopedData (RFC 5652), as AWS KMS answers with it.</summary>
    private sealed class CmsForm : ReleaseForm
    {
        public override bool Takes(SealingPublicKey recipient) => recipient.Kind is KeyKind.Rsa3072 or KeyKind.Rsa4096;

        public override SealedSecret Seal(ReadOnlySpan<byte> secret, SecretName name, SealingPublicKey recipient)
        {
            using var content = SecretMemory.Locked.Take(secret.ToArray());
            return new SealedSecret(Cms: EnvelopedKey.Seal(recipient, keyIdentifier: [], content));
        }
    }
}
