using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Wire;

namespace Assay.Evidence.Tdx;

/// <summary>
/// A TDX quote of version 4 or 5 with ECDSA P-256 (Intel TDX DCAP Quote Generation Library, "Quote format"; sizes in bytes, little-endian):
/// header 48, in version 5 a descriptor 2 + 4, body 584 or 648, signature length 4, and the signature data: quote signature 64,
/// attestation key 64, then certification data 6 {QE report 384, its signature 64, authentication data, certification data 5 {PEM chain}}.
/// Well-formed, and believed by nobody yet.
/// </summary>
public sealed record TdxQuote
{
    /// <summary>Leniency: drivers hand out the quote in a buffer of fixed size, so zero bytes may follow it (S-26).</summary>
    public const bool AcceptZeroPadding = true;

    /// <summary>Leniency: quoting enclaves count the C string's ending NUL into the PEM chain. One is dropped.</summary>
    public const bool AcceptTerminatedChain = true;

    /// <summary>The most bytes of text after a quote that can be accepted by name: a label, and no second file.</summary>
    internal const int LongestTextAfter = 256;

    private const int ShownText = 60;
    private const int EcdsaP256 = 2;
    private const uint TdxType = 0x81;
    private const int QeReportCertification = 6;
    private const int PemChainCertification = 5;
    private const int PointSize = 64;
    private const int SignatureSize = 64;

    /// <summary>4 or 5.</summary>
    public required int Version { get; init; }

    /// <summary>USER_DATA of the header, 20 bytes: the quoting enclave's name for the platform.</summary>
    public required ReadOnlyMemory<byte> UserData { get; init; }

    /// <summary>What the TDX module reported.</summary>
    public required TdReportBody Body { get; init; }

    /// <summary>The bytes that the attestation key signed: all before the length of the signature data.</summary>
    public required ReadOnlyMemory<byte> SignedBytes { get; init; }

    /// <summary>The attestation key's signature, R‖S, 32 bytes each, big-endian.</summary>
    public required ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>The attestation key, X‖Y, 32 bytes each, big-endian.</summary>
    public required ReadOnlyMemory<byte> AttestationKey { get; init; }

    /// <summary>The quoting enclave's report, which names the attestation key.</summary>
    public required EnclaveReport QeReport { get; init; }

    /// <summary>The PCK key's signature over it, R‖S, big-endian.</summary>
    public required ReadOnlyMemory<byte> QeReportSignature { get; init; }

    /// <summary>What the quoting enclave hashed after the attestation key.</summary>
    public required ReadOnlyMemory<byte> QeAuthenticationData { get; init; }

    /// <summary>PEM: the PCK certificate, its CA, Intel's root.</summary>
    public required ReadOnlyMemory<byte> PckChain { get; init; }

    /// <summary>The quote without its padding, and without text after it.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>Text after the quote, which nobody signed; empty where none is, and always unless it was accepted by name.</summary>
    public ReadOnlyMemory<byte> TextAfter { get; init; }

    // 939A7233F79C4CA9940A0DB3957F0607: Intel's quoting enclave.
    private static ReadOnlySpan<byte> IntelVendor => [0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07];

    /// <summary>Reads one quote. Other bytes than zero after it are a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TdxQuote? quote, [NotNullWhen(false)] out ParseFault? fault) =>
        TryParse(source, dangerouslyAcceptTextAfter: false, out quote, out fault);

    /// <summary>Reads one quote, and text after it where that is accepted: printable ASCII and ends of lines, 256 bytes at most. A weakening.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, bool dangerouslyAcceptTextAfter, [NotNullWhen(true)] out TdxQuote? quote, [NotNullWhen(false)] out ParseFault? fault)
    {
        quote = null;
        fault = source.Length > Limits.TdxQuoteBytes ? new ParseFault("quote", 0, $"larger than {Limits.TdxQuoteBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        ReadOnlyMemory<byte> bytes = source.ToArray();
        var wire = new WireReader(bytes.Span);
        var (version, userData) = ReadHeader(ref wire, bytes);
        var kind = version == 5 ? ReadDescriptor(ref wire) : TdReportKind.Td10;
        var body = TdReportBody.Read(ref wire, kind);
        var signed = bytes[..wire.Offset];
        var length = ReadLength(ref wire, "quote signature data length");
        var end = wire.Offset + length;
        var signature = Slice(ref wire, bytes, SignatureSize, "quote signature");
        var key = Slice(ref wire, bytes, PointSize, "attestation key");
        ReadFrame(ref wire, QeReportCertification, end, "QE report certification data");
        var report = Slice(ref wire, bytes, EnclaveReport.Size, "QE report");
        var reportSignature = Slice(ref wire, bytes, SignatureSize, "QE report signature");
        var authenticationSize = wire.U16("QE authentication data size");
        wire.Require(authenticationSize <= Limits.QeAuthenticationBytes, "QE authentication data size", $"more than {Limits.QeAuthenticationBytes}");
        var authentication = Slice(ref wire, bytes, authenticationSize, "QE authentication data");
        var chainSize = ReadFrame(ref wire, PemChainCertification, end, "PCK certification data");
        var chain = Slice(ref wire, bytes, chainSize, "PCK certificate chain");
        wire.Require(wire.Offset == end, "quote signature data", "its length disagrees with its content");
        var last = wire.Offset;
        var text = ReadAfter(ref wire, bytes, dangerouslyAcceptTextAfter);
        fault = wire.Fault;
        quote = fault is not null ? null : new TdxQuote
        {
            Version = version,
            UserData = userData,
            Body = body,
            SignedBytes = signed,
            Signature = signature,
            AttestationKey = key,
            QeReport = EnclaveReport.Read(report),
            QeReportSignature = reportSignature,
            QeAuthenticationData = authentication,
            PckChain = AcceptTerminatedChain && chain.Span is [.., 0] ? chain[..^1] : chain,
            Bytes = bytes[..last],
            TextAfter = text,
        };
        return quote is not null;
    }

    private static ReadOnlyMemory<byte> ReadAfter(ref WireReader wire, ReadOnlyMemory<byte> bytes, bool acceptText)
    {
        var after = Slice(ref wire, bytes, wire.Remaining, "padding");
        if (AcceptZeroPadding && !after.Span.ContainsAnyExcept((byte)0))
        {
            return default;
        }

        var isText = after.Span.IndexOfAnyExcept(s_text) < 0;
        wire.Require(isText && acceptText && after.Length <= LongestTextAfter, "quote",
            !isText ? "trailing bytes that are not zero"
            : after.Length > LongestTextAfter ? $"{after.Length} bytes of text follow it: cut them off"
            : $"{after.Length} bytes of text follow it, which nobody signed (\"{Shown(after.Span)}\"): cut them off, or accept them with --dangerously-accept-text-after-quote and --at");
        return after;
    }

    private static string Shown(ReadOnlySpan<byte> text)
    {
        var words = Encoding.ASCII.GetString(text).Trim().ReplaceLineEndings(" ");
        return words.Length <= ShownText ? words : $"{words[..ShownText]}…";
    }

    private static readonly SearchValues<byte> s_text = SearchValues.Create([(byte)'\n', (byte)'\r', .. Enumerable.Range(0x20, 0x7F - 0x20).Select(value => (byte)value)]);

    private static (int Version, ReadOnlyMemory<byte> UserData) ReadHeader(ref WireReader wire, ReadOnlyMemory<byte> bytes)
    {
        var version = wire.U16("version");
        wire.Require(version is 4 or 5, "version", version == 3 ? "3, which is an SGX quote; 4 or 5 is expected" : "4 or 5 is expected");
        wire.Require(wire.U16("attestation key type") == EcdsaP256, "attestation key type", "2 (ECDSA P-256) is expected");
        wire.Require(wire.U32("TEE type") == TdxType, "TEE type", "81 (TDX) is expected");
        wire.Zeros(4, "header");
        wire.Require(wire.Bytes(16, "QE vendor id").SequenceEqual(IntelVendor), "QE vendor id", "not Intel's");
        var userData = Slice(ref wire, bytes, 20, "user data");
        return (version, userData);
    }

    private static TdReportKind ReadDescriptor(ref WireReader wire)
    {
        var type = wire.U16("body type");
        var size = wire.U32("body size");
        var kind = (type, size) switch
        {
            (2, TdReportBody.Size10) => TdReportKind.Td10,
            (3, TdReportBody.Size15) => TdReportKind.Td15,
            _ => TdReportKind.None,
        };
        wire.Require(kind is not TdReportKind.None, "body type", $"2 of {TdReportBody.Size10} bytes or 3 of {TdReportBody.Size15} bytes is expected");
        return kind;
    }

    // A certification data header: its type, and a size that must reach exactly the end of what frames it.
    private static int ReadFrame(ref WireReader wire, int type, int end, string field)
    {
        var found = wire.U16(field);
        wire.Require(found == type, field, $"type {type} is expected" + (found is 1 or 2 or 3 ? "; the types 1 to 3 name the platform and carry no certificate" : ""));
        var size = ReadLength(ref wire, field);
        wire.Require(wire.Offset + size == end, field, "its size disagrees with the enclosing structure");
        return size;
    }

    private static int ReadLength(ref WireReader wire, string field)
    {
        var length = wire.U32(field);
        wire.Require(length <= wire.Remaining, field, "more bytes are declared than are left");
        return wire.Fault is null ? (int)length : 0;
    }

    private static ReadOnlyMemory<byte> Slice(ref WireReader wire, ReadOnlyMemory<byte> bytes, int count, string field)
    {
        var start = wire.Offset;
        return wire.Bytes(count, field).Length == count ? bytes.Slice(start, count) : default;
    }
}
