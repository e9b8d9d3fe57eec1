using System.Security.Cryptography;

namespace Assay.Wire;

/// <summary>The output of a hash function, in natural byte order. Compared in constant time.</summary>
public readonly struct Digest : IEquatable<Digest>
{
    private readonly byte[]? _bytes;

    /// <summary>Takes a copy of <paramref name="bytes"/>.</summary>
    public Digest(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    /// <summary>The digest's bytes; none for the default value, which equals only itself.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Bytes: 48 for SHA-384.</summary>
    public int Length => _bytes?.Length ?? 0;

    /// <summary>Whether every byte is zero, as in unused measurement blocks.</summary>
    public bool IsZero => !Bytes.ContainsAnyExcept((byte)0);

    internal static Digest Sha256(ReadOnlySpan<byte> content) => new(SHA256.HashData(content));

    internal static Digest Sha384(ReadOnlySpan<byte> content) => new(SHA384.HashData(content));

    /// <inheritdoc/>
    public bool Equals(Digest other) => CryptographicOperations.FixedTimeEquals(Bytes, other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Length >= 4 ? BitConverter.ToInt32(_bytes!) : 0;

    /// <summary>Content equality.</summary>
    public static bool operator ==(Digest left, Digest right) => left.Equals(right);

    /// <summary>Content inequality.</summary>
    public static bool operator !=(Digest left, Digest right) => !left.Equals(right);

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(Bytes);
}
