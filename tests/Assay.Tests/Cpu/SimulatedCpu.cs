using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Cpu;

/// <summary>Simulated processors that all tests share, and what a relying party expects of the honest ones.</summary>
internal static class SimulatedCpu
{
    public static DateTimeOffset Now { get; } = EvaluationTime.ReleaseDate.AddDays(1);

    public static byte[] Data { get; } = SHA512.HashData("a session"u8);

    public static SimulatedIntel Intel { get; } = SimulatedIntel.Create(Now);

    public static SimulatedAmd Amd { get; } = SimulatedAmd.Create(Now);

    public static TrustSet Trust { get; } = ReadTrust(CpuAnchors.ToJson("simulated processors", Intel, Amd));

    public static JudgedTdx Tdx(int version, bool is15, TdxFault fault = TdxFault.None)
    {
        var made = SimulatedTdx.Create(Intel, version, is15, Data, fault);
        return new JudgedTdx
        {
            Quote = made.Quote,
            At = Now,
            Trust = Trust,
            Collateral = TdxCollateral.TryParse(made.Collateral, out var collateral, out var why) ? collateral : throw new InvalidOperationException(why.ToString()),
            With = expected => expected with
            {
                ReportData = ReportData.TryCreate(Data, out var data) ? data : null,
                Basis = expected.Basis with { Time = new EvaluationTime(Now, TimeSource.System) },
                MinimumEvaluationDataNumber = SimulatedTdx.EvaluationDataNumber,
                References = [new TdxReference { Name = "good", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. SimulatedTdx.GoodRtmr.Select(register => (Digest?)new Digest(register))] }],
            },
        };
    }

    public static JudgedSnp Snp(SnpLine line, int version, bool vlek, SnpFault fault = SnpFault.None)
    {
        var made = SimulatedSnp.Create(Amd, line, version, vlek, Data, fault);
        var minimum = new SnpTcbParts((byte)(line is SnpLine.Turin ? 2 : 0), 4, 1, 24, 213);
        return new JudgedSnp
        {
            Report = made.Report,
            At = Now,
            Trust = Trust,
            Collateral = new SnpCollateral { Certificates = [.. made.Certificates.Select(der => (ReadOnlyMemory<byte>)der)], Crl = made.Crl },
            With = expected => expected with
            {
                ReportData = ReportData.TryCreate(Data, out var data) ? data : null,
                Basis = expected.Basis with { Time = new EvaluationTime(Now, TimeSource.System) },
                AcceptedSigningKeys = [vlek ? SnpSigningKey.Vlek : SnpSigningKey.Vcek],
                MinimumTcb = ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty.Add(Enum.Parse<SnpProduct>($"{line}"), minimum),
                References = [new SnpReference { Name = "good", Measurement = new Digest(SimulatedSnp.GoodMeasurement), HostData = new Digest(SimulatedSnp.GoodHostData) }],
            },
        };
    }

    private static TrustSet ReadTrust(byte[] anchors) =>
        TrustSet.TryParse(anchors, out var trust, out var fault) ? trust : throw new InvalidOperationException(fault.ToString());
}
