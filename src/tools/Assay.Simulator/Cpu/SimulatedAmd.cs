using System.Collections.Immutable;
using System.Formats.Asn1;

namespace Assay.Simulator;

/// <summary>
/// The simulator's own hierarchy in AMD's place: an ARK for each line, below it ASK and ASVK, RSA 4096 with RSASSA-PSS; VCEK and VLEK of
/// P-384. Every certificate carries <see cref="SimulatedMarker"/>. The lines share RSA keys, which take a second each to make; names and
/// certificates are apart.
/// </summary>
public sealed class SimulatedAmd
{
    private const string Arc = "1.3.6.1.4.1.3704.1";

    private static readonly Lazy<CpuKey> s_rootKey = new(CpuKey.Rsa);
    private static readonly Lazy<CpuKey> s_askKey = new(CpuKey.Rsa);
    private static readonly Lazy<CpuKey> s_asvkKey = new(CpuKey.Rsa);
    private static readonly Lazy<CpuKey> s_foreignKey = new(CpuKey.Rsa);

    private readonly ImmutableDictionary<SnpLine, CpuCertificate> _roots;

    private SimulatedAmd(DateTimeOffset now)
    {
        Now = now;
        _roots = Enum.GetValues<SnpLine>().ToImmutableDictionary(line => line, line => NewRoot(line, s_rootKey.Value));
    }

    /// <summary>The instant around which everything is valid.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>The roots of all lines, PEM.</summary>
    public ImmutableArray<string> RootPems => [.. _roots.Values.Select(root => root.Pem)];

    /// <summary>A hierarchy whose certificates are valid around <paramref name="now"/>.</summary>
    public static SimulatedAmd Create(DateTimeOffset now) => new(now);

    internal CpuCertificate Root(SnpLine line) => _roots[line];

    internal CpuCertificate ForeignRoot(SnpLine line) => NewRoot(line, s_foreignKey.Value);

    internal CpuCertificate NewAuthority(CpuCertificate root, SnpLine line, bool vlek) => CpuCertificate.Authority(
        Name(vlek ? $"SEV-VLEK-{line}" : $"SEV-{line}", "Advanced Micro Devices"), (vlek ? s_asvkKey : s_askKey).Value, root, Now.AddYears(-3), Now.AddYears(20), pathLength: 0);

    internal CpuCertificate NewLeaf(CpuCertificate authority, SnpDraft draft) => CpuCertificate.Issue(
        Name(draft.Vlek ? "SEV-VLEK" : "SEV-VCEK", "Advanced Micro Devices"), CpuKey.P384(), authority,
        Now.AddYears(-1), draft.Fault is SnpFault.ExpiredCertificate ? Now.AddDays(-1) : Now.AddYears(6), Extensions(draft));

    private CpuCertificate NewRoot(SnpLine line, CpuKey key) =>
        CpuCertificate.Authority(Name($"ARK-{line}", "Assay Simulator"), key, null, Now.AddYears(-5), Now.AddYears(20), pathLength: null);

    private static SubjectName Name(string common, string organization) => new([(Oids.Country, "US"), (Oids.Organization, organization), (Oids.CommonName, common)]);

    private static IEnumerable<CertificateExtension> Extensions(SnpDraft draft)
    {
        yield return Extension(".1", writer => writer.WriteInteger(draft.Vlek ? 1 : 0));
        if (draft.Fault is not SnpFault.NoProductName)
        {
            yield return Extension(".2", writer => writer.WriteCharacterString(UniversalTagNumber.IA5String, draft.Vlek ? $"{draft.Line}" : $"{draft.Line}-B1"));
        }

        var levels = draft.Fault is SnpFault.CertificateOfAnotherTcb ? draft.Reported with { Microcode = draft.Reported.Microcode - 1 } : draft.Reported;
        yield return Level(1, levels.BootLoader);
        yield return Level(2, levels.Tee);
        yield return Level(3, levels.Snp);
        foreach (var reserved in new[] { 4, 5, 6, 7 })
        {
            yield return Level(reserved, 0);
        }

        if (draft.Fault is not SnpFault.NoMicrocodeLevel)
        {
            yield return Level(8, levels.Microcode);
        }

        if (draft.Line is SnpLine.Turin)
        {
            yield return Level(9, levels.Fmc);
        }

        yield return draft.Vlek
            ? Extension(".5", writer => writer.WriteCharacterString(UniversalTagNumber.IA5String, "simulated-cloud"))
            : new CertificateExtension(Arc + ".4", false, draft.Fault is SnpFault.CertificateOfAnotherChip ? [.. draft.HardwareId.Reverse()] : draft.HardwareId);
    }

    private static CertificateExtension Level(int arc, int level) => Extension($".3.{arc}", writer => writer.WriteInteger(level));

    private static CertificateExtension Extension(string arc, Action<AsnWriter> value) => new(Arc + arc, false, Der.Encode(value));
}
