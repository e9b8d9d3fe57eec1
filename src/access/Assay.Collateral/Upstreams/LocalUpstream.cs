using System.Collections.Immutable;
using System.Text;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Collateral.Upstreams;

/// <summary>
/// Folders in the place of services, as <c>assay verify</c> reads them: for whoever has collected files by hand. What is found is believed
/// as little as an answer from the network; for what has no folder the next upstream is asked.
/// </summary>
/// <param name="rims">Folder of RIMs; null to ask the next.</param>
/// <param name="ocsp">Folder of OCSP responses; null to ask the next.</param>
/// <param name="next">Who is asked for everything else.</param>
public sealed class LocalUpstream(string? rims, string? ocsp, ICollateralSource next) : ICollateralSource
{
    private readonly DirectoryRimStore? _rims = rims is null ? null : new DirectoryRimStore(rims);
    private readonly DirectoryOcspStore? _ocsp = ocsp is null ? null : new DirectoryOcspStore(ocsp);
    private readonly Dictionary<CollateralKey, Fetched<CollateralItem>> _processors = [];

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        if (question.Key.Kind is CollateralKind.Rim && _rims is not null)
        {
            var answer = await _rims.FetchAsync(question, cancellation).ConfigureAwait(false);
            // What a folder lacks is not asked for elsewhere; a folder that cannot be read lacks nothing.
            return answer;
        }

        if (question is { Key.Kind: CollateralKind.Ocsp, CertId: { } asked } && _ocsp is not null)
        {
            return _ocsp.WhyNot is { } wrong ? Fetched.Failed($"{ocsp}", wrong) : _ocsp.Find(asked) is { IsEmpty: false } found ? Fetched.Of($"{ocsp}", found) : Fetched.Absent($"{ocsp}", "no response answers this CertID");
        }

        return _processors.TryGetValue(question.Key, out var known) ? known : await next.FetchAsync(question, cancellation).ConfigureAwait(false);
    }

    /// <summary>Adds a processor's collateral from files. Before the first question. Null, or why it cannot be told what the evidence needs.</summary>
    /// <param name="evidence">Whose.</param>
    /// <param name="collateral">What <see cref="ProcessorCollateralFiles"/> found.</param>
    /// <param name="channel">Intel's update channel that the files are of.</param>
    /// <param name="source">Where they are.</param>
    public string? Add(ProcessorEvidence evidence, ProcessorCollateral collateral, string channel, string source)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(collateral);
        if (!ProcessorNeeds.TryName(evidence, channel, out var keys, out var whyNot))
        {
            return whyNot;
        }

        foreach (var key in keys)
        {
            CollateralItem[] candidates = [.. Candidates(key, evidence, collateral).Take(Limits.CollateralCandidates)];
            if (candidates.Length > 0)
            {
                _processors[key] = Fetched.Of(source, [.. candidates]);
            }
        }

        return null;
    }

    // All that a folder has of an item: whoever asks takes the first that verifies.
    private static IEnumerable<CollateralItem> Candidates(CollateralKey key, ProcessorEvidence evidence, ProcessorCollateral collateral) => key.Kind switch
    {
        CollateralKind.TcbInfo => Statements(collateral.Tdx.TcbInfo, collateral.Tdx.OtherTcbInfo, "tcbInfo"),
        CollateralKind.QeIdentity => Statements(collateral.Tdx.QeIdentity, collateral.Tdx.OtherQeIdentities, "enclaveIdentity"),
        // The list's issuer is that of the quote's own PCK certificate: files carry no chain for it.
        CollateralKind.PckCrl when ProcessorNeeds.PckIssuers(evidence) is { } issuers => Lists(collateral.Tdx.PckCrl, collateral.Tdx.OtherPckCrls, issuers),
        CollateralKind.RootCrl => Lists(collateral.Tdx.RootCrl, collateral.Tdx.OtherRootCrls, default),
        CollateralKind.AmdChain => AmdChains(collateral.Snp.Certificates),
        CollateralKind.AmdCrl => Lists(collateral.Snp.Crl, collateral.Snp.OtherCrls, default),
        CollateralKind.Vcek => Parsed(collateral.Snp.Certificates).Where(certificate => !IsAuthority(certificate)).Select(certificate => new CollateralItem(certificate.Raw)),
        _ => [],
    };

    private static IEnumerable<CollateralItem> Statements(IntelStatement? first, ImmutableArray<IntelStatement> others, string member) =>
        (first is null ? [] : others.Prepend(first)).Select(statement => new CollateralItem(Body(statement, member), statement.IssuerChain));

    private static IEnumerable<CollateralItem> Lists(ReadOnlyMemory<byte>? first, ImmutableArray<ReadOnlyMemory<byte>> others, ReadOnlyMemory<byte> chain) =>
        (first is { } list ? others.Prepend(list) : []).Select(der => new CollateralItem(der, chain));

    // As the service writes it around what was signed, which stays to the byte.
    private static byte[] Body(IntelStatement statement, string member) =>
        [.. Encoding.ASCII.GetBytes($"{{\"{member}\":"), .. statement.Content.Span, .. Encoding.ASCII.GetBytes($",\"signature\":\"{Convert.ToHexStringLower(statement.Signature.Span)}\"}}")];

    // The authority, then the root: AMD's own order. A folder can hold those of several products.
    private static IEnumerable<CollateralItem> AmdChains(ImmutableArray<ReadOnlyMemory<byte>> certificates)
    {
        Certificate[] all = [.. Parsed(certificates).Where(IsAuthority)];
        return from authority in all
               where !IsRoot(authority)
               from root in all
               where IsRoot(root) && root.Subject.Equals(authority.Issuer)
               select new CollateralItem(Encoding.ASCII.GetBytes(Pem(authority) + Pem(root)));
    }

    private static IEnumerable<Certificate> Parsed(ImmutableArray<ReadOnlyMemory<byte>> certificates) =>
        certificates.Select(der => Certificate.TryParse(der.Span, out var certificate, out _) ? certificate : null).OfType<Certificate>();

    private static bool IsAuthority(Certificate certificate) => certificate.BasicConstraints is { CertificateAuthority: true };

    private static bool IsRoot(Certificate certificate) => certificate.Subject.Equals(certificate.Issuer);

    private static string Pem(Certificate certificate) => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", certificate.Raw.Span) + "\n";
}
