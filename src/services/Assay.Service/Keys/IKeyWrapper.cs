namespace Assay.Service.Keys;

/// <summary>
/// A key encryption key, wherever it is: it wraps and unwraps data encryption keys, and does nothing else. Every back-end refuses a wrapped key that was
/// changed, that another key encryption key wrapped, or that was wrapped for another context. Safe for concurrent use.
/// </summary>
public interface IKeyWrapper : IDisposable
{
    /// <summary>Tells key encryption keys apart, and tells nothing about them. ASCII, at most 64 characters.</summary>
    string Id { get; }

    /// <summary>How it wraps. It is stored with what was wrapped. ASCII, at most 64 characters.</summary>
    string Mechanism { get; }

    /// <summary>Wraps a data encryption key of 32 bytes.</summary>
    /// <param name="key">The key. The caller wipes it.</param>
    /// <param name="context">What it encrypts: kind and id. It must be the same when it is unwrapped.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ServiceException"><see cref="KeyEncryptionKey.Unavailable"/>: the back-end does not answer.</exception>
    Task<byte[]> WrapAsync(ReadOnlyMemory<byte> key, string context, CancellationToken cancellation);

    /// <summary>Unwraps a data encryption key, which the caller wipes; null if it is refused.</summary>
    /// <exception cref="ServiceException"><see cref="KeyEncryptionKey.Unavailable"/>: the back-end does not answer.</exception>
    Task<byte[]?> UnwrapAsync(ReadOnlyMemory<byte> wrapped, string context, CancellationToken cancellation);

    /// <summary>Whether it can unwrap now.</summary>
    Task<bool> AnswersAsync(CancellationToken cancellation);
}
