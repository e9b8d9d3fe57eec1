using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Trust.Intel;

/// <summary>
/// What a PCK certificate says about its platform (Intel SGX PCK Certificate and CRL Profile Specification 1.6, §1.3.5: extension
/// 1.2.840.113741.1.13.1, a SEQUENCE of pairs of identifier and value). Each field once, in any order; unknown ones are refused.
/// </summary>
internal sealed record PckPlatform
{
    /// <summary>Components of a TCB.</summary>
    public const int Components = 16;

    private const int PceSvnField = 17;
    private const int CpuSvnField = 18;

    /// <summary>PPID, 16 bytes: the platform's own name.</summary>
    public required ReadOnlyMemory<byte> Ppid { get; init; }

    /// <summary>The security versions of the 16 SGX TCB components.</summary>
    public required ImmutableArray<byte> TcbComponents { get; init; }

    /// <summary>PCESVN.</summary>
    public required int PceSvn { get; init; }

    /// <summary>CPUSVN, 16 bytes.</summary>
    public required ReadOnlyMemory<byte> CpuSvn { get; init; }

    /// <summary>PCE-ID.</summary>
    public required PceId PceId { get; init; }

    /// <summary>FMSPC.</summary>
    public required Fmspc Fmspc { get; init; }

    /// <summary>SGX Type: 0 standard, 1 scalable, 2 scalable with integrity.</summary>
    public required int SgxType { get; init; }

    /// <summary>Platform Instance ID, 16 bytes; empty in certificates of the Processor CA.</summary>
    public required ReadOnlyMemory<byte> PlatformInstanceId { get; init; }

    /// <summary>Dynamic Platform: packages can be added; null where it is not stated.</summary>
    public required bool? DynamicPlatform { get; init; }

    /// <summary>Cached Keys: Intel keeps the platform's keys; null where it is not stated.</summary>
    public required bool? CachedKeys { get; init; }

    /// <summary>SMT Enabled: hyper-threading; null where it is not stated.</summary>
    public required bool? SmtEnabled { get; init; }

    /// <summary>Reads the extension of a PCK certificate.</summary>
    internal static bool TryRead(Certificate certificate, [NotNullWhen(true)] out PckPlatform? platform, [NotNullWhen(false)] out string? whyNot)
    {
        platform = null;
        if (certificate.Extensions.Find(Oids.SgxExtensions) is not { } value)
        {
            whyNot = "the certificate has no extension 1.2.840.113741.1.13.1 (SGX): it is not a PCK certificate";
            return false;
        }

        var faults = new DerFaults();
        var fields = new Fields();
        var reader = new DerReader(value, faults);
        var list = reader.Sequence("sgxExtensions");
        fields.Read(ref list, (ref DerReader item, int number) => fields.ReadTop(ref item, number), prefix: 0);
        reader.End("sgxExtensions");
        fields.RequireAll(ref reader);
        whyNot = faults.First is { } fault ? $"the SGX extension is malformed: {fault}" : null;
        platform = whyNot is null ? fields.ToPlatform() : null;
        return platform is not null;
    }

    private delegate void FieldReader(ref DerReader item, int number);

    private sealed class Fields
    {
        private readonly HashSet<int> _seen = [];
        private readonly byte[] _components = new byte[Components];
        private byte[] _ppid = [], _cpuSvn = [], _pceId = [], _fmspc = [], _instance = [];
        private int _pceSvn, _sgxType;
        private bool? _dynamic, _cached, _smt;

        // Identifiers extend their parent's by one arc; prefix tells the levels apart in the set of what was seen.
        public void Read(ref DerReader list, FieldReader read, int prefix, byte? parent = null)
        {
            while (list.HasMore)
            {
                var pair = list.Sequence("field");
                var oid = pair.Oid("identifier");
                ReadOnlySpan<byte> arc = parent is { } number ? [.. Oids.SgxExtensions, number] : Oids.SgxExtensions;
                var known = oid.Length == arc.Length + 1 && oid.StartsWith(arc);
                pair.Require(known && _seen.Add(prefix + oid[^1]), "identifier", known ? "repeated" : "unknown: try a newer Assay");
                if (pair.Fault is not null)
                {
                    return;
                }

                read(ref pair, oid[^1]);
                pair.End("field");
            }
        }

        public void ReadTop(ref DerReader item, int number)
        {
            switch (number)
            {
                case 1: _ppid = Octets(ref item, 16, "PPID"); break;
                case 2:
                    var tcb = item.Sequence("TCB");
                    Read(ref tcb, ReadTcb, prefix: 100, parent: 2);
                    break;
                case 3: _pceId = Octets(ref item, 2, "PCE-ID"); break;
                case 4: _fmspc = Octets(ref item, Fmspc.Size, "FMSPC"); break;
                case 5:
                    _sgxType = item.SmallInteger("SGX Type", DerTag.Enumerated);
                    item.Require(_sgxType <= 2, "SGX Type", "0, 1 or 2 is expected");
                    break;
                case 6: _instance = Octets(ref item, 16, "Platform Instance ID"); break;
                case 7:
                    var configuration = item.Sequence("Configuration");
                    Read(ref configuration, ReadConfiguration, prefix: 200, parent: 7);
                    break;
                default: item.Require(false, "identifier", "unknown: try a newer Assay"); break;
            }
        }

        public void RequireAll(ref DerReader reader)
        {
            reader.Require(Enumerable.Range(1, 5).All(_seen.Contains), "sgxExtensions", "PPID, TCB, PCE-ID, FMSPC or SGX Type is missing");
            reader.Require(Enumerable.Range(101, CpuSvnField).All(_seen.Contains), "TCB", "a component, PCESVN or CPUSVN is missing");
        }

        public PckPlatform ToPlatform() => new()
        {
            Ppid = _ppid,
            TcbComponents = [.. _components],
            PceSvn = _pceSvn,
            CpuSvn = _cpuSvn,
            PceId = new PceId((ushort)(_pceId[0] << 8 | _pceId[1])),
            Fmspc = Fmspc.Of(_fmspc),
            SgxType = _sgxType,
            PlatformInstanceId = _instance,
            DynamicPlatform = _dynamic,
            CachedKeys = _cached,
            SmtEnabled = _smt,
        };

        private void ReadTcb(ref DerReader item, int number)
        {
            if (number == CpuSvnField)
            {
                _cpuSvn = Octets(ref item, Components, "CPUSVN");
                return;
            }

            var version = item.SmallInteger("SVN");
            item.Require(number is >= 1 and <= PceSvnField, "identifier", "unknown: try a newer Assay");
            item.Require(version <= (number == PceSvnField ? ushort.MaxValue : byte.MaxValue), "SVN", "too large");
            if (item.Fault is null && number == PceSvnField)
            {
                _pceSvn = version;
            }
            else if (item.Fault is null)
            {
                _components[number - 1] = (byte)version;
            }
        }

        private void ReadConfiguration(ref DerReader item, int number)
        {
            var value = item.Boolean("Configuration");
            switch (number)
            {
                case 1: _dynamic = value; break;
                case 2: _cached = value; break;
                case 3: _smt = value; break;
                default: item.Require(false, "identifier", "unknown: try a newer Assay"); break;
            }
        }

        private static byte[] Octets(ref DerReader item, int size, string field)
        {
            var value = item.Value(DerTag.OctetString, field);
            item.Require(value.Length == size, field, $"not {size} bytes");
            return value.ToArray();
        }
    }
}
