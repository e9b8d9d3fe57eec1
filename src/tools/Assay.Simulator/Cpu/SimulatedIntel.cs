using System.Formats.Asn1;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>
/// The simulator's own hierarchy in Intel's place: a root, and what it certifies. P-256 with SHA-256; every certificate carries
/// <see cref="SimulatedMarker"/>.
/// </summary>
public sealed class SimulatedIntel
{
    private const string SgxArc = "1.2.840.113741.1.13.1";
    private readonly CpuCertificate _root;

    private SimulatedIntel(DateTimeOffset now)
    {
        Now = now;
        _root = NewRoot();
    }

    /// <summary>The instant around which everything is valid.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>The root, PEM.</summary>
    public string RootPem => _root.Pem;

    internal CpuCertificate Root => _root;

    /// <summary>A hierarchy whose certificates are valid around <paramref name="now"/>.</summary>
    public static SimulatedIntel Create(DateTimeOffset now) => new(now);

    /// <summary>A root of the same name and another key.</summary>
    internal CpuCertificate NewRoot() =>
        CpuCertificate.Authority(RootName, CpuKey.P256(), null, Now.AddYears(-5), Now.AddYears(20), pathLength: 1);

    internal CpuCertificate NewPckCa(CpuCertificate root, bool ofProcessors = false) =>
        CpuCertificate.Authority(Name(ofProcessors ? "Intel SGX PCK Processor CA" : "Intel SGX PCK Platform CA"), CpuKey.P256(), root, Now.AddYears(-5), Now.AddYears(10), pathLength: 0);

    internal CpuCertificate NewTcbSigner(CpuCertificate root, bool expired) => CpuCertificate.Issue(
        Name("Intel SGX TCB Signing"), CpuKey.P256(), root, Now.AddYears(-3), expired ? Now.AddDays(-1) : Now.AddYears(4),
        CertificateExtension.AuthorityKey(root.Key.Identifier), CertificateExtension.DigitalSignature, CertificateExtension.NotAuthority);

    internal CpuCertificate NewPck(CpuCertificate ca, TdxDraft draft) => CpuCertificate.Issue(
        Name("Intel SGX PCK Certificate"), CpuKey.P256(), ca, Now.AddYears(-1), draft.Fault is TdxFault.ExpiredPck ? Now.AddDays(-1) : Now.AddYears(6),
        [
            CertificateExtension.AuthorityKey(ca.Key.Identifier), CertificateExtension.DigitalSignature, CertificateExtension.NotAuthority,
            .. draft.Fault is TdxFault.NoSgxExtension ? [] : new[] { SgxExtension(draft) },
        ]);

    private static SubjectName RootName { get; } = new([(Oids.CommonName, "Assay Simulated SGX Root CA"), (Oids.Organization, "Assay Simulator"), (Oids.Country, "US")]);

    // Intel's own leaf names, because a verifier tells the two kinds of leaf apart by them.
    private static SubjectName Name(string common) => new([(Oids.CommonName, common), (Oids.Organization, "Intel Corporation"), (Oids.Country, "US")]);

    private static CertificateExtension SgxExtension(TdxDraft draft) => new(SgxArc, false, Der.Encode(writer =>
    {
        using var list = writer.PushSequence();
        Pair(writer, ".1", inner => inner.WriteOctetString(RandomNumberGenerator.GetBytes(16)));
        Pair(writer, ".2", inner =>
        {
            using var tcb = inner.PushSequence();
            for (var index = 0; index < draft.CpuSvn.Length; index++)
            {
                var level = draft.CpuSvn[index];
                Pair(inner, $".2.{index + 1}", component => component.WriteInteger(level));
            }

            Pair(inner, ".2.17", component => component.WriteInteger(draft.PceSvn));
            Pair(inner, ".2.18", component => component.WriteOctetString(draft.CpuSvn));
        });
        Pair(writer, ".3", inner => inner.WriteOctetString(Convert.FromHexString(draft.PceId)));
        Pair(writer, ".4", inner => inner.WriteOctetString(Convert.FromHexString(draft.Fmspc)));
        Pair(writer, ".5", inner => inner.WriteEnumeratedValue(SgxType.Scalable));
        Pair(writer, ".6", inner => inner.WriteOctetString(RandomNumberGenerator.GetBytes(16)));
        Pair(writer, ".7", inner =>
        {
            using var configuration = inner.PushSequence();
            Pair(inner, ".7.1", flag => flag.WriteBoolean(true));
            Pair(inner, ".7.2", flag => flag.WriteBoolean(true));
            Pair(inner, ".7.3", flag => flag.WriteBoolean(true));
        });
        if (draft.Fault is TdxFault.UnknownSgxField)
        {
            Pair(writer, ".9", inner => inner.WriteBoolean(true));
        }
    }));

    private static void Pair(AsnWriter writer, string arc, Action<AsnWriter> value)
    {
        using var pair = writer.PushSequence();
        writer.WriteObjectIdentifier(SgxArc + arc);
        value(writer);
    }

    private enum SgxType
    {
        Standard,
        Scalable,
    }
}
