using System.Text;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Trust;

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
            return _ocsp.WhyNot is { } wrong ? Fetched.Failed($"{ocsp}", wrong) : _ocsp.Find(asked) is { } der ? Fetched.Item($"{ocsp}", der) : Fetched.Absent($"{ocsp}", "no response answers this CertID");
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
            if (Answer(key, evidence, collateral) is var (body, chain))
            {
                _processors[key] = Fetched.Item(source, body, chain);
            }
        }

        return null;
    }

    private static (ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> Chain)? Answer(CollateralKey key, ProcessorEvidence evidence, ProcessorCollateral collateral) => key.Kind switch
    {
        CollateralKind.TcbInfo when collateral.Tdx.TcbInfo is { } statement => (Body(statement, "tcbInfo"), statement.IssuerChain),
        CollateralKind.QeIdentity when collateral.Tdx.QeIdentity is { } statement => (Body(statement, "enclaveIdentity"), statement.IssuerChain),
        // The list's issuer is that of the quote's own PCK certificate: files carry no chain for it.
        CollateralKind.PckCrl when collateral.Tdx.PckCrl is { } list && ProcessorNeeds.PckIssuers(evidence) is { } issuers => (list, issuers),
        CollateralKind.RootCrl when collateral.Tdx.RootCrl is { } list => (list, default),
        CollateralKind.AmdChain when Authorities(collateral.Snp) is { Length: > 0 } pem => (pem, default),
        CollateralKind.AmdCrl when collateral.Snp.Crl is { } list => (list, default),
        CollateralKind.Vcek when Endorsement(collateral.Snp) is { } der => (der, default),
        _ => null,
    };

    // As the service writes it around what was signed, which stays to the byte.
    private static byte[] Body(IntelStatement statement, string member) =>
        [.. Encoding.ASCII.GetBytes($"{{\"{member}\":"), .. statement.Content.Span, .. Encoding.ASCII.GetBytes($",\"signature\":\"{Convert.ToHexStringLower(statement.Signature.Span)}\"}}")];

    private static ReadOnlyMemory<byte>? Endorsement(SnpCollateral collateral) =>
        collateral.Certificates.Where(IsEndorsement).Select(der => (ReadOnlyMemory<byte>?)der).FirstOrDefault();

    // The authority, then the root: AMD's own order.
    private static byte[] Authorities(SnpCollateral collateral) =>
        Encoding.ASCII.GetBytes(string.Concat(collateral.Certificates.Where(der => !IsEndorsement(der))
            .OrderBy(der => Certificate.TryParse(der.Span, out var certificate, out _) && certificate.Subject.Equals(certificate.Issuer))
            .Select(der => System.Security.Cryptography.PemEncoding.WriteString("CERTIFICATE", der.Span) + "\n")));

    private static bool IsEndorsement(ReadOnlyMemory<byte> der) => Certificate.TryParse(der.Span, out var certificate, out _) && certificate.BasicConstraints is not { CertificateAuthority: true };
}
