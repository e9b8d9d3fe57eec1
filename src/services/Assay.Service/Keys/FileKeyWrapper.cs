using Assay.Sealing.Memory;

namespace Assay.Service.Keys;

/// <summary>The back-end <c>file</c>: the key encryption key is in this process, and answers while it runs.</summary>
internal sealed class FileKeyWrapper(SecretBuffer key, string id) : IKeyWrapper
{
    public string Id => id;

    public string Mechanism => "assay-record-v1";

    internal SecretBuffer Key => key;

    public Task<byte[]> WrapAsync(ReadOnlyMemory<byte> key, string context, CancellationToken cancellation) => Task.FromResult(RecordCipher.Seal(Key, key.Span, ContextOf(context)));

    public Task<byte[]?> UnwrapAsync(ReadOnlyMemory<byte> wrapped, string context, CancellationToken cancellation) => Task.FromResult(RecordCipher.Open(Key, wrapped.Span, ContextOf(context)));

    public Task<bool> AnswersAsync(CancellationToken cancellation) => Task.FromResult(true);

    public void Dispose() => key.Dispose();

    // The same key encrypts records of the database: none of them is taken for a wrapped key.
    private static string ContextOf(string context) => $"wrapped-key/{context}";
}
