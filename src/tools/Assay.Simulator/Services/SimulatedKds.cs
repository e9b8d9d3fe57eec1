using System.Collections.Immutable;
using System.Text;

namespace Assay.Simulator;

/// <summary>AMD's Key Distribution Service for simulated chips: chains and lists of every line, and the VCEK of each guest's chip at its TCB.</summary>
public sealed class SimulatedKds
{
    private readonly ImmutableArray<SimulatedSnp> _guests;
    private readonly ImmutableDictionary<(SnpLine Line, bool Vlek), CpuCertificate> _authorities;
    private readonly SimulatedAmd _amd;

    private SimulatedKds(SimulatedAmd amd, ImmutableArray<SimulatedSnp> guests)
    {
        (_amd, _guests) = (amd, guests);
        _authorities = Enum.GetValues<SnpLine>().SelectMany(line => new[] { (line, false), (line, true) })
            .ToImmutableDictionary(kind => kind, kind => amd.NewAuthority(amd.Root(kind.Item1), kind.Item1, kind.Item2));
    }

    /// <summary>The service that knows the chips of these guests.</summary>
    public static SimulatedKds Of(SimulatedAmd amd, params ImmutableArray<SimulatedSnp> guests)
    {
        ArgumentNullException.ThrowIfNull(amd);
        return new SimulatedKds(amd, guests);
    }

    /// <summary>What it answers to GET.</summary>
    /// <param name="path">From <c>/vcek</c> or <c>/vlek</c> on.</param>
    /// <param name="query">The query, without its question mark.</param>
    public SimulatedAnswer Get(string path, string query)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Split('/') is not ["", ("vcek" or "vlek") and var leaf, "v1", var name, var what] || !Enum.TryParse<SnpLine>(name, out var line))
        {
            return SimulatedAnswer.NotFound;
        }

        var root = _amd.Root(line);
        return what switch
        {
            "cert_chain" => SimulatedAnswer.Of("application/x-pem-file", Encoding.ASCII.GetBytes(_authorities[(line, leaf == "vlek")].Pem + root.Pem)),
            "crl" => SimulatedAnswer.Of("application/pkix-crl", root.IssueCrl(1, _amd.Now.AddDays(-30), _amd.Now.AddYears(1))),
            _ => _guests.FirstOrDefault(guest => leaf == "vcek" && guest.Line == line && guest.ChipId == what && guest.TcbQuery == query) is { } known
                ? SimulatedAnswer.Of("application/pkix-cert", known.Certificates[^1])
                : SimulatedAnswer.NotFound,
        };
    }
}
