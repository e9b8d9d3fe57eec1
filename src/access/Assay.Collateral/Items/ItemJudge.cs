using System.Diagnostics.CodeAnalysis;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Collateral.Items;

/// <summary>
/// Whether bytes are the item of a key, whatever its kind: asked of everything that arrives, from upstreams, files and bundles alike.
/// The verifier library decides; here is only what it has to be given.
/// </summary>
internal sealed class ItemJudge(ItemVerification verification, AuthorityDirectory authorities)
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<string, VerifiedItem> _amdChains = new(StringComparer.Ordinal);

    private const string MissingIssuer = "its issuer is unknown: give evidence or a chain of a device below it";

    /// <summary>What a cache may keep: an item that verifies, or a key set, which is not signed and reads.</summary>
    public bool TryAccept(
        CollateralKey key, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain, [NotNullWhen(true)] out KeptItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        if (key.Kind is CollateralKind.KeySet)
        {
            var read = KeySetItem.TryRead(key.Id, body, out var keys, out fault);
            item = keys;
            return read;
        }

        var accepted = TryVerify(key, body, chain, out var verified, out fault);
        item = verified;
        return accepted;
    }

    /// <summary>Whether signed bytes are the item of a key.</summary>
    public bool TryVerify(
        CollateralKey key, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> chain, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        var verified = key.Kind switch
        {
            CollateralKind.Authority => verification.TryVerifyAuthority(body, out item, out fault),
            CollateralKind.Rim => verification.TryVerifyRim(key.Id, body, out item, out fault),
            CollateralKind.Ocsp => TryVerifyOcsp(key, body, out item, out fault),
            CollateralKind.Crl => TryVerifyList(key, authorities.FindSignerOf(key.Id), body, out item, out fault),
            CollateralKind.RootCrl => TryVerifyList(key, authorities.FindRoot(AuthorityPurpose.Intel), body, out item, out fault),
            CollateralKind.AmdCrl => TryVerifyList(key, AmdChain(key.Id)?.Authorities[1], body, out item, out fault),
            CollateralKind.TcbInfo or CollateralKind.QeIdentity => verification.TryVerifyStatement(key, body, chain, out item, out fault),
            CollateralKind.PckCrl => verification.TryVerifyPckCrl(key.Id, body, chain, out item, out fault),
            CollateralKind.PckCertificate => verification.TryVerifyPckCertificate(key.Id, body, chain, out item, out fault),
            CollateralKind.AmdChain when key.Id.Split('/') is [var leaf, var product] => Kept(verification.TryVerifyAmdChain(leaf, product, body, out item, out fault), key, item),
            CollateralKind.Vcek or CollateralKind.Vlek => TryVerifyEndorsement(key, body, out item, out fault),
            _ => Unknown(out item, out fault),
        };
        if (verified && item!.Key != key)
        {
            fault = new ItemFault(ItemRefusal.Mismatch, $"it is {item.Key}");
            item = null;
            return false;
        }

        return verified;
    }

    /// <summary>The CertID that an OCSP key stands for; null when its issuer is not known.</summary>
    public OcspCertId? CertIdOf(CollateralKey key) =>
        key.Id.Split('/') is [var issuer, var serial, var hash] && authorities.Find(issuer) is { } authority && Octets(serial) is { } number
        && Enum.TryParse<OcspHash>(hash, ignoreCase: true, out var algorithm) && algorithm is not OcspHash.None
            ? OcspCertId.Of(authority.Certificate, number, algorithm)
            : null;

    private static byte[]? Octets(string hexadecimal)
    {
        var octets = new byte[hexadecimal.Length / 2];
        return Convert.FromHexString(hexadecimal, octets, out _, out _) is System.Buffers.OperationStatus.Done && hexadecimal.Length % 2 == 0 ? octets : null;
    }

    private VerifiedItem? AmdChain(string id) => _amdChains.GetValueOrDefault(id);

    // Lists and keys of AMD's are judged by the chain of their product. There are six.
    private bool Kept(bool verified, CollateralKey key, VerifiedItem? item)
    {
        if (verified && item is not null)
        {
            _amdChains[key.Id] = item;
        }

        return verified;
    }

    private bool TryVerifyOcsp(CollateralKey key, ReadOnlyMemory<byte> der, out VerifiedItem? item, out ItemFault? fault)
    {
        (item, fault) = (null, new ItemFault(ItemRefusal.UnknownIssuer, MissingIssuer));
        return CertIdOf(key) is { } asked && verification.TryVerifyOcsp(asked, authorities.Find(key.Id.Split('/')[0])!, der, out item, out fault);
    }

    private bool TryVerifyList(CollateralKey key, CertifiedAuthority? issuer, ReadOnlyMemory<byte> der, out VerifiedItem? item, out ItemFault? fault)
    {
        (item, fault) = (null, new ItemFault(ItemRefusal.UnknownIssuer, MissingIssuer));
        return issuer is not null && verification.TryVerifyCrl(key, issuer, der, out item, out fault);
    }

    private bool TryVerifyEndorsement(CollateralKey key, ReadOnlyMemory<byte> der, out VerifiedItem? item, out ItemFault? fault)
    {
        (item, fault) = (null, new ItemFault(ItemRefusal.UnknownIssuer, "the chain of its product is not held"));
        return AmdChain($"{CollateralKinds.NameOf(key.Kind)}/{key.Id.Split('/')[0]}") is { } chain && verification.TryVerifyEndorsement(key, der, chain, out item, out fault);
    }

    private static bool Unknown(out VerifiedItem? item, out ItemFault? fault)
    {
        (item, fault) = (null, new ItemFault(ItemRefusal.Mismatch, "no such kind of item"));
        return false;
    }
}
