using System.Collections.Immutable;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Reference;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary>When one item ends.</summary>
/// <param name="Name">The item; a certificate by its subject.</param>
/// <param name="File">Where it is, without the folder; the cache's own source for items of a cache.</param>
/// <param name="Until">Its end; null where it cannot be told.</param>
/// <param name="IsVerified">Whether its signature was verified here: otherwise the end is what the file says.</param>
/// <param name="WhyNot">Why it is of no use; null otherwise.</param>
internal sealed record CollateralEnd(string Name, string File, DateTimeOffset? Until, bool IsVerified, string? WhyNot = null);

/// <summary>
/// Reads what a folder has, each file told by its content, and when it ends. RIMs are verified, and answers whose issuer is known from them or
/// from a chain; of the rest the end is what the file says, for only evidence shows which authority judges it.
/// </summary>
internal sealed class CollateralEnds(ItemVerification verification, CollateralCache authorities)
{
    private const int MostFiles = 100_000;
    private const string ListLabel = "X509 CRL";

    /// <summary>Is told what is read, and how far it has come; null where nobody looks.</summary>
    public Action<Step>? Tell { get; init; }

    private readonly List<CollateralEnd> _ends = [];
    private readonly List<(string File, ReadOnlyMemory<byte> Der, OcspResponse Response)> _answers = [];

    /// <summary>The files of a folder and of those in it. Throws <see cref="IOException"/> where it cannot be read.</summary>
    public ImmutableArray<CollateralEnd> Read(string folder)
    {
        // Links are not followed: a folder may hold one to itself.
        var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden, IgnoreInaccessible = false };
        string[] files = [.. Directory.EnumerateFiles(folder, "*", all).Take(MostFiles + 1).Order(StringComparer.Ordinal)];
        if (files.Length > MostFiles)
        {
            throw new IOException($"{folder}: more than {MostFiles} files");
        }

        foreach (var (index, path) in files.Index())
        {
            var file = Path.GetRelativePath(folder, path);
            Tell?.Invoke(new Step(index, files.Length, Progress.Of(index, files.Length, file, folder)));
            if (BoundedFile.TryRead(path, Limits.CrlBytes, out var bytes, out var whyNot))
            {
                Take(file, bytes);
            }
            else
            {
                _ends.Add(new CollateralEnd(file, file, null, false, whyNot));
            }
        }

        return All();
    }

    /// <summary>The items of a bundle, whoever signed it.</summary>
    public ImmutableArray<CollateralEnd> Read(CollateralBundle bundle)
    {
        var total = bundle.Manifest.Items.Length;
        foreach (var (index, (key, chain, body)) in bundle.Items.Index())
        {
            Tell?.Invoke(new Step(index, total, Progress.Of(index, total, key.ToString(), "the bundle")));
            if (key.Kind is CollateralKind.Rim)
            {
                Rim(key.Id + ".xml", body);
                continue;
            }

            var kind = CollateralKinds.NameOf(key.Kind);
            Certificates(kind, chain);
            Take(kind, body);
        }

        // A certificate stands in the chains of many items.
        return [.. All().OrderByDescending(end => end.IsVerified).DistinctBy(end => (end.Name, end.Until))];
    }

    /// <summary>One file.</summary>
    public ImmutableArray<CollateralEnd> Read(string name, ReadOnlyMemory<byte> bytes)
    {
        Take(name, bytes);
        return All();
    }

    // RIMs and chains brought the issuers along.
    private ImmutableArray<CollateralEnd> All()
    {
        foreach (var (index, (file, der, response)) in _answers.Index())
        {
            Tell?.Invoke(new Step(index, _answers.Count, Progress.Of(index, _answers.Count, file, null)));
            Answers(file, der, response);
        }

        return [.. _ends];
    }

    private void Take(string file, ReadOnlyMemory<byte> bytes)
    {
        var text = bytes.Span.Trim(" \t\r\n"u8);
        if (Path.GetExtension(file) == ".xml" && RimIds.IsSafe(Path.GetFileNameWithoutExtension(file)))
        {
            Rim(file, bytes);
        }
        else if (text is [(byte)'{', ..])
        {
            Json(file, bytes);
        }
        else if (text.StartsWith("-----BEGIN "u8))
        {
            Pem(file, bytes);
        }
        else if (OcspResponse.TryParse(bytes.Span, out var response, out _) && response.Basic is not null)
        {
            _answers.Add((file, bytes, response));
        }
        else if (!List(file, bytes))
        {
            Certificates(file, bytes);
        }
    }

    private void Rim(string file, ReadOnlyMemory<byte> bytes)
    {
        var id = Path.GetFileNameWithoutExtension(file);
        if (!verification.TryVerifyRim(id, bytes, out var item, out var fault))
        {
            _ends.Add(new CollateralEnd($"rim {id}", file, null, false, fault.ToString()));
            return;
        }

        foreach (var authority in item.Authorities)
        {
            authorities.AddAuthorities(ItemVerification.ItemOf(authority));
        }

        _ends.Add(new CollateralEnd(BundleEnd.NameOf(item, [item]), file, item.ValidUntil, true));
    }

    private void Answers(string file, ReadOnlyMemory<byte> der, OcspResponse response)
    {
        foreach (var single in response.Basic!.Responses)
        {
            var serial = Convert.ToHexStringLower(single.CertId.SerialNumber.Span);
            // Without nextUpdate newer information always is there.
            var (name, end) = ($"the OCSP answer about serial number {serial}", single.NextUpdate ?? single.ThisUpdate);
            if (authorities.FindIssuer(single.CertId) is not { } issuer)
            {
                _ends.Add(new CollateralEnd(name, file, end, false));
            }
            else if (verification.TryVerifyOcsp(single.CertId, issuer, der, out var item, out var fault))
            {
                _ends.Add(new CollateralEnd($"{name} of {issuer.Certificate.Subject.CommonName}", file, item.ValidUntil, true));
            }
            else
            {
                _ends.Add(new CollateralEnd(name, file, null, false, fault.ToString()));
            }
        }
    }

    private void Json(string file, ReadOnlyMemory<byte> bytes)
    {
        if (TdxCollateral.TryParse(bytes.Span, out var whole, out _))
        {
            Statement(file, whole.TcbInfo, IntelStatementKind.TcbInfo);
            Statement(file, whole.QeIdentity, IntelStatementKind.QeIdentity);
            _ = whole.RootCrl is { } root && List(file, root);
            _ = whole.PckCrl is { } pck && List(file, pck);
            return;
        }

        foreach (var kind in (IntelStatementKind[])[IntelStatementKind.TcbInfo, IntelStatementKind.QeIdentity])
        {
            if (IntelStatement.TryParseBody(bytes.Span, default, kind, out var statement, out _))
            {
                Statement(file, statement, kind);
            }
        }
    }

    private void Statement(string file, IntelStatement? statement, IntelStatementKind kind)
    {
        if (statement is null)
        {
            return;
        }

        if (kind is IntelStatementKind.TcbInfo && TcbInfo.TryParse(statement.Content.Span, out var info, out _))
        {
            _ends.Add(new CollateralEnd($"the TCB information of FMSPC {info.Fmspc}", file, info.NextUpdate, false));
        }
        else if (kind is IntelStatementKind.QeIdentity && QeIdentity.TryParse(statement.Content.Span, out var identity, out _))
        {
            _ends.Add(new CollateralEnd("the QE identity", file, identity.NextUpdate, false));
        }

        if (!statement.IssuerChain.IsEmpty)
        {
            Certificates(file, statement.IssuerChain);
        }
    }

    private void Pem(string file, ReadOnlyMemory<byte> bytes)
    {
        if (Wire.Pem.Find(bytes.Span, ListLabel, out _) is [var list, ..])
        {
            List(file, list);
        }
        else
        {
            Certificates(file, bytes);
        }
    }

    private bool List(string file, ReadOnlyMemory<byte> der)
    {
        if (!CertificateRevocationList.TryParse(der.Span, out var list, out _))
        {
            return false;
        }

        _ends.Add(new CollateralEnd($"the revocation list of {list.Issuer.CommonName ?? list.Issuer.ToString()}", file, list.NextUpdate, false));
        return true;
    }

    private void Certificates(string file, ReadOnlyMemory<byte> bytes)
    {
        if (!SnpCollateral.TryReadCertificates(bytes.Span, out var all, out _))
        {
            return;
        }

        if (verification.TryVerifyAuthority(bytes, out var proof, out _))
        {
            authorities.AddAuthorities(proof);
        }

        foreach (var der in all)
        {
            if (Certificate.TryParse(der.Span, out var certificate, out _))
            {
                var isVerified = proof?.Authorities.Any(authority => authority.Certificates.Any(one => one.KeyIdentity == certificate.KeyIdentity && one.NotAfter == certificate.NotAfter)) ?? false;
                _ends.Add(new CollateralEnd($"the certificate {certificate.Subject.CommonName ?? certificate.Subject.ToString()}", file, certificate.NotAfter, isVerified));
            }
        }
    }
}
