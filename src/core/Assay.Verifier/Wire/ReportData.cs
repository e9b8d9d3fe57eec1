using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Assay.Wire;

/// <summary>
/// The 64 bytes that a confidential VM has its processor sign: REPORTDATA of TDX, REPORT_DATA of SEV-SNP. What they mean is the matter of
/// whoever chose them.
/// </summary>
public sealed class ReportData : IEquatable<ReportData>
{
    /// <summary>Bytes of report data.</summary>
    public const int Size = 64;

    private readonly byte[] _bytes;

    private ReportData(byte[] bytes) => _bytes = bytes;

    /// <summary>The 64 bytes, in the order they have on the wire.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Report data of exactly 64 bytes.</summary>
    public static bool TryCreate(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ReportData? data)
    {
        data = bytes.Length == Size ? new ReportData(bytes.ToArray()) : null;
        return data is not null;
    }

    internal static ReportData OfExactly(ReadOnlySpan<byte> bytes) =>
        TryCreate(bytes, out var data) ? data : throw new ArgumentException("64 bytes are expected", nameof(bytes));

    /// <inheritdoc/>
    public bool Equals(ReportData? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ReportData);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(_bytes);
}
