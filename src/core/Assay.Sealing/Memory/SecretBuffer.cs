using System.Security.Cryptography;

namespace Assay.Sealing.Memory;

/// <summary>What is done with a secret while it is lent.</summary>
/// <param name="lease">Valid until the call returns.</param>
public delegate void SecretUse(SecretLease lease);

/// <summary>What is done with a secret while it is lent, with an answer.</summary>
/// <param name="lease">Valid until the call returns.</param>
public delegate T SecretUse<out T>(SecretLease lease);

/// <summary>A secret for the time of one call. It cannot be stored: the compiler keeps it on the stack.</summary>
public readonly ref struct SecretLease
{
    internal SecretLease(ReadOnlySpan<byte> bytes) => Bytes = bytes;

    /// <summary>The secret itself, in its locked memory. A copy of it is the caller's to wipe.</summary>
    public ReadOnlySpan<byte> Bytes { get; }
}

/// <summary>
/// A secret as a handle. It is read inside <see cref="Use(SecretUse)"/> and nowhere else, and wiped by <see cref="Dispose"/>, by the finalizer
/// if that was forgotten, and on every exception in between. Safe for concurrent use: a disposal waits for uses that run.
/// </summary>
public sealed unsafe class SecretBuffer : IDisposable
{
    private readonly SecretRegion _region;

    internal SecretBuffer(SecretRegion region) => _region = region;

    /// <summary>Bytes.</summary>
    public int Length => _region.Length;

    /// <summary>Whether its memory is locked; false only after <see cref="SecretMemory.DangerouslyAllowUnlockedMemory"/>.</summary>
    public bool IsLocked => _region.IsLocked;

    /// <summary>Lends the secret to a call.</summary>
    /// <exception cref="ObjectDisposedException">It was wiped.</exception>
    public void Use(SecretUse use)
    {
        ArgumentNullException.ThrowIfNull(use);
        using var lent = Borrow();
        use(new SecretLease(lent.Bytes));
    }

    /// <summary>Lends the secret to a call, and returns its answer.</summary>
    /// <exception cref="ObjectDisposedException">It was wiped.</exception>
    public T Use<T>(SecretUse<T> use)
    {
        ArgumentNullException.ThrowIfNull(use);
        using var lent = Borrow();
        return use(new SecretLease(lent.Bytes));
    }

    /// <summary>Wipes it and gives its memory back, as soon as no use of it runs.</summary>
    public void Dispose() => _region.Dispose();

    /// <summary>For code of this library, which may also write.</summary>
    internal Borrowed Borrow() => new(_region);

    /// <summary>Whether both have the same content, in a time that depends on the length alone.</summary>
    internal bool Equals(ReadOnlySpan<byte> other)
    {
        using var lent = Borrow();
        return CryptographicOperations.FixedTimeEquals(lent.Bytes, other);
    }

    /// <summary>The content while it cannot go away.</summary>
    internal readonly ref struct Borrowed
    {
        private readonly SecretRegion _region;

        public Borrowed(SecretRegion region)
        {
            var held = false;
            region.DangerousAddRef(ref held);
            _region = region;
        }

        public Span<byte> Bytes => new(_region.Content, _region.Length);

        public byte* Pointer => _region.Content;

        public void Dispose() => _region.DangerousRelease();
    }
}
