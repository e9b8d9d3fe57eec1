using System.Security.Cryptography;

namespace Assay.Sealing.Memory;

/// <summary>Where secrets are: outside .NET's heap, which copies what it moves. Each secret has pages of its own.</summary>
public sealed class SecretMemory
{
    /// <summary>Locked, or an exception.</summary>
    public static SecretMemory Locked { get; } = new();

    /// <summary>
    /// Where the kernel refuses to lock memory (RLIMIT_MEMLOCK), take it unlocked: it can be written to swap. <see cref="SecretBuffer.IsLocked"/> then says so.
    /// </summary>
    public bool DangerouslyAllowUnlockedMemory { get; init; }

    /// <summary>So many bytes, all zero.</summary>
    /// <exception cref="SealingException"><see cref="SealingFaults.MemoryNotLocked"/> or <see cref="SealingFaults.MemoryUnavailable"/>.</exception>
    public SecretBuffer Allocate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return new SecretBuffer(SecretRegion.Map(length, DangerouslyAllowUnlockedMemory));
    }

    /// <summary>So many bytes from the system's generator of secrets.</summary>
    /// <exception cref="SealingException">As <see cref="Allocate"/>.</exception>
    public SecretBuffer Random(int length)
    {
        var secret = Allocate(length);
        using var lent = secret.Borrow();
        RandomNumberGenerator.Fill(lent.Bytes);
        return secret;
    }

    /// <summary>Takes a secret over: copies it, and wipes <paramref name="secret"/> in every case.</summary>
    /// <exception cref="SealingException">As <see cref="Allocate"/>.</exception>
    public SecretBuffer Take(Span<byte> secret)
    {
        try
        {
            var taken = Allocate(secret.Length);
            using var lent = taken.Borrow();
            secret.CopyTo(lent.Bytes);
            return taken;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    internal SecretBuffer CopyOf(ReadOnlySpan<byte> bytes)
    {
        var copy = Allocate(bytes.Length);
        using var lent = copy.Borrow();
        bytes.CopyTo(lent.Bytes);
        return copy;
    }
}
