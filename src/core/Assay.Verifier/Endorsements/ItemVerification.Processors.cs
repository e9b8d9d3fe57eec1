using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Trust.Amd;
using Assay.Trust.Intel;

namespace Assay.Endorsements;

/// <summary>Intel's and AMD's.</summary>
public sealed partial class ItemVerification
{
    private static readonly ImmutableArray<(string Name, string Authority)> s_pckAuthorities =
        [("platform", "Intel SGX PCK Platform CA"), ("processor", "Intel SGX PCK Processor CA")];

    /// <summary>The revocation list of Intel's root: there is one.</summary>
    public static CollateralKey IntelRootCrl { get; } = new(CollateralKind.RootCrl, "root");

    /// <summary>The name in ids of the PCK authority with this common name; null of any other.</summary>
    internal static string? PckAuthorityOf(string? commonName) => s_pckAuthorities.FirstOrDefault(entry => entry.Authority == commonName).Name;

    /// <summary>TCB information or an enclave's identity: the body of the service, and the chain of its header as PEM.</summary>
    public bool TryVerifyStatement(
        CollateralKey key, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> issuerChain, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        var kind = key.Kind is CollateralKind.TcbInfo ? IntelStatementKind.TcbInfo : IntelStatementKind.QeIdentity;
        if (!IntelStatement.TryParseBody(body.Span, issuerChain, kind, out var statement, out var malformed))
        {
            return Refuse(ItemRefusal.Malformed, malformed.ToString(), out item, out fault);
        }

        var (authentic, chainFault, signatureFault) = AuthenticStatement.Authenticate(statement, trust, cache);
        if (authentic is null)
        {
            return chainFault is not null ? Refuse(ItemRefusal.Chain, chainFault, out item, out fault) : Refuse(ItemRefusal.Signature, signatureFault!, out item, out fault);
        }

        if (!StatementHead.TryParse(authentic.Content.Span, kind, out var head, out malformed))
        {
            return Refuse(ItemRefusal.Malformed, malformed.ToString(), out item, out fault);
        }

        var parts = key.Id.Split('/');
        if (parts.Length < (kind is IntelStatementKind.TcbInfo ? 3 : 2))
        {
            return Refuse(ItemRefusal.Mismatch, $"{key.Id} names no statement", out item, out fault);
        }

        var id = kind is IntelStatementKind.TcbInfo ? parts[0].ToUpperInvariant() : parts[0] == "tdx" ? "TD_QE" : "QE";
        if (head.Id != id || (head.Fmspc is { } fmspc && !fmspc.ToString().Equals(parts[1], StringComparison.OrdinalIgnoreCase)))
        {
            return Refuse(ItemRefusal.Mismatch, $"the statement is about {head.Id} {head.Fmspc}, {key.Id} was asked for", out item, out fault);
        }

        fault = null;
        item = new VerifiedItem
        {
            Key = key,
            MarkId = key.Id,
            Body = body,
            Chain = issuerChain,
            Rank = new ItemRank(head.EvaluationDataNumber, head.IssueDate, false),
            ValidFrom = Later(head.IssueDate, authentic.Path.LatestNotBefore),
            ValidUntil = Earlier(head.NextUpdate, authentic.Path.EarliestNotAfter),
            SignersUntil = authentic.Path.EarliestNotAfter,
            Stated = head.IssueDate,
            Authorities = [.. CertifiedAuthority.Above(authentic.Path, AuthorityPurpose.Intel)],
        };
        return true;
    }

    /// <summary>The list of a PCK authority, with the chain of its header.</summary>
    public bool TryVerifyPckCrl(
        string ca, ReadOnlyMemory<byte> der, ReadOnlyMemory<byte> issuerChain, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        if (!TryCertify(issuerChain, out var authority, out fault))
        {
            item = null;
            return false;
        }

        var expected = s_pckAuthorities.FirstOrDefault(entry => entry.Name == ca).Authority;
        if (authority.Purpose is not AuthorityPurpose.Intel || authority.Certificate.Subject.CommonName != expected)
        {
            return Refuse(ItemRefusal.Mismatch, $"the issuer is \"{authority.Certificate.Subject.CommonName}\", \"{expected}\" is expected", out item, out fault);
        }

        return TryVerifyCrl(new CollateralKey(CollateralKind.PckCrl, ca), authority, der, out item, out fault) && WithChain(ref item, issuerChain, authority);
    }

    /// <summary>A PCK certificate, PEM or DER, with the chain of its header; <paramref name="id"/> is what it was asked for by.</summary>
    public bool TryVerifyPckCertificate(
        string id, ReadOnlyMemory<byte> certificate, ReadOnlyMemory<byte> issuerChain, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ArgumentNullException.ThrowIfNull(id);
        if (!SnpCollateral.TryReadCertificates(certificate.Span, out var leaf, out var malformed) || leaf.Length != 1)
        {
            return Refuse(ItemRefusal.Malformed, malformed?.ToString() ?? "one certificate is expected", out item, out fault);
        }

        if (!TryReadPath(leaf[0], issuerChain, PathPurpose.IntelPck, out var path, out fault))
        {
            item = null;
            return false;
        }

        if (!PckPlatform.TryRead(path.Leaf, out var platform, out var whyNot))
        {
            return Refuse(ItemRefusal.Malformed, whyNot, out item, out fault);
        }

        const string pce = "pceid=";
        var asked = id.Split('&').Where(part => part.StartsWith(pce, StringComparison.Ordinal)).ToArray() is [var one] ? one[pce.Length..] : "no PCE-ID, or several";
        if (!string.Equals(asked, platform.PceId.ToString(), StringComparison.OrdinalIgnoreCase))
        {
            return Refuse(ItemRefusal.Mismatch, $"the certificate is of PCE-ID {platform.PceId}, {asked} was asked for", out item, out fault);
        }

        fault = null;
        item = new VerifiedItem
        {
            Key = new CollateralKey(CollateralKind.PckCertificate, id),
            MarkId = id,
            Body = certificate,
            Chain = issuerChain,
            Rank = new ItemRank(null, path.Leaf.NotBefore, false),
            ValidFrom = path.LatestNotBefore,
            ValidUntil = path.EarliestNotAfter,
            SignersUntil = path.EarliestNotAfter,
            Authorities = [.. CertifiedAuthority.Above(path, AuthorityPurpose.Intel)],
            Facts = ImmutableDictionary<string, string>.Empty
                .Add("fmspc", platform.Fmspc.ToString())
                .Add("tcbm", Convert.ToHexString(platform.CpuSvn.Span) + LittleEndian((ushort)platform.PceSvn))
                .Add("ca", PckAuthorityOf(path.Certificates[1].Subject.CommonName) ?? "platform"),
        };
        return true;
    }

    /// <summary>AMD's ASK or ASVK and the ARK of a product, PEM; <paramref name="kind"/> is vcek or vlek.</summary>
    public bool TryVerifyAmdChain(string kind, string product, ReadOnlyMemory<byte> pem, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        if (!TryCertify(pem, out var authority, out fault))
        {
            item = null;
            return false;
        }

        var expected = $"{(kind == "vlek" ? "SEV-VLEK" : "SEV")}-{product}, ARK-{product}";
        var found = string.Join(", ", authority.Certificates.Select(certificate => certificate.Subject.CommonName));
        if (authority.Purpose is not AuthorityPurpose.Amd || found != expected)
        {
            return Refuse(ItemRefusal.Mismatch, $"the chain is of {found}; {expected} are expected", out item, out fault);
        }

        fault = null;
        var id = $"{kind}/{product}";
        item = new VerifiedItem
        {
            Key = new CollateralKey(CollateralKind.AmdChain, id),
            MarkId = id,
            Body = pem,
            Rank = new ItemRank(null, authority.Certificate.NotBefore, false),
            ValidFrom = authority.LatestNotBefore,
            ValidUntil = authority.EarliestNotAfter,
            SignersUntil = authority.EarliestNotAfter,
            Authorities = authority.WithThoseAbove(),
        };
        return true;
    }

    /// <summary>A VCEK or VLEK, DER. The id tells product, chip or provider, and TCB; <paramref name="chain"/> is its product's.</summary>
    public bool TryVerifyEndorsement(
        CollateralKey key, ReadOnlyMemory<byte> der, VerifiedItem chain, [NotNullWhen(true)] out VerifiedItem? item, [NotNullWhen(false)] out ItemFault? fault)
    {
        ArgumentNullException.ThrowIfNull(chain);
        if (!TryReadPath(der, chain.Body, PathPurpose.AmdEndorsement, out var path, out fault))
        {
            item = null;
            return false;
        }

        if (!SnpEndorsement.TryRead(path.Leaf, out var endorsement, out var whyNot))
        {
            return Refuse(ItemRefusal.Malformed, whyNot, out item, out fault);
        }

        var found = EndorsementKey(endorsement);
        if (found != key)
        {
            return Refuse(ItemRefusal.Mismatch, $"the certificate is {found}, {key} was asked for", out item, out fault);
        }

        fault = null;
        item = new VerifiedItem
        {
            Key = key,
            MarkId = key.Id,
            Body = der,
            Rank = new ItemRank(null, path.Leaf.NotBefore, false),
            ValidFrom = path.LatestNotBefore,
            ValidUntil = path.EarliestNotAfter,
            SignersUntil = path.EarliestNotAfter,
        };
        return true;
    }

    /// <summary>The key of a chip's certificate at a TCB.</summary>
    public static CollateralKey VcekKey(SnpProduct product, ChipId chip, SnpTcb tcb) => new(CollateralKind.Vcek, $"{product}/{chip}/{tcb}");

    /// <summary>The query of AMD's service for a TCB: <c>blSPL=4&amp;teeSPL=0&amp;…</c>, and fmcSPL first on Turin.</summary>
    public static string EndorsementQuery(SnpProduct product, SnpTcb tcb)
    {
        var parts = tcb.Parts(product);
        var fmc = product is SnpProduct.Turin ? $"fmcSPL={parts.Fmc:D2}&" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{fmc}blSPL={parts.BootLoader:D2}&teeSPL={parts.Tee:D2}&snpSPL={parts.Snp:D2}&ucodeSPL={parts.Microcode:D2}");
    }

    private static CollateralKey EndorsementKey(SnpEndorsement endorsement) => endorsement.ChipId is { } chip
        ? VcekKey(endorsement.Product, chip, endorsement.Tcb)
        : new CollateralKey(CollateralKind.Vlek, $"{endorsement.Product}/{endorsement.CloudProvider}/{endorsement.Tcb}");

    private bool TryCertify(ReadOnlyMemory<byte> pem, [NotNullWhen(true)] out CertifiedAuthority? authority, [NotNullWhen(false)] out ItemFault? fault)
    {
        authority = null;
        var read = cache.TryReadChain(pem.Span, out var chain, out var whyNot);
        fault = !read ? new ItemFault(ItemRefusal.Malformed, whyNot!)
            : CertifiedAuthority.TryCertify(chain, trust, cache, out authority, out whyNot) ? null
            : new ItemFault(ItemRefusal.Chain, whyNot);
        return fault is null;
    }

    private bool TryReadPath(
        ReadOnlyMemory<byte> leaf, ReadOnlyMemory<byte> issuers, PathPurpose purpose, [NotNullWhen(true)] out CertificationPath? path, [NotNullWhen(false)] out ItemFault? fault)
    {
        path = null;
        fault = !cache.TryReadCertificate(leaf.Span, out var certificate, out var malformed) ? new ItemFault(ItemRefusal.Malformed, malformed.ToString())
            : !cache.TryReadChain(issuers.Span, out var chain, out var whyNot) ? new ItemFault(ItemRefusal.Malformed, whyNot)
            : CertificationPath.TryCertify([certificate, .. chain], trust, purpose, cache, out path, out whyNot) ? null
            : new ItemFault(ItemRefusal.Chain, whyNot);
        return fault is null;
    }

    // The list's own end and its issuers' are in the item already; the header that clients want is added.
    private static bool WithChain([NotNullWhen(true)] ref VerifiedItem? item, ReadOnlyMemory<byte> chain, CertifiedAuthority authority)
    {
        item = item is null ? null : new VerifiedItem
        {
            Key = item.Key,
            MarkId = item.MarkId,
            Body = item.Body,
            Chain = chain,
            Rank = item.Rank,
            ValidFrom = item.ValidFrom,
            ValidUntil = item.ValidUntil,
            SignersUntil = item.SignersUntil,
            Stated = item.Stated,
            Authorities = authority.WithThoseAbove(),
        };
        return item is not null;
    }

    private static string LittleEndian(ushort value) => string.Create(CultureInfo.InvariantCulture, $"{value & 0xFF:X2}{value >> 8:X2}");
}
