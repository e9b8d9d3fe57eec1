using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>One simulated guest on one simulated processor: a report, its certificates and the root's revocation list.</summary>
public sealed class SimulatedSnp
{
    private const int Size = 1184;
    private const int Signed = 672;
    private const int Scalar = 48;
    private readonly SnpDraft _draft;

    private SimulatedSnp(SimulatedAmd amd, SnpDraft draft)
    {
        _draft = draft;
        var line = draft.Fault is SnpFault.AuthoritiesOfAnotherLine ? Another(draft.Line) : draft.Line;
        var root = draft.Fault is SnpFault.ForeignRoot ? amd.ForeignRoot(line) : amd.Root(line);
        var authority = amd.NewAuthority(root, line, draft.Vlek);
        var leaf = amd.NewLeaf(authority, draft);
        CpuCertificate[] chain = draft.Fault is SnpFault.MissingAuthority ? [root, leaf] : [root, authority, leaf];
        Certificates = [.. chain.Select(certificate => certificate.Der)];
        var end = draft.Fault is SnpFault.StaleCrl ? amd.Now.AddHours(-1) : amd.Now.AddYears(1);
        var issuer = draft.Fault is SnpFault.ForgedCrl ? amd.ForeignRoot(line) : root;
        Crl = issuer.IssueCrl(1, amd.Now.AddDays(-30), end, draft.Fault is SnpFault.RevokedAuthority ? [authority] : []);
        Report = WriteReport(leaf.Key);
    }

    /// <summary>The report, 1184 bytes.</summary>
    public byte[] Report { get; }

    /// <summary>Root, authority and leaf, DER: an order that a verifier has to put right.</summary>
    public ImmutableArray<byte[]> Certificates { get; }

    /// <summary>The root's revocation list, DER.</summary>
    public byte[] Crl { get; }

    /// <summary>The line of its processor.</summary>
    public SnpLine Line => _draft.Line;

    /// <summary>The chip's id as addresses of AMD's service have it: 128 hexadecimal digits, 16 on Turin.</summary>
    public string ChipId => Convert.ToHexStringLower(_draft.HardwareId);

    /// <summary>The TCB of its certificate in the query of AMD's service.</summary>
    public string TcbQuery
    {
        get
        {
            var (levels, fmc) = (_draft.Reported, _draft.Line is SnpLine.Turin ? $"fmcSPL={_draft.Reported.Fmc:D2}&" : "");
            return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{fmc}blSPL={levels.BootLoader:D2}&teeSPL={levels.Tee:D2}&snpSPL={levels.Snp:D2}&ucodeSPL={levels.Microcode:D2}");
        }
    }

    /// <summary>MEASUREMENT of the image that is known to be good.</summary>
    public static byte[] GoodMeasurement => SnpGuest.BareMetal.Measurement.ToArray();

    /// <summary>HOST_DATA of the image that is known to be good.</summary>
    public static byte[] GoodHostData => SnpGuest.BareMetal.HostData.ToArray();

    /// <summary>A guest that answers <paramref name="reportData"/> (64 bytes), with one thing wrong.</summary>
    /// <param name="amd">The hierarchy.</param>
    /// <param name="line">The processor.</param>
    /// <param name="version">Of the report: 2, 3 or 5.</param>
    /// <param name="vlek">Whether a VLEK signs instead of a VCEK.</param>
    /// <param name="reportData">64 bytes.</param>
    /// <param name="fault">What is wrong.</param>
    /// <param name="guest">Who is launched; null: <see cref="SnpGuest.BareMetal"/>.</param>
    public static SimulatedSnp Create(
        SimulatedAmd amd, SnpLine line, int version, bool vlek, byte[] reportData, SnpFault fault = SnpFault.None, SnpGuest? guest = null)
    {
        ArgumentNullException.ThrowIfNull(amd);
        ArgumentNullException.ThrowIfNull(reportData);
        ArgumentOutOfRangeException.ThrowIfNotEqual(reportData.Length, 64);
        ArgumentOutOfRangeException.ThrowIfLessThan(version, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(version, 5);
        return new SimulatedSnp(amd, SnpDraft.Of(line, version, vlek, reportData, fault, guest));
    }

    private static SnpLine Another(SnpLine line) => line is SnpLine.Milan ? SnpLine.Genoa : SnpLine.Milan;

    private byte[] WriteReport(CpuKey key)
    {
        var report = new byte[Size];
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(report.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(report.AsSpan(at), value);
        void Put(int at, byte[] value) => value.CopyTo(report.AsSpan(at));

        U32(0x000, (uint)_draft.Version);
        U32(0x004, _draft.Guest.Svn);
        U64(0x008, _draft.Policy);
        U32(0x030, _draft.Vmpl);
        U32(0x034, 1);
        Put(0x038, _draft.Current.Encode(_draft.Line));
        U64(0x040, _draft.PlatformInfo);
        U32(0x048, (_draft.Guest.AuthorKeyDigest is null ? 0 : 1u) | (_draft.Vlek ? 1u << 2 : 0) | (_draft.Fault is SnpFault.MaskChipKey ? 2u : 0));
        Put(0x050, _draft.ReportData);
        Put(0x090, _draft.Measurement);
        Put(0x0C0, _draft.HostData);
        Put(0x0E0, _draft.Guest.IdKeyDigest.ToArray());
        Put(0x110, _draft.Guest.AuthorKeyDigest?.ToArray() ?? []);
        Put(0x140, SHA256.HashData("report id"u8));
        Put(0x160, _draft.MigrationAgent);
        Put(0x180, _draft.Reported.Encode(_draft.Line));
        PutProcessor(report);
        Put(0x1A0, _draft.Fault is SnpFault.MaskedChipId ? [] : _draft.HardwareId);
        Put(0x1E0, _draft.Committed.Encode(_draft.Line));
        Put(0x1E8, [29, 55, 1, 0, 29, 55, 1, 0]);
        Put(0x1F0, _draft.Launch.Encode(_draft.Line));
        if (_draft.Fault is SnpFault.ReservedTcbByte)
        {
            report[0x1F0 + 5] = 1;
        }

        if (_draft.Version >= 5)
        {
            U64(0x1F8, 3);
            U64(0x200, 7);
        }

        Sign(report, key);
        if (_draft.Fault is SnpFault.AlteredMeasurement)
        {
            report[0x090] ^= 1;
        }

        if (_draft.Fault is SnpFault.ReservedByte)
        {
            report[Size - 1] = 1;
        }

        return report;
    }

    private void PutProcessor(byte[] report)
    {
        if (_draft.Version < 3)
        {
            return;
        }

        var line = _draft.Fault is SnpFault.ProcessorOfAnotherLine ? Another(_draft.Line) : _draft.Line;
        (report[0x188], report[0x189], report[0x18A]) = line switch
        {
            SnpLine.Milan => ((byte)0x19, (byte)0x01, (byte)1),
            SnpLine.Genoa => ((byte)0x19, (byte)0x11, (byte)1),
            _ => ((byte)0x1A, (byte)0x02, (byte)1),
        };
    }

    // R and S little-endian, in fields of 72 bytes.
    private static void Sign(byte[] report, CpuKey key)
    {
        var signature = key.SignRaw(report[..Signed]);
        signature.AsSpan(0, Scalar).Reverse();
        signature.AsSpan(Scalar, Scalar).Reverse();
        signature.AsSpan(0, Scalar).CopyTo(report.AsSpan(0x2A0));
        signature.AsSpan(Scalar, Scalar).CopyTo(report.AsSpan(0x2E8));
    }
}
